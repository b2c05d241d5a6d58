package main

import (
	"context"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/registry"
	"cse.example/cse/pki/ca"
)

// C16 and the eighteenth birthday over HTTP, with minors.at18: hold. A second before
// midnight the card opens the area; from midnight on neither the card nor an open
// session does, before anybody has looked; the first look suspends card and
// certificate, once. The CIP that the mother was given suspends, reactivates and
// revokes nothing, the card's signature is refused at the door, the sheet says why
// and offers new codes; with them in the chip the card opens again.
func TestR64_TheEighteenthBirthdayAtTheDoor(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	midnight := civil.DayOf(time.Now()).Start() // the browser checks certificates on the machine's day
	r.clock.Set(midnight.Add(-2 * time.Hour))
	keys := r.offices(t)
	r.config.Minors.At18 = string(counter.MajorityHold)
	p := r.serve(t, knownRoles()...)
	id := r.active
	today := civil.Today(r.clock)
	mother := invented(t, "VERDI", "ANNA", today.AddYears(-45))
	mother.Email = "anna@posta.example"
	x, err := p.db.People().Get(t.Context(), card(t, p, id).CF)
	check(t, err)
	x.Born, x.Email = today.AddYears(-18).AddDays(1), "ragazzo@posta.example"
	x.Guardians = []registry.Guardian{{CF: mother.CF, Kind: registry.Parent, From: x.Born}}
	check(t, p.db.Atomically(t.Context(), func(ctx context.Context) error {
		if _, err := p.db.People().Put(ctx, mother); err != nil {
			return err
		}
		_, err := p.db.People().Put(ctx, x)
		return err
	}))
	s := keys["aslb"].work(t, p, r.clock)
	s.act(card(t, p, id), "ristampa")
	s.submit("/ristampa", "", s.document("presente", "genitore", "rappresentante_cf", string(mother.CF), "tessera_ultime_cinque", id[11:],
		"motivo", "lettore guasto", "email", "casa@posta.example", "email_ripetuta", "casa@posta.example")...)
	cip, chip := string(cipOf(t, p, id).Reveal()), r.cardOf(t, p)

	r.clock.Set(midnight.Add(-time.Second))
	b := enter(t, p, chip)
	if b.Page.URL.Path != "/tessera" {
		t.Fatalf("a second before: %s %s", b.Page.Where(), b.Page.Code())
	}
	r.clock.Set(midnight)
	if c := card(t, p, id); c.State != lifecycle.Active {
		t.Fatalf("nobody has looked, and the card is %s", c.State)
	}
	if got := enter(t, p, chip).Page.Code(); got != "CSE-765" {
		t.Errorf("at midnight the door says %q", got)
	}
	check(t, b.Get(t.Context(), p.Config.Public.Portal+"/tessera"))
	if got := b.Page.Code(); got != "CSE-765" {
		t.Errorf("the open session: %s %q", b.Page.Where(), got)
	}

	watch := &watchman{p: p}
	for range 2 {
		check(t, watch.turn(t.Context()))
		check(t, watch.midnight(t.Context()))
	}
	c := card(t, p, id)
	cert, err := p.authority.Get(t.Context(), c.CertSerial)
	check(t, err)
	if c.State != lifecycle.Suspended || c.Reason != lifecycle.RepresentationEnded || cert.State != ca.Held {
		t.Fatalf("after the look: %s, %s, certificate %s", c.State, c.Reason, cert.State)
	}
	if n := len(records(t, p, "card.held")); n != 1 {
		t.Errorf("held %d times", n)
	}
	ended, grown := noticesTo(t, p, counter.RightsEnded), noticesTo(t, p, counter.OfAgeHeld)
	if len(ended) != 2 || !ended["casa@posta.example"] || !ended["anna@posta.example"] || len(grown) != 1 || !grown["ragazzo@posta.example"] {
		t.Errorf("told of the end: %v, of the new age: %v", ended, grown)
	}
	check(t, b.Get(t.Context(), p.Config.Public.Portal+"/sospendi"))
	check(t, b.Submit(t.Context(), "/sospendi", map[string]string{"chi": id, "cip": cip}))
	if got := b.Page.Code(); got != "CSE-765" {
		t.Errorf("the mother's CIP: %s %q", b.Page.Where(), got)
	}
	check(t, b.Get(t.Context(), p.Config.Public.Portal+"/riattiva/carta"))
	if got := b.Page.Code(); got != "CSE-765" {
		t.Errorf("the card's signature: %s %q", b.Page.Where(), got)
	}

	s = keys["aslb"].work(t, p, r.clock)
	s.sheet(x.CF)
	s.see("L'accesso online aspetta codici nuovi.", "Codici nuovi")
	s.at("/sportello/tessera/" + id + "/riattiva") // which the sheet does not offer
	s.submit("/riattiva", "CSE-765", s.document("presente", "titolare")...)
	s.act(c, "ristampa")
	s.submit("/ristampa", "CSE-453", s.document("presente", "titolare", "tessera_ultime_cinque", id[11:], "motivo", "lettore guasto",
		"email", "io@posta.example", "email_ripetuta", "io@posta.example")...)
	s.act(c, "nuovi-codici")
	s.submit("/nuovi-codici", "", s.document("presente", "titolare", "tessera_ultime_cinque", id[11:], "motivo", "lettore guasto",
		"email", "io@posta.example", "email_ripetuta", "io@posta.example")...)
	file := s.file()
	if got := enter(t, p, chip).Page.Code(); got != "CSE-765" {
		t.Errorf("before the chip has them the door says %q", got)
	}
	check(t, p.db.Atomically(t.Context(), func(ctx context.Context) error { // as the counter's reader reports it
		return p.counter.Written(ctx, file[len("/sportello/pratica/"):])
	}))
	if got := enter(t, p, chip).Page.URL.Path; got != "/tessera" {
		t.Errorf("with new codes the door leads to %s", got)
	}
	sound(t, p)
}
