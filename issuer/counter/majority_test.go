package counter_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/registry"
)

// writes lets the bench give new codes, as a counter with a reader does.
func (b *bench) writes(t *testing.T) {
	t.Helper()
	b.deps.Renew = codes.Renewer{Renewals: b.db.Codes(), Maker: b.makeCodes}
	var err error
	if b.Counter, err = counter.New(b.deps); err != nil {
		t.Fatal(err)
	}
}

// cipNow is the whole CIP that a card has now.
func (b *bench) cipNow(t *testing.T, card string) secret.Text {
	t.Helper()
	first, err := b.first.FirstHalves(t.Context(), card)
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.second.SecondHalves(t.Context(), card)
	if err != nil {
		t.Fatal(err)
	}
	return secretOf(string(first.CIP.Reveal()) + string(second.CIP.Reveal()))
}

// teenager is a mother and a child who is of age at midnight of 24 November 2026 in
// Rome; she has activated the card.
func (b *bench) teenager(t *testing.T) (mother, child registry.Person) {
	t.Helper()
	b.writes(t)
	mother, child = b.family(t)
	child.Born, child.Email = day(t, "2008-11-24"), "luca@posta.example"
	b.enrol(child)
	if _, err := b.activateAs(t, child, forWard(t, mother)); err != nil {
		t.Fatal(err)
	}
	return mother, child
}

var ofAge = time.Date(2026, 11, 23, 23, 0, 0, 0, time.UTC)

// night looks at the titles, twice: the second time nothing is left to do.
func (b *bench) night(t *testing.T, how counter.AtMajority, want int) {
	t.Helper()
	n, err := b.ComeOfAge(t.Context(), how)
	if err != nil || n != want {
		t.Errorf("%d titles ended, %v; want %d", n, err, want)
	}
	effects, entries := len(b.effects), len(b.entries)
	if n, err := b.ComeOfAge(t.Context(), how); err != nil || n != 0 || len(b.effects) != effects || len(b.entries) != entries {
		t.Errorf("the night again: %d titles, %d letters, %d records, %v", n, len(b.effects)-effects, len(b.entries)-entries, err)
	}
}

// held tells whether a card waits for new codes, function, certificate and all.
func (b *bench) held(t *testing.T, id string) bool {
	t.Helper()
	c := b.card(t, id)
	p := b.people[c.CF]
	fn := lifecycle.Functions(c, lifecycle.FactsOf(p, c, []lifecycle.Card{c}), b.clock.Now())[3]
	held := c.State == lifecycle.Suspended && c.Reason == lifecycle.RepresentationEnded
	if held != (fn.Reason == "lifecycle.why.representation-ended") || held && (fn.State != lifecycle.OnHold || b.certs[c.CertSerial] != "held") {
		t.Errorf("card %s, %s, function %+v, certificate %s", c.State, c.Reason, fn, b.certs[c.CertSerial])
	}
	return held
}

