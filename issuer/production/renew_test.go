package production_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cse.example/cse/demo/bureau/bureautest"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// holder number n, assisted for ten years, with a card that is out and expires
// on a day; with changes both.
func holder(t testing.TB, w *bureautest.World, n int, expires civil.Date, with func(*registry.Person, *lifecycle.Card)) lifecycle.Card {
	t.Helper()
	today := civil.Today(w.Clock)
	p := registry.Person{
		Surname: "ROSSI", Name: "MARIO", Born: civil.Date{Year: 1950 + n%50, Month: 1 + time.Month(n/50%12), Day: 1 + n%28}, Sex: "M", BirthPlace: "D612", Citizenship: "IT",
		Residence: "D612", ASL: "201", AssistedFrom: today.AddYears(-10), AbroadRight: true,
	}
	cf, err := codicefiscale.Compute(codicefiscale.Person{Surname: p.Surname, Name: p.Name, Born: p.Born, Sex: "M", Belfiore: "D612"})
	if err != nil {
		t.Fatal(err)
	}
	p.CF = cf
	id := fmt.Sprintf("60900000%08d", n)
	c := lifecycle.Card{
		ID: id, TEAM: "8038" + id, CF: cf, Model: lifecycle.TSCNS, State: lifecycle.Active, Issued: expires.AddYears(-6), Expires: expires,
		CertSerial: "ab" + id, OrderedAt: w.Clock.Now().AddDate(-6, 0, 0), ShippedAt: w.Clock.Now().AddDate(-6, 0, 1), ActivatedAt: w.Clock.Now().AddDate(-6, 0, 9),
	}
	if with != nil {
		with(&p, &c)
	}
	w.Put(t, p)
	put(t, w, c)
	return c
}

