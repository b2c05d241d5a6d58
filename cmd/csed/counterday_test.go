package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/queue"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/helpdesk"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/pki/ca"
)

// act opens the form of an act on a card, as its button on the sheet does.
func (s *shift) act(card lifecycle.Card, word string) {
	s.t.Helper()
	s.sheet(card.CF)
	to := s.b.Page.Href(func(h string) bool { return strings.HasSuffix(h, "/"+card.ID+"/"+word) })
	if to == "" {
		s.t.Fatalf("the sheet does not offer %s: %s", word, s.b.Page.Text())
	}
	check(s.t, s.b.Get(s.t.Context(), to))
	s.address()
}

// certificate wants a state of a card's certificate, and the reason of its end.
func certificate(t *testing.T, p *Platform, c lifecycle.Card, want ca.State, reason int) {
	t.Helper()
	got, err := p.authority.Get(t.Context(), c.CertSerial)
	check(t, err)
	if got.State != want || got.Reason != reason {
		t.Errorf("the certificate is %s (%d), want %s (%d)", got.State, got.Reason, want, reason)
	}
}

// noticesTo are the addresses told of an event.
func noticesTo(t *testing.T, p *Platform, event counter.Event) map[string]bool {
	t.Helper()
	told := map[string]bool{}
	items, err := p.queue.List(t.Context(), queue.Filter{Kind: counter.KindMailNotice, Limit: 100})
	check(t, err)
	for _, i := range items {
		e, err := p.queue.Open(t.Context(), i.Key)
		if err != nil {
			continue // sent, and its body destroyed
		}
		var n counter.Notice
		check(t, json.Unmarshal(e.Body, &n))
		if n.Event == event {
			told[n.To] = true
		}
	}
	return told
}

// Journey B over HTTP: the codes again for who lost them, with document and card;
// the same halves, in two parts again; then only the address is corrected, and
// the previous one is told.
func TestR51_R52_R53_R82_CodesAreReprintedAtACounter(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	keys := r.offices(t)
	p := r.serve(t, knownRoles()...)
	c := card(t, p, r.active)
	s := keys["ade"].work(t, p, r.clock)
	s.sheet(c.CF)
	s.see("Ristampa codici", "Indirizza a uno sportello ASL, Comune o URP") // who may instead
	s = keys["aslb"].work(t, p, r.clock)
	s.act(c, "ristampa")
	s.see("Se il titolare ha cambiato il PIN, quello stampato non vale più")
	with := func(more ...string) []string {
		return s.document(append([]string{
			"presente", "titolare", "tessera_ultime_cinque", c.ID[11:], "motivo", "il lettore non si accende", "email", "nuovo@posta.example", "email_ripetuta", "nuovo@posta.example",
		}, more...)...)
	}
	s.submit("/ristampa", "CSE-133", with("tessera_ultime_cinque", "")...)
	s.submit("/ristampa", "CSE-132", with("tessera_ultime_cinque", "00000")...)
	s.submit("/ristampa", "CSE-441", with("motivo", "")...)
	s.submit("/ristampa", "CSE-131", with("email_ripetuta", "altro@posta.example")...)
	s.submit("/ristampa", "CSE-110", with("documento_scadenza", civil.Today(r.clock).AddDays(-1).Italian())...)
	s.submit("/ristampa", "CSE-438", with("presente", "delegato", "rappresentante_cf", "VRDLGU85M41F205T")...)
	s.submit("/ristampa", "", with()...)
	file := s.file()
	paper := s.papers()
	firstHalvesOnly(t, p, c.ID, paper)
	on(t, paper, "Se hai cambiato il PIN, quello stampato qui non vale più")
	if s.b.Page.HasForm("/modulo") {
		t.Error("the codes may be printed again")
	}
	s.handOver()
	mailed(t, p, file)
	if told := noticesTo(t, p, counter.Reprinted); !told["titolare@example.org"] || !told["nuovo@posta.example"] {
		t.Errorf("of the reprint are told %v", told)
	}

	s.act(c, "email")
	s.submit("/email", "", with("email", "casa@posta.example", "email_ripetuta", "casa@posta.example")...)
	mailed(t, p, s.file())
	on(t, s.papers(), "Ricevuta di correzione dell'e-mail", string(c.CF))
	if told := noticesTo(t, p, counter.Readdressed); !told["nuovo@posta.example"] || !told["casa@posta.example"] {
		t.Errorf("of the new address are told %v", told)
	}
	if got := card(t, p, c.ID); got.State != lifecycle.Active {
		t.Errorf("the card is %s", got.State)
	}
	clean(t, p)
}

