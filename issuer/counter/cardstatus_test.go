package counter_test

import (
	"testing"
	"time"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/throttle"
	"cse.example/cse/person/codicefiscale"
)

func (b *bench) status(t *testing.T, cf codicefiscale.Code, five, source string) (counter.CardStatus, error) {
	t.Helper()
	return b.Status(t.Context(), cf, five, source)
}

// Each state of a card has a word that names no reason and nobody.
func TestCardStatusTellsHowFarACardIs(t *testing.T) {
	for state, want := range map[lifecycle.State]counter.Progress{
		lifecycle.Ordered: counter.InTheMaking, lifecycle.InProduction: counter.InTheMaking, lifecycle.Produced: counter.InTheMaking,
		lifecycle.Shipped: counter.OnItsWay, lifecycle.Returned: counter.BroughtBack, lifecycle.Delivered: counter.AtHome,
		lifecycle.Active: counter.InUse, lifecycle.Suspended: counter.OutOfUse, lifecycle.Revoked: counter.OutOfUse,
		lifecycle.Expired: counter.OutOfUse, lifecycle.Replaced: counter.OutOfUse,
	} {
		t.Run(string(state), func(t *testing.T) {
			b := newBench(t, storetest.SQLite(t))
			p := b.enrol(somebody(t, "Rossi", "Mario", "1980-05-12", "M"))
			b.issue(t, p, number, func(c *lifecycle.Card) { c.State = state })
			got, err := b.status(t, p.CF, "00123", "192.0.2.1")
			if err != nil {
				t.Fatal(err)
			}
			if got.Progress != want || got.Next != nil {
				t.Errorf("%+v, want %s", got, want)
			}
			if shipped := !got.Shipped.IsZero(); shipped != (want == counter.OnItsWay) {
				t.Errorf("shipped on %s", got.Shipped)
			}
			if n := len(b.entries); n != 0 {
				t.Errorf("%d entries for a look at nothing personal", n)
			}
		})
	}
}

// The old card's number tells of the new one, whose number nobody knows yet.
func TestCardStatusTellsOfTheSuccessor(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	p := b.enrol(somebody(t, "Rossi", "Mario", "1980-05-12", "M"))
	b.issue(t, p, number, func(c *lifecycle.Card) { c.State, c.OrderedAt = lifecycle.Active, monday.AddDate(-5, 0, 0) })
	b.issue(t, p, "6090000000000016", func(c *lifecycle.Card) { c.State = lifecycle.Shipped })
	got, err := b.status(t, p.CF, "00123", "x")
	if err != nil || got.Progress != counter.InUse || got.Next == nil || got.Next.Progress != counter.OnItsWay || got.Next.Shipped.IsZero() {
		t.Errorf("%+v %+v, %v", got, got.Next, err)
	}
	if got, err = b.status(t, p.CF, "00016", "x"); err != nil || got.Progress != counter.OnItsWay || got.Next != nil {
		t.Errorf("the new one itself: %+v, %v", got, err)
	}
}

// An unknown person, a wrong number, another's card: one answer, one price.
func TestCardStatusLooksTheSameForUnknownAndWrong(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	p := b.enrol(somebody(t, "Rossi", "Mario", "1980-05-12", "M"))
	b.issue(t, p, number, nil)
	other := b.enrol(somebody(t, "Verdi", "Luca", "1970-07-07", "M"))
	b.issue(t, other, "6090000000000016", nil)
	nobody := somebody(t, "Neri", "Anna", "1990-01-01", "F")
	said := ""
	for name, x := range map[string]struct {
		cf   codicefiscale.Code
		five string
	}{
		"wrong number": {p.CF, "99999"}, "another's card": {p.CF, "00016"}, "unknown person": {nobody.CF, "00123"}, "nothing": {p.CF, ""},
		"the whole number": {p.CF, number},
	} {
		b.clock.Advance(25 * time.Hour)
		_, err := b.status(t, x.cf, x.five, "192.0.2.1")
		refused(t, name, err, "CSE-570")
		if err == nil {
			continue
		}
		if said == "" {
			said = err.Error()
		}
		if err.Error() != said || throttle.WaitOf(err) != 2*time.Second {
			t.Errorf("%s: %v, others were told %q", name, err, said)
		}
		_, err = b.status(t, x.cf, x.five, "198.51.100.7") // from elsewhere: who is known must not wait alone
		refused(t, name+", from elsewhere", err, "CSE-571")
	}
}

// 2, 4, 8 … seconds by card and by source; the right number waits too, and opens
// once the wait is over; the revocation with the CIP is not slowed down by it.
func TestCardStatusSlowsDown(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		_, p, _ := b.activated(t)
		for i, want := range []time.Duration{2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900} {
			_, err := b.status(t, p.CF, "99999", "192.0.2.1")
			refused(t, "wrong", err, "CSE-570")
			if got := throttle.WaitOf(err); got != want*time.Second {
				t.Fatalf("wait %d is %s, want %s", i+1, got, want*time.Second)
			}
			_, err = b.status(t, p.CF, "00123", "198.51.100.7")
			refused(t, "right, too early, from elsewhere", err, "CSE-571")
			b.clock.Advance(want * time.Second)
		}
		nobody := somebody(t, "Neri", "Anna", "1990-01-01", "F")
		_, err := b.status(t, nobody.CF, "00123", "192.0.2.1")
		refused(t, "the same source asks for another", err, "CSE-570")
		if got, err := b.status(t, p.CF, "00123", "198.51.100.7"); err != nil || got.Progress != counter.InUse {
			t.Errorf("after the wait: %+v, %v", got, err)
		}
		if _, err := b.revoke(t, number, b.codes[number].CIP, "192.0.2.1"); err != nil {
			t.Errorf("the CIP was slowed down by a status check: %v", err)
		}
	})
}
