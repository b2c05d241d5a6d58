package login_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"cse.example/cse/ground/words"
	"cse.example/cse/login/door"
	"cse.example/cse/login/logintest"
)

// R5: whatever ends the card ends its sessions, at the very next use: user info,
// introspection, refresh and code alike.
func TestSessionEndsWithTheCard(t *testing.T) {
	tests := []struct {
		name string
		end  func(t *testing.T, w *logintest.World)
	}{
		{"card revoked", func(_ *testing.T, w *logintest.World) {
			w.Office.SetCard(logintest.CardID, func(c *door.Card) { c.State = door.Ended })
		}},
		{"card suspended", func(_ *testing.T, w *logintest.World) {
			w.Office.SetCard(logintest.CardID, func(c *door.Card) { c.State = door.Suspended })
		}},
		{"card expired", func(_ *testing.T, w *logintest.World) {
			w.Office.SetCard(logintest.CardID, func(c *door.Card) { c.State = door.Expired })
		}},
		{"holder dead", func(_ *testing.T, w *logintest.World) {
			w.Office.SetCard(logintest.CardID, func(c *door.Card) { c.Deceased = true })
		}},
		{"certificate revoked", func(_ *testing.T, w *logintest.World) {
			w.Office.SetCert(logintest.Serial(&w.Card), door.CertStatus{State: door.Revoked, At: w.Clock.Now()})
		}},
		{"certificate expired", func(_ *testing.T, w *logintest.World) {
			w.Clock.Set(w.Card.Leaf.NotAfter.Add(time.Second))
		}},
		{"told by the act itself", func(t *testing.T, w *logintest.World) {
			n, err := w.Service.EndFor(t.Context(), string(logintest.CardID))
			if err != nil || n != 2 {
				t.Fatalf("ended %d sessions, %v; want 2", n, err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := logintest.New(t, logintest.Options{})
			p := portal(t, w, "offline_access")
			b := w.Browser(&w.Card)
			tok := p.redeem(t, p.code(t, b))
			waiting := p.code(t, b)
			if _, err := p.userInfo(tok); err != nil {
				t.Fatalf("before: %v", err)
			}
			if p.introspect(t, tok.AccessToken)["active"] != true {
				t.Fatal("before: inactive")
			}
			tt.end(t, w)
			if got := p.introspect(t, tok.AccessToken); got["active"] != false || len(got) != 1 {
				t.Errorf("introspection after: %v", got)
			}
			if m, err := p.userInfo(tok); err == nil {
				t.Errorf("user info after: %v", m)
			}
			if err := p.refresh(tok.RefreshToken); oauthError(err) != "invalid_grant" {
				t.Errorf("refresh after: %v", err)
			}
			if _, err := p.conf.Exchange(p.ctx, waiting, oauth2.VerifierOption(p.verifier)); oauthError(err) != "invalid_grant" {
				t.Errorf("code after: %v", err)
			}
		})
	}
}

func (p *rp) refresh(token string) error {
	_, err := p.conf.TokenSource(p.ctx, &oauth2.Token{RefreshToken: token, Expiry: time.Unix(1, 0)}).Token()
	return err
}

func oauthError(err error) string {
	var r *oauth2.RetrieveError
	if errors.As(err, &r) {
		return r.ErrorCode
	}
	return ""
}

// An ended session stays ended, even when the card comes back from suspension.
func TestSessionDoesNotComeBack(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	p := portal(t, w)
	tok := p.redeem(t, p.code(t, w.Browser(&w.Card)))
	w.Office.SetCard(logintest.CardID, func(c *door.Card) { c.State = door.Suspended })
	if p.introspect(t, tok.AccessToken)["active"] != false {
		t.Fatal("active while suspended")
	}
	w.Office.SetCard(logintest.CardID, func(c *door.Card) { c.State = door.Active })
	if p.introspect(t, tok.AccessToken)["active"] != false {
		t.Error("the session came back with the card")
	}
	if acts := strings.Join(w.Office.Acts(), " "); !strings.HasSuffix(acts, "login.granted login.ended:CSE-303") {
		t.Errorf("journal: %s", acts)
	}
}

// A silent revocation source refuses, but ends nothing.
func TestSessionWaitsForASilentSource(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	p := portal(t, w)
	tok := p.redeem(t, p.code(t, w.Browser(&w.Card)))
	w.Office.Down(true)
	if _, err := p.userInfo(tok); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("user info without revocation: %v, want 503", err)
	}
	w.Office.Down(false)
	if _, err := p.userInfo(tok); err != nil {
		t.Errorf("and after: %v", err)
	}
}

func TestCodeReplay(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	p := portal(t, w)
	code := p.code(t, w.Browser(&w.Card))
	tok := p.redeem(t, code)
	if _, err := p.conf.Exchange(p.ctx, code, oauth2.VerifierOption(p.verifier)); oauthError(err) != "invalid_grant" {
		t.Errorf("second redemption: %v", err)
	}
	if _, err := p.userInfo(tok); err == nil {
		t.Error("the tokens of a replayed code are still good (RFC 6749, 4.1.2)")
	}
}

func TestRefreshRotatesOnceAndNoticesTheft(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	p := portal(t, w, "offline_access")
	first := p.redeem(t, p.code(t, w.Browser(&w.Card)))
	second, err := p.conf.TokenSource(p.ctx, &oauth2.Token{RefreshToken: first.RefreshToken, Expiry: time.Unix(1, 0)}).Token()
	if err != nil || second.RefreshToken == first.RefreshToken || second.RefreshToken == "" {
		t.Fatalf("rotation: %v", err)
	}
	if _, err := p.userInfo(second); err != nil {
		t.Fatal(err)
	}
	if err := p.refresh(first.RefreshToken); oauthError(err) != "invalid_grant" {
		t.Errorf("the spent refresh token: %v", err)
	}
	if _, err := p.userInfo(second); err == nil {
		t.Error("a refresh token came back, and its family lives on (RFC 9700, 4.14.2)")
	}
	without := portal(t, w)
	if tok := without.redeem(t, without.code(t, w.Browser(&w.Card))); tok.RefreshToken != "" {
		t.Error("a refresh token without offline_access")
	}
}

// What a relying party, or somebody who plays one, may not do.
func TestBadRequests(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	p := portal(t, w)
	b := w.Browser(&w.Card)
	without := func(name string) string {
		u, _ := url.Parse(p.start())
		q := u.Query()
		q.Del(name)
		u.RawQuery = q.Encode()
		return u.String()
	}
	with := func(name, value string) string { return p.start(oauth2.SetAuthURLParam(name, value)) }
	for _, tt := range []struct{ name, address, want string }{
		{"no PKCE", without("code_challenge"), "invalid_request"},
		{"plain PKCE", with("code_challenge_method", "plain"), "invalid_request"},
		{"no openid", with("scope", "profile"), "invalid_request"},
		{"implicit", with("response_type", "token"), "invalid_request"},
		{"scope not agreed", with("scope", "openid email"), "invalid_scope"},
	} {
		a := get(t, b, tt.address)
		to := strings.Replace(a.Header.Get("Location"), "#", "?", 1) // the implicit flow answers in the fragment
		if got := logintest.Query(t, to, "error"); got != tt.want {
			t.Errorf("%s: %d %q %s, want %s", tt.name, a.StatusCode, got, a.text, tt.want)
		}
	}
	// Where the address is not the service's own, nothing is sent there.
	for name, address := range map[string]string{
		"unknown client": with("client_id", "nobody"), "no redirect": without("redirect_uri"),
		"longer redirect": with("redirect_uri", logintest.Redirect+"/more"), "query added": with("redirect_uri", logintest.Redirect+"?a=b"),
		"other host": with("redirect_uri", "https://portal.cse.test.evil.example/callback"), "dots": with("redirect_uri", "https://portal.cse.test/x/../callback"),
		"plain http": with("redirect_uri", strings.Replace(logintest.Redirect, "https", "http", 1)), "user": with("redirect_uri", "https://portal.cse.test@evil.example/callback"),
	} {
		t.Run(name, func(t *testing.T) { wantRefusal(t, get(t, b, address), "CSE-322") })
	}
	// The library's own callback addresses cannot be reached from outside.
	wantRefusal(t, get(t, b, w.LoginURL+"/authorize/whatever/return?ticket=x"), "CSE-002")
	wantRefusal(t, get(t, b, w.LoginURL+"/"), "CSE-002")
}

func TestTokenEndpointRefuses(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	p := portal(t, w)
	b := w.Browser(&w.Card)
	wrongSecret, other := *p, newRP(t, w, logintest.ServiceID, logintest.ServiceReturn)
	wrongSecret.conf.ClientSecret = "not the secret of the portal, sorry"
	for _, tt := range []struct {
		name, want string
		try        func(code string) error
	}{
		{"wrong verifier", "invalid_grant", func(c string) error {
			_, err := p.conf.Exchange(p.ctx, c, oauth2.VerifierOption(oauth2.GenerateVerifier()))
			return err
		}},
		{"no verifier", "invalid_grant", func(c string) error { _, err := p.conf.Exchange(p.ctx, c); return err }},
		{"wrong secret", "invalid_client", func(c string) error {
			_, err := wrongSecret.conf.Exchange(p.ctx, c, oauth2.VerifierOption(p.verifier))
			return err
		}},
		{"another client", "invalid_grant", func(c string) error {
			_, err := other.conf.Exchange(p.ctx, c, oauth2.VerifierOption(p.verifier))
			return err
		}},
		{"made up", "invalid_grant", func(string) error {
			_, err := p.conf.Exchange(p.ctx, "made-up", oauth2.VerifierOption(p.verifier))
			return err
		}},
	} {
		if err := tt.try(p.code(t, b)); oauthError(err) != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
	// A token of one client is nobody else's to look at.
	tok := p.redeem(t, p.code(t, b))
	if got := other.introspect(t, tok.AccessToken); got["error"] != "access_denied" {
		t.Errorf("another client's introspection: %v", got)
	}
}

func TestRevocationEndpoint(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	p := portal(t, w)
	tok := p.redeem(t, p.code(t, w.Browser(&w.Card)))
	req, err := http.NewRequestWithContext(p.ctx, http.MethodPost, w.LoginURL+"/revoke", strings.NewReader(url.Values{"token": {tok.AccessToken}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(logintest.ClientID, logintest.ClientSecret)
	r, err := (&http.Client{Transport: w.Transport(nil)}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if a := read(t, r); a.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	if p.introspect(t, tok.AccessToken)["active"] != false {
		t.Error("the token outlives its revocation")
	}
}

func TestLogout(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	b := w.Browser(nil)
	a := get(t, b, w.LoginURL+"/logout")
	if a.StatusCode != http.StatusOK || !strings.Contains(a.text, "Togli la carta") || a.Header.Get("Clear-Site-Data") == "" {
		t.Errorf("%d %s", a.StatusCode, a.text)
	}
	back := url.QueryEscape("https://portal.cse.test/")
	a = get(t, b, w.LoginURL+"/logout?client_id=portal&post_logout_redirect_uri="+back)
	if got := a.Header.Get("Location"); got != "https://portal.cse.test/" {
		t.Errorf("logout to %q", got)
	}
	wantRefusal(t, get(t, b, w.LoginURL+"/logout?client_id=portal&post_logout_redirect_uri=https%3A%2F%2Fevil.example%2F"), "CSE-322")
}

// A pushed request (RFC 9126) works, once.
func TestPushedRequest(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	p := portal(t, w)
	u, err := url.Parse(p.start())
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(p.ctx, http.MethodPost, w.LoginURL+"/par", strings.NewReader(u.RawQuery))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(logintest.ClientID, logintest.ClientSecret)
	r, err := (&http.Client{Transport: w.Transport(nil)}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	a := read(t, r)
	if a.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	uri := between(a.text, `"request_uri":"`, `"`)
	short := w.LoginURL + "/authorize?client_id=portal&request_uri=" + url.QueryEscape(uri)
	b := w.Browser(&w.Card)
	p.redeem(t, p.codeFrom(t, get(t, b, toCard(t, b, short))))
	wantRefusal(t, get(t, b, short), "CSE-322")
}

func between(s, a, b string) string {
	_, s, _ = strings.Cut(s, a)
	s, _, _ = strings.Cut(s, b)
	return s
}

// fault is the code of a words.Fault, empty for none.
func fault(err error) string {
	if f := words.FaultOf(err); f != nil {
		return f.Code
	}
	return ""
}
