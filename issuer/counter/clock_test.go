package counter_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
)

// leap is a clock that jumps ahead at its n-th reading.
type leap struct {
	*civil.Hand
	left atomic.Int64
	by   time.Duration
}

func (l *leap) Now() time.Time {
	if l.left.Add(-1) == 0 {
		l.Advance(l.by)
	}
	return l.Hand.Now()
}

// edges are instants after which something is different in Rome.
func edges() map[string]time.Time {
	return map[string]time.Time{
		"midnight":                          time.Date(2026, 11, 23, 23, 0, 0, 0, time.UTC),
		"the new year":                      time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC),
		"the hour that comes twice":         time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC),
		"the hour that is not there":        time.Date(2027, 3, 28, 1, 0, 0, 0, time.UTC),
		"midnight before the shortest day":  time.Date(2027, 3, 27, 23, 0, 0, 0, time.UTC),
		"midnight after the longest of all": time.Date(2026, 10, 25, 23, 0, 0, 0, time.UTC),
	}
}

// midAct are the acts, each from the state that it needs.
func midAct() map[string]func(t *testing.T, b *bench, c *counter.Counter) (counter.Act, error) {
	form := func(do func(*counter.Counter, ctx, staff.Operator, counter.Order) (counter.Act, error)) func(*testing.T, *bench, *counter.Counter) (counter.Act, error) {
		return func(t *testing.T, b *bench, c *counter.Counter) (counter.Act, error) {
			o := b.order(t)
			o.Report.Date = day(t, "2026-10-01")
			o.Identity.Document.Issued = day(t, "2022-01-01")
			o.Identity.Document.Expires = civil.Today(b.clock)
			return do(c, t.Context(), b.operator(t, "op1", "asl1"), o)
		}
	}
	return map[string]func(*testing.T, *bench, *counter.Counter) (counter.Act, error){
		"suspension": form((*counter.Counter).Suspend),
		"revocation": form((*counter.Counter).Revoke),
		"loss":       form((*counter.Counter).LossOrTheft),
		"chip fault": form((*counter.Counter).ChipFault),
		"reprint":    form((*counter.Counter).Reprint),
		"email":      form((*counter.Counter).CorrectEmail),
	}
}

// The clock goes over an edge at every single reading that an act makes of it:
// the act is of one instant, before or after. A document that is good until
// midnight serves an act of that day or none; card, paper and protocol number say
// the same year; a refusal leaves nothing behind.
func TestTheClockCrossesAnEdgeInTheMiddleOfAnAct(t *testing.T) {
	for edge, at := range edges() {
		for name, do := range midAct() {
			t.Run(edge+"/"+name, func(t *testing.T) {
				for n := int64(1); ; n++ {
					l := crossed(t, at, n, do)
					if l > 0 {
						break // the act was over before the n-th reading
					}
					if n > 60 {
						t.Fatal("the act reads the clock for ever")
					}
				}
			})
		}
	}
}

// crossed does one act while the clock leaps over at at its n-th reading. It
// answers how many readings were left.
func crossed(t *testing.T, at time.Time, n int64, do func(*testing.T, *bench, *counter.Counter) (counter.Act, error)) int64 {
	t.Helper()
	b := newBench(t, storetest.SQLite(t))
	b.clock.Set(at.Add(-time.Hour))
	_, p, _ := b.activated(t)
	b.clock.Set(at.Add(-time.Second))
	l := &leap{Hand: b.clock, by: 2 * time.Second}
	deps := b.deps
	deps.Clock = l
	c, err := counter.New(deps)
	if err != nil {
		t.Fatal(err)
	}
	before, entries, effects := b.card(t, number), len(b.entries), len(b.effects)
	l.left.Store(n)
	a, err := do(t, b, c)
	left := l.left.Load()
	rows, rerr := b.db.Acts().ByCard(t.Context(), number)
	if rerr != nil {
		t.Fatal(rerr)
	}
	card := b.card(t, number)
	if err != nil {
		if !errors.Is(err, words.Refuse("CSE-110")) {
			t.Fatalf("reading %d: %v", n, err)
		}
		if civil.Today(b.clock) == civil.DayOf(at.Add(-time.Second)) {
			t.Errorf("reading %d: refused on the document's last day", n)
		}
		if len(rows) != 1 || card != before || len(b.entries) != entries || len(b.effects) != effects {
			t.Errorf("reading %d: a refusal left %d acts, %d entries, %d effects, %s", n, len(rows), len(b.entries), len(b.effects), card.State)
		}
		return left
	}
	year := fmt.Sprintf("%04d/", civil.DayOf(a.At).Year)
	switch {
	case len(rows) != 2 || !rows[0].At.Equal(a.At) || !a.Form.At.Equal(a.At):
		t.Errorf("reading %d: %d acts, at %s, %s and %s", n, len(rows), rows[0].At, a.At, a.Form.At)
	case !strings.HasPrefix(a.Protocol, year):
		t.Errorf("reading %d: %s is of %s", n, a.Protocol, a.At)
	case civil.DayOf(a.At).After(a.Form.Document.Expires):
		t.Errorf("reading %d: an act of %s with a document good until %s", n, a.At, a.Form.Document.Expires)
	}
	for what, stamp := range map[string][2]time.Time{
		"suspended": {before.SuspendedAt, card.SuspendedAt}, "revoked": {before.RevokedAt, card.RevokedAt}, "ended": {before.EndedAt, card.EndedAt},
	} {
		if !stamp[0].Equal(stamp[1]) && !stamp[1].Equal(a.At) {
			t.Errorf("reading %d: %s at %s by an act of %s", n, what, stamp[1], a.At)
		}
	}
	if card.State == lifecycle.Revoked && card.ReplacedBy != "" {
		if next := b.successor(t, number); next.CF != p.CF {
			t.Errorf("reading %d: the successor is %+v", n, next)
		}
	}
	return left
}

