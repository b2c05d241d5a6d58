package counter_test

import (
	"encoding/json"
	"testing"
	"time"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/registry"
)

const newer = "6090000000000131"

// homely is a bench of a Region that lets holders activate their next card.
func homely(t *testing.T, db *store.DB) *bench {
	t.Helper()
	b := newBench(t, db)
	b.deps.FromHome = true
	var err error
	if b.Counter, err = counter.New(b.deps); err != nil {
		t.Fatal(err)
	}
	return b
}

// renewed is a holder with his active card, and the next one in his hands.
func (b *bench) renewed(t *testing.T) registry.Person {
	t.Helper()
	_, p, _ := b.activated(t)
	b.issue(t, p, newer, nil)
	old := b.card(t, number)
	old.ReplacedBy = newer
	b.put(t, old)
	return p
}

func (b *bench) successorOrder(t *testing.T, p registry.Person) counter.SuccessorOrder {
	t.Helper()
	request, err := b.NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	return counter.SuccessorOrder{
		Request: request, Old: number, CF: p.CF, Number: newer, Email: "mario.nuovo@posta.example", EmailAgain: "mario.nuovo@posta.example", Lang: words.Italian,
	}
}

// The new card with the old one, C17: one act, first halves once, second ones by
// mail, the previous address told, the old CNS thirty days longer (R41).
func TestR41_R73_ANewCardWithTheOldOne(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := homely(t, db)
		p := b.renewed(t)
		if next, err := b.Successor(t.Context(), p.CF, number); err != nil || next.ID != newer {
			t.Fatalf("%s, %v", next.ID, err)
		}
		o := b.successorOrder(t, p)
		o.Number = number
		_, err := b.ActivateSuccessor(t.Context(), o)
		refused(t, "the old card's number", err, "CSE-465")
		o.Number = newer
		_, err = b.ActivateSuccessor(t.Context(), o)
		refused(t, "at once again", err, "CSE-402")
		b.clock.Advance(time.Minute)
		a, err := b.ActivateSuccessor(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := b.ActivateSuccessor(t.Context(), o); err != nil || again.Protocol != a.Protocol {
			t.Errorf("pressed twice: %+v, %v", again, err)
		}
		if c := b.card(t, newer); c.State != lifecycle.Active || b.certs["ab"+newer] != "active" {
			t.Errorf("the new card: %s, %s", c.State, b.certs["ab"+newer])
		}
		if c := b.card(t, number); c.State != lifecycle.Active {
			t.Errorf("the old card: %s", c.State)
		}
		if _, printed := b.effects[counter.PrintKey(a.Protocol)]; printed {
			t.Error("a form is printed that nobody takes")
		}
		var m counter.CodesMail
		if err := json.Unmarshal(b.effects[counter.MailKey(a.Protocol)].Body, &m); err != nil || m.Card != newer || m.To != "mario.nuovo@posta.example" {
			t.Errorf("the letter: %+v, %v", m, err)
		}
		var n counter.Notice
		if err := json.Unmarshal(b.effects["mail.notice/activated/"+a.Protocol+"/before"].Body, &n); err != nil || n.To != "Mario.Rossi@posta.example" {
			t.Errorf("the previous address: %+v, %v", n, err)
		}
		_, err = b.ShowHalves(t.Context(), "VRDLGU85M41F205T", a.Protocol)
		refused(t, "somebody else", err, "CSE-145")
		if card, err := b.ShowHalves(t.Context(), p.CF, a.Protocol); err != nil || card != newer {
			t.Errorf("first halves: %s, %v", card, err)
		}
		_, err = b.ShowHalves(t.Context(), p.CF, a.Protocol)
		refused(t, "a second time", err, "CSE-464")
		if e := b.entries[len(b.entries)-1]; e.Act != "codes.shown" || e.Actor != "holder" || e.Card != newer {
			t.Errorf("journal: %+v", e)
		}
		b.clock.Advance(29 * 24 * time.Hour)
		if n, err := b.Sweep(t.Context()); n != 0 || err != nil {
			t.Errorf("29 days later: %d ended, %v", n, err)
		}
		b.clock.Advance(3 * 24 * time.Hour)
		if _, err := b.Sweep(t.Context()); err != nil || b.card(t, number).State != lifecycle.Replaced {
			t.Errorf("32 days later: %s, %v", b.card(t, number).State, err)
		}
	})
}

func TestSuccessorFromHomeIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		with func(t *testing.T, b *bench, p registry.Person)
		want string
	}{
		"a minor": {func(t *testing.T, b *bench, p registry.Person) {
			p.Born = civil.Today(b.clock).AddYears(-17)
			b.enrol(p)
		}, "CSE-461"},
		"a ward": {func(t *testing.T, b *bench, p registry.Person) { p.UnderGuardianship = true; b.enrol(p) }, "CSE-461"},
		"an old card on hold": {func(t *testing.T, b *bench, p registry.Person) {
			if _, err := b.SuspendWithCIP(t.Context(), number, b.codes[number].CIP, "192.0.2.1", ""); err != nil {
				t.Fatal(err)
			}
		}, "CSE-462"},
		"no successor": {func(t *testing.T, b *bench, _ registry.Person) {
			c := b.card(t, number)
			c.ReplacedBy = ""
			b.put(t, c)
		}, "CSE-463"},
		"without a chip": {func(t *testing.T, b *bench, _ registry.Person) {
			c := b.card(t, newer)
			c.Model = lifecycle.TS
			b.put(t, c)
		}, "CSE-463"},
		"still at the bureau": {func(t *testing.T, b *bench, _ registry.Person) {
			c := b.card(t, newer)
			c.State = lifecycle.InProduction
			b.put(t, c)
		}, "CSE-116"},
		"active already": {func(t *testing.T, b *bench, p registry.Person) {
			if _, err := b.ActivateSuccessor(t.Context(), b.successorOrder(t, p)); err != nil {
				t.Fatal(err)
			}
		}, "CSE-113"},
	} {
		t.Run(name, func(t *testing.T) {
			b := homely(t, storetest.SQLite(t))
			p := b.renewed(t)
			c.with(t, b, p)
			_, err := b.ActivateSuccessor(t.Context(), b.successorOrder(t, p))
			refused(t, name, err, c.want)
		})
	}
	b := newBench(t, storetest.SQLite(t))
	p := b.renewed(t)
	_, err := b.ActivateSuccessor(t.Context(), b.successorOrder(t, p))
	refused(t, "where the Region does not allow it", err, "CSE-460")
}
