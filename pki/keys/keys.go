// Package keys keeps the authority's private keys: in sealed files, or in a
// PKCS #11 token (keys/hsm) that a small file names. Vault opens both kinds of
// file and makes new keys; everybody else sees a crypto.Signer.
//
// A sealed file is one PEM block, CSE SEALED, whose headers name the purpose
// and the cost of Argon2id (RFC 9106) and whose body is salt, nonce and
// AES-256-GCM ciphertext; the headers are authenticated too. Private keys are
// ECDSA P-256 or P-384 or RSA of 2048, 3072 or 4096 bits (PKCS #8 inside the seal).
//
// Guaranteed: a file appears whole or not at all (temporary file, fsync, link),
// mode 0600, and never replaces another. Refused, each with its own fault: a
// wrong passphrase (CSE-190), a file that is damaged or not ours (CSE-191), a
// file that others may read (CSE-192), a name already taken (CSE-193), and a
// cost so high that opening the file would be an attack on us.
//
// Seal and Open do the same for other small secrets (Tink keysets).
package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"io"
	"slices"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// Algorithm is the kind of a key.
type Algorithm string

// The kinds that are made.
const (
	P256    Algorithm = "P-256"
	P384    Algorithm = "P-384"
	RSA2048 Algorithm = "RSA-2048"
	RSA3072 Algorithm = "RSA-3072"
	RSA4096 Algorithm = "RSA-4096"
)

// Algorithms are all kinds, the smallest of each family first.
func Algorithms() []Algorithm { return []Algorithm{P256, P384, RSA2048, RSA3072, RSA4096} }

// AlgorithmOf is the kind of a public key; empty for one that is never made here.
func AlgorithmOf(pub crypto.PublicKey) Algorithm {
	var a Algorithm
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		a = Algorithm(k.Curve.Params().Name)
	case *rsa.PublicKey:
		a = Algorithm(fmt.Sprintf("RSA-%d", k.N.BitLen()))
	}
	if !slices.Contains(Algorithms(), a) {
		return ""
	}
	return a
}

// Curve is that of an elliptic kind, nil for RSA.
func (a Algorithm) Curve() elliptic.Curve {
	switch a {
	case P256:
		return elliptic.P256()
	case P384:
		return elliptic.P384()
	}
	return nil
}

// Bits is the length of an RSA modulus, 0 for an elliptic kind.
func (a Algorithm) Bits() int {
	return map[Algorithm]int{RSA2048: 2048, RSA3072: 3072, RSA4096: 4096}[a]
}

const purposeKey = "private key"

// Key is a private key held in memory. It signs and does nothing else: no
// method gives the private part back, and it prints as its public half's kind.
type Key struct{ k crypto.Signer }

var _ crypto.Signer = (*Key)(nil)

// Public implements crypto.Signer; an *ecdsa.PublicKey or an *rsa.PublicKey.
func (k *Key) Public() crypto.PublicKey { return k.k.Public() }

// Sign implements crypto.Signer: an ASN.1 ECDSA signature of digest, or RSA by
// PKCS #1 v1.5, or by PSS where opts is an *rsa.PSSOptions.
func (k *Key) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.k.Sign(rand, digest, opts)
}

// String names the kind of key, nothing of its content.
func (k *Key) String() string { return "private key " + string(AlgorithmOf(k.Public())) }

// Format implements fmt.Formatter, so that no verb reaches the scalar.
func (k *Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalJSON implements json.Marshaler.
func (k *Key) MarshalJSON() ([]byte, error) { return []byte(`"` + secret.Redacted + `"`), nil }

// Generate makes a key with randomness from rand that lives in memory only.
func Generate(rand io.Reader, a Algorithm) (*Key, error) {
	var k crypto.Signer
	var err error
	switch {
	case a.Curve() != nil:
		k, err = ecdsa.GenerateKey(a.Curve(), rand)
	case a.Bits() != 0:
		k, err = rsa.GenerateKey(rand, a.Bits())
	default:
		return nil, fmt.Errorf("keys: unknown algorithm %q (one of %v)", string(a), Algorithms())
	}
	if err != nil {
		return nil, fmt.Errorf("keys: generate %s: %w", a, err)
	}
	return &Key{k}, nil
}

// Create makes a key with randomness from rand and seals it under passphrase in
// a new file at path. It refuses to replace a file (CSE-193).
func Create(rand io.Reader, path string, a Algorithm, passphrase secret.Text) (*Key, error) {
	k, err := Generate(rand, a)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.k)
	if err != nil {
		return nil, fmt.Errorf("keys: encode %s: %w", a, err)
	}
	defer clear(der)
	if err := Seal(rand, path, purposeKey, der, passphrase); err != nil {
		return nil, err
	}
	return k, nil
}

// Load opens the key sealed at path. Vault.Open opens a token's key too.
func Load(path string, passphrase secret.Text) (*Key, error) {
	der, err := Open(path, purposeKey, passphrase)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	any, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, damaged(path, err)
	}
	k, ok := any.(crypto.Signer)
	if !ok || AlgorithmOf(k.Public()) == "" {
		return nil, damaged(path, fmt.Errorf("a %T is none of %v", any, Algorithms()))
	}
	return &Key{k}, nil
}

func damaged(path string, err error) error {
	return words.Refuse("CSE-191", path).Because(err)
}
