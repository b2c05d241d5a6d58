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
