package store

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"cse.example/cse/ground/lane"
)

// turn is held by the act that is running (docs/decisions/0694). People wait in
// the order in which they came, and before batches (ground/lane): an act that
// somebody waits for is held up by the one that runs, and by no other of a batch.
type turn struct {
	mu              sync.Mutex
	busy            bool
	people, batches []chan struct{}
	// passed is how many people went before the batch that waits first.
	passed int
}

// take waits for the turn. Who goes away meanwhile leaves nothing behind.
func (t *turn) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("store: wait for a turn: %w", err)
	}
	t.mu.Lock()
	if !t.busy {
		t.busy = true
		t.mu.Unlock()
		return nil
	}
	queue, mine := &t.people, make(chan struct{})
	if lane.IsBatch(ctx) {
		queue = &t.batches
	}
	*queue = append(*queue, mine)
	t.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	i := slices.Index(*queue, mine)
	if i >= 0 {
		*queue = slices.Delete(*queue, i, i+1)
	}
	t.mu.Unlock()
	if i < 0 {
		t.give() // it had just become ours
	}
	return fmt.Errorf("store: wait for a turn: %w", ctx.Err())
}

// give hands the turn on.
func (t *turn) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	var queue *[]chan struct{}
	switch {
	case len(t.people) > 0 && (len(t.batches) == 0 || t.passed < lane.Fair):
		queue = &t.people
		if len(t.batches) > 0 {
			t.passed++
		}
	case len(t.batches) > 0:
		queue, t.passed = &t.batches, 0
	default:
		t.busy = false
		return
	}
	next := (*queue)[0]
	*queue = slices.Delete(*queue, 0, 1)
	close(next)
}
