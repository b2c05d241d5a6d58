package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/queue"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
)

// Table D.11 of the rules (docs/decisions/0692), row by row, over the real rooms:
// counter, registry, production, night, authority, codes, mail, the lists of the
// counters. Function states are in the order TS, codice fiscale, TEAM, CNS.

// plight is all that an event may change of an old card.
type plight struct {
	state     lifecycle.State
	functions string
	cert      string // of the authority's records, with the reason
	codes     bool
	mails     string // what left for the holder since the event, by kind
	tasks     string // what waits at the counters about this card
}

// observer looks at one card; mails are counted from when it was made.
type observer struct {
	t      *testing.T
	p      *Platform
	r      *region
	id     string
	before map[string]bool
}

func observe(t *testing.T, p *Platform, r *region, id string) *observer {
	t.Helper()
	o := &observer{t: t, p: p, r: r, id: id, before: map[string]bool{}}
	for _, i := range must(p.queue.List(t.Context(), queue.Filter{Card: id, Limit: 1000})) {
		o.before[i.Key] = true
	}
	return o
}

func (o *observer) now() plight {
	o.t.Helper()
	ctx, c := o.t.Context(), card(o.t, o.p, o.id)
	who := must(o.p.db.People().Get(ctx, c.CF))
	cards := must(o.p.db.Cards().ByPerson(ctx, c.CF))
	var states []string
	for _, f := range lifecycle.Functions(c, lifecycle.FactsOf(who, c, cards), o.r.clock.Now()) {
		states = append(states, string(f.State))
	}
	x := plight{state: c.State, functions: strings.Join(states, " "), codes: must(o.p.cips.Has(ctx, o.id))}
	rec := must(o.p.authority.Get(ctx, c.CertSerial))
	if x.cert = string(rec.State); rec.Reason != 0 || rec.State == "revoked" {
		x.cert += fmt.Sprint(" ", rec.Reason)
	}
	var mails, tasks []string
	for _, i := range must(o.p.queue.List(ctx, queue.Filter{Card: o.id, Limit: 1000})) {
		if kind := strings.SplitN(i.Key, "/", 3); !o.before[i.Key] && strings.HasPrefix(i.Kind, "mail.") {
			mails = append(mails, strings.TrimPrefix(i.Kind, "mail.")+":"+kind[1])
		}
	}
	for _, account := range []string{"anna", "ettore"} {
		for _, k := range must(o.p.tasks(ctx, operatorOf(o.t, o.p, account))) {
			if k.Card == o.id {
				tasks = append(tasks, account+":"+k.Kind)
			}
		}
	}
	slices.Sort(mails)
	slices.Sort(tasks)
	x.mails, x.tasks = strings.Join(mails, " "), strings.Join(tasks, " ")
	return x
}

func (o *observer) want(when string, want plight) {
	o.t.Helper()
	if got := o.now(); got != want {
		o.t.Errorf("%s:\n got %+v\nwant %+v", when, got, want)
	}
}

// oldCards is a region with a Comune, a Revenue Agency's office, and n cards in
// use, whose forms lie printed on the desk: anna has still to tick them. The last
// of the numbers is of a card that only lies at its holder's.
func oldCards(t *testing.T, chiplessEvery, n int) (*Platform, *region, []string) {
	t.Helper()
	r := newRegion(t)
	r.config.Counters = append(r.config.Counters, staff.Office{ID: "ade1", Type: staff.ADE, Name: "Agenzia delle Entrate", Comune: "D612"})
	r.config.Issue.ChiplessEvery = chiplessEvery
	r.employ(t, "ettore", 12, staff.RoleOperator)
	r.config.Operators[len(r.config.Operators)-1].Offices = []string{"ade1"}
	p := r.open(t, Options{}, "web", "print")
	cards := adultsCards(t, p, r, n+2)[1:]
	anna := operatorOf(t, p, "anna")
	for _, id := range cards[:n] {
		d := draftedFor(t, p, r, anna, id)
		a, err := p.counter.Activate(t.Context(), anna, d.ID, d.Version)
		check(t, err)
		check(t, p.counter.Printed(t.Context(), anna, a.Protocol))
	}
	return p, r, cards
}

const (
	allGood  = "valid valid valid valid"
	noCNS    = "valid valid valid revoked"
	onlyCF   = "ended valid ended revoked"
	atDesk   = "anna:handover"
	byAgent  = "ettore:print" // the receipt of the act
	receipts = "anna:print"
)

