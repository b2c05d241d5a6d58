package codes

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/tink-crypto/tink-go/v2/tink"

	"cse.example/cse/ground/secret"
)

// Sealed are the codes of one card as they are kept: six sealed halves and the
// mark by which the CIP is recognised.
type Sealed struct {
	Card string
	// Version tells one set of codes of a card from the next; it is part of
	// what each half is bound to.
	Version             int64
	PINFirst, PINSecond []byte
	PUKFirst, PUKSecond []byte
	CIPFirst, CIPSecond []byte
	CIPMark             []byte
	// CIPDigits are keyed marks of each digit of the CIP at its place, for the
	// telephone; empty for codes made before there were any.
	CIPDigits []byte
}

var (
	// ErrNone: the card has no codes (never made, or destroyed).
	ErrNone = errors.New("codes: the card has no codes")
	// ErrTaken: another card has this CIP, or the card has codes already.
	ErrTaken = errors.New("codes: the CIP or the card is taken")
	// ErrSeal: a half does not open: other key, another card, or damage.
	ErrSeal = errors.New("codes: the half does not open")
)

// Store keeps sealed codes. Writes happen inside the caller's act.
type Store interface {
	// Put keeps s, or answers ErrTaken.
	Put(ctx context.Context, s Sealed) error
	// Get answers ErrNone for a card without codes.
	Get(ctx context.Context, card string) (Sealed, error)
	// ByMark finds the card whose CIP has this mark, or ErrNone.
	ByMark(ctx context.Context, mark []byte) (card string, err error)
	// Destroy removes the codes of card; none to remove is no error.
	Destroy(ctx context.Context, card string) error
}

type kind string

const (
	pin    kind = "PIN"
	puk    kind = "PUK"
	cip    kind = "CIP"
	first       = 1
	second      = 2
)

// bound is what a sealed half is tied to: opening it as another card's, another
// code's, the other half's or another version's fails.
func bound(card string, k kind, half int, version int64) []byte {
	return []byte("cse.codes/1|" + card + "|" + string(k) + "|" + strconv.Itoa(half) + "|" + strconv.FormatInt(version, 10))
}

// Sealer seals codes with the two public keysets: it can close, not open.
type Sealer struct {
	policy        Policy
	first, second tink.HybridEncrypt
	cips          *CIPs
}

// Policy is the sealer's.
func (s *Sealer) Policy() Policy { return s.policy }

// Seal closes set for card. It is slow work (elliptic curves): do it before the
// act that keeps the result.
func (s *Sealer) Seal(card string, version int64, set Set) (Sealed, error) {
	out := Sealed{Card: card, Version: version}
	mark, err := s.cips.Mark(set.CIP)
	if err != nil {
		return out, err
	}
	out.CIPMark = mark
	if out.CIPDigits, err = s.cips.markDigits(card, version, set.CIP); err != nil {
		return out, err
	}
	for _, c := range []struct {
		kind          kind
		code          secret.Text
		split         Split
		first, second *[]byte
	}{
		{pin, set.PIN, s.policy.PIN, &out.PINFirst, &out.PINSecond},
		{puk, set.PUK, s.policy.PUK, &out.PUKFirst, &out.PUKSecond},
		{cip, set.CIP, s.policy.CIP, &out.CIPFirst, &out.CIPSecond},
	} {
		a, b, err := cut(c.code, c.split)
		if err != nil {
			return out, err
		}
		if *c.first, err = close1(s.first, a, bound(card, c.kind, first, version)); err != nil {
			return out, err
		}
		if *c.second, err = close1(s.second, b, bound(card, c.kind, second, version)); err != nil {
			return out, err
		}
	}
	return out, nil
}

func close1(key tink.HybridEncrypt, half secret.Text, to []byte) ([]byte, error) {
	b := half.Reveal()
	defer clear(b)
	half.Wipe()
	out, err := key.Encrypt(b, to)
	if err != nil {
		return nil, fmt.Errorf("codes: seal: %w", err)
	}
	return out, nil
}

// opener is what the two openers share; it is not exported, so that no value
// can be asked for the other half.
type opener struct {
	key   tink.HybridDecrypt
	store Store
	half  int
}

func (o opener) open(k kind, s Sealed, half []byte) (secret.Text, error) {
	b, err := o.key.Decrypt(half, bound(s.Card, k, o.half, s.Version))
	if err != nil {
		return secret.Text{}, fmt.Errorf("%w: card %s, %s, half %d", ErrSeal, s.Card, k, o.half)
	}
	defer clear(b)
	return secret.New(b), nil
}

func (o opener) three(s Sealed, halves [3][]byte) (out [3]secret.Text, err error) {
	for i, k := range []kind{pin, puk, cip} {
		if out[i], err = o.open(k, s, halves[i]); err != nil {
			return out, err
		}
	}
	return out, nil
}

// FirstOpener opens first halves. It belongs to the process that prints.
type FirstOpener struct{ o opener }

// FirstHalves opens the first halves of card. Errors: ErrNone, ErrSeal.
func (f *FirstOpener) FirstHalves(ctx context.Context, card string) (First, error) {
	s, err := f.o.store.Get(ctx, card)
	if err != nil {
		return First{}, err
	}
	t, err := f.o.three(s, [3][]byte{s.PINFirst, s.PUKFirst, s.CIPFirst})
	if err != nil {
		return First{}, err
	}
	return First{PIN: t[0], PUK: t[1], CIP: t[2]}, nil
}

// SecondOpener opens second halves. It belongs to the process that mails.
type SecondOpener struct{ o opener }

// SecondHalves opens the second halves of card. Errors: ErrNone, ErrSeal.
func (f *SecondOpener) SecondHalves(ctx context.Context, card string) (Second, error) {
	s, err := f.o.store.Get(ctx, card)
	if err != nil {
		return Second{}, err
	}
	t, err := f.o.three(s, [3][]byte{s.PINSecond, s.PUKSecond, s.CIPSecond})
	if err != nil {
		return Second{}, err
	}
	return Second{PIN: t[0], PUK: t[1], CIP: t[2]}, nil
}
