package status

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"cse.example/cse/pki/profile"
)

// Letterhead is what all answers in the name of one responder certificate, about
// one issuer's certificates, have in common. With a Record it makes the octets of
// an OCSPResponse; it needs no key for that.
type Letterhead struct {
	Cert *x509.Certificate
	// Width is the length of a signature in a Record: r and s side by side for
	// ECDSA, the signature itself for RSA.
	Width int

	names map[crypto.Hash]issuerHashes
	ecdsa bool
	alg   profile.Algorithm
	keyID []byte    // [2] OCTET STRING, complete
	ids   [2][]byte // a CertID's content up to its serial number, by SHA-1 and by SHA-256
	certs []byte    // [0] SEQUENCE OF Certificate, complete
}

// NewLetterhead refuses a certificate whose key no answer is signed with here.
func NewLetterhead(issuer, cert *x509.Certificate) (*Letterhead, error) {
	names, err := hashesOf(issuer)
	if err != nil {
		return nil, err
	}
	l := &Letterhead{Cert: cert, names: names}
	if l.alg, err = profile.AlgorithmOf(cert.PublicKey); err != nil {
		return nil, err
	}
	switch k := cert.PublicKey.(type) {
	case *ecdsa.PublicKey:
		l.ecdsa, l.Width = true, 2*((k.Curve.Params().BitSize+7)/8)
	case *rsa.PublicKey:
		l.Width = k.Size()
	default:
		return nil, fmt.Errorf("status: no answers are signed with a %T", k)
	}
	sig, err := newSignature(nil, nil, cert)
	if err != nil {
		return nil, err
	}
	l.keyID = wrapped(0xa2, append([]byte{0x04, byte(len(sig.keyID))}, sig.keyID...))
	l.certs = wrapped(0xa0, wrapped(0x30, cert.Raw))
	for i, h := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
		n := names[h]
		l.ids[i] = append(l.ids[i], algorithmOf[h]...)
		l.ids[i] = append(l.ids[i], wrapped(0x04, n.name)...)
		l.ids[i] = append(l.ids[i], wrapped(0x04, n.key)...)
	}
	return l, nil
}

// Names tells whether id names a certificate of the issuer.
func (l *Letterhead) Names(id CertID) bool { return names(l.names, id) }

func names(by map[crypto.Hash]issuerHashes, id CertID) bool {
	h, ok := by[id.Hash]
	return ok && bytes.Equal(h.name, id.NameHash) && bytes.Equal(h.key, id.KeyHash)
}

// algorithmOf are the AlgorithmIdentifiers, with NULL, as nearly every client
// sends them.
var algorithmOf = map[crypto.Hash][]byte{
	crypto.SHA1:   {0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00},
	crypto.SHA256: {0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00},
}

// wrapped is content with its tag and length.
func wrapped(tag byte, content []byte) []byte {
	return append(appendHeader(nil, tag, len(content)), content...)
}

// appendHeader appends a tag and the DER length n.
func appendHeader(b []byte, tag byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(b, tag, byte(n))
	case n < 0x100:
		return append(b, tag, 0x81, byte(n))
	default:
		return append(b, tag, 0x82, byte(n>>8), byte(n)) // an answer is shorter than 64 KB
	}
}

// whole is the length of content of n octets with tag and length.
func whole(n int) int {
	switch {
	case n < 0x80:
		return 2 + n
	case n < 0x100:
		return 3 + n
	default:
		return 4 + n
	}
}

const timeSize = 17 // GeneralizedTime with tag and length

func appendTime(b []byte, at uint32) []byte {
	t := time.Unix(int64(at), 0).UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	b = append(b, 0x18, 0x0f)
	for _, two := range [7]int{year / 100, year % 100, int(month), day, hour, minute, second} {
		b = append(b, byte('0'+two/10), byte('0'+two%10))
	}
	return append(b, 'Z')
}

// integer is the INTEGER content of a padded serial number.
func integer(s *[SerialSize]byte) (content []byte, sign bool) {
	c := s[:]
	for len(c) > 1 && c[0] == 0 {
		c = c[1:]
	}
	return c, c[0] >= 0x80
}

// appendTBS appends the ResponseData of r for CertIDs with h. producedAt is
// thisUpdate: an answer is decided and signed at once.
func (l *Letterhead) appendTBS(b []byte, r *Record, h crypto.Hash) []byte {
	prefix := l.ids[0]
	if h == crypto.SHA256 {
		prefix = l.ids[1]
	}
	serial, sign := integer(&r.Serial)
	number := len(serial)
	if sign {
		number++
	}
	id := len(prefix) + whole(number)
	standing := 2
	if r.Mark == 1 {
		standing = whole(timeSize)
	} else if r.Mark > 1 {
		standing = whole(timeSize + 5)
	}
	single := whole(id) + standing + timeSize + whole(timeSize)
	b = appendHeader(b, 0x30, len(l.keyID)+timeSize+whole(whole(single)))
	b = append(b, l.keyID...)
	b = appendTime(b, r.This)
	b = appendHeader(b, 0x30, whole(single))
	b = appendHeader(b, 0x30, single)
	b = appendHeader(b, 0x30, id)
	b = append(b, prefix...)
	b = appendHeader(b, 0x02, number)
	if sign {
		b = append(b, 0)
	}
	b = append(b, serial...)
	switch {
	case r.Mark == 0:
		b = append(b, 0x80, 0x00)
	case r.Mark == 1: // no reason: code 0 is never written
		b = appendTime(append(b, 0xa1, timeSize), r.Since)
	default:
		b = appendTime(append(b, 0xa1, timeSize+5), r.Since)
		b = append(b, 0xa0, 0x03, 0x0a, 0x01, r.Mark-1)
	}
	b = appendTime(b, r.This)
	return appendTime(append(b, 0xa0, timeSize), r.Next)
}

