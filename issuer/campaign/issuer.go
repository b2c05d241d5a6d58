package campaign

import (
	"context"
	"errors"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
)

// errEnough ends a choice that has as many cards as a campaign takes.
var errEnough = errors.New("campaign: enough")

// EndIssuer is a bulk revocation of what one authority certified, whose key is not
// safe: it runs at once, since approvedBy approved the authority's revocation, which
// says all of it. One campaign takes Bulk cards; the caller asks again, under another
// name, until none is left (CSE-633). The same name again is the same campaign, gone
// on with where it was; fresh tells that it was chosen now.
func (r *Room) EndIssuer(ctx context.Context, op staff.Operator, approvedBy, name, issuer string) (c Campaign, fresh bool, err error) {
	if err := acts(op, Revocation); err != nil {
		return c, false, err
	}
	if name, err = checkName(name); err != nil {
		return c, false, err
	}
	c, err = r.d.Store.ByName(ctx, Revocation, name)
	switch {
	case err == nil && c.State != Choosing:
		c, err = r.goOn(ctx, op, approvedBy, c)
		return c, false, err
	case err != nil && !errors.Is(err, ErrUnknown):
		return c, false, err
	}
	ch := r.chooser(Criteria{Issuer: issuer, Motive: IssuerKey})
	err = ch.each(ctx, living(), func(ctx context.Context, x lifecycle.Card) error {
		in, err := ch.within(ctx, x)
		if err != nil || !in {
			return err
		}
		if len(ch.items) == r.bulk() {
			return errEnough
		}
		return ch.recallable(ctx, x, IssuerKey)
	})
	if err != nil && !errors.Is(err, errEnough) {
		return c, false, err
	}
	c, err = r.write(ctx, entryOf(op), Campaign{Kind: Revocation, Name: name, Criteria: ch.c, Preview: ch.p}, ch.items)
	if err != nil {
		return c, false, err
	}
	c, err = r.goOn(ctx, op, approvedBy, c)
	return c, true, err
}

// living are the states of cards that can still be ended.
func living() []lifecycle.State {
	var out []lifecycle.State
	for _, s := range lifecycle.States() {
		if !s.Final() {
			out = append(out, s)
		}
	}
	return out
}

func (r *Room) bulk() int {
	if r.Bulk > 0 {
		return r.Bulk
	}
	return Most
}

// goOn lets a campaign run that was chosen and approved, or stopped.
func (r *Room) goOn(ctx context.Context, op staff.Operator, approvedBy string, c Campaign) (Campaign, error) {
	if c.State != Draft && c.State != Stopped {
		return c, nil // it runs, or is over
	}
	return c, r.d.Atomically(ctx, func(ctx context.Context) error {
		now, err := r.d.Store.Get(ctx, c.ID)
		if err != nil {
			return err
		}
		if now.State != c.State {
			return words.Refuse("CSE-635")
		}
		now.State, now.ApprovedBy = Running, approvedBy
		if now.StartedAt.IsZero() {
			now.StartedAt = r.d.Clock.Now().UTC()
		}
		if c, err = r.d.Store.Put(ctx, now); err != nil {
			return err
		}
		return r.note(ctx, journal.Entry{Actor: op.Account, Office: op.Office.ID}, "campaign.started", c, map[string]string{
			"asked": op.Account, "approved": approvedBy,
		})
	})
}
