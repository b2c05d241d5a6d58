package counter_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

const fathersCard = "6090000000000040"

// father is the second parent of a child whom his mother has activated.
func (b *bench) father(t *testing.T) (mother, father, child registry.Person) {
	t.Helper()
	mother, child = b.family(t)
	if _, err := b.activateAs(t, child, forWard(t, mother)); err != nil {
		t.Fatal(err)
	}
	b.clock.Set(b.clock.Now().Add(time.Hour))
	father = b.enrol(somebody(t, "Rossi", "Pietro", "1984-04-04", codicefiscale.Male))
	b.issue(t, father, fathersCard, func(c *lifecycle.Card) { c.State, c.ActivatedAt = lifecycle.Active, monday })
	return mother, father, child
}

// joining is a good form by the father.
func (b *bench) joining(t *testing.T, father registry.Person) counter.Order {
	t.Helper()
	o := b.order(t)
	o.Identity.Present = counter.PresentParent
	o.Identity.Representative = &counter.Representative{CF: father.CF, Surname: father.Surname, Name: father.Name, Card: fathersCard, Declared: true}
	o.Email, o.EmailAgain = "pietro@posta.example", "pietro@posta.example"
	return o
}

// told are the addresses to which an event is told.
func (b *bench) told(t *testing.T, e counter.Event) (out []string) {
	t.Helper()
	for key, x := range b.effects {
		if !strings.HasPrefix(key, counter.KindMailNotice+"/"+string(e)+"/") {
			continue
		}
		var n counter.Notice
		if err := json.Unmarshal(x.Body, &n); err != nil {
			t.Fatal(err)
		}
		out = append(out, n.To)
	}
	slices.Sort(out)
	return out
}

// One parent suffices, and the other joins by an act of his own: he gets no codes
// and a title, both are told, and the address of the codes stays the first one's.
func TestR64_R69_TheSecondParentJoins(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		mother, father, child := b.father(t)
		op, o := b.operator(t, "op2", "com"), b.joining(t, father)
		effects := len(b.effects)
		a, err := b.Join(t.Context(), op, o)
		if err != nil {
			t.Fatal(err)
		}
		again, err := b.Join(t.Context(), op, o)
		if err != nil || again.Protocol != a.Protocol {
			t.Errorf("pressed twice: %+v, %v", again, err)
		}
		if want := []counter.PaperKind{counter.PaperDeclaration, counter.PaperReceipt}; !slices.Equal(a.Form.Papers, want) || a.Form.Representative.CF != father.CF {
			t.Errorf("the papers: %v, %+v", a.Form.Papers, a.Form.Representative)
		}
		if got := b.told(t, counter.Joined); !slices.Equal(got, []string{"pietro@posta.example"}) {
			t.Errorf("who joined is told at %v", got)
		}
		if got := b.told(t, counter.AnotherJoined); !slices.Equal(got, []string{"Mario.Rossi@posta.example"}) {
			t.Errorf("who was there is told at %v", got)
		}
		if n := len(b.effects) - effects; n != 2 {
			t.Errorf("%d effects: no codes are printed or mailed", n)
		}
		e := b.entries[len(b.entries)-1]
		if e.Act != "representation.joined" || e.Detail["present"] != "genitore" || e.Detail["protocol"] != a.Protocol || e.Person != string(child.CF) || e.Card != number {
			t.Errorf("journal: %+v", e)
		}
		for _, p := range []registry.Person{mother, father} {
			if wards, err := b.Wards(t.Context(), p.CF); err != nil || len(wards) != 1 || wards[0].Person.CF != child.CF {
				t.Errorf("%s has %+v, %v", p.Name, wards, err)
			}
		}
		all, err := b.Standers(t.Context(), child.CF)
		if err != nil || len(all) != 2 || all[0].CF != mother.CF || all[1].CF != father.CF || all[1].Email != "pietro@posta.example" {
			t.Errorf("who stands for the child: %+v, %v", all, err)
		}
		if to, err := b.AddressOf(t.Context(), b.card(t, number)); err != nil || to != "Mario.Rossi@posta.example" {
			t.Errorf("the codes go to %s, %v", to, err)
		}
		// From now on he speaks for the child; a second time there is nothing to join.
		s := b.order(t)
		s.Identity = o.Identity
		if _, err := b.Suspend(t.Context(), b.operator(t, "op1", "asl2"), s); err != nil {
			t.Errorf("the father suspends: %v", err)
		}
		o.Request = b.order(t).Request
		_, err = b.Join(t.Context(), op, o)
		refused(t, "the same father again", err, "CSE-751")
	})
}

