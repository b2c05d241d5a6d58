package provider

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/luikyv/go-oidc/pkg/goidc"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// ClientConfig describes a service that wants to know who its visitors are; it
// is what the service agreement (accordo di servizio) says.
type ClientConfig struct {
	// ID is the client identifier, Name what the chooser shows.
	ID, Name string
	// PublicAdministration must be true: the CNS opens services of public
	// administrations only (FAQ A4, rule R17).
	PublicAdministration bool
	// Secret authenticates the client at the token endpoint (basic or post). A
	// client with JWKS authenticates by private_key_jwt instead.
	Secret secret.Text
	// SecretInBody selects client_secret_post; the default is client_secret_basic.
	SecretInBody bool
	// JWKS are the client's public keys.
	JWKS *jose.JSONWebKeySet
	// RedirectURIs and PostLogoutRedirectURIs are compared character by
	// character; https, no fragment, no user information.
	RedirectURIs, PostLogoutRedirectURIs []string
	// Operators lets people come in with an operator's account too.
	Operators bool
	// NoCards hides the card: for a service that only operators use.
	NoCards bool
	// Refresh allows refresh tokens (scope offline_access).
	Refresh bool
	// AttributesInIDToken puts name, birth and codice fiscale in the ID token as
	// well. SPID forbids it, CIE allows it; default: UserInfo only.
	AttributesInIDToken bool
	// CardNumber tells the service, at UserInfo, the number of the card: for the
	// portal, which asks about the card at every request of a session (R5).
	CardNumber bool
	// TokenLifetime is how long an access token lasts at most; the card is
	// asked about at every use in any case. Zero means one hour.
	TokenLifetime time.Duration
}

// Client is a registered service.
type Client struct {
	ClientConfig
	oidc *goidc.Client
}

var clientID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

const minSecret = 32 // characters of a client secret, at least

// Register checks a service's description. Refusals: CSE-320 when it is not a
// public administration, CSE-321 when the description cannot be used.
func Register(c ClientConfig) (Client, error) {
	if !c.PublicAdministration {
		return Client{}, words.Refuse("CSE-320", c.ID).At("public_administration")
	}
	if err := c.check(); err != nil {
		return Client{}, err
	}
	if c.TokenLifetime == 0 {
		c.TokenLifetime = time.Hour
	}
	return Client{ClientConfig: c, oidc: c.library()}, nil
}

func (c ClientConfig) check() error {
	bad := func(field, why string) error {
		return words.Refuse("CSE-321", c.ID, field).At(field).Because(fmt.Errorf("%s: %s", field, why))
	}
	switch {
	case !clientID.MatchString(c.ID):
		return bad("id", "letters, digits, dot, dash and underscore, at most 64")
	case c.Name == "":
		return bad("name", "empty")
	case c.JWKS == nil && c.Secret.Len() < minSecret:
		return bad("secret", "needs a secret of at least 32 characters, or keys")
	case c.JWKS != nil && c.Secret.Len() > 0:
		return bad("secret", "a secret or keys, not both")
	case len(c.RedirectURIs) == 0:
		return bad("redirect_uris", "none")
	case c.NoCards && !c.Operators:
		return bad("operators", "nobody could come in")
	case c.TokenLifetime < 0 || c.TokenLifetime > 24*time.Hour:
		return bad("token_lifetime", "between 0 and 24 hours")
	}
	if c.JWKS != nil {
		for _, k := range c.JWKS.Keys {
			if !k.IsPublic() || !k.Valid() {
				return bad("jwks", "public keys only")
			}
		}
	}
	for _, u := range slices.Concat(c.RedirectURIs, c.PostLogoutRedirectURIs) {
		if !exactHTTPS(u) {
			return bad("redirect_uris", "must be an exact https address: "+u)
		}
	}
	return nil
}

// exactHTTPS tells whether u can be compared character by character and leads
// nowhere but to its host.
func exactHTTPS(u string) bool {
	p, err := url.Parse(u)
	return err == nil && p.Scheme == "https" && p.Host != "" && p.User == nil && p.Opaque == "" &&
		p.Fragment == "" && p.RawFragment == "" && p.String() == u && !slices.Contains([]rune(u), '*')
}

// Origin is scheme and host of a redirect address, for form-action.
func origins(uris []string) []string {
	var out []string
	for _, u := range uris {
		if p, err := url.Parse(u); err == nil {
			if o := p.Scheme + "://" + p.Host; !slices.Contains(out, o) {
				out = append(out, o)
			}
		}
	}
	return out
}

// Origins are the origins that a form of the login pages may end up at.
func (c Client) Origins() []string { return origins(c.RedirectURIs) }

func (c ClientConfig) library() *goidc.Client {
	o := &goidc.Client{
		ID: c.ID,
		ClientMeta: goidc.ClientMeta{
			Name: c.Name, RedirectURIs: c.RedirectURIs, PostLogoutRedirectURIs: c.PostLogoutRedirectURIs,
			GrantTypes:        []goidc.GrantType{goidc.GrantAuthorizationCode},
			ResponseTypes:     []goidc.ResponseType{goidc.ResponseTypeCode},
			ScopeIDs:          "openid profile",
			TokenAuthnMethod:  goidc.AuthnMethodSecretBasic,
			SubIdentifierType: goidc.SubIdentifierPairwise,
		},
	}
	if c.Refresh {
		o.GrantTypes = append(o.GrantTypes, goidc.GrantRefreshToken)
		o.ScopeIDs += " offline_access"
	}
	switch {
	case c.JWKS != nil:
		o.TokenAuthnMethod, o.JWKS = goidc.AuthnMethodPrivateKeyJWT, &goidc.JSONWebKeySet{Keys: c.JWKS.Keys}
	default:
		if c.SecretInBody {
			o.TokenAuthnMethod = goidc.AuthnMethodSecretPost
		}
		o.Secret = hashSecret(string(c.Secret.Reveal()))
	}
	return o
}

// hashSecret is what stays in memory of a client secret of 32 characters and
// more: a plain hash, since nobody can search that space.
func hashSecret(s string) string {
	h := sha256.Sum256([]byte("cse client secret\x00" + s))
	return hex.EncodeToString(h[:])
}
