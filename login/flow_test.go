package login_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"cse.example/cse/login/identity"
	"cse.example/cse/login/logintest"
	"cse.example/cse/login/page"
	"cse.example/cse/login/provider"
)

// rp is an independent relying party: golang.org/x/oauth2 and coreos/go-oidc.
type rp struct {
	w        *logintest.World
	op       *gooidc.Provider
	conf     oauth2.Config
	verifier string
	ctx      context.Context
}

func newRP(t *testing.T, w *logintest.World, id, redirect string, scopes ...string) *rp {
	t.Helper()
	ctx := gooidc.ClientContext(t.Context(), &http.Client{Transport: w.Transport(nil)})
	op, err := gooidc.NewProvider(ctx, w.LoginURL)
	if err != nil {
		t.Fatal(err)
	}
	endpoint := op.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader // do not try a refused code again, the other way
	return &rp{w: w, op: op, ctx: ctx, verifier: oauth2.GenerateVerifier(), conf: oauth2.Config{
		ClientID: id, ClientSecret: logintest.ClientSecret, RedirectURL: redirect, Endpoint: endpoint,
		Scopes: append([]string{"openid", "profile"}, scopes...),
	}}
}

func portal(t *testing.T, w *logintest.World, scopes ...string) *rp {
	return newRP(t, w, logintest.ClientID, logintest.Redirect, scopes...)
}

func (p *rp) start(more ...oauth2.AuthCodeOption) string {
	return p.conf.AuthCodeURL("the-state", append([]oauth2.AuthCodeOption{oauth2.S256ChallengeOption(p.verifier), gooidc.Nonce("the-nonce")}, more...)...)
}

type answer struct {
	*http.Response
	text string
}

func get(t *testing.T, b *http.Client, address string) answer {
	t.Helper()
	r, err := b.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, r)
}

func read(t *testing.T, r *http.Response) answer {
	t.Helper()
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{r, string(text)}
}

var cnsLink = regexp.MustCompile(`<a rel="cns" href="([^"]+)">`)

// toCard begins a login and returns the link to the card's host.
func toCard(t *testing.T, b *http.Client, start string) string {
	t.Helper()
	a := get(t, b, start)
	m := cnsLink.FindStringSubmatch(a.text)
	if a.StatusCode != http.StatusOK || m == nil {
		t.Fatalf("no link to the card's host: %d %s", a.StatusCode, a.text)
	}
	return m[1]
}

func wantRefusal(t *testing.T, a answer, code string) {
	t.Helper()
	if got := a.Header.Get(page.HeaderError); got != code {
		t.Fatalf("%s: %d, refused with %q, want %q\n%s", a.Request.URL.Path, a.StatusCode, got, code, a.text)
	}
	if !strings.Contains(a.text, code) || strings.Contains(a.text, "⟦") || a.StatusCode < 400 {
		t.Errorf("the page of %s (%d) does not say it: %s", code, a.StatusCode, a.text)
	}
}

// code follows a login to the end and returns the authorization code.
func (p *rp) code(t *testing.T, b *http.Client, more ...oauth2.AuthCodeOption) string {
	t.Helper()
	return p.codeFrom(t, get(t, b, toCard(t, b, p.start(more...))))
}

func (p *rp) codeFrom(t *testing.T, a answer) string {
	t.Helper()
	to := a.Header.Get("Location")
	if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, p.conf.RedirectURL+"?") {
		t.Fatalf("%d to %q, want the service's callback\n%s", a.StatusCode, to, a.text)
	}
	if logintest.Query(t, to, "state") != "the-state" || logintest.Query(t, to, "iss") != p.w.LoginURL {
		t.Errorf("state or iss missing in %s", to)
	}
	code := logintest.Query(t, to, "code")
	if code == "" {
		t.Fatalf("no code in %s", to)
	}
	return code
}

