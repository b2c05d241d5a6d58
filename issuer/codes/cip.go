package codes

import (
	"context"
	"crypto/subtle"
	"fmt"
	"io"

	"github.com/tink-crypto/tink-go/v2/prf"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
)

const markLen = 32

// CIPs recognises a CIP without being able to read one.
type CIPs struct {
	set     *prf.Set
	store   Store
	marking string
}

func input(cip secret.Text) []byte { return append([]byte("cse.cip/1|"), cip.Reveal()...) }

// Mark is the keyed mark of cip, under the primary key.
func (c *CIPs) Mark(cip secret.Text) ([]byte, error) {
	in := input(cip)
	defer clear(in)
	m, err := c.set.ComputePrimaryPRF(in, markLen)
	if err != nil {
		return nil, fmt.Errorf("codes: mark: %w", err)
	}
	return m, nil
}

// Check tells whether cip is the CIP of card, in time that does not depend on
// the digits. A card without codes is ErrNone.
func (c *CIPs) Check(ctx context.Context, card string, cip secret.Text) (bool, error) {
	s, err := c.store.Get(ctx, card)
	if err != nil {
		return false, err
	}
	in := input(cip)
	defer clear(in)
	same := 0
	for _, f := range c.set.PRFs { // older keys too, after a rotation
		m, err := f.ComputePRF(in, markLen)
		if err != nil {
			return false, fmt.Errorf("codes: mark: %w", err)
		}
		same |= subtle.ConstantTimeCompare(m, s.CIPMark)
	}
	return same == 1, nil
}

// Has tells whether card has codes.
func (c *CIPs) Has(ctx context.Context, card string) (bool, error) {
	switch _, err := c.store.Get(ctx, card); {
	case err == nil:
		return true, nil
	case isNone(err):
		return false, nil
	default:
		return false, err
	}
}

// Destroy is Destroy on the store that the CIPs read.
func (c *CIPs) Destroy(ctx context.Context, card string) error { return Destroy(ctx, c.store, card) }

// Free tells whether no card has this CIP under any key still in use.
func (c *CIPs) Free(ctx context.Context, cip secret.Text) (bool, error) {
	in := input(cip)
	defer clear(in)
	for _, f := range c.set.PRFs {
		m, err := f.ComputePRF(in, markLen)
		if err != nil {
			return false, fmt.Errorf("codes: mark: %w", err)
		}
		switch _, err := c.store.ByMark(ctx, m); {
		case err == nil:
			return false, nil
		case !isNone(err):
			return false, err
		}
	}
	return true, nil
}

// Maker makes and seals the codes of new cards. Its two steps are apart because
// sealing is slow and an act must be short:
//
//	set, sealed, err := maker.Make(ctx, card, born)  // before the act
//	err = maker.Keep(ctx, sealed)                    // inside the act
type Maker struct {
	Sealer *Sealer
	Store  Store
	Rand   io.Reader
}

// Make draws the codes of card, whose holder was born on born, with a CIP that
// is free now. It writes nothing.
func (m *Maker) Make(ctx context.Context, card string, version int64, born civil.Date) (Set, Sealed, error) {
	for {
		set, err := Generate(m.Rand, m.Sealer.policy, born)
		if err != nil {
			return Set{}, Sealed{}, err
		}
		free, err := m.Sealer.cips.Free(ctx, set.CIP)
		if err != nil {
			return Set{}, Sealed{}, err
		}
		if !free {
			set.Wipe()
			continue
		}
		s, err := m.Sealer.Seal(card, version, set)
		return set, s, err
	}
}

// Keep writes s in the act that ctx carries. ErrTaken means that another card
// was given the CIP meanwhile, or that this one has codes: make others.
func (m *Maker) Keep(ctx context.Context, s Sealed) error { return m.Store.Put(ctx, s) }

// Replace destroys the card's codes, if any, and keeps s.
func (m *Maker) Replace(ctx context.Context, s Sealed) error {
	if err := m.Store.Destroy(ctx, s.Card); err != nil {
		return err
	}
	return m.Store.Put(ctx, s)
}

// Destroy removes the codes of card for good; rules R83, R84 and issue 2 ask it
// at revocation, expiry, replacement and death.
func Destroy(ctx context.Context, s Store, card string) error {
	if err := s.Destroy(ctx, card); err != nil {
		return fmt.Errorf("codes: destroy those of %s: %w", card, err)
	}
	return nil
}
