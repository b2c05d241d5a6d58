package main

import (
	"strings"
	"testing"
	"time"

	"cse.example/cse/issuer/lifecycle"
)

// Journey S0 over HTTP, after a coffee: an operator's screen locks in ten idle
// minutes; he unlocks it with password and one-time code, finds the form that he
// sent meanwhile and sends it, once. Somebody else with an account of his own does
// not get in, which the trail keeps.
func TestR92_TheIdleLockKeepsFormAndSession(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now().Add(-12 * time.Minute)) // login dates its tokens by the machine
	keys := r.offices(t)
	p := r.serve(t, knownRoles()...)
	c := card(t, p, r.active)
	s := keys["asl"].work(t, p, r.clock)
	s.act(c, "sospendi")
	r.clock.Advance(11 * time.Minute)
	s.submit("/sospendi", "CSE-484", s.document("presente", "titolare")...)
	s.see("Il modulo che hai inviato non è andato perso")
	lock := s.b.Page.Href(func(h string) bool { return strings.Contains(h, "/entra?a=") })
	enter := func(k *shiftKey) {
		t.Helper()
		r.clock.Advance(30 * time.Second)
		check(t, s.b.Get(t.Context(), lock))
		loginAs(t, p, s.b, k.account, k.totp)
	}
	enter(keys["comune"])
	if s.b.Page.Code() != "CSE-483" {
		t.Fatalf("somebody else: %s %q: %s", s.b.Page.Where(), s.b.Page.Code(), s.b.Page.Text())
	}
	if x := records(t, p, "access.refused")[0]; x.Actor != "al-comune" || x.Detail["code"] != "CSE-483" {
		t.Errorf("the trail: %+v", x)
	}
	s.at("/sportello")
	if s.b.Page.Code() != "CSE-484" || card(t, p, c.ID).State != lifecycle.Active {
		t.Fatalf("%s: the card is %s", s.b.Page.Code(), card(t, p, c.ID).State)
	}
	enter(keys["asl"])
	if s.b.Page.URL.Path != "/sblocca/ripresa" {
		t.Fatalf("unlocked: %s %q: %s", s.b.Page.Where(), s.b.Page.Code(), s.b.Page.Text())
	}
	s.see("CA12345AA", "COMUNE DI FIRENZE")
	s.submit("/sblocca/ripresa", "")
	s.file()
	if got := card(t, p, c.ID).State; got != lifecycle.Suspended {
		t.Errorf("the card is %s", got)
	}
	if n := len(records(t, p, "card.suspended")); n != 1 {
		t.Errorf("suspended %d times", n)
	}
	s.at("/sblocca/ripresa")
	if s.b.Page.Code() != "CSE-485" {
		t.Errorf("afterwards there is still a form: %s", s.b.Page.Text())
	}
	clean(t, p)
}