// The hold at eighteen is lifted by new codes given to the new adult in person,
// once they are in the chip: not by the CIP that his mother was given, on the web,
// by telephone or with the card's signature, nor by a counter without new codes.
func TestR64_OnlyNewCodesLiftTheHoldAtEighteen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		mother, _ := b.teenager(t)
		old := b.cipNow(t, number)
		b.clock.Set(ofAge)
		b.night(t, counter.MajorityHold, 1)
		if !b.held(t, number) {
			t.Fatal("the card is not on hold")
		}
		op, voice := b.operator(t, "op2", "com"), b.operator(t, "op2", "cc")
		voice.Roles = []staff.Role{staff.RoleCallCentre}
		stays := func(what string, err error, code string) {
			t.Helper()
			refused(t, what, err, code)
			if !b.held(t, number) {
				t.Errorf("%s lifted the hold", what)
			}
		}
		ctx := t.Context()
		_, err := b.ReactivateWithCIP(ctx, number, old, "192.0.2.1", words.Italian)
		stays("the card's signature with the old CIP", err, "CSE-765")
		_, err = b.SuspendWithCIP(ctx, number, old, "192.0.2.2", words.Italian)
		stays("the old CIP suspends", err, "CSE-765")
		_, err = b.RevokeWithCIP(ctx, number, old, "192.0.2.3", words.Italian)
		stays("the old CIP revokes", err, "CSE-765")
		_, err = b.AskPositions(ctx, voice, number)
		stays("digits of the old CIP by telephone", err, "CSE-765")
		_, err = b.ReactivateWithCIP(ctx, number, secretOf("00000000"), "192.0.2.4", words.Italian)
		stays("a wrong CIP learns nothing", err, "CSE-401")
		_, err = b.Reactivate(ctx, op, b.order(t))
		stays("a counter without new codes", err, "CSE-765")
		_, err = b.Reprint(ctx, op, b.order(t))
		stays("the same codes again", err, "CSE-453")
		o := b.order(t)
		o.Identity = forWard(t, mother)
		_, err = b.NewCodes(ctx, op, o)
		stays("new codes for his mother", err, "CSE-437")
		for _, f := range b.Offers(op, b.card(t, number), "201") {
			if f.Kind == counter.KindReactivate {
				t.Error("the sheet offers to reactivate")
			}
		}
		if due, err := b.CodesToChange(ctx, b.card(t, number)); err != nil || !due {
			t.Errorf("new codes are offered: %v, %v", due, err)
		}
		b.clock.Advance(20 * time.Minute) // the wait for the wrong CIP
		a, err := b.NewCodes(ctx, op, b.order(t))
		if err != nil {
			t.Fatal(err)
		}
		fresh := b.cipNow(t, number)
		_, err = b.ReactivateWithCIP(ctx, number, fresh, "192.0.2.5", words.Italian)
		stays("the new CIP before the chip has its PIN", err, "CSE-765")
		if err := b.db.Atomically(ctx, func(ctx context.Context) error { return b.Written(ctx, a.Protocol) }); err != nil {
			t.Fatal(err)
		}
		if c := b.card(t, number); c.State != lifecycle.Active || c.Reason != "" || b.certs[c.CertSerial] != "active" {
			t.Errorf("with the new codes in the chip: %s, %s, certificate %s", c.State, c.Reason, b.certs[c.CertSerial])
		}
		if got := b.told(t, counter.Reactivated); len(got) != 1 || got[0] != "mario@posta.example" {
			t.Errorf("told of it: %v", got)
		}
		if due, err := b.CodesToChange(ctx, b.card(t, number)); err != nil || due {
			t.Errorf("new codes are offered again: %v, %v", due, err)
		}
		b.night(t, counter.MajorityHold, 0)
		if _, err := b.SuspendWithCIP(ctx, number, fresh, "192.0.2.6", words.Italian); err != nil {
			t.Errorf("the new CIP suspends: %v", err)
		}
		if _, err := b.ReactivateWithCIP(ctx, number, fresh, "192.0.2.7", words.Italian); err != nil {
			t.Errorf("and reactivates what its holder suspended: %v", err)
		}
	})
}

