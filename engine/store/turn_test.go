package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cse.example/cse/engine/store/internal/scratch"
)

// Acts of one process take turns: each runs once, however many press at the same
// instant on a row that all of them write (the head of the audit chain).
func TestActsTakeTurns(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		const crowd = 40
		if err := db.Atomically(t.Context(), func(ctx context.Context) error { return putMeta(ctx, db, "test.n", "0") }); err != nil {
			t.Fatal(err)
		}
		var runs atomic.Int64
		var all sync.WaitGroup
		for range crowd {
			all.Go(func() {
				err := db.Atomically(t.Context(), func(ctx context.Context) error {
					runs.Add(1)
					return increment(ctx, db)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got := metaCounter(t, db); got != crowd || runs.Load() != crowd {
			t.Errorf("%d acts ran %d times and %d were kept", crowd, runs.Load(), got)
		}
	})
}

// Who waits for his turn and goes away does nothing, and holds nobody up.
func TestWhoWaitsMayGo(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		inside, out := make(chan struct{}), make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			err := db.Atomically(t.Context(), func(context.Context) error {
				close(inside)
				<-out
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-inside
		ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer stop()
		err := db.Atomically(ctx, func(context.Context) error {
			t.Error("two acts at once")
			return nil
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who went away: %v", err)
		}
		close(out)
		all.Wait()
		if err := db.Atomically(t.Context(), func(context.Context) error { return nil }); err != nil {
			t.Error(err)
		}
	})
}

// Two processes over one store: what they write at once is put in order by the
// database, and no update is lost.
func TestTwoProcesses(t *testing.T) {
	scratch.Each(t, func(t *testing.T, dsn string) {
		const each = 20
		var two []*DB
		for range 2 {
			db, err := Open(t.Context(), dsn)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
			two = append(two, db)
		}
		if err := two[0].Atomically(t.Context(), func(ctx context.Context) error { return putMeta(ctx, two[0], "test.n", "0") }); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for _, db := range two {
			all.Go(func() {
				for range each {
					if err := db.Atomically(t.Context(), func(ctx context.Context) error { return increment(ctx, db) }); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if got := metaCounter(t, two[0]); got != 2*each {
			t.Errorf("%d increments were kept, want %d", got, 2*each)
		}
	})
}
