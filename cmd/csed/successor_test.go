package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/queue"
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
