package store

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"cse.example/cse/ground/lane"
)

// Who waits for an act of his own waits for the one that runs, and for none of the
// batches that came before him; and a batch has its turn when Fair people went.
func TestPeopleGoBeforeBatches(t *testing.T) {
	db := sqliteOnly(t)
	var mu sync.Mutex
	var order []string
	var all sync.WaitGroup
	act := func(ctx context.Context, name string, waiting int) {
		all.Go(func() {
			err := db.Atomically(ctx, func(context.Context) error {
				mu.Lock()
				defer mu.Unlock()
				order = append(order, name)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		waitFor(t, func() bool {
			db.turn.mu.Lock()
			defer db.turn.mu.Unlock()
			return len(db.turn.people)+len(db.turn.batches) == waiting
		})
	}
	inside, out := make(chan struct{}), make(chan struct{})
	all.Go(func() {
		if err := db.Atomically(lane.Batch(t.Context()), func(context.Context) error {
			close(inside)
			<-out
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	<-inside
	for n := range 3 {
		act(lane.Batch(t.Context()), "batch", n+1)
	}
	for n := range lane.Fair + 2 {
		act(t.Context(), "person", n+4)
	}
	close(out)
	all.Wait()
	want := append(slices.Repeat([]string{"person"}, lane.Fair), "batch", "person", "person", "batch", "batch")
	if !slices.Equal(order, want) {
		t.Errorf("the order was %v", order)
	}
}

// A turn that comes just as its owner goes away is handed on.
func TestATurnIsNeverLost(t *testing.T) {
	var held turn
	if err := held.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		ctx, stop := context.WithCancel(t.Context())
		got := make(chan error)
		go func() { got <- held.take(ctx) }()
		waitFor(t, func() bool {
			held.mu.Lock()
			defer held.mu.Unlock()
			return len(held.people) == 1
		})
		go stop()
		held.give()
		if err := <-got; err != nil {
			if err := held.take(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func waitFor(t *testing.T, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !f(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}
