package counter

import (
	"context"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
)

// The notices of what the issuer does by itself.
const (
	Recalled Event = "recalled" // revoked among many cards, a new one is coming
	Recoded  Event = "recoded"  // the codice fiscale was replaced, a new card is coming
)

// Recall revokes a card for good by the issuer's own decision, orders the next
// one and tells the holder, all in the act of ctx: the mail leaves exactly when
// the card ends. ended is false for a card that has ended already. It is one item
// of a bulk revocation, approved as a whole (issuer/campaign).
func (c *Counter) Recall(ctx context.Context, card string, why lifecycle.Reason, crl int) (next string, ended bool, err error) {
	err = c.d.Atomically(ctx, func(ctx context.Context) error {
		next, ended = "", false
		x, err := c.d.Cards.Get(ctx, card)
		if err != nil || x.State.Final() {
			return err
		}
		r, err := c.end(ctx, x, ending{event: lifecycle.Revoke, why: why, crl: crl, actor: "system:campaign", act: "card.recalled"})
		if err != nil {
			return err
		}
		if x, err = c.d.Cards.Get(ctx, card); err != nil {
			return err
		}
		n, err := c.d.Reissue(ctx, x)
		if err != nil {
			return err
		}
		next, ended = n.ID, true
		return c.tell(ctx, Recalled, r, "")
	})
	return next, ended, err
}

// Replaced is what follows when the Revenue Agency replaces a codice fiscale
// (R30): every living card with the old one ends at once, CNS and all, and a card
// with the new one is ordered. The registry knows both people already. It joins
// the act of ctx and answers how many cards ended and the card that comes.
func (c *Counter) Replaced(ctx context.Context, old, now codicefiscale.Code) (ended int, next string, err error) {
	err = c.d.Atomically(ctx, func(ctx context.Context) error {
		ended, next = 0, ""
		cards, err := c.d.Cards.ByPerson(ctx, old)
		if err != nil {
			return err
		}
		last, any := lifecycle.Current(cards)
		for _, x := range cards {
			if x.State.Final() {
				continue
			}
			r, err := c.end(ctx, x, ending{
				event: lifecycle.Revoke, why: lifecycle.CFChanged, crl: affiliationChanged, actor: "system:registry", act: "card.cf-changed",
			})
			if err != nil {
				return err
			}
			ended++
			if x.ID == last.ID {
				if err := c.tell(ctx, Recoded, r, ""); err != nil {
					return err
				}
			}
		}
		if !any || c.d.ReissueFor == nil {
			return nil
		}
		if err := c.moveAddress(ctx, old, now); err != nil {
			return err
		}
		if last, err = c.d.Cards.Get(ctx, last.ID); err != nil {
			return err
		}
		n, err := c.d.ReissueFor(ctx, last, now)
		if err != nil || n.ID == "" {
			return err
		}
		next = n.ID
		return c.d.Record(ctx, journal.Entry{
			Act: "holder.recoded", Actor: "system:registry", Card: n.ID, Person: string(now), Detail: map[string]string{"before": last.ID, "owner": "MEF"},
		})
	})
	return ended, next, err
}

// moveAddress lets the new codice fiscale be reached where the old one was.
func (c *Counter) moveAddress(ctx context.Context, old, now codicefiscale.Code) error {
	if c.d.Book == nil {
		return nil
	}
	email, _, lang, err := c.d.Book.Of(ctx, old)
	if err != nil || email == "" {
		return err
	}
	who, err := c.d.People.Get(ctx, now)
	if err != nil {
		return err
	}
	return c.d.Book.Set(ctx, now, email, lang, who.MinorOn(civil.Today(c.d.Clock)) || who.UnderGuardianship, "")
}
