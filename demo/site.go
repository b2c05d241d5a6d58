package demo

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"cse.example/cse/demo/browser"
	"cse.example/cse/demo/inbox"
	"cse.example/cse/ground/localhost"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/login/page"
	"cse.example/cse/portal/look"
)

//go:embed pages/*.html
var pageFiles embed.FS

// Service is a demonstration service of another administration.
type Service struct {
	ID, Level, NameKey, TextKey string
	URL                         string
}

// Services are the three: central, regional, municipal (R54).
func Services(a Addresses) []Service {
	u, err := url.Parse(a.Demo)
	if err != nil {
		return nil
	}
	at := func(name string) string {
		return "https://" + strings.Replace(u.Host, u.Hostname(), name+strings.TrimPrefix(u.Hostname(), "demo"), 1)
	}
	return []Service{
		{"demo-centrale", "centrale", "demo.service.central", "demo.service.central.text", at("previdenza")},
		{"demo-regionale", "regionale", "demo.service.regional", "demo.service.regional.text", at("regione")},
		{"demo-comunale", "comunale", "demo.service.municipal", "demo.service.municipal.text", at("comune")},
	}
}

// Site are the demonstration's own pages: entrances, letter box, services. Make
// one with NewSite, give its Hosts to the listener, and Ready once the game has
// been played.
type Site struct {
	addresses Addresses
	look      *look.Look
	inbox     *inbox.Inbox
	log       *slog.Logger
	roots     func() *x509.CertPool
	secrets   map[string]secret.Text

	mu       sync.Mutex // guards what follows, and the one card reader
	stage    *Stage
	services map[string]*relyingParty
}

// NewSite makes the pages. secrets are the services' at the token endpoint;
// roots trusts the platform's web authority once there is one.
func NewSite(a Addresses, assets fs.FS, theme look.Theme, in *inbox.Inbox, secrets map[string]secret.Text, roots func() *x509.CertPool, log *slog.Logger) (*Site, error) {
	sub, err := fs.Sub(pageFiles, "pages")
	if err != nil {
		return nil, err
	}
	l, err := look.New(theme, assets, sub)
	if err != nil {
		return nil, err
	}
	return &Site{addresses: a, look: l, inbox: in, log: log, roots: roots, secrets: secrets, services: map[string]*relyingParty{}}, nil
}

// Ready opens the entrances: the game has been played on stage.
func (s *Site) Ready(stage *Stage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stage = stage
}

