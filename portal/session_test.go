package portal_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/portal"
	"cse.example/cse/portal/portaltest"
)

// provider is an OpenID provider that lets in whoever it is told, and checks
// what a client owes it: PKCE, redirect address, client secret.
type provider struct {
	*httptest.Server
	t                *testing.T
	signer           jose.Signer
	keys             jose.JSONWebKeySet
	challenge, nonce string
	// Who are the claims of the user info; Nonce, if set, replaces the right one.
	Who   map[string]any
	Nonce string
	now   func() time.Time
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{t: t, signer: signer, now: func() time.Time { return portaltest.Now }}
	p.keys.Keys = []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.json(w, map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
			"jwks_uri": p.URL + "/jwks", "userinfo_endpoint": p.URL + "/userinfo", "id_token_signing_alg_values_supported": []string{"ES256"},
		})
	})
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, _ *http.Request) { p.json(w, p.keys) })
	mux.HandleFunc("/userinfo", func(w http.ResponseWriter, _ *http.Request) { p.json(w, p.Who) })
	mux.HandleFunc("/token", p.token)
	p.Server = httptest.NewTLSServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) json(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		p.t.Error(err)
	}
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("code") != "the-code" || r.FormValue("code_verifier") == "" || p.challenge == "" {
		http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
		return
	}
	nonce := p.nonce
	if p.Nonce != "" {
		nonce = p.Nonce
	}
	claims, err := json.Marshal(map[string]any{
		"iss": p.URL, "aud": "portal", "sub": "s1", "nonce": nonce, "exp": p.now().Add(time.Hour).Unix(), "iat": p.now().Unix(),
		"acr": "https://www.spid.gov.it/SpidL3", "amr": []string{"sc", "pin", "hwk"},
	})
	if err != nil {
		p.t.Error(err)
	}
	sig, err := p.signer.Sign(claims)
	if err != nil {
		p.t.Error(err)
	}
	jwt, err := sig.CompactSerialize()
	if err != nil {
		p.t.Error(err)
	}
	p.json(w, map[string]any{"access_token": "a", "token_type": "Bearer", "expires_in": 3600, "id_token": jwt})
}

// visitor is a browser with one cookie jar, before the portal's handler.
type visitor struct {
	t   *testing.T
	h   http.Handler
	jar map[string]*http.Cookie
}

func (v *visitor) do(method, path string, form url.Values, header ...string) *httptest.ResponseRecorder {
	v.t.Helper()
	r := httptest.NewRequest(method, portaltest.DefaultAddresses().Portal+path, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	for _, c := range v.jar {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	v.h.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" {
			v.t.Errorf("cookie %s is not a __Host- cookie as it should be: %v", c.Name, c)
		}
		if c.MaxAge < 0 {
			delete(v.jar, c.Name)
		} else {
			v.jar[c.Name] = c
		}
	}
	return w
}

// begin goes to the login and answers the state it asks with.
func (v *visitor) begin(p *provider, path string) (state string) {
	v.t.Helper()
	w := v.do("GET", path, nil)
	to, err := url.Parse(w.Header().Get("Location"))
	if err != nil || w.Code != http.StatusSeeOther {
		v.t.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
	}
	q := to.Query()
	if got := to.Scheme + "://" + to.Host + to.Path; got != p.URL+"/authorize" {
		v.t.Fatalf("sent to %s", got)
	}
	if q.Get("code_challenge_method") != "S256" || q.Get("redirect_uri") != portaltest.DefaultAddresses().Portal+"/ritorno" {
		v.t.Errorf("authorization request: %v", q)
	}
	p.challenge, p.nonce = q.Get("code_challenge"), q.Get("nonce")
	return q.Get("state")
}

