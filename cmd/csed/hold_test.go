package main

import (
	"testing"
	"time"

	"cse.example/cse/demo/browser"
	"cse.example/cse/ground/secret"
	"cse.example/cse/issuer/lifecycle"
)

// cipOf is the whole CIP, as its holder puts it together from form and mail.
func cipOf(t *testing.T, p *Platform, card string) secret.Text {
	t.Helper()
	a, err := p.first.FirstHalves(t.Context(), card)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.second.SecondHalves(t.Context(), card)
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(append(a.CIP.Reveal(), b.CIP.Reveal()...))
}

// C7, R84 from home: the CIP suspends at once, the card's own signature and the CIP
// take the hold away, and no session is opened on the way; a reported loss ends
// the road back.
func TestR84_SuspendAndReactivateFromHome(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	p := r.serve(t, knownRoles()...)
	c, cip := r.cardOf(t, p), string(cipOf(t, p, r.active).Reveal())
	b, err := browser.New(p.webCA.Pool(), c)
	check(t, err)
	at := func(path string) { t.Helper(); check(t, b.Get(t.Context(), p.Config.Public.Portal+path)) }
	submit := func(action string, values map[string]string) {
		t.Helper()
		check(t, b.Submit(t.Context(), action, values))
	}
	state := func(want lifecycle.State) {
		t.Helper()
		if got := card(t, p, r.active).State; got != want {
			t.Fatalf("the card is %s, want %s: %s %s", got, want, b.Page.Where(), b.Page.Code())
		}
	}

	at("/sospendi")
	submit("/sospendi", map[string]string{"chi": r.active, "cip": "0000000000"})
	if got := b.Page.Code(); got != "CSE-401" && got != "" {
		t.Errorf("a wrong CIP: %s", got)
	}
	state(lifecycle.Active)
	r.clock.Advance(time.Minute)
	submit("/sospendi", map[string]string{"chi": r.active, "cip": cip})
	state(lifecycle.Suspended)
	if got := enter(t, p, c).Page.Code(); got != "CSE-303" {
		t.Errorf("the door: %s", got)
	}

	at("/riattiva/carta")
	if b.Page.URL.Path != "/riattiva/conferma" {
		t.Fatalf("after the card: %s %s", b.Page.Where(), b.Page.Code())
	}
	submit("/riattiva/conferma", map[string]string{"cip": cip})
	state(lifecycle.Active)
	at("/tessera")
	if b.Page.URL.Path == "/tessera" && b.Page.Status == 200 {
		t.Error("the signature opened a session")
	}
	if got := enter(t, p, c).Page.URL.Path; got != "/tessera" {
		t.Errorf("reactivated, and the door leads to %s", got)
	}
	clean(t, p)
}