// The events that a counter or the registry brings.
func TestD11_WhatAnEventDoesToTheOldCard(t *testing.T) {
	t.Parallel()
	p, r, cards := oldCards(t, 0, 7)
	ctx, anna, ettore := t.Context(), operatorOf(t, p, "anna"), operatorOf(t, p, "ettore")
	before := plight{lifecycle.Active, allGood, "good", true, "", atDesk}
	row := func(id string, change map[string]string) {
		t.Helper()
		imported(t, p, r.row(t, card(t, p, id).CF, change))
	}
	acted := func(a counter.Act, err error) {
		t.Helper()
		check(t, err)
	}
	today, yesterday := civil.Today(r.clock).String(), civil.Today(r.clock).AddDays(-1).String()
	for n, c := range []struct {
		event string
		do    func(id string)
		want  plight
		next  bool // a new card is ordered
	}{
		{
			"loss", func(id string) { acted(p.counter.LossOrTheft(ctx, ettore, asked(t, p, r, id))) },
			plight{lifecycle.Revoked, onlyCF, "revoked 1", false, "notice:lost", byAgent},
			true,
		},
		{
			"chip fault", func(id string) { acted(p.counter.ChipFault(ctx, ettore, asked(t, p, r, id))) },
			plight{lifecycle.Revoked, noCNS, "revoked 0", false, "notice:ordered", byAgent},
			true,
		},
		{
			"wrong data", func(id string) { row(id, map[string]string{"nome": "GIUSTO"}) },
			plight{lifecycle.Active, allGood, "good", true, "", atDesk},
			true,
		},
		{
			"suspended", func(id string) { acted(p.counter.Suspend(ctx, anna, asked(t, p, r, id))) },
			plight{lifecycle.Suspended, "valid valid valid suspended", "held", true, "notice:suspended", atDesk + " " + receipts},
			false,
		},
		{
			"revoked at the holder's word", func(id string) { acted(p.counter.Revoke(ctx, anna, asked(t, p, r, id))) },
			plight{lifecycle.Revoked, noCNS, "revoked 5", false, "notice:revoked", receipts},
			false,
		},
		{
			"death", func(id string) { row(id, map[string]string{"data_decesso": today}) },
			plight{lifecycle.Revoked, onlyCF, "revoked 5", false, "", ""},
			false,
		},
		{
			"end of assistance", func(id string) { row(id, map[string]string{"assistito_al": yesterday}) },
			plight{lifecycle.Revoked, onlyCF, "revoked 5", false, "", ""},
			false,
		},
	} {
		id := cards[n]
		o := observe(t, p, r, id)
		o.want("before the "+c.event, before)
		c.do(id)
		o.want(c.event, c.want)
		if next := card(t, p, id).ReplacedBy; (next != "") != c.next {
			t.Errorf("%s: followed by %q, want a card: %t", c.event, next, c.next)
		}
	}

	// Chip fault and wrong data: TS and TEAM until the new card is delivered; the
	// CNS of a card with wrong data until the new one is in use.
	fault, wrong := observe(t, p, r, cards[1]), observe(t, p, r, cards[2])
	arrive := func(id string, active bool) {
		x := card(t, p, card(t, p, id).ReplacedBy)
		x.State, x.ShippedAt, x.DeliveredAt = lifecycle.Delivered, r.clock.Now(), r.clock.Now()
		if active {
			x.State, x.ActivatedAt = lifecycle.Active, r.clock.Now()
		}
		put(t, p, x)
	}
	arrive(cards[1], false)
	fault.want("the new card instead of the faulty one is delivered", plight{lifecycle.Revoked, onlyCF, "revoked 0", false, "", byAgent})
	arrive(cards[2], false)
	wrong.want("the card with right data is delivered", plight{lifecycle.Active, "ended valid ended valid", "good", true, "", atDesk})
	arrive(cards[2], true)
	_, err := p.counter.Sweep(ctx)
	check(t, err)
	wrong.want("the card with right data is in use", plight{lifecycle.Replaced, onlyCF, "revoked 3", false, "", ""})

	// Theft is as loss. This card's form was ticked long ago.
	stolen, o := observe(t, p, r, r.active), asked(t, p, r, r.active)
	o.Report.Theft = true
	acted(p.counter.LossOrTheft(ctx, ettore, o))
	stolen.want("theft", plight{lifecycle.Revoked, onlyCF, "revoked 1", false, "notice:lost", byAgent})

	// Not received: the posted card is void, cannot be activated, and is withdrawn
	// when it turns up.
	lost := observe(t, p, r, cards[7])
	if c := card(t, p, lost.id); c.State != lifecycle.Delivered {
		t.Fatalf("%s is %s", lost.id, c.State)
	}
	acted(p.counter.NotReceived(ctx, ettore, asked(t, p, r, lost.id)))
	lost.want("not received", plight{lifecycle.Revoked, onlyCF, "revoked 5", false, "notice:ordered", byAgent})
	if _, err := p.counter.StartDraft(ctx, anna, counter.CardStep{Card: lost.id, LastFive: lost.id[11:], NoReader: "lettore guasto"}); err == nil {
		t.Error("the void card can be activated")
	}
	acted(p.counter.Withdraw(ctx, anna, asked(t, p, r, lost.id)))
	lost.want("withdrawn", plight{lifecycle.Revoked, onlyCF, "revoked 5", false, "notice:ordered", receipts + " " + byAgent})

	// A suspension for a loss without a report leaves TS and TEAM; the report takes them.
	held := observe(t, p, r, cards[3])
	acted(p.counter.LossOrTheft(ctx, ettore, asked(t, p, r, held.id)))
	held.want("suspended, then the report", plight{lifecycle.Revoked, onlyCF, "revoked 1", false, "notice:lost", receipts + " " + byAgent})
}

