package portal_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cse.example/cse/portal"
	"cse.example/cse/portal/portaltest"
)

// locked is an operator's browser whose screen has locked, before a provider that
// lets in who it is told: paola herself until said otherwise.
func locked(t *testing.T) (*portaltest.Stage, *provider, *visitor) {
	t.Helper()
	s, p, v := withProvider(t)
	paola := s.People["operator"]
	p.now = s.Clock.Now
	p.Who = map[string]any{
		"sub": "s1", "https://attributes.eid.gov.it/fiscal_number": "TINIT-" + string(paola.CF), "given_name": "Paola", "family_name": "Ferrari", "preferred_username": "paola",
	}
	cookie, err := s.Session(t.Context(), "password")
	if err != nil {
		t.Fatal(err)
	}
	v.jar[cookie.Name] = cookie
	if w := v.do("GET", "/sportello", nil); w.Code != 200 {
		t.Fatalf("at work: %d", w.Code)
	}
	s.Clock.Advance(11 * time.Minute)
	return s, p, v
}

// unlock logs in from the lock page that is shown for a path.
func (v *visitor) unlock(p *provider, path string) (location, code string) {
	v.t.Helper()
	state := v.begin(p, "/entra?a="+url.QueryEscape(path))
	w := v.do("GET", "/ritorno?code=the-code&state="+state, nil)
	return w.Header().Get("Location"), w.Header().Get("CSE-Error")
}

// After ten idle minutes every page is the lock, and nothing of anybody's shows;
// who opened the session goes on where he was, with another cookie.
func TestIdleLock_OneGoesOnWhereOneWas(t *testing.T) {
	s, p, v := locked(t)
	card := "/sportello/tessera/" + s.Cards["active"].ID
	for _, path := range []string{card, "/sportello", "/", "/tessera", "/gestione/operatori"} {
		w := v.do("GET", path, nil)
		if w.Code != http.StatusForbidden || w.Header().Get("CSE-Error") != "CSE-484" || strings.Contains(w.Body.String(), string(s.People["active"].CF)) {
			t.Errorf("GET %s: %d %s", path, w.Code, w.Header().Get("CSE-Error"))
		}
	}
	w := v.do("GET", card+"?motivo=counter", nil)
	if want := `href="/entra?a=` + url.QueryEscape(card+"?motivo=counter"); !strings.Contains(strings.ToLower(w.Body.String()), strings.ToLower(want)) {
		t.Errorf("the lock does not lead back to the page: want %s", want)
	}
	before := v.jar[portal.SessionCookie].Value
	if to, code := v.unlock(p, card+"?motivo=counter"); to != card+"?motivo=counter" || code != "" {
		t.Fatalf("unlocked, and sent to %q %s", to, code)
	}
	if v.jar[portal.SessionCookie].Value == before || s.Sessions.Len() != 1 {
		t.Error("the former cookie lives on")
	}
	if w := v.do("GET", card, nil); w.Code != 200 {
		t.Errorf("after: %d %s", w.Code, w.Header().Get("CSE-Error"))
	}
}

// The form that hits the lock is kept, sealed, and sent once, when its operator
// says so.
func TestIdleLock_TheFormIsSentOnceAndOnlyWhenConfirmed(t *testing.T) {
	s, p, v := locked(t)
	path, form := s.Typed()
	page := portaltest.DefaultAddresses().Portal + path
	w := v.do("POST", path, form, "Referer", page)
	if w.Header().Get("CSE-Error") != "CSE-484" || s.Sessions.LenHeld() != 1 || strings.Contains(w.Body.String(), "AX1234567") {
		t.Fatalf("%d %s, %d kept", w.Code, w.Header().Get("CSE-Error"), s.Sessions.LenHeld())
	}
	to, code := v.unlock(p, path)
	if to != "/sblocca/ripresa" || code != "" {
		t.Fatalf("unlocked, and sent to %q %s", to, code)
	}
	if w := v.do("GET", to, nil); w.Code != 200 || !strings.Contains(w.Body.String(), "AX1234567") || strings.Contains(w.Body.String(), form.Get("richiesta")) {
		t.Errorf("what was typed: %d", w.Code)
	}
	if w := v.do("POST", to, nil, "Sec-Fetch-Site", "cross-site"); w.Header().Get("CSE-Error") != "CSE-353" || s.Sessions.LenHeld() != 1 {
		t.Errorf("another site sends it: %d %s", w.Code, w.Header().Get("CSE-Error"))
	}
	w = v.do("POST", to, url.Values{}, "Sec-Fetch-Site", "same-origin")
	if w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "/sportello/pratica/") {
		t.Errorf("sent: %d to %s (%s)", w.Code, w.Header().Get("Location"), w.Header().Get("CSE-Error"))
	}
	if w := v.do("POST", to, url.Values{}); w.Header().Get("CSE-Error") != "CSE-485" {
		t.Errorf("sent twice: %d %s", w.Code, w.Header().Get("CSE-Error"))
	}

	// Not sent: it is thrown away, and the page it came from is open again.
	s, p, v = locked(t)
	v.do("POST", path, form, "Referer", page)
	v.unlock(p, path)
	if w := v.do("POST", "/sblocca/scarta", url.Values{}); w.Header().Get("Location") != path || s.Sessions.LenHeld() != 0 {
		t.Errorf("not sent: to %s, %d kept", w.Header().Get("Location"), s.Sessions.LenHeld())
	}
	// What a form refuses comes back with what was typed.
	_, p, v = locked(t)
	wrong := url.Values{"richiesta": form["richiesta"], "presente": {"titolare"}, "documento_numero": {"AX7654321"}}
	v.do("POST", path, wrong, "Referer", page)
	v.unlock(p, path)
	w = v.do("POST", "/sblocca/ripresa", url.Values{})
	if w.Header().Get("CSE-Error") != "CSE-358" || !strings.Contains(w.Body.String(), `value="AX7654321"`) {
		t.Errorf("refused: %d %s", w.Code, w.Header().Get("CSE-Error"))
	}
	// Too late it is gone.
	s, p, v = locked(t)
	v.do("POST", path, form, "Referer", page)
	s.Clock.Advance(30 * time.Minute)
	if to, _ := v.unlock(p, path); to != path {
		t.Errorf("half an hour later: sent to %q", to)
	}
}

