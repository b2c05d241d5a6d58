package main

import (
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/queue"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
)

// halvesOf are the second halves of a card, which no paper may show.
func halvesOf(t *testing.T, p *Platform, card string) (first, second []string) {
	t.Helper()
	a, err := p.first.FirstHalves(t.Context(), card)
	check(t, err)
	b, err := p.second.SecondHalves(t.Context(), card)
	check(t, err)
	return []string{string(a.PIN.Reveal()), string(a.PUK.Reveal()), string(a.CIP.Reveal())}, []string{string(b.PUK.Reveal()), string(b.CIP.Reveal())}
}

// firstHalvesOnly wants the first halves of a card on a paper and no second one
// (R73).
func firstHalvesOnly(t *testing.T, p *Platform, card, paper string) {
	t.Helper()
	first, second := halvesOf(t, p, card)
	on(t, paper, "PIN: "+first[0], "PUK: "+first[1], "CIP: "+first[2])
	for _, half := range second {
		if strings.Contains(paper, half) {
			t.Error("a second half is on the paper of the first ones")
		}
	}
}

// mailed tells where the second halves of an act go.
func mailed(t *testing.T, p *Platform, file string) queue.Item {
	t.Helper()
	item, err := p.queue.Get(t.Context(), counter.MailKey(strings.TrimPrefix(file, "/sportello/pratica/")))
	check(t, err)
	return item
}

// Journeys A for a minor and C16, over HTTP on the real store: nothing is done for the
// child alone, without the parent's card, declaration or valid document; then the
// act is done, its papers name both and carry first halves only, and the parent
// finds the child in his own area (C16).
func TestR64_R65_R66_R67_R68_R69_R73_AMinorIsActivatedByAParent(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	keys := r.offices(t)
	p := r.serve(t, knownRoles()...)
	own := card(t, p, r.active)
	parent, err := p.db.People().Get(t.Context(), own.CF)
	check(t, err)
	child := p.give(t, invented(t, "VERDI", "NINA", civil.Today(r.clock).AddYears(-9)), 991_001, nil)
	s := keys["asl"].work(t, p, r.clock)

	s.sheet(child.CF)
	s.see("Minorenne: deve essere presente un genitore o il tutore.")
	s.begin(child)
	yesterday := civil.Today(r.clock).AddDays(-1).Italian()
	with := func(more ...string) []string {
		return s.document(append([]string{
			"presente", "genitore", "rappresentante_cognome", parent.Surname, "rappresentante_nome", parent.Name, "rappresentante_cf", string(parent.CF),
			"rappresentante_tessera", own.ID, "autocertificazione", "si",
		}, more...)...)
	}
	s.submit("/2", "CSE-120", s.document("presente", "titolare")...)
	s.submit("/2", "CSE-410", with("rappresentante_tessera", "")...)
	s.submit("/2", "CSE-411", with("rappresentante_tessera", child.ID)...)
	s.submit("/2", "CSE-412", with("autocertificazione", "")...)
	s.submit("/2", "CSE-767", with("rappresentante_cognome", "Altro")...)
	s.submit("/2", "CSE-110", with("documento_scadenza", yesterday)...)
	s.submit("/2", "CSE-134", with("documento_tipo", "TS")...)
	s.submit("/2", "", with()...)
	s.submit("/3", "CSE-131", "email", "casa@posta.example", "email_ripetuta", "csa@posta.example", "consenso", "si")
	s.submit("/3", "", "email", "casa@posta.example", "email_ripetuta", "casa@posta.example", "consenso", "si")
	if c := card(t, p, child.ID); c.State != lifecycle.Delivered {
		t.Fatalf("before the act the card is %s", c.State)
	}
	s.submit("/4", "")
	file := s.file()
	if c := card(t, p, child.ID); c.State != lifecycle.Active {
		t.Fatalf("the card is %s", c.State)
	}
	s.submit("/consegna", "CSE-146", "consegnato", "si")
	s.at(file)
	paper := s.papers()
	firstHalvesOnly(t, p, child.ID, paper)
	on(t, paper, "VERDI NINA", string(child.CF), parent.Surname+" "+parent.Name, string(parent.CF), "Genitore", "Autocertificazione", "CA12345AA")
	s.submit("/consegna", "CSE-360")
	s.submit("/consegna", "", "consegnato", "si")
	s.see("Attivazione conclusa")
	mailed(t, p, file)
	acts := records(t, p, "card.activated")
	if acts[0].Card != child.ID || acts[0].Office != "asl" || acts[0].Detail["present"] != "genitore" || acts[0].Detail["holder_identified"] != "no" {
		t.Errorf("the record says %+v", acts[0])
	}

	b := enter(t, p, r.cardOf(t, p))
	check(t, b.Get(t.Context(), p.Config.Public.Portal+"/it/tessera/figli"))
	if !strings.Contains(b.Page.Text(), "NINA VERDI") && !strings.Contains(b.Page.Text(), "VERDI NINA") {
		t.Errorf("the parent's area: %s %s", b.Page.Where(), b.Page.Text())
	}
	sound(t, p)
}

