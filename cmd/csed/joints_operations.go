package main

import (
	"context"
	"errors"

	"cse.example/cse/engine/audit"
	"cse.example/cse/engine/queue"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/operations"
	"cse.example/cse/issuer/production"
)

// The joints of the operations room.

func (p *Platform) operations() (*operations.Room, error) {
	return operations.New(operations.Deps{
		Cards: p.db.Cards(), Person: p.db.People().Get, Batches: p.db.Batches(), Counts: p.db.Numbers(), Exceptions: p.db.Orders().Exceptions,
		Queue: effects{p.queue}, Trail: trail{p.trail}, Lists: p.lists, Post: p.postBatch,
		Machine: machine{p}, Issuers: issuers{p}, Declarations: p.declarationCounts,
		Atomically: p.db.Atomically, Record: p.trail.Record, Clock: p.Clock,
	})
}

// effects shows the queue to operations.
type effects struct{ q *queue.Queue }

func (e effects) Counts(ctx context.Context) ([]operations.EffectCount, error) {
	counts, err := e.q.Counts(ctx)
	out := make([]operations.EffectCount, len(counts))
	for i, c := range counts {
		out[i] = operations.EffectCount(c)
	}
	return out, err
}

func (e effects) List(ctx context.Context, f operations.EffectFilter, limit int) ([]operations.Effect, error) {
	items, err := e.q.List(ctx, queue.Filter{State: f.State, Kind: f.Kind, After: f.After, Limit: limit})
	out := make([]operations.Effect, len(items))
	for i, x := range items {
		out[i] = effectOf(x)
	}
	return out, err
}

func (e effects) Get(ctx context.Context, key string) (operations.Effect, error) {
	x, err := e.q.Get(ctx, key)
	if errors.Is(err, queue.ErrUnknown) {
		err = errors.Join(operations.ErrNoEffect, err)
	}
	return effectOf(x), err
}

func (e effects) Retry(ctx context.Context, key string) error {
	err := e.q.Resolve(ctx, key, queue.Resend)
	var state *queue.StateError
	if errors.As(err, &state) {
		err = errors.Join(operations.ErrSettled, err)
	}
	return err
}

func (e effects) Drop(ctx context.Context, key string) error { return e.q.Drop(ctx, key) }

func effectOf(x queue.Item) operations.Effect {
	return operations.Effect{
		Key: x.Key, Kind: x.Kind, Card: x.Card, State: x.State, Attempts: x.Attempts,
		Created: x.Created, Next: x.Next, Ended: x.Ended, LastError: x.LastError,
	}
}

// trail shows the audit trail to operations.
type trail struct{ t *audit.Trail }

func (t trail) Search(ctx context.Context, w operations.Wanted) ([]operations.Entry, error) {
	recs, err := t.t.Search(ctx, audit.Search{
		Person: string(w.Person), Card: w.Card, Actor: w.Actor, Office: w.Office, Act: w.Act,
		Since: w.Since, Until: w.Until, Before: w.Before, Limit: w.Limit,
	})
	out := make([]operations.Entry, len(recs))
	for i, r := range recs {
		out[i] = operations.Entry{Index: r.Index, At: r.At, Act: r.Act, Actor: r.Actor, Office: r.Office, Card: r.Card, Person: r.Person, Detail: r.Detail}
	}
	return out, err
}

func (t trail) Verify(ctx context.Context) (int64, string, error) {
	head, err := t.t.Verify(ctx)
	var broken *audit.Broken
	if errors.As(err, &broken) {
		err = &operations.Broken{Index: broken.Index, Why: broken.Why}
	}
	return head.Index, head.Hash, err
}

// postBatch is the plant's, while nobody else has it (CSE-551).
func (p *Platform) postBatch(ctx context.Context, batch string, delivered bool) (int, error) {
	lock, err := p.Config.hold(dutyProduction)
	if errors.Is(err, words.Refuse("CSE-386")) {
		return 0, words.Refuse("CSE-551").Because(err)
	}
	if err != nil {
		return 0, err
	}
	defer lock.Close()
	plant, err := p.factory(ctx)
	if err != nil {
		return 0, err
	}
	step := (*production.Plant).Ship
	if delivered {
		step = (*production.Plant).Deliver
	}
	return step(plant, ctx, batch)
}
