// Package provider is the OpenID Provider of the gateway (OpenID Connect Core
// 1.0, RFC 6749, 7636, 7662, 7009, 9126, 9207, 9700), over luikyv/go-oidc.
//
// Guarantees: authorization code flow only, PKCE S256 always; a code is redeemed
// once and a refresh token rotates once, whoever races (compare-and-set in the
// store; the library alone does not promise it); access tokens are opaque, so
// that every use comes back here, and at every use the card is asked about
// again: revocation, suspension, expiry and death end tokens at once (R5). There
// is no single sign-on session: each authorization proves the person afresh, so
// prompt=none answers login_required. Redirect addresses are compared character
// by character. Services that are not public administrations are refused at
// registration (R17).
//
// sub is a pairwise pseudonym; the codice fiscale travels in
// https://attributes.eid.gov.it/fiscal_number, in UserInfo unless the client's
// agreement says otherwise. Token lifetimes are counted on the machine's clock
// (the library's); everything about cards on the Clock given.
package provider

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"
	"github.com/luikyv/go-oidc/pkg/provider"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/login/identity"
)

const (
	codeLifetime    = 60 * time.Second
	requestLifetime = 15 * time.Minute
	refreshLifetime = 8 * time.Hour
	idTokenLifetime = 10 * time.Minute
	minSubjectKey   = 32 // bytes
)

// Interaction is the gateway's side of an authorization: what the browser sees.
type Interaction interface {
	// Choose offers the ways in.
	Choose(w http.ResponseWriter, r *http.Request, a Attempt) error
	// Resume answers who came back with the request, once. A words.Fault is
	// shown to the person and leaves the authorization open.
	Resume(r *http.Request, a Attempt) (identity.Identity, error)
	// Refuse shows a fault.
	Refuse(w http.ResponseWriter, r *http.Request, f *words.Fault)
	// LoggedOut says that the login is over and that the card can be taken out.
	LoggedOut(w http.ResponseWriter, r *http.Request)
}

// Attempt is one authorization in progress.
type Attempt struct {
	// Session is the name to resume it with; it never leaves the server.
	Session string
	Client  Client
	// ACR are the acr_values asked for, in order of preference.
	ACR string
}

// Config is what the provider needs; Log may be nil, everything else not.
type Config struct {
	// Issuer is the public address of the login host, without a final slash.
	Issuer     string
	Clients    []Client
	Sessions   Sessions
	Grants     Grants
	Tokens     Tokens
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Journal    journal.Recorder
	Clock      civil.Clock
	Random     identity.Random
	Seal       identity.Sealer
	// Signers sign ID tokens: RSA (RS256) or P-256 (ES256); the first is the
	// default, the others stay published while they roll over.
	Signers []crypto.Signer
	// SubjectKey makes pseudonyms; losing it makes every user a stranger.
	SubjectKey secret.Text
	// ACRs are published in the discovery document.
	ACRs []string
	// Live answers nil while the identity's card or account is good, a
	// words.Fault when it no longer is, another error when it cannot tell.
	Live        func(ctx context.Context, id identity.Identity) error
	Interaction Interaction
	Log         *slog.Logger
}

func (c *Config) client(id string) (Client, bool) {
	i := slices.IndexFunc(c.Clients, func(x Client) bool { return x.ID == id })
	if i < 0 {
		return Client{}, false
	}
	return c.Clients[i], true
}

// Provider is the OpenID Provider. Make one with New.
type Provider struct {
	cfg     *Config
	keys    []key
	handler http.Handler
}

// New checks the configuration and builds the provider.
func New(cfg Config) (*Provider, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	keys, err := newKeys(cfg.Signers)
	if err != nil {
		return nil, err
	}
	p := &Provider{cfg: &cfg, keys: keys}
	op, err := provider.New(cfg.Issuer, managers{&cfg}, func(context.Context) (goidc.JSONWebKeySet, error) {
		return jwks(keys), nil
	}, p.options()...)
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	p.handler = op.Handler()
	return p, nil
}

