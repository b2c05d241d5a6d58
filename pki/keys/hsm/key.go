//go:build cgo

package hsm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"math/big"
	"sync"

	"github.com/miekg/pkcs11"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"cse.example/cse/ground/words"
	"cse.example/cse/pki/keys"
)

// key is one in a token.
type key struct {
	t   *token
	ref keys.TokenKey

	mu     sync.Mutex
	line   *line // for which handle was looked up
	handle pkcs11.ObjectHandle
}

var _ crypto.Signer = (*key)(nil)

// Public implements crypto.Signer.
func (k *key) Public() crypto.PublicKey { return k.ref.Public }

// String names the key and its token.
func (k *key) String() string { return fmt.Sprintf("key %q of token %q", k.ref.Label, k.t.conf.Token) }

// Find implements keys.Token. The key proves that it is the one asked for.
func (t *token) Find(r keys.TokenKey) (crypto.Signer, error) {
	if r.Token != t.conf.Token {
		return nil, words.Refuse("CSE-918", r.Label, t.conf.Token).Because(fmt.Errorf("it is in token %q", r.Token))
	}
	k := &key{t: t, ref: r}
	digest := crypto.SHA256.New()
	fmt.Fprintf(digest, "CSE: which key is this? %s", r.Label)
	if _, err := k.Sign(nil, digest.Sum(nil), crypto.SHA256); err != nil {
		return nil, err
	}
	return k, nil
}

// Named implements keys.Token: the public half comes from its object in the token.
func (t *token) Named(label string) (keys.TokenKey, crypto.Signer, error) {
	r := keys.TokenKey{Token: t.conf.Token, Label: label}
	err := t.do(func(_ *line, s pkcs11.SessionHandle) error {
		found, err := t.search(s, pkcs11.CKO_PUBLIC_KEY, label, nil)
		if err != nil {
			return err
		}
		if len(found) != 1 {
			return words.Refuse("CSE-918", label, t.conf.Token).Because(fmt.Errorf("%d public keys have the label", len(found)))
		}
		if r.Public, err = t.public(s, found[0]); err != nil {
			return err
		}
		id, err := t.mod.ctx.GetAttributeValue(s, found[0], []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_ID, nil)})
		if err != nil {
			return fmt.Errorf("hsm: attribute of %q: %w", label, err)
		}
		r.ID = id[0].Value
		return nil
	})
	if err != nil {
		return r, nil, err
	}
	k, err := t.Find(r)
	return r, k, err
}

// on is the key's handle in a session of l.
func (k *key) on(l *line, s pkcs11.SessionHandle) (pkcs11.ObjectHandle, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.line == l {
		return k.handle, nil
	}
	found, err := k.t.search(s, pkcs11.CKO_PRIVATE_KEY, k.ref.Label, k.ref.ID)
	if err != nil {
		return 0, err
	}
	if len(found) != 1 {
		return 0, words.Refuse("CSE-918", k.ref.Label, k.t.conf.Token).Because(fmt.Errorf("%d private keys answer to label and id", len(found)))
	}
	k.line, k.handle = l, found[0]
	return k.handle, nil
}

// search finds objects by class, and by label and id where they are not empty.
func (t *token) search(s pkcs11.SessionHandle, class uint, label string, id []byte) ([]pkcs11.ObjectHandle, error) {
	want := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, class), pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true)}
	if label != "" {
		want = append(want, pkcs11.NewAttribute(pkcs11.CKA_LABEL, label))
	}
	if len(id) > 0 {
		want = append(want, pkcs11.NewAttribute(pkcs11.CKA_ID, id))
	}
	ctx := t.mod.ctx
	if err := ctx.FindObjectsInit(s, want); err != nil {
		return nil, fmt.Errorf("hsm: find: %w", err)
	}
	found, _, err := ctx.FindObjects(s, 2)
	if err = errors.Join(err, ctx.FindObjectsFinal(s)); err != nil {
		return nil, fmt.Errorf("hsm: find: %w", err)
	}
	if len(found) == 0 {
		// Whoever is logged out sees no private key, and no error.
		i, err := ctx.GetSessionInfo(s)
		if err == nil && i.State != pkcs11.CKS_RO_USER_FUNCTIONS && i.State != pkcs11.CKS_RW_USER_FUNCTIONS {
			err = pkcs11.Error(pkcs11.CKR_USER_NOT_LOGGED_IN)
		}
		if err != nil {
			return nil, fmt.Errorf("hsm: find: %w", err)
		}
	}
	return found, nil
}

