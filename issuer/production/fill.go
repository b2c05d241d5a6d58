package production

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production/exchange"
)

// Fill puts ordered cards in a batch, BatchSize at most, and closes it. It goes
// on with a batch that a kill left half filled. ok is false when no card waits.
// A card whose data may not be printed stays ordered, and its holder is among
// the exceptions.
func (p *Plant) Fill(ctx context.Context) (b Batch, ok bool, err error) {
	if b, err = p.halfFilled(ctx); err != nil {
		return b, false, err
	}
	after := ""
	for b.Cards < p.Config.BatchSize {
		limit := min(actSize, p.Config.BatchSize-b.Cards)
		cards, err := p.Cards.ByState(ctx, lifecycle.Ordered, after, limit)
		if err != nil {
			return b, false, err
		}
		if len(cards) == 0 {
			break
		}
		after = cards[len(cards)-1].ID
		if b, err = p.fillSome(ctx, b, cards); err != nil {
			return b, false, err
		}
		p.progress("fill", b.Cards, p.Config.BatchSize)
	}
	if b.Cards == 0 {
		return b, false, nil
	}
	err = p.Atomically(ctx, func(ctx context.Context) error {
		next := b
		next.State = Filled
		next, err := p.Batches.Put(ctx, next)
		if err == nil {
			b = next
		}
		return err
	})
	return b, err == nil, err
}

func (p *Plant) halfFilled(ctx context.Context) (Batch, error) {
	open, err := p.Batches.List(ctx, true)
	if err != nil {
		return Batch{}, err
	}
	for _, b := range open {
		if b.State == Filling {
			return b, nil
		}
	}
	return Batch{}, nil
}

// prepared is a card with all that its act writes.
type prepared struct {
	card  lifecycle.Card
	item  Item
	codes codes.Sealed
}

// fillSome adds cards to b in one act, after the slow work (codes, sealing). A
// CIP taken meanwhile makes it all be done again with other codes.
func (p *Plant) fillSome(ctx context.Context, b Batch, cards []lifecycle.Card) (Batch, error) {
	for range 5 {
		if b.ID == "" {
			id, err := p.reserveBatch(ctx)
			if err != nil {
				return b, err
			}
			b.ID = id
		}
		ready, bad, err := p.prepare(ctx, b.ID, cards)
		if err != nil {
			return b, err
		}
		next, err := p.fillAct(ctx, b, ready, bad)
		if errors.Is(err, codes.ErrTaken) {
			continue
		}
		return next, err
	}
	return b, errors.New("production: no free CIP in five tries")
}

// reserveBatch takes a number for a batch before its first cards: records are
// sealed to the name. A number that a kill leaves unused stays unused.
func (p *Plant) reserveBatch(ctx context.Context) (id string, err error) {
	err = p.Atomically(ctx, func(ctx context.Context) error {
		id, err = p.newBatchID(ctx)
		return err
	})
	return id, err
}

func (p *Plant) fillAct(ctx context.Context, b Batch, ready []prepared, bad []Exception) (Batch, error) {
	next := b
	err := p.Atomically(ctx, func(ctx context.Context) error {
		next = b // the act may be run again
		for _, e := range bad {
			if err := p.Orders.PutException(ctx, e); err != nil {
				return err
			}
		}
		for _, r := range ready {
			if err := p.addCard(ctx, &next, r); err != nil {
				return err
			}
		}
		if len(ready) == 0 {
			return nil
		}
		if next.Version == 0 {
			next.State, next.CreatedAt = Filling, p.Clock.Now().UTC()
		}
		put, err := p.Batches.Put(ctx, next)
		next = put
		return err
	})
	if err != nil {
		return b, err
	}
	return next, nil
}

// addCard moves one card into the batch: its state, its codes, its item. The
// comparison of versions in Put is what keeps it out of two batches.
func (p *Plant) addCard(ctx context.Context, b *Batch, r prepared) error {
	moved, err := lifecycle.Move(r.card, lifecycle.StartProduction, "", p.Clock.Now())
	if err != nil {
		return err
	}
	moved.Batch = b.ID
	if _, err := p.Cards.Put(ctx, moved); err != nil {
		return err
	}
	if r.item.Chip {
		if err := p.Codes.Keep(ctx, r.codes); err != nil {
			return err
		}
		b.Chips++
	}
	b.Cards++
	if err := p.Batches.PutItem(ctx, r.item); err != nil {
		return err
	}
	if err := p.Orders.DropException(ctx, r.card.CF); err != nil {
		return err
	}
	return p.record(ctx, "card.in-production", moved, map[string]string{"batch": b.ID})
}

func (p *Plant) prepare(ctx context.Context, batch string, cards []lifecycle.Card) (ready []prepared, bad []Exception, err error) {
	for _, c := range cards {
		r, err := p.prepareOne(ctx, batch, c)
		if f := words.FaultOf(err); f != nil {
			bad = append(bad, Exception{CF: c.CF, Reason: f.Code, Field: f.Field, Since: p.Clock.Now().UTC()})
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		ready = append(ready, r)
	}
	return ready, bad, nil
}

func (p *Plant) prepareOne(ctx context.Context, batch string, c lifecycle.Card) (prepared, error) {
	who, err := p.People.Get(ctx, c.CF)
	if err != nil {
		return prepared{}, fmt.Errorf("production: holder of card %s: %w", c.ID, err)
	}
	faces, err := FacesOf(who, c)
	if err != nil {
		return prepared{}, err
	}
	job := exchange.Job{Card: c.ID, Chip: c.HasChip()}
	if job.Faces, err = json.Marshal(faces); err != nil {
		return prepared{}, fmt.Errorf("production: data set of %s: %w", c.ID, err)
	}
	out := prepared{card: c, item: Item{Batch: batch, Card: c.ID, Chip: c.HasChip()}}
	if job.Chip {
		if job.PersonalData, err = personalData(p.Config.Issuer, who, c); err != nil {
			return prepared{}, err
		}
		job.GDO, out.item.Personal = cns.CardID(c.ID).GDO(), job.PersonalData
		var set codes.Set
		// The card's version tells the codes of one attempt from the next.
		if set, out.codes, err = p.Codes.Make(ctx, c.ID, c.Version, who.Born); err != nil {
			return prepared{}, err
		}
		defer set.Wipe()
		job.PIN, job.PUK = set.PIN, set.PUK
		if p.IssuerKey != nil {
			if job.IssuerKey, err = p.IssuerKey(c.ID); err != nil {
				return prepared{}, err
			}
			defer job.IssuerKey.Wipe()
		}
	}
	content, err := job.Encode()
	if err != nil {
		return prepared{}, err
	}
	defer clear(content)
	out.item.Job, err = p.Bureau.Seal(exchange.Order, batch, c.ID, content)
	return out, err
}

func count(n int) string { return strconv.Itoa(n) }
