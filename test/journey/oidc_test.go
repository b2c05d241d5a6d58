package journey

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cse.example/cse/card/holder"
	"cse.example/cse/card/reader"
	"cse.example/cse/demo/browser"
	"cse.example/cse/ground/localhost"
	"cse.example/cse/ground/secret"
)

// enterWith logs p in twice with the card's file: at the portal, whose session
// stays in the browser, and at a service, played here by hand up to its access
// token.
func (j *journey) enterWith(t *testing.T, p person) (session *browser.Browser, token string) {
	t.Helper()
	r, err := reader.FromFile(p.image)
	ok(t, err)
	defer r.Close()
	h, err := holder.New(r)
	ok(t, err)
	leaf, err := h.Certificate()
	ok(t, err)
	key, err := h.Signer(func() (secret.Text, error) { return secret.FromString(p.codes.PIN), nil })
	ok(t, err)
	card := &browser.Card{Host: "cns.cse.localhost", Certificate: tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}}
	session, err = browser.New(j.roots, card)
	ok(t, err)
	visit(t, session, portalURL+"/entra?a=/tessera")
	ok(t, session.Follow(t.Context(), "cns"))
	arrived(t, session, "/tessera")

	b, err := browser.New(j.roots, card)
	ok(t, err)
	return session, j.tokenFor(t, b)
}

// tokenFor is the regional service's part of OpenID Connect: request with PKCE,
// code, token endpoint.
func (j *journey) tokenFor(t *testing.T, b *browser.Browser) string {
	t.Helper()
	const client, back = "demo-regionale", "https://regione.cse.localhost:8443/ritorno"
	random := func() string {
		raw := make([]byte, 32)
		_, err := rand.Read(raw)
		ok(t, err)
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	verifier, state := random(), random()
	challenge := sha256.Sum256([]byte(verifier))
	visit(t, b, loginURL+"/authorize?"+url.Values{
		"client_id": {client}, "redirect_uri": {back}, "response_type": {"code"}, "scope": {"openid profile"}, "state": {state}, "nonce": {random()},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode())
	b.Hold = true
	ok(t, b.Follow(t.Context(), "cns"))
	var answer *url.URL
	for range 10 { // door, hand-over, provider: until the way back to the service
		to, err := b.Page.URL.Parse(b.Page.Header.Get("Location"))
		ok(t, err)
		if strings.HasPrefix(to.String(), back+"?") {
			answer = to
			break
		}
		visit(t, b, to.String())
	}
	if answer == nil || answer.Query().Get("code") == "" || answer.Query().Get("state") != state {
		t.Fatalf("no code for the service: %s %s", b.Page.Where(), b.Page.Code())
	}
	pass, err := os.ReadFile(filepath.Join(j.live.data, "services", client+".secret"))
	ok(t, err)
	form := url.Values{"grant_type": {"authorization_code"}, "code": {answer.Query().Get("code")}, "redirect_uri": {back}, "code_verifier": {verifier}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, loginURL+"/token", strings.NewReader(form.Encode()))
	ok(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(client, strings.TrimSpace(string(pass)))
	resp, err := j.client().Do(req)
	ok(t, err)
	defer resp.Body.Close()
	var tokens struct {
		Access string `json:"access_token"`
		ID     string `json:"id_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&tokens); err != nil || resp.StatusCode != 200 || tokens.Access == "" || tokens.ID == "" {
		t.Fatalf("the token endpoint answers %d: %v", resp.StatusCode, err)
	}
	return tokens.Access
}

func (j *journey) client() *http.Client {
	return &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{
		DialContext: localhost.DialContext, TLSClientConfig: &tls.Config{RootCAs: j.roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
	}}
}

// userinfo answers the status that a service gets with the token.
func (j *journey) userinfo(t *testing.T, token string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, loginURL+"/userinfo", nil)
	ok(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := j.client().Do(req)
	ok(t, err)
	_ = resp.Body.Close()
	return resp.StatusCode
}
