package counter_test

import (
	"context"
	"slices"
	"testing"

	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
)

// withReader is the bench's counter with a reader that read, and tested, one card.
func (b *bench) withReader(t *testing.T, lights counter.Lights) *counter.Counter {
	t.Helper()
	d := b.deps
	believe := func(_ context.Context, op staff.Operator, job, card string) error {
		if job != "lettura" || card != number || op.Account != "op1" {
			return words.Refuse("CSE-474")
		}
		return nil
	}
	d.Read = believe
	d.Tested = func(ctx context.Context, op staff.Operator, job, card string) (counter.Lights, error) {
		return lights, believe(ctx, op, job, card)
	}
	c, err := counter.New(d)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// entry is the newest of an act in the journal.
func (b *bench) entry(t *testing.T, act string) journal.Entry {
	t.Helper()
	for _, e := range slices.Backward(b.entries) {
		if e.Act == act {
			return e
		}
	}
	t.Fatalf("the journal has no %s", act)
	return journal.Entry{}
}

// The first step of an activation believes the reader, for that card and operator
// alone; the act keeps whether the number was read or typed, and why (R52's rule).
func TestR52_R59_AnActivationKeepsHowTheCardWasShown(t *testing.T) {
	for _, x := range []struct {
		name    string
		step    counter.CardStep
		account string
		code    string // empty: activated
		by, why string
	}{
		{"read", counter.CardStep{Card: number, Reading: "lettura"}, "op1", "", counter.ByReader, ""},
		{"typed", counter.CardStep{Card: number, LastFive: number[11:], NoReader: "lettore guasto"}, "op1", "", counter.ByTyping, "lettore guasto"},
		{"another's reading", counter.CardStep{Card: number, Reading: "lettura"}, "op2", "CSE-474", "", ""},
		{"an old reading", counter.CardStep{Card: number, Reading: "ieri"}, "op1", "CSE-474", "", ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			b := newBench(t, storetest.SQLite(t))
			b.issue(t, b.mario(t), number, nil)
			c, op := b.withReader(t, counter.Lights{}), b.operator(t, x.account, "asl1")
			d, err := c.StartDraft(t.Context(), op, x.step)
			if x.code != "" {
				refused(t, x.name, err, x.code)
				return
			}
			if err == nil {
				d, err = c.Identify(t.Context(), op, d.ID, d.Version, goodIdentity(t))
			}
			if err == nil {
				d, err = c.Contacts(t.Context(), op, d.ID, d.Version, goodContact())
			}
			if err != nil {
				t.Fatal(err)
			}
			a, err := c.Activate(t.Context(), op, d.ID, d.Version)
			if err != nil {
				t.Fatal(err)
			}
			if a.Shown == nil || a.Shown.By != x.by || a.Shown.Reason != x.why {
				t.Errorf("kept: %+v", a.Shown)
			}
			if got := b.entry(t, "card.activated").Detail["shown"]; got != x.by {
				t.Errorf("journal: %q", got)
			}
		})
	}
}

// The reason of a number typed for a reprint stays with the act.
func TestR52_AReprintKeepsWhyTheNumberWasTyped(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	op, _, _ := b.activated(t)
	a, err := b.Reprint(t.Context(), op, b.order(t))
	if err != nil || a.Shown == nil || *a.Shown != (counter.Shown{By: counter.ByTyping, Reason: "lettore guasto"}) {
		t.Errorf("%+v, %v", a.Shown, err)
	}
}

// The reader answers the five questions; hands do only with a reason, and the act
// keeps who did.
func TestR33_TheReaderAnswersTheFiveLights(t *testing.T) {
	works := counter.Lights{ATR: true, Files: true, Certificate: true, PIN: true, PUK: true, Number: true, Answer: "3BFF"}
	with := func(change func(*counter.Lights)) counter.Lights {
		l := works
		change(&l)
		return l
	}
	hand := func(reason string) func(*counter.Order) {
		return func(o *counter.Order) { o.Reading, o.NoReader, o.Shown = "", reason, counter.CardStep{} }
	}
	mute := counter.Lights{PIN: true, PUK: true}
	for _, x := range []struct {
		name   string
		found  counter.Lights
		change func(*counter.Order)
		code   string // empty: the card is replaced
		by     string
	}{
		{"it works", works, nil, "CSE-482", ""},
		{"it works, whatever is ticked", works, func(o *counter.Order) { o.Lights = &mute }, "CSE-482", ""},
		{"the PIN is blocked", with(func(l *counter.Lights) { l.PIN = false }), nil, "CSE-482", ""},
		{"no certificate", with(func(l *counter.Lights) { l.Certificate = false }), nil, "", counter.ByReader},
		{"files cannot be read", with(func(l *counter.Lights) { l.Files, l.Number = false, false }), nil, "", counter.ByReader},
		{"mute, and no number told", mute, func(o *counter.Order) { o.Shown.LastFive = "" }, "CSE-133", ""},
		{"mute, and another card", mute, func(o *counter.Order) { o.Shown.LastFive = "00016" }, "CSE-132", ""},
		{"mute", mute, nil, "", counter.ByReader},
		{"another test", mute, func(o *counter.Order) { o.Reading = "ieri" }, "CSE-474", ""},
		{"by hand", works, hand("il lettore non si accende"), "", counter.ByHand},
		{"by hand without a reason", works, hand(""), "CSE-441", ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			b := newBench(t, storetest.SQLite(t))
			op, _, _ := b.activated(t)
			o := b.order(t)
			o.Reading = "lettura"
			if x.change != nil {
				x.change(&o)
			}
			a, err := b.withReader(t, x.found).ChipFault(t.Context(), op, o)
			if x.code != "" {
				refused(t, x.name, err, x.code)
				if got := b.card(t, number).State; got != lifecycle.Active {
					t.Errorf("refused, and the card is %s", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if a.Lights == nil || a.Lights.By != x.by || (a.Lights.Reason != "") != (x.by == counter.ByHand) {
				t.Errorf("kept: %+v", a.Lights)
			}
			if got := b.entry(t, "card.faulty").Detail["lights"]; got != x.by {
				t.Errorf("journal: %q", got)
			}
		})
	}
}
