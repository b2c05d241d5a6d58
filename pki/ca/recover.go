package ca

import (
	"context"
	"errors"
	"fmt"

	"cse.example/cse/ground/lane"
	"cse.example/cse/ground/words"
)

// Recovered is what Recover did.
type Recovered struct {
	// Finished were signed and stored; Voided were given up.
	Finished, Voided int
}

// Recover settles what a kill left between the two acts. The octets stored in
// the first act are signed and stored; if they may not be signed any more (the
// authority changed, the certificate would be expired, the lints refuse it) the
// number is voided, with a journal entry. Run it at start, before issuing.
func (a *Authority) Recover(ctx context.Context) (Recovered, error) {
	var sum Recovered
	for after := ""; ; {
		page, err := a.Store.Unfinished(ctx, after, actSize)
		if err != nil {
			return sum, fmt.Errorf("ca: recover: %w", err)
		}
		if len(page) == 0 {
			return sum, nil
		}
		after = page[len(page)-1].Serial
		got, err := a.settle(ctx, page)
		sum.Finished += got.Finished
		sum.Voided += got.Voided
		if err != nil {
			return sum, fmt.Errorf("ca: recover: %w", err)
		}
	}
}

func (a *Authority) settle(ctx context.Context, page []Record) (Recovered, error) {
	ctx = lane.Batch(ctx) // nobody waits for it
	now := a.Clock.Now()
	if err := a.awake(ctx, now); err != nil {
		return Recovered{}, err
	}
	jobs := make([]job, 0, len(page))
	var dead []Record
	for _, r := range page {
		if r.Issuer != a.id || !r.NotAfter.After(now) {
			dead = append(dead, r)
			continue
		}
		jobs = append(jobs, job{record: r})
	}
	a.complete(ctx, jobs)
	var done Recovered
	var failed error
	for _, j := range jobs {
		switch {
		case j.err == nil:
			done.Finished++
		case errors.Is(j.err, words.Refuse("CSE-196")):
			dead = append(dead, j.record)
		default:
			failed = errors.Join(failed, j.err)
		}
	}
	n, err := a.void(ctx, dead)
	done.Voided = n
	return done, errors.Join(failed, err)
}

func (a *Authority) void(ctx context.Context, dead []Record) (int, error) {
	return a.ledger().void(ctx, dead)
}

func (l ledger) void(ctx context.Context, dead []Record) (int, error) {
	if len(dead) == 0 {
		return 0, nil
	}
	err := l.atomically(ctx, func(ctx context.Context) error {
		for _, r := range dead {
			r.State, r.DER, r.ChangedAt = Void, nil, l.clock.Now()
			if err := l.store.Put(ctx, r); err != nil {
				return err
			}
			if err := l.note(ctx, "certificate.voided", r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return len(dead), nil
}