func (p *rp) redeem(t *testing.T, code string) *oauth2.Token {
	t.Helper()
	tok, err := p.conf.Exchange(p.ctx, code, oauth2.VerifierOption(p.verifier))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func (p *rp) userInfo(tok *oauth2.Token) (map[string]any, error) {
	u, err := p.op.UserInfo(p.ctx, oauth2.StaticTokenSource(tok))
	if err != nil {
		return nil, err
	}
	var m map[string]any
	return m, u.Claims(&m)
}

func (p *rp) introspect(t *testing.T, token string) map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(p.ctx, http.MethodPost, p.w.LoginURL+"/introspect", strings.NewReader(url.Values{"token": {token}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(p.conf.ClientID), url.QueryEscape(p.conf.ClientSecret))
	r, err := (&http.Client{Transport: p.w.Transport(nil)}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if a := read(t, r); json.Unmarshal([]byte(a.text), &m) != nil {
		t.Fatalf("introspection: %d %s", a.StatusCode, a.text)
	}
	return m
}

func TestCardLogin(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	p := portal(t, w)
	tok := p.redeem(t, p.code(t, w.Browser(&w.Card)))

	idToken, err := p.op.Verifier(&gooidc.Config{ClientID: logintest.ClientID}).Verify(p.ctx, tok.Extra("id_token").(string))
	if err != nil {
		t.Fatal(err)
	}
	var inToken map[string]any
	if err := idToken.Claims(&inToken); err != nil {
		t.Fatal(err)
	}
	if inToken["acr"] != identity.ACRCard || inToken["nonce"] != "the-nonce" {
		t.Errorf("id token: acr %v, nonce %v", inToken["acr"], inToken["nonce"])
	}
	if _, there := inToken[provider.ClaimFiscalNumber]; there {
		t.Error("the ID token carries the codice fiscale")
	}
	got, err := p.userInfo(tok)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		provider.ClaimFiscalNumber: "TINIT-" + logintest.CF, "given_name": "Mario", "family_name": "Rossi",
		"birthdate": "1980-01-01", "gender": "male", "acr": identity.ACRCard, "sub": idToken.Subject,
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s = %v, want %v", k, got[k], v)
		}
	}
	if amr, _ := json.Marshal(got["amr"]); string(amr) != `["sc","pin","hwk"]` {
		t.Errorf("amr = %s", amr)
	}
	if strings.Contains(idToken.Subject, logintest.CF) || len(idToken.Subject) != 43 {
		t.Errorf("sub = %q is no pseudonym", idToken.Subject)
	}
	place, _ := got[provider.ClaimPlaceOfBirth].(map[string]any)
	if place["locality"] != "Roma" || place["region"] != "RM" {
		t.Errorf("place of birth = %v", place)
	}
	if acts := strings.Join(w.Office.Acts(), " "); acts != "login.proved login.granted" {
		t.Errorf("journal: %s", acts)
	}
}

// The same person is somebody else to another service, and the same to one.
func TestPairwiseSubject(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	sub := func(p *rp) string {
		m, err := p.userInfo(p.redeem(t, p.code(t, w.Browser(&w.Card))))
		if err != nil {
			t.Fatal(err)
		}
		return m["sub"].(string)
	}
	a, again := sub(portal(t, w)), sub(portal(t, w))
	b := sub(newRP(t, w, logintest.ServiceID, logintest.ServiceReturn))
	if a != again || a == b {
		t.Errorf("subjects: portal %q and %q, comune %q", a, again, b)
	}
}

// No login rides on an earlier one (no single sign-on), and no TLS session is
// resumed: every login is a new signature of the card.
func TestEveryLoginSignsAgain(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	cache := tls.NewLRUClientSessionCache(8)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		signatures := 0
		tr := w.Transport(nil)
		tr.TLSClientConfig.MaxVersion, tr.TLSClientConfig.ClientSessionCache = version, cache
		tr.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			signatures++
			return &w.Card, nil
		}
		b := w.Browser(nil)
		b.Transport = tr
		p := portal(t, w)
		for n := 1; n <= 3; n++ {
			link := toCard(t, b, p.start())
			before := signatures
			noFollow := *b
			noFollow.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			a := get(t, &noFollow, link)
			if a.StatusCode != http.StatusSeeOther || a.TLS.DidResume || signatures != before+1 {
				t.Errorf("TLS %x, login %d: status %d, resumed %v, signatures %d", version, n, a.StatusCode, a.TLS.DidResume, signatures-before)
			}
			if a.ProtoMajor != 1 || !a.Close {
				t.Errorf("the card's host answered %s, close %v", a.Proto, a.Close)
			}
		}
	}
}

