package main

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/engine/queue"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/profile"
)

// next gives the holder of a card its successor, delivered, with codes and a
// certificate that waits.
func (p *Platform) next(t *testing.T, old lifecycle.Card) lifecycle.Card {
	t.Helper()
	today := civil.Today(p.Clock)
	person, err := p.db.People().Get(t.Context(), old.CF)
	check(t, err)
	id, err := cns.NewCardID(p.Config.Region.Issuer, 990_001, 0)
	check(t, err)
	c := lifecycle.Card{
		ID: string(id), TEAM: id.TEAM(), CF: old.CF, Model: lifecycle.TSCNS, State: lifecycle.Delivered, Issued: today,
		Expires: today.AddYears(6), OrderedAt: p.Clock.Now(), ShippedAt: p.Clock.Now(), DeliveredAt: p.Clock.Now(), Replaces: old.ID, Batch: old.Batch,
	}
	data, err := cns.PersonalData{
		Issuer: p.Config.Region.Issuer, Issued: c.Issued, Expires: c.Expires, Surname: person.Surname, Name: person.Name,
		Born: person.Born, Sex: person.Sex, CF: string(c.CF), BirthPlace: person.BirthPlace, Residence: person.Residence,
	}.Encode()
	check(t, err)
	made, err := p.authority.Issue(t.Context(), ca.Request{CF: string(c.CF), Card: c.ID, PersonalData: data, Key: catest.Key(t), Expires: c.Expires})
	check(t, err)
	c.CertSerial = profile.SerialText(made.SerialNumber)
	wrap, err := p.web.aead(aeadCIP)
	check(t, err)
	maker, _, err := codes.LoadMaker(p.Config.under("keys"), wrap, p.Config.Issue.Codes, p.db.Codes(), rand.Reader)
	check(t, err)
	_, sealed, err := maker.Make(t.Context(), c.ID, 1, person.Born)
	check(t, err)
	check(t, p.db.Atomically(t.Context(), func(ctx context.Context) error {
		if c, err = p.db.Cards().Put(ctx, c); err != nil {
			return err
		}
		old.ReplacedBy = c.ID
		if _, err := p.db.Cards().Put(ctx, old); err != nil {
			return err
		}
		return maker.Keep(ctx, sealed)
	}))
	return c
}

// C17 over HTTP: who entered with his old card activates the new one, sees the
// first halves once, on a page that no cache keeps and that has no second half;
// nothing that is kept has any (R73, R74, R76).
func TestR74_R76_ANewCardFromHomeKeepsTheHalvesApart(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	p := r.serve(t, knownRoles()...)
	c := r.cardOf(t, p)
	next := p.next(t, card(t, p, r.active))
	first, err := p.first.FirstHalves(t.Context(), next.ID)
	check(t, err)
	second, err := p.second.SecondHalves(t.Context(), next.ID)
	check(t, err)

	b := enter(t, p, c)
	check(t, b.Get(t.Context(), p.Config.Public.Portal+"/tessera/attiva-nuova"))
	check(t, b.Submit(t.Context(), "/tessera/attiva-nuova", map[string]string{
		"tessera_nuova": next.ID, "email": "mario@posta.example", "email_ripetuta": "mario@posta.example", "consenso": "si",
	}))
	if got := card(t, p, next.ID).State; got != lifecycle.Active {
		t.Fatalf("the new card is %s: %s %s", got, b.Page.Where(), b.Page.Code())
	}
	done := b.Page.URL.String()
	check(t, b.Submit(t.Context(), "/codici", nil))
	text := b.Page.Text()
	if !strings.Contains(text, string(first.CIP.Reveal())) || b.Page.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the page of first halves: %q, %s", b.Page.Header.Get("Cache-Control"), text)
	}
	for _, half := range []string{string(second.CIP.Reveal()), string(second.PUK.Reveal())} {
		if strings.Contains(string(b.Page.Body), half) {
			t.Error("a second half on the page of the first ones")
		}
	}
	check(t, b.Get(t.Context(), done))
	if strings.Contains(string(b.Page.Body), string(first.CIP.Reveal())) || b.Page.HasForm("/codici") {
		t.Error("the page after the act shows a half, or offers it again")
	}
	items, err := p.queue.List(t.Context(), queue.Filter{Limit: 1000})
	check(t, err)
	for _, i := range items {
		e, err := p.queue.Open(t.Context(), i.Key)
		if err != nil {
			continue // its body is destroyed
		}
		for _, half := range []string{string(first.CIP.Reveal()), string(second.CIP.Reveal()), string(second.PUK.Reveal())} {
			if strings.Contains(string(e.Body), half) {
				t.Errorf("a half in %s", i.Key)
			}
		}
	}
}
