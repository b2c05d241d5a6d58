package audit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"cse.example/cse/engine/audit"
	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
)

// Records go from the beginning when their term is over; what is left verifies
// up to the same head and the heads deposited since, and a beginning that went
// without a record of it is found.
func TestCut(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		start := time.Date(2000, 1, 1, 9, 0, 0, 0, time.UTC)
		hand := civil.NewHand(start)
		trail, err := audit.New(audit.Config{
			Conn: func(ctx context.Context) audit.DBTX { return db.Conn(ctx) }, Atomically: db.Atomically, Clock: hand, Key: secret.New(make([]byte, 32)),
		})
		if err != nil {
			t.Fatal(err)
		}
		year := func(n int) time.Time { return start.AddDate(n, 0, 0) }
		write := func(at time.Time) audit.Head {
			t.Helper()
			hand.Set(at)
			if err := trail.Record(t.Context(), journal.Entry{Act: "x", Actor: "y", Person: "RSSMRA85T10A562S"}); err != nil {
				t.Fatal(err)
			}
			h, err := trail.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
		verify := func(what string, want int64, known ...audit.Head) {
			t.Helper()
			h, err := trail.Verify(t.Context(), known...)
			if err != nil || h.Index != want {
				t.Errorf("%s: %+v, %v; want head %d", what, h, err, want)
			}
		}
		cut := func(what string, before time.Time, want int64) {
			t.Helper()
			n, err := trail.Cut(t.Context(), before)
			if err != nil || n != want {
				t.Errorf("%s: %d went, %v; want %d", what, n, err, want)
			}
		}
		early := write(year(0))
		write(year(1))
		third := write(year(2))
		write(year(1)) // the clock went back: it lies behind a younger one
		late := write(year(5))
		cut("too early", year(0), 0)
		verify("nothing went", 5, early, third, late)
		cut("two years", year(2), 2)
		verify("after the cut", 6, early, third, late)
		if list, err := trail.ByPerson(t.Context(), "RSSMRA85T10A562S", 0, 0); err != nil || len(list) != 3 {
			t.Errorf("%d records of the person are left, %v", len(list), err)
		}
		cut("again", year(2), 0)
		hand.Set(year(9))
		cut("all of it", year(8), 4)
		verify("the cut alone is left", 7)
		write(year(9))
		verify("and goes on", 8)

		for since, want := range map[time.Time]int{year(0): 1, year(9): 1, year(10): 0} { // x of year nine alone is left
			if n, err := trail.Count(t.Context(), "x", since); err != nil || n != want {
				t.Errorf("%d records since %s, %v; want %d", n, since, err, want)
			}
		}
		broken := func(what string, want int64, sql string, args ...any) {
			t.Helper()
			undo := errors.New("undo")
			err := db.Atomically(t.Context(), func(ctx context.Context) error {
				if _, err := db.Conn(ctx).ExecContext(ctx, sql, args...); err != nil {
					return err
				}
				var b *audit.Broken
				if _, err := trail.Verify(ctx); !errors.As(err, &b) || b.Index != want {
					t.Errorf("%s: %v, want record %d", what, err, want)
				}
				return undo
			})
			if !errors.Is(err, undo) {
				t.Error(what, err)
			}
		}
		broken("the first removed", 7, "DELETE FROM audit_record WHERE idx = 7")
		broken("the foot moved back", 1, "UPDATE audit_foot SET idx = 0")
		broken("one that went comes back", 3, "INSERT INTO audit_record SELECT 3, at, act, actor, office, card, person, detail, sealed, chain, hash FROM audit_record WHERE idx = 7")
		broken("the beginning taken away in silence", 7, "UPDATE audit_foot SET idx = 7")
		broken("the tree taken away", 1, "DELETE FROM audit_tile")
		exec(t, db, "DELETE FROM audit_record WHERE idx <= 7")
		exec(t, db, "UPDATE audit_foot SET idx = 7")
		var b *audit.Broken
		if _, err := trail.Verify(t.Context()); !errors.As(err, &b) || b.Index != 1 || b.Through != 7 {
			t.Errorf("a beginning that nobody cut: %v", err)
		}
	})
}
