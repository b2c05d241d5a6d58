package store

import (
	"context"
	"testing"
	"time"

	"cse.example/cse/login/handover"
	"cse.example/cse/login/logintest"
	"cse.example/cse/login/provider"
)

func TestLoginRecords(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) { logintest.Suite(t, db.Login(), db.Atomically) })
}

// Two hundred codes, each redeemed by four at once: one token each.
func TestLoginRedemptions(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		w := logintest.New(t, logintest.Options{Records: db.Login(), Atomically: db.Atomically})
		logintest.Redemptions(t, w, 200, 4)
	})
}

func TestLoginSweep(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		s, now := db.Login(), time.Now()
		put := func(name string, at time.Time) {
			err := db.Atomically(t.Context(), func(ctx context.Context) error {
				if err := s.SaveFlow(ctx, handover.Flow{Hash: name, Expires: at}); err != nil {
					return err
				}
				return s.PutGrant(ctx, provider.GrantRow{ID: name, Body: []byte("x"), Expires: at})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		put("old", now.Add(-time.Minute))
		put("new", now.Add(time.Minute))
		if err := db.Atomically(t.Context(), func(ctx context.Context) error { return s.Sweep(ctx, now) }); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Flow(t.Context(), "old"); err != handover.ErrUnknown {
			t.Errorf("an expired flow: %v", err)
		}
		if _, err := s.Grant(t.Context(), "old"); err != provider.ErrUnknown {
			t.Errorf("an expired grant: %v", err)
		}
		if _, err := s.Grant(t.Context(), "new"); err != nil {
			t.Errorf("a grant still good: %v", err)
		}
	})
}
