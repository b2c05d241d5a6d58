package iso7816

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTLV(t *testing.T) {
	for _, x := range []struct {
		hex  string
		want []TLV
	}{
		{"", nil},
		{"830110", []TLV{{0x83, []byte{0x10}}}},
		{"5A00 8300", []TLV{{0x5A, []byte{}}, {0x83, []byte{}}}},
		{"7F49 03 810155", []TLV{{0x7F49, []byte{0x81, 1, 0x55}}}},
		{"5FC102 01 AA", []TLV{{0x5FC102, []byte{0xAA}}}},
		{"53 8180" + strings.Repeat("00", 128), []TLV{{0x53, make([]byte, 128)}}},
		{"53 820100" + strings.Repeat("00", 256), []TLV{{0x53, make([]byte, 256)}}},
		{"53 83000001 FF", []TLV{{0x53, []byte{0xFF}}}},
	} {
		got, err := ParseTLV(unhex(t, x.hex))
		if err != nil {
			t.Errorf("%.20s: %v", x.hex, err)
		} else if d := cmp.Diff(x.want, got); d != "" {
			t.Errorf("%.20s: %s", x.hex, d)
		}
	}
	for _, s := range []string{"83", "8302AA", "5F", "7F49", "8380", "8384", "838200", "0000", "FF00", "5FFFFFFF0100", "83840000000100"} {
		if got, err := ParseTLV(unhex(t, s)); !errors.Is(err, ErrTLV) {
			t.Errorf("%s: got %v, %v", s, got, err)
		}
	}
}

func TestTLVChildren(t *testing.T) {
	kids, err := TLV{0x6F, unhex(t, "830110")}.Children()
	if v, ok := FindTLV(kids, 0x83); err != nil || !ok || v[0] != 0x10 {
		t.Fatal(kids, err)
	}
	if _, ok := FindTLV(kids, 0x84); ok {
		t.Fatal("found what is not there")
	}
	if _, err := (TLV{0x5A, nil}).Children(); !errors.Is(err, ErrTLV) {
		t.Fatal("a primitive object had children")
	}
	if !(TLV{Tag: 0x7F49}).Constructed() || (TLV{Tag: 0x5FC102}).Constructed() {
		t.Fatal("Constructed")
	}
}

// The FCI of EF_DatiPersonali as a 2025 card gives it (card.md section 2.1).
const realFCI = "6F38 80020190 8203010000 83021102 850101 860900FFFFFFFFFFFFFFFF 8A0105 CB18 " +
	"FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"

func TestFCILikeARealCard(t *testing.T) {
	f := FCP{Size: 400, FID: 0x1102, Access: [9]byte{0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, LifeCycle: LifeCycleActivated}
	if got, want := f.FCI(), unhex(t, realFCI); !bytes.Equal(got, want) {
		t.Fatalf("got  % X\nwant % X", got, want)
	}
	back, err := ParseFCP(unhex(t, realFCI))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(f, back); d != "" {
		t.Fatal(d)
	}
	df := FCP{Directory: true, Size: 416, FID: 0x3F00, Name: []byte("abcde"), LifeCycle: LifeCycleDeactivated}
	back, err = ParseFCP(df.Template())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(df, back); d != "" {
		t.Fatal(d)
	}
}

func TestFCPRefusals(t *testing.T) {
	for _, s := range []string{"", "5A00", "6F00", "6F00 6F00", "6F06 82010183021102", "6F07 80020190820101", "6F0B 80020190820101 83021102 85", "6F0B 80020190 820105 83021102"} {
		if got, err := ParseFCP(unhex(t, s)); !errors.Is(err, ErrTLV) {
			t.Errorf("%s: got %+v, %v", s, got, err)
		}
	}
}

func FuzzTLV(f *testing.F) {
	f.Add(unhex(f, realFCI))
	f.Add(unhex(f, "7F4903810155"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if fcp, err := ParseFCP(b); err == nil {
			if again, err := ParseFCP(fcp.FCI()); err != nil || !cmp.Equal(fcp, again) {
				t.Fatalf("%+v became %+v (%v)", fcp, again, err)
			}
		}
		list, err := ParseTLV(b)
		if err != nil {
			if !errors.Is(err, ErrTLV) {
				t.Fatal(err)
			}
			return
		}
		var out []byte
		for _, x := range list {
			out = AppendTLV(out, x.Tag, x.Value)
		}
		if len(out) > len(b) {
			t.Fatalf("the shortest form of %s is longer: %s", hex.EncodeToString(b), hex.EncodeToString(out))
		}
		if again, err := ParseTLV(out); err != nil || !cmp.Equal(list, again) {
			t.Fatalf("% X: %v", out, err)
		}
	})
}
