package operations

import (
	"context"
	"errors"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
)

// Check is one pair of numbers that must agree. Name is a key of the catalogue.
type Check struct {
	Name      string
	Want, Got int
}

// OK tells that they agree.
func (c Check) OK() bool { return c.Want == c.Got }

// StateLine is the cards in one state.
type StateLine struct {
	State         lifecycle.State
	Chip, Without int
}

// Total is all of them.
func (l StateLine) Total() int { return l.Chip + l.Without }

// Board is the state of things.
type Board struct {
	// States has every state in the order of a life, those without cards too.
	States []StateLine
	// Cards is how many there are; Numbers were ordered here, Taken came with an
	// existing card base.
	Cards, Numbers, Taken int
	Checks                []Check
	// Open are the batches not yet posted, the oldest first.
	Open       []production.Batch
	Exceptions int
	// Queue is empty for who may not see the queues.
	Queue []EffectCount
	// Waiting effects are failed or uncertain: somebody must decide.
	Waiting int
	Lists   []List
	// Declarations are those drawn for a check, nil when none are.
	Declarations *Declarations
}

// Declarations counts the self-declarations drawn for a check: all, and those that
// wait, were confirmed, and were not.
type Declarations struct{ All, Open, Confirmed, NotConfirmed int }

// Balanced tells that every count reconciles.
func (b Board) Balanced() bool {
	for _, c := range b.Checks {
		if !c.OK() {
			return false
		}
	}
	return true
}

// Board counts. The numbers are read in one transaction, so that a card that
// moves meanwhile is counted once.
func (r *Room) Board(ctx context.Context, op staff.Operator) (Board, error) {
	var b Board
	if err := r.reads(ctx, op, "board"); err != nil {
		return b, err
	}
	err := r.d.Atomically(ctx, func(ctx context.Context) error {
		b = Board{}
		return r.count(ctx, op, &b)
	})
	if err != nil {
		return b, err
	}
	b.Lists, err = r.d.Lists(ctx)
	return b, err
}

func (r *Room) count(ctx context.Context, op staff.Operator, b *Board) error {
	counts, err := r.d.Counts.CardsByState(ctx)
	if err != nil {
		return err
	}
	sum := 0
	for _, s := range lifecycle.States() {
		line := StateLine{State: s}
		for _, c := range counts {
			switch {
			case c.State != s:
			case c.Model == lifecycle.TSCNS:
				line.Chip += c.N
			default:
				line.Without += c.N
			}
		}
		sum += line.Total()
		b.States = append(b.States, line)
	}
	if b.Cards, b.Numbers, err = r.d.Counts.Cards(ctx); err != nil {
		return err
	}
	b.Taken = max(b.Cards-b.Numbers, 0)
	b.Checks = []Check{
		{"portal.ops.check.states", b.Cards, sum},
		{"portal.ops.check.numbers", b.Numbers, b.Cards - b.Taken},
	}
	if b.Open, err = r.d.Batches.List(ctx, true); err != nil {
		return err
	}
	if b.Exceptions, err = r.d.Counts.Exceptions(ctx); err != nil {
		return err
	}
	if r.d.Declarations != nil {
		d, err := r.d.Declarations(ctx)
		if err != nil {
			return err
		}
		b.Declarations = &d
		b.Checks = append(b.Checks, Check{"portal.ops.check.declarations", d.All, d.Open + d.Confirmed + d.NotConfirmed})
	}
	if !op.Has(staff.RoleOperations) {
		return nil
	}
	if b.Queue, err = r.d.Queue.Counts(ctx); err != nil {
		return err
	}
	for _, c := range b.Queue {
		if c.State == Failed || c.State == Uncertain {
			b.Waiting += c.N
		}
	}
	return nil
}

// Lot is one batch with its numbers.
type Lot struct {
	production.Batch
	Count  BatchCount
	Checks []Check
	// Ship and Deliver tell what the post may be told now.
	Ship, Deliver bool
}

// Batches lists the batches, the newest first.
func (r *Room) Batches(ctx context.Context, op staff.Operator) ([]production.Batch, error) {
	if err := r.reads(ctx, op, "batches"); err != nil {
		return nil, err
	}
	list, err := r.d.Batches.List(ctx, false)
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list, err
}

// Batch is one batch, its counters held against its items.
func (r *Room) Batch(ctx context.Context, op staff.Operator, id string) (Lot, error) {
	var l Lot
	if err := r.reads(ctx, op, "batch"); err != nil {
		return l, err
	}
	err := r.d.Atomically(ctx, func(ctx context.Context) error {
		b, err := r.d.Batches.Get(ctx, id)
		if errors.Is(err, production.ErrUnknown) {
			return words.Refuse("CSE-175", id).Because(err)
		}
		if err != nil {
			return err
		}
		l = Lot{Batch: b}
		l.Count, err = r.d.Counts.Batch(ctx, id)
		return err
	})
	if err != nil {
		return l, err
	}
	l.Checks = []Check{
		{"portal.ops.check.items", l.Cards, l.Count.Items},
		{"portal.ops.check.chips", l.Chips, l.Count.Chips},
	}
	if l.State == production.Received || l.State == production.Sent {
		l.Checks = append(
			l.Checks,
			Check{"portal.ops.check.made", l.Made, l.Count.Made},
			Check{"portal.ops.check.spoiled", l.Spoiled, l.Count.Spoiled},
			Check{"portal.ops.check.all", l.Cards, l.Made + l.Spoiled},
		)
	}
	acts := op.Has(staff.RoleOperations)
	l.Ship = acts && (l.State == production.Received || l.State == production.Sent && l.Count.States[lifecycle.Produced] > 0)
	l.Deliver = acts && l.State == production.Sent && l.Count.States[lifecycle.Shipped] > 0
	return l, nil
}

// PostBatch takes a batch to the post office, or notes that its cards were
// delivered, and tells how many cards moved now. Done twice it moves nothing.
func (r *Room) PostBatch(ctx context.Context, op staff.Operator, id string, delivered bool) (int, error) {
	if err := r.acts(ctx, op, "batch"); err != nil {
		return 0, err
	}
	act := "batch.ship-asked"
	if delivered {
		act = "batch.delivery-noted"
	}
	err := r.d.Atomically(ctx, func(ctx context.Context) error {
		return r.note(ctx, op, journal.Entry{Act: act, Detail: map[string]string{"batch": id}})
	})
	if err != nil {
		return 0, err
	}
	return r.d.Post(ctx, id, delivered)
}

// Exceptions lists people for whom no card can be made, at most 50 after a code.
// The list names people: the look is recorded.
func (r *Room) Exceptions(ctx context.Context, op staff.Operator, after codicefiscale.Code) ([]production.Exception, error) {
	if err := r.acts(ctx, op, "exceptions"); err != nil {
		return nil, err
	}
	var list []production.Exception
	return list, r.d.Atomically(ctx, func(ctx context.Context) error {
		var err error
		if list, err = r.d.Exceptions(ctx, after, PageSize); err != nil || len(list) == 0 {
			return err
		}
		return r.note(ctx, op, journal.Entry{Act: "exceptions.viewed", Detail: map[string]string{"found": number(len(list))}})
	})
}
