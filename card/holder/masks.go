package holder

import (
	"bytes"

	"cse.example/cse/card/cns"
)

// Tested says how much is known of a card family with this program.
type Tested string

// The degrees of knowledge. Only Tried means that somebody ran it here.
const (
	Tried    Tested = "tried"    // works in our tests, with this answer to reset
	Expected Tested = "expected" // ATR seen in public lists, commands known from open source drivers
	Unknown  Tested = "unknown"  // says CNS in its ATR, nothing else is known
)

// Mask is what differs between the families of cards (card.md sections 1, 8).
type Mask struct {
	// Name of the family, for people.
	Name string
	// Tested is how much is known of it.
	Tested Tested
	// Query allows VERIFY without data. Some masks count it as a failed try,
	// so it is off unless proved (section 8).
	Query bool
	// Extended allows extended-length APDUs as first choice.
	Extended bool
	// PIN is the PIN reference in P2; STIncard masks want bit 8 set.
	PIN byte
	// PUK is the reference of the PUK in the status query.
	PUK byte
	// Key is the reference of the authentication key.
	Key byte
	// Professional is a card that says HPC: a health professional's, not a citizen's.
	Professional bool
}

// searchUp is the bit that STIncard masks want in a reference (section 7).
const searchUp = 0x80

// Mask makers in the fourth historical byte (section 1).
const (
	maskSTIncard = 0x09
	maskIDEMIA   = 0x05
	maskGD       = 0x04
	maskAthena   = 0x0C
)

// family is one line of the ATR table: the maker and system bytes H3..H6 of the
// historical bytes, -1 for any.
type family struct {
	maker, mask, high, low int
	name                   string
	tested                 Tested
	query                  bool
}

// families is searched in order. Sources: pcsc-tools smartcard_list.txt, OpenSC
// card-itacns.c (card.md section 1).
var families = []family{
	{0x00, 0x00, 0x01, 0x00, "CSE neutral", Tried, true},
	{0x02, maskSTIncard, 0x16, 0x17, "TS-CNS ST 2021", Tried, false},
	{0x02, maskSTIncard, 0x17, 0x17, "TS-CNS ST, lotto successivo", Expected, false},
	{0x02, maskSTIncard, 0x03, 0x03, "CNS Aruba STIncard", Expected, false},
	{-1, maskSTIncard, -1, -1, "CNS STIncard", Expected, false},
	{0x05, maskIDEMIA, 0x20, 0x00, "TS-CNS IDEMIA 2021", Expected, false},
	{0x05, maskIDEMIA, 0x91, 0x20, "CNS IDEMIA ID-One", Expected, false},
	{-1, maskIDEMIA, -1, -1, "CNS Oberthur/IDEMIA", Expected, false},
	{0x04, maskGD, -1, -1, "CNS NXP / G&D", Expected, false},
	{0x15, maskAthena, -1, -1, "TS-CNS Athena/Atmel", Expected, false},
	{-1, maskAthena, -1, -1, "TS-CNS Athena", Expected, false},
}

// historical returns the fifteen historical bytes of a CNS answer to reset, or
// false when atr is none: T0 announces fifteen of them, H10..H12 say "CNS" or
// "HPC" (professional card). ISO/IEC 7816-3 clause 8.2.
func historical(atr []byte) ([]byte, bool) {
	if len(atr) < 2 || atr[1]&0x0F != 0x0F {
		return nil, false
	}
	at := 2
	for y := atr[1] >> 4; y != 0; {
		for bit := byte(1); bit < 8; bit <<= 1 { // TA, TB, TC
			if y&bit != 0 {
				at++
			}
		}
		if y&8 == 0 {
			break
		}
		if at >= len(atr) {
			return nil, false
		}
		y = atr[at] >> 4
		at++
	}
	if at+15 > len(atr) {
		return nil, false
	}
	h := atr[at : at+15]
	if s := h[9:12]; !bytes.Equal(s, []byte("CNS")) && !bytes.Equal(s, []byte("HPC")) {
		return nil, false
	}
	return h, true
}

// IsCNS tells whether an answer to reset speaks for a CNS.
func IsCNS(atr []byte) bool { _, ok := historical(atr); return ok }

// MaskOf finds the family of an answer to reset; ok is false for a card that
// does not say it is a CNS.
func MaskOf(atr []byte) (mask Mask, ok bool) {
	h, ok := historical(atr)
	if !ok {
		return Mask{}, false
	}
	m := Mask{Name: "CNS", Tested: Unknown, PIN: cns.RefPIN, PUK: cns.RefPUK, Key: cns.KeyAuth, Professional: string(h[9:12]) == "HPC"}
	if h[3] == maskSTIncard {
		m.PIN |= searchUp
		m.PUK |= searchUp
	}
	for _, f := range families {
		if is(f.maker, h[2]) && is(f.mask, h[3]) && is(f.high, h[4]) && is(f.low, h[5]) {
			m.Name, m.Tested, m.Query = f.name, f.tested, f.query
			m.Extended = f.query // only our own chip is known to take both forms
			break
		}
	}
	return m, true
}

func is(want int, got byte) bool { return want < 0 || want == int(got) }
