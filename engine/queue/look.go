package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/engine/queue/internal/queuedb"
	"cse.example/cse/ground/effect"
)

// Item is one effect as operators see it: never its body.
type Item struct {
	Key, Kind, Card, State string
	// Held: done, and the body waits for Release.
	Held     bool
	Attempts int
	// Created, Next (attempt), LeaseUntil and Ended are UTC; zero when they do not apply.
	Created, Next, LeaseUntil, Ended time.Time
	// LastError is the last attempt's error, without addresses or codici fiscali.
	LastError string
}

// Filter selects effects; empty fields select all.
type Filter struct {
	State, Kind, Card string
	// After is the last key of the page before.
	After string
	// Limit is the size of a page; 0 means 100.
	Limit int
}

// List shows effects by key.
func (q *Queue) List(ctx context.Context, f Filter) ([]Item, error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	rows, err := q.db(ctx).List(ctx, queuedb.ListParams{State: f.State, Kind: f.Kind, Card: f.Card, After: f.After, N: int32(min(f.Limit, 10_000))})
	if err != nil {
		return nil, fmt.Errorf("queue: list: %w", err)
	}
	items := make([]Item, 0, len(rows))
	for _, r := range rows {
		items = append(items, item(r))
	}
	return items, nil
}

// Get shows one effect, or ErrUnknown.
func (q *Queue) Get(ctx context.Context, key string) (Item, error) {
	r, err := q.get(ctx, key)
	if err != nil {
		return Item{}, err
	}
	return item(queuedb.ListRow{
		Key: r.Key, Kind: r.Kind, Card: r.Card, State: r.State, Held: r.Held, Attempts: r.Attempts,
		CreatedAt: r.CreatedAt, NextAt: r.NextAt, LeaseUntil: r.LeaseUntil, EndedAt: r.EndedAt, LastError: r.LastError,
	}), nil
}

func item(r queuedb.ListRow) Item {
	return Item{
		Key: r.Key, Kind: r.Kind, Card: r.Card, State: r.State, Held: r.Held == 1, Attempts: int(r.Attempts),
		Created: instant(r.CreatedAt), Next: instant(r.NextAt), LeaseUntil: instant(r.LeaseUntil), Ended: instant(r.EndedAt),
		LastError: r.LastError,
	}
}

func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// Count is how many effects of a kind are in a state.
type Count struct {
	Kind, State string
	N           int
}

// Counts tells how many effects there are, by kind and state.
func (q *Queue) Counts(ctx context.Context) ([]Count, error) {
	rows, err := q.db(ctx).Counts(ctx)
	if err != nil {
		return nil, fmt.Errorf("queue: count: %w", err)
	}
	var out []Count
	for _, r := range rows {
		out = append(out, Count{Kind: r.Kind, State: r.State, N: int(r.N)})
	}
	return out, nil
}

// Resolution is a person's word on an effect that waits for one.
type Resolution int

// The two resolutions.
const (
	// Resend makes the effect pending again, under the same key.
	Resend Resolution = iota + 1
	// TakenAsDone closes it as done and destroys its body (a held kind keeps it).
	TakenAsDone
)

// Resolve settles an uncertain or failed effect. It joins the act that ctx
// carries. A *StateError tells that the effect is in another state.
func (q *Queue) Resolve(ctx context.Context, key string, how Resolution) error {
	if how != Resend && how != TakenAsDone {
		return errors.New("queue: no such resolution")
	}
	return q.atomically(ctx, func(ctx context.Context) error {
		row, err := q.get(ctx, key)
		if err != nil {
			return err
		}
		if row.State != Uncertain && row.State != Failed {
			return &StateError{Key: key, State: row.State}
		}
		if how == Resend {
			return q.again(ctx, row)
		}
		if err := q.finish(ctx, row, row.State, q.policy(row.Kind).Held, q.now()); err != nil {
			return fmt.Errorf("queue: resolve %s: %w", key, err)
		}
		return nil
	})
}

// Open hands out an effect with its body, for a held kind that must be performed
// again (the printer jammed before the paper was handed over). A *StateError
// tells that the body is destroyed.
func (q *Queue) Open(ctx context.Context, key string) (effect.Effect, error) {
	row, err := q.get(ctx, key)
	if err != nil {
		return effect.Effect{}, err
	}
	if row.Body == nil {
		return effect.Effect{}, &StateError{Key: key, State: row.State}
	}
	body, err := q.open(row)
	if err != nil {
		return effect.Effect{}, fmt.Errorf("queue: open %s: %w", key, err)
	}
	return effect.Effect{Key: row.Key, Kind: row.Kind, Card: row.Card, Body: body}, nil
}

// Check reads the whole table and names what should not be, one line each:
// bodies that should have been destroyed, bodies missing or that do not open,
// unknown states, leases that ran out. It is part of `csed fsck`; no line means sound.
func (q *Queue) Check(ctx context.Context) ([]string, error) {
	var bad []string
	for after := ""; ; {
		rows, err := q.db(ctx).Page(ctx, queuedb.PageParams{After: after, N: 500})
		if err != nil {
			return bad, fmt.Errorf("queue: check: %w", err)
		}
		if len(rows) == 0 {
			return bad, nil
		}
		for _, row := range rows {
			if fault := q.fault(row); fault != "" {
				bad = append(bad, fmt.Sprintf("effect %s (%s, %s): %s", row.Key, row.Kind, row.State, fault))
			}
		}
		after = rows[len(rows)-1].Key
	}
}

func (q *Queue) fault(row queuedb.Effect) string {
	kept := row.Held == 1
	switch row.State {
	case Pending, Failed, Uncertain:
		kept = true
	case Leased:
		kept = true
		if row.LeaseUntil <= q.now() {
			return "its lease ran out and nobody took it up"
		}
	case Done, Dropped, Bounced:
	default:
		return "unknown state"
	}
	switch {
	case !kept && row.Body != nil:
		return "its body should have been destroyed"
	case kept && row.Body == nil:
		return "its body is missing"
	case kept:
		if _, err := q.open(row); err != nil {
			return "its body does not open"
		}
	}
	return ""
}
