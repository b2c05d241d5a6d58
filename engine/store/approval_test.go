package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/parameters"
)

func TestApprovals(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := db.Approvals(), t.Context()
		now := time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)
		q := approval.Request{
			ID: "a", Kind: "rules.change", Subject: "reprints", Content: []byte("x"), Note: "delibera", State: approval.Open, AskedBy: "carlo", Office: "asl",
			AskedAt: now, Expires: now.Add(time.Hour),
		}
		move := func(was approval.State) bool {
			var moved bool
			err := db.Atomically(ctx, func(ctx context.Context) (err error) {
				moved, err = s.Move(ctx, q, was)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return moved
		}
		if err := db.Atomically(ctx, func(ctx context.Context) error { return s.Add(ctx, q) }); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(ctx, "a"); err != nil || got.Sum() != q.Sum() || !got.Expires.Equal(q.Expires) || !got.DecidedAt.IsZero() {
			t.Errorf("%+v, %v", got, err)
		}
		if list, err := s.Waiting(ctx, now, 10); err != nil || len(list) != 1 {
			t.Errorf("%d wait, %v", len(list), err)
		}
		if list, err := s.Waiting(ctx, q.Expires, 10); err != nil || len(list) != 0 {
			t.Errorf("%d wait after they ran out, %v", len(list), err)
		}
		q.State, q.DecidedBy, q.DecidedAt = approval.Approved, "marta", now
		if !move(approval.Open) || move(approval.Open) {
			t.Error("one decision is taken once")
		}
		if list, err := s.Of(ctx, "rules.change", "reprints"); err != nil || len(list) != 1 || list[0].State != approval.Approved || list[0].DecidedBy != "marta" {
			t.Errorf("%+v, %v", list, err)
		}
		if _, err := s.Get(ctx, "b"); !errors.Is(err, approval.ErrUnknown) {
			t.Errorf("nobody's request: %v", err)
		}
	})
}

// The value in force is that of the latest day that has come; of two for one day
// the one written last.
func TestParametersByDay(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := db.Parameters(), t.Context()
		day := func(d int) civil.Date { return civil.Date{Year: 2026, Month: 12, Day: d} }
		now := time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)
		err := db.Atomically(ctx, func(ctx context.Context) error {
			return errors.Join(
				s.Add(ctx, parameters.Value{Name: "reprints", From: day(10), Value: 5, At: now}),
				s.Add(ctx, parameters.Value{Name: "reprints", From: day(3), Value: 3, At: now.Add(time.Second)}),
				s.Add(ctx, parameters.Value{Name: "reprints", From: day(10), Value: 6, At: now.Add(time.Minute)}),
			)
		})
		if err != nil {
			t.Fatal(err)
		}
		for d, want := range map[int]int{3: 3, 9: 3, 10: 6, 31: 6} {
			if n, ok, err := s.On(ctx, "reprints", day(d)); err != nil || !ok || n != want {
				t.Errorf("on day %d: %d %t %v, want %d", d, n, ok, err, want)
			}
		}
		if _, ok, err := s.On(ctx, "reprints", day(2)); err != nil || ok {
			t.Errorf("before the first day: %t, %v", ok, err)
		}
		if all, err := s.All(ctx); err != nil || len(all) != 3 || all[0].Value != 6 {
			t.Errorf("%+v, %v", all, err)
		}
	})
}
