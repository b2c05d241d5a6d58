package reader

import (
	"encoding/hex"
	"testing"
)

// The structure by hand from PC/SC part 10 (V2.02.09), section 2.5.2.
func TestPINVerifyStructure(t *testing.T) {
	verify, _ := hex.DecodeString("0020001008FFFFFFFFFFFFFFFF")
	want := "1e1e820800" + "0805" + "02" + "01" + "1004" + "00" + "000000" + "0d000000" + "0020001008ffffffffffffffff"
	if got := hex.EncodeToString(pinVerify(verify, 5, 8)); got != want {
		t.Fatalf("\n got %s\nwant %s", got, want)
	}
}

func TestFeatureList(t *testing.T) {
	for _, c := range []struct {
		list string
		code uint32
		ok   bool
	}{
		{"", 0, false},
		{"0604" + "42330006", 0x42330006, true},
		{"0704" + "42330007" + "0604" + "42330006", 0x42330006, true},
		{"0704" + "42330007", 0, false},
		{"0604" + "4233", 0, false},
		{"0602" + "42330006", 0, false},
	} {
		list, _ := hex.DecodeString(c.list)
		if code, ok := findFeature(list, featureVerify); code != c.code || ok != c.ok {
			t.Errorf("%s: %X, %v; want %X, %v", c.list, code, ok, c.code, c.ok)
		}
	}
}