var basicOID = []byte{0x06, 0x09, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01}

// AppendAnswer appends the OCSPResponse of r to CertIDs with h to b; it fails
// when r was not signed for them.
func (l *Letterhead) AppendAnswer(b []byte, r *Record, h crypto.Hash) ([]byte, error) {
	raw, err := l.signatureOf(r, h)
	if err != nil {
		return nil, err
	}
	var tbsRoom [512]byte
	tbs := l.appendTBS(tbsRoom[:0], r, h)
	var sigRoom [160]byte
	sig := raw
	if l.ecdsa {
		sig = appendECDSA(sigRoom[:0], raw)
	}
	basic := len(tbs) + len(l.alg.Identifier) + whole(1+len(sig)) + len(l.certs)
	octets := whole(basic)
	typed := len(basicOID) + whole(octets)
	b = appendHeader(b, 0x30, 3+whole(whole(typed)))
	b = append(b, 0x0a, 0x01, 0x00)
	b = appendHeader(b, 0xa0, whole(typed))
	b = appendHeader(b, 0x30, typed)
	b = append(b, basicOID...)
	b = appendHeader(b, 0x04, octets)
	b = appendHeader(b, 0x30, basic)
	b = append(b, tbs...)
	b = append(b, l.alg.Identifier...)
	b = appendHeader(b, 0x03, 1+len(sig))
	b = append(b, 0)
	b = append(b, sig...)
	return append(b, l.certs...), nil
}

// signatureOf is the signature of r over its answer to CertIDs with h.
func (l *Letterhead) signatureOf(r *Record, h crypto.Hash) ([]byte, error) {
	if !r.has(h) || len(r.Signatures) != 2*l.Width {
		return nil, fmt.Errorf("status: the answer for CertIDs with %v is not signed", h)
	}
	if h == crypto.SHA256 {
		return r.Signatures[l.Width:], nil
	}
	return r.Signatures[:l.Width], nil
}

// appendECDSA appends ECDSA-Sig-Value of r and s side by side.
func appendECDSA(b, raw []byte) []byte {
	half := len(raw) / 2
	r, rSign := unpadded(raw[:half])
	s, sSign := unpadded(raw[half:])
	b = appendHeader(b, 0x30, 2+len(r)+rSign+2+len(s)+sSign)
	for _, n := range []struct {
		b    []byte
		sign int
	}{{r, rSign}, {s, sSign}} {
		b = append(b, 0x02, byte(len(n.b)+n.sign))
		if n.sign == 1 {
			b = append(b, 0)
		}
		b = append(b, n.b...)
	}
	return b
}

func unpadded(n []byte) ([]byte, int) {
	for len(n) > 1 && n[0] == 0 {
		n = n[1:]
	}
	return n, int(n[0] >> 7)
}

// Sign signs r's answer to CertIDs with h and keeps the signature in r.
func (l *Letterhead) Sign(rand io.Reader, signer crypto.Signer, r *Record, h crypto.Hash) error {
	_, sig, err := profile.Signature(rand, signer, l.appendTBS(nil, r, h))
	if err != nil {
		return err
	}
	if len(r.Signatures) != 2*l.Width {
		r.Signatures, r.Signed = make([]byte, 2*l.Width), 0
	}
	into := r.Signatures[:l.Width]
	if h == crypto.SHA256 {
		into = r.Signatures[l.Width:]
	}
	if err := l.pack(into, sig); err != nil {
		return err
	}
	r.Signed |= bit(h)
	return nil
}

func (l *Letterhead) pack(into, sig []byte) error {
	if !l.ecdsa {
		if len(sig) != len(into) {
			return fmt.Errorf("status: a signature of %d octets, want %d", len(sig), len(into))
		}
		copy(into, sig)
		return nil
	}
	in := cryptobyte.String(sig)
	var seq cryptobyte.String
	r, s := new(big.Int), new(big.Int)
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() || !seq.ReadASN1Integer(r) || !seq.ReadASN1Integer(s) || !seq.Empty() ||
		r.Sign() < 0 || s.Sign() < 0 || r.BitLen() > 4*len(into) || s.BitLen() > 4*len(into) {
		return errors.New("status: not an ECDSA signature")
	}
	r.FillBytes(into[:len(into)/2])
	s.FillBytes(into[len(into)/2:])
	return nil
}

// Verify checks the signatures of r, as many as there are.
func (l *Letterhead) Verify(r *Record) error {
	for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
		if !r.has(h) {
			continue
		}
		sig, err := l.signatureOf(r, h)
		if err != nil {
			return err
		}
		if l.ecdsa {
			sig = appendECDSA(nil, sig)
		}
		digest := l.alg.Hash.New()
		digest.Write(l.appendTBS(nil, r, h))
		ok := false
		switch k := l.Cert.PublicKey.(type) {
		case *ecdsa.PublicKey:
			ok = ecdsa.VerifyASN1(k, digest.Sum(nil), sig)
		case *rsa.PublicKey:
			ok = rsa.VerifyPKCS1v15(k, l.alg.Hash, digest.Sum(nil), sig) == nil
		}
		if !ok {
			return fmt.Errorf("status: the signature for CertIDs with %v is wrong", h)
		}
	}
	return nil
}