func withProvider(t *testing.T) (*portaltest.Stage, *provider, *visitor) {
	t.Helper()
	p := newProvider(t)
	addr := portaltest.DefaultAddresses()
	addr.Login, addr.Client = p.URL, p.Client()
	s, err := portaltest.New(addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	mario := s.People["active"]
	p.Who = map[string]any{
		"sub": "s1", "https://attributes.eid.gov.it/fiscal_number": "TINIT-" + string(mario.CF), "given_name": "Mario", "family_name": "Rossi",
		"urn:cse:card": s.Cards["active"].ID,
	}
	return s, p, &visitor{t, s.Portal, map[string]*http.Cookie{}}
}

func TestLoginAndOut(t *testing.T) {
	s, p, v := withProvider(t)
	if w := v.do("GET", "/tessera", nil); w.Header().Get("Location") != "/entra?a=%2Ftessera" {
		t.Fatalf("nobody at /tessera: %d %s", w.Code, w.Header().Get("Location"))
	}
	state := v.begin(p, "/entra?a=%2Ftessera")
	if w := v.do("GET", "/ritorno?code=the-code&state="+state, nil); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/tessera" {
		t.Fatalf("back from login: %d %s %s", w.Code, w.Header().Get("Location"), w.Header().Get("CSE-Error"))
	}
	w := v.do("GET", "/tessera", nil)
	if w.Code != 200 || !strings.Contains(w.Body.String(), string(s.People["active"].CF)) {
		t.Fatalf("la mia tessera: %d", w.Code)
	}
	for _, f := range []string{"ts", "cf", "team", "cns"} {
		if !strings.Contains(w.Body.String(), `data-function="`+f+`" data-state="valid"`) {
			t.Errorf("function %s is not shown as valid", f)
		}
	}
	stolen := v.jar[portal.SessionCookie]
	w = v.do("POST", "/uscita", url.Values{})
	if got := w.Header().Get("Clear-Site-Data"); !strings.Contains(got, `"cookies"`) {
		t.Errorf("Clear-Site-Data %q", got)
	}
	v.jar[portal.SessionCookie] = stolen
	if w := v.do("GET", "/tessera", nil); w.Code == 200 {
		t.Error("the cookie works after the logout")
	}
	if n := s.Sessions.Len(); n != 0 {
		t.Errorf("%d sessions left", n)
	}
}

func TestLoginRefused(t *testing.T) {
	for name, test := range map[string]func(p *provider, v *visitor, state string) string{
		"another state": func(_ *provider, _ *visitor, _ string) string { return "/ritorno?code=the-code&state=other" },
		"another browser": func(_ *provider, v *visitor, s string) string {
			clear(v.jar)
			return "/ritorno?code=the-code&state=" + s
		},
		"wrong code": func(_ *provider, _ *visitor, s string) string { return "/ritorno?code=x&state=" + s },
		"wrong nonce": func(p *provider, _ *visitor, s string) string {
			p.Nonce = "old"
			return "/ritorno?code=the-code&state=" + s
		},
		"other subject": func(p *provider, _ *visitor, s string) string {
			p.Who["sub"] = "s2"
			return "/ritorno?code=the-code&state=" + s
		},
		"denied": func(_ *provider, _ *visitor, s string) string { return "/ritorno?error=access_denied&state=" + s },
		"no person": func(p *provider, _ *visitor, s string) string {
			delete(p.Who, "https://attributes.eid.gov.it/fiscal_number")
			return "/ritorno?code=the-code&state=" + s
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, p, v := withProvider(t)
			path := test(p, v, v.begin(p, "/entra"))
			if w := v.do("GET", path, nil); w.Header().Get("CSE-Error") != "CSE-351" {
				t.Errorf("%d %s, want CSE-351", w.Code, w.Header().Get("CSE-Error"))
			}
			if s.Sessions.Len() != 0 {
				t.Error("a session was opened")
			}
		})
	}
}

func TestLoginNotReached(t *testing.T) {
	addr := portaltest.DefaultAddresses()
	addr.Login = "https://127.0.0.1:1"
	s, err := portaltest.New(addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t, s.Portal, map[string]*http.Cookie{}}
	if w := v.do("GET", "/entra", nil); w.Code != http.StatusServiceUnavailable || w.Header().Get("CSE-Error") != "CSE-354" {
		t.Errorf("%d %s", w.Code, w.Header().Get("CSE-Error"))
	}
}

// TestSessionFixation: the session of a cookie that was there before the login ends.
func TestSessionFixation(t *testing.T) {
	s, p, v := withProvider(t)
	old, err := s.Session(t.Context(), "pending")
	if err != nil {
		t.Fatal(err)
	}
	v.jar[old.Name] = old
	state := v.begin(p, "/entra")
	v.do("GET", "/ritorno?code=the-code&state="+state, nil)
	if v.jar[portal.SessionCookie].Value == old.Value || s.Sessions.Len() != 1 {
		t.Errorf("the former session lives on (%d sessions)", s.Sessions.Len())
	}
}