// Journey C over HTTP: at once on hold without a report, at any counter; back in
// use; on hold again; then the report, and revocation and duplicate in one act
// (R34-R37); the void card, found again, is withdrawn once.
func TestR34_R35_R36_R37_SuspensionThenLossAndDuplicate(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	keys := r.offices(t)
	p := r.serve(t, knownRoles()...)
	c := card(t, p, r.active)
	is := func(want lifecycle.State) lifecycle.Card {
		t.Helper()
		got := card(t, p, c.ID)
		if got.State != want {
			t.Fatalf("the card is %s, want %s", got.State, want)
		}
		return got
	}
	hold := func(office string) *shift {
		t.Helper()
		s := keys[office].work(t, p, r.clock)
		s.act(c, "sospendi")
		s.submit("/sospendi", "CSE-361", s.document("presente", "")...)
		s.submit("/sospendi", "", s.document("presente", "titolare")...)
		on(t, s.papers(), "Ricevuta di sospensione", "La sospensione è pubblicata", string(c.CF), c.ID)
		s.handOver()
		is(lifecycle.Suspended)
		certificate(t, p, c, ca.Held, 0)
		return s
	}
	hold("farmacia")
	if got := enter(t, p, r.cardOf(t, p)).Page.Code(); got != "CSE-303" {
		t.Errorf("the card on hold at the door: %s", got)
	}
	s := keys["urp"].work(t, p, r.clock)
	s.act(c, "riattiva")
	s.submit("/riattiva", "", s.document("presente", "titolare")...)
	on(t, s.papers(), "Ricevuta di riattivazione")
	is(lifecycle.Active)
	certificate(t, p, c, ca.Good, 0)

	hold("urp")
	s = keys["aslb"].work(t, p, r.clock)
	s.sheet(c.CF)
	s.see("Smarrimento o furto: ") // not here: the sheet says where
	s = keys["asl"].work(t, p, r.clock)
	s.act(c, "smarrimento")
	today := civil.Today(r.clock)
	with := func(more ...string) []string {
		return s.document(append([]string{
			"presente", "titolare", "denuncia_tipo", "furto", "denuncia_autorita", "Carabinieri di Firenze", "denuncia_numero", "AB/77",
			"denuncia_data", today.Italian(), "indirizzo", "si",
		}, more...)...)
	}
	s.submit("/smarrimento", "CSE-430", with("denuncia_numero", "")...)
	s.see("Sospendi subito") // which needs no report
	s.submit("/smarrimento", "CSE-431", with("denuncia_data", today.AddDays(1).Italian())...)
	s.submit("/smarrimento", "CSE-443", with("indirizzo", "")...)
	is(lifecycle.Suspended)
	s.submit("/smarrimento", "", with()...)
	file := s.file()
	old := is(lifecycle.Revoked)
	certificate(t, p, c, ca.Revoked, 1)
	next := card(t, p, old.ReplacedBy)
	if next.State != lifecycle.Ordered || next.CF != c.CF || next.ID == c.ID || next.Replaces != c.ID {
		t.Errorf("the duplicate is %+v", next)
	}
	paper := s.papers()
	on(t, paper, "Ricevuta di revoca e richiesta di duplicato", "Carabinieri di Firenze, AB/77", c.ID, next.ID, "Fascicolo Sanitario non viene cancellato")
	if strings.Contains(paper, "PIN: ") {
		t.Error("a receipt has codes")
	}
	s.handOver()
	if told := noticesTo(t, p, counter.Lost); !told["titolare@example.org"] {
		t.Errorf("told of the loss: %v", told)
	}
	s.act(old, "ritiro")
	s.submit("/ritiro", "", s.document("presente", "titolare")...)
	on(t, s.papers(), "Verbale di ritiro")
	s.act(old, "ritiro")
	s.submit("/ritiro", "CSE-440", s.document("presente", "titolare")...)
	s.at(file)
	s.see("2026/")
	if len(records(t, p, "card.lost")) != 1 {
		t.Error("the loss is recorded more than once, or never")
	}
	clean(t, p)
}

