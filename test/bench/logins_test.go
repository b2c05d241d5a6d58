package bench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"cse.example/cse/engine/store"
	"cse.example/cse/ground/localhost"
	"cse.example/cse/login/logintest"
)

// logins is a whole login with a CNS: the chooser, mutual TLS on the card's host
// (RSA-2048 on the card's side, P-256 on the server's), the hand-over, the code,
// the token, its verification, userinfo. Each has a browser of its own, so no
// connection and no TLS session is used twice; the portal keeps its connection.
// The gateway stands in a process of its own, its records on SQLite (fsync).
var logins = row{"logins", func(t *testing.T, s size) []figure {
	n := s.of(300, 40)
	dir := t.TempDir()
	var site gateway
	pid, _ := start(t, "login", dir, &site)
	v := newVisitor(t, dir, site)
	v.login(t) // warm-up
	var whole []float64
	alone, _ := s.rounds(7, func() float64 {
		server, client := cpuOf(t, pid), ownCPU(t)
		for range n {
			v.login(t)
		}
		server, client = cpuOf(t, pid)-server, ownCPU(t)-client
		whole = append(whole, milliseconds(server+client)/float64(n))
		return milliseconds(server) / float64(n)
	}, nil)
	return []figure{
		{name: "CNS login, the gateway", unit: "CPU-ms/login", ours: alone},
		{name: "CNS login, with browser, card and portal", unit: "CPU-ms/login", ours: whole},
	}
}}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// gateway is what the child says of itself; the card and the web authority lie
// in the folder.
type gateway struct{ Login string }

func serveLogin(t *testing.T, dir string) any {
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(dir, "cse.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w := logintest.New(t, logintest.Options{Records: db.Login(), Atomically: db.Atomically})
	o := &register{dir: dir}
	o.write(t, "web.pem", pemBlock("CERTIFICATE", w.Web.Cert.Raw))
	o.write(t, "card.pem", pemBlock("CERTIFICATE", w.Card.Leaf.Raw))
	key, err := x509.MarshalPKCS8PrivateKey(w.Card.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	o.write(t, "card.key", pemBlock("PRIVATE KEY", key))
	return gateway{w.LoginURL}
}

// visitor is the holder with his card, and the portal that he goes to.
type visitor struct {
	card   tls.Certificate
	roots  *x509.CertPool
	op     *gooidc.Provider
	portal oauth2.Config
	ctx    context.Context // carries the portal's HTTP client, as x/oauth2 wants it
}

func newVisitor(t *testing.T, dir string, site gateway) *visitor {
	t.Helper()
	leaf := readCertificate(t, filepath.Join(dir, "card.pem"))
	v := &visitor{
		roots: x509.NewCertPool(),
		card:  tls.Certificate{Certificate: [][]byte{leaf.Raw}, Leaf: leaf, PrivateKey: readKey(t, filepath.Join(dir, "card.key"))},
	}
	v.roots.AddCert(readCertificate(t, filepath.Join(dir, "web.pem")))
	v.ctx = gooidc.ClientContext(t.Context(), &http.Client{Transport: v.transport(nil)})
	var err error
	if v.op, err = gooidc.NewProvider(v.ctx, site.Login); err != nil {
		t.Fatal(err)
	}
	endpoint := v.op.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	v.portal = oauth2.Config{
		ClientID: logintest.ClientID, ClientSecret: logintest.ClientSecret, RedirectURL: logintest.Redirect, Endpoint: endpoint,
		Scopes: []string{"openid", "profile"},
	}
	return v
}

func (v *visitor) transport(card *tls.Certificate) *http.Transport {
	c := &tls.Config{RootCAs: v.roots}
	if card != nil {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return card, nil }
	}
	return &http.Transport{TLSClientConfig: c, DialContext: localhost.DialContext}
}

var cardLink = regexp.MustCompile(`<a rel="cns" href="([^"]+)">`)

// login goes from the portal to the portal, and checks who came.
func (v *visitor) login(t *testing.T) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	tr := v.transport(&v.card)
	defer tr.CloseIdleConnections()
	home, err := url.Parse(logintest.Redirect)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Transport: tr, Timeout: time.Minute, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == home.Host {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	verifier := oauth2.GenerateVerifier()
	_, chooser := visit(t, browser, v.portal.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier), gooidc.Nonce("nonce")))
	m := cardLink.FindStringSubmatch(chooser)
	if m == nil {
		t.Fatalf("no way to the card's host: %s", chooser)
	}
	to, page := visit(t, browser, html.UnescapeString(m[1]))
	code := logintest.Query(t, to, "code")
	if code == "" {
		t.Fatalf("no code in %q: %s", to, page)
	}
	if err := v.redeem(code, verifier); err != nil {
		t.Fatal(err)
	}
}

func visit(t *testing.T, browser *http.Client, address string) (location, body string) {
	t.Helper()
	r, err := browser.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.Header.Get("Location"), string(b)
}

// redeem is the portal's half.
func (v *visitor) redeem(code, verifier string) error {
	token, err := v.portal.Exchange(v.ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return err
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := v.op.Verifier(&gooidc.Config{ClientID: logintest.ClientID}).Verify(v.ctx, raw)
	if err != nil {
		return err
	}
	info, err := v.op.UserInfo(v.ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return err
	}
	if info.Subject != id.Subject || id.Subject == "" {
		return fmt.Errorf("userinfo is of %q, the token of %q", info.Subject, id.Subject)
	}
	return nil
}
