package portal_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/portal/portaltest"
)

// as asks for a page as one of the cast.
func as(t *testing.T, s *portaltest.Stage, who, path string) string {
	t.Helper()
	w := httptest.NewRecorder()
	check := s.Play(w, t.Context(), portaltest.State{Name: path, Host: "portal", Path: path, Who: who, Status: http.StatusOK}, words.Italian)
	if check != nil || w.Code != http.StatusOK {
		t.Fatalf("%s: %d %v", path, w.Code, check)
	}
	return plain(reMain.FindString(w.Body.String()))
}

// The banner is there from ninety days before the end to the last day, and
// counts the days; not before, and not for a card that is over.
func TestTheBannerBeforeTheEnd(t *testing.T) {
	s := newStage(t)
	end := time.Date(2031, 2, 1, 9, 0, 0, 0, time.UTC) // active's last day
	for _, x := range []struct {
		before int
		want   string
	}{{91, ""}, {90, "Mancano 90 giorni"}, {30, "Mancano 30 giorni"}, {0, "Oggi è l'ultimo giorno"}, {-1, ""}} {
		s.Clock.Set(end.AddDate(0, 0, -x.before))
		text := as(t, s, "active", "/tessera")
		if got := strings.Contains(text, "La tua tessera scade il 01/02/2031"); got != (x.want != "") || !strings.Contains(text, x.want) {
			t.Errorf("%d days before: %s", x.before, text)
		}
	}
}

// R11: la mia tessera shows each function with its state, and a card that was
// never activated shows TS, CF and TEAM as an activated one does (R77); R48: the
// TEAM says temporary stay, in the area and on the certificate.
func TestR11_R77_R48_TheAreaShowsFourFunctions(t *testing.T) {
	s := newStage(t)
	w := httptest.NewRecorder()
	if err := s.Play(w, t.Context(), portaltest.State{Host: "portal", Path: "/tessera/figli", Who: "active"}, words.Italian); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{
		`data-function="ts" data-state="valid"`, `data-function="cf" data-state="valid"`, `data-function="team" data-state="valid"`, `data-function="cns" data-state="not-activated"`,
	} {
		if !strings.Contains(w.Body.String(), f) {
			t.Errorf("a daughter's card, never activated: no %s", f)
		}
	}
	for path, want := range map[string]string{"/tessera": "durante un soggiorno temporaneo", "/tessera/certificato-team": "soggiorno temporaneo"} {
		if text := as(t, s, "active", path); !strings.Contains(text, want) {
			t.Errorf("%s does not say %q: %s", path, want, text)
		}
	}
}

// Pages of the area want a card's login; what others see is told with office,
// role and motive.
func TestActivityTellsWhoLooked(t *testing.T) {
	s := newStage(t)
	text := as(t, s, "active", "/tessera/attivita")
	for _, want := range []string{"Scheda consultata", "Operatore di sportello", "Sportello ASL di Firenze", "Richiesta del titolare", "Non indicato", "Ospedale di prova", "Per un ricovero", "Non riconosco questo accesso"} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q: %s", want, text)
		}
	}
	for _, path := range []string{"/tessera/attivita", "/tessera/contatti", "/tessera/figli", "/tessera/certificato-team"} {
		if w := get(t, s, words.Italian, path); w.Code != http.StatusSeeOther || !strings.Contains(w.Header().Get("Location"), "/entra") {
			t.Errorf("%s as nobody: %d %s", path, w.Code, w.Header().Get("Location"))
		}
	}
}
