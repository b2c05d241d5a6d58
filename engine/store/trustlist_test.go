package store_test

import (
	"context"
	"testing"
	"time"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/issuer/trustlist"
)

// R9: every list is kept; one moves only from the state that was seen.
func TestTrustLists(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := db.TrustLists(), t.Context()
		now := time.Date(2026, 11, 26, 11, 0, 0, 0, time.UTC)
		in := func(f func(ctx context.Context) error) error { return db.Atomically(ctx, f) }
		row := trustlist.Row{
			ID: "a", List: "italia", Hash: "h1", Sequence: 7, Issued: now, NextUpdate: now.Add(time.Hour), State: trustlist.Waiting, Body: []byte("<x/>"),
			AskedBy: "carlo", At: now, DecidedAt: now,
		}
		closed := row
		closed.ID, closed.Hash, closed.Sequence, closed.NextUpdate = "b", "h2", 8, time.Time{}
		for _, r := range []trustlist.Row{row, closed} {
			if err := in(func(ctx context.Context) error { return s.Add(ctx, r) }); err != nil {
				t.Fatal(err)
			}
		}
		twice := row
		twice.ID = "c"
		if err := in(func(ctx context.Context) error { return s.Add(ctx, twice) }); err == nil {
			t.Error("one list is kept twice")
		}
		move := func(id string, was, to trustlist.State) (moved bool) {
			t.Helper()
			if err := in(func(ctx context.Context) (err error) {
				moved, err = s.Move(ctx, id, was, to, now.Add(time.Minute))
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return moved
		}
		if !move("a", trustlist.Waiting, trustlist.Current) || move("a", trustlist.Waiting, trustlist.Current) || !move("b", trustlist.Waiting, trustlist.Past) {
			t.Error("moves")
		}
		heads, err := s.Heads(ctx)
		if err != nil || len(heads) != 1 || heads[0].ID != "a" || heads[0].Sequence != 7 || !heads[0].Issued.Equal(now) || heads[0].State != trustlist.Current {
			t.Errorf("%+v, %v", heads, err)
		}
		if b, err := s.Body(ctx, "a"); err != nil || string(b) != "<x/>" {
			t.Errorf("%q, %v", b, err)
		}
		h, err := s.History(ctx, "italia", 10)
		if err != nil || len(h) != 2 || h[0].ID != "b" || !h[0].NextUpdate.IsZero() || !h[1].NextUpdate.Equal(row.NextUpdate) || h[1].AskedBy != "carlo" {
			t.Errorf("%+v, %v", h, err)
		}
	})
}
