package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/login/identity"
)

// Keys of the library's free map, which goes from request to grant.
const (
	keySession   = "cse.session"   // version of the request that was read
	keyGrant     = "cse.grant"     // version of the grant that was read
	keyIdentity  = "cse.identity"  // the identity, JSON text
	keyPresented = "cse.presented" // fingerprint of the refresh token shown
)

// managers is the library's storage, over ours: every record sealed under its
// own name, every secret kept as a fingerprint, every change by compare-and-set.
type managers struct{ *Config }

func version(m map[string]any, key string) int64 {
	v, _ := m[key].(int64) // set by us after every read; never parsed from JSON
	return v
}

func lost(what string) error {
	return goidc.NewError(goidc.ErrorCodeInvalidGrant, what+" was used by another request")
}

func missing(err error) error {
	if errors.Is(err, ErrUnknown) {
		return goidc.ErrNotFound
	}
	return err
}

// SaveSession implements goidc.AuthManager.
func (m managers) SaveSession(ctx context.Context, as *goidc.AuthnSession) error {
	if as.Store == nil {
		as.Store = map[string]any{}
	}
	row := SessionRow{
		ID: identity.Fingerprint(as.ID), Version: version(as.Store, keySession),
		Open: as.Status == goidc.StatusPending, Expires: time.Unix(int64(as.ExpiresAt), 0),
	}
	if as.PushedAuthReqID != "" && as.PolicyID == "" { // not begun yet: request_uri works once
		row.PAR = identity.Fingerprint(as.PushedAuthReqID)
	}
	var err error
	if row.Body, err = identity.Seal(m.Seal, "session/"+row.ID, as); err != nil {
		return err
	}
	err = m.Atomically(ctx, func(ctx context.Context) error { return m.Sessions.PutSession(ctx, row) })
	if errors.Is(err, ErrConflict) {
		return lost("the authorization request")
	}
	if err != nil {
		return fmt.Errorf("save authorization request: %w", err)
	}
	as.Store[keySession] = row.Version + 1
	return nil
}

// Session implements goidc.AuthManager. Ended requests are not found.
func (m managers) Session(ctx context.Context, id string) (*goidc.AuthnSession, error) {
	row, err := m.Sessions.Session(ctx, identity.Fingerprint(id))
	return m.session(row, err)
}

// SessionByPushedAuthReqID implements goidc.PARManager.
func (m managers) SessionByPushedAuthReqID(ctx context.Context, id string) (*goidc.AuthnSession, error) {
	row, err := m.Sessions.SessionByPAR(ctx, identity.Fingerprint(id))
	return m.session(row, err)
}

func (m managers) session(row SessionRow, err error) (*goidc.AuthnSession, error) {
	if err != nil {
		return nil, missing(err)
	}
	if !row.Open {
		return nil, goidc.ErrNotFound
	}
	var as goidc.AuthnSession
	if err := identity.Open(m.Seal, "session/"+row.ID, row.Body, &as); err != nil {
		return nil, err
	}
	if as.Store == nil {
		as.Store = map[string]any{}
	}
	as.Store[keySession] = row.Version
	return &as, nil
}

// SaveGrant implements goidc.GrantManager. Of several requests that read one
// version, one saves; the others are told invalid_grant. So a code is redeemed
// once and a refresh token rotates once, however many ask at one time.
func (m managers) SaveGrant(ctx context.Context, g *goidc.Grant) error {
	id, err := identityOf(g)
	if err != nil {
		return err
	}
	row := GrantRow{
		ID: g.ID, Credential: id.Credential(), Version: version(g.Store, keyGrant),
		Expires: m.grantExpiry(g),
	}
	if g.AuthCode != "" {
		row.Code = identity.Fingerprint(g.AuthCode)
	}
	if g.RefreshToken != "" {
		row.Refresh = identity.Fingerprint(g.RefreshToken)
	}
	if g.RevokedAt != 0 {
		row.Revoked = m.Clock.Now()
	}
	if row.Body, err = identity.Seal(m.Seal, "grant/"+row.ID, g); err != nil {
		return err
	}
	err = m.Atomically(ctx, func(ctx context.Context) error { return m.putGrant(ctx, row, g, id) })
	if errors.Is(err, ErrConflict) {
		return lost("the grant")
	}
	if err != nil {
		return fmt.Errorf("save grant: %w", err)
	}
	g.Store[keyGrant] = row.Version + 1
	return nil
}

