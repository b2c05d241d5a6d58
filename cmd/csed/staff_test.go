package main

import (
	"encoding/base32"
	"regexp"
	"strings"
	"testing"
	"time"

	"cse.example/cse/demo/browser"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
)

var (
	halfOnPage = regexp.MustCompile(`\b[A-Z2-7]{5} [A-Z2-7]{5}\b`)
	keyOnPage  = regexp.MustCompile(`\b[A-Z2-7]{32}\b`)
)

// O8 over HTTP, on the real store: an operator is proposed by one, approved by
// another, enters for the first time with a half from each, works, and is out at
// the request after he was ended. Nobody restarts anything.
func TestR92_O8_AnOperatorFromProposalToEnd(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	elenaKey, darioKey := r.employ(t, "elena", 1, staff.RoleSecurity), r.employ(t, "dario", 2, staff.RoleSecurity)
	p := r.serve(t, "web")
	ctx, home := t.Context(), p.Config.Public.Portal
	elena, dario := atWork(t, p, "elena", elenaKey, "/gestione/operatori"), atWork(t, p, "dario", darioKey, "/approvazioni")
	cf, err := codicefiscale.Compute(codicefiscale.Person{
		Surname: "Sala", Name: "Nora", Born: civil.Date{Year: 1990, Month: 2, Day: 2}, Sex: "F", Belfiore: "D612",
	})
	check(t, err)

	// A new office first, then its operator.
	check(t, elena.Get(ctx, home+"/gestione/uffici/nuovo"))
	office := map[string]string{"id": "urp-7", "tipo": "URP", "nome": "URP di prova", "comune": "D612", "orari": "lun 09:00-12:00"}
	check(t, elena.Submit(ctx, "/gestione/uffici", office))
	if _, there := p.directory.Office("urp-7"); !there || elena.Page.Code() != "" {
		t.Fatalf("%s %s: %s", elena.Page.Where(), elena.Page.Code(), elena.Page.Text())
	}
	citizen, err := browser.New(p.webCA.Pool(), nil)
	check(t, err)
	check(t, citizen.Get(ctx, home+"/sportelli"))
	if !strings.Contains(citizen.Page.Text(), "URP di prova") {
		t.Error("the public directory does not know the new office")
	}
	check(t, elena.Get(ctx, home+"/gestione/operatori/nuovo"))
	check(t, elena.Submit(ctx, "/gestione/operatori", map[string]string{
		"account": "nora", "nome": "Nora Sala", "codice_fiscale": string(cf), "ruoli": "operator", "uffici": "urp-7", "motivo_richiesta": "nuova assunzione",
	}))
	if elena.Page.URL.Path != "/gestione/operatori" || elena.Page.Code() != "" {
		t.Fatalf("%s %s: %s", elena.Page.Where(), elena.Page.Code(), elena.Page.Text())
	}
	check(t, dario.Get(ctx, home+"/approvazioni"))
	if text := dario.Page.Text(); !strings.Contains(text, "Nora Sala") || !strings.Contains(text, "urp-7") {
		t.Fatalf("who decides does not see whom: %s", text)
	}
	if strings.Contains(dario.Page.URL.String(), string(cf)) {
		t.Error("a codice fiscale is in an address")
	}
	waiting, err := p.approvals.Waiting(ctx, operatorOf(t, p, "dario"))
	check(t, err)
	check(t, dario.Submit(ctx, "/approvazioni/"+waiting[0].ID, map[string]string{"decisione": "si"}))
	half := func(b *browser.Browser) string {
		t.Helper()
		check(t, b.Get(ctx, home+"/gestione/operatori/nora"))
		check(t, b.Submit(ctx, "/meta", nil))
		h := halfOnPage.FindString(b.Page.Text())
		if h == "" {
			t.Fatalf("no half: %s %s", b.Page.Code(), b.Page.Text())
		}
		return h
	}
	one, two := half(elena), half(dario)

	nora, err := browser.New(p.webCA.Pool(), nil)
	check(t, err)
	check(t, nora.Get(ctx, home+"/primo-accesso"))
	check(t, nora.Submit(ctx, "/primo-accesso", map[string]string{
		"account": "nora", "meta_uno": two, "meta_due": one, "password": passphraseOfAll, "password_ripetuta": passphraseOfAll,
	}))
	shown := keyOnPage.FindString(nora.Page.Text())
	if shown == "" {
		t.Fatalf("no one-time secret: %s %s", nora.Page.Code(), nora.Page.Text())
	}
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(shown)
	check(t, err)
	key := secret.New(raw)
	check(t, nora.Submit(ctx, "/primo-accesso/codice", map[string]string{"totp": string(staff.TOTP(key, r.clock.Now()).Reveal())}))
	if nora.Page.URL.Path != "/primo-accesso" || nora.Page.Code() != "" {
		t.Fatalf("%s %s: %s", nora.Page.Where(), nora.Page.Code(), nora.Page.Text())
	}
	r.clock.Advance(time.Minute) // a code serves once
	nora = atWork(t, p, "nora", key, "/sportello")
	if !strings.Contains(nora.Page.Text(), "URP di prova") {
		t.Error("the counter's page does not say where she works")
	}
	check(t, elena.Get(ctx, home+"/gestione/operatori/nora"))
	check(t, elena.Submit(ctx, "/disattiva", map[string]string{"motivo_richiesta": "contratto sciolto"}))
	check(t, nora.Get(ctx, home+"/sportello"))
	if nora.Page.Code() != "CSE-144" {
		t.Errorf("after her end: %s %s", nora.Page.Where(), nora.Page.Code())
	}
	for _, act := range []string{"office.saved", "operator.saved", "operator.half-drawn", "operator.enrolled", "operator.disabled"} {
		got := records(t, p, act)
		if len(got) == 0 {
			t.Errorf("the trail has no %s", act)
		}
		for _, x := range got {
			for _, v := range x.Detail {
				if strings.Contains(v, string(cf)) || strings.Contains(v, one[:5]) || strings.Contains(v, shown) {
					t.Errorf("%s tells a secret or a codice fiscale", act)
				}
			}
		}
	}
}