// Journey A for a ward, over HTTP: a guardian with no TS of his own is let in
// with the recorded reason; a parent is not who speaks for a ward of age.
func TestR64_R66_AWardIsActivatedByAGuardian(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	keys := r.offices(t)
	p := r.serve(t, knownRoles()...)
	who := invented(t, "NERI", "ADA", civil.Today(r.clock).AddYears(-50))
	who.UnderGuardianship = true
	ward := p.give(t, who, 991_002, nil)
	guardian := invented(t, "BLU", "EVA", civil.Today(r.clock).AddYears(-40))
	child := invented(t, "BLU", "ZOE", civil.Today(r.clock).AddYears(-18).AddDays(1))
	p.give(t, child, 991_004, nil)
	until, yesterday := civil.Today(r.clock).AddDays(30), civil.Today(r.clock).AddDays(-1).Italian()
	s := keys["urp"].work(t, p, r.clock)
	s.begin(ward)
	with := func(more ...string) []string {
		return s.document(append([]string{
			"presente", "tutore", "rappresentante_cognome", "Blu", "rappresentante_nome", "Eva", "rappresentante_cf", strings.ToLower(string(guardian.CF)),
			"rappresentante_nascita", guardian.Born.Italian(), // the registry does not know her: her paper does
			"senza_tessera", "cittadina straniera, senza tessera sanitaria", "autocertificazione", "si",
			"titolo", "ads", "titolo_fino_al", until.Italian(), "fino_a_revoca", "",
		}, more...)...)
	}
	s.submit("/2", "CSE-128", s.document("presente", "titolare")...)
	s.submit("/2", "CSE-416", with("presente", "genitore")...)
	s.submit("/2", "CSE-410", with("senza_tessera", "")...)
	s.submit("/2", "CSE-101", with("rappresentante_cf", "BLUVEA86S65D612A")...)
	s.submit("/2", "CSE-414", with("rappresentante_cf", string(ward.CF))...)
	s.submit("/2", "CSE-772", with("titolo", "")...)
	s.submit("/2", "CSE-773", with("titolo_fino_al", "")...)
	s.submit("/2", "CSE-774", with("fino_a_revoca", "si")...)
	s.submit("/2", "CSE-775", with("titolo_fino_al", yesterday)...)
	s.submit("/2", "CSE-776", with("titolo", "provvisorio", "titolo_fino_al", "", "fino_a_revoca", "si")...)
	s.submit("/2", "CSE-769", with("rappresentante_nascita", "")...)
	s.submit("/2", "CSE-768", with("rappresentante_cognome", "Verdi")...)
	s.submit("/2", "CSE-766", with("rappresentante_cf", string(child.CF), "rappresentante_cognome", child.Surname, "rappresentante_nome", child.Name)...)
	s.submit("/2", "", with()...)
	s.submit("/3", "", "email", "eva@posta.example", "email_ripetuta", "eva@posta.example", "consenso", "si", "lingua", "en")
	s.submit("/4", "")
	file := s.file()
	paper := s.papers()
	firstHalvesOnly(t, p, ward.ID, paper)
	on(t, paper, "NERI ADA", "BLU EVA", string(guardian.CF), "Support administrator, until "+until.Italian())
	s.handOver()
	mailed(t, p, file)
	if got := records(t, p, "card.activated"); got[0].Card != ward.ID || got[0].Detail["without_card"] != "yes" {
		t.Errorf("the record says %+v", got[0])
	}
	sound(t, p)
}