func (m managers) putGrant(ctx context.Context, row GrantRow, g *goidc.Grant, id identity.Identity) error {
	if err := m.Grants.PutGrant(ctx, row); err != nil {
		return err
	}
	if shown, _ := g.Store[keyPresented].(string); shown != "" && shown != row.Refresh {
		// The refresh token rotated: who shows the old one again stole it, or was robbed.
		if _, err := m.Tokens.Spend(ctx, "refresh/"+shown, row.ID, row.Expires); err != nil {
			return err
		}
	}
	if row.Version > 0 {
		return nil
	}
	return m.Journal(ctx, journal.Entry{
		Act: "login.granted", Actor: actor(id), Card: id.Card.ID, Person: id.CF,
		Detail: map[string]string{"client": g.ClientID, "acr": id.ACR},
	})
}

func actor(id identity.Identity) string {
	if id.Method == identity.Operator {
		return id.Account
	}
	return "holder"
}

func (m managers) grantExpiry(g *goidc.Grant) time.Time {
	life := time.Hour
	if c, ok := m.client(g.ClientID); ok {
		life = c.TokenLifetime
	}
	at := m.Clock.Now().Add(life + codeLifetime)
	if r := time.Unix(int64(g.RefreshTokenExpiresAt), 0); g.RefreshToken != "" && r.After(at) {
		return r
	}
	return at
}

// Grant implements goidc.GrantManager: user info, introspection and every token
// come through here, and the card is asked about each time.
func (m managers) Grant(ctx context.Context, id string) (*goidc.Grant, error) {
	row, err := m.Grants.Grant(ctx, id)
	return m.grant(ctx, row, err)
}

// GrantByAuthCode implements goidc.AuthManager.
func (m managers) GrantByAuthCode(ctx context.Context, code string) (*goidc.Grant, error) {
	row, err := m.Grants.GrantByCode(ctx, identity.Fingerprint(code))
	g, err := m.grant(ctx, row, err)
	if err == nil && g.RevokedAt != 0 {
		return nil, goidc.NewError(goidc.ErrorCodeInvalidGrant, "the grant has ended")
	}
	return g, err
}

// GrantByRefreshToken implements goidc.RefreshTokenManager. A refresh token that
// was already exchanged ends everything that came from its grant (RFC 9700, 4.14).
func (m managers) GrantByRefreshToken(ctx context.Context, token string) (*goidc.Grant, error) {
	fp := identity.Fingerprint(token)
	row, err := m.Grants.GrantByRefresh(ctx, fp)
	if errors.Is(err, ErrUnknown) {
		return nil, m.reused(ctx, fp)
	}
	g, err := m.grant(ctx, row, err)
	if err != nil {
		return nil, err
	}
	g.Store[keyPresented] = fp
	return g, nil
}

func (m managers) reused(ctx context.Context, fp string) error {
	grant, err := m.Tokens.Spent(ctx, "refresh/"+fp)
	if err != nil {
		return missing(err)
	}
	err = m.Atomically(ctx, func(ctx context.Context) error { return m.Tokens.EndGrant(ctx, grant, m.Clock.Now()) })
	if err != nil {
		return fmt.Errorf("end a grant whose refresh token came back: %w", err)
	}
	return goidc.ErrNotFound
}

