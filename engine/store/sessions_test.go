package store

import (
	"bytes"
	"context"
	"testing"
	"time"
)

func TestSessions(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		ctx, s := t.Context(), db.Sessions()
		key, body := []byte("\x00key"), []byte("sealed\xff")
		began := time.Date(2026, 11, 23, 8, 0, 0, 1000, time.UTC)
		act := func(f func(ctx context.Context) error) {
			t.Helper()
			if err := db.Atomically(ctx, f); err != nil {
				t.Fatal(err)
			}
		}
		read := func() ([]byte, time.Time, time.Time) {
			t.Helper()
			b, x, y, err := s.GetSession(ctx, key)
			if err != nil {
				t.Fatal(err)
			}
			return b, x, y
		}

		if b, _, _ := read(); b != nil {
			t.Errorf("before: got %q, want none", b)
		}
		act(func(ctx context.Context) error { return s.PutSession(ctx, key, body, began, began) })
		if err := db.Atomically(ctx, func(ctx context.Context) error { return s.PutSession(ctx, key, body, began, began) }); err == nil {
			t.Error("the same key was accepted twice")
		}
		seen := began.Add(time.Minute)
		act(func(ctx context.Context) error { return s.TouchSession(ctx, key, seen) })
		if b, x, y := read(); !bytes.Equal(b, body) || !x.Equal(began) || !y.Equal(seen) {
			t.Errorf("got %q %v %v, want %q %v %v", b, x, y, body, began, seen)
		}
		var n int64
		act(func(ctx context.Context) (err error) { n, err = s.DeleteSessionsBefore(ctx, began); return err })
		if n != 0 {
			t.Errorf("deleted %d sessions that began at the limit, want 0", n)
		}
		act(func(ctx context.Context) (err error) {
			n, err = s.DeleteSessionsBefore(ctx, began.Add(time.Second))
			return err
		})
		if b, _, _ := read(); n != 1 || b != nil {
			t.Errorf("deleted %d, body %q; want 1 and none", n, b)
		}
		act(func(ctx context.Context) error { return s.DeleteSession(ctx, key) }) // not there: no error
	})
}

// A form that hit a lock: one for a session, gone when its time is over.
func TestHeld(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		ctx, s := t.Context(), db.Held()
		key, now := []byte("\x00key"), time.Date(2026, 11, 23, 8, 0, 0, 1000, time.UTC)
		until := now.Add(time.Minute)
		act := func(f func(ctx context.Context) error) {
			t.Helper()
			if err := db.Atomically(ctx, f); err != nil {
				t.Fatal(err)
			}
		}
		want := func(at time.Time, body string) {
			t.Helper()
			if b, err := s.GetHeld(ctx, key, at); err != nil || string(b) != body {
				t.Errorf("at %v: %q, %v; want %q", at, b, err, body)
			}
		}
		want(now, "")
		act(func(ctx context.Context) error { return s.PutHeld(ctx, key, []byte("one"), until) })
		act(func(ctx context.Context) error { return s.PutHeld(ctx, key, []byte("two\xff"), until) })
		want(now, "two\xff")
		want(until, "")
		var n int64
		prune := func(at time.Time) {
			t.Helper()
			act(func(ctx context.Context) (err error) { n, err = s.PruneHeld(ctx, at); return err })
		}
		if prune(now); n != 0 {
			t.Errorf("%d went before their time", n)
		}
		there := false
		remove := func() {
			t.Helper()
			act(func(ctx context.Context) (err error) { there, err = s.DeleteHeld(ctx, key); return err })
		}
		if remove(); !there {
			t.Error("it was not there")
		}
		if remove(); there {
			t.Error("it was there twice")
		}
		act(func(ctx context.Context) error { return s.PutHeld(ctx, key, []byte("three"), until) })
		if prune(until); n != 1 {
			t.Errorf("%d went at their time", n)
		}
	})
}