// TestCardDies: the session ends with the card at the next request, which says
// why, and stays ended when the card comes back (R5).
func TestCardDies(t *testing.T) {
	s, v := newStage(t), (*visitor)(nil)
	cookie, err := s.Session(t.Context(), "active")
	if err != nil {
		t.Fatal(err)
	}
	v = &visitor{t, s.Portal, map[string]*http.Cookie{cookie.Name: cookie}}
	if w := v.do("GET", "/tessera", nil); w.Code != 200 {
		t.Fatalf("before: %d", w.Code)
	}
	card := s.Cards["active"].ID
	s.Dead[card] = words.Refuse("CSE-303")
	if w := v.do("GET", "/tessera", nil); w.Code != http.StatusForbidden || w.Header().Get("CSE-Error") != "CSE-303" {
		t.Errorf("after: %d %s", w.Code, w.Header().Get("CSE-Error"))
	}
	delete(s.Dead, card)
	v.jar[cookie.Name] = cookie
	if w := v.do("GET", "/tessera", nil); w.Code != http.StatusSeeOther || s.Sessions.Len() != 0 {
		t.Errorf("an ended session came back: %d", w.Code)
	}
}

func TestIdle(t *testing.T) {
	for _, test := range []struct {
		who   string
		after time.Duration
		alive bool
	}{
		{"active", 14 * time.Minute, true},
		{"active", 16 * time.Minute, false},
		{"password", 9 * time.Minute, true},
		{"password", 11 * time.Minute, false},
	} {
		s := newStage(t)
		cookie, err := s.Session(context.Background(), test.who)
		if err != nil {
			t.Fatal(err)
		}
		s.Clock.Advance(test.after)
		v := &visitor{t, s.Portal, map[string]*http.Cookie{cookie.Name: cookie}}
		w := v.do("GET", "/", nil)
		if alive := w.Code == 200; alive != test.alive {
			t.Errorf("%s after %v: %d %s", test.who, test.after, w.Code, w.Header().Get("CSE-Error"))
		}
	}
}

func TestOtherSitesForms(t *testing.T) {
	s := newStage(t)
	v := &visitor{t, s.Portal, map[string]*http.Cookie{}}
	f := url.Values{"chi": {"6000000900001001"}, "cip": {"1234512345"}, "capito": {"si"}}
	if w := v.do("POST", "/revoca", f, "Sec-Fetch-Site", "cross-site"); w.Code != 403 || w.Header().Get("CSE-Error") != "CSE-353" {
		t.Errorf("cross-site: %d %s", w.Code, w.Header().Get("CSE-Error"))
	}
	if w := v.do("POST", "/revoca", f, "Sec-Fetch-Site", "same-origin"); w.Code != 200 {
		t.Errorf("same origin: %d", w.Code)
	}
}

// TestCIPNeverComesBack: a refused form keeps what was typed, the CIP apart.
func TestCIPNeverComesBack(t *testing.T) {
	v := &visitor{t, newStage(t).Portal, map[string]*http.Cookie{}}
	w := v.do("POST", "/revoca", url.Values{"chi": {"6000000900001001"}, "cip": {"5555511111"}, "capito": {"si"}})
	if body := w.Body.String(); strings.Contains(body, "5555511111") || !strings.Contains(body, "6000000900001001") {
		t.Error("the page repeats the CIP, or lost the card number")
	}
}

// TestPrintOnce: the form leaves once; the second try is CSE-150.
func TestPrintOnce(t *testing.T) {
	s := newStage(t)
	cookie, err := s.Session(t.Context(), "password")
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t, s.Portal, map[string]*http.Cookie{cookie.Name: cookie}}
	path := "/sportello/pratica/2026/0000001/modulo"
	if w := v.do("GET", path, nil); w.Code == 200 {
		t.Errorf("a GET prints: %d", w.Code)
	}
	w := v.do("POST", path, url.Values{})
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/pdf" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("first: %d %v", w.Code, w.Header())
	}
	if w := v.do("POST", path, url.Values{}); w.Header().Get("CSE-Error") != "CSE-150" {
		t.Errorf("second: %d %s", w.Code, w.Header().Get("CSE-Error"))
	}
	by := portaltest.Now.Add(6 * time.Hour).In(civil.Rome).Format("02/01/2006 15:04")
	if w := v.do("GET", "/sportello/pratica/2026/0000001", nil); !strings.Contains(w.Body.String(), by) || !strings.Contains(w.Body.String(), "(6 h)") {
		t.Errorf("the page after an activation does not say that others may need until %s", by)
	}
	if w := v.do("POST", "/sportello/pratica/2026/0000001/consegna", url.Values{"consegnato": {"si"}}); w.Code != http.StatusSeeOther {
		t.Errorf("hand over: %d %s", w.Code, w.Header().Get("CSE-Error"))
	}
}