// Sign implements crypto.Signer; the token has its own randomness.
func (k *key) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if h := opts.HashFunc(); !h.Available() || h.Size() != len(digest) {
		return nil, fmt.Errorf("hsm: %d octets are no digest of %v", len(digest), opts.HashFunc())
	}
	mechanism, input, err := plan(k.ref.Public, digest, opts)
	if err != nil {
		return nil, err
	}
	var sig []byte
	err = k.t.do(func(l *line, s pkcs11.SessionHandle) error {
		h, err := k.on(l, s)
		if err != nil {
			return err
		}
		if err := k.t.mod.ctx.SignInit(s, []*pkcs11.Mechanism{mechanism}, h); err != nil {
			return fmt.Errorf("hsm: sign: %w", err)
		}
		if sig, err = k.t.mod.ctx.Sign(s, input); err != nil {
			return fmt.Errorf("hsm: sign: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if _, ok := k.ref.Public.(*ecdsa.PublicKey); ok {
		if sig, err = joined(sig); err != nil {
			return nil, err
		}
	}
	if !verifies(k.ref.Public, digest, sig, opts) {
		return nil, words.Refuse("CSE-918", k.ref.Label, k.t.conf.Token).Because(errors.New("its signature does not verify under the public key of its file"))
	}
	return sig, nil
}

// plan is the mechanism and what it is given.
func plan(pub crypto.PublicKey, digest []byte, opts crypto.SignerOpts) (*pkcs11.Mechanism, []byte, error) {
	switch p := pub.(type) {
	case *ecdsa.PublicKey:
		n := (p.Curve.Params().BitSize + 7) / 8
		return pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil), digest[:min(n, len(digest))], nil
	case *rsa.PublicKey:
		h, ok := hashes[opts.HashFunc()]
		if !ok {
			return nil, nil, fmt.Errorf("hsm: no RSA signature over %v", opts.HashFunc())
		}
		pss, ok := opts.(*rsa.PSSOptions)
		if !ok {
			return pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS, nil), append(append([]byte{}, h.prefix...), digest...), nil
		}
		salt := pss.SaltLength
		switch salt {
		case rsa.PSSSaltLengthEqualsHash:
			salt = len(digest)
		case rsa.PSSSaltLengthAuto:
			salt = (p.N.BitLen()-1+7)/8 - 2 - len(digest)
		}
		return pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_PSS, pkcs11.NewPSSParams(h.mechanism, h.mgf, uint(salt))), digest, nil
	}
	return nil, nil, fmt.Errorf("hsm: a %T does not sign", pub)
}

// hashes are the DigestInfo prefixes of PKCS #1 v1.5 (RFC 8017, 9.2) and the
// names of PSS.
var hashes = map[crypto.Hash]struct {
	prefix         []byte
	mechanism, mgf uint
}{
	crypto.SHA256: {[]byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}, pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256},
	crypto.SHA384: {[]byte{0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30}, pkcs11.CKM_SHA384, pkcs11.CKG_MGF1_SHA384},
	crypto.SHA512: {[]byte{0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40}, pkcs11.CKM_SHA512, pkcs11.CKG_MGF1_SHA512},
}

// joined turns r and s, side by side, into the SEQUENCE that X.509 has.
func joined(raw []byte) ([]byte, error) {
	if len(raw) == 0 || len(raw)%2 != 0 {
		return nil, fmt.Errorf("hsm: an ECDSA signature of %d octets", len(raw))
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(raw[:len(raw)/2]))
		b.AddASN1BigInt(new(big.Int).SetBytes(raw[len(raw)/2:]))
	})
	return b.Bytes()
}

func verifies(pub crypto.PublicKey, digest, sig []byte, opts crypto.SignerOpts) bool {
	switch p := pub.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(p, digest, sig)
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			return rsa.VerifyPSS(p, opts.HashFunc(), digest, sig, pss) == nil
		}
		return rsa.VerifyPKCS1v15(p, opts.HashFunc(), digest, sig) == nil
	}
	return false
}
