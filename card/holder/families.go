package holder

import (
	"bytes"
	"fmt"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/reader"
)

// Family is one line of the table of card families, for people: docs/doctor.md
// shows it, and a test compares the two.
type Family struct {
	// Bytes are the historical bytes H3 to H6 of its answer to reset (maker of the
	// chip, maker of the mask, system), ".." for any.
	Bytes string
	// Name of the family.
	Name string
	// Tested is how much is known of it.
	Tested Tested
	// Tries is true when the card tells the tries left without spending one.
	Tries bool
}

// Families is the table, in the order in which it is searched.
func Families() []Family {
	list := make([]Family, 0, len(families))
	for _, f := range families {
		hex := ""
		for i, b := range []int{f.maker, f.mask, f.high, f.low} {
			if i > 0 {
				hex += " "
			}
			if b < 0 {
				hex += ".."
			} else {
				hex += fmt.Sprintf("%02X", b)
			}
		}
		list = append(list, Family{Bytes: hex, Name: f.name, Tested: f.tested, Tries: f.query})
	}
	return list
}

// contactless are the answers that TS-CNS give a reader without contacts, as far
// as they were seen (card.md section 1): no historical bytes, or IDEMIA's.
var contactless = [][]byte{
	{0x3B, 0x80, 0x80, 0x01, 0x01},
	{0x3B, 0x8B, 0x80, 0x01, 0x00, 0x31, 0xC1, 0x64},
}

// Contactless tells an answer to reset that a reader without contacts makes up
// for a TS-CNS, and for other cards as well. Nothing else can be said of the card.
func Contactless(atr []byte) bool {
	return bytes.Equal(atr, contactless[0]) || bytes.HasPrefix(atr, contactless[1])
}

// HasCNSFiles tells whether a card whose answer to reset is no CNS's has the file
// of a CNS's number, with a right number in it. It sends SELECT and READ BINARY.
func HasCNSFiles(card reader.Card) bool {
	h := &Holder{card: card, mask: Mask{PIN: cns.RefPIN, PUK: cns.RefPUK, Key: cns.KeyAuth}}
	_, err := h.CardID()
	return err == nil
}
