package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"cse.example/cse/engine/queue/internal/queuedb"
	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/redact"
)

// batch is how many rows one look at the table brings.
const batch = 32

// Run performs the effects of the kinds in handlers until ctx ends, one worker
// per kind, so that a mail server that is away keeps no form from the printer.
// Several processes may run over one table, each with its own kinds or the
// same. On the end of ctx no new effect is begun; those under way are finished
// (their own time limit is the lease). Failures
// of the store are told to report, which may be nil; the error is ctx's cause.
func (q *Queue) Run(ctx context.Context, handlers map[string]effect.Handler, report func(error)) error {
	if report == nil {
		report = func(error) {}
	}
	var all sync.WaitGroup
	for kind, h := range handlers {
		all.Go(func() { q.work(ctx, kind, h, report) })
	}
	<-ctx.Done()
	all.Wait()
	return context.Cause(ctx)
}

func (q *Queue) work(ctx context.Context, kind string, h effect.Handler, report func(error)) {
	tick := time.NewTimer(0)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := q.pass(ctx, kind, h); err != nil && ctx.Err() == nil {
			report(err)
		}
		tick.Reset(q.poll)
	}
}

// RunOnce performs what is due now, of the kinds in handlers, and tells how
// many attempts it made. It does not wait for effects that are not due.
func (q *Queue) RunOnce(ctx context.Context, handlers map[string]effect.Handler) (int, error) {
	n := 0
	var errs []error
	for kind, h := range handlers {
		done, err := q.pass(ctx, kind, h)
		n += done
		errs = append(errs, err)
	}
	return n, errors.Join(errs...)
}

// pass settles lost leases of one kind, then performs everything due.
func (q *Queue) pass(ctx context.Context, kind string, h effect.Handler) (int, error) {
	if err := q.sweep(ctx, kind); err != nil {
		return 0, err
	}
	n := 0
	for {
		rows, err := q.db(ctx).Due(ctx, queuedb.DueParams{Kind: kind, Now: q.now(), N: batch})
		if err != nil {
			return n, fmt.Errorf("queue: look for %s: %w", kind, err)
		}
		for _, row := range rows {
			if ctx.Err() != nil {
				return n, nil
			}
			mine, err := q.lease(ctx, row)
			if err != nil {
				return n, err
			}
			if !mine {
				continue // another worker was quicker
			}
			n++
			if _, err := q.perform(ctx, row, h, q.policy(kind).Backoff); err != nil {
				return n, err
			}
		}
		if len(rows) < batch {
			return n, nil
		}
	}
}

// lease takes row for the next attempt, unless its state has moved on.
func (q *Queue) lease(ctx context.Context, row queuedb.Effect) (bool, error) {
	var n int64
	err := q.atomically(ctx, func(ctx context.Context) error {
		var err error
		n, err = q.db(ctx).Lease(ctx, queuedb.LeaseParams{
			Key: row.Key, Attempts: row.Attempts,
			LeaseUntil: q.clock.Now().Add(q.policy(row.Kind).Lease).UnixMicro(),
		})
		return err
	})
	if err != nil {
		return false, fmt.Errorf("queue: lease %s: %w", row.Key, err)
	}
	return n == 1, nil
}

// errLost is the outcome of an attempt that ended without an answer.
var errLost = errors.New("the attempt ended without an answer")

// perform calls the handler on a leased row and writes the outcome down. It
// returns the handler's own error apart from the store's.
func (q *Queue) perform(ctx context.Context, row queuedb.Effect, h effect.Handler, backoff func(int) time.Duration) (outcome, err error) {
	row.Attempts++ // the lease counted this attempt
	body, outcome := q.open(row)
	// The end of ctx must not cut an effect in half: the lease is its limit.
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), q.policy(row.Kind).Lease)
	defer cancel()
	if outcome == nil {
		outcome = call(work, h, effect.Effect{Key: row.Key, Kind: row.Kind, Card: row.Card, Body: body}, int(row.Attempts))
	}
	clear(body)
	// Writing the outcome down has its own time: the lease may be used up.
	write, cancelWrite := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancelWrite()
	return outcome, q.settle(write, row, outcome, backoff)
}

func (q *Queue) open(row queuedb.Effect) ([]byte, error) {
	body, err := q.seal.Decrypt(row.Body, bound(row.Key, row.Kind))
	if err != nil {
		return nil, fmt.Errorf("%w: the body does not open: %w", effect.ErrPermanent, err)
	}
	return body, nil
}

// call turns a panic into errLost: nobody knows how far the handler came.
func call(ctx context.Context, h effect.Handler, e effect.Effect, attempt int) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: the handler panicked: %v", errLost, p)
		}
	}()
	return h(ctx, e, attempt)
}

// settle writes the outcome of an attempt, if the lease is still this attempt's.
func (q *Queue) settle(ctx context.Context, row queuedb.Effect, outcome error, backoff func(int) time.Duration) error {
	return q.atomically(ctx, func(ctx context.Context) error {
		err := q.write(ctx, row, Leased, outcome, backoff)
		if err != nil {
			return fmt.Errorf("queue: write the outcome of %s: %w", row.Key, err)
		}
		return nil
	})
}