func (m managers) grant(ctx context.Context, row GrantRow, err error) (*goidc.Grant, error) {
	if err != nil {
		return nil, missing(err)
	}
	var g goidc.Grant
	if err := identity.Open(m.Seal, "grant/"+row.ID, row.Body, &g); err != nil {
		return nil, err
	}
	if g.Store == nil {
		g.Store = map[string]any{}
	}
	delete(g.Store, keyPresented)
	g.Store[keyGrant] = row.Version
	if !row.Revoked.IsZero() {
		g.RevokedAt = int(row.Revoked.Unix())
		return &g, nil
	}
	return &g, m.recheck(ctx, &g)
}

// recheck asks about the card (R5). A grant whose card is no longer good ends
// here and now; a source that does not answer refuses without ending it.
func (m managers) recheck(ctx context.Context, g *goidc.Grant) error {
	id, err := identityOf(g)
	if err != nil {
		return err
	}
	err = m.Live(ctx, id)
	f := words.FaultOf(err)
	switch {
	case err == nil:
		return nil
	case f == nil || f.Code == "CSE-306":
		return goidc.WrapError("temporarily_unavailable", "the card cannot be checked now", err).
			WithStatusCode(http.StatusServiceUnavailable)
	}
	now := m.Clock.Now()
	err = m.Atomically(ctx, func(ctx context.Context) error {
		if err := m.Tokens.EndGrant(ctx, g.ID, now); err != nil {
			return err
		}
		return m.Journal(ctx, journal.Entry{
			Act: "login.ended", Actor: "system:login", Card: id.Card.ID, Person: id.CF,
			Detail: map[string]string{"client": g.ClientID, "code": f.Code},
		})
	})
	if err != nil {
		return fmt.Errorf("end grant: %w", err)
	}
	g.RevokedAt = int(now.Unix())
	return nil
}

// SaveToken implements goidc.OpaqueTokenManager.
func (m managers) SaveToken(ctx context.Context, t *goidc.Token) error {
	kept := *t
	kept.ID = "" // the token itself is nobody's to keep
	row := TokenRow{ID: identity.Fingerprint(t.ID), Grant: t.GrantID, Expires: time.Unix(int64(t.ExpiresAt), 0)}
	if t.RevokedAt != 0 {
		row.Revoked = m.Clock.Now()
	}
	var err error
	if row.Body, err = identity.Seal(m.Seal, "token/"+row.ID, kept); err != nil {
		return err
	}
	return m.Atomically(ctx, func(ctx context.Context) error { return m.Tokens.PutToken(ctx, row) })
}

// Token implements goidc.OpaqueTokenManager.
func (m managers) Token(ctx context.Context, token string) (*goidc.Token, error) {
	row, err := m.Tokens.Token(ctx, identity.Fingerprint(token))
	if err != nil {
		return nil, missing(err)
	}
	var t goidc.Token
	if err := identity.Open(m.Seal, "token/"+row.ID, row.Body, &t); err != nil {
		return nil, err
	}
	t.ID = token
	if !row.Revoked.IsZero() {
		t.RevokedAt = int(row.Revoked.Unix())
	}
	return &t, nil
}

// jtiMemory is longer than any assertion that the library accepts.
const jtiMemory = time.Hour

// consumeJTI lets each client assertion in once.
func (m managers) consumeJTI(ctx context.Context, jti string) error {
	var fresh bool
	err := m.Atomically(ctx, func(ctx context.Context) (err error) {
		fresh, err = m.Tokens.Spend(ctx, "jti/"+identity.Fingerprint(jti), "", m.Clock.Now().Add(jtiMemory))
		return err
	})
	if err != nil {
		return fmt.Errorf("remember jti: %w", err)
	}
	if !fresh {
		return errors.New("the assertion was used before")
	}
	return nil
}

// SaveLogoutSession implements goidc.LogoutManager: our logout ends at once, so
// there is nothing to keep.
func (managers) SaveLogoutSession(context.Context, *goidc.LogoutSession) error { return nil }

// LogoutSession implements goidc.LogoutManager.
func (managers) LogoutSession(context.Context, string) (*goidc.LogoutSession, error) {
	return nil, goidc.ErrNotFound
}