func (c *Config) check() error {
	u, err := url.Parse(c.Issuer)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "" || u.RawQuery != "":
		return fmt.Errorf("login: issuer %q must be https://HOST[:PORT]", c.Issuer)
	case c.SubjectKey.Len() < minSubjectKey:
		return errors.New("login: the key of the pseudonyms is shorter than 32 bytes")
	case c.Sessions == nil || c.Grants == nil || c.Tokens == nil || c.Atomically == nil:
		return errors.New("login: no store")
	case c.Journal == nil || c.Clock == nil || c.Random.Source == nil || c.Seal == nil || c.Live == nil || c.Interaction == nil:
		return errors.New("login: journal, clock, randomness, seal, live check and interaction are needed")
	}
	seen := map[string]bool{}
	for _, cl := range c.Clients {
		if cl.oidc == nil || seen[cl.ID] {
			return fmt.Errorf("login: client %q is not registered, or twice", cl.ID)
		}
		seen[cl.ID] = true
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

func (p *Provider) options() []provider.Option {
	m := managers{p.cfg}
	random := func(context.Context) string { return p.cfg.Random.Text() }
	algs := p.algs()
	opts := []provider.Option{
		provider.WithAuthCodeGrant(m, goidc.ResponseTypeCode),
		provider.WithPKCERequired(goidc.CodeChallengeMethodSHA256),
		provider.WithPAR(m),
		provider.WithOpenIDScopeRequired(),
		provider.WithScopes(goidc.ScopeOpenID, goidc.ScopeProfile, goidc.ScopeOfflineAccess),
		provider.WithIssuerResponseParameter(),
		provider.WithOpaqueTokens(m),
		provider.WithTokenOptions(p.tokenOptions),
		provider.WithRefreshTokenGrant(m),
		provider.WithRefreshTokenRotation(),
		provider.WithRefreshTokenLifetime(int(refreshLifetime.Seconds())),
		provider.WithRefreshTokenShouldIssue(func(_ context.Context, _ *goidc.Client, g *goidc.Grant) bool {
			return hasScope(g.Scopes, "offline_access")
		}),
		provider.WithSecretBasicAuthn(),
		provider.WithSecretPostAuthn(),
		provider.WithPrivateKeyJWTAuthn(goidc.RS256, goidc.PS256, goidc.ES256),
		provider.WithClientSecretVerifier(verifySecret),
		provider.WithJTIConsumer(m.consumeJTI),
		provider.WithIDTokenSignatureAlgs(algs[0], algs[1:]...),
		provider.WithIDTokenLifetime(int(idTokenLifetime.Seconds())),
		provider.WithSigner(p.signer),
		provider.WithSubIdentifierTypes(goidc.SubIdentifierPairwise),
		provider.WithPairwiseSubject(p.pairwise),
		provider.WithClaims(ClaimFiscalNumber, goidc.ClaimGivenName, goidc.ClaimFamilyName, goidc.ClaimName,
			goidc.ClaimBirthdate, goidc.ClaimGender, ClaimPlaceOfBirth, goidc.ClaimACR, goidc.ClaimAMR, goidc.ClaimAuthTime),
		provider.WithIDTokenClaims(p.idTokenClaims),
		provider.WithUserInfoClaims(p.userInfoClaims),
		provider.WithTokenClaims(p.tokenClaims),
		provider.WithTokenIntrospection(func(_ context.Context, c *goidc.Client, t goidc.TokenInfo) bool { return c.ID == t.ClientID }),
		provider.WithTokenRevocation(func(context.Context, *goidc.Client) bool { return true }),
		provider.WithTokenRevocationRevokeGrantOnAccessToken(),
		provider.WithLogout(m, p.loggedOut),
		provider.WithLogoutPolicies(goidc.NewLogoutPolicy("now", func(*http.Request, *goidc.LogoutSession) bool { return true }, p.logout)),
		provider.WithAuthSessionLifetime(int(requestLifetime.Seconds())),
		provider.WithAuthCodeLifetime(int(codeLifetime.Seconds())),
		provider.WithAuthnSessionIDFunc(random), provider.WithAuthCodeFunc(random), provider.WithGrantIDFunc(random),
		provider.WithRefreshTokenFunc(random), provider.WithPARIDFunc(random), provider.WithJWTIDFunc(random),
		provider.WithOpaqueTokenFunc(func(context.Context, *goidc.Grant) string { return p.cfg.Random.Text() }),
		provider.WithPolicies(goidc.NewPolicy("gateway", func(*http.Request, *goidc.AuthnSession, *goidc.Client) bool { return true }, p.authenticate)),
		provider.WithErrorRenderer(p.renderError),
		provider.WithErrorHandler(func(ctx context.Context, err error) { p.cfg.Log.InfoContext(ctx, "openid request refused", "err", err) }),
	}
	if len(p.cfg.ACRs) > 0 {
		var acrs []goidc.ACR
		for _, a := range p.cfg.ACRs {
			acrs = append(acrs, goidc.ACR(a))
		}
		opts = append(opts, provider.WithACRs(acrs[0], acrs[1:]...))
	}
	if cs := p.cfg.Clients; len(cs) > 0 {
		var all []*goidc.Client
		for _, c := range cs {
			all = append(all, c.oidc)
		}
		opts = append(opts, provider.WithStaticClients(all[0], all[1:]...))
	}
	return opts
}

func (p *Provider) algs() []goidc.SignatureAlgorithm {
	var out []goidc.SignatureAlgorithm
	for _, k := range p.keys {
		if !slices.Contains(out, k.alg) {
			out = append(out, k.alg)
		}
	}
	return out
}

func (p *Provider) signer(_ context.Context, alg goidc.SignatureAlgorithm) (string, crypto.Signer, error) {
	for _, k := range p.keys {
		if k.alg == alg {
			return k.id, k.signer, nil
		}
	}
	return "", nil, fmt.Errorf("no key for %s", alg)
}

// verifySecret takes the secret as it is and as RFC 6749 (2.3.1) wants it in
// the Basic header, form-encoded: the library does not decode it.
func verifySecret(_ context.Context, stored, presented string) error {
	decoded, err := url.QueryUnescape(presented)
	if err != nil {
		decoded = presented
	}
	asIs, asForm := identity.Same(stored, hashSecret(presented)), identity.Same(stored, hashSecret(decoded))
	if stored == "" || (!asIs && !asForm) {
		return errors.New("wrong client secret")
	}
	return nil
}

func (p *Provider) tokenOptions(_ context.Context, _ *goidc.Grant, c *goidc.Client) goidc.TokenOptions {
	life := time.Hour
	if mine, ok := p.cfg.client(c.ID); ok {
		life = mine.TokenLifetime
	}
	return goidc.NewOpaqueTokenOptions(int(life.Seconds()))
}

// Client finds a registered client.
func (p *Provider) Client(id string) (Client, bool) { return p.cfg.client(id) }

// EndFor ends every session of a credential (see identity.CardCredential) and
// tells how many. It joins the act in ctx, so that it can be part of the
// revocation itself.
func (p *Provider) EndFor(ctx context.Context, credential string) (int64, error) {
	var n int64
	err := p.cfg.Atomically(ctx, func(ctx context.Context) (err error) {
		n, err = p.cfg.Grants.EndGrants(ctx, credential, p.cfg.Clock.Now())
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	return n, nil
}

// ServeHTTP serves discovery, keys and the protocol's endpoints. The library's
// callback addresses below /authorize/ are not reachable from outside.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/authorize/") || strings.HasPrefix(r.URL.Path, "/logout/") {
		p.cfg.Interaction.Refuse(w, r, words.Refuse("CSE-002"))
		return
	}
	p.serve(w, r)
}

func (p *Provider) serve(w http.ResponseWriter, r *http.Request) {
	h := &heldAnswer{ResponseWriter: w}
	p.handler.ServeHTTP(h, r)
	h.send()
}

// The two ways an authorization goes on.
const (
	stepReturn = "return"
	stepCancel = "cancel"
)

// Resume lets the authorization go on with the person that Interaction.Resume
// finds in the request.
func (p *Provider) Resume(w http.ResponseWriter, r *http.Request, session string) {
	p.step(w, r, session, stepReturn)
}

// Cancel tells the client that the person gave up (access_denied).
func (p *Provider) Cancel(w http.ResponseWriter, r *http.Request, session string) {
	p.step(w, r, session, stepCancel)
}

func (p *Provider) step(w http.ResponseWriter, r *http.Request, session, step string) {
	r2 := r.Clone(r.Context())
	r2.Method = http.MethodGet
	r2.URL.Path, r2.URL.RawPath = "/authorize/"+session+"/"+step, ""
	p.serve(w, r2)
}

// authenticate is the policy that go-oidc runs at each step.
func (p *Provider) authenticate(w http.ResponseWriter, r *http.Request, as *goidc.AuthnSession, c *goidc.Client) (goidc.Status, error) {
	mine, ok := p.cfg.client(c.ID)
	if !ok {
		return goidc.StatusFailure, fmt.Errorf("client %q is not registered", c.ID)
	}
	a := Attempt{Session: as.ID, Client: mine, ACR: as.ACRValues}
	switch r.PathValue("callback_path") {
	case stepReturn:
		return p.finish(w, r, as, a)
	case stepCancel:
		return goidc.StatusFailure, goidc.NewError(goidc.ErrorCodeAccessDenied, "the person gave up")
	}
	if as.Prompt == goidc.PromptTypeNone {
		return goidc.StatusFailure, goidc.NewError(goidc.ErrorCodeLoginRequired, "each login asks for the card")
	}
	if err := p.cfg.Interaction.Choose(w, r, a); err != nil {
		return goidc.StatusFailure, err
	}
	return goidc.StatusPending, nil
}

func (p *Provider) finish(w http.ResponseWriter, r *http.Request, as *goidc.AuthnSession, a Attempt) (goidc.Status, error) {
	id, err := p.cfg.Interaction.Resume(r, a)
	if err == nil && !a.Client.accepts(id.Method) {
		err = words.Refuse("CSE-328")
	}
	if f := words.FaultOf(err); f != nil {
		p.cfg.Interaction.Refuse(w, r, f)
		return goidc.StatusPending, nil
	}
	if err != nil {
		return goidc.StatusFailure, err
	}
	text, err := json.Marshal(id)
	if err != nil {
		return goidc.StatusFailure, err
	}
	as.Subject, as.GrantedScopes = p.subject(id.CF), as.Scopes
	as.Store[keyIdentity] = string(text)
	return goidc.StatusSuccess, nil
}

func (c Client) accepts(m identity.Method) bool {
	if m == identity.Operator {
		return c.Operators
	}
	return !c.NoCards
}

// renderError shows what cannot be told to the client, because nobody knows
// whether the address given is the client's.
func (p *Provider) renderError(w http.ResponseWriter, r *http.Request, err error) error {
	var oe goidc.Error
	if errors.As(err, &oe) {
		p.cfg.Interaction.Refuse(w, r, words.Refuse("CSE-322", string(oe.Code)).Because(err))
		return nil
	}
	ref := p.cfg.Random.Text()[:8]
	p.cfg.Log.ErrorContext(r.Context(), "openid request failed", "reference", ref, "err", err)
	p.cfg.Interaction.Refuse(w, r, words.Refuse("CSE-001", ref).Because(err))
	return nil
}
