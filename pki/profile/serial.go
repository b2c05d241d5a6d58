package profile

import (
	"fmt"
	"io"
	"math/big"
)

// NewSerial draws a serial number from rand. CA/Browser practice asks for 64
// random bits; this has 127, less the few draws that are thrown back.
func NewSerial(rand io.Reader) (Serial, error) {
	var s Serial
	for s[0] == 0 {
		if _, err := io.ReadFull(rand, s[:]); err != nil {
			return Serial{}, fmt.Errorf("profile: draw a serial number: %w", err)
		}
		s[0] &= 0x7f
	}
	return s, nil
}

// SerialText is the record form of any serial number: lower-case hexadecimal
// of the DER integer's content without a sign octet.
func SerialText(n *big.Int) string { return fmt.Sprintf("%x", n.Bytes()) }
