// Package login is the door of the platform: it proves who somebody is, by the
// card (CNS over mutual TLS) or, for operators, by password and one-time code,
// and tells the services that asked, as an OpenID Provider. It says who, how and
// how surely (sub, acr, amr, codice fiscale), never a role.
//
// Two hosts, one process (spec login.md, section 5):
//
//	login.HOST  OpenID Connect, the choice of ways, the operators' form;
//	            never asks for a certificate                    → LoginHandler
//	cns.HOST    /cns/auth only; asks for a certificate, tickets off,
//	            HTTP/1.1, checks after the handshake            → CardHandler
//
// The journey: a service sends the browser to login.HOST/authorize; the gateway
// opens a flow bound to the cookie __Host-cse-flow and offers the ways; the way
// taken proves an identity and turns it into a one-time ticket (package
// handover), with which the browser comes back to login.HOST/return; only the
// browser that began the flow can use it. Then the service receives its code.
//
// On a visitor's behalf. The proof may be made by somebody else than the
// visitor's browser, since only the ticket crosses over. The demo's entrances do
// it so: Config.Entrances shows a link on the choice page, to which the flow's
// name is added (?flow=NAME); the demo's server asks GET
// cns.HOST/cns/auth?flow=NAME over TLS with the virtual card, or fills in the
// form of login.HOST/operator?flow=NAME with its own cookie jar, does not follow
// the 303, and sends the visitor's browser to its Location. The visitor's cookie
// does the rest; without it the ticket is destroyed. Package visitor does it.
//
// Sessions end with the card: tokens are checked at every use, and EndFor ends
// them at once as part of the act that ends the card.
package login

import (
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/login/door"
	"cse.example/cse/login/handover"
	"cse.example/cse/login/identity"
	"cse.example/cse/login/page"
	"cse.example/cse/login/provider"
)

// Entrance is one more way in on the choice page; the flow is added to URL.
type Entrance struct{ Label, URL string }

// Config is the gateway's configuration.
type Config struct {
	// LoginURL and CardURL are the public addresses of the two hosts, without a
	// final slash: https://login.HOST[:PORT], https://cns.HOST[:PORT].
	LoginURL, CardURL string
	// ProofURL is the portal's page for a signature of the card that opens no
	// session (BeginProof); empty: there is none.
	ProofURL string
	Clients  []provider.ClientConfig
	// ACRCard is what a CNS is worth; default identity.ACRCard (SpidL3).
	ACRCard string
	// AllowRSA1024 admits old cards of issuers marked legacy.
	AllowRSA1024 bool
	// Sources are further origins of styles, fonts and pictures of the pages.
	Sources []string
	// Entrances are shown to whoever comes, operators' only where operators may come.
	Entrances, OperatorEntrances []Entrance
}

// Records is where the gateway keeps what it must remember.
type Records interface {
	provider.Sessions
	provider.Grants
	provider.Tokens
	handover.Flows
	handover.Tickets
}

// OperatorIdentity is an operator who proved himself.
type OperatorIdentity struct {
	// Account is the account's name, CF the codice fiscale behind it.
	Account, CF string
	// Surname and Name; where only the whole name is known it is Name, alone.
	Surname, Name string
}

// OperatorTry is what somebody typed into the operators' form.
type OperatorTry struct {
	Account        string
	Password, TOTP secret.Text
	// Source is the caller's network address.
	Source string
	// Device names this browser if that account has entered from it before, by a
	// cookie that only we can make; else it is empty.
	Device string
}

// Operators proves operators; the rate limit of the tries is theirs too.
type Operators interface {
	// Authenticate answers a *words.Fault for wrong credentials, a locked
	// account or too many tries.
	Authenticate(ctx context.Context, try OperatorTry) (OperatorIdentity, error)
}

// Needs are the rooms and tools that the gateway stands on. OperatorLive, Log
// and Sweeper may be missing.
type Needs struct {
	Records    Records
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Journal    journal.Recorder
	Clock      civil.Clock
	Random     io.Reader
	Seal       identity.Sealer
	Signers    []crypto.Signer
	SubjectKey secret.Text
	Trust      door.Trust
	Revocation door.Revocation
	Cards      door.Cards
	Operators  Operators
	// OperatorLive answers nil while the account may be used.
	OperatorLive func(ctx context.Context, account string) error
	Pages        page.Pages
	Log          *slog.Logger
	// Sweep deletes what expired before an instant.
	Sweep func(ctx context.Context, before time.Time) error
}

// Service is the gateway. Make one with New.
type Service struct {
	cfg    Config
	needs  Needs
	random identity.Random
	desk   *handover.Desk
	door   *door.Door
	op     *provider.Provider
	card   *door.Handler
	mux    *http.ServeMux
	cross  *http.CrossOriginProtection
}

