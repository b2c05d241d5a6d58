package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"cse.example/cse/demo/browser"
	"cse.example/cse/engine/queue"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/contacts"
	"cse.example/cse/issuer/counter"
)

// letters are those that wait for the mail server, by event and address.
func letters(t *testing.T, p *Platform) map[[2]string]contacts.Letter {
	t.Helper()
	items, err := p.queue.List(t.Context(), queue.Filter{Kind: contacts.KindMail, Limit: 100})
	check(t, err)
	out := map[[2]string]contacts.Letter{}
	for _, i := range items {
		e, err := p.queue.Open(t.Context(), i.Key)
		check(t, err)
		var l contacts.Letter
		check(t, json.Unmarshal(e.Body, &l))
		out[[2]string{l.Event, l.To}] = l
	}
	return out
}

// C3, C4, C15 and C17 over the real listener, door and store: the holder enters, is told
// so once, changes the address with two codes, makes a certificate that anybody
// checks without authorisation (R21), sees who looked; and no address of a page
// holds a codice fiscale.
func TestR21_R48_R11_TheCitizensArea(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	p := r.serve(t, "web", "print", "mail")
	c := card(t, p, r.active)
	chip := r.cardOf(t, p)
	enter(t, p, chip)
	b := enter(t, p, chip)
	see := func(path string, want ...string) {
		t.Helper()
		if path != "" {
			check(t, b.Get(t.Context(), p.Config.Public.Portal+"/it"+path))
		}
		for _, w := range want {
			if b.Page.Status != http.StatusOK || !strings.Contains(b.Page.Text(), w) {
				t.Fatalf("%s: %s %s, want %q", path, b.Page.Where(), b.Page.Text(), w)
			}
		}
		if strings.Contains(b.Page.URL.String(), string(c.CF)) {
			t.Errorf("the codice fiscale is in an address: %s", b.Page.URL)
		}
	}
	submit := func(action string, values map[string]string) {
		t.Helper()
		check(t, b.Submit(t.Context(), action, values))
	}
	const before, after = "titolare@example.org", "nuovo@example.org"
	see("/tessera", "Tessera sanitaria", "Codice fiscale", "TEAM", "CNS") // R11: four functions
	if _, ok := letters(t, p)[[2]string{"first-login", before}]; !ok || len(letters(t, p)) != 1 {
		t.Errorf("two logins: letters %v", letters(t, p))
	}

	see("/tessera/contatti", before)
	submit("/tessera/contatti", map[string]string{"email": after, "email_ripetuta": after})
	see("", after)
	sent := letters(t, p)
	one, two := sent[[2]string{"code-new", after}].Args[1], sent[[2]string{"code-old", before}].Args[1]
	submit("/tessera/contatti/codici", map[string]string{"codice_nuovo": one, "codice_attuale": "000000"})
	if b.Page.Code() != "CSE-593" && two != "000000" {
		t.Errorf("one code of two: %s %s", b.Page.Where(), b.Page.Code())
	}
	submit("/tessera/contatti/codici", map[string]string{"codice_nuovo": one, "codice_attuale": two})
	see("", "Il tuo indirizzo è cambiato", after)
	email, _, _, err := deskBook{p.book}.Of(t.Context(), c.CF)
	check(t, err)
	if email != after {
		t.Errorf("the counter writes to %s", email)
	}

	see("/tessera/certificato-team", "Non serve nessuna autorizzazione", "soggiorno temporaneo")
	today := civil.Today(r.clock)
	submit("/tessera/certificato-team", map[string]string{"periodo_dal": today.Italian(), "periodo_al": today.AddDays(9).Italian()})
	see("", "Certificato dal", string(c.CF), "Valido")
	id := b.Page.URL.Path[strings.LastIndex(b.Page.URL.Path, "/")+1:]
	twin := shift{t: t, p: p, b: b}
	page := b.Page
	check(t, b.Get(t.Context(), p.Config.Public.Portal+"/it/tessera/certificato-team/"+id+"/pdf"))
	if b.Page.Header.Get("Content-Type") != "application/pdf" {
		t.Errorf("the PDF: %s", b.Page.Where())
	}
	text := readBack(t, b.Page.Body)
	on(t, text, string(c.CF), "Provisional replacement certificate", "soggiorno temporaneo", "temporary stay", today.AddDays(9).Italian())
	b.Page = page
	twin.twinOf(text) // its page says the same
	op, err := p.directory.OperatorByAccount("anna")
	check(t, err)
	_, err = p.counter.Sheet(t.Context(), op, c.CF)
	check(t, err)
	see("/tessera/attivita", "Accesso con la tessera", "Scheda consultata", "Operatore di sportello", "Indirizzo e-mail cambiato", "Certificato sostitutivo della TEAM")
	proveMine(t, p, b, string(c.CF))
	see("/tessera/non-riconosco", "Blocca la tessera con il CIP")

	anybody, err := browser.New(p.webCA.Pool(), nil)
	check(t, err)
	verify := func(want string) {
		t.Helper()
		check(t, anybody.Get(t.Context(), p.Config.Public.Portal+"/it/verifica-team/"+id))
		who, err := p.db.People().Get(t.Context(), c.CF)
		check(t, err)
		text := anybody.Page.Text()
		if !strings.Contains(text, want) || strings.Contains(text, string(c.CF)) || strings.Contains(text, who.Surname) {
			t.Errorf("the check says %s, want %q and no name", text, want)
		}
	}
	verify("oggi dà diritto")
	who, err := p.db.People().Get(t.Context(), c.CF)
	check(t, err)
	who.AbroadRight = false
	check(t, p.db.Atomically(t.Context(), func(ctx context.Context) error { _, err := p.db.People().Put(ctx, who); return err }))
	verify("non accettarlo")
	clean(t, p)
}

