package provider

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

func TestRegister(t *testing.T) {
	good := ClientConfig{
		ID: "comune", Name: "Comune di prova", PublicAdministration: true, Secret: secret.FromString("0123456789abcdef0123456789abcdef"),
		RedirectURIs: []string{"https://comune.cse.test/cb"},
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := func(k any) *jose.JSONWebKeySet {
		return &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: k, Algorithm: "ES256"}}}
	}
	tests := []struct {
		name, want string
		change     func(*ClientConfig)
	}{
		{"good", "", func(*ClientConfig) {}},
		{"with keys", "", func(c *ClientConfig) { c.Secret, c.JWKS = secret.Text{}, keys(private.Public()) }},
		{"not a public administration (R17)", "CSE-320", func(c *ClientConfig) { c.PublicAdministration = false }},
		{"no name", "CSE-321", func(c *ClientConfig) { c.Name = "" }},
		{"odd identifier", "CSE-321", func(c *ClientConfig) { c.ID = "a b" }},
		{"short secret", "CSE-321", func(c *ClientConfig) { c.Secret = secret.FromString("short") }},
		{"secret and keys", "CSE-321", func(c *ClientConfig) { c.JWKS = keys(private.Public()) }},
		{"private key given away", "CSE-321", func(c *ClientConfig) { c.Secret, c.JWKS = secret.Text{}, keys(private) }},
		{"nobody could come in", "CSE-321", func(c *ClientConfig) { c.NoCards = true }},
		{"tokens for two days", "CSE-321", func(c *ClientConfig) { c.TokenLifetime = 48 * time.Hour }},
		{"no redirect", "CSE-321", func(c *ClientConfig) { c.RedirectURIs = nil }},
		{"http", "CSE-321", func(c *ClientConfig) { c.RedirectURIs = []string{"http://comune.cse.test/cb"} }},
		{"fragment", "CSE-321", func(c *ClientConfig) { c.RedirectURIs = []string{"https://comune.cse.test/cb#x"} }},
		{"user", "CSE-321", func(c *ClientConfig) { c.RedirectURIs = []string{"https://a@comune.cse.test/cb"} }},
		{"wildcard", "CSE-321", func(c *ClientConfig) { c.RedirectURIs = []string{"https://*.cse.test/cb"} }},
		{"no host", "CSE-321", func(c *ClientConfig) { c.RedirectURIs = []string{"https:///cb"} }},
		{"bad logout address", "CSE-321", func(c *ClientConfig) { c.PostLogoutRedirectURIs = []string{"javascript:alert(1)"} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := good
			tt.change(&c)
			_, err := Register(c)
			got := ""
			if f := words.FaultOf(err); f != nil {
				got = f.Code
			}
			if got != tt.want || (err != nil) != (tt.want != "") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// The library's JWS wants r || s; a signer of the standard library answers DER.
func TestRawECDSA(t *testing.T) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("payload"))
	for range 200 { // short r or s come by once in 128
		sig, err := rawECDSA{k}.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil || len(sig) != 64 {
			t.Fatalf("%d octets, %v", len(sig), err)
		}
		if !ecdsa.Verify(&k.PublicKey, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
			t.Fatal("does not verify")
		}
	}
}

func TestKeysRefused(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, signers := range map[string][]crypto.Signer{"none": nil, "P-384": {p384}, "RSA 1024": {short}} {
		if _, err := newKeys(signers); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
