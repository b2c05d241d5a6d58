package production

import (
	"context"

	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production/exchange"
)

// Ship posts the cards of a reconciled batch and closes it. It gives back how
// many were posted now; cards that ended meanwhile are held back. Done twice, it
// posts nothing more.
func (p *Plant) Ship(ctx context.Context, id string) (int, error) {
	b, err := p.batch(ctx, id)
	if err != nil {
		return 0, err
	}
	if b.State != Received && b.State != Sent {
		return 0, wrongStep(b)
	}
	if err := p.destroyFiles(b); err != nil { // should a kill have left some
		return 0, err
	}
	posted, err := p.moveAll(ctx, b, lifecycle.Produced, lifecycle.Ship, "card.shipped")
	if err != nil || b.State == Sent {
		return posted, err
	}
	b.State = Sent
	_, err = p.put(ctx, b, "batch.sent")
	return posted, err
}

// Deliver notes that the post delivered the cards of a batch.
func (p *Plant) Deliver(ctx context.Context, id string) (int, error) {
	b, err := p.batch(ctx, id)
	if err != nil {
		return 0, err
	}
	if b.State != Sent {
		return 0, wrongStep(b)
	}
	return p.moveAll(ctx, b, lifecycle.Shipped, lifecycle.Deliver, "card.delivered")
}

// moveAll moves the batch's cards that are in state from, and counts them.
func (p *Plant) moveAll(ctx context.Context, b Batch, from lifecycle.State, e lifecycle.Event, act string) (int, error) {
	list, _, err := p.items(ctx, b)
	if err != nil {
		return 0, err
	}
	var todo []Item
	for _, i := range list {
		if i.Outcome != exchange.Made {
			continue
		}
		c, err := p.Cards.Get(ctx, i.Card)
		if err != nil {
			return 0, err
		}
		if c.State == from {
			todo = append(todo, i)
		}
	}
	return len(todo), p.inActs(ctx, string(e), todo, func(ctx context.Context, i Item) error {
		c, err := p.Cards.Get(ctx, i.Card)
		if err != nil || c.State != from {
			return err
		}
		if c, err = lifecycle.Move(c, e, "", p.Clock.Now()); err != nil {
			return err
		}
		if _, err := p.Cards.Put(ctx, c); err != nil {
			return err
		}
		return p.record(ctx, act, c, map[string]string{"batch": b.ID})
	})
}

// Preview is the data set of a card as it would be, or was, printed.
func (p *Plant) Preview(ctx context.Context, card string) (Faces, error) {
	c, err := p.Cards.Get(ctx, card)
	if err != nil {
		return Faces{}, err
	}
	who, err := p.People.Get(ctx, c.CF)
	if err != nil {
		return Faces{}, err
	}
	return FacesOf(who, c)
}
