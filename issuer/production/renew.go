package production

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/lifecycle"
)

// Renewal is the outcome of Renew.
type Renewal struct {
	// Due are the cards about to expire whose holder is still assisted, Ordered
	// those that got their successor now.
	Due, Ordered int
}

// Renew is the nightly renewal (R23): every card that is out and expires within
// days gets exactly one successor, linked to it, if its holder is still
// assisted; by the rules that give any card its last day. Who cannot have one
// goes to the exceptions with the reason. A card that would end no later than
// the old one (the permit of stay was not renewed yet) is not made: it would be
// due again as soon as it is posted. Run twice it orders nothing more. The
// old card keeps its printed functions to its printed date. A card whose holder
// revoked the CNS alone is still his health card, and is renewed too.
func (p *Plant) Renew(ctx context.Context, days int) (Renewal, error) {
	var out Renewal
	for _, s := range RenewedStates() {
		for after := ""; ; {
			cards, err := p.Cards.ByState(ctx, s, after, actSize)
			if err != nil {
				return out, err
			}
			if len(cards) == 0 {
				break
			}
			var some Renewal
			err = p.Atomically(ctx, func(ctx context.Context) error {
				some = Renewal{} // the act may be run again
				return p.renewSome(ctx, cards, days, &some)
			})
			if err != nil {
				return out, err
			}
			out.Due += some.Due
			out.Ordered += some.Ordered
			after = cards[len(cards)-1].ID
		}
	}
	p.progress("renew", out.Ordered, out.Ordered)
	return out, nil
}

// RenewedStates are the states of cards that a renewal looks at.
func RenewedStates() []lifecycle.State {
	return []lifecycle.State{lifecycle.Shipped, lifecycle.Delivered, lifecycle.Active, lifecycle.Suspended, lifecycle.Revoked}
}

// Renewable tells whether a card may have a successor by renewal: it is out, its
// printed day has not passed, and if it is revoked, then by its holder's word.
func Renewable(c lifecycle.Card, today civil.Date) bool {
	return slices.Contains(RenewedStates(), c.State) && (c.State != lifecycle.Revoked || c.Reason == lifecycle.ByHolder) && !c.Expires.Before(today)
}

func (p *Plant) renewSome(ctx context.Context, cards []lifecycle.Card, days int, out *Renewal) error {
	today := civil.Today(p.Clock)
	for _, c := range cards {
		if !Renewable(c, today) || c.Expires.After(today.AddDays(days)) {
			continue
		}
		next, ordered, err := p.clerk().Renew(ctx, c, p.Config.RenewalChip)
		if errors.Is(err, ErrNotLonger) {
			continue
		}
		if err != nil {
			return err
		}
		if ordered {
			out.Ordered++
		}
		if next.ID != "" {
			out.Due++
		}
	}
	return nil
}

// Longer tells whether a card made today would outlast c; true also when
// none can be made: then the holder belongs among the exceptions.
func (k *Clerk) Longer(ctx context.Context, c lifecycle.Card) (bool, error) {
	who, err := k.People.Get(ctx, c.CF)
	if err != nil {
		return false, fmt.Errorf("production: renew: %w", err)
	}
	day, _, err := lifecycle.ExpiryFor(lifecycle.ApplicantOf(who, []lifecycle.Card{c}), civil.Today(k.Clock), k.Config.Terms)
	var none *lifecycle.NoExpiryError
	if errors.As(err, &none) {
		return true, nil
	}
	return day.After(c.Expires), err
}
