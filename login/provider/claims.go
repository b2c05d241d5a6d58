package provider

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"cse.example/cse/login/identity"
)

// Claim names of SPID and CIE (attributi_utente.rst) and ours.
const (
	ClaimFiscalNumber = "https://attributes.eid.gov.it/fiscal_number" // "TINIT-" and the codice fiscale
	ClaimPlaceOfBirth = "place_of_birth"                              // {locality, region, country}
	ClaimDerived      = "urn:cse:derived"                             // claims read from the codice fiscale
	ClaimSession      = "sid"
	ClaimCard         = "urn:cse:card"        // the card's number, for the portal only: see ClientConfig.CardNumber
	ClaimCardIssuer   = "urn:cse:card_issuer" // beside it, when the card is another issuer's: numbers are an issuer's own
)

func identityOf(g *goidc.Grant) (identity.Identity, error) {
	text, _ := g.Store[keyIdentity].(string)
	var id identity.Identity
	if text == "" {
		return id, errors.New("login: a grant without an identity")
	}
	if err := json.Unmarshal([]byte(text), &id); err != nil {
		return id, fmt.Errorf("login: read identity: %w", err)
	}
	return id, nil
}

// subject is the stable pseudonym of a person: it tells nobody the codice
// fiscale, and it is the same whichever card or account the person used.
func (p *Provider) subject(cf string) string { return p.mac("person", cf) }

// pairwise makes the subject a different one for each service's host.
func (p *Provider) pairwise(_ context.Context, sub string, c *goidc.Client) string {
	sector := c.ID
	if len(c.RedirectURIs) > 0 {
		if u, err := url.Parse(c.RedirectURIs[0]); err == nil {
			sector = u.Hostname()
		}
	}
	return p.mac("pairwise", sector, sub)
}

func (p *Provider) mac(parts ...string) string {
	h := hmac.New(sha256.New, p.cfg.SubjectKey.Reveal())
	h.Write([]byte(strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// idTokenClaims says how and when; who only for clients whose agreement asks.
func (p *Provider) idTokenClaims(_ context.Context, g *goidc.Grant) map[string]any {
	id, err := identityOf(g)
	if err != nil {
		return nil
	}
	m := circumstances(id)
	m[ClaimSession] = sid(g.ID)
	if c, ok := p.cfg.client(g.ClientID); ok && c.AttributesInIDToken {
		for k, v := range attributes(id, g.Scopes) {
			m[k] = v
		}
	}
	return m
}

func (p *Provider) userInfoClaims(_ context.Context, g *goidc.Grant) map[string]any {
	id, err := identityOf(g)
	if err != nil {
		return nil
	}
	m := attributes(id, g.Scopes)
	for k, v := range circumstances(id) {
		m[k] = v
	}
	if c, ok := p.cfg.client(g.ClientID); ok && c.CardNumber && id.Card.ID != "" {
		m[ClaimCard] = id.Card.ID
		if !id.Card.Own {
			m[ClaimCardIssuer] = id.Card.Issuer
		}
	}
	return m
}

// tokenClaims is what introspection adds.
func (p *Provider) tokenClaims(_ context.Context, _ *goidc.Token, g *goidc.Grant) map[string]any {
	id, err := identityOf(g)
	if err != nil {
		return nil
	}
	return circumstances(id)
}

// circumstances is the authentication context.
func circumstances(id identity.Identity) map[string]any {
	return map[string]any{
		goidc.ClaimACR: id.ACR, goidc.ClaimAMR: id.AMR, goidc.ClaimAuthTime: id.At.Unix(),
	}
}

// attributes are the person's: the codice fiscale always, the rest with the
// scope profile.
func attributes(id identity.Identity, scopes string) map[string]any {
	m := map[string]any{ClaimFiscalNumber: "TINIT-" + id.CF}
	if id.Account != "" {
		m[goidc.ClaimPreferredUsername] = id.Account
	}
	if !hasScope(scopes, "profile") {
		return m
	}
	put := func(k, v string) {
		if v != "" {
			m[k] = v
		}
	}
	put(goidc.ClaimGivenName, id.GivenName)
	put(goidc.ClaimFamilyName, id.Surname)
	put(goidc.ClaimName, cmp.Or(strings.TrimSpace(id.GivenName+" "+id.Surname), id.Name))
	put(goidc.ClaimBirthdate, id.Born.String())
	put(goidc.ClaimGender, map[string]string{"M": "male", "F": "female"}[id.Sex])
	if place := placeOfBirth(id); len(place) > 0 {
		m[ClaimPlaceOfBirth] = place
	}
	if len(id.Derived) > 0 {
		m[ClaimDerived] = id.Derived
	}
	return m
}

func placeOfBirth(id identity.Identity) map[string]string {
	m := map[string]string{}
	switch {
	case id.Locality == "":
	case id.Foreign:
		m["country"] = id.Locality
	default:
		m["locality"], m["country"] = id.Locality, "IT"
		if id.Province != "" {
			m["region"] = id.Province
		}
	}
	return m
}

func hasScope(scopes, want string) bool {
	for _, s := range strings.Fields(scopes) {
		if s == want {
			return true
		}
	}
	return false
}

// sid names a grant to the relying party without being the key to it.
func sid(grant string) string { return identity.Fingerprint("sid/" + grant)[:32] }