// An activation is filled in over an edge: begun before, done after. Between the
// two the wall clock may go back an hour; the order of things does not.
func TestAnActivationOverAnEdge(t *testing.T) {
	for edge, at := range edges() {
		t.Run(edge, func(t *testing.T) {
			b := newBench(t, storetest.SQLite(t))
			op, p := b.operator(t, "op1", "asl1"), b.mario(t)
			b.issue(t, p, number, func(c *lifecycle.Card) { c.Issued = day(t, "2026-10-01") })
			b.clock.Set(at.Add(-2 * time.Minute))
			began := b.clock.Now()
			d, err := b.StartDraft(t.Context(), op, goodCard(p))
			if err != nil {
				t.Fatal(err)
			}
			s := goodIdentity(t)
			s.Document.Issued = day(t, "2022-01-01")
			if d, err = b.Identify(t.Context(), op, d.ID, d.Version, s); err != nil {
				t.Fatal(err)
			}
			b.clock.Advance(4 * time.Minute)
			if d, err = b.Contacts(t.Context(), op, d.ID, d.Version, goodContact()); err != nil {
				t.Fatal(err)
			}
			a, err := b.Activate(t.Context(), op, d.ID, d.Version)
			if err != nil {
				t.Fatal(err)
			}
			b.clock.Advance(time.Minute)
			if err := b.Printed(t.Context(), op, a.Protocol); err != nil {
				t.Fatal(err)
			}
			b.clock.Advance(time.Minute)
			if err := b.HandOver(t.Context(), op, a.Protocol); err != nil {
				t.Fatal(err)
			}
			if a, err = b.Act(t.Context(), op, a.Protocol); err != nil {
				t.Fatal(err)
			}
			if a.At.Sub(began) != 4*time.Minute || a.PrintedAt.Sub(a.At) != time.Minute || a.HandedAt.Sub(a.PrintedAt) != time.Minute {
				t.Errorf("at %s, printed %s, handed over %s", a.At, a.PrintedAt, a.HandedAt)
			}
			if want := fmt.Sprintf("%04d/0000001", civil.DayOf(a.At).Year); a.Protocol != want {
				t.Errorf("protocol %s, want %s", a.Protocol, want)
			}
			if card := b.card(t, number); card.State != lifecycle.Active || !card.ActivatedAt.Equal(a.At) {
				t.Errorf("the card: %+v", card)
			}
		})
	}
}

// Windows and waits are lengths of time, not of wall clock: the hour that comes
// twice gives nobody a third reprint, and the one that is missing takes none.
func TestReprintsInThirtyDaysCountRealTime(t *testing.T) {
	for name, first := range map[string]time.Time{
		"over the hour that comes twice":  time.Date(2026, 10, 24, 9, 0, 0, 0, time.UTC),
		"over the hour that is not there": time.Date(2027, 3, 27, 9, 0, 0, 0, time.UTC),
	} {
		b := newBench(t, storetest.SQLite(t))
		b.clock.Set(first.Add(-time.Hour))
		op, _, _ := b.activated(t)
		reprint := func(at time.Time) error {
			b.clock.Set(at)
			o := b.order(t)
			o.Identity.Document.Issued, o.Identity.Document.Expires = day(t, "2022-01-01"), day(t, "2030-01-01")
			_, err := b.Reprint(t.Context(), op, o)
			return err
		}
		if err := errors.Join(reprint(first), reprint(first.Add(time.Hour))); err != nil {
			t.Fatal(err)
		}
		refused(t, name+", a second before", reprint(first.Add(30*24*time.Hour-time.Second)), "CSE-452")
		if err := reprint(first.Add(30 * 24 * time.Hour)); err != nil {
			t.Errorf("%s, thirty days after: %v", name, err)
		}
	}
}
