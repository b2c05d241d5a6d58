package codes

import (
	"context"
	"crypto/subtle"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/prf"

	"cse.example/cse/ground/secret"
)

// On the telephone a holder says four digits of his CIP, at places drawn by the
// system, never the whole. They are compared with keyed marks of single digits,
// made together with the codes: nobody opens a half for it, and the process that
// asks never holds the CIP. A mark of one digit gives way to ten guesses of
// whoever has both the table and the key of the CIPs; the mark of the whole CIP
// gives way to him too, only later (docs/security.md).

// digitLen is the length of the mark of one digit.
const digitLen = 16

func digitInput(card string, version int64, place int, digit byte) []byte {
	return fmt.Appendf(nil, "cse.cip.digit/1|%s|%d|%d|%c", card, version, place, digit)
}

// markDigits are the marks of all digits of cip, in order, under the primary key.
func (c *CIPs) markDigits(card string, version int64, cip secret.Text) ([]byte, error) {
	digits := cip.Reveal()
	defer clear(digits)
	var out []byte
	for i, d := range digits {
		in := digitInput(card, version, i+1, d)
		m, err := c.set.ComputePrimaryPRF(in, digitLen)
		clear(in)
		if err != nil {
			return nil, fmt.Errorf("codes: mark: %w", err)
		}
		out = append(out, m...)
	}
	return out, nil
}

// Digits is how many digits of a card's CIP can be asked one by one; zero for
// codes that have no such marks. ErrNone for a card without codes.
func (c *CIPs) Digits(ctx context.Context, card string) (int, error) {
	s, err := c.store.Get(ctx, card)
	return len(s.CIPDigits) / digitLen, err
}

// CheckDigits tells whether digits are those of the card's CIP at places, which
// count from 1, in time that does not depend on them.
func (c *CIPs) CheckDigits(ctx context.Context, card string, places []int, digits secret.Text) (bool, error) {
	s, err := c.store.Get(ctx, card)
	if err != nil {
		return false, err
	}
	b := digits.Reveal()
	defer clear(b)
	if len(b) != len(places) || len(b) == 0 {
		return false, nil
	}
	right := 1
	for i, place := range places {
		if place < 1 || place*digitLen > len(s.CIPDigits) {
			return false, nil
		}
		same, err := c.sameDigit(s, place, b[i])
		if err != nil {
			return false, err
		}
		right &= same
	}
	return right == 1, nil
}

// sameDigit compares under every key still in use.
func (c *CIPs) sameDigit(s Sealed, place int, digit byte) (int, error) {
	in := digitInput(s.Card, s.Version, place, digit)
	defer clear(in)
	same := 0
	for _, f := range c.set.PRFs {
		m, err := prf.PRF(f).ComputePRF(in, digitLen)
		if err != nil {
			return 0, fmt.Errorf("codes: mark: %w", err)
		}
		same |= subtle.ConstantTimeCompare(m, s.CIPDigits[(place-1)*digitLen:place*digitLen])
	}
	return same, nil
}
