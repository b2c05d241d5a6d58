package main

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
)

// Journeys S0, S1 and G over HTTP: a holder is found by codice fiscale, with the
// asterisks of a bar code scanner, by card number, TEAM number, name and protocol
// number; what was begun and not ended waits on the home; the sheet offers what
// this counter may do and says who does the rest.
func TestR11_R29_TheCountersHomeAndTheSheet(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	keys := r.offices(t)
	p := r.serve(t, knownRoles()...)
	c := card(t, p, r.waiting)
	who, err := p.db.People().Get(t.Context(), c.CF)
	check(t, err)
	s := keys["aslb"].work(t, p, r.clock)
	s.see("Non c'è nulla in attesa")
	for _, q := range []string{string(c.CF), "*" + strings.ToLower(string(c.CF)) + "*", c.ID, c.TEAM, who.Surname + " " + who.Name} {
		s.at("/sportello")
		s.submit("/sportello/cerca", "", "q", q)
		s.see("Scheda di", who.Surname, c.ID, "Tessera sanitaria", "Codice fiscale", "Assistenza in Europa (TEAM)", "Servizi online (CNS)")
	}
	s.see("Smarrimento o furto: ", "Tessera non ricevuta: ") // another health unit's: who does it
	s.at("/sportello")
	s.submit("/sportello/cerca", "CSE-101", "q", "RSSMRA80A01D612X")
	s.submit("/sportello/cerca", "CSE-358", "q", "")
	s.submit("/sportello/cerca", "", "q", "Zzyzx")
	s.see("Nessun")

	s.begin(c)
	s.submit("/2", "", s.document("presente", "titolare")...)
	s.submit("/3", "", "email", "a@posta.example", "email_ripetuta", "a@posta.example", "consenso", "si")
	s.submit("/4", "")
	file := s.file()
	protocol := strings.TrimPrefix(file, "/sportello/pratica/")
	s.at("/sportello")
	s.see(c.ID) // printed by nobody yet
	s.submit("/sportello/cerca", "", "q", protocol)
	s.see("Scheda di", protocol)
	s.at(file)
	s.papers()
	s.handOver()
	s.at("/sportello")
	s.see("Non c'è nulla in attesa")

	// G: the operator's own report of the day, a signature missing and then not.
	s.act(c, "dove-andare")
	s.submit("/dove-andare", "")
	second := strings.TrimPrefix(s.file(), "/sportello/pratica/")
	s.at("/sportello/turno")
	s.see(protocol, second, "Operazioni 2 Moduli stampati 1 Firme mancanti 1", "manca la firma")
	s.at("/sportello/turno/csv")
	rows, err := csv.NewReader(strings.NewReader(string(s.b.Page.Body))).ReadAll()
	if err != nil || len(rows) != 3 || rows[1][1] != protocol || rows[2][1] != second || rows[2][5] != "" || strings.Contains(string(s.b.Page.Body), string(c.CF)) {
		t.Errorf("the file of the shift: %v %v", rows, err)
	}
	s.at("/sportello/pratica/" + second)
	s.papers()
	s.handOver()
	s.at("/sportello/turno")
	s.see("Moduli stampati 2 Firme mancanti 0")
	s.at("/sportello/turno?giorno=2020-01-02")
	s.see("Nessuna operazione in questo giorno")

	other := keys["urp"].work(t, p, r.clock)
	other.at("/sportello/turno")
	other.see("Nessuna operazione in questo giorno")
	check(t, other.b.Get(t.Context(), p.Config.Public.Portal+file))
	if other.b.Page.Code() != "CSE-145" {
		t.Errorf("another counter's file: %s", other.b.Page.Where())
	}
	clean(t, p)
}

// Journey A at each kind of counter, over HTTP (R59): health units, municipality,
// URP and the pharmacy that takes part activate; the Revenue Agency, the call
// centre and a pharmacy that does not take part send elsewhere.
func TestR59_ActivationAtEachKindOfCounter(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	keys := r.offices(t)
	p := r.serve(t, knownRoles()...)
	for i, c := range []struct{ office, code string }{
		{"asl", ""}, {"aslb", ""}, {"comune", ""}, {"urp", ""}, {"farmacia", ""}, {"ade", "CSE-122"}, {"chiusa", "CSE-123"}, {"callcentre", "CSE-122"},
	} {
		holder := p.give(t, invented(t, "BIANCHI", "ALBA", civil.Today(r.clock).AddYears(-40-i)), 992_000+uint64(i), nil)
		s := keys[c.office].work(t, p, r.clock)
		s.sheet(holder.CF)
		offered := s.b.Page.Href(func(h string) bool { return strings.HasSuffix(h, "?tessera="+holder.ID) }) != ""
		if offered != (c.code == "") {
			t.Errorf("%s: the sheet offers the activation: %v", c.office, offered)
		}
		s.at("/sportello/attivazione?tessera=" + holder.ID)
		s.submit("/sportello/attivazione", c.code, "tessera_ultime_cinque", holder.ID[11:])
		want := lifecycle.Delivered
		if c.code == "" {
			want = lifecycle.Active
			s.submit("/2", "", s.document("presente", "titolare")...)
			s.submit("/3", "", "email", "alba@posta.example", "email_ripetuta", "alba@posta.example", "consenso", "si")
			s.submit("/4", "")
			paper := s.papers()
			firstHalvesOnly(t, p, holder.ID, paper)
			on(t, paper, "Richiesta di attivazione e consenso", "Copia per il titolare", "Copia per lo sportello", string(holder.CF))
			s.handOver()
		}
		if got := card(t, p, holder.ID).State; got != want {
			t.Errorf("%s: the card is %s, want %s", c.office, got, want)
		}
	}
	sound(t, p)
}