// Who works at several offices says at which, and may do what that one may.
func TestAnOperatorSaysWhereHeWorks(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	r.config.Counters = append(r.config.Counters, staff.Office{ID: "ade-9", Type: staff.ADE, Name: "Agenzia di prova", Comune: "D612"})
	key := r.employ(t, "ugo", 3, staff.RoleOperator)
	r.config.Operators[len(r.config.Operators)-1].Offices = []string{"comune", "ade-9"}
	p := r.serve(t, "web")
	ctx, home := t.Context(), p.Config.Public.Portal
	b := atWork(t, p, "ugo", key, "/sportello/ufficio")
	check(t, b.Get(ctx, home+"/sportello/tessera/"+r.active+"/correzione"))
	if b.Page.URL.Path != "/sportello/ufficio" {
		t.Errorf("he works before he said where: %s", b.Page.Where())
	}
	check(t, b.Submit(ctx, "/sportello/ufficio", map[string]string{"ufficio": "ade-9"}))
	if b.Page.URL.Path != "/sportello" || !strings.Contains(b.Page.Text(), "Agenzia di prova") {
		t.Fatalf("%s: %s", b.Page.Where(), b.Page.Text())
	}
	check(t, b.Get(ctx, home+"/sportello/tessera/"+r.active+"/correzione"))
	if b.Page.Code() != "" {
		t.Errorf("the Revenue Agency may correct: %s", b.Page.Code())
	}
	check(t, b.Get(ctx, home+"/sportello/ufficio"))
	check(t, b.Submit(ctx, "/sportello/ufficio", map[string]string{"ufficio": "comune"}))
	check(t, b.Get(ctx, home+"/sportello/tessera/"+r.active+"/correzione"))
	if b.Page.Code() != "CSE-125" {
		t.Errorf("a Comune may not: %q", b.Page.Code())
	}
}