// Journeys D and F over HTTP: a chip at fault needs a diagnosis, of the counter's
// reader or of the call centre; a card that never came is void and another is
// made, by the own health unit or the Revenue Agency only.
func TestR26_R33_ChipAtFaultAndCardThatNeverCame(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	keys := r.offices(t)
	p := r.serve(t, knownRoles()...)
	c, posted := card(t, p, r.active), card(t, p, r.waiting)

	s := keys["asl"].work(t, p, r.clock)
	s.act(c, "chip-guasto")
	good := s.document("presente", "titolare", "indirizzo", "si")
	s.submit("/chip-guasto", "CSE-436", good...)
	works := append([]string{"provata", "si", "conclusione", "si", "luce_atr", "si", "luce_file", "si", "luce_certificato", "si"}, good...)
	s.submit("/chip-guasto", "CSE-436", works...)
	known, err := p.knownOf(t.Context(), c)
	check(t, err)
	agent := keys["callcentre"].work(t, p, r.clock)
	agent.at("/sportello/tessera/" + c.ID + "/assistenza")
	agent.submit("/assistenza", "", "mese", known.Month, "email_fine", known.EmailEnd, "comune", known.Comune, "lettore", "si", "altra", "si")
	agent.see(words.Say(words.Italian, "portal.help.outcome."+string(helpdesk.ChipFault)))
	s.act(c, "chip-guasto")
	s.submit("/chip-guasto", "", append([]string{"provata", "no"}, good...)...)
	old := card(t, p, c.ID)
	if old.State != lifecycle.Revoked || old.Reason != lifecycle.ChipFault || card(t, p, old.ReplacedBy).State != lifecycle.Ordered {
		t.Errorf("after the chip fault: %+v", old)
	}
	on(t, s.papers(), "chip guasto", old.ReplacedBy)
	s.handOver()

	s = keys["comune"].work(t, p, r.clock)
	s.sheet(posted.CF)
	s.see("Tessera non ricevuta: ")
	s = keys["ade"].work(t, p, r.clock)
	s.act(posted, "non-ricevuta")
	s.submit("/non-ricevuta", "CSE-443", s.document("presente", "titolare")...)
	s.submit("/non-ricevuta", "", s.document("presente", "titolare", "indirizzo", "si")...)
	void := card(t, p, posted.ID)
	if void.State != lifecycle.Revoked || void.Reason != lifecycle.NotReceived || card(t, p, void.ReplacedBy).State != lifecycle.Ordered {
		t.Errorf("after the card that never came: %+v", void)
	}
	on(t, s.papers(), "non ricevuta", void.ReplacedBy)
	s.sheet(posted.CF)
	if to := s.b.Page.Href(func(h string) bool { return strings.HasSuffix(h, "?tessera="+posted.ID) }); to != "" {
		t.Error("the void card may still be activated")
	}
	clean(t, p)
}

// Journey E over HTTP: wrong data are nobody's to edit; any counter prints where
// to go, the Revenue Agency opens the correction.
func TestR27_R28_R29_WrongDataAreReferred(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	keys := r.offices(t)
	p := r.serve(t, knownRoles()...)
	c := card(t, p, r.active)
	s := keys["farmacia"].work(t, p, r.clock)
	s.at("/sportello/tessera/" + c.ID + "/correzione")
	if s.b.Page.Code() != "CSE-125" || !strings.Contains(s.b.Page.Text(), "Agenzia delle Entrate") {
		t.Errorf("a pharmacy and wrong data: %s %s", s.b.Page.Code(), s.b.Page.Text())
	}
	s.act(c, "dove-andare")
	s.submit("/dove-andare", "")
	on(t, s.papers(), "a chi rivolgersi", "Agenzia delle Entrate", "un documento di identità valido", string(c.CF))
	s.handOver()
	s = keys["ade"].work(t, p, r.clock)
	s.act(c, "correzione")
	s.submit("/correzione", "CSE-439", s.document("presente", "titolare")...)
	s.submit("/correzione", "", s.document("presente", "titolare", "testo", "il nome giusto è Maria Grazia")...)
	on(t, s.papers(), "Richiesta di correzione dei dati", "il nome giusto è Maria Grazia")
	if got := card(t, p, c.ID); got.State != lifecycle.Active || got.ReplacedBy != "" {
		t.Errorf("the request alone changed the card: %+v", got)
	}
	clean(t, p)
}