// A counter's act counts in the book, and the book's address, changed from home,
// is the previous one that a correction at the counter tells.
func TestTheCounterAndTheBookAgree(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	x := o.patient(t, 1)
	check(t, o.act(t, x)())
	at := func(want string) {
		t.Helper()
		got, err := o.book.Of(t.Context(), x.CF)
		check(t, err)
		if got.Email != want {
			t.Errorf("the book says %s, want %s", got.Email, want)
		}
	}
	at("mario@posta.example")
	const home, desk = "casa@posta.example", "sportello@posta.example"
	_, err := o.book.Ask(t.Context(), x.CF, home, home, false)
	check(t, err)
	sent := letters(t, o.Platform)
	_, err = o.book.Confirm(t.Context(), x.CF, sent[[2]string{"code-new", home}].Args[1], sent[[2]string{"code-old", "mario@posta.example"}].Args[1])
	check(t, err)
	at(home)
	op, err := o.directory.OperatorByAccount("anna")
	check(t, err)
	op, err = op.At("asl")
	check(t, err)
	request, err := o.counter.NewRequest()
	check(t, err)
	_, err = o.counter.CorrectEmail(t.Context(), op, counter.Order{
		Request: request, Card: x.card.ID, Email: desk, EmailAgain: desk, Lang: words.Italian,
		Identity: counter.IdentityStep{Present: counter.PresentHolder, Document: counter.Document{
			Kind: counter.ElectronicCard, Number: "CA00000AA", Issuer: "Comune", Issued: x.card.Issued.AddYears(-1), Expires: x.card.Issued.AddYears(1),
		}},
	})
	check(t, err)
	at(desk)
	told := map[string]bool{}
	items, err := o.queue.List(t.Context(), queue.Filter{Kind: counter.KindMailNotice, Limit: 100})
	check(t, err)
	for _, i := range items {
		e, err := o.queue.Open(t.Context(), i.Key)
		check(t, err)
		var n counter.Notice
		check(t, json.Unmarshal(e.Body, &n))
		if n.Event == counter.Readdressed {
			told[n.To] = true
		}
	}
	if len(told) != 2 || !told[home] || !told[desk] {
		t.Errorf("told %v", told)
	}
}

// The night tells once that a card comes to its end, and at the nearest
// threshold only; the address changed while it slept is the one it writes to.
func TestTheNightTellsOfTheEnd(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	x := o.patient(t, 1)
	check(t, o.act(t, x)())
	night := func(daysBefore, want int) {
		t.Helper()
		o.hand.Set(x.card.Expires.AddDays(-daysBefore).Start().Add(3 * time.Hour))
		for range 2 {
			_, err := o.night(t.Context())
			check(t, err)
		}
		items, err := o.queue.List(t.Context(), queue.Filter{Kind: contacts.KindMail})
		check(t, err)
		if len(items) != want {
			t.Errorf("%d days before: %d letters, want %d", daysBefore, len(items), want)
		}
	}
	night(91, 0)
	night(58, 1)
	night(31, 1)
	night(30, 2)
	night(1, 3)
	for at := range letters(t, o.Platform) {
		if at != [2]string{"expiry", "mario@posta.example"} {
			t.Errorf("a letter %v", at)
		}
	}
}
