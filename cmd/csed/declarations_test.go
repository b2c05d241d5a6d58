package main

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/declarations"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/pki/ca"
)

// Self-declarations by sample, over HTTP: those drawn wait for a supervisor of the
// office or of the holder's health unit, never for who took them; he sees the scan
// with the motive of the check; what is not confirmed ends title and hold the CNS,
// what is confirmed changes nothing; the dashboard's counts agree.
func TestR69_R92_SelfDeclarationsAreCheckedBySample(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	r.config.Minors.SamplePercent = 100
	keys := r.offices(t)
	for i, x := range []struct{ account, office string }{{"capo", "asl"}, {"vice", "asl"}, {"altrove", "urp"}} {
		keys[x.account] = &shiftKey{x.account, r.employ(t, x.account, 21+i, staff.RoleSupervisor)}
		r.config.Operators[len(r.config.Operators)-1].Offices = []string{x.office}
	}
	ops := r.employ(t, "carlo", 25, staff.RoleOperations)
	p := r.serve(t, knownRoles()...)
	today := civil.Today(r.clock)
	own := card(t, p, r.active)
	first, err := p.db.People().Get(t.Context(), own.CF)
	check(t, err)
	second := invented(t, "BLU", "EVA", today.AddYears(-40))
	hers := p.give(t, second, 991_020, nil)
	child := p.give(t, invented(t, "VERDI", "NINA", today.AddYears(-9)), 991_021, nil)
	const list = "/sportello/autocertificazioni"

	// The supervisor takes the first parent's declaration himself, an operator of
	// another health unit the second's.
	s := keys["capo"].work(t, p, r.clock)
	s.begin(child)
	s.submit("/2", "", s.document("presente", "genitore", "rappresentante_cognome", first.Surname, "rappresentante_nome", first.Name,
		"rappresentante_cf", string(first.CF), "rappresentante_tessera", own.ID, "autocertificazione", "si")...)
	s.submit("/3", "", "email", "casa@posta.example", "email_ripetuta", "casa@posta.example", "consenso", "si")
	s.submit("/4", "")
	one := strings.TrimPrefix(s.file(), "/sportello/pratica/")
	s = keys["aslb"].work(t, p, r.clock)
	s.act(child, "altro-genitore")
	s.submit("/altro-genitore", "", s.document("presente", "genitore", "rappresentante_cognome", second.Surname, "rappresentante_nome", second.Name,
		"rappresentante_cf", string(second.CF), "rappresentante_tessera", hers.ID, "autocertificazione", "si", "email", "eva@posta.example", "email_ripetuta", "eva@posta.example")...)
	two := strings.TrimPrefix(s.file(), "/sportello/pratica/")
	scan := []byte("%PDF-1.7\nun'autocertificazione firmata")
	at := keys["aslb"].desktop(t, p)
	at.want(at.post("/sportello/pratica/"+two+"/carte", scan, "foglio", "self-declaration"), "")
	papers, err := p.db.Archive().PapersOf(t.Context(), two)
	check(t, err)

	// Nobody else than a supervisor, of this office or this health unit, and not who did it.
	s.at(list)
	if got := s.b.Page.Code(); got != "CSE-003" {
		t.Errorf("an operator: %q", got)
	}
	s = keys["altrove"].work(t, p, r.clock)
	s.at(list)
	s.see("Non c'è niente da controllare")
	s.at(list + "/" + one)
	if got := s.b.Page.Code(); got != "CSE-754" {
		t.Errorf("another office: %q", got)
	}
	s = keys["capo"].work(t, p, r.clock)
	s.at("/sportello")
	s.see("Autocertificazione da controllare") // the second one is a task of his
	s.at(list)
	s.see(one, two, "L'hai fatta tu")
	if s.b.Page.Href(func(h string) bool { return strings.HasSuffix(h, list+"/"+one) }) != "" {
		t.Error("who took it is led to the check of it")
	}
	s.at(list + "/" + one)
	if got := s.b.Page.Code(); got != "CSE-755" {
		t.Errorf("who took it: %q", got)
	}
	boss := keys["capo"].desktop(t, p)
	boss.want(boss.post(list+"/"+one, nil, "esito_controllo", "confirmed", "nota_controllo", "ANPR"), "CSE-755")
	refusals := map[string]int{}
	for _, x := range records(t, p, "declaration.refused") {
		refusals[x.Actor+" "+x.Detail["code"]]++
	}
	if refusals["altrove CSE-754"] != 1 || refusals["capo CSE-755"] != 2 {
		t.Errorf("refusals on record: %v", refusals)
	}

	// The supervisor of the child's health unit sees the scan of the other office.
	s.at(list + "/" + two)
	s.see("EVA", "VERDI NINA", "Non è indicato come genitore")
	paper := list + "/" + two + "/carte/" + papers[0].ID
	boss.want(boss.post(paper, nil), "CSE-522")
	if w := boss.post(paper, nil, "motivo", "check"); w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), scan) {
		t.Errorf("the scan: %d %s", w.Code, w.Header().Get("CSE-Error"))
	}
	if seen := records(t, p, "paper.seen"); len(seen) != 1 || seen[0].Detail["motive"] != "check" {
		t.Errorf("looks at the scan: %+v", seen)
	}
	s.submit(list+"/"+two, "CSE-757", "nota_controllo", "ANPR del Comune")
	s.submit(list+"/"+two, "CSE-756", "esito_controllo", "confirmed", "nota_controllo", "")
	s.submit(list+"/"+two, "", "esito_controllo", "confirmed", "nota_controllo", "ANPR del Comune di residenza")
	s.see("Esito registrato: confermata")
	boss.want(boss.post(paper, nil, "motivo", "check"), "CSE-145") // decided: no more looks
	if c := card(t, p, child.ID); c.State != lifecycle.Active {
		t.Errorf("after a confirmation the card is %s", c.State)
	}

	// The colleague does not confirm the first one.
	s = keys["vice"].work(t, p, r.clock)
	s.at(list + "/" + one)
	s.submit(list+"/"+one, "", "esito_controllo", "not-confirmed", "nota_controllo", "stato civile di Firenze: il padre è un altro")
	s.see("Esito registrato: non confermata")
	if c := card(t, p, child.ID); c.State != lifecycle.Suspended || c.Reason != lifecycle.Unconfirmed {
		t.Errorf("the card is %s (%s)", c.State, c.Reason)
	}
	certificate(t, p, child, ca.Held, 0)
	if told := noticesTo(t, p, counter.Unconfirmed); len(told) != 1 || !told["casa@posta.example"] {
		t.Errorf("who declared is told at %v", told)
	}
	if told := noticesTo(t, p, counter.HeldUnconfirmed); len(told) != 1 || !told["eva@posta.example"] {
		t.Errorf("the other parent is told at %v", told)
	}
	if c, err := p.book.Of(t.Context(), child.CF); err != nil || c.Email != "eva@posta.example" || c.Before != "" {
		t.Errorf("the child's address is %q, before %q, %v", c.Email, c.Before, err)
	}
	s.at(list + "/" + one)
	s.see("Non confermata", "Decisa da vice", "il padre è un altro")
	if done := records(t, p, "declaration.not-confirmed"); len(done) != 1 || done[0].Actor != "vice" || done[0].Card != child.ID || done[0].Detail["held"] != "1" {
		t.Errorf("on record: %+v", done)
	}
	held, err := p.heldTitles(t.Context(), first.CF)
	if err != nil || len(held) != 1 || fieldText("it", held[0][len(held[0])-1]) != "L'autocertificazione non è stata confermata" {
		t.Errorf("the copy of his data says %+v, %v", held, err)
	}
	b := enter(t, p, r.cardOf(t, p))
	check(t, b.Get(t.Context(), p.Config.Public.Portal+"/it/tessera/figli"))
	if strings.Contains(b.Page.Text(), "NINA") {
		t.Errorf("the false father still sees her: %s", b.Page.Text())
	}
	s.sheet(child.CF)
	s.see("il titolo di chi ha ricevuto i codici non è stato confermato")
	s.at("/sportello/tessera/" + child.ID + "/riattiva") // the sheet does not offer it
	s.submit("/riattiva", "CSE-753", s.document("presente", "genitore", "rappresentante_cf", string(second.CF))...)

	// The dashboard's counts are those of the store, and agree.
	n, all, err := p.db.Declarations().Counts(t.Context())
	if err != nil || all != 2 || n[declarations.Confirmed] != 1 || n[declarations.NotConfirmed] != 1 {
		t.Errorf("%v of %d, %v", n, all, err)
	}
	r.clock.Advance(30 * time.Second)
	desk := atWork(t, p, "carlo", ops, "/operazioni")
	on(t, desk.Page.Text(), "Autocertificazioni a campione Estratte 2 Da controllare 0 Confermate 1 Non confermate 1", "Autocertificazioni estratte e somma degli esiti")
	check(t, desk.Get(t.Context(), p.Config.Public.Portal+"/operazioni/parametri"))
	on(t, desk.Page.Text(), "Autocertificazioni di genitori e tutori da controllare, su cento", "valore iniziale: 100")
	sound(t, p)
}