// Both parents are told, each at every address by which they are known, and the new
// adult too; with notify the card goes on.
func TestR64_BothParentsAndTheNewAdultAreTold(t *testing.T) {
	for _, how := range []counter.AtMajority{counter.MajorityNotify, counter.MajorityHold} {
		b := newBench(t, storetest.SQLite(t))
		mother, child := b.teenager(t)
		mother.Email = "lucia@posta.example"
		b.enrol(mother)
		father := b.enrol(somebody(t, "Rossi", "Pietro", "1984-04-04", "M"))
		b.issue(t, father, fathersCard, func(c *lifecycle.Card) { c.State, c.ActivatedAt = lifecycle.Active, monday })
		grandpa := somebody(t, "Rossi", "Ugo", "1950-04-04", "M") // the registry's guardian, who never came
		grandpa.Email = "ugo@posta.example"
		b.enrol(grandpa)
		child.Guardians = []registry.Guardian{{CF: grandpa.CF, Kind: registry.Tutor, From: day(t, "2015-01-01")}}
		b.enrol(child)
		if _, err := b.Join(t.Context(), b.operator(t, "op2", "com"), b.joining(t, father)); err != nil {
			t.Fatal(err)
		}
		o := b.order(t) // the mother has another address since
		o.Identity = forWard(t, mother)
		o.Email, o.EmailAgain = "nuovo@posta.example", "nuovo@posta.example"
		if _, err := b.CorrectEmail(t.Context(), b.operator(t, "op2", "com"), o); err != nil {
			t.Fatal(err)
		}
		b.clock.Set(ofAge.Add(-time.Second))
		b.night(t, how, 0)
		b.clock.Set(ofAge)
		b.night(t, how, 2)
		want := []string{"Mario.Rossi@posta.example", "lucia@posta.example", "nuovo@posta.example", "pietro@posta.example", "ugo@posta.example"}
		if got := b.told(t, counter.RightsEnded); !slices.Equal(got, want) {
			t.Errorf("%s: the parents are told at %v, want %v", how, got, want)
		}
		event, other := counter.OfAge, counter.OfAgeHeld
		if how == counter.MajorityHold {
			event, other = other, event
		}
		if got := b.told(t, event); !slices.Equal(got, []string{"luca@posta.example"}) || len(b.told(t, other)) > 0 {
			t.Errorf("%s: the new adult is told at %v, %v", how, got, b.told(t, other))
		}
		if held := b.held(t, number); held != (how == counter.MajorityHold) {
			t.Errorf("%s: on hold %v", how, held)
		}
		if due, err := b.CodesToChange(t.Context(), b.card(t, number)); err != nil || !due {
			t.Errorf("%s: new codes are offered: %v, %v", how, due, err)
		}
		n := 0
		for _, e := range b.entries {
			if e.Act == "representation.ended" && e.Detail["why"] == "majority" && e.Detail["how"] == string(how) {
				n++
			}
		}
		if n != 2 {
			t.Errorf("%s: %d ends on record", how, n)
		}
	}
}

// Midnight is Rome's: of leap days, of the days on which clocks change, of New
// Year. A second before, everything is as it was; from the first one on, nothing
// waits for the night's work: rights have ended and the door knows of the hold.
func TestR64_MidnightOfTheEighteenthBirthday(t *testing.T) {
	at := func(y int, m time.Month, d, h int) time.Time { return time.Date(y, m, d, h, 0, 0, 0, time.UTC) }
	b := newBench(t, storetest.SQLite(t))
	b.writes(t)
	mother, child := b.family(t)
	if _, err := b.activateAs(t, child, forWard(t, mother)); err != nil {
		t.Fatal(err)
	}
	c := b.card(t, number)
	for _, x := range []struct {
		born     string
		midnight time.Time
	}{
		{"2009-02-28", at(2027, 2, 27, 23)},
		{"2008-02-29", at(2026, 2, 28, 23)},  // 1 March: 2026 has no 29 February
		{"2012-02-29", at(2030, 2, 28, 23)},  // nor has 2030
		{"2009-03-28", at(2027, 3, 27, 23)},  // clocks go forward in that night, later
		{"2009-03-29", at(2027, 3, 28, 22)},  // the first midnight of summer time
		{"2009-10-31", at(2027, 10, 30, 22)}, // clocks go back in that night, later
		{"2009-11-01", at(2027, 10, 31, 23)}, // the first midnight of winter time
		{"2010-01-01", at(2027, 12, 31, 23)},
	} {
		child.Born = day(t, x.born)
		b.enrol(child)
		for _, y := range []struct {
			at   time.Time
			over bool
		}{{x.midnight.Add(-time.Second), false}, {x.midnight, true}} {
			b.clock.Set(y.at)
			stands, err := b.Stands(t.Context(), child, mother.CF)
			if err != nil || stands == y.over {
				t.Errorf("born %s, at %s: she stands for him: %v, %v", x.born, y.at, stands, err)
			}
			due, err := b.HoldDue(t.Context(), c)
			if err != nil || due != y.over {
				t.Errorf("born %s, at %s: the hold is due: %v, %v", x.born, y.at, due, err)
			}
			to, err := b.AddressOf(t.Context(), c)
			if err != nil || (to == "") != y.over {
				t.Errorf("born %s, at %s: notices go to %q, %v", x.born, y.at, to, err)
			}
		}
	}
	b.night(t, counter.MajorityHold, 1)
	if !b.held(t, number) {
		t.Error("the card is not on hold")
	}
}

