package provider

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/go-jose/go-jose/v4"
	"github.com/luikyv/go-oidc/pkg/goidc"
)

// key is a token signing key: RSA of 2048 bits or more (RS256) or P-256 (ES256).
type key struct {
	id     string // RFC 7638 thumbprint
	alg    goidc.SignatureAlgorithm
	signer crypto.Signer
	public goidc.JSONWebKey
}

func newKeys(signers []crypto.Signer) ([]key, error) {
	if len(signers) == 0 {
		return nil, errors.New("login: no token signing key") // never fail open
	}
	var out []key
	for _, s := range signers {
		k, err := newKey(s)
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, nil
}

// SignatureOf is the JWS algorithm with which a key signs ID tokens (RFC 7518), or
// the reason why it may not.
func SignatureOf(s crypto.Signer) (string, error) {
	k, err := newKey(s)
	return string(k.alg), err
}

func newKey(s crypto.Signer) (key, error) {
	k := key{signer: s}
	switch p := s.Public().(type) {
	case *rsa.PublicKey:
		if p.N.BitLen() < 2048 {
			return key{}, errors.New("login: a token signing key of RSA must have 2048 bits or more")
		}
		k.alg = goidc.RS256
	case *ecdsa.PublicKey:
		if p.Curve != elliptic.P256() {
			return key{}, errors.New("login: a token signing key on a curve must be P-256")
		}
		k.alg, k.signer = goidc.ES256, rawECDSA{s}
	default:
		return key{}, fmt.Errorf("login: token signing key of type %T", p)
	}
	k.public = goidc.JSONWebKey{Key: s.Public(), Algorithm: string(k.alg), Use: string(goidc.KeyUsageSignature)}
	sum, err := k.public.Thumbprint(crypto.SHA256)
	if err != nil {
		return key{}, fmt.Errorf("login: key thumbprint: %w", err)
	}
	k.id = base64.RawURLEncoding.EncodeToString(sum)
	k.public.KeyID = k.id
	return k, nil
}

func jwks(keys []key) goidc.JSONWebKeySet {
	var set jose.JSONWebKeySet
	for _, k := range keys {
		set.Keys = append(set.Keys, k.public)
	}
	return goidc.JSONWebKeySet{Keys: set.Keys}
}

// rawECDSA answers signatures as r || s, which JWS wants (RFC 7518, 3.4); the
// library hands on whatever a crypto.Signer answers, which is DER.
type rawECDSA struct{ crypto.Signer }

// Sign implements crypto.Signer.
func (s rawECDSA) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	der, err := s.Signer.Sign(rand, digest, opts)
	if err != nil {
		return nil, err
	}
	var sig struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &sig); err != nil || len(rest) > 0 {
		return nil, errors.New("login: the signer's ECDSA signature is not DER")
	}
	out := make([]byte, 64)
	sig.R.FillBytes(out[:32])
	sig.S.FillBytes(out[32:])
	return out, nil
}
