package exchange

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/hybrid"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"cse.example/cse/ground/words"
)

// Bureau is what the issuer knows of the bureau: the key to which records are
// sealed and the key that signs its files.
type Bureau struct {
	seal   tink.HybridEncrypt
	Signer *ecdsa.PublicKey
}

// published is a Bureau as a file: two public keys.
type published struct {
	Schema string `json:"schema"`
	Seal   []byte `json:"seal"` // Tink keyset, binary
	Signer []byte `json:"signer"`
}

const schema = "cse.bureau.public/1"

// Publish makes the bureau's public file from its sealing keyset (which must be
// public) and its signing key.
func Publish(seal *keyset.Handle, signer *ecdsa.PublicKey) ([]byte, error) {
	var b bytes.Buffer
	if err := seal.WriteWithNoSecrets(keyset.NewBinaryWriter(&b)); err != nil {
		return nil, fmt.Errorf("publish the bureau's keys: %w", err)
	}
	der, err := x509.MarshalPKIXPublicKey(signer)
	if err != nil {
		return nil, fmt.Errorf("publish the bureau's keys: %w", err)
	}
	return json.MarshalIndent(published{schema, b.Bytes(), der}, "", "  ")
}

// ParseBureau reads the bureau's public file.
func ParseBureau(b []byte) (*Bureau, error) {
	var p published
	if err := json.Unmarshal(b, &p); err != nil || p.Schema != schema {
		return nil, errors.Join(errors.New("not the public file of a bureau"), err)
	}
	h, err := keyset.ReadWithNoSecrets(keyset.NewBinaryReader(bytes.NewReader(p.Seal)))
	if err != nil {
		return nil, fmt.Errorf("the bureau's sealing key: %w", err)
	}
	seal, err := hybrid.NewHybridEncrypt(h)
	if err != nil {
		return nil, fmt.Errorf("the bureau's sealing key: %w", err)
	}
	key, err := x509.ParsePKIXPublicKey(p.Signer)
	if err != nil {
		return nil, fmt.Errorf("the bureau's signing key: %w", err)
	}
	signer, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("the bureau's signing key is not ECDSA")
	}
	return &Bureau{seal, signer}, nil
}

// NewSealKey makes a bureau's sealing key pair.
func NewSealKey() (*keyset.Handle, error) {
	return keyset.NewHandle(hybrid.DHKEM_X25519_HKDF_SHA256_HKDF_SHA256_AES_256_GCM_Key_Template())
}

func bound(kind Kind, batch, card string) []byte {
	return []byte("cse.bureau/1|" + string(kind) + "|" + batch + "|" + card)
}

// Seal closes a record's content to the bureau, bound to kind, batch and card.
func (b *Bureau) Seal(kind Kind, batch, card string, content []byte) ([]byte, error) {
	out, err := b.seal.Encrypt(content, bound(kind, batch, card))
	if err != nil {
		return nil, fmt.Errorf("seal to the bureau: %w", err)
	}
	return out, nil
}

// Open opens a sealed record with the bureau's private key; the fault is CSE-180.
func Open(key tink.HybridDecrypt, kind Kind, batch, card string, sealed []byte) ([]byte, error) {
	out, err := key.Decrypt(sealed, bound(kind, batch, card))
	if err != nil {
		return nil, words.Refuse("CSE-180", card).Because(err)
	}
	return out, nil
}