// Journey A without an e-mail address, over HTTP (R75): the letter with the second
// halves lies in another office's spool; at that office itself it is refused.
func TestR75_WithoutAnAddressALetterOverHTTP(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	keys := r.offices(t)
	r.config.NoEmail = NoEmail{How: "letter", Office: "urp", Spool: "letters"}
	p := r.serve(t, knownRoles()...)
	holder := p.give(t, invented(t, "GIALLI", "PIA", civil.Today(r.clock).AddYears(-80)), 993_001, nil)
	s := keys["urp"].work(t, p, r.clock)
	step3 := func() {
		t.Helper()
		s.begin(holder)
		s.submit("/2", "", s.document("presente", "titolare")...)
	}
	step3()
	s.submit("/3", "CSE-467", "senza_email", "si", "consenso", "si")
	s = keys["asl"].work(t, p, r.clock)
	step3()
	s.submit("/3", "", "senza_email", "si", "consenso", "si")
	s.submit("/4", "")
	file := s.file()
	paper := s.papers()
	firstHalvesOnly(t, p, holder.ID, paper)
	on(t, paper, "per posta")
	s.handOver()
	protocol := strings.TrimPrefix(file, "/sportello/pratica/")
	if _, err := p.queue.Get(t.Context(), counter.MailKey(protocol)); err == nil {
		t.Error("a mail with the second halves is asked for, too")
	}
	letter := filepath.Join(r.config.Data, "letters", "urp", strings.ReplaceAll(protocol, "/", "-")+".pdf")
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		pdf, err := os.ReadFile(letter)
		if err == nil {
			text := readBack(t, pdf)
			_, second := halvesOf(t, p, holder.ID)
			on(t, text, "GIALLI", "PUK: "+second[0], "CIP: "+second[1])
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	sound(t, p)
}

// Journeys H3 and H4 over HTTP: by telephone four digits of the CIP, at places
// drawn by the system, suspend and do nothing else; second halves are not sent
// again by telephone (the permission matrix), and the sheet says who does it.
func TestR84_ByPhoneSuspendsAndNothingElse(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	keys := r.offices(t)
	p := r.serve(t, knownRoles()...)
	c := card(t, p, r.active)
	s := keys["callcentre"].work(t, p, r.clock)
	s.act(c, "telefono")
	cip := string(cipOf(t, p, c.ID).Reveal())
	drawn := func(wrong bool) string {
		t.Helper()
		q, err := p.counter.AskPositions(t.Context(), operatorOf(t, p, "al-callcentre"), c.ID)
		check(t, err)
		digits := ""
		for _, n := range q.Places {
			d := cip[n-1]
			if wrong {
				d = '0' + (d-'0'+1)%10
			}
			digits += string(d)
		}
		if text := s.b.Page.Text(); strings.Contains(text, cip) {
			t.Error("the page shows the CIP")
		}
		return digits
	}
	s.submit("/telefono", "CSE-358", "cifre", "")
	s.submit("/telefono", "CSE-455", "cifre", drawn(true))
	if got := card(t, p, c.ID).State; got != lifecycle.Active {
		t.Fatalf("after a wrong answer the card is %s", got)
	}
	r.clock.Advance(time.Minute)
	s.submit("/telefono", "", "cifre", drawn(false))
	if got := card(t, p, c.ID).State; got != lifecycle.Suspended {
		t.Fatalf("the card is %s", got)
	}
	if got := enter(t, p, r.cardOf(t, p)).Page.Code(); got != "CSE-303" {
		t.Errorf("the card on hold at the door: %s", got)
	}
	s.sheet(c.CF)
	for word, code := range map[string]string{"email": "CSE-122", "ristampa": "CSE-122", "revoca": "CSE-126", "riattiva": "CSE-122"} {
		s.at("/sportello/tessera/" + c.ID + "/" + word)
		if s.b.Page.Code() != code {
			t.Errorf("by telephone %s: %q, want %s", word, s.b.Page.Code(), code)
		}
	}
	clean(t, p)
}