// What the hold leaves alone, and what it takes the place of.
func TestR64_WhatTheHoldConcerns(t *testing.T) {
	for name, c := range map[string]struct {
		before func(t *testing.T, b *bench, mother registry.Person)
		state  lifecycle.State
		reason lifecycle.Reason
	}{
		"suspended by the CIP that his mother had": {func(t *testing.T, b *bench, _ registry.Person) {
			if _, err := b.SuspendWithCIP(t.Context(), number, b.cipNow(t, number), "192.0.2.1", words.Italian); err != nil {
				t.Fatal(err)
			}
		}, lifecycle.Suspended, lifecycle.RepresentationEnded},
		"suspended for a loss": {func(t *testing.T, b *bench, _ registry.Person) {
			x := b.card(t, number)
			x.State, x.Reason, x.SuspendedAt = lifecycle.Suspended, lifecycle.Loss, monday
			b.put(t, x)
		}, lifecycle.Suspended, lifecycle.Loss},
		"ended": {func(t *testing.T, b *bench, mother registry.Person) {
			o := b.order(t)
			o.Identity = forWard(t, mother)
			if _, err := b.Revoke(t.Context(), b.operator(t, "op2", "com"), o); err != nil {
				t.Fatal(err)
			}
		}, lifecycle.Revoked, lifecycle.ByHolder},
		"new codes that his mother had, and the chip not yet": {func(t *testing.T, b *bench, mother registry.Person) {
			o := b.order(t)
			o.Identity = forWard(t, mother)
			a, err := b.NewCodes(t.Context(), b.operator(t, "op2", "com"), o)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { // the reader writes them after midnight: they are hers, and lift nothing
				if err := b.db.Atomically(context.Background(), func(ctx context.Context) error { return b.Written(ctx, a.Protocol) }); err != nil {
					t.Error(err)
				}
				if c, err := b.db.Cards().Get(context.Background(), number); err != nil || c.State != lifecycle.Suspended {
					t.Errorf("codes of his mother's lifted the hold: %s, %v", c.State, err)
				}
			})
		}, lifecycle.Suspended, lifecycle.RepresentationEnded},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, storetest.SQLite(t))
			mother, _ := b.teenager(t)
			c.before(t, b, mother)
			b.clock.Set(ofAge)
			b.night(t, counter.MajorityHold, 1)
			if x := b.card(t, number); x.State != c.state || x.Reason != c.reason {
				t.Errorf("the card is %s, %s", x.State, x.Reason)
			}
		})
	}
}

// A minor who died has no eighteenth birthday: the titles end, and nobody is told
// that he is of age. A parent who died is not written to.
func TestR64_TheDeadAreNotWrittenTo(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	_, child := b.teenager(t)
	child.Died = day(t, "2026-11-20")
	b.enrol(child)
	effects := len(b.effects)
	b.night(t, counter.MajorityHold, 1)
	if len(b.effects) != effects {
		t.Errorf("%d letters about the dead", len(b.effects)-effects)
	}
	if e := b.entries[len(b.entries)-1]; e.Detail["why"] != "death" {
		t.Errorf("on record: %+v", e)
	}

	b = newBench(t, storetest.SQLite(t))
	mother, _ := b.teenager(t)
	mother.Died = day(t, "2026-11-20")
	b.enrol(mother)
	b.clock.Set(ofAge)
	b.night(t, counter.MajorityHold, 1)
	if got := b.told(t, counter.RightsEnded); len(got) != 0 {
		t.Errorf("the dead mother is told at %v", got)
	}
	if got := b.told(t, counter.OfAgeHeld); !slices.Equal(got, []string{"luca@posta.example"}) {
		t.Errorf("the new adult is told at %v", got)
	}
}