// TestActivation walks the four steps as forms lead.
func TestActivation(t *testing.T) {
	s := newStage(t)
	cookie, err := s.Session(t.Context(), "password")
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t, s.Portal, map[string]*http.Cookie{cookie.Name: cookie}}
	card := s.Cards["pending"]
	step := func(path, want string, pairs ...string) {
		t.Helper()
		f := url.Values{}
		for i := 0; i+1 < len(pairs); i += 2 {
			f.Set(pairs[i], pairs[i+1])
		}
		w := v.do("POST", path, f)
		if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != want {
			t.Fatalf("POST %s: %d to %q (%s), want %q", path, w.Code, got, w.Header().Get("CSE-Error"), want)
		}
	}
	step("/sportello/attivazione", "/sportello/attivazione/nuova/2", "tessera", card.ID, "tessera_ultime_cinque", card.ID[11:], "motivo", "lettore guasto")
	if w := v.do("GET", "/sportello/attivazione/nuova/4", nil); w.Header().Get("Location") != "/sportello/attivazione/nuova/2" {
		t.Errorf("step 4 before its time: %d %s", w.Code, w.Header().Get("Location"))
	}
	step("/sportello/attivazione/nuova/2", "/sportello/attivazione/nuova/3", "versione", "1", "presente", "titolare", "documento_tipo", "CI",
		"documento_numero", "AX1", "documento_ente", "Comune", "documento_rilascio", "5/3/2022", "documento_scadenza", "05.03.2032")
	step("/sportello/attivazione/nuova/3", "/sportello/attivazione/nuova/4", "versione", "2", "email", "a@esempio.it", "email_ripetuta", "a@esempio.it", "consenso", "si")
	step("/sportello/attivazione/nuova/4", "/sportello/pratica/2026/0000001", "versione", "3")
}

func TestOpenRedirect(t *testing.T) {
	_, p, v := withProvider(t)
	for _, bad := range []string{"//evil.example/", "https://evil.example/", `/\evil.example`, ""} {
		state := v.begin(p, "/entra?a="+url.QueryEscape(bad))
		w := v.do("GET", "/ritorno?code=the-code&state="+state, nil)
		if got := w.Header().Get("Location"); got != "/tessera" {
			t.Errorf("a=%q leads to %q", bad, got)
		}
	}
}

func TestLoginHint(t *testing.T) {
	_, _, v := withProvider(t)
	for in, want := range map[string]string{
		"demo-cittadino": "demo-cittadino", "demo-operatore": "demo-operatore", "": "", "RSSMRA80A01H501U": "", "a b": "", "a@b.it": "",
		strings.Repeat("a", 40): strings.Repeat("a", 40), strings.Repeat("a", 41): "", "a\n": "",
	} {
		w := v.do("GET", "/entra?a=/tessera&login_hint="+url.QueryEscape(in), nil)
		to, err := url.Parse(w.Header().Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		if got := to.Query().Get("login_hint"); got != want || to.Query().Has("login_hint") != (want != "") {
			t.Errorf("login_hint %q arrives as %q, want %q", in, got, want)
		}
	}
}

func TestLanguage(t *testing.T) {
	v := &visitor{t, newStage(t).Portal, map[string]*http.Cookie{}}
	lang := func(path string, header ...string) string {
		t.Helper()
		return v.do("GET", path, nil, header...).Header().Get("Content-Language")
	}
	for _, test := range []struct{ header, want string }{
		{"", "it"}, {"de", "it"}, {"en-GB,en;q=0.9", "en"}, {"it;q=0.5, en;q=0.8", "en"}, {"en;q=0", "it"}, {"fr, it;q=0.2", "it"}, {"en;q=x", "it"},
	} {
		if got := lang("/contatti", "Accept-Language", test.header); got != test.want {
			t.Errorf("Accept-Language %q: %s, want %s", test.header, got, test.want)
		}
	}
	if got := lang("/en/contatti"); got != "en" {
		t.Errorf("/en/: %s", got)
	}
	if got := lang("/contatti"); got != "en" {
		t.Errorf("the choice is not remembered: %s", got)
	}
	if got := lang("/enormous"); got != "en" { // no prefix: the cookie still counts
		t.Errorf("/enormous: %s", got)
	}
}
