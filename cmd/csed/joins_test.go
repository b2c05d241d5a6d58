package main

import (
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
)

// Journey A for the second parent, and C16, over HTTP: the mother has activated her
// child's card; the father joins at another counter, which asks him what it asks any
// representative. Both are told, neither paper nor mail has codes, and each finds the
// child in his own area with the other's name beside.
func TestR64_R65_R66_R68_R69_ASecondParentJoins(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	keys := r.offices(t)
	p := r.serve(t, knownRoles()...)
	today := civil.Today(r.clock)
	own := card(t, p, r.active) // the second parent logs in with it
	second, err := p.db.People().Get(t.Context(), own.CF)
	check(t, err)
	mother := invented(t, "VERDI", "LUCIA", today.AddYears(-38))
	hers := p.give(t, mother, 991_010, nil)
	child := p.give(t, invented(t, "VERDI", "NINA", today.AddYears(-9)), 991_011, nil)

	s := keys["asl"].work(t, p, r.clock)
	s.begin(child)
	s.submit("/2", "", s.document("presente", "genitore", "rappresentante_cognome", mother.Surname, "rappresentante_nome", mother.Name,
		"rappresentante_cf", string(mother.CF), "rappresentante_tessera", hers.ID, "autocertificazione", "si")...)
	s.submit("/3", "", "email", "casa@posta.example", "email_ripetuta", "casa@posta.example", "consenso", "si")
	s.submit("/4", "")

	s = keys["aslb"].work(t, p, r.clock)
	s.sheet(own.CF)
	if s.b.Page.Href(func(h string) bool { return strings.HasSuffix(h, "/altro-genitore") }) != "" {
		t.Error("an adult's sheet offers a second parent")
	}
	s.act(child, "altro-genitore")
	s.see("Codici non ne riceve")
	with := func(more ...string) []string {
		return s.document(append([]string{
			"presente", "genitore", "rappresentante_cognome", second.Surname, "rappresentante_nome", second.Name, "rappresentante_cf", string(second.CF),
			"rappresentante_tessera", own.ID, "autocertificazione", "si", "email", "babbo@posta.example", "email_ripetuta", "babbo@posta.example",
		}, more...)...)
	}
	s.submit("/altro-genitore", "CSE-751", with("rappresentante_cognome", mother.Surname, "rappresentante_nome", mother.Name,
		"rappresentante_cf", string(mother.CF), "rappresentante_tessera", hers.ID)...)
	s.submit("/altro-genitore", "CSE-410", with("rappresentante_tessera", "")...)
	s.submit("/altro-genitore", "CSE-411", with("rappresentante_tessera", hers.ID)...)
	s.submit("/altro-genitore", "CSE-412", with("autocertificazione", "")...)
	s.submit("/altro-genitore", "CSE-767", with("rappresentante_cognome", "Altro")...)
	s.submit("/altro-genitore", "CSE-110", with("documento_scadenza", today.AddDays(-1).Italian())...)
	s.submit("/altro-genitore", "CSE-131", with("email_ripetuta", "altro@posta.example")...)
	s.submit("/altro-genitore", "", with()...)
	s.file()
	paper := s.papers()
	on(t, paper, "Autocertificazione", "Ricevuta: un altro genitore o tutore", "VERDI NINA", string(child.CF), second.Surname+" "+second.Name, string(second.CF), "Genitore")
	if strings.Contains(paper, "PIN: ") {
		t.Error("who joins is given codes")
	}
	s.handOver()
	if told := noticesTo(t, p, counter.Joined); len(told) != 1 || !told["babbo@posta.example"] {
		t.Errorf("who joins is told at %v", told)
	}
	if told := noticesTo(t, p, counter.AnotherJoined); len(told) != 1 || !told["casa@posta.example"] {
		t.Errorf("who was there is told at %v", told)
	}
	if list := records(t, p, "representation.joined"); len(list) != 1 || list[0].Card != child.ID || list[0].Office != "aslb" {
		t.Errorf("on record: %+v", list)
	}
	if c := card(t, p, child.ID); c.State != lifecycle.Active {
		t.Errorf("the card is %s", c.State)
	}
	all, err := p.wardsShown(t.Context(), mother.CF)
	if err != nil || len(all) != 1 || len(all[0].With) != 1 || !strings.Contains(all[0].With[0], second.Surname) {
		t.Errorf("the mother sees %+v, %v", all, err)
	}
	b := enter(t, p, r.cardOf(t, p))
	check(t, b.Get(t.Context(), p.Config.Public.Portal+"/it/tessera/figli"))
	if text := b.Page.Text(); !strings.Contains(text, "NINA VERDI") || !strings.Contains(text, "Lo rappresentano anche: LUCIA VERDI") {
		t.Errorf("the father's area: %s %s", b.Page.Where(), text)
	}
	sound(t, p)
}