func (q *Queue) write(ctx context.Context, row queuedb.Effect, was string, outcome error, backoff func(int) time.Duration) error {
	p, now := q.policy(row.Kind), q.now()
	if outcome == nil {
		return q.finish(ctx, row, was, p.Held, now)
	}
	set := queuedb.SettleParams{Key: row.Key, Was: was, Attempts: row.Attempts, NextAt: row.NextAt, EndedAt: now, LastError: redact.Short(outcome.Error(), 500)}
	switch {
	case errors.Is(outcome, effect.ErrPermanent):
		set.State = Failed
	case errors.Is(outcome, effect.ErrUncertain), errors.Is(outcome, errLost) && p.Lost == Uncertain:
		set.State = Uncertain
	case p.Attempts > 0 && row.Attempts >= int64(p.Attempts):
		set.State = Failed
	default:
		set.State, set.EndedAt = Pending, 0
		set.NextAt = q.clock.Now().Add(backoff(int(row.Attempts))).UnixMicro()
	}
	_, err := q.db(ctx).Settle(ctx, set)
	return err
}

func (q *Queue) finish(ctx context.Context, row queuedb.Effect, was string, held bool, now int64) error {
	var err error
	if held {
		_, err = q.db(ctx).FinishHeld(ctx, queuedb.FinishHeldParams{Key: row.Key, Was: was, Attempts: row.Attempts, EndedAt: now})
	} else {
		_, err = q.db(ctx).Finish(ctx, queuedb.FinishParams{Key: row.Key, Was: was, Attempts: row.Attempts, EndedAt: now})
	}
	return err
}

// sweep settles leases of kind that ran out, and sends uncertain effects again
// where the policy says so.
func (q *Queue) sweep(ctx context.Context, kind string) error {
	p := q.policy(kind)
	lost, err := q.db(ctx).Lost(ctx, queuedb.LostParams{Kind: kind, Now: q.now(), N: batch})
	if err != nil {
		return fmt.Errorf("queue: look for lost leases: %w", err)
	}
	for _, row := range lost {
		if err := q.settle(ctx, row, errLost, q.policy(kind).Backoff); err != nil {
			return err
		}
	}
	if p.Resend <= 0 {
		return nil
	}
	ripe, err := q.db(ctx).Ripe(ctx, queuedb.RipeParams{Kind: kind, Before: q.clock.Now().Add(-p.Resend).UnixMicro(), N: batch})
	if err != nil {
		return fmt.Errorf("queue: look for uncertain effects: %w", err)
	}
	for _, row := range ripe {
		if err := q.again(ctx, row); err != nil {
			return err
		}
	}
	return nil
}

// again makes an uncertain or failed effect pending, due now.
func (q *Queue) again(ctx context.Context, row queuedb.Effect) error {
	return q.atomically(ctx, func(ctx context.Context) error {
		_, err := q.db(ctx).Settle(ctx, queuedb.SettleParams{
			Key: row.Key, Was: row.State, Attempts: row.Attempts,
			State: Pending, NextAt: q.now(), LastError: row.LastError,
		})
		if err != nil {
			return fmt.Errorf("queue: send %s again: %w", row.Key, err)
		}
		return nil
	})
}

// Do performs the pending effect key now, with h, whatever its kind's worker
// does: the operator pressed "print" and waits for the page. The handler's
// error is returned as it is and written down as Run would, except that a
// passing failure leaves the effect due at once. A *StateError tells that the
// effect is not pending (done: it was printed already); ErrUnknown, that there
// is none. It must not be called inside an act.
func (q *Queue) Do(ctx context.Context, key string, h effect.Handler) error {
	row, err := q.get(ctx, key)
	if err != nil {
		return err
	}
	if row.State == Leased && row.LeaseUntil <= q.now() {
		if err := q.settle(ctx, row, errLost, atOnce); err != nil {
			return err
		}
		if row, err = q.get(ctx, key); err != nil {
			return err
		}
	}
	if row.State != Pending {
		return &StateError{Key: key, State: row.State}
	}
	mine, err := q.lease(ctx, row)
	if err != nil {
		return err
	}
	if !mine {
		return &StateError{Key: key, State: Leased}
	}
	outcome, err := q.perform(ctx, row, h, atOnce)
	return errors.Join(outcome, err)
}

func atOnce(int) time.Duration { return 0 }

// Reclaim declares every lease of these kinds (of all, when none is named) lost,
// run out or not, and tells how many there were. Only a process that knows to be
// alone in performing them (it holds the lock of its role) may call it, when it
// starts, so that what a crash left does not wait for its lease.
func (q *Queue) Reclaim(ctx context.Context, kinds ...string) (int, error) {
	rows, err := q.db(ctx).Leased(ctx)
	if err != nil {
		return 0, fmt.Errorf("queue: look for leases: %w", err)
	}
	n := 0
	for _, row := range rows {
		if len(kinds) > 0 && !slices.Contains(kinds, row.Kind) {
			continue
		}
		if err := q.settle(ctx, row, errLost, atOnce); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
