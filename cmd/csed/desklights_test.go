package main

import (
	"path/filepath"
	"testing"
	"time"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
)

// chipImage makes the image of a chip that was never finished: of what it should
// hold it has what write puts there.
func chipImage(t *testing.T, write func(c *chip.Chip)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "chip.cse")
	c, err := chip.Create(path, cns.Neutral())
	check(t, err)
	if write != nil {
		write(c)
	}
	check(t, c.Save())
	check(t, c.Close())
	return path
}

// Journey D over HTTP: the counter's reader reads the card of an activation, and
// answers the five lights of a chip fault, with the real program, over the real listener and store. What
// the act keeps says who answered.
func TestR33_R52_R59_TheCountersReaderReadsAndTests(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	keys := r.offices(t)
	d := newDeskProgram(t, r, "asl")
	p := r.serve(t, knownRoles()...)
	d.p, d.authority = p, p.webCA.Path()
	ctx := t.Context()
	op := operatorOf(t, p, "al-asl")
	holder := p.give(t, invented(t, "BIANCHI", "ALBA", civil.Today(r.clock).AddYears(-40)), 991_001, nil)
	numbered := func(c lifecycle.Card) string {
		return chipImage(t, func(x *chip.Chip) { check(t, x.WriteFile(cns.EFIDCarta, []byte(c.ID))) })
	}
	s := keys["asl"].work(t, p, r.clock)
	// ask presses the reader's button, answers what the program says and goes to the
	// page that waits again.
	ask := func(action, image, code string) {
		t.Helper()
		s.submit(action, "")
		waits := s.b.Page.URL
		out, err := d.once(image)
		if (err != nil) != (code != "") {
			t.Fatalf("the program: %v %s", err, out)
		}
		check(t, s.b.Get(ctx, waits.String()))
		if s.b.Page.Code() != code {
			t.Fatalf("%s %q, want %q: %s", s.b.Page.Where(), s.b.Page.Code(), code, s.b.Page.Text())
		}
	}

	// The activation's first step.
	first := "/sportello/attivazione?tessera=" + holder.ID
	s.at(first)
	s.submit("/sportello/attivazione", "CSE-441", "tessera_ultime_cinque", holder.ID[11:]) // typed, and there is a reader
	s.at(first)
	ask("/attivazione/lettura", filepath.Join(p.Config.under("cards"), r.active+".cse"), "CSE-475")
	s.at(first)
	s.submit("/attivazione/lettura", "")
	waits := s.b.Page.URL.String()
	r.clock.Advance(5 * time.Minute) // nobody answers
	check(t, s.b.Get(ctx, waits))
	if s.b.Page.Code() != "CSE-472" {
		t.Errorf("without an answer: %s %s", s.b.Page.Where(), s.b.Page.Code())
	}
	s.at(first)
	ask("/attivazione/lettura", numbered(holder), "")
	s.see("Tessera letta nel lettore")
	s.submit("/sportello/attivazione", "")
	s.submit("/2", "", s.document("presente", "titolare")...)
	s.submit("/3", "", "email", "alba@posta.example", "email_ripetuta", "alba@posta.example", "consenso", "si")
	s.submit("/4", "")
	s.see("Tessera letta nel lettore dello sportello")
	s.papers()
	s.handOver()
	if x := records(t, p, "card.activated")[0]; x.Card != holder.ID || x.Detail["shown"] != counter.ByReader {
		t.Errorf("the trail: %+v", x)
	}

	// The five lights: a chip that works is not replaced, whoever ticks what.
	c := card(t, p, r.active)
	chips := p.Config.under("cards")
	good := s.document("presente", "titolare", "indirizzo", "si")
	test := c.ID + "/chip-guasto"
	s.act(c, "chip-guasto")
	ask("/lettura/chip-guasto", filepath.Join(chips, r.waiting+".cse"), "CSE-475")
	s.act(c, "chip-guasto")
	ask("/lettura/chip-guasto", filepath.Join(chips, c.ID+".cse"), "")
	s.see("il chip funziona", "Il chip risponde", "Il certificato si legge")
	s.submit(test, "CSE-482", good...)
	// One whose files are gone does not say which card it is: the printed digits do.
	s.act(c, "chip-guasto")
	ask("/lettura/chip-guasto", chipImage(t, nil), "")
	s.see("file illeggibili", "Il certificato non si legge")
	s.submit(test, "CSE-133", good...)
	s.submit(test, "CSE-132", append([]string{"tessera_ultime_cinque", r.waiting[11:]}, good...)...)
	s.submit(test, "", append([]string{"tessera_ultime_cinque", c.ID[11:]}, good...)...)
	s.see("Prova del chip", "Ha risposto il lettore dello sportello")
	if got := card(t, p, c.ID); got.State != lifecycle.Revoked || got.Reason != lifecycle.ChipFault {
		t.Errorf("the card is %s (%s)", got.State, got.Reason)
	}
	if x := records(t, p, "card.faulty")[0]; x.Detail["lights"] != counter.ByReader || x.Detail["diagnosis"] != "counter" {
		t.Errorf("the trail: %+v", x)
	}

	// Ticked by hand it wants a reason, and the act says that it was by hand.
	s.act(holder, "chip-guasto")
	hand := append([]string{"provata", "si", "conclusione", "si"}, good...)
	s.submit("/tessera/"+holder.ID+"/chip-guasto", "CSE-441", hand...)
	s.submit("/tessera/"+holder.ID+"/chip-guasto", "", append([]string{"motivo", "il lettore non si accende"}, hand...)...)
	s.see("Spuntata a mano. Motivo: il lettore non si accende")
	if x := records(t, p, "card.faulty")[0]; x.Card != holder.ID || x.Detail["lights"] != counter.ByHand {
		t.Errorf("the trail: %+v", x)
	}
	a, err := p.counter.Act(ctx, op, records(t, p, "card.faulty")[0].Detail["protocol"])
	if err != nil || a.Lights == nil || a.Lights.Reason != "il lettore non si accende" {
		t.Errorf("kept: %+v, %v", a.Lights, err)
	}
	if len(records(t, p, "card.tested-at-desk")) != 2 || len(records(t, p, "desk.failed")) != 2 {
		t.Errorf("%d tests and %d failures in the trail", len(records(t, p, "card.tested-at-desk")), len(records(t, p, "desk.failed")))
	}
	sound(t, p)
}
