package portal

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"cse.example/cse/ground/words"
)

// flowCookie binds a login under way to the browser that began it: state,
// nonce, PKCE verifier and where to go afterwards. Only this host can set a
// __Host- cookie, so its content needs no signature.
const flowCookie = "__Host-cse-login"

type flow struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	To       string `json:"t"`
}

// client is the OpenID Connect client (code flow, PKCE S256). Discovery happens
// at the first login and is kept once it has worked.
type client struct {
	d     Deps
	mu    sync.Mutex
	ready *endpoints
}

type endpoints struct {
	oauth    oauth2.Config
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
}

func newClient(d Deps) *client { return &client{d: d} }

// context lets both libraries use our http.Client.
func (c *client) context(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, c.d.Client)
}

func (c *client) endpoints(ctx context.Context) (*endpoints, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ready != nil {
		return c.ready, nil
	}
	// The provider keeps the context for fetching keys: it must outlive the request.
	p, err := oidc.NewProvider(c.context(context.WithoutCancel(ctx)), c.d.Config.Issuer)
	if err != nil {
		return nil, words.Refuse("CSE-354").Because(err)
	}
	c.ready = &endpoints{
		provider: p,
		verifier: p.Verifier(&oidc.Config{ClientID: c.d.Config.ClientID, Now: c.d.Clock.Now}),
		oauth: oauth2.Config{
			ClientID: c.d.Config.ClientID, ClientSecret: c.d.Config.ClientSecret, Endpoint: p.Endpoint(),
			RedirectURL: c.d.Config.URL + "/ritorno", Scopes: append([]string{oidc.ScopeOpenID}, c.d.Config.Scopes...),
		},
	}
	return c.ready, nil
}

// hint is what a login_hint (OpenID Connect Core, 3.1.2.1) may look like here: a
// word that chooses a way in, never a person.
var hint = regexp.MustCompile(`^[a-z-]{1,40}$`)

// enter sends the browser to login; it comes back to /ritorno and then to the
// path in ?a=. A login_hint goes along.
func (c *call) enter() error {
	e, err := c.p.login.endpoints(c.r.Context())
	if err != nil {
		return err
	}
	f := flow{Verifier: oauth2.GenerateVerifier(), To: ourPath(c.r.URL.Query().Get("a"))}
	if f.State, err = token(c.p.Rand); err != nil {
		return err
	}
	if f.Nonce, err = token(c.p.Rand); err != nil {
		return err
	}
	if c.tongue.prefix != "" {
		f.To = c.tongue.prefix + f.To
	}
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	setCookie(c.w, flowCookie, base64.RawURLEncoding.EncodeToString(b), 600)
	opts := []oauth2.AuthCodeOption{
		oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier),
		oauth2.SetAuthURLParam("ui_locales", string(c.tongue.lang)),
	}
	if h := c.r.URL.Query().Get("login_hint"); hint.MatchString(h) {
		opts = append(opts, oauth2.SetAuthURLParam("login_hint", h))
	}
	c.w.Header().Set("Cache-Control", "no-store")
	http.Redirect(c.w, c.r, e.oauth.AuthCodeURL(f.State, opts...), http.StatusSeeOther)
	return nil
}

// ourPath keeps only a path of this site: no other host, no scheme.
func ourPath(p string) string {
	if !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") || strings.ContainsAny(p, "\\\r\n\t") {
		return "/tessera"
	}
	return p
}

// back is the redirect URI: it redeems the code and opens the session.
func (c *call) back() error {
	f, err := c.flow()
	if err != nil {
		return err
	}
	q := c.r.URL.Query()
	if q.Get("error") != "" {
		return words.Refuse("CSE-351").Because(&oauth2.RetrieveError{ErrorCode: q.Get("error"), ErrorDescription: q.Get("error_description")})
	}
	e, err := c.p.login.endpoints(c.r.Context())
	if err != nil {
		return err
	}
	s, err := c.redeem(e, f, q.Get("code"))
	if err != nil {
		return err
	}
	if c.locked != nil {
		return c.unlock(s, f.To)
	}
	if err := c.open(s); err != nil {
		return err
	}
	if c.p.Area != nil && s.Card != "" {
		if err := c.p.Area.Entered(c.r.Context(), s.Card); err != nil { // the letter is missing, not the login
			c.p.Log.ErrorContext(c.r.Context(), "first login not told", "err", err)
		}
	}
	c.w.Header().Set("Cache-Control", "no-store")
	http.Redirect(c.w, c.r, f.To, http.StatusSeeOther)
	return nil
}

// flow reads the cookie, deletes it, and compares the state.
func (c *call) flow() (flow, error) {
	var f flow
	cookie, err := c.r.Cookie(flowCookie)
	if err != nil {
		return f, words.Refuse("CSE-351").Because(err)
	}
	setCookie(c.w, flowCookie, "", -1)
	b, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return f, words.Refuse("CSE-351").Because(err)
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return f, words.Refuse("CSE-351").Because(err)
	}
	if f.State == "" || c.r.URL.Query().Get("state") != f.State {
		return f, words.Refuse("CSE-351")
	}
	f.To = ourPath(f.To)
	return f, nil
}

// redeem exchanges the code and reads who it is.
func (c *call) redeem(e *endpoints, f flow, code string) (Session, error) {
	ctx := c.p.login.context(c.r.Context())
	refuse := func(err error) (Session, error) { return Session{}, words.Refuse("CSE-351").Because(err) }
	tok, err := e.oauth.Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return refuse(err)
	}
	raw, _ := tok.Extra("id_token").(string)
	id, err := e.verifier.Verify(ctx, raw)
	if err != nil {
		return refuse(err)
	}
	if id.Nonce != f.Nonce {
		return Session{}, words.Refuse("CSE-351")
	}
	var who claims
	if err := id.Claims(&who); err != nil {
		return refuse(err)
	}
	if e.provider.UserInfoEndpoint() != "" {
		info, err := e.provider.UserInfo(ctx, oauth2.StaticTokenSource(tok))
		if err != nil {
			return refuse(err)
		}
		if info.Subject != id.Subject {
			return Session{}, words.Refuse("CSE-351")
		}
		if err := info.Claims(&who); err != nil {
			return refuse(err)
		}
	}
	return who.session(id.Subject)
}

// claims is what login says of somebody: never a role.
type claims struct {
	FiscalNumber string   `json:"https://attributes.eid.gov.it/fiscal_number"`
	FiscalShort  string   `json:"fiscal_number"`
	Given        string   `json:"given_name"`
	Family       string   `json:"family_name"`
	Card         string   `json:"urn:cse:card"`
	CardIssuer   string   `json:"urn:cse:card_issuer"`
	ACR          string   `json:"acr"`
	AMR          []string `json:"amr"`
	Account      string   `json:"preferred_username"`
	Sid          string   `json:"sid"`
}

func (c claims) session(sub string) (Session, error) {
	cf := c.FiscalNumber
	if cf == "" {
		cf = c.FiscalShort
	}
	cf = strings.TrimPrefix(cf, "TINIT-")
	if cf == "" {
		return Session{}, words.Refuse("CSE-351")
	}
	return Session{Subject: sub, CF: cf, Given: c.Given, Family: c.Family, Card: c.Card, CardIssuer: c.CardIssuer, ACR: c.ACR, AMR: c.AMR, Account: c.Account, Sid: c.Sid}, nil
}
