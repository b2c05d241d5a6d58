package holder

import (
	"encoding/hex"
	"testing"
)

// Answers to reset of card.md section 1 (pcsc-tools smartcard_list.txt).
func TestMaskOf(t *testing.T) {
	for _, c := range []struct {
		atr, name string
		pin       byte
		query     bool
	}{
		{"3BFF1800008131FE55006B00000100010101434E5311318069", "CSE neutral", 0x10, true},
		{"3BFF1800FF8131FE55006B02091617011101434E531131808D", "TS-CNS ST 2021", 0x90, false},
		{"3BFF1800FF8131FE55006B02091717011101434E531131808C", "TS-CNS ST, lotto successivo", 0x90, false},
		{"3BDF18008131FE7D006B040C0184011101434E53103180FC", "TS-CNS Athena", 0x10, false},
		{"3BDF18008131FE7D006B150C0181011101434E53103180E8", "TS-CNS Athena/Atmel", 0x10, false},
		{"3BFF1800FF8131FE55006B02090303010101434E531031809D", "CNS Aruba STIncard", 0x90, false},
		{"3BFF1800008131FE45006B05052000012101434E5310318079", "TS-CNS IDEMIA 2021", 0x10, false},
		{"3BFF1800008131FE45006B0505912001F101434E5310318038", "CNS IDEMIA ID-One", 0x10, false},
		{"3BFF1800FF8131FE4D006B0404B85B01F101434E531031809D", "CNS NXP / G&D", 0x10, false},
		{"3BFF1800FF8131FE55006B77777777777777434E531131808D", "CNS", 0x10, false},
	} {
		atr, err := hex.DecodeString(c.atr)
		if err != nil {
			t.Fatal(err)
		}
		m, ok := MaskOf(atr)
		if !ok || m.Name != c.name || m.PIN != c.pin || m.Query != c.query {
			t.Errorf("%s: %+v, %v; want %s, PIN %02X, query %v", c.atr, m, ok, c.name, c.pin, c.query)
		}
	}
}

func TestNoCNS(t *testing.T) {
	for _, s := range []string{"", "3B", "3B80800101", "3B8B80010031C164", "3BFF18", "3B0F", "3BFFFFFFFFFFFFFFFF", "3BFF1800008131FE55006B00000100010101585858113180"} {
		atr, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := MaskOf(atr); ok {
			t.Errorf("%s was taken for %s", s, m.Name)
		}
	}
}

func FuzzMaskOf(f *testing.F) {
	f.Add([]byte{0x3B, 0x80, 0x80, 0x01, 0x01})
	f.Fuzz(func(t *testing.T, atr []byte) {
		if m, ok := MaskOf(atr); ok && (m.Name == "" || m.PIN&0x7F != 0x10) {
			t.Errorf("%X: %+v", atr, m)
		}
	})
}

func FuzzLengthOfDER(f *testing.F) {
	f.Add([]byte{0x30, 0x82, 0x05, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := lengthOfDER(b); err == nil && (n < 0 || n > 0xFFFF+4) {
			t.Errorf("%X: %d", b, n)
		}
	})
}
