package path

import (
	"crypto"
	"crypto/dsa" //lint:ignore SA1019 read, never made: paths of the last century have such keys
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha1" // for Options.Legacy
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Keys and signatures (RFC 3279, 4055, 5480, 5758, 8410).
const (
	oidRSA     = "1.2.840.113549.1.1.1"
	oidRSAPSS  = "1.2.840.113549.1.1.10"
	oidDSA     = "1.2.840.10040.4.1"
	oidEC      = "1.2.840.10045.2.1"
	oidEd25519 = "1.3.101.112"
	oidMGF1    = "1.2.840.113549.1.1.8"
)

type scheme struct {
	key  string // the key's algorithm
	hash crypto.Hash
}

var schemes = map[string]scheme{
	"1.2.840.113549.1.1.5":   {oidRSA, crypto.SHA1},
	"1.2.840.113549.1.1.14":  {oidRSA, crypto.SHA224},
	"1.2.840.113549.1.1.11":  {oidRSA, crypto.SHA256},
	"1.2.840.113549.1.1.12":  {oidRSA, crypto.SHA384},
	"1.2.840.113549.1.1.13":  {oidRSA, crypto.SHA512},
	"1.2.840.10040.4.3":      {oidDSA, crypto.SHA1},
	"2.16.840.1.101.3.4.3.1": {oidDSA, crypto.SHA224},
	"2.16.840.1.101.3.4.3.2": {oidDSA, crypto.SHA256},
	"1.2.840.10045.4.1":      {oidEC, crypto.SHA1},
	"1.2.840.10045.4.3.1":    {oidEC, crypto.SHA224},
	"1.2.840.10045.4.3.2":    {oidEC, crypto.SHA256},
	"1.2.840.10045.4.3.3":    {oidEC, crypto.SHA384},
	"1.2.840.10045.4.3.4":    {oidEC, crypto.SHA512},
	oidEd25519:               {oidEd25519, 0},
}

var hashes = map[string]crypto.Hash{
	"1.3.14.3.2.26": crypto.SHA1, "2.16.840.1.101.3.4.2.4": crypto.SHA224, "2.16.840.1.101.3.4.2.1": crypto.SHA256,
	"2.16.840.1.101.3.4.2.2": crypto.SHA384, "2.16.840.1.101.3.4.2.3": crypto.SHA512,
}

var (
	errSignature = errors.New("the signature does not fit the key")
	errUnknown   = errors.New("an algorithm that is not known here")
)

// verifier judges signatures within a budget.
type verifier struct {
	left   int
	legacy bool
	minRSA int
	weak   map[string]bool
	done   map[string]error // by key, algorithm and signature
}

// check verifies a signature over signed by key. inherited are DSA parameters of the certificate above, for a key without its own.
func (v *verifier) check(key publicKey, alg algorithm, signed, signature []byte) error {
	id := string(key.spki) + string(key.params) + alg.oid + string(signature) + string(signed)
	if err, ok := v.done[id]; ok {
		return err
	}
	if v.left <= 0 {
		return &Refusal{Reason: TooMuchWork, Index: -1, Err: errors.New("too many signatures")}
	}
	v.left--
	err := v.verify(key, alg, signed, signature)
	if v.done == nil {
		v.done = map[string]error{}
	}
	v.done[id] = err
	return err
}

func (v *verifier) old(what string) error {
	if !v.legacy {
		return &Refusal{Reason: WeakAlgorithm, Index: -1, Err: errors.New(what)}
	}
	if v.weak == nil {
		v.weak = map[string]bool{}
	}
	v.weak[what] = true
	return nil
}

func (v *verifier) verify(key publicKey, alg algorithm, signed, signature []byte) error {
	s, known := schemes[alg.oid]
	salt := 0
	if alg.oid == oidRSAPSS {
		var err error
		if s.hash, salt, err = pssParams(alg.params); err != nil {
			return err
		}
		s.key, known = oidRSA, true
	}
	if !known {
		return &Refusal{Reason: UnknownAlgorithm, Index: -1, Err: fmt.Errorf("%w: %s", errUnknown, alg.oid)}
	}
	if s.key != key.oid && !(alg.oid == oidRSAPSS && key.oid == oidRSAPSS) {
		return errSignature
	}
	if s.hash == crypto.SHA1 {
		if err := v.old("SHA-1"); err != nil {
			return err
		}
	}
	digest := signed
	if s.hash != 0 {
		h := s.hash.New()
		h.Write(signed)
		digest = h.Sum(nil)
	}
	switch s.key {
	case oidRSA:
		return v.rsa(key, alg, s.hash, salt, digest, signature)
	case oidEC:
		return ec(key, digest, signature)
	case oidDSA:
		if err := v.old("DSA"); err != nil {
			return err
		}
		return dsaCheck(key, digest, signature)
	}
	if len(key.bits) != ed25519.PublicKeySize || !ed25519.Verify(key.bits, signed, signature) {
		return errSignature
	}
	return nil
}

func (v *verifier) rsa(key publicKey, alg algorithm, hash crypto.Hash, salt int, digest, signature []byte) error {
	k, err := x509.ParsePKCS1PublicKey(key.bits)
	if err != nil {
		return fmt.Errorf("%w: %w", errSignature, err)
	}
	switch n := k.N.BitLen(); {
	case n > 16384:
		return &Refusal{Reason: TooMuchWork, Index: -1, Err: fmt.Errorf("RSA of %d bits", n)}
	case n < v.minRSA:
		return &Refusal{Reason: WeakAlgorithm, Index: -1, Err: fmt.Errorf("RSA of %d bits", n)}
	}
	if alg.oid == oidRSAPSS {
		if err := rsa.VerifyPSS(k, hash, digest, signature, &rsa.PSSOptions{SaltLength: salt}); err != nil {
			return fmt.Errorf("%w: %w", errSignature, err)
		}
		return nil
	}
	if err := rsa.VerifyPKCS1v15(k, hash, digest, signature); err != nil {
		return fmt.Errorf("%w: %w", errSignature, err)
	}
	return nil
}

var curves = map[string]elliptic.Curve{
	"1.3.132.0.33": elliptic.P224(), "1.2.840.10045.3.1.7": elliptic.P256(), "1.3.132.0.34": elliptic.P384(), "1.3.132.0.35": elliptic.P521(),
}

func ec(key publicKey, digest, signature []byte) error {
	p := cryptobyte.String(key.params)
	var id cryptobyte.String
	if !p.ReadASN1(&id, asn1.OBJECT_IDENTIFIER) || !p.Empty() {
		return errSignature
	}
	oid, err := oidString(id)
	if err != nil {
		return err
	}
	curve, ok := curves[oid]
	if !ok {
		return &Refusal{Reason: UnknownAlgorithm, Index: -1, Err: fmt.Errorf("%w: curve %s", errUnknown, oid)}
	}
	k, err := ecdsa.ParseUncompressedPublicKey(curve, key.bits)
	if err != nil || !ecdsa.VerifyASN1(k, digest, signature) {
		return errSignature
	}
	return nil
}

func dsaCheck(key publicKey, digest, signature []byte) error {
	params, sig, pub := cryptobyte.String(key.params), cryptobyte.String(signature), cryptobyte.String(key.bits)
	var list, pair cryptobyte.String
	k := dsa.PublicKey{Parameters: dsa.Parameters{P: new(big.Int), Q: new(big.Int), G: new(big.Int)}, Y: new(big.Int)}
	r, s := new(big.Int), new(big.Int)
	if !params.ReadASN1(&list, asn1.SEQUENCE) || !list.ReadASN1Integer(k.P) || !list.ReadASN1Integer(k.Q) || !list.ReadASN1Integer(k.G) || !list.Empty() ||
		!pub.ReadASN1Integer(k.Y) || !pub.Empty() ||
		!sig.ReadASN1(&pair, asn1.SEQUENCE) || !sig.Empty() || !pair.ReadASN1Integer(r) || !pair.ReadASN1Integer(s) || !pair.Empty() {
		return errSignature
	}
	if k.P.BitLen() > 3072 || k.Q.BitLen() > 256 || k.P.Sign() <= 0 || k.Q.Sign() <= 0 || k.G.Sign() <= 0 || k.Y.Sign() <= 0 ||
		k.G.Cmp(k.P) >= 0 || k.Y.Cmp(k.P) >= 0 {
		return errSignature
	}
	if n := (k.Q.BitLen() + 7) / 8; len(digest) > n {
		digest = digest[:n]
	}
	if !dsa.Verify(&k, digest, r, s) {
		return errSignature
	}
	return nil
}

// pssParams reads RSASSA-PSS-params (RFC 4055, 3.1): one hash for message and mask.
func pssParams(raw []byte) (crypto.Hash, int, error) {
	bad := &Refusal{Reason: UnknownAlgorithm, Index: -1, Err: fmt.Errorf("%w: RSASSA-PSS parameters", errUnknown)}
	s := cryptobyte.String(raw)
	var body cryptobyte.String
	if !s.ReadASN1(&body, asn1.SEQUENCE) || !s.Empty() {
		return 0, 0, bad
	}
	hash, mask, salt := crypto.SHA1, crypto.SHA1, 20
	for i := range 4 {
		var v cryptobyte.String
		var has bool
		if !body.ReadOptionalASN1(&v, &has, asn1.Tag(i).Constructed().ContextSpecific()) {
			return 0, 0, bad
		}
		if !has {
			continue
		}
		switch i {
		case 0, 1:
			a, err := readAlgorithm(&v)
			if err != nil {
				return 0, 0, bad
			}
			if i == 1 {
				if a.oid != oidMGF1 {
					return 0, 0, bad
				}
				p := cryptobyte.String(a.params)
				if a, err = readAlgorithm(&p); err != nil {
					return 0, 0, bad
				}
				mask = hashes[a.oid]
			} else {
				hash = hashes[a.oid]
			}
		case 2:
			n, err := readSkip(&v, asn1.INTEGER)
			if err != nil || n > 512 {
				return 0, 0, bad
			}
			salt = n
		case 3:
			if n, err := readSkip(&v, asn1.INTEGER); err != nil || n != 1 {
				return 0, 0, bad
			}
		}
	}
	if hash == 0 || hash != mask || !body.Empty() {
		return 0, 0, bad
	}
	return hash, salt, nil
}