func TestPromptNone(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	b := w.Browser(&w.Card)
	p := portal(t, w)
	p.code(t, b)
	a := get(t, b, p.start(oauth2.SetAuthURLParam("prompt", "none")))
	if got := logintest.Query(t, a.Header.Get("Location"), "error"); got != "login_required" {
		t.Errorf("prompt=none after a login: %q, want login_required", got)
	}
}

func TestChooser(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	b := w.Browser(nil)
	a := get(t, b, portal(t, w).start())
	for _, want := range []string{`rel="cns"`, "SPID: non ancora collegato", "CIE: non ancora collegato", "/operator?flow="} {
		if !strings.Contains(a.text, want) {
			t.Errorf("the choice lacks %q", want)
		}
	}
	if strings.Contains(get(t, b, newRP(t, w, logintest.ServiceID, logintest.ServiceReturn).start()).text, "/operator") {
		t.Error("a service for citizens offers the operators' form")
	}
	only := get(t, b, portal(t, w).start(oauth2.SetAuthURLParam("acr_values", identity.ACROperator)))
	if strings.Contains(only.text, `rel="cns"`) || !strings.Contains(only.text, "/operator") {
		t.Error("acr_values of operators still offers the card")
	}
	for h, want := range map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
	} {
		if got := a.Header.Get(h); !strings.Contains(got, want) {
			t.Errorf("%s: %q", h, got)
		}
	}
	c := a.Header.Get("Set-Cookie")
	for _, want := range []string{"__Host-cse-flow=", "Path=/", "HttpOnly", "Secure", "SameSite=Lax"} {
		if !strings.Contains(c, want) {
			t.Errorf("cookie %q lacks %s", c, want)
		}
	}
}

func TestCancel(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	b := w.Browser(nil)
	flow := logintest.Query(t, toCard(t, b, portal(t, w).start()), "flow")
	wantRefusal(t, get(t, w.Browser(nil), w.LoginURL+"/cancel?flow="+flow), "CSE-325")
	a := get(t, b, w.LoginURL+"/cancel?flow="+flow)
	if got := logintest.Query(t, a.Header.Get("Location"), "error"); got != "access_denied" {
		t.Errorf("cancel: %q", got)
	}
}

// The codice fiscale and the name stand in no address and no header.
func TestNoPersonInAddresses(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	b := w.Browser(&w.Card)
	var seen []string
	b.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		seen = append(seen, r.URL.String())
		if strings.HasPrefix(r.URL.String(), logintest.Redirect) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	get(t, b, toCard(t, b, portal(t, w).start()))
	if len(seen) != 2 {
		t.Fatalf("addresses: %d, want the return and the callback", len(seen))
	}
	for _, s := range seen {
		if up := strings.ToUpper(s); strings.Contains(up, logintest.CF) || strings.Contains(up, "ROSSI") || strings.Contains(up, string(logintest.CardID)) {
			t.Errorf("an address names the person: %s", s)
		}
	}
}

func TestDiscovery(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	var d struct {
		Issuer   string   `json:"issuer"`
		Flows    []string `json:"response_types_supported"`
		PKCE     []string `json:"code_challenge_methods_supported"`
		Subjects []string `json:"subject_types_supported"`
		ACR      []string `json:"acr_values_supported"`
		IDAlgs   []string `json:"id_token_signing_alg_values_supported"`
		PAR      string   `json:"pushed_authorization_request_endpoint"`
	}
	if err := portal(t, w).op.Claims(&d); err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(d)
	want := `{"issuer":"` + w.LoginURL + `","response_types_supported":["code"],"code_challenge_methods_supported":["S256"],"subject_types_supported":["pairwise"],` +
		`"acr_values_supported":["https://www.spid.gov.it/SpidL3","urn:cse:acr:operator:totp"],"id_token_signing_alg_values_supported":["ES256","RS256"],` +
		`"pushed_authorization_request_endpoint":"` + w.LoginURL + `/par"}`
	if string(got) != want {
		t.Errorf("discovery\n got %s\nwant %s", got, want)
	}
}
