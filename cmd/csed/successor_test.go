package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/queue"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/effect"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
)

// next gives the holder of a card its successor, delivered, with codes and a
// certificate that waits.
func (p *Platform) next(t *testing.T, old lifecycle.Card) lifecycle.Card {
	t.Helper()
	person, err := p.db.People().Get(t.Context(), old.CF)
	check(t, err)
	c := p.give(t, person, 990_001, func(c *lifecycle.Card) { c.Replaces, c.Batch = old.ID, old.Batch })
	check(t, p.db.Atomically(t.Context(), func(ctx context.Context) error {
		old.ReplacedBy = c.ID
		_, err := p.db.Cards().Put(ctx, old)
		return err
	}))
	return c
}

// C9 over HTTP: who entered with his old card activates the new one, sees the
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

// R75: the second halves of a card activated from home come back, and are a task of
// the holder's own health unit until a counter sends them again; a letter that
// cannot be laid in the other office's queue is a task of the counter that asked.
func TestR75_LettersAndMailsThatFailAreSomebodysTask(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	keys := r.offices(t)
	r.config.NoEmail = NoEmail{How: "letter", Office: "urp", Spool: "letters"}
	box := r.withInbox(t)
	mailer := r.open(t, Options{}, "mail") // works when it is told
	p := r.serve(t, "web", "print")
	p.second = mailer.second // for the holder's PIN
	c := r.cardOf(t, p)
	next := p.next(t, card(t, p, r.active))
	b := enter(t, p, c)
	check(t, b.Get(t.Context(), p.Config.Public.Portal+"/tessera/attiva-nuova"))
	check(t, b.Submit(t.Context(), "/tessera/attiva-nuova", map[string]string{
		"tessera_nuova": next.ID, "email": "sbagliato@posta.example", "email_ripetuta": "sbagliato@posta.example", "consenso": "si",
	}))
	work(t, mailer)
	letters := withCodes(t, box)
	back := cameBackAs(t, box, letters[len(letters)-1], "failed", "5.1.1")
	if got, err := mailer.bounce(t.Context(), strings.NewReader(back)); err != nil || got != bounceTask {
		t.Fatalf("it came back: %q, %v", got, err)
	}
	const home, letter = "tessera attivata da casa", "Lettera con la seconda parte dei codici non stampata"
	other := keys["comune"].work(t, p, r.clock)
	if other.at("/sportello"); strings.Contains(other.b.Page.Text(), home) {
		t.Error("another office has the task")
	}
	s := keys["asl"].work(t, p, r.clock)
	s.at("/sportello")
	s.see(home)
	task := s.b.Page.Href(func(h string) bool { return strings.HasSuffix(h, "/sportello/tessera/"+next.ID) })
	check(t, s.b.Get(t.Context(), task))
	s.see("Scheda di")
	s.act(next, "email")
	s.submit("/email", "", s.document("presente", "titolare", "email", "giusto@posta.example", "email_ripetuta", "giusto@posta.example")...)
	s.at("/sportello")
	if strings.Contains(s.b.Page.Text(), home) {
		t.Error("sent again, and still a task")
	}

	holder := p.give(t, invented(t, "VERDI", "IDA", civil.Today(r.clock).AddYears(-70)), 993_101, nil)
	s.begin(holder)
	s.submit("/2", "", s.document("presente", "titolare")...)
	s.submit("/3", "", "senza_email", "si", "consenso", "si")
	s.submit("/4", "")
	mailer.handlers[counter.KindPrintLetter] = func(context.Context, effect.Effect, int) error { return effect.ErrPermanent }
	work(t, mailer)
	s.at("/sportello")
	s.see(letter)
	s.act(holder, "ristampa")
	s.submit("/ristampa", "", s.document("presente", "titolare", "email", "ida@posta.example", "email_ripetuta", "ida@posta.example",
		"tessera_ultime_cinque", holder.ID[11:], "motivo", "lettore guasto")...)
	s.at("/sportello")
	if strings.Contains(s.b.Page.Text(), letter) {
		t.Error("sent by mail, and still a task")
	}
}
