package portal_test

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cse.example/cse/portal/portaltest"
)

var (
	reAddress = regexp.MustCompile(`\s(?:href|src|action|formaction|content|data-[a-z-]*(?:url|href|get|post))="([^"]*)"`)
	reForm    = regexp.MustCompile(`<form[^>]*>`)
	// rePublicSearch are the two forms whose question is an address: of texts and
	// of counters, which name nobody.
	rePublicSearch = regexp.MustCompile(`role="search" method="get" action="(?:/it|/en)?/(?:domande-frequenti|sportelli)"`)
	reCF           = regexp.MustCompile(`[A-Z]{6}[0-9]{2}[A-EHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]`)
)

// names tells whether an address names one of the cast, or anybody.
func names(s *portaltest.Stage, address string) bool {
	plain := address
	for range 2 { // an address inside an address
		if u, err := url.QueryUnescape(plain); err == nil {
			plain = u
		}
	}
	for _, p := range s.People {
		if strings.Contains(strings.ToUpper(plain), string(p.CF)) {
			return true
		}
	}
	return reCF.MatchString(plain)
}

// addresses are all that an answer shows or leads to.
func addresses(w *httptest.ResponseRecorder) []string {
	out := w.Header().Values("Location")
	for _, h := range []string{"Link", "Refresh", "Content-Location"} {
		out = append(out, w.Header().Values(h)...)
	}
	for _, m := range reAddress.FindAllStringSubmatch(w.Body.String(), -1) {
		out = append(out, html.UnescapeString(m[1]))
	}
	return out
}

// TestNoCodiceFiscaleInAddresses walks every page and redirect: each state, and
// from there every link, as everybody of the cast. No address names a person,
// and no form would put what is typed into one.
func TestNoCodiceFiscaleInAddresses(t *testing.T) {
	s := newStage(t)
	sheets := 0
	check := func(from string, w *httptest.ResponseRecorder) []string {
		t.Helper()
		found := addresses(w)
		for _, a := range found {
			if names(s, a) {
				t.Errorf("%s leads to %s", from, a)
			}
		}
		for _, f := range reForm.FindAllString(w.Body.String(), -1) {
			if !strings.Contains(f, ` method="post"`) && !rePublicSearch.MatchString(f) {
				t.Errorf("%s has a form that is no POST: %s", from, f)
			}
		}
		if strings.Contains(w.Body.String(), string(s.People["cardless"].CF)) && strings.Contains(from, "/sportello/titolare/") {
			sheets++
		}
		return found
	}
	for _, who := range []string{"", "active", "pending", "chipless", "revoked", "cardless", "operator", "password"} {
		v := &visitor{t, s.Portal, map[string]*http.Cookie{}}
		if who != "" {
			cookie, err := s.Session(t.Context(), who)
			if err != nil {
				t.Fatal(err)
			}
			v.jar[cookie.Name] = cookie
		}
		var queue []string
		for _, st := range s.States() {
			if st.Host != "portal" {
				continue
			}
			method := http.MethodGet
			if st.Form != nil {
				method = http.MethodPost
			}
			queue = append(queue, check(who+" "+method+" "+st.Path, v.do(method, st.Path, st.Form))...)
		}
		for _, text := range []string{"tutti", "ROSSI", string(s.People["active"].CF), string(s.People["cardless"].CF)} {
			queue = append(queue, check(who+" search", v.do("POST", "/sportello/cerca", url.Values{"q": {text}}))...)
		}
		walk(v, queue, func(path string, w *httptest.ResponseRecorder) []string { return check(who+" "+path, w) })
	}
	for _, st := range s.States() {
		if st.Host != "portal" {
			w := httptest.NewRecorder()
			if err := s.Play(w, t.Context(), st, "it"); err != nil {
				t.Fatal(err)
			}
			check(st.Name, w)
		}
	}
	if sheets == 0 {
		t.Error("nobody's sheet was reached without a card: the walk checks too little")
	}
}

// walk opens each page of the portal that can be reached, once.
func walk(v *visitor, queue []string, check func(path string, w *httptest.ResponseRecorder) []string) {
	home := portaltest.DefaultAddresses().Portal
	var seen []string
	for len(queue) > 0 && len(seen) < 400 {
		path := strings.TrimPrefix(queue[0], home)
		queue = queue[1:]
		if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "/look/") || slices.Contains(seen, path) || strings.HasPrefix(path, "/entra") {
			continue
		}
		seen = append(seen, path)
		queue = append(queue, check(path, v.do("GET", path, nil))...)
	}
}

// TestNamesIsAwake: the check above finds what it looks for.
func TestNamesIsAwake(t *testing.T) {
	s := newStage(t)
	cf := string(s.People["active"].CF)
	for _, a := range []string{"/x/" + cf, "/x?q=" + strings.ToLower(cf), "/entra?a=%2Fx%3Fq%3D" + cf, "/entra?a=" + url.QueryEscape("/x?q="+url.QueryEscape(cf)), "/x/RSSMRA80A01H501U"} {
		if !names(s, a) {
			t.Errorf("%s passes", a)
		}
	}
	if names(s, "/sportello/tessera/6000000900001001") {
		t.Error("a card number was taken for a codice fiscale")
	}
}

// TestReferenceOfAnotherSession: what one operator's session was given leads
// another's nowhere.
func TestReferenceOfAnotherSession(t *testing.T) {
	s := newStage(t)
	enter := func() *visitor {
		cookie, err := s.Session(t.Context(), "password")
		if err != nil {
			t.Fatal(err)
		}
		return &visitor{t, s.Portal, map[string]*http.Cookie{cookie.Name: cookie}}
	}
	mine, other := enter(), enter()
	w := mine.do("POST", "/sportello/cerca", url.Values{"q": {string(s.People["cardless"].CF)}})
	path := w.Header().Get("Location")
	if w.Code != http.StatusSeeOther || !strings.HasPrefix(path, "/sportello/titolare/") {
		t.Fatalf("search: %d %s", w.Code, path)
	}
	if w := mine.do("GET", path, nil); w.Code != 200 || !strings.Contains(w.Body.String(), "COSTA") {
		t.Errorf("own reference: %d", w.Code)
	}
	if w := other.do("GET", path, nil); w.Code != 404 || w.Header().Get("CSE-Error") != "CSE-002" {
		t.Errorf("another session's reference: %d %s", w.Code, w.Header().Get("CSE-Error"))
	}
	if w := mine.do("GET", "/sportello/titolare/"+string(s.People["cardless"].CF), nil); w.Code != 404 {
		t.Errorf("a codice fiscale is still an address: %d", w.Code)
	}
	if w := mine.do("GET", "/sportello/cerca?q=x", nil); w.Header().Get("Location") != "/sportello" {
		t.Errorf("a search by address: %d %s", w.Code, w.Header().Get("Location"))
	}
	if w := mine.do("POST", "/sportello/cerca", url.Values{"q": {"ROSSI"}}, "Sec-Fetch-Site", "cross-site"); w.Header().Get("CSE-Error") != "CSE-353" {
		t.Errorf("another site searches: %d %s", w.Code, w.Header().Get("CSE-Error"))
	}
}
