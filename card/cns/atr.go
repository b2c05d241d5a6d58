package cns

import (
	"bytes"
	"errors"
	"fmt"
)

// ATR is an answer to reset in the shape all contact CNS have: T=1 with
// fifteen historical bytes (ISO/IEC 7816-3 clause 8; card.md section 1).
type ATR struct {
	TA1, TB1, TC1 byte
	// HasTB1 and HasTC1: some masks leave them out (T0 = DF or FF).
	HasTB1     bool
	TA3        byte // IFSC
	TB3        byte // waiting times
	Historical [15]byte
}

// ErrATR is returned for bytes that are not an ATR of that shape.
var ErrATR = errors.New("not the answer to reset of a contact CNS")

// mask makers, H4, that change how the card is spoken to.
const maskSTIncard = 0x09

func neutralATR() ATR {
	return ATR{
		TA1: 0x18, HasTB1: true, TA3: 0xFE, TB3: 0x55,
		Historical: [15]byte{0x00, 0x6B, 0, 0, 0x01, 0x00, 0x01, 0x01, 0x01, 'C', 'N', 'S', 0x11, 0x31, 0x80},
	}
}

func st2021ATR() ATR {
	return ATR{
		TA1: 0x18, HasTB1: true, TC1: 0xFF, TA3: 0xFE, TB3: 0x55,
		Historical: [15]byte{0x00, 0x6B, 0x02, 0x09, 0x16, 0x17, 0x01, 0x11, 0x01, 'C', 'N', 'S', 0x11, 0x31, 0x80},
	}
}

// Bytes builds the ATR with its check byte TCK, the XOR of all bytes from T0.
// Without TB1, TC1 follows TA1 as the Athena lots have it.
func (a ATR) Bytes() []byte {
	b := []byte{0x3B}
	if a.HasTB1 {
		b = append(b, 0xFF, a.TA1, a.TB1, a.TC1, 0x81, 0x31, a.TA3, a.TB3)
	} else {
		b = append(b, 0xDF, a.TA1, a.TC1, 0x81, 0x31, a.TA3, a.TB3)
	}
	b = append(b, a.Historical[:]...)
	return append(b, checkByte(b))
}

func checkByte(b []byte) byte {
	var x byte
	for _, c := range b[1:] {
		x ^= c
	}
	return x
}

// ParseATR reads an ATR of a contact CNS, with or without TB1, and checks TCK.
// Cards over NFC have another shape and are refused.
func ParseATR(b []byte) (ATR, error) {
	a := ATR{HasTB1: true}
	n := 25
	if len(b) > 1 && b[1] == 0xDF {
		a.HasTB1, n = false, 24
	}
	if len(b) != n {
		return ATR{}, fmt.Errorf("%w: %d bytes", ErrATR, len(b))
	}
	if a.HasTB1 {
		a.TA1, a.TB1, a.TC1 = b[2], b[3], b[4]
	} else {
		a.TA1, a.TC1 = b[2], b[3]
	}
	tail := b[n-16:]
	a.TA3, a.TB3 = b[n-18], b[n-17]
	copy(a.Historical[:], tail[:15])
	if !bytes.Equal(a.Bytes(), b) { // fixed bytes or TCK differ
		return ATR{}, fmt.Errorf("%w: % X", ErrATR, b)
	}
	return a, nil
}

// IsCNS tells whether the historical bytes say "CNS".
func (a ATR) IsCNS() bool { return string(a.Historical[9:12]) == "CNS" }

// Version is the CNS version, 0x10 or 0x11; 0x11 means RSA-2048 and extended
// length in OpenSC.
func (a ATR) Version() byte { return a.Historical[12] }

// STIncard tells a mask that wants bit 8 set in the reference of a PIN.
func (a ATR) STIncard() bool { return a.Historical[3] == maskSTIncard }

// PINReference is P2 of VERIFY for the citizen's PIN on this mask.
func (a ATR) PINReference() byte {
	if a.STIncard() {
		return RefPIN | 0x80
	}
	return RefPIN
}
