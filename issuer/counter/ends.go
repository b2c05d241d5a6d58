package counter

import (
	"context"
	"errors"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// CRLReasons of RFC 5280, 5.3.1.
const (
	unspecified        = 0
	keyCompromise      = 1
	affiliationChanged = 3
	supersession       = 4
	cessation          = 5
)

// ending is how a card ends.
type ending struct {
	event              lifecycle.Event
	why                lifecycle.Reason
	crl                int
	actor, office, act string
}

// end is what every end of a card has in common, in the act of ctx: the card
// moves, its certificate is revoked for good, its codes are destroyed, the
// journal says so.
func (c *Counter) end(ctx context.Context, card lifecycle.Card, e ending) (Receipt, error) {
	now := c.d.Clock.Now()
	card, err := lifecycle.Move(card, e.event, e.why, now)
	if err != nil {
		return Receipt{}, err
	}
	if _, err := c.d.Cards.Put(ctx, card); err != nil {
		return Receipt{}, err
	}
	// An expired certificate needs no revocation: lists forget it anyway.
	if card.CertSerial != "" && e.event != lifecycle.Expire {
		if err := c.d.Certificates.Revoke(ctx, card.CertSerial, e.crl); err != nil {
			return Receipt{}, err
		}
	}
	if err := c.d.Codes.Destroy(ctx, card.ID); err != nil {
		return Receipt{}, err
	}
	number, err := c.protocol(ctx, now)
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{Protocol: number, Card: card.ID, At: now}, c.d.Record(ctx, journal.Entry{
		Act: e.act, Actor: e.actor, Office: e.office, Card: card.ID, Person: string(card.CF),
		Detail: map[string]string{"protocol": number, "reason": string(e.why)},
	})
}

// CloseFor ends every living card of somebody who died or lost the assistance
// (why: lifecycle.Death or lifecycle.EndOfAssistance); the registry's import
// calls it. It joins the act of ctx and answers how many cards it ended.
func (c *Counter) CloseFor(ctx context.Context, cf codicefiscale.Code, why lifecycle.Reason) (int, error) {
	c = c.still()
	if why != lifecycle.Death && why != lifecycle.EndOfAssistance {
		return 0, errors.New("counter: a person's cards close for death or end of assistance only")
	}
	n := 0
	err := c.d.Atomically(ctx, func(ctx context.Context) error {
		n = 0
		cards, err := c.d.Cards.ByPerson(ctx, cf)
		if err != nil {
			return err
		}
		for _, x := range cards {
			if x.State.Final() {
				continue
			}
			if _, err := c.end(ctx, x, ending{
				event: lifecycle.Revoke, why: why, crl: cessation, actor: "system:registry", act: "card.closed",
			}); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, err
}

// Sweep is the nightly look at cards whose day has come: expired ones, and old
// ones whose successor was activated more than 30 days ago (table D.11). Each
// card is an act of its own; it answers how many ended.
func (c *Counter) Sweep(ctx context.Context) (int, error) {
	n := 0
	for _, s := range lifecycle.States() {
		if s.Final() {
			continue
		}
		for after := ""; ; {
			cards, err := c.d.Cards.ByState(ctx, s, after, 500)
			if err != nil {
				return n, err
			}
			if len(cards) == 0 {
				break
			}
			for _, x := range cards {
				ended, err := c.sweep(ctx, x.ID)
				if err != nil {
					return n, err
				}
				if ended {
					n++
				}
			}
			after = cards[len(cards)-1].ID
		}
	}
	return n, nil
}

func (c *Counter) sweep(ctx context.Context, id string) (ended bool, err error) {
	e, err := c.due(ctx, id)
	if err != nil || e == nil {
		return false, err
	}
	err = c.d.Atomically(ctx, func(ctx context.Context) error {
		e, err := c.due(ctx, id) // again, inside the act
		if err != nil || e == nil {
			return err
		}
		card, err := c.d.Cards.Get(ctx, id)
		if err != nil {
			return err
		}
		ended = true
		_, err = c.end(ctx, card, *e)
		return err
	})
	return ended && err == nil, err
}

// due is the end that a card has come to, nil for none.
func (c *Counter) due(ctx context.Context, id string) (*ending, error) {
	card, err := c.d.Cards.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	now := c.d.Clock.Now()
	if _, err := lifecycle.Move(card, lifecycle.Expire, "", now); err == nil {
		return &ending{event: lifecycle.Expire, actor: "system:sweep", act: "card.expired"}, nil
	}
	if card.ReplacedBy == "" || !card.HasChip() {
		return nil, nil
	}
	why, crl := lifecycle.Renewal, supersession
	if !card.CorrectedAt.IsZero() {
		why, crl = lifecycle.WrongData, affiliationChanged
	}
	if _, err := lifecycle.Move(card, lifecycle.Replace, why, now); err != nil {
		return nil, nil
	}
	cards, err := c.d.Cards.ByPerson(ctx, card.CF)
	if err != nil {
		return nil, err
	}
	if !lifecycle.Overtaken(card, lifecycle.FactsOf(registry.Person{}, card, cards), civil.DayOf(now)) {
		return nil, nil
	}
	return &ending{event: lifecycle.Replace, why: why, crl: crl, actor: "system:sweep", act: "card.replaced"}, nil
}

// Corrected is what a correction in the registry leads to (R30): every card that
// is out is marked, and a new one is ordered in the same act. It answers how
// many cards it orders.
func (c *Counter) Corrected(ctx context.Context, cf codicefiscale.Code) (int, error) {
	c = c.still()
	n := 0
	err := c.d.Atomically(ctx, func(ctx context.Context) error {
		n = 0
		cards, err := c.d.Cards.ByPerson(ctx, cf)
		if err != nil {
			return err
		}
		for _, x := range cards {
			switch x.State {
			case lifecycle.InProduction, lifecycle.Produced: // its data were taken before: it must never leave
				next, err := c.scrap(ctx, x)
				if err != nil {
					return err
				}
				if next.ID != "" {
					n++
				}
				continue
			case lifecycle.Ordered:
				continue // what is not printed yet is printed right
			}
			if x.State.Final() {
				continue
			}
			if x.CorrectionDays, err = c.correctionDays(ctx); err != nil {
				return err
			}
			x.CorrectedAt = c.d.Clock.Now().UTC()
			if x, err = c.d.Cards.Put(ctx, x); err != nil {
				return err
			}
			next, err := c.d.Reissue(ctx, x)
			if err != nil {
				return err
			}
			if next.ID != "" {
				n++
			}
			err = c.d.Record(ctx, journal.Entry{
				Act: "card.corrected", Actor: "system:registry", Card: x.ID, Person: string(cf), Detail: map[string]string{"next": next.ID, "owner": "MEF"},
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

// scrap ends a card that was being made with data that are corrected now, and
// orders the right one, in the act of ctx.
func (c *Counter) scrap(ctx context.Context, card lifecycle.Card) (lifecycle.Card, error) {
	_, err := c.end(ctx, card, ending{
		event: lifecycle.Revoke, why: lifecycle.WrongData, crl: affiliationChanged, actor: "system:registry", act: "card.corrected",
	})
	if err != nil {
		return lifecycle.Card{}, err
	}
	return c.d.Reissue(ctx, card)
}

func (c *Counter) correctionDays(ctx context.Context) (int, error) {
	if c.d.CorrectionDays == nil {
		return lifecycle.CorrectionGrace, nil
	}
	return c.d.CorrectionDays(ctx)
}
