package login_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"cse.example/cse/ground/words"
	"cse.example/cse/login"
	"cse.example/cse/login/door"
	"cse.example/cse/login/logintest"
	"cse.example/cse/login/provider"
)

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// No log line names a person or shows a password, whatever goes wrong.
func TestLogsNameNobody(t *testing.T) {
	var log safeBuffer
	w := logintest.New(t, logintest.Options{Change: func(_ *login.Config, n *login.Needs) {
		n.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}})
	p := portal(t, w)
	b := w.Browser(&w.Card)
	code := p.code(t, b)
	tok := p.redeem(t, code)
	_, _ = p.conf.Exchange(p.ctx, code) // a replay
	w.Office.SetCard(logintest.CardID, func(c *door.Card) { c.State = door.Suspended })
	wantRefusal(t, atDoor(t, w, &w.Card), "CSE-303")
	_, _ = p.userInfo(tok)
	f := operatorForm(t, b, w)
	wantRefusal(t, f.post(t, b, w, logintest.OperatorPass, "wrong"), "CSE-326")
	if log.String() == "" {
		t.Fatal("nothing was logged: the test proves nothing")
	}
	for _, secret := range []string{logintest.CF, logintest.OtherCF, "Rossi", string(logintest.CardID), logintest.OperatorPass, code, tok.AccessToken} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log shows %q:\n%s", secret, log.String())
		}
	}
}

// A service that holds keys proves itself by a signed assertion, each used once.
func TestAssertionOnce(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const id, redirect = "inps", "https://inps.cse.test/cb"
	w := logintest.New(t, logintest.Options{Change: func(c *login.Config, _ *login.Needs) {
		c.Clients = append(c.Clients, provider.ClientConfig{
			ID: id, Name: "Ente centrale di prova", PublicAdministration: true, RedirectURIs: []string{redirect}, CardNumber: true,
			JWKS: &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}}},
		})
	}})
	p := newRP(t, w, id, redirect)
	assertion := func(jti string) string {
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k1"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := jwt.Signed(s).Claims(jwt.Claims{
			Issuer: id, Subject: id, Audience: jwt.Audience{w.LoginURL}, ID: jti, IssuedAt: jwt.NewNumericDate(time.Now()),
			Expiry: jwt.NewNumericDate(time.Now().Add(time.Minute)),
		}).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	redeem := func(assertion string) answer {
		r, err := (&http.Client{Transport: w.Transport(nil)}).PostForm(w.LoginURL+"/token", url.Values{
			"grant_type": {"authorization_code"}, "code": {p.code(t, w.Browser(&w.Card))}, "redirect_uri": {redirect}, "code_verifier": {p.verifier},
			"client_id": {id}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
		})
		if err != nil {
			t.Fatal(err)
		}
		return read(t, r)
	}
	one := assertion("jti-1")
	if a := redeem(one); a.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	if a := redeem(one); a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.text, "invalid_client") {
		t.Errorf("the same assertion again: %d %s", a.StatusCode, a.text)
	}
	if a := redeem(assertion("jti-2")); a.StatusCode != http.StatusOK {
		t.Errorf("another: %d %s", a.StatusCode, a.text)
	}
}

// The card's number goes to the service whose agreement has it, and no other.
func TestCardNumberByAgreement(t *testing.T) {
	w := logintest.New(t, logintest.Options{Change: func(c *login.Config, _ *login.Needs) { c.Clients[0].CardNumber = true }})
	for _, tt := range []struct {
		p    *rp
		want any
	}{
		{portal(t, w), string(logintest.CardID)},
		{newRP(t, w, logintest.ServiceID, logintest.ServiceReturn), nil},
	} {
		got, err := tt.p.userInfo(tt.p.redeem(t, tt.p.code(t, w.Browser(&w.Card))))
		if _, foreign := got[provider.ClaimCardIssuer]; foreign {
			t.Errorf("%s: a card of ours has an issuer beside it", tt.p.conf.ClientID)
		}
		if err != nil || got[provider.ClaimCard] != tt.want {
			t.Errorf("%s: %v %v, want %v", tt.p.conf.ClientID, got[provider.ClaimCard], err, tt.want)
		}
	}
}

// An operator whose account is closed is out at the next use of his token.
func TestOperatorAccountClosed(t *testing.T) {
	var mu sync.Mutex
	closed := false
	w := logintest.New(t, logintest.Options{Change: func(_ *login.Config, n *login.Needs) {
		n.OperatorLive = func(context.Context, string) error {
			mu.Lock()
			defer mu.Unlock()
			if closed {
				return words.Refuse("CSE-003")
			}
			return nil
		}
	}})
	p := portal(t, w)
	b := w.Browser(nil)
	flow := logintest.Query(t, toCard(t, b, p.start()), "flow")
	csrf := between(get(t, b, w.LoginURL+"/operator?flow="+flow).text, `name="csrf" value="`, `"`)
	tok := p.redeem(t, p.codeFrom(t, form{flow, csrf}.post(t, b, w, logintest.OperatorPass, logintest.OperatorCode)))
	if p.introspect(t, tok.AccessToken)["active"] != true {
		t.Fatal("inactive while the account is open")
	}
	mu.Lock()
	closed = true
	mu.Unlock()
	if p.introspect(t, tok.AccessToken)["active"] != false {
		t.Error("active after the account was closed")
	}
}

// A gateway with something missing does not start.
func TestNewRefuses(t *testing.T) {
	cfg := login.Config{LoginURL: "https://login.cse.test", CardURL: "https://cns.cse.test"}
	if _, err := login.New(cfg, login.Needs{}); err == nil {
		t.Error("a gateway without anything started")
	}
}
