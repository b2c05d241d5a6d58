package counter

import (
	"context"

	"cse.example/cse/ground/journal"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// freed tells holder and representative that the title has ended, and puts the
// cards on hold if the configuration says so; in the act of ctx.
func (c *Counter) freed(ctx context.Context, l Link, p registry.Person, how AtMajority) error {
	cards, err := c.d.Cards.ByPerson(ctx, p.CF)
	if err != nil {
		return err
	}
	now := c.d.Clock.Now()
	for _, card := range cards {
		if card.State != lifecycle.Active {
			continue
		}
		if how == MajorityHold {
			if card, err = c.suspend(ctx, card, lifecycle.ByHolder); err != nil {
				return err
			}
		}
		e, ok, err := c.given(ctx, card.ID)
		if err != nil {
			return err
		}
		if ok && e.Identity.Present != PresentHolder && e.Contact.Email != "" {
			err = c.enqueue(ctx, KindMailNotice+"/"+string(RightsEnded)+"/"+l.Protocol, KindMailNotice, card.ID, Notice{
				Event: RightsEnded, Protocol: l.Protocol, Card: card.ID, To: e.Contact.Email, FirstName: firstName(e.Form.representativeName()), At: now, Lang: e.Contact.Lang,
			})
			if err != nil {
				return err
			}
		}
		if validEmail(p.Email) {
			err = c.enqueue(ctx, KindMailNotice+"/"+string(OfAge)+"/"+l.Protocol, KindMailNotice, card.ID, Notice{
				Event: OfAge, Protocol: l.Protocol, Card: card.ID, To: p.Email, FirstName: firstName(p.Name), At: now, Lang: e.Form.Lang,
			})
			if err != nil {
				return err
			}
		}
	}
	return c.d.Record(ctx, journal.Entry{
		Act: "representation.ended", Actor: "system:night", Person: string(p.CF), Detail: map[string]string{"protocol": l.Protocol, "how": string(how)},
	})
}

// given is the evidence of the newest act that gave a card's codes an address.
func (c *Counter) given(ctx context.Context, card string) (Evidence, bool, error) {
	rows, err := c.d.Acts.ByCard(ctx, card)
	if err != nil {
		return Evidence{}, false, err
	}
	for _, r := range rows {
		e, err := c.evidence(r)
		if err != nil {
			return Evidence{}, false, err
		}
		if e.Contact.Email == "" {
			continue
		}
		if x := e.Identity.Representative; x != nil {
			no, err := c.disowned(ctx, codicefiscale.Code(e.Form.CF), x.CF)
			if err != nil {
				return Evidence{}, false, err
			}
			if no {
				continue // an address that was never the holder's to give
			}
		}
		return e, true, nil
	}
	return Evidence{}, false, nil
}

// representativeName is the given name of whoever stood there.
func (f Form) representativeName() string {
	if f.Representative != nil {
		return f.Representative.Name
	}
	return f.Name
}