// Journey A by a delegate, over HTTP: each of the four papers is asked for, the
// delegate's own address is refused, the delegate is the one identified, and he
// may do nothing else.
func TestR95_R96_R97_R98_R99_R100_AnAdultIsActivatedByADelegate(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	keys := r.offices(t)
	p := r.serve(t, knownRoles()...)
	holder := p.give(t, invented(t, "ROSSI", "IDA", civil.Today(r.clock).AddYears(-70)), 991_003, nil)
	delegate, err := p.db.People().Get(t.Context(), card(t, p, r.active).CF) // his address is titolare@example.org
	check(t, err)
	s := keys["farmacia"].work(t, p, r.clock)
	with := func(more ...string) []string {
		return s.document(append([]string{
			"presente", "delegato", "rappresentante_cognome", delegate.Surname, "rappresentante_nome", delegate.Name, "rappresentante_cf", string(delegate.CF),
			"salute", "si", "delega", "si", "copia", "si",
		}, more...)...)
	}
	s.begin(holder)
	s.submit("/2", "CSE-122", with()...) // a pharmacy only if it is configured
	s = keys["aslb"].work(t, p, r.clock)
	s.begin(holder)
	s.submit("/2", "CSE-767", with("rappresentante_nome", "Altro")...)
	s.submit("/2", "CSE-121", with("salute", "")...)
	s.submit("/2", "CSE-417", with("delega", "")...)
	s.submit("/2", "CSE-418", with("copia", "")...)
	s.submit("/2", "CSE-358", with("documento_numero", "")...)
	s.submit("/2", "CSE-110", with("documento_scadenza", civil.Today(r.clock).AddDays(-1).Italian())...)
	s.submit("/2", "", with()...)
	s.submit("/3", "CSE-419", "email", "titolare@example.org", "email_ripetuta", "titolare@example.org", "consenso", "si")
	s.submit("/3", "", "email", "ida@posta.example", "email_ripetuta", "ida@posta.example", "consenso", "si")
	s.submit("/4", "")
	file := s.file()
	paper := s.papers()
	firstHalvesOnly(t, p, holder.ID, paper)
	on(t, paper, "ROSSI IDA", delegate.Surname+" "+delegate.Name, string(delegate.CF), "Delegato", "CA12345AA")
	if strings.Contains(paper, "Autocertificazione (artt.") {
		t.Error("a delegate signs no self-declaration of a representative")
	}
	s.handOver()
	mailed(t, p, file)
	acts := records(t, p, "card.activated")
	if acts[0].Card != holder.ID || acts[0].Detail["present"] != "delegato" || acts[0].Detail["holder_identified"] != "no" {
		t.Errorf("the record says %+v", acts[0])
	}
	if links, err := p.db.Links().LinksOf(t.Context(), holder.CF); err != nil || len(links) != 0 {
		t.Errorf("a delegate has a title: %v, %v", links, err)
	}

	// He may only activate (R98).
	s = keys["asl"].work(t, p, r.clock)
	for _, act := range []string{"sospendi", "revoca", "ristampa", "email"} {
		s.at("/sportello/tessera/" + holder.ID + "/" + act)
		s.submit("/"+act, "CSE-438", with("email", "x@posta.example", "email_ripetuta", "x@posta.example", "tessera_ultime_cinque", holder.ID[11:], "motivo", "lettore guasto")...)
	}
	if c := card(t, p, holder.ID); c.State != lifecycle.Active {
		t.Errorf("the card is %s", c.State)
	}
	sound(t, p)
}
