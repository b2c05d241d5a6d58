package campaign

import (
	"context"
	"errors"
	"strconv"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/registry"
)

// Work does what waits in the campaigns that run, and ends those that are done;
// it answers how many items it settled. It may be killed at any point and called
// again, and two at once do nothing twice.
func (r *Room) Work(ctx context.Context) (int, error) {
	running, err := r.d.Store.In(ctx, Running)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, c := range running {
		some, err := r.workOn(ctx, c)
		n += some
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (r *Room) workOn(ctx context.Context, c Campaign) (int, error) {
	n := 0
	for after := ""; ; {
		page, err := r.d.Items.Page(ctx, c.ID, Waiting, after, chunk)
		if err != nil {
			return n, err
		}
		if len(page) == 0 {
			break
		}
		for _, i := range page {
			settled, going, err := r.settle(ctx, c, i)
			if err != nil || !going {
				return n, err
			}
			if settled {
				n++
			}
			after = i.Key
		}
	}
	return n, r.finish(ctx, c)
}

// settle does one item. going is false once the campaign does not run any more.
func (r *Room) settle(ctx context.Context, c Campaign, i Item) (settled, going bool, err error) {
	err = r.d.Atomically(ctx, func(ctx context.Context) error {
		settled = false
		now, err := r.d.Store.Get(ctx, c.ID)
		if err != nil {
			return err
		}
		if going = now.State == Running; !going {
			return nil
		}
		done, err := r.do(ctx, now, i)
		if err != nil {
			return err
		}
		settled, err = r.move(ctx, done)
		if err == nil && !settled {
			return errSettled // by somebody else: undo what was done here
		}
		return err
	})
	if errors.Is(err, errSettled) {
		return false, going, nil
	}
	if errors.Is(err, lifecycle.ErrStale) {
		return false, going, nil // somebody else had the card in hand: the next turn does it
	}
	f := words.FaultOf(err)
	if f == nil {
		return settled, going, err
	}
	i.State, i.Outcome = Failed, f.Code
	return true, going, r.d.Atomically(ctx, func(ctx context.Context) error {
		_, err := r.move(ctx, i)
		return err
	})
}

var errSettled = errors.New("campaign: settled meanwhile")

func (r *Room) move(ctx context.Context, i Item) (bool, error) {
	i.DoneAt, i.Body = r.d.Clock.Now().UTC(), nil
	return r.d.Items.Move(ctx, i)
}

func (r *Room) do(ctx context.Context, c Campaign, i Item) (Item, error) {
	switch c.Kind {
	case Renewal:
		return r.renew(ctx, c, i)
	case Revocation:
		return r.recall(ctx, i)
	}
	return r.d.Correct(ctx, c, i)
}

func (r *Room) renew(ctx context.Context, c Campaign, i Item) (Item, error) {
	card, err := r.d.Cards.Get(ctx, i.Key)
	if err != nil {
		return i, err
	}
	today := civil.Today(r.d.Clock)
	if i.State = Nothing; !production.Renewable(card, today) {
		return i, nil
	}
	next, ordered, err := r.d.Renew(ctx, card, c.Criteria.Chip)
	if errors.Is(err, production.ErrNotLonger) {
		return i, nil
	}
	if err != nil {
		return i, err
	}
	i.Next = next.ID
	switch who, err := r.d.Person(ctx, card.CF); {
	case errors.Is(err, registry.ErrUnknown):
	case err != nil:
		return i, err
	case ordered:
		i.State = Done
	case next.ID == "" && who.AssistedOn(today):
		i.State = Exception
	}
	return i, nil
}

func (r *Room) recall(ctx context.Context, i Item) (Item, error) {
	e, ok := motives[Motive(i.Motive)]
	if !ok {
		return i, words.Refuse("CSE-638", i.Motive)
	}
	next, ended, err := r.d.Recall(ctx, i.Key, e.why, e.crl)
	if i.State = Done; !ended {
		i.State = Nothing
	}
	i.Next = next
	return i, err
}

// finish ends a campaign in which nothing waits.
func (r *Room) finish(ctx context.Context, c Campaign) error {
	return r.d.Atomically(ctx, func(ctx context.Context) error {
		now, err := r.d.Store.Get(ctx, c.ID)
		if err != nil || now.State != Running {
			return err
		}
		counts, err := r.d.Items.Counts(ctx, c.ID)
		if err != nil || counts[Waiting] > 0 {
			return err // a card was in somebody's hand: the next turn
		}
		now.State, now.EndedAt = Ended, r.d.Clock.Now().UTC()
		if now, err = r.d.Store.Put(ctx, now); err != nil {
			return err
		}
		detail := map[string]string{}
		for s, n := range counts {
			detail[string(s)] = strconv.Itoa(n)
		}
		return r.note(ctx, journal.Entry{Actor: "system:campaign"}, "campaign.ended", now, detail)
	})
}

// View is a campaign with how far it is.
type View struct {
	Campaign
	Counts map[ItemState]int
	// Refused tells that the last request for it was refused, Lapsed that it ran
	// out: it may be asked again.
	Refused, Lapsed bool
	// Alone tells that no second person is needed.
	Alone bool
	// Items are the first ones that ended otherwise than done.
	Items []Item
}

// Balanced tells whether the counts make the total.
func (v View) Balanced() bool {
	n := 0
	for _, x := range v.Counts {
		n += x
	}
	return n == v.Total
}

// Settled is how many are not waiting.
func (v View) Settled() int { return v.Total - v.Counts[Waiting] }

// List is a kind's campaigns, the newest first.
func (r *Room) List(ctx context.Context, op staff.Operator, k Kind) ([]View, error) {
	if err := reads(op, k); err != nil {
		return nil, err
	}
	list, err := r.d.Store.List(ctx, k, 200)
	if err != nil {
		return nil, err
	}
	out := make([]View, len(list))
	for n, c := range list {
		out[n].Campaign = c
		if out[n].Counts, err = r.d.Items.Counts(ctx, c.ID); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// shown is how many items of each odd end a page shows.
const shown = 50

// View is one campaign.
func (r *Room) View(ctx context.Context, op staff.Operator, id string) (View, error) {
	c, err := r.get(ctx, id)
	if err != nil {
		return View{}, err
	}
	if err := reads(op, c.Kind); err != nil {
		return View{}, err
	}
	v := View{Campaign: c}
	if v.Counts, err = r.d.Items.Counts(ctx, id); err != nil {
		return v, err
	}
	if v.Alone, err = r.alone(ctx, c); err != nil {
		return v, err
	}
	if c.State == Asked {
		if err := r.standing(ctx, &v); err != nil {
			return v, err
		}
	}
	for _, s := range []ItemState{Exception, Failed, Nothing} {
		page, err := r.d.Items.Page(ctx, id, s, "", shown)
		if err != nil {
			return v, err
		}
		v.Items = append(v.Items, page...)
	}
	return v, nil
}