func put(t testing.TB, w *bureautest.World, c lifecycle.Card) {
	t.Helper()
	err := w.DB.Atomically(context.Background(), func(ctx context.Context) error {
		_, err := w.DB.Cards().Put(ctx, c)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func cardsOf(t testing.TB, w *bureautest.World, c lifecycle.Card) []lifecycle.Card {
	t.Helper()
	cards, err := w.DB.Cards().ByPerson(context.Background(), c.CF)
	if err != nil {
		t.Fatal(err)
	}
	return cards
}

func TestR23_RenewalOrdersOneSuccessor(t *testing.T) {
	w := bureautest.New(t, storetest.SQLite(t))
	today := civil.Today(w.Clock)
	for n, c := range []struct {
		name    string
		expires civil.Date
		with    func(*registry.Person, *lifecycle.Card)
		want    int // successors
	}{
		{"expires in ninety days", today.AddDays(90), nil, 1},
		{"in ninety-one: not yet", today.AddDays(91), nil, 0},
		{"today", today, nil, 1},
		{"never activated", today.AddDays(30), func(_ *registry.Person, c *lifecycle.Card) { c.State = lifecycle.Delivered }, 1},
		{"suspended", today.AddDays(30), func(_ *registry.Person, c *lifecycle.Card) { c.State = lifecycle.Suspended }, 1},
		{"without a chip", today.AddDays(30), func(_ *registry.Person, c *lifecycle.Card) {
			c.Model, c.State, c.CertSerial = lifecycle.TS, lifecycle.Delivered, ""
		}, 1},
		{"holder dead", today.AddDays(30), func(p *registry.Person, _ *lifecycle.Card) { p.Died = today.AddDays(-1) }, 0},
		{"assistance over", today.AddDays(30), func(p *registry.Person, _ *lifecycle.Card) { p.AssistedUntil = today.AddDays(-1) }, 0},
		{"the CNS alone revoked", today.AddDays(30), func(_ *registry.Person, c *lifecycle.Card) { c.State, c.Reason = lifecycle.Revoked, lifecycle.ByHolder }, 1},
		{"lost", today.AddDays(30), func(_ *registry.Person, c *lifecycle.Card) { c.State, c.Reason = lifecycle.Revoked, lifecycle.Loss }, 0},
		{"no permit of stay on file", today.AddDays(30), func(p *registry.Person, _ *lifecycle.Card) { p.Citizenship = "AL" }, 0},
		{"as long as a permit that was not renewed: a new card would end with the old", today.AddDays(30), func(p *registry.Person, _ *lifecycle.Card) {
			p.Citizenship, p.Permit = "AL", registry.Permit{Kind: registry.PermitUntil, Until: today.AddDays(30)}
		}, 0},
		{"a permit that was renewed", today.AddDays(30), func(p *registry.Person, _ *lifecycle.Card) {
			p.Citizenship, p.Permit = "AL", registry.Permit{Kind: registry.PermitUntil, Until: today.AddDays(4000)}
		}, 1},
		{"a five-year card of old (R44)", today.AddDays(30), func(_ *registry.Person, c *lifecycle.Card) { c.Issued = c.Expires.AddYears(-5) }, 1},
	} {
		old := holder(t, w, n, c.expires, c.with)
		plant := w.Plant(t)
		for night := range 2 {
			if _, err := plant.Renew(t.Context(), 90); err != nil {
				t.Fatal(err)
			}
			if got := len(cardsOf(t, w, old)) - 1; got != c.want {
				t.Errorf("%s, night %d: %d successors, want %d", c.name, night, got, c.want)
			}
		}
		for _, x := range cardsOf(t, w, old) {
			switch {
			case c.want == 1 && x.ID != old.ID && (x.Replaces != old.ID || x.State != lifecycle.Ordered || x.Expires != today.AddYears(6)):
				t.Errorf("%s: the successor %+v", c.name, x)
			case c.want == 1 && x.ID == old.ID && (x.ReplacedBy == "" || x.State != old.State):
				t.Errorf("%s: the old card %+v", c.name, x)
			}
		}
	}
	// Who cannot have a card is on the list of exceptions with the reason.
	list, err := w.DB.Orders().Exceptions(t.Context(), "", 10)
	if err != nil || len(list) != 1 || list[0].Reason != lifecycle.ExceptionNoPermit {
		t.Errorf("exceptions %+v, %v", list, err)
	}
	// The first issue of the same night orders nothing for them.
	before := count(t, w)
	if _, err := w.Plant(t).OrderMissing(t.Context()); err != nil {
		t.Fatal(err)
	}
	if extra := count(t, w) - before; extra != 1 { // the one whose card is lost
		t.Errorf("the first issue ordered %d more", extra)
	}
}

// A successor that is lost before it is used has its own successor, and the
// chain goes on; the first card's CNS follows the one that is used.
func TestR23_R36_TheChainGoesOn(t *testing.T) {
	w := bureautest.New(t, storetest.SQLite(t))
	today := civil.Today(w.Clock)
	old := holder(t, w, 1, today.AddDays(60), nil)
	plant := w.Plant(t)
	if _, err := plant.Renew(t.Context(), 90); err != nil {
		t.Fatal(err)
	}
	find := func(not ...string) lifecycle.Card {
		for _, x := range cardsOf(t, w, old) {
			seen := false
			for _, id := range not {
				seen = seen || x.ID == id
			}
			if !seen {
				return x
			}
		}
		t.Fatal("no further card")
		return lifecycle.Card{}
	}
	second := find(old.ID)
	second.State, second.Reason, second.EndedAt = lifecycle.Revoked, lifecycle.NotReceived, w.Clock.Now()
	put(t, w, second)
	clerk := &production.Clerk{
		Config: w.Config, Cards: w.DB.Cards(), People: w.DB.People(), Orders: w.DB.Orders(), Record: w.CA.Journal.Record, Clock: w.Clock,
	}
	for range 2 {
		if err := w.DB.Atomically(t.Context(), func(ctx context.Context) error {
			_, err := clerk.Reissue(ctx, second)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := plant.Renew(t.Context(), 90); err != nil {
			t.Fatal(err)
		}
	}
	cards := cardsOf(t, w, old)
	if len(cards) != 3 {
		t.Fatalf("%d cards", len(cards))
	}
	third := find(old.ID, second.ID)
	if third.Replaces != second.ID {
		t.Errorf("the third follows %s", third.Replaces)
	}
	third.State, third.ActivatedAt = lifecycle.Active, w.Clock.Now()
	put(t, w, third)
	cards = cardsOf(t, w, old)
	for _, x := range cards {
		if x.ID == old.ID {
			old = x
		}
	}
	if f := lifecycle.FactsOf(registry.Person{}, old, cards); f.Successor == nil || f.Successor.ActivatedAt.IsZero() {
		t.Errorf("the first card's successor: %+v", f.Successor)
	}
}

// Whatever the people, cards, days and nights: at most one living card follows
// another, and a second night changes nothing.
func TestR23_RenewalAgainstChance(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := bureautest.New(t, storetest.SQLite(t))
		today := civil.Today(w.Clock)
		n := rapid.IntRange(1, 5).Draw(rt, "people")
		var olds []lifecycle.Card
		for i := range n {
			left := rapid.IntRange(0, 200).Draw(rt, "left")
			state := rapid.SampledFrom([]lifecycle.State{lifecycle.Shipped, lifecycle.Delivered, lifecycle.Active, lifecycle.Suspended}).Draw(rt, "state")
			dead := rapid.Bool().Draw(rt, "dead")
			olds = append(olds, holder(t, w, i, today.AddDays(left), func(p *registry.Person, c *lifecycle.Card) {
				c.State = state
				if dead {
					p.Died = today
				}
			}))
		}
		plant := w.Plant(t)
		for range rapid.IntRange(1, 4).Draw(rt, "nights") {
			w.Clock.Advance(time.Duration(rapid.IntRange(1, 60).Draw(rt, "days")) * 24 * time.Hour)
			if _, err := plant.Renew(t.Context(), 90); err != nil {
				rt.Fatal(err)
			}
			before := count(t, w)
			if r, err := plant.Renew(t.Context(), 90); err != nil || r.Ordered != 0 || count(t, w) != before {
				rt.Fatalf("a second time: %+v, %v", r, err)
			}
			for _, old := range olds {
				living := 0
				for _, x := range cardsOf(t, w, old) {
					if x.ID != old.ID && !x.State.Final() {
						living++
					}
				}
				if living > 1 {
					rt.Fatalf("%d cards follow %s", living, old.ID)
				}
			}
		}
	})
}

func count(t testing.TB, w *bureautest.World) int {
	t.Helper()
	counts, err := w.DB.Cards().Counts(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range counts {
		n += c.N
	}
	return n
}
