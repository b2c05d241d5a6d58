// Package codes makes, keeps and destroys the holder's codes: PIN (Personal
// Identification Number), PUK (Personal Unblocking Key) and CIP (Codice
// Identificativo Personale), rules R70-R76, R79-R83 and R114.
//
// It guarantees: digits uniformly random, a PIN that is not among the weak ones
// (card/cns), a PUK longer than the PIN, a CIP that no other card has. Each code
// is cut in two halves; each half is sealed (HPKE, RFC 9180, through Tink) under
// a keyset of its own, bound to card, code, half and version, so that whoever
// makes codes cannot read them back, and the two halves can live in two
// processes under two users: FirstOpener opens first halves only (the printed
// form), SecondOpener second halves only (the mail), and nothing here returns
// both. A CIP is recognised by a keyed pseudo-random function of all its digits
// (CIPs), never by a hash that can be tried offline.
//
// Destroy removes the codes of a card at revocation, expiry, replacement and
// death; what is destroyed cannot be opened again from the store.
package codes

import (
	"errors"
	"fmt"
	"io"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
)

// Split is how many digits of a code go on the form and how many in the mail.
type Split struct {
	First  int `yaml:"first"`
	Second int `yaml:"second"`
}

// Len is the length of the whole code.
func (s Split) Len() int { return s.First + s.Second }

// Policy are the configurable lengths.
type Policy struct {
	PIN Split `yaml:"pin"`
	PUK Split `yaml:"puk"`
	CIP Split `yaml:"cip"`
}

// DefaultPolicy is PIN 2+3, PUK 2+6, CIP 5+5.
func DefaultPolicy() Policy {
	return Policy{PIN: Split{2, 3}, PUK: Split{2, 6}, CIP: Split{5, 5}}
}

const (
	minCIP = 8
	maxCIP = 16
)

// Check refuses lengths that the card or the rules do not allow.
func (p Policy) Check() error {
	for _, c := range []struct {
		name        string
		split       Split
		least, most int
	}{{"PIN", p.PIN, cns.MinPIN, cns.MaxPIN}, {"PUK", p.PUK, cns.PUKLength, cns.PUKLength}, {"CIP", p.CIP, minCIP, maxCIP}} {
		switch {
		case c.split.First < 1 || c.split.Second < 1:
			return fmt.Errorf("codes: each half of the %s needs at least one digit", c.name)
		case c.split.Len() < c.least || c.split.Len() > c.most:
			return fmt.Errorf("codes: the %s must have %d to %d digits, not %d", c.name, c.least, c.most, c.split.Len())
		}
	}
	if p.PUK.Len() <= p.PIN.Len() {
		return errors.New("codes: the PUK must have more digits than the PIN (R79)")
	}
	return nil
}

// Set are the codes of one card, whole. It exists only while they are made.
type Set struct{ PIN, PUK, CIP secret.Text }

// Wipe overwrites the three codes.
func (s *Set) Wipe() { s.PIN.Wipe(); s.PUK.Wipe(); s.CIP.Wipe() }

// First are the halves of the printed form.
type First struct{ PIN, PUK, CIP secret.Text }

// Second are the halves of the mail.
type Second struct{ PIN, PUK, CIP secret.Text }

// Generate makes the three codes from rand. A PIN that holds part of one of the
// days in born is refused and made again, as every weak code is: the rest stay
// uniformly distributed.
func Generate(rand io.Reader, p Policy, born ...civil.Date) (Set, error) {
	if err := p.Check(); err != nil {
		return Set{}, err
	}
	pin, err := until(rand, p.PIN.Len(), func(t secret.Text) error { return cns.CheckPIN(t, born...) })
	if err != nil {
		return Set{}, err
	}
	puk, err := until(rand, p.PUK.Len(), cns.CheckPUK)
	if err != nil {
		return Set{}, err
	}
	cip, err := until(rand, p.CIP.Len(), func(secret.Text) error { return nil })
	if err != nil {
		return Set{}, err
	}
	return Set{PIN: pin, PUK: puk, CIP: cip}, nil
}

// until draws codes until check accepts one. Weak codes are far fewer than one
// in ten: a hundred in a row mean a broken source of randomness.
func until(rand io.Reader, n int, check func(secret.Text) error) (secret.Text, error) {
	for range 100 {
		t, err := digits(rand, n)
		if err != nil {
			return secret.Text{}, err
		}
		if check(t) == nil {
			return t, nil
		}
		t.Wipe()
	}
	return secret.Text{}, errors.New("codes: the source of randomness gives weak codes only")
}

// digits draws n decimal digits. Bytes from 250 up are thrown away: 256 is not
// a multiple of ten, and a remainder would favour the low digits.
func digits(rand io.Reader, n int) (secret.Text, error) {
	out := make([]byte, 0, n)
	defer func() { clear(out) }()
	var b [1]byte
	for len(out) < n {
		if _, err := io.ReadFull(rand, b[:]); err != nil {
			return secret.Text{}, fmt.Errorf("codes: randomness: %w", err)
		}
		if b[0] < 250 {
			out = append(out, '0'+b[0]%10)
		}
	}
	return secret.New(out), nil
}

// cut gives the two halves of a code.
func cut(t secret.Text, s Split) (first, second secret.Text, err error) {
	if t.Len() != s.Len() {
		return first, second, fmt.Errorf("codes: a code of %d digits where %d are expected", t.Len(), s.Len())
	}
	b := t.Reveal()
	defer clear(b)
	return secret.New(b[:s.First]), secret.New(b[s.First:]), nil
}
