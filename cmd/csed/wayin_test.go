package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"cse.example/cse/demo/browser"
	"cse.example/cse/issuer/lifecycle"
)

// Journeys C0, C1, C2, C3, C13 and C14 over HTTP, on the real listener, door and store:
// somebody with a card that he has never used finds what he needs, a counter and
// the pages of reader and software; without a card in the reader he is told so
// and where to go; with it he enters, and is told by letter that it was the first
// time. R25, R32, R60, R85, R93.
func TestR25_R32_R60_R85_R93_TheWayIn(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	p := r.serve(t, "web", "print", "mail")
	c, chip := card(t, p, r.active), r.cardOf(t, p)
	b, err := browser.New(p.webCA.Pool(), nil)
	check(t, err)
	see := func(path string, want ...string) {
		t.Helper()
		if path != "" {
			check(t, b.Get(t.Context(), p.Config.Public.Portal+path))
		}
		for _, w := range want {
			if b.Page.Status != http.StatusOK || !strings.Contains(b.Page.Text(), w) {
				t.Errorf("%s: %s, want %q: %s", path, b.Page.Where(), w, b.Page.Text())
			}
		}
	}
	// C0, C13, C14: what there is to do, where, and with what.
	see("/it/", "Carta Sanitaria Elettronica")
	see("/it/sportelli?comune=firenze", "Comune di prova")
	see("/it/cartasanitaria", "Lettore")
	see("/it/lettore-smart-card", "PC/SC")
	see("/it/software", "Linux")
	see("/it/elenco-driver", "")
	see("/it/contatti", p.Config.Region.Phone)
	// C2: the workstation, before anything is asked.
	see("/it/verifica-postazione", "Il lettore.", "pcscd")
	// C1: the ways in, side by side; those that are not connected say so.
	see("/it/accedi", "SPID", "CIE")
	see("/entra?a=/tessera", "SPID", "CIE", "senza chip")
	// C3, without a card: a page with code, sentence and way on; nobody is in.
	check(t, b.Follow(t.Context(), "cns"))
	if b.Page.Code() != "CSE-304" || b.Page.Status == http.StatusOK || !strings.Contains(b.Page.Text(), "Verifica la postazione") {
		t.Errorf("without a card: %s %s: %s", b.Page.Where(), b.Page.Code(), b.Page.Text())
	}
	check(t, b.Get(t.Context(), p.Config.Public.Portal+"/it/tessera"))
	if b.Page.URL.Path == "/it/tessera" && b.Page.Status == http.StatusOK {
		t.Error("in without a card")
	}
	if n := len(letters(t, p)); n != 0 {
		t.Errorf("%d letters before any login", n)
	}
	// C3, with it.
	b = enter(t, p, chip)
	see("", "La mia tessera", string(c.CF))
	if _, told := letters(t, p)[[2]string{"first-login", "titolare@example.org"}]; !told {
		t.Errorf("the first login is told to nobody: %v", letters(t, p))
	}
	// A card that is not active: the same door says what is missing (R25).
	waiting := *r
	waiting.active = r.waiting
	if got := enter(t, p, waiting.cardOf(t, p)).Page.Code(); got != "CSE-205" || card(t, p, r.waiting).State != lifecycle.Delivered {
		t.Errorf("a card not activated: %q", got)
	}
	clean(t, p)
}
