package extension

import (
	"context"
	"errors"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/pki/profile"
)

// Conditions are what is known when a card asks.
type Conditions struct {
	Card   lifecycle.Card
	Cards  []lifecycle.Card // all of the holder's
	Person registry.Person
	// Ends is the service's last day.
	Ends civil.Date
	// Now is the day it is in Rome.
	Now civil.Date
}

// Check tells the first reason against, nil when the certificate may be extended.
// It is a pure function.
func Check(c Conditions) *words.Fault {
	card := c.Card
	if c.Now.After(c.Ends) {
		return words.Refuse("CSE-880", c.Ends.Italian())
	}
	switch {
	case !card.HasChip():
		return words.Refuse("CSE-881")
	case card.Foreign():
		return words.Refuse("CSE-882")
	case card.State == lifecycle.Suspended:
		return words.Refuse("CSE-884")
	case card.State == lifecycle.Revoked || card.State == lifecycle.Replaced, !c.Person.AliveOn(c.Now), !c.Person.AssistedOn(c.Now):
		return words.Refuse("CSE-885")
	case card.State == lifecycle.Expired, c.Now.After(card.Expires):
		return words.Refuse("CSE-886", card.Expires.Italian())
	case card.State != lifecycle.Active:
		return words.Refuse("CSE-883")
	case c.Now.After(card.CertUntil()):
		return words.Refuse("CSE-887", card.CertUntil().Italian())
	case !card.CorrectedAt.IsZero(): // its certificate names the wrong data
		return words.Refuse("CSE-885")
	}
	next, ok := lifecycle.SuccessorOf(card, c.Cards)
	switch {
	case ok && next.HasChip():
		return words.Refuse("CSE-889")
	case !ok || !next.State.Posted() || next.NeverLeft():
		return words.Refuse("CSE-888")
	case !Until(c.Ends, c.Now).After(card.CertUntil()):
		return words.Refuse("CSE-890", card.CertUntil().Italian())
	}
	return nil
}

// Until is the last day that a certificate extended today will have: the service's,
// and never more than the profile allows.
func Until(ends, today civil.Date) civil.Date {
	if most := today.AddYears(profile.Years); most.Before(ends) {
		return most
	}
	return ends
}

// conditions reads what Check needs.
func (r *Room) conditions(ctx context.Context, id string) (Conditions, error) {
	c := Conditions{Now: civil.Today(r.d.Clock)}
	var err error
	if c.Card, err = r.d.Cards.Get(ctx, id); err != nil {
		return c, err
	}
	return c, r.around(ctx, &c)
}

func (r *Room) around(ctx context.Context, c *Conditions) (err error) {
	if c.Cards == nil {
		if c.Cards, err = r.d.Cards.ByPerson(ctx, c.Card.CF); err != nil {
			return err
		}
	}
	if c.Person, err = r.d.Person(ctx, c.Card.CF); err != nil {
		return err
	}
	c.Ends, err = r.d.Ends(ctx, r.d.Clock.Now())
	return err
}

// Offer is what a holder sees of the service at his own page.
type Offer struct {
	// Card is the one it is about; empty when he has none with a chip.
	Card lifecycle.Card
	// Refusal is why not; nil: he may begin, or go on.
	Refusal *words.Fault
	// Until is the last day the new certificate has, or would have.
	Until civil.Date
	// Request is the newest one of that card, nil before any.
	Request *Request
}

// Ends is the service's last day, as it is known today.
func (r *Room) Ends(ctx context.Context) (civil.Date, error) { return r.d.Ends(ctx, r.d.Clock.Now()) }

// Offer looks at somebody's own cards: the newest with a chip that was ever
// activated, else the newest with a chip.
func (r *Room) Offer(ctx context.Context, cf codicefiscale.Code) (Offer, error) {
	cards, err := r.d.Cards.ByPerson(ctx, cf)
	if err != nil {
		return Offer{}, err
	}
	c := Conditions{Cards: cards, Now: civil.Today(r.d.Clock)}
	for _, x := range cards { // newest first
		if x.HasChip() && (c.Card.ID == "" || c.Card.ActivatedAt.IsZero() && !x.ActivatedAt.IsZero()) {
			c.Card = x
		}
	}
	if c.Card.ID == "" {
		return Offer{Refusal: words.Refuse("CSE-881")}, nil
	}
	if err := r.around(ctx, &c); err != nil {
		return Offer{}, err
	}
	o := Offer{Card: c.Card, Refusal: Check(c), Until: Until(c.Ends, c.Now)}
	list, err := r.d.Store.Of(ctx, c.Card.ID)
	if err != nil || len(list) == 0 {
		return o, err
	}
	o.Request = &list[0]
	if o.Request.State == Issued {
		o.Until = o.Request.Until
	}
	return o, nil
}

// living is the request of a card that may go on, nil for none.
func (r *Room) living(ctx context.Context, card string) (*Request, error) {
	list, err := r.d.Store.Of(ctx, card)
	if err != nil {
		return nil, err
	}
	for _, q := range list {
		if q.State.Living() {
			return &q, nil
		}
	}
	return nil, nil
}

// done is the last request, if it is confirmed and its certificate is this one.
func (r *Room) done(ctx context.Context, card, serial string) (*Request, error) {
	list, err := r.d.Store.Of(ctx, card)
	if err != nil || len(list) == 0 || list[0].State != Confirmed || list[0].New != serial {
		return nil, err
	}
	return &list[0], nil
}

// isRaced tells that the act may be done again from its beginning.
func isRaced(err error) bool { return errors.Is(err, ErrStale) || errors.Is(err, lifecycle.ErrStale) }