// Hosts are the names to be served on the TLS port.
func (s *Site) Hosts() map[string]http.Handler {
	u, err := url.Parse(s.addresses.Demo)
	if err != nil {
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle(look.Prefix, s.look.Handler())
	mux.HandleFunc("GET /{$}", s.index)
	mux.HandleFunc("GET /posta", s.letters)
	mux.HandleFunc("GET /posta/{file}", s.letter)
	mux.HandleFunc("GET /entra/{who}", s.enter)
	hosts := map[string]http.Handler{u.Hostname(): mux}
	for _, svc := range Services(s.addresses) {
		v, err := url.Parse(svc.URL)
		if err != nil {
			continue
		}
		rp := &relyingParty{Service: svc, site: s}
		s.services[svc.ID] = rp
		hosts[v.Hostname()] = rp.handler()
	}
	return hosts
}

func (s *Site) page(r *http.Request, title string) *look.Page {
	p := &look.Page{Lang: page.Lang(r), Home: s.addresses.Portal, Section: "demo"}
	p.Title = words.Say(p.Lang, title)
	return p
}

func (s *Site) show(w http.ResponseWriter, status int, name string, p *look.Page) {
	if err := s.look.Render(w, status, name, p); err != nil {
		s.log.Error("demo page", "page", name, "err", err)
		http.Error(w, "CSE-001", http.StatusInternalServerError)
	}
}

type indexData struct {
	Addresses Addresses
	Services  []Service
	Cards     string
	Ready     bool
}

func (s *Site) index(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	stage := s.stage
	s.mu.Unlock()
	d := indexData{Addresses: s.addresses, Services: Services(s.addresses), Ready: stage != nil}
	if stage != nil {
		d.Cards = filepath.Join(stage.Data, "cards")
	}
	p := s.page(r, "demo.title")
	p.Data = d
	s.show(w, http.StatusOK, "index", p)
}

func (s *Site) letters(w http.ResponseWriter, r *http.Request) {
	list, err := s.inbox.List()
	if err != nil {
		s.log.Error("inbox", "err", err)
		http.Error(w, "CSE-001", http.StatusInternalServerError)
		return
	}
	p := s.page(r, "demo.inbox.title")
	p.Data = list
	s.show(w, http.StatusOK, "letters", p)
}

func (s *Site) letter(w http.ResponseWriter, r *http.Request) {
	l, err := s.inbox.Read(r.PathValue("file"))
	if err != nil {
		p := s.page(r, "demo.inbox.title")
		p.Fault = words.Refuse("CSE-002").Because(err)
		s.show(w, http.StatusNotFound, "letters", p)
		return
	}
	p := s.page(r, "demo.inbox.title")
	p.Data = l
	s.show(w, http.StatusOK, "letter", p)
}

// Hints are the login_hint values that choose an entrance without another click.
const (
	hintCitizen  = "demo-cittadino"
	hintOperator = "demo-operatore"
	hintHealth   = "demo-asl"
)

// Entrances wraps login's pages: whoever comes from a one-click entrance does
// not stop at the choice of ways.
func (s *Site) Entrances(inner page.Pages) page.Pages { return oneClick{inner, s} }

type oneClick struct {
	page.Pages
	site *Site
}

// Chooser implements page.Pages.
func (o oneClick) Chooser(w http.ResponseWriter, r *http.Request, p page.Chooser) {
	for i, e := range p.Entrances {
		if who, ok := strings.CutPrefix(e.URL, o.site.addresses.Demo+"/entra/"); ok {
			who, _, _ = strings.Cut(who, "?")
			p.Entrances[i].Label = words.Say(page.Lang(r), "demo.entrance."+map[string]string{"cittadino": "citizen", "operatore": "operator", "asl": "health"}[who])
		}
	}
	who := map[string]string{hintCitizen: "cittadino", hintOperator: "operatore", hintHealth: "asl"}[r.URL.Query().Get("login_hint")]
	for _, e := range p.Entrances {
		if who != "" && strings.HasPrefix(e.URL, o.site.addresses.Demo+"/entra/"+who+"?") {
			http.Redirect(w, r, e.URL, http.StatusSeeOther)
			return
		}
	}
	o.Pages.Chooser(w, r, p)
}

// enter performs the real login on the visitor's behalf and hands over by the
// one-time ticket, which opens only in the visitor's browser.
func (s *Site) enter(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, stop := context.WithTimeout(r.Context(), 90*time.Second)
	defer stop()
	flow := r.URL.Query().Get("flow")
	if s.stage == nil || flow == "" {
		http.Redirect(w, r, s.addresses.Demo+"/", http.StatusSeeOther)
		return
	}
	to, err := s.prove(ctx, r.PathValue("who"), flow)
	if err != nil || !strings.HasPrefix(to, s.addresses.Login+"/") {
		s.log.Error("entrance", "who", r.PathValue("who"), "err", err)
		p := s.page(r, "demo.title")
		p.Fault = words.Refuse("CSE-394")
		s.show(w, http.StatusBadGateway, "index", p)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// prove answers the address with the ticket.
func (s *Site) prove(ctx context.Context, who, flow string) (string, error) {
	query := "?flow=" + url.QueryEscape(flow)
	switch who {
	case "cittadino":
		pin, _, _, err := s.stage.Citizen.codes()
		if err != nil {
			return "", err
		}
		b, err := cardBrowser(s.stage, s.stage.Citizen, pin)
		if err != nil {
			return "", err
		}
		b.Hold = true
		err = b.Get(ctx, s.addresses.CNS+"/cns/auth"+query)
		if e := s.stage.Citizen.remove(); err == nil {
			err = e
		}
		if err != nil {
			return "", err
		}
		return location(b)
	case "operatore", "asl":
		b, err := browser.New(s.stage.Roots, nil)
		if err != nil {
			return "", err
		}
		if err := b.Get(ctx, s.addresses.Login+"/operator"+query); err != nil {
			return "", err
		}
		b.Hold = true
		at := s.stage.Operators
		if who == "asl" {
			at = s.stage.Health
		}
		if err := at.fill(ctx, b, s.stage.Clock); err != nil {
			return "", err
		}
		return location(b)
	}
	return "", fmt.Errorf("no entrance for %q", who)
}

func location(b *browser.Browser) (string, error) {
	to := b.Page.Header.Get("Location")
	if to == "" {
		return "", fmt.Errorf("refused: %s %s", b.Page.Where(), b.Page.Code())
	}
	u, err := b.Page.URL.Parse(to)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

// relyingParty is one demonstration service: a plain OpenID Connect client.
type relyingParty struct {
	Service
	site *Site

	mu    sync.Mutex
	ready *rpEndpoints
}

type rpEndpoints struct {
	provider *oidc.Provider
	conf     oauth2.Config
}

const rpCookie = "__Host-demo-flow"

func (rp *relyingParty) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(look.Prefix, rp.site.look.Handler())
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		p := rp.site.page(r, rp.NameKey)
		p.Data = rpData{Service: rp.Service}
		rp.site.show(w, http.StatusOK, "service", p)
	})
	mux.HandleFunc("GET /entra", rp.enter)
	mux.HandleFunc("GET /ritorno", rp.back)
	return mux
}

type rpData struct {
	Service       Service
	CF, Name, ACR string
}

// client reaches login; its keys are fetched long after the request.
func (rp *relyingParty) client(ctx context.Context) context.Context {
	t := &http.Transport{DialContext: localhost.DialContext, TLSClientConfig: tlsOf(rp.site.roots())}
	return oidc.ClientContext(ctx, &http.Client{Timeout: 15 * time.Second, Transport: t})
}

func (rp *relyingParty) endpoints(ctx context.Context) (*rpEndpoints, error) {
	rp.mu.Lock()
	defer rp.mu.Unlock()
	if rp.ready != nil {
		return rp.ready, nil
	}
	p, err := oidc.NewProvider(rp.client(context.WithoutCancel(ctx)), rp.site.addresses.Login)
	if err != nil {
		return nil, err
	}
	rp.ready = &rpEndpoints{p, oauth2.Config{
		ClientID: rp.ID, ClientSecret: string(rp.site.secrets[rp.ID].Reveal()), Endpoint: p.Endpoint(),
		RedirectURL: rp.URL + "/ritorno", Scopes: []string{oidc.ScopeOpenID, "profile"},
	}}
	return rp.ready, nil
}

func (rp *relyingParty) fail(w http.ResponseWriter, r *http.Request, err error) {
	rp.site.log.Error("service", "service", rp.ID, "err", err)
	p := rp.site.page(r, rp.NameKey)
	p.Fault = words.Refuse("CSE-394").Because(err)
	rp.site.show(w, http.StatusBadGateway, "service", p)
}

func (rp *relyingParty) enter(w http.ResponseWriter, r *http.Request) {
	e, err := rp.endpoints(r.Context())
	if err != nil {
		rp.fail(w, r, err)
		return
	}
	state, verifier := random(), oauth2.GenerateVerifier()
	http.SetCookie(w, &http.Cookie{
		Name: rpCookie, Value: state + "." + verifier, Path: "/", MaxAge: 600, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	opts := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier), oidc.Nonce(state)}
	if r.URL.Query().Get("demo") != "" {
		opts = append(opts, oauth2.SetAuthURLParam("login_hint", hintCitizen))
	}
	http.Redirect(w, r, e.conf.AuthCodeURL(state, opts...), http.StatusSeeOther)
}

func (rp *relyingParty) back(w http.ResponseWriter, r *http.Request) {
	d, err := rp.redeem(r)
	if err != nil {
		rp.fail(w, r, err)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: rpCookie, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true})
	p := rp.site.page(r, rp.NameKey)
	p.Data = d
	rp.site.show(w, http.StatusOK, "service", p)
}