// The renewal, through the night, the bureau and the post: a successor with chip
// ends the old CNS thirty days after its activation, at the holder's word, or not
// at all; one without never does. TS and TEAM last to the printed date.
func TestD11_RenewalAndTheOldCard(t *testing.T) {
	t.Parallel()
	const over = "expired valid expired expired"
	for _, successor := range []struct {
		name     string
		chipless int
	}{{"with chip", 0}, {"without chip", 1}} {
		t.Run(successor.name, func(t *testing.T) {
			t.Parallel()
			p, r, cards := oldCards(t, successor.chipless, 3)
			ctx, anna := t.Context(), operatorOf(t, p, "anna")
			last := card(t, p, cards[0]).Expires
			r.clock.Set(last.AddDays(-60).Start().Add(10 * time.Hour))
			check(t, r.produce(ctx, p))
			var old []*observer
			for _, id := range cards[:3] {
				next := card(t, p, card(t, p, id).ReplacedBy)
				if next.State != lifecycle.Delivered || next.HasChip() != (successor.chipless == 0) {
					t.Fatalf("the successor: %+v", next)
				}
				old = append(old, observe(t, p, r, id))
				old[len(old)-1].want("the successor is delivered", plight{lifecycle.Active, allGood, "good", true, "", atDesk})
			}
			night := func(day civil.Date) {
				t.Helper()
				r.clock.Set(day.Start().Add(3 * time.Hour))
				_, err := p.night(ctx)
				check(t, err)
			}
			word := old[1]
			_, err := p.counter.Revoke(ctx, anna, asked(t, p, r, word.id))
			check(t, err)
			word.want("at the holder's word", plight{lifecycle.Revoked, noCNS, "revoked 5", false, "notice:revoked", receipts})
			until := last // of the CNS of the first card
			if successor.chipless == 0 {
				d := draftedFor(t, p, r, anna, card(t, p, old[0].id).ReplacedBy)
				_, err := p.counter.Activate(ctx, anna, d.ID, d.Version)
				check(t, err)
				until = civil.Today(r.clock).AddDays(lifecycle.SuccessorGrace)
				old[0].want("the successor is activated", plight{lifecycle.Active, allGood, "good", true, "", atDesk})
				night(until)
				old[0].want("thirty days after", plight{lifecycle.Active, allGood, "good", true, "", atDesk})
				night(until.AddDays(1))
				old[0].want("thirty-one days after", plight{lifecycle.Replaced, noCNS, "revoked 4", false, "", ""})
			}
			night(last)
			for _, o := range old[1:] {
				if x := o.now(); !strings.HasPrefix(x.functions, "valid valid valid") {
					t.Errorf("%s on its last day: %+v", o.id, x)
				}
			}
			if x := old[2].now(); x.functions != allGood || x.cert != "good" || !x.codes {
				t.Errorf("never activated or chipless successor, on the last day: %+v", x)
			}
			night(last.AddDays(1))
			old[2].want("the day after", plight{lifecycle.Expired, over, "good", false, old[2].now().mails, ""})
			if x := old[1].now(); x.functions != "expired valid expired revoked" {
				t.Errorf("revoked, the day after: %+v", x)
			}
			if x := old[0].now(); !strings.HasPrefix(x.functions, "expired valid expired") {
				t.Errorf("%s, the day after: %+v", old[0].id, x)
			}
			clean(t, p)
		})
	}
}
