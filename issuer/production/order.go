package production

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// Ordering is the outcome of OrderMissing.
type Ordering struct {
	// Ordered cards, Chipless of them without a chip.
	Ordered, Chipless int
	// Exceptions is how many people wait in the list of exceptions.
	Exceptions int
}

// cardSeries names the one series of serials of every card, chip or not.
const cardSeries = "card"

// OrderMissing is the nightly first issue (R7): one order for every living,
// assisted person without a valid card, none for others. Run twice it orders
// nothing more. Who cannot have a card yet goes to the exceptions with the
// reason and is looked at again every time.
func (p *Plant) OrderMissing(ctx context.Context) (Ordering, error) {
	var out Ordering
	today, after := civil.Today(p.Clock), codicefiscale.Code("")
	for {
		people, err := p.Orders.Candidates(ctx, today, after, actSize)
		if err != nil {
			return out, err
		}
		if len(people) == 0 {
			break
		}
		var some Ordering
		err = p.Atomically(ctx, func(ctx context.Context) error {
			some = Ordering{} // the act may be run again
			return p.orderSome(ctx, people, today, &some)
		})
		if err != nil {
			return out, err
		}
		out.Ordered += some.Ordered
		out.Chipless += some.Chipless
		after = people[len(people)-1].CF
		p.progress("order", out.Ordered, out.Ordered)
	}
	n, err := p.sweepExceptions(ctx, today)
	out.Exceptions = n
	return out, err
}

func (p *Plant) orderSome(ctx context.Context, people []registry.Person, today civil.Date, out *Ordering) error {
	for _, who := range people {
		cards, err := p.Cards.ByPerson(ctx, who.CF)
		if err != nil {
			return err
		}
		if !who.AssistedOn(today) || p.served(who, cards) {
			continue
		}
		last, _ := lifecycle.Current(cards)
		c, err := p.clerk().order(ctx, who, cards, last, today)
		if err != nil {
			return err
		}
		if c.ID == "" {
			continue
		}
		out.Ordered++
		if !c.HasChip() {
			out.Chipless++
		}
	}
	return nil
}

// served tells whether the person has a card that is valid as health card or
// will be once it arrives.
func (p *Plant) served(who registry.Person, cards []lifecycle.Card) bool {
	now := p.Clock.Now()
	for _, c := range cards {
		ts := lifecycle.Functions(c, lifecycle.FactsOf(who, c, cards), now)[0]
		if ts.State == lifecycle.Valid || ts.State == lifecycle.Pending && !c.State.Final() && !c.Expires.Before(civil.DayOf(now)) {
			return true
		}
	}
	return false
}

// sweepExceptions counts the exceptions and lets go of people who are no longer
// assisted.
func (p *Plant) sweepExceptions(ctx context.Context, today civil.Date) (int, error) {
	n, after := 0, codicefiscale.Code("")
	for {
		page, err := p.Orders.Exceptions(ctx, after, actSize)
		if err != nil || len(page) == 0 {
			return n, err
		}
		var gone []codicefiscale.Code
		for _, e := range page {
			who, err := p.People.Get(ctx, e.CF)
			if err != nil && !errors.Is(err, registry.ErrUnknown) {
				return n, err
			}
			if !who.AssistedOn(today) {
				gone = append(gone, e.CF)
			}
		}
		if err := p.dropExceptions(ctx, gone); err != nil {
			return n, err
		}
		n += len(page) - len(gone)
		after = page[len(page)-1].CF
	}
}

func (p *Plant) dropExceptions(ctx context.Context, gone []codicefiscale.Code) error {
	if len(gone) == 0 {
		return nil
	}
	return p.Atomically(ctx, func(ctx context.Context) error {
		for _, cf := range gone {
			if err := p.Orders.DropException(ctx, cf); err != nil {
				return err
			}
		}
		return nil
	})
}

// newBatchID is a day and a number that is never given again.
func (p *Plant) newBatchID(ctx context.Context) (string, error) {
	n, err := p.Orders.Serials(ctx, "batch", 1)
	if err != nil {
		return "", err
	}
	return civil.Today(p.Clock).String() + "-" + fmt.Sprintf("%04s", strconv.FormatUint(n, 10)), nil
}