// New builds the gateway, or says what is missing or wrong. A service that is
// not a public administration is refused with CSE-320.
func New(cfg Config, n Needs) (*Service, error) {
	if cfg.ACRCard == "" {
		cfg.ACRCard = identity.ACRCard
	}
	if n.Log == nil {
		n.Log = slog.New(slog.DiscardHandler)
	}
	if n.Records == nil || n.Atomically == nil || n.Random == nil || n.Operators == nil || n.Pages == nil {
		return nil, errors.New("login: records, atomically, random, operators and pages are needed")
	}
	if u, err := url.Parse(cfg.CardURL); err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "" {
		return nil, fmt.Errorf("login: card address %q must be https://HOST[:PORT]", cfg.CardURL)
	}
	s := &Service{cfg: cfg, needs: n, random: identity.Random{Source: n.Random}, cross: http.NewCrossOriginProtection()}
	s.door = &door.Door{
		Trust: n.Trust, Revocation: n.Revocation, Cards: n.Cards, Clock: n.Clock, ACR: cfg.ACRCard, AllowRSA1024: cfg.AllowRSA1024,
	}
	if err := s.door.Check(); err != nil {
		return nil, err
	}
	s.desk = &handover.Desk{
		Flows: n.Records, Tickets: n.Records, Atomically: n.Atomically, Clock: n.Clock, Random: s.random, Seal: n.Seal,
	}
	if err := s.provide(); err != nil {
		return nil, err
	}
	s.card = &door.Handler{
		Door: s.door, Desk: s.desk, LoginURL: cfg.LoginURL, ProofURL: cfg.ProofURL, Sources: cfg.Sources, Journal: n.Journal,
		Pages: n.Pages, Log: n.Log, Random: s.random,
	}
	s.mux = s.routes()
	return s, nil
}

func (s *Service) provide() error {
	var clients []provider.Client
	for _, cc := range s.cfg.Clients {
		c, err := provider.Register(cc)
		if err != nil {
			return err
		}
		clients = append(clients, c)
	}
	n := s.needs
	op, err := provider.New(provider.Config{
		Issuer: s.cfg.LoginURL, Clients: clients, Sessions: n.Records, Grants: n.Records, Tokens: n.Records,
		Atomically: n.Atomically, Journal: n.Journal, Clock: n.Clock, Random: s.random, Seal: n.Seal,
		Signers: n.Signers, SubjectKey: n.SubjectKey, ACRs: []string{s.cfg.ACRCard, identity.ACROperator},
		Live: s.Live, Interaction: browser{s}, Log: n.Log,
	})
	s.op = op
	return err
}

// Live tells whether the card or the account behind a session is still good;
// a *words.Fault says why not.
func (s *Service) Live(ctx context.Context, id identity.Identity) error {
	if id.Method == identity.Card {
		return s.door.Live(ctx, id)
	}
	if s.needs.OperatorLive == nil {
		return nil
	}
	return s.needs.OperatorLive(ctx, id.Account)
}

// Admit decides who stands behind a finished handshake on the card's host, as the
// door does, for whoever serves something else there. It opens no session.
func (s *Service) Admit(ctx context.Context, cs tls.ConnectionState) (identity.Identity, error) {
	return s.door.Admit(ctx, cs)
}

// EndFor ends every session opened with a card, inside the act in ctx if there
// is one, and tells how many.
func (s *Service) EndFor(ctx context.Context, card string) (int64, error) {
	return s.op.EndFor(ctx, identity.CardCredential(card))
}

// EndForOperator ends every session of an operator's account.
func (s *Service) EndForOperator(ctx context.Context, account string) (int64, error) {
	return s.op.EndFor(ctx, identity.OperatorCredential(account))
}

// Sweep deletes what expired more than an hour ago; call it now and then.
func (s *Service) Sweep(ctx context.Context) error {
	if s.needs.Sweep == nil {
		return nil
	}
	before := s.needs.Clock.Now().Add(-time.Hour)
	return s.needs.Atomically(ctx, func(ctx context.Context) error { return s.needs.Sweep(ctx, before) })
}

// CardHandler serves cns.HOST. The listener must ask for a certificate
// (tls.RequestClientCert), with session tickets off and HTTP/1.1 only.
func (s *Service) CardHandler() http.Handler { return s.card }

// LoginHandler serves login.HOST.
func (s *Service) LoginHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page.Harden(w.Header())
		w.Header().Set("Content-Security-Policy", page.Policy(s.cfg.Sources, nil))
		s.mux.ServeHTTP(w, r)
	})
}

// refuse answers err with a page: a fault as it is, anything else as CSE-001.
func (s *Service) refuse(w http.ResponseWriter, r *http.Request, err error, retry string) {
	f := words.FaultOf(err)
	if f == nil {
		ref := s.random.Text()[:8]
		s.needs.Log.ErrorContext(r.Context(), "login", "reference", ref, "err", err)
		f = words.Refuse("CSE-001", ref).Because(err)
	}
	page.Tell(w.Header(), f)
	s.needs.Pages.Refusal(w, r, page.Refusal{Fault: f, Status: page.Status(f.Code), RetryURL: retry})
}
