package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/status"
)

// note stands for the audit trail: every move leaves a record in its act, and
// that moves the head.
func note(ctx context.Context, t *testing.T, db *DB) {
	t.Helper()
	if _, err := db.Conn(ctx).ExecContext(ctx, `UPDATE audit_head SET idx = idx + 1 WHERE id = 1`); err != nil {
		t.Error(err)
	}
}

// Every move shows in the order of changes, once and in the order of the commits,
// to whoever reads on from the last place that he saw; the process that moved is
// told after the commit, and of nothing that was not committed.
func TestPKITheOrderOfChanges(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		ctx := t.Context()
		var told []Moved
		db.PKI().OnMove(func(m []Moved) { told = append(told, m...) })
		rs := []ca.Record{certificateRecord(1), certificateRecord(2), certificateRecord(3)}
		if err := reserve(t, db, rs...); err != nil {
			t.Fatal(err)
		}
		move := func(fail error, recordFirst bool, to ca.State, which ...int) {
			t.Helper()
			err := db.Atomically(ctx, func(ctx context.Context) error {
				for _, i := range which {
					if recordFirst {
						note(ctx, t, db)
					}
					r := rs[i]
					r.State, r.ChangedAt = to, pkiNow
					if err := db.PKI().Put(ctx, r); err != nil {
						return err
					}
					if fail == nil {
						rs[i].Version++
					}
					if !recordFirst {
						note(ctx, t, db)
					}
				}
				return fail
			})
			if !errors.Is(err, fail) {
				t.Fatal(err)
			}
		}
		place, err := db.PKI().Place(ctx)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]int64{}
		follow := func() (fresh []status.Change) {
			t.Helper()
			for from, serial := place, ""; ; {
				page, err := db.PKI().Since(ctx, from, serial, 2)
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range page {
					if seen[c.Serial] != c.Standing.Version {
						fresh = append(fresh, c)
					}
					seen[c.Serial] = c.Standing.Version
					from, serial, place = c.Place, c.Serial, c.Place
				}
				if len(page) < 2 {
					return fresh
				}
			}
		}
		if got := follow(); len(got) != 0 {
			t.Fatalf("changes before the first: %+v", got)
		}
		away := errors.New("rolled back")
		tests := []struct {
			name        string
			fail        error
			recordFirst bool
			to          ca.State
			which       []int
		}{
			{"one", nil, false, ca.Good, []int{0}},
			{"one whose record comes first", nil, true, ca.Good, []int{1}},
			{"one that shares its place with that", nil, false, ca.Good, []int{2}},
			{"none, the act fails", away, false, ca.Revoked, []int{0}},
			{"three in one act", nil, false, ca.Held, []int{0, 1, 2}},
			{"three, records first", nil, true, ca.Revoked, []int{2, 1, 0}},
		}
		for _, tt := range tests {
			told = nil
			move(tt.fail, tt.recordFirst, tt.to, tt.which...)
			want := len(tt.which)
			if tt.fail != nil {
				want = 0
			}
			got := follow()
			if len(got) != want || len(told) != want {
				t.Errorf("%s: %d changes seen and %d told, want %d: %+v", tt.name, len(got), len(told), want, got)
			}
			for _, c := range got {
				if c.Standing.Revoked != (tt.to != ca.Good) || c.Issuer != "aa" || c.NotAfter.IsZero() {
					t.Errorf("%s: %+v", tt.name, c)
				}
			}
			for i, m := range told {
				if r := rs[tt.which[i]]; m != (Moved{r.Issuer, r.Serial, r.Version}) {
					t.Errorf("%s: told %+v, want version %d of %s", tt.name, m, r.Version, r.Serial)
				}
			}
		}
		known, err := db.PKI().Known(ctx, "aa", rs[0].Serial, pkiNow, 10)
		if err != nil || len(known) != 2 || known[0].Serial != rs[1].Serial || !known[0].Standing.Revoked {
			t.Errorf("known: %+v (%v)", known, err)
		}
		if late, err := db.PKI().Known(ctx, "aa", "", pkiNow.AddDate(6, 0, 1), 10); err != nil || len(late) != 0 {
			t.Errorf("past their end: %+v (%v)", late, err)
		}
	})
}

func TestPKITheMarkOfAnswersOnlyRises(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		for _, tt := range []struct{ raise, want time.Time }{{time.Time{}, time.Time{}}, {pkiNow, pkiNow}, {pkiNow.Add(-time.Hour), pkiNow}, {pkiNow.Add(time.Minute), pkiNow.Add(time.Minute)}} {
			if !tt.raise.IsZero() {
				if err := db.PKI().Raise(t.Context(), "aa", tt.raise); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := db.PKI().Mark(t.Context(), "aa"); err != nil || !got.Equal(tt.want) {
				t.Errorf("mark %s (%v), want %s", got, err, tt.want)
			}
		}
	})
}
