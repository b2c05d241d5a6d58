package path

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// MaxCertificate bounds a certificate, in octets.
const MaxCertificate = 1 << 20

// Certificate is a certificate as far as a path asks for it. Make one with Parse.
type Certificate struct {
	Raw       []byte
	Version   int // 1, 2 or 3
	Serial    *big.Int
	Issuer    Name
	Subject   Name
	NotBefore time.Time
	NotAfter  time.Time

	tbs       []byte
	algorithm algorithm
	signature []byte
	key       publicKey
	extensions
}

// algorithm is an AlgorithmIdentifier: params is the whole element, or nil.
type algorithm struct {
	oid    string
	params []byte
}

func (a algorithm) equal(b algorithm) bool { return a.oid == b.oid && bytes.Equal(a.params, b.params) }

// publicKey is a SubjectPublicKeyInfo. spki is the whole element.
type publicKey struct {
	algorithm
	bits []byte
	spki []byte
}

// Fingerprint is SHA-256 over the certificate, in lower-case hexadecimal.
func (c *Certificate) Fingerprint() string {
	h := sha256.Sum256(c.Raw)
	return hex.EncodeToString(h[:])
}

// SerialHex is the serial number in lower-case hexadecimal.
func (c *Certificate) SerialHex() string { return c.Serial.Text(16) }

// selfIssued: issuer and subject are the same name (RFC 5280, 6.1).
func (c *Certificate) selfIssued() bool { return c.Issuer.Equal(c.Subject) }

var errCertificate = errors.New("not a certificate")

// Parse reads one DER certificate with nothing after it.
func Parse(der []byte) (*Certificate, error) {
	c, err := parse(der)
	if err != nil {
		return nil, &Refusal{Reason: Malformed, Index: -1, Err: err}
	}
	return c, nil
}

// ParseAll reads certificates from PEM blocks, or from one DER certificate.
func ParseAll(data []byte) ([]*Certificate, error) {
	return readFile(data, "certificate", Parse, "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")
}

// readFile reads what a file holds: PEM blocks of the types named, or one DER document.
func readFile[T any](data []byte, what string, one func(der []byte) (T, error), types ...string) ([]T, error) {
	if len(data) > 0 && data[0] == 0x30 {
		v, err := one(data)
		if err != nil {
			return nil, err
		}
		return []T{v}, nil
	}
	var out []T
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			break
		}
		if !slices.Contains(types, b.Type) {
			continue
		}
		v, err := one(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s %d: %w", what, len(out)+1, err)
		}
		out = append(out, v)
	}
	if len(out) == 0 {
		return nil, refuse(Malformed, -1, "no %s in the file", what)
	}
	return out, nil
}

func parse(der []byte) (*Certificate, error) {
	if len(der) > MaxCertificate {
		return nil, fmt.Errorf("%d octets are too many", len(der))
	}
	s := cryptobyte.String(der)
	var outer, tbsRaw cryptobyte.String
	c := &Certificate{Raw: bytes.Clone(der), Version: 1}
	if !s.ReadASN1(&outer, asn1.SEQUENCE) || !s.Empty() || !outer.ReadASN1Element(&tbsRaw, asn1.SEQUENCE) {
		return nil, errCertificate
	}
	c.tbs = tbsRaw
	var err error
	if c.algorithm, err = readAlgorithm(&outer); err != nil {
		return nil, err
	}
	var sig []byte
	if !outer.ReadASN1BitStringAsBytes(&sig) || !outer.Empty() {
		return nil, errors.New("the signature cannot be read")
	}
	c.signature = sig
	return c, c.readTBS(tbsRaw)
}

func (c *Certificate) readTBS(raw cryptobyte.String) error {
	var tbs cryptobyte.String
	if !raw.ReadASN1(&tbs, asn1.SEQUENCE) {
		return errCertificate
	}
	v0, versioned := asn1.Tag(0).Constructed().ContextSpecific(), false
	var body cryptobyte.String
	if !tbs.ReadOptionalASN1(&body, &versioned, v0) {
		return errCertificate
	}
	if versioned {
		var v int
		if !body.ReadASN1Integer(&v) || !body.Empty() || v < 0 || v > 2 {
			return errors.New("the version cannot be read")
		}
		c.Version = v + 1
	}
	c.Serial = new(big.Int)
	if !tbs.ReadASN1Integer(c.Serial) {
		return errors.New("the serial number cannot be read")
	}
	inner, err := readAlgorithm(&tbs)
	if err != nil {
		return err
	}
	if !inner.equal(c.algorithm) {
		return errors.New("two different algorithms are named for one signature")
	}
	if c.Issuer, err = readName(&tbs); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	var validity cryptobyte.String
	if !tbs.ReadASN1(&validity, asn1.SEQUENCE) {
		return errors.New("the validity cannot be read")
	}
	if c.NotBefore, err = readTime(&validity); err != nil {
		return err
	}
	if c.NotAfter, err = readTime(&validity); err != nil {
		return err
	}
	if !validity.Empty() {
		return errors.New("the validity has more than two instants")
	}
	if c.Subject, err = readName(&tbs); err != nil {
		return fmt.Errorf("subject: %w", err)
	}
	if c.key, err = readKey(&tbs); err != nil {
		return err
	}
	for _, tag := range []asn1.Tag{1, 2} { // unique identifiers
		if !tbs.SkipOptionalASN1(tag.ContextSpecific()) {
			return errCertificate
		}
	}
	return c.readExtensions(tbs)
}

func readAlgorithm(s *cryptobyte.String) (algorithm, error) {
	var body, id cryptobyte.String
	if !s.ReadASN1(&body, asn1.SEQUENCE) || !body.ReadASN1(&id, asn1.OBJECT_IDENTIFIER) {
		return algorithm{}, errors.New("an algorithm cannot be read")
	}
	oid, err := oidString(id)
	if err != nil {
		return algorithm{}, err
	}
	a := algorithm{oid: oid}
	if !body.Empty() {
		var p cryptobyte.String
		var tag asn1.Tag
		if !body.ReadAnyASN1Element(&p, &tag) || !body.Empty() {
			return algorithm{}, errors.New("the parameters of an algorithm cannot be read")
		}
		a.params = p
	}
	return a, nil
}

func readKey(s *cryptobyte.String) (publicKey, error) {
	var raw, body cryptobyte.String
	if !s.ReadASN1Element(&raw, asn1.SEQUENCE) {
		return publicKey{}, errors.New("the public key cannot be read")
	}
	k := publicKey{spki: raw}
	var err error
	if !raw.ReadASN1(&body, asn1.SEQUENCE) {
		return publicKey{}, errors.New("the public key cannot be read")
	}
	if k.algorithm, err = readAlgorithm(&body); err != nil {
		return publicKey{}, err
	}
	if !body.ReadASN1BitStringAsBytes(&k.bits) || !body.Empty() {
		return publicKey{}, errors.New("the public key cannot be read")
	}
	return k, nil
}

// readTime reads UTCTime or GeneralizedTime in the forms of RFC 5280, 4.1.2.5:
// seconds, Z, no fraction.
func readTime(s *cryptobyte.String) (time.Time, error) {
	var t time.Time
	var ok bool
	switch {
	case s.PeekASN1Tag(asn1.UTCTime):
		ok = s.ReadASN1UTCTime(&t)
	case s.PeekASN1Tag(asn1.GeneralizedTime):
		ok = s.ReadASN1GeneralizedTime(&t)
	}
	if !ok {
		return time.Time{}, errors.New("an instant cannot be read")
	}
	return t.UTC(), nil
}