// What a second parent brings, each missing once, and where he may join.
func TestR64_R65_R66_R68_R69_WhatASecondParentBrings(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	mother, father, _ := b.father(t)
	b.deps.Address = func(_ context.Context, _ registry.Person, address string) error {
		if strings.HasPrefix(address, "molti@") {
			return words.Refuse("CSE-607", 5).At("email")
		}
		return nil
	}
	var err error
	if b.Counter, err = counter.New(b.deps); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		with   func(*counter.Order)
		office string
		code   string
	}{
		"the holder":                 {func(o *counter.Order) { o.Identity = goodIdentity(t) }, "asl1", "CSE-750"},
		"a delegate":                 {func(o *counter.Order) { o.Identity.Present = counter.PresentDelegate }, "asl1", "CSE-438"},
		"nobody named":               {func(o *counter.Order) { o.Identity.Representative = nil }, "asl1", "CSE-446"},
		"the mother, who has it":     {func(o *counter.Order) { o.Identity = forWard(t, mother) }, "asl1", "CSE-751"},
		"without his own card (R66)": {func(o *counter.Order) { o.Identity.Representative.Card = "" }, "asl1", "CSE-410"},
		"the mother's card":          {func(o *counter.Order) { o.Identity.Representative.Card = "6090000000000016" }, "asl1", "CSE-411"},
		"another name":               {func(o *counter.Order) { o.Identity.Representative.Surname = "VERDI" }, "asl1", "CSE-767"},
		"an expired document (R68)":  {func(o *counter.Order) { o.Identity.Document.Expires = day(t, "2026-11-22") }, "asl1", "CSE-110"},
		"no self-declaration (R69)":  {func(o *counter.Order) { o.Identity.Representative.Declared = false }, "asl1", "CSE-412"},
		"no address":                 {func(o *counter.Order) { o.Email = "" }, "asl1", "CSE-130"},
		"two addresses":              {func(o *counter.Order) { o.EmailAgain = "altro@posta.example" }, "asl1", "CSE-131"},
		"a stopped address": {func(o *counter.Order) {
			o.Email, o.EmailAgain = "molti@posta.example", "molti@posta.example"
		}, "asl1", "CSE-607"},
		"the operator":      {func(o *counter.Order) { o.Identity.Representative.CF = b.operator(t, "op1", "asl1").CF }, "asl1", "CSE-140"},
		"without a request": {func(o *counter.Order) { o.Request = "" }, "asl1", "CSE-442"},
		"at a pharmacy":     {func(*counter.Order) {}, "far", "CSE-122"},
		"at the Agency":     {func(*counter.Order) {}, "ade", "CSE-122"},
		"by telephone":      {func(*counter.Order) {}, "cc", "CSE-122"},
		"a parent's own card": {func(o *counter.Order) {
			o.Card = fathersCard
			o.Identity = forWard(t, mother)
		}, "asl1", "CSE-413"},
	} {
		o := b.joining(t, father)
		c.with(&o)
		_, err := b.Join(t.Context(), b.operator(t, "op1", c.office), o)
		refused(t, name, err, c.code)
	}
	if links, err := b.db.Links().LinksOf(t.Context(), b.card(t, number).CF); err != nil || len(links) != 1 {
		t.Errorf("a refused act left a title: %+v, %v", links, err)
	}
}

// A card that nobody has activated is activated instead; at eighteen, the day
// counted in Rome, nobody joins any more.
func TestR64_NobodyJoinsBeforeOrAfter(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	_, child := b.family(t)
	father := b.enrol(somebody(t, "Rossi", "Pietro", "1984-04-04", codicefiscale.Male))
	b.issue(t, father, fathersCard, func(c *lifecycle.Card) { c.State, c.ActivatedAt = lifecycle.Active, monday })
	op := b.operator(t, "op1", "asl1")
	_, err := b.Join(t.Context(), op, b.joining(t, father))
	refused(t, "before the activation", err, "CSE-752")

	c := b.card(t, number)
	c.State, c.ActivatedAt = lifecycle.Active, monday
	b.put(t, c)
	child = b.people[child.CF]
	child.Born = day(t, "2008-11-24") // of age tomorrow
	b.enrol(child)
	b.clock.Set(time.Date(2026, 11, 23, 23, 0, 0, 0, time.UTC)) // midnight in Rome
	_, err = b.Join(t.Context(), op, b.joining(t, father))
	refused(t, "at eighteen", err, "CSE-413")
	b.clock.Set(b.clock.Now().Add(-time.Second))
	if _, err := b.Join(t.Context(), op, b.joining(t, father)); err != nil {
		t.Errorf("the second before: %v", err)
	}
}
