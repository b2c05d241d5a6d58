package ca_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/lane"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
)

// R108: in the middle of a batch, who waits for a certificate or an extension of
// his own waits for one slice of the batch at most, at each of his acts; counted,
// not timed.
func TestR108_NobodyWaitsBehindABatch(t *testing.T) {
	db := storetest.SQLite(t)
	var slices, worst atomic.Int64 // acts of the batch that began; most between somebody's asking and his turn
	mine := &turns{Store: db, began: &slices, worst: &worst}
	a := catest.New(t, mine, db.PKI())
	old, err := a.Issue(t.Context(), catest.Request(t, 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Activate(t.Context(), ca.SerialOf(old)); err != nil {
		t.Fatal(err)
	}
	a.Hand.Advance(30 * 24 * time.Hour)
	const n = 640
	qs := make([]ca.Request, n)
	for i := range qs {
		qs[i] = catest.Request(t, i+1)
	}
	done := make(chan []ca.Result)
	go func() { done <- a.IssueBatch(t.Context(), qs) }()
	served := 0
	for {
		select {
		case results := <-done:
			for i, r := range results {
				if r.Err != nil {
					t.Fatalf("request %d of the batch: %v", i, r.Err)
				}
			}
			if served < 3 || slices.Load() < n/128 {
				t.Errorf("%d were served beside %d acts of the batch: nothing was shown", served, slices.Load())
			}
			if worst.Load() > 1 {
				t.Errorf("somebody waited for %d slices of the batch", worst.Load())
			}
			return
		default:
		}
		if slices.Load() == 0 {
			continue // the batch has not begun
		}
		if served == 1 {
			_, err = a.Extend(t.Context(), ca.Extension{Serial: ca.SerialOf(old), Until: catest.Request(t, 0).Expires.AddDays(20), Room: 2048})
		} else {
			_, err = a.Issue(t.Context(), catest.Request(t, n+10+served))
		}
		if err != nil {
			t.Fatal(err)
		}
		served++
	}
}

// turns counts the batch's acts between the asking for an act and its beginning.
type turns struct {
	catest.Store
	began, worst *atomic.Int64
}

func (s *turns) Atomically(ctx context.Context, act func(ctx context.Context) error) error {
	if lane.IsBatch(ctx) {
		return s.Store.Atomically(ctx, func(ctx context.Context) error {
			s.began.Add(1)
			return act(ctx)
		})
	}
	asked := s.began.Load()
	return s.Store.Atomically(ctx, func(ctx context.Context) error {
		if n := s.began.Load() - asked; n > s.worst.Load() {
			s.worst.Store(n)
		}
		return act(ctx)
	})
}
