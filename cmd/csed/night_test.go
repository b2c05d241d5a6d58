package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/pki/ca"
)

// newcomer is a row that the region does not have.
func newcomer(t *testing.T, today civil.Date) []string {
	t.Helper()
	var file bytes.Buffer
	if err := registry.Generate(&file, 1, 99, today); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1]
}

// nights counts the nights that the trail knows of.
func nights(t *testing.T, p *Platform) int {
	t.Helper()
	recs, err := p.trail.Page(t.Context(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, r := range recs {
		if r.Act == "night.done" {
			n++
		}
	}
	return n
}

func imported(t *testing.T, p *Platform, rows ...[]string) registry.Report {
	t.Helper()
	rep, err := p.ImportPeople(t.Context(), csvOf(t, rows...))
	if err != nil || rep.Rejected > 0 {
		t.Fatalf("%+v, %v", rep, err)
	}
	return rep
}

// The night comes once a day after two o'clock in Rome, whoever restarts, and
// not while another process has the plant.
func TestTheNight(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	p := r.open(t, Options{}, "web")
	imported(t, p, newcomer(t, civil.Today(r.clock)), r.row(t, card(t, p, r.waiting).CF, map[string]string{"assistito_al": "2026-10-04"}))
	if got := card(t, p, r.waiting).State; got != lifecycle.Delivered {
		t.Fatalf("a card ended before its holder's last day: %s", got)
	}
	at := func(text string) time.Time {
		t.Helper()
		x, err := time.ParseInLocation("2006-01-02 15:04", text, civil.Rome)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	watch := &watchman{p: p}
	for _, step := range []struct {
		at      string
		restart bool
		nights  int
		state   lifecycle.State // of the card whose holder's assistance ends on the 4th
		ordered int             // batches
	}{
		{at: "2026-10-04 00:30", nights: 0, state: lifecycle.Delivered, ordered: 1},
		{at: "2026-10-04 01:59", nights: 0, state: lifecycle.Delivered, ordered: 1},
		{at: "2026-10-04 02:00", nights: 1, state: lifecycle.Delivered, ordered: 2},
		{at: "2026-10-04 02:01", nights: 1, state: lifecycle.Delivered, ordered: 2},
		{at: "2026-10-04 23:59", nights: 1, state: lifecycle.Delivered, ordered: 2, restart: true},
		{at: "2026-10-05 01:00", nights: 1, state: lifecycle.Delivered, ordered: 2},
		{at: "2026-10-05 14:00", nights: 2, state: lifecycle.Revoked, ordered: 2}, // it was switched off at two
		{at: "2026-10-05 14:01", nights: 2, state: lifecycle.Revoked, ordered: 2, restart: true},
	} {
		r.clock.Set(at(step.at))
		if step.restart {
			watch = &watchman{p: p}
		}
		if err := watch.turn(t.Context()); err != nil {
			t.Fatalf("%s: %v", step.at, err)
		}
		batches, err := p.db.Batches().List(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		if got := nights(t, p); got != step.nights || len(batches) != step.ordered {
			t.Errorf("%s: %d nights and %d batches, want %d and %d", step.at, got, len(batches), step.nights, step.ordered)
		}
		if got := card(t, p, r.waiting).State; got != step.state {
			t.Errorf("%s: the card is %s, want %s", step.at, got, step.state)
		}
	}
	r.clock.Set(at("2026-10-06 03:00"))
	lock, err := p.Config.hold(dutyProduction)
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.turn(t.Context()); err != nil || nights(t, p) != 2 {
		t.Errorf("while somebody else produces: %d nights, %v", nights(t, p), err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if err := watch.turn(t.Context()); err != nil || nights(t, p) != 3 {
		t.Errorf("afterwards: %d nights, %v", nights(t, p), err)
	}
	clean(t, p)
}

// A night that fails is tried again, but not every minute.
func TestTheNightFails(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	p := r.open(t, Options{}, "web")
	p.Config.Issue.BureauFile = "platform.db" // no bureau's
	r.clock.Set(time.Date(2026, 10, 4, 3, 0, 0, 0, time.UTC))
	watch := &watchman{p: p}
	if err := watch.turn(t.Context()); err == nil {
		t.Fatal("a night without a bureau's keys went well")
	}
	p.Config.Issue.BureauFile = "nowhere.json"
	r.clock.Advance(time.Minute)
	if err := watch.turn(t.Context()); err != nil || nights(t, p) != 0 {
		t.Errorf("a minute later: %d nights, %v", nights(t, p), err)
	}
	r.clock.Advance(retryNight)
	if err := watch.turn(t.Context()); err != nil || nights(t, p) != 1 {
		t.Errorf("later: %d nights, %v", nights(t, p), err)
	}
}

// Cards that reach their day end in the night.
func TestTheNightEndsWhatHasExpired(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	p := r.open(t, Options{}, "web")
	c := card(t, p, r.active)
	r.clock.Set(c.Expires.End().Add(6 * time.Hour))
	if _, err := p.counter.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := card(t, p, r.active).State; got != lifecycle.Expired {
		t.Errorf("the card is %s", got)
	}
	clean(t, p)
}

// An import that tells of a death ends the cards in the same act; told again, it
// changes nothing.
func TestImportEndsCards(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change map[string]string
		why    lifecycle.Reason
	}{
		"death":             {map[string]string{"data_decesso": "2026-10-01"}, lifecycle.Death},
		"end of assistance": {map[string]string{"assistito_al": "2026-10-02"}, lifecycle.EndOfAssistance},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRegion(t)
			p := r.open(t, Options{}, "web")
			before := card(t, p, r.active)
			row := r.row(t, before.CF, c.change)
			if rep := imported(t, p, row); rep.Changed != 1 {
				t.Fatalf("%+v", rep)
			}
			after := card(t, p, r.active)
			if after.State != lifecycle.Revoked || after.Reason != c.why {
				t.Errorf("the card is %s (%s), want revoked (%s)", after.State, after.Reason, c.why)
			}
			cert, err := p.authority.Get(t.Context(), before.CertSerial)
			if err != nil || cert.State != ca.Revoked {
				t.Errorf("the certificate is %s, %v", cert.State, err)
			}
			clean(t, p) // no codes left, among other things
			if rep := imported(t, p, row); rep.Changed != 0 || card(t, p, r.active).Version != after.Version {
				t.Errorf("told twice: %+v", rep)
			}
			if got := card(t, p, r.waiting).State; got != lifecycle.Delivered {
				t.Errorf("somebody else's card is %s", got)
			}
		})
	}
}

// Somebody dies while his card is made, at each step of production: neither the
// card nor its certificate outlives him.
func TestDeathDuringProduction(t *testing.T) {
	t.Parallel()
	for step, name := range []string{"ordered", "in the order file", "keys made", "certified"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRegion(t)
			p := r.open(t, Options{}, "web")
			row := newcomer(t, civil.Today(r.clock))
			r.people = append(r.people, row)
			imported(t, p, row)
			plant, err := p.factory(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			b, err := r.bureau(p)
			if err != nil {
				t.Fatal(err)
			}
			advance := func(ctx context.Context) error { _, err := plant.AdvanceAll(ctx); return err }
			order := func(ctx context.Context) error { _, err := plant.OrderMissing(ctx); return err }
			for n, do := range []func(context.Context) error{order, advance, b.Work, advance, b.Work, advance} {
				if err := do(t.Context()); err != nil {
					t.Fatal(err)
				}
				if n != step {
					continue
				}
				cf := r.people[len(r.people)-1][0]
				imported(t, p, r.row(t, codicefiscale.Code(cf), map[string]string{"data_decesso": "2026-10-03"}))
				clean(t, p)
			}
			cards, err := p.db.Cards().ByPerson(t.Context(), codicefiscale.Code(row[0]))
			if err != nil || len(cards) != 1 || cards[0].State != lifecycle.Revoked {
				t.Errorf("%+v, %v", cards, err)
			}
			open, err := p.batchesIn(t.Context(), []production.State{production.Filling, production.Filled, production.Keyed, production.Certified})
			if err != nil || len(open) > 0 {
				t.Errorf("batches left: %v, %v", open, err)
			}
			clean(t, p)
		})
	}
}
