package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/extension"
)

func TestExtensions(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		ctx, s := t.Context(), db.Extensions()
		first := extension.Request{
			ID: "a1", Card: "6090000000000124", State: extension.Open, Old: "0a", Until: civil.Date{Year: 2023, Month: time.December, Day: 31}, Room: 2048,
			OpenedAt: pkiNow, Session: "s1", SessionEnds: pkiNow.Add(time.Minute), Nonce: []byte{1, 2},
		}
		act := func(f func(ctx context.Context) error) {
			t.Helper()
			if err := db.Atomically(ctx, f); err != nil {
				t.Fatal(err)
			}
		}
		second := first
		second.ID, second.Session = "a2", ""
		act(func(ctx context.Context) error {
			added, err := s.Add(ctx, first)
			if err != nil || !added {
				t.Errorf("the first: %v %v", added, err)
			}
			added, err = s.Add(ctx, second)
			if err != nil || added {
				t.Errorf("a second one that lives, of the same card: %v %v", added, err)
			}
			return nil
		})
		first.Version = 1
		got, err := s.BySession(ctx, "s1")
		if d := cmp.Diff(first, got, cmpopts.EquateEmpty()); err != nil || d != "" {
			t.Errorf("%v %s", err, d)
		}
		for _, none := range []string{"", "s2"} {
			if _, err := s.BySession(ctx, none); !errors.Is(err, extension.ErrNone) {
				t.Errorf("session %q: %v", none, err)
			}
		}
		done := got
		done.State, done.New, done.IssuedAt, done.WrittenAt, done.EndedAt = extension.Confirmed, "0b", pkiNow, pkiNow, pkiNow
		done.Session, done.Proved, done.Nonce, done.Challenge, done.Script = "", true, nil, []byte{3}, extension.Write
		act(func(ctx context.Context) error {
			put, err := s.Put(ctx, done)
			if err != nil || put.Version != 2 {
				t.Errorf("put: %+v %v", put, err)
			}
			if _, err := s.Put(ctx, done); !errors.Is(err, extension.ErrStale) {
				t.Errorf("the old version put: %v", err)
			}
			second.OpenedAt = pkiNow.Add(time.Hour)
			added, err := s.Add(ctx, second) // the first one lives no more
			if err != nil || !added {
				t.Errorf("the next: %v %v", added, err)
			}
			return nil
		})
		done.Version, second.Version = 2, 1
		list, err := s.Of(ctx, first.Card)
		if d := cmp.Diff([]extension.Request{second, done}, list, cmpopts.EquateEmpty()); err != nil || d != "" {
			t.Errorf("newest first: %v %s", err, d)
		}
		page, err := s.Each(ctx, "a1", 10)
		if err != nil || len(page) != 1 || page[0].ID != "a2" {
			t.Errorf("after a1: %+v %v", page, err)
		}
		for _, purge := range []struct {
			before time.Time
			want   int64
		}{{pkiNow, 0}, {pkiNow.Add(time.Microsecond), 1}, {pkiNow.AddDate(9, 0, 0), 0}} { // what lives stays
			act(func(ctx context.Context) error {
				n, err := s.Purge(ctx, purge.before)
				if n != purge.want {
					t.Errorf("%d went before %s, want %d", n, purge.before, purge.want)
				}
				return err
			})
		}
	})
}