// Nobody else unlocks it, and each try is recorded; he ends the session and logs
// in on his own. What was typed goes with the session.
func TestR92_IdleLock_NobodyElseUnlocks(t *testing.T) {
	for name, who := range map[string]func(s *portaltest.Stage) map[string]any{
		"another operator": func(s *portaltest.Stage) map[string]any {
			return map[string]any{"sub": "s1", "https://attributes.eid.gov.it/fiscal_number": "TINIT-" + string(s.People["security"].CF), "preferred_username": "security"}
		},
		"a holder": func(s *portaltest.Stage) map[string]any {
			return map[string]any{"sub": "s1", "https://attributes.eid.gov.it/fiscal_number": "TINIT-" + string(s.People["active"].CF), "urn:cse:card": s.Cards["active"].ID}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, p, v := locked(t)
			path, form := s.Typed()
			v.do("POST", path, form)
			cookie := v.jar[portal.SessionCookie].Value
			p.Who = who(s)
			n := len(s.Refusals)
			if to, code := v.unlock(p, "/sportello"); code != "CSE-483" || to != "" {
				t.Errorf("%q %s", to, code)
			}
			if len(s.Refusals) != n+1 || s.Refusals[n].Code != "CSE-483" || s.Refusals[n].Actor == "paola" || s.Refusals[n].Actor == "" {
				t.Errorf("recorded: %+v", s.Refusals[n:])
			}
			if v.jar[portal.SessionCookie].Value != cookie || s.Sessions.LenHeld() != 1 {
				t.Error("the session or its form is gone")
			}
			if w := v.do("GET", "/sportello", nil); w.Header().Get("CSE-Error") != "CSE-484" {
				t.Errorf("after: %d %s", w.Code, w.Header().Get("CSE-Error"))
			}
			if w := v.do("POST", "/uscita", url.Values{}); w.Code != http.StatusSeeOther || s.Sessions.Len() != 0 || s.Sessions.LenHeld() != 0 {
				t.Errorf("ended: %d, %d sessions, %d forms", w.Code, s.Sessions.Len(), s.Sessions.LenHeld())
			}
			if to, code := v.unlock(p, "/sportello"); to != "/sportello" || code != "" {
				t.Errorf("his own login: %q %s", to, code)
			}
		})
	}
}

// The session ends when it would have ended, unlocked or not.
func TestIdleLock_TheAbsoluteEndStays(t *testing.T) {
	s, p, v := locked(t)
	for range 3 {
		s.Clock.Advance(2 * time.Hour)
		if _, code := v.unlock(p, "/sportello"); code != "" {
			t.Fatalf("unlocked: %s", code)
		}
	}
	s.Clock.Advance(2 * time.Hour)
	if w := v.do("GET", "/sportello", nil); w.Header().Get("CSE-Error") != "CSE-350" || s.Sessions.Len() != 0 {
		t.Errorf("after eight hours: %d %s", w.Code, w.Header().Get("CSE-Error"))
	}
}

// A form with a code, a file, or of no operator's page is not kept.
func TestIdleLock_NoSecretIsKept(t *testing.T) {
	s, _, v := locked(t)
	card := "/sportello/tessera/" + s.Cards["active"].ID
	for name, x := range map[string]struct {
		path string
		form url.Values
		kind string
	}{
		"digits of the CIP": {card + "/telefono", url.Values{"cifre": {"1234"}}, "application/x-www-form-urlencoded"},
		"a CIP":             {"/revoca", url.Values{"chi": {"x"}, "cip": {"1234567890"}}, "application/x-www-form-urlencoded"},
		"a file":            {card + "/sospendi", url.Values{"presente": {"titolare"}}, "multipart/form-data; boundary=x"},
		"a citizen's page":  {"/tessera/contatti", url.Values{"email": {"a@b.it"}}, "application/x-www-form-urlencoded"},
		"too much":          {card + "/sospendi", url.Values{"presente": {strings.Repeat("x", 64<<10)}}, "application/x-www-form-urlencoded"},
	} {
		if w := v.do("POST", x.path, x.form, "Content-Type", x.kind); w.Header().Get("CSE-Error") != "CSE-484" || s.Sessions.LenHeld() != 0 {
			t.Errorf("%s: %d %s, %d kept", name, w.Code, w.Header().Get("CSE-Error"), s.Sessions.LenHeld())
		}
	}
	// Every field that a page takes as a code or password is one that is not kept.
	secret := regexp.MustCompile(`Text "([a-z_]+)" "[^"]+" "[^"]*type:password`)
	pages, err := filepath.Glob("pages/*.html")
	if err != nil || len(pages) < 50 {
		t.Fatal(len(pages), err)
	}
	found := 0
	for _, page := range pages {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range secret.FindAllSubmatch(b, -1) {
			if found++; !slices.Contains(portal.SecretFields(), string(m[1])) {
				t.Errorf("%s: the lock keeps the field %s", page, m[1])
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d such fields were found", found)
	}
}
