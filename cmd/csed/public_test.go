package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"cse.example/cse/demo/browser"
)

// C0 and C13: a citizen without card in the reader: reads an answer, looks for a counter,
// asks how far a card is, over the real listener and on the real store.
func TestThePublicSite(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now()) // the browser checks the platform's certificates on the machine's day
	r.config.Region.Hours.IT = "ogni giorno dalle 7 alle 20"
	p := r.serve(t, "web")
	b, err := browser.New(p.webCA.Pool(), nil)
	if err != nil {
		t.Fatal(err)
	}
	home := p.Config.Public.Portal
	get := func(path, want string) {
		t.Helper()
		if err := b.Get(t.Context(), home+path); err != nil {
			t.Fatal(err)
		}
		if b.Page.Status != http.StatusOK || !strings.Contains(b.Page.Text(), want) {
			t.Errorf("%s: %s %s, want %q", path, b.Page.Where(), b.Page.Text(), want)
		}
	}
	get("/it/domande-frequenti?q=furto", "Ho perso la tessera sanitaria, o me l'hanno rubata")
	if err := b.Follow(t.Context(), "Ho perso la tessera sanitaria, o me l'hanno rubata: che cosa faccio?"); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(b.Page.URL.Path, "/domande-frequenti/a9") {
		t.Errorf("the search leads to %s", b.Page.Where())
	}
	get("/it/contatti", "ogni giorno dalle 7 alle 20")
	get("/it/sportelli?comune=firenze&tipo=COMUNE", "Comune di prova")
	get("/it/sportelli?tipo=FARMACIA", "Nessuno sportello risponde")
	get("/it/team/paesi", "Regno Unito")
	get("/api/v1/team/countries/NO", "")
	get("/it/modulo-delega/delega", "Chi è delegato")
	if err := b.Get(t.Context(), home+"/it/modulo-delega/autocertificazione.pdf"); err != nil {
		t.Fatal(err)
	}
	if b.Page.Status != http.StatusOK || b.Page.Header.Get("Content-Type") != "application/pdf" {
		t.Errorf("the form: %s %s", b.Page.Where(), b.Page.Header.Get("Content-Type"))
	}
	if err := b.Get(t.Context(), home+"/it/stato-tessera"); err != nil {
		t.Fatal(err)
	}

	c := card(t, p, r.active)
	ask := func(five string) {
		t.Helper()
		if err := b.Get(t.Context(), home+"/it/stato-tessera"); err != nil {
			t.Fatal(err)
		}
		if err := b.Submit(t.Context(), "/stato-tessera", map[string]string{"codice_fiscale": string(c.CF), "ultime_cinque": five}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.Page.URL.String(), string(c.CF)) {
			t.Errorf("the codice fiscale is in an address: %s", b.Page.URL)
		}
	}
	right := c.TEAM[len(c.TEAM)-5:]
	wrong := string('0'+(right[0]-'0'+1)%10) + right[1:]
	ask(wrong)
	if b.Page.Code() != "CSE-570" {
		t.Errorf("a wrong number: %s %s", b.Page.Where(), b.Page.Code())
	}
	ask(right)
	if b.Page.Status != http.StatusTooManyRequests || b.Page.Header.Get("Retry-After") == "" {
		t.Errorf("at once again: %s %s", b.Page.Where(), b.Page.Code())
	}
	r.clock.Advance(3 * time.Second)
	ask(right)
	if b.Page.Status != http.StatusOK || !strings.Contains(b.Page.Text(), "È attivata e apre i servizi online") {
		t.Errorf("the right number: %s %s", b.Page.Where(), b.Page.Text())
	}
	clean(t, p)
}
