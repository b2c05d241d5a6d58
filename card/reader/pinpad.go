package reader

import (
	"encoding/binary"
	"fmt"
	"runtime"

	"github.com/ElMostafaIdrassi/goscard"
)

// PINPad is a reader with keys of its own: the PIN is typed there and never
// enters the computer (PC/SC part 10).
type PINPad interface {
	// HasPINPad tells whether this reader is one.
	HasPINPad() bool
	// VerifyOnPad has the holder type the PIN into a VERIFY command, whose data
	// field of eight bytes FF is filled on the reader, left-justified and in
	// ASCII. It returns the card's status word, or 6400 (no key was pressed in
	// time) or 6401 (the holder gave up).
	VerifyOnPad(verify []byte, shortest, longest int) (sw []byte, err error)
}

// HasPINPad tells whether c's reader has keys of its own.
func HasPINPad(c Card) bool {
	p, ok := c.(PINPad)
	return ok && p.HasPINPad()
}

// VerifyOnPad passes on to the card below.
func (o *observed) VerifyOnPad(verify []byte, shortest, longest int) ([]byte, error) {
	p, ok := o.Card.(PINPad)
	if !ok {
		return nil, errNoPad
	}
	return p.VerifyOnPad(verify, shortest, longest)
}

// HasPINPad passes on what the card below says.
func (o *observed) HasPINPad() bool { return HasPINPad(o.Card) }

var errNoPad = fmt.Errorf("the reader has no pinpad")

// featureVerify is FEATURE_VERIFY_PIN_DIRECT (PC/SC part 10, section 2.2).
const featureVerify = 0x06

// getFeatures is CM_IOCTL_GET_FEATURE_REQUEST: SCARD_CTL_CODE(3400).
func getFeatures() goscard.SCardCtlCode {
	if runtime.GOOS == "windows" {
		return 0x31<<16 | 3400<<2
	}
	return 0x42000000 + 3400
}

// HasPINPad implements PINPad.
func (s *session) HasPINPad() bool {
	_, ok := s.feature(featureVerify)
	return ok
}

func (s *session) feature(tag byte) (goscard.SCardCtlCode, bool) {
	list, _, err := s.card.Control(getFeatures(), nil)
	if err != nil {
		return 0, false
	}
	code, ok := findFeature(list, tag)
	return goscard.SCardCtlCode(code), ok
}

// findFeature reads the list of a reader's features: tag, length 04, control
// code with the most significant byte first.
func findFeature(list []byte, tag byte) (code uint32, ok bool) {
	for len(list) >= 6 && list[1] == 4 {
		if list[0] == tag {
			return binary.BigEndian.Uint32(list[2:]), true
		}
		list = list[6:]
	}
	return 0, false
}

// VerifyOnPad implements PINPad.
func (s *session) VerifyOnPad(verify []byte, shortest, longest int) ([]byte, error) {
	code, ok := s.feature(featureVerify)
	if !ok {
		return nil, errNoPad
	}
	sw, ret, err := s.card.Control(code, pinVerify(verify, shortest, longest))
	if err != nil {
		return nil, failure(uint32(ret), err)
	}
	return sw, nil
}

// pinVerify is PIN_VERIFY_STRUCTURE (PC/SC part 10, section 2.5.2).
func pinVerify(verify []byte, shortest, longest int) []byte {
	b := []byte{
		30, 30, // seconds for the first and for the next keys
		0x82,                          // bmFormatString: bytes, from 0, left-justified, ASCII
		0x08,                          // bmPINBlockString: a block of 8 bytes, no length field
		0x00,                          // bmPINLengthFormat
		byte(longest), byte(shortest), // wPINMaxExtraDigit, least significant byte first
		0x02,       // the holder ends with the confirmation key
		0x01,       // one message,
		0x10, 0x04, // in Italian (wLangId 0410),
		0x00,    // the first: "type the PIN"
		0, 0, 0, // T=1 prologue: the driver's
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(verify)))
	return append(b, verify...)
}
