package counter

import (
	"context"
	"crypto/subtle"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/throttle"
	"cse.example/cse/person/codicefiscale"
)

// Progress is where a card is, as anybody who holds its number may know: no
// reason, no date but that of shipping, and one word for all that has ended or
// is suspended.
type Progress string

// The words; text: portal.status.WORD.
const (
	InTheMaking Progress = "making"
	OnItsWay    Progress = "shipped"
	BroughtBack Progress = "returned"
	AtHome      Progress = "delivered"
	InUse       Progress = "active"
	OutOfUse    Progress = "ended"
)

// CardStatus is what a status check tells.
type CardStatus struct {
	Progress Progress
	// Shipped is the day of shipping, for OnItsWay.
	Shipped civil.Date
	// Next is the card that follows the one asked for, if there is one: its number
	// is on a card that has not arrived yet, so nobody can ask for it.
	Next *CardStatus
}

// Status answers how far a card is to somebody who types a codice fiscale and
// the last five of the twenty digits on the back (EHIC field 8; of the sixteen
// of the chip the last five would be too easy to guess). An unknown person, a
// wrong number and a card that is another's look the same (CSE-570) and cost a
// wait that doubles for the person's cards and for the source (CSE-571 while it
// lasts). It writes nothing but the count of wrong tries.
func (c *Counter) Status(ctx context.Context, cf codicefiscale.Code, lastFive, source string) (CardStatus, error) {
	var out CardStatus
	var refusal *words.Fault
	err := c.d.Atomically(ctx, func(ctx context.Context) error {
		out, refusal = CardStatus{}, nil
		cards, err := c.d.Cards.ByPerson(ctx, cf)
		if err != nil {
			return err
		}
		who := askers(cards, cf, source)
		wait, err := c.brake.Wait(ctx, who...)
		if err != nil {
			return err
		}
		if wait > 0 {
			refusal = throttle.Refuse("CSE-571", wait)
			return nil
		}
		card, ok := byLastFive(cards, lastFive)
		if !ok { // the count must be written: the act ends well, the asker is refused
			wait, err := c.brake.Failed(ctx, who...)
			refusal = throttle.Refuse("CSE-570", wait).At("ultime_cinque")
			return err
		}
		out = statusOf(card)
		if next, ok := lifecycle.Current(cards); ok && next.ID != card.ID && next.OrderedAt.After(card.OrderedAt) {
			s := statusOf(next)
			out.Next = &s
		}
		return nil
	})
	switch {
	case err != nil:
		return CardStatus{}, err
	case refusal != nil:
		return CardStatus{}, refusal
	}
	return out, nil
}

// askers are whom a wrong try is counted against.
func askers(cards []lifecycle.Card, cf codicefiscale.Code, source string) []string {
	who := []string{throttle.Subject("status.source", source)}
	for _, x := range cards {
		who = append(who, throttle.Subject("status.card", x.ID))
	}
	if len(cards) == 0 {
		who = append(who, throttle.Subject("status.card", string(cf.Base())))
	}
	return who
}

// byLastFive compares with every card, so that the time says nothing.
func byLastFive(cards []lifecycle.Card, lastFive string) (lifecycle.Card, bool) {
	var hit lifecycle.Card
	found := false
	for _, x := range cards {
		if len(x.TEAM) >= 5 && subtle.ConstantTimeCompare([]byte(x.TEAM[len(x.TEAM)-5:]), []byte(lastFive)) == 1 {
			hit, found = x, true
		}
	}
	return hit, found
}

func statusOf(c lifecycle.Card) CardStatus {
	switch c.State {
	case lifecycle.Ordered, lifecycle.InProduction, lifecycle.Produced:
		return CardStatus{Progress: InTheMaking}
	case lifecycle.Shipped:
		return CardStatus{Progress: OnItsWay, Shipped: civil.DayOf(c.ShippedAt)}
	case lifecycle.Returned:
		return CardStatus{Progress: BroughtBack}
	case lifecycle.Delivered:
		return CardStatus{Progress: AtHome}
	case lifecycle.Active:
		return CardStatus{Progress: InUse}
	}
	return CardStatus{Progress: OutOfUse}
}
