package codes

import (
	"context"
	"errors"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
)

// ErrPending: new codes of the card wait already to be written to its chip.
var ErrPending = errors.New("codes: new codes wait to be written")

// Renewals keeps new codes beside those that the chip still holds, until it holds
// the new ones. Writes happen inside an act.
type Renewals interface {
	// Renew keeps s as the card's codes and the former PIN and PUK as what the chip
	// holds; ErrPending when such wait already. The former CIP is gone at once.
	Renew(ctx context.Context, s Sealed) error
	// Renewed destroys the former ones: the chip has the new codes. False: there
	// were none.
	Renewed(ctx context.Context, card string) (bool, error)
	// Pending tells whether the chip still holds former codes.
	Pending(ctx context.Context, card string) (bool, error)
}

// Renewer gives cards new codes. All fields are needed.
type Renewer struct {
	Renewals
	Maker *Maker
}

// New makes new codes of a card and keeps them, in the act of ctx.
func (r Renewer) New(ctx context.Context, card string, born civil.Date) error {
	now, err := r.Maker.Store.Get(ctx, card)
	if err != nil {
		return err
	}
	set, sealed, err := r.Maker.Make(ctx, card, now.Version+1, born)
	if err != nil {
		return err
	}
	set.Wipe()
	return r.Renew(ctx, sealed)
}

// chipHalves opens the PIN's and the PUK's half of a set.
func (o opener) chipHalves(ctx context.Context, card string, pinHalf, pukHalf func(Sealed) []byte) (p, u secret.Text, err error) {
	s, err := o.store.Get(ctx, card)
	if err != nil {
		return p, u, err
	}
	if p, err = o.open(pin, s, pinHalf(s)); err != nil {
		return p, u, err
	}
	u, err = o.open(puk, s, pukHalf(s))
	return p, u, err
}

// ChipHalves opens the first halves of what a chip holds, PIN and PUK; the CIP is
// in no chip.
func (f *FirstOpener) ChipHalves(ctx context.Context, card string) (pin, puk secret.Text, err error) {
	return f.o.chipHalves(ctx, card, func(s Sealed) []byte { return s.PINFirst }, func(s Sealed) []byte { return s.PUKFirst })
}

// ChipHalves opens the second halves of what a chip holds, PIN and PUK.
func (f *SecondOpener) ChipHalves(ctx context.Context, card string) (pin, puk secret.Text, err error) {
	return f.o.chipHalves(ctx, card, func(s Sealed) []byte { return s.PINSecond }, func(s Sealed) []byte { return s.PUKSecond })
}
