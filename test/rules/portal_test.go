package rules

import (
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/portal/portaltest"
)

var languages = []words.Lang{words.Italian, words.English}

func stage(t *testing.T) *portaltest.Stage {
	t.Helper()
	s, err := portaltest.New(portaltest.DefaultAddresses(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func play(t *testing.T, s *portaltest.Stage, st portaltest.State, l words.Lang) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	if err := s.Play(w, t.Context(), st, l); err != nil {
		t.Fatal(err)
	}
	return w
}

// R2: every hour of the week, summer and winter, the citizen's page answers.
func TestR2NoOpeningHours(t *testing.T) {
	s := stage(t)
	pages := []portaltest.State{
		{Name: "tessera", Host: "portal", Path: "/tessera", Who: "active", Status: 200},
		{Name: "revoca", Host: "portal", Path: "/revoca", Status: 200},
		{Name: "servizi", Host: "portal", Path: "/servizi-online", Status: 200},
	}
	for _, day := range []time.Time{
		time.Date(2026, 12, 21, 0, 0, 0, 0, time.UTC), // a winter week with Christmas in it
		time.Date(2027, 3, 24, 0, 0, 0, 0, time.UTC),  // the night of the summer hour is in this one
	} {
		for hour := range 7 * 24 {
			at := day.Add(time.Duration(hour) * time.Hour)
			s.Clock.Set(at)
			for _, p := range pages {
				if w := play(t, s, p, words.Italian); w.Code != p.Status {
					t.Errorf("%s at %s: %d", p.Name, at, w.Code)
				}
			}
		}
	}
}

// R2: maintenance says why and until when, with the header that programs read;
// it is a page, in the reader's language, on every address.
func TestR2MaintenanceSaysWhyAndUntilWhen(t *testing.T) {
	s := stage(t)
	for l, reason := range map[words.Lang]string{words.Italian: "aggiornamento programmato", words.English: "planned update"} {
		for _, path := range []string{"/", "/tessera", "/servizi-online", "/sportello"} {
			w := play(t, s, portaltest.State{Host: "closed", Path: path}, l)
			body := w.Body.String()
			if w.Code != 503 || w.Header().Get("CSE-Error") != "CSE-352" || w.Header().Get("Retry-After") != "7200" {
				t.Errorf("%s %s: %d, %q, Retry-After %q", l, path, w.Code, w.Header().Get("CSE-Error"), w.Header().Get("Retry-After"))
			}
			for _, want := range []string{reason, "23/11/2026", "12:30", "<h1"} { // two hours after 9:30 UTC, in Rome
				if !strings.Contains(body, want) {
					t.Errorf("%s %s: the page does not say %q", l, path, want)
				}
			}
		}
	}
}

// money finds what a fee would look like: a field, a column, a word.
var money = regexp.MustCompile(`(?i)\b(fee|price|amount|payment|pagamento|pagare|importo|prezzo|tariffa|costo|iban|euro)\b|€`)

// R6: no page of the card asks for money, and the data of cards have no place
// for it.
func TestR6NoFee(t *testing.T) {
	s := stage(t)
	inForms := regexp.MustCompile(`(?is)<form.*?</form>`)
	for _, l := range languages {
		forms := 0
		for _, st := range s.States() {
			for _, f := range inForms.FindAllString(play(t, s, st, l).Body.String(), -1) {
				forms++
				if m := money.FindString(f); m != "" {
					t.Errorf("%s (%s): a form speaks of %q", st.Name, l, m)
				}
			}
		}
		if forms < 20 {
			t.Errorf("only %d forms were seen", forms)
		}
	}
	read := 0
	for _, dir := range []string{"engine/store/migrations", "issuer/lifecycle", "issuer/production", "issuer/counter"} {
		err := filepath.WalkDir(filepath.Join("..", "..", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			read++
			for i, line := range strings.Split(string(text), "\n") {
				code, _, _ := strings.Cut(line, "//")
				if m := money.FindString(code); m != "" {
					t.Errorf("%s:%d: %q", path, i+1, m)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if read < 20 {
		t.Errorf("only %d files were read", read)
	}
}

// R6: the home page says that the card is free.
func TestR6FreeIsSaid(t *testing.T) {
	s := stage(t)
	for l, word := range map[words.Lang]string{words.Italian: "gratuita", words.English: "free"} {
		says := words.Say(l, "portal.home.free")
		if !strings.Contains(says, word) || !strings.Contains(play(t, s, portaltest.State{Host: "portal", Path: "/"}, l).Body.String(), says) {
			t.Errorf("%s: the home page does not say that the card is free (%q)", l, says)
		}
	}
}

// R54, R55: one stable address lists the services of the three levels, each
// with a link, in both languages and without a login; the home page leads there.
func TestR55ServicesAtOneAddress(t *testing.T) {
	s := stage(t)
	for _, l := range languages {
		w := play(t, s, portaltest.State{Host: "portal", Path: "/servizi-online"}, l)
		body := w.Body.String()
		if w.Code != 200 {
			t.Fatalf("%s: %d", l, w.Code)
		}
		levels := map[string]int{}
		for _, x := range portaltest.Services() {
			levels[x.Level]++
			if !strings.Contains(body, `<a href="`+x.URL+`">`+x.Name[l]+`</a>`) {
				t.Errorf("%s: no link to %s", l, x.ID)
			}
		}
		for _, level := range []string{"central", "regional", "municipal"} {
			if levels[level] == 0 || !strings.Contains(body, words.Say(l, "portal.services."+level)) {
				t.Errorf("%s: no services of the level %s", l, level)
			}
		}
		if home := play(t, s, portaltest.State{Host: "portal", Path: "/"}, l).Body.String(); !strings.Contains(home, `href="/`+string(l)+`/servizi-online"`) && !strings.Contains(home, `href="/servizi-online"`) {
			t.Errorf("%s: the home page does not lead to the services", l)
		}
	}
}

// R13, R14, R46: the counter sees both faces of a card as they are printed.
func TestCounterSeesBothFaces(t *testing.T) {
	s := stage(t)
	card, who := s.Cards["active"], s.People["active"]
	for _, l := range languages {
		body := play(t, s, portaltest.State{Host: "portal", Path: "/sportello/tessera/" + card.ID, Who: "password"}, l).Body.String()
		for face, want := range map[string]string{"fronte-": card.Expires.Italian(), "retro-": card.Expires.Italian()} {
			_, drawing, ok := strings.Cut(body, `aria-labelledby="`+face+card.ID)
			drawing, _, _ = strings.Cut(drawing, "</svg>")
			if !ok || !strings.Contains(drawing, want) || !strings.Contains(drawing, string(who.CF)) {
				t.Errorf("%s: %s%s does not show %s and %s", l, face, card.ID, want, who.CF)
			}
		}
	}
}

// An operator comes in with his account or with his own card, and is the same
// operator; a citizen's card opens no counter.
func TestOperatorByOwnCard(t *testing.T) {
	s := stage(t)
	for who, status := range map[string]int{"operator": 200, "password": 200, "active": 403} {
		w := play(t, s, portaltest.State{Host: "portal", Path: "/sportello", Who: who}, words.Italian)
		if w.Code != status || status == 200 && !strings.Contains(w.Body.String(), "Sportello ASL di Firenze") {
			t.Errorf("%s: %d %s", who, w.Code, w.Header().Get("CSE-Error"))
		}
	}
}
