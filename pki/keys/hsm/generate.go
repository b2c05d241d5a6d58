//go:build cgo

package hsm

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"github.com/miekg/pkcs11"

	"cse.example/cse/ground/words"
	"cse.example/cse/pki/keys"
)

// Generate implements keys.Token. A key that the token could give out again is
// destroyed at once, and refused (CSE-918).
func (t *token) Generate(label string, a keys.Algorithm) (keys.TokenKey, crypto.Signer, error) {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return keys.TokenKey{}, nil, fmt.Errorf("hsm: %w", err)
	}
	ref := keys.TokenKey{Token: t.conf.Token, Label: label, ID: id}
	mechanism, public, err := recipe(a)
	if err != nil {
		return ref, nil, err
	}
	err = t.do(func(l *line, s pkcs11.SessionHandle) error {
		// The sessions of the line only read.
		w, err := t.mod.ctx.OpenSession(l.slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
		if err != nil {
			return fmt.Errorf("hsm: open session: %w", err)
		}
		ref.Public, err = t.generate(w, mechanism, public, ref)
		return errors.Join(err, t.mod.ctx.CloseSession(w))
	})
	if err != nil {
		return ref, nil, err
	}
	if got := keys.AlgorithmOf(ref.Public); got != a {
		return ref, nil, words.Refuse("CSE-918", label, t.conf.Token).Because(fmt.Errorf("made %s, asked for %s", got, a))
	}
	k, err := t.Find(ref)
	return ref, k, err
}

// recipe is how a kind of key is asked for.
func recipe(a keys.Algorithm) (uint, []*pkcs11.Attribute, error) {
	if n := a.Bits(); n != 0 {
		return pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, n), pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}),
		}, nil
	}
	oid, ok := map[keys.Algorithm]asn1.ObjectIdentifier{keys.P256: {1, 2, 840, 10045, 3, 1, 7}, keys.P384: {1, 3, 132, 0, 34}}[a]
	if !ok {
		return 0, nil, fmt.Errorf("hsm: unknown algorithm %q", a)
	}
	curve, err := asn1.Marshal(oid)
	return pkcs11.CKM_EC_KEY_PAIR_GEN, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, curve)}, err
}

func (t *token) generate(s pkcs11.SessionHandle, mechanism uint, public []*pkcs11.Attribute, ref keys.TokenKey) (crypto.PublicKey, error) {
	taken, err := t.search(s, pkcs11.CKO_PRIVATE_KEY, ref.Label, nil)
	if err != nil {
		return nil, err
	}
	if len(taken) > 0 {
		return nil, words.Refuse("CSE-918", ref.Label, t.conf.Token).Because(errors.New("a key of that label is there already"))
	}
	named := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_LABEL, ref.Label), pkcs11.NewAttribute(pkcs11.CKA_ID, ref.ID),
	}
	private := append([]*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true), pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
		pkcs11.NewAttribute(pkcs11.CKA_SIGN, true), pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, false), pkcs11.NewAttribute(pkcs11.CKA_UNWRAP, false),
		pkcs11.NewAttribute(pkcs11.CKA_DERIVE, false),
	}, named...)
	public = append(append(public, pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true)), named...)
	pub, priv, err := t.mod.ctx.GenerateKeyPair(s, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, public, private)
	if err != nil {
		return nil, fmt.Errorf("hsm: generate: %w", err)
	}
	k, err := t.public(s, pub)
	if err == nil {
		err = t.shut(s, priv, ref)
	}
	if err != nil {
		return nil, errors.Join(err, t.mod.ctx.DestroyObject(s, priv), t.mod.ctx.DestroyObject(s, pub))
	}
	return k, nil
}

// shut refuses a key that was not born inside or could ever leave.
func (t *token) shut(s pkcs11.SessionHandle, h pkcs11.ObjectHandle, ref keys.TokenKey) error {
	want := []struct {
		attribute uint
		value     byte
	}{
		{pkcs11.CKA_SENSITIVE, 1},
		{pkcs11.CKA_ALWAYS_SENSITIVE, 1},
		{pkcs11.CKA_EXTRACTABLE, 0},
		{pkcs11.CKA_NEVER_EXTRACTABLE, 1},
		{pkcs11.CKA_LOCAL, 1},
	}
	for _, w := range want {
		got, err := t.mod.ctx.GetAttributeValue(s, h, []*pkcs11.Attribute{pkcs11.NewAttribute(w.attribute, nil)})
		if err != nil {
			return fmt.Errorf("hsm: attribute %#x: %w", w.attribute, err)
		}
		if !bytes.Equal(got[0].Value, []byte{w.value}) {
			return words.Refuse("CSE-918", ref.Label, t.conf.Token).Because(fmt.Errorf("attribute %#x is %x: the key could leave the token", w.attribute, got[0].Value))
		}
	}
	return nil
}

// public reads a public key object.
func (t *token) public(s pkcs11.SessionHandle, h pkcs11.ObjectHandle) (crypto.PublicKey, error) {
	read := func(attributes ...uint) ([][]byte, error) {
		var out [][]byte
		for _, a := range attributes {
			got, err := t.mod.ctx.GetAttributeValue(s, h, []*pkcs11.Attribute{pkcs11.NewAttribute(a, nil)})
			if err != nil {
				return nil, fmt.Errorf("hsm: attribute %#x: %w", a, err)
			}
			out = append(out, got[0].Value)
		}
		return out, nil
	}
	if v, err := read(pkcs11.CKA_MODULUS, pkcs11.CKA_PUBLIC_EXPONENT); err == nil {
		return &rsa.PublicKey{N: new(big.Int).SetBytes(v[0]), E: int(new(big.Int).SetBytes(v[1]).Int64())}, nil
	}
	v, err := read(pkcs11.CKA_EC_PARAMS, pkcs11.CKA_EC_POINT)
	if err != nil {
		return nil, err
	}
	for _, a := range keys.Algorithms() {
		_, curve, err := recipe(a)
		if err != nil || a.Curve() == nil || !bytes.Equal(curve[0].Value, v[0]) {
			continue
		}
		point := v[1]
		var inner []byte // some tokens wrap the point in an OCTET STRING, as 2.40 says, some do not
		if rest, err := asn1.Unmarshal(point, &inner); err == nil && len(rest) == 0 {
			point = inner
		}
		return ecdsa.ParseUncompressedPublicKey(a.Curve(), point)
	}
	return nil, fmt.Errorf("hsm: a curve of nobody's: %x", v[0])
}