func (rp *relyingParty) redeem(r *http.Request) (rpData, error) {
	d := rpData{Service: rp.Service}
	c, err := r.Cookie(rpCookie)
	if err != nil {
		return d, err
	}
	state, verifier, _ := strings.Cut(c.Value, ".")
	if r.URL.Query().Get("state") != state {
		return d, fmt.Errorf("another browser's answer, or an error: %s", r.URL.Query().Get("error"))
	}
	e, err := rp.endpoints(r.Context())
	if err != nil {
		return d, err
	}
	ctx := rp.client(r.Context())
	tok, err := e.conf.Exchange(ctx, r.URL.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return d, err
	}
	raw, _ := tok.Extra("id_token").(string)
	id, err := e.provider.Verifier(&oidc.Config{ClientID: rp.ID}).Verify(ctx, raw)
	if err != nil {
		return d, err
	}
	if id.Nonce != state {
		return d, fmt.Errorf("the ID token answers another request")
	}
	var claims struct {
		ACR string `json:"acr"`
	}
	if err := id.Claims(&claims); err != nil {
		return d, err
	}
	info, err := e.provider.UserInfo(ctx, oauth2.StaticTokenSource(tok))
	if err != nil {
		return d, err
	}
	var who struct {
		CF     string `json:"https://attributes.eid.gov.it/fiscal_number"`
		Given  string `json:"given_name"`
		Family string `json:"family_name"`
	}
	if err := info.Claims(&who); err != nil {
		return d, err
	}
	d.CF, d.ACR = strings.TrimPrefix(who.CF, "TINIT-"), claims.ACR
	d.Name = strings.TrimSpace(who.Given + " " + who.Family)
	return d, nil
}

func random() string {
	b := make([]byte, 24)
	_, _ = rand.Read(b) // crypto/rand never fails (it ends the program)
	return base64.RawURLEncoding.EncodeToString(b)
}
