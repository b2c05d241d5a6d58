// Package keys keeps the authority's private keys in sealed files.
//
// A sealed file is one PEM block, CSE SEALED, whose headers name the purpose
// and the cost of Argon2id (RFC 9106) and whose body is salt, nonce and
// AES-256-GCM ciphertext; the headers are authenticated too. Private keys are
// ECDSA P-256 or P-384 (PKCS #8 inside the seal).
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
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// Algorithm is the kind of a software key.
type Algorithm string

// The kinds that are made.
const (
	P256 Algorithm = "P-256"
	P384 Algorithm = "P-384"
)

const purposeKey = "private key"

func (a Algorithm) curve() (elliptic.Curve, error) {
	switch a {
	case P256:
		return elliptic.P256(), nil
	case P384:
		return elliptic.P384(), nil
	}
	return nil, fmt.Errorf("keys: unknown algorithm %q (P-256 or P-384)", string(a))
}

// Key is a private key held in memory. It signs and does nothing else: no
// method gives the private part back, and it prints as its public half's kind.
type Key struct{ k *ecdsa.PrivateKey }

var _ crypto.Signer = (*Key)(nil)

// Public implements crypto.Signer; the result is an *ecdsa.PublicKey.
func (k *Key) Public() crypto.PublicKey { return &k.k.PublicKey }

// Sign implements crypto.Signer: an ASN.1 ECDSA signature of digest.
func (k *Key) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.k.Sign(rand, digest, opts)
}

// String names the kind of key, nothing of its content.
func (k *Key) String() string { return "private key " + k.k.Curve.Params().Name }

// Format implements fmt.Formatter, so that no verb reaches the scalar.
func (k *Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalJSON implements json.Marshaler.
func (k *Key) MarshalJSON() ([]byte, error) { return []byte(`"` + secret.Redacted + `"`), nil }

// Create makes a key with randomness from rand and seals it under passphrase in
// a new file at path. It refuses to replace a file (CSE-193).
func Create(rand io.Reader, path string, a Algorithm, passphrase secret.Text) (*Key, error) {
	curve, err := a.curve()
	if err != nil {
		return nil, err
	}
	k, err := ecdsa.GenerateKey(curve, rand)
	if err != nil {
		return nil, fmt.Errorf("keys: generate %s: %w", a, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, fmt.Errorf("keys: encode %s: %w", a, err)
	}
	defer clear(der)
	if err := Seal(rand, path, purposeKey, der, passphrase); err != nil {
		return nil, err
	}
	return &Key{k}, nil
}

// Load opens the key sealed at path.
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
	k, ok := any.(*ecdsa.PrivateKey)
	if !ok {
		return nil, damaged(path, errors.New("the key is not ECDSA"))
	}
	return &Key{k}, nil
}

func damaged(path string, err error) error {
	return words.Refuse("CSE-191", path).Because(err)
}
