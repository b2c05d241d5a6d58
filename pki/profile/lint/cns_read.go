package lint

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// base64Strict refuses what decodes to the same octets but is written otherwise.
var base64Strict = base64.StdEncoding.Strict()

// cert is a certificate with what crypto/x509 reads and does not tell: the tags
// of strings and times, which RDN an attribute stands in, the algorithm written
// twice. err is why that could not be read.
type cert struct {
	*x509.Certificate
	err          error
	inner, outer []byte // AlgorithmIdentifier in the TBS and beside the signature
	validity     [2]tagged
	subject      []attribute
	unique       bool // issuerUniqueID or subjectUniqueID
}

type tagged struct {
	tag   cbasn1.Tag
	value string
}

type attribute struct {
	rdn   int
	oid   asn1.ObjectIdentifier
	tag   cbasn1.Tag
	value string
}

func readCert(c *x509.Certificate) *cert {
	out := &cert{Certificate: c}
	out.err = out.read()
	return out
}

var errRead = errors.New("not the structure of a certificate (RFC 5280, 4.1)")

func (c *cert) read() error {
	in := cryptobyte.String(c.Raw)
	var whole, tbs, outer cryptobyte.String
	if !in.ReadASN1(&whole, cbasn1.SEQUENCE) || !whole.ReadASN1(&tbs, cbasn1.SEQUENCE) || !whole.ReadASN1Element(&outer, cbasn1.SEQUENCE) {
		return errRead
	}
	c.outer = outer
	var inner, validity, subject cryptobyte.String
	if !tbs.SkipOptionalASN1(cbasn1.Tag(0).Constructed().ContextSpecific()) || !tbs.SkipASN1(cbasn1.INTEGER) ||
		!tbs.ReadASN1Element(&inner, cbasn1.SEQUENCE) || !tbs.SkipASN1(cbasn1.SEQUENCE) || !tbs.ReadASN1(&validity, cbasn1.SEQUENCE) ||
		!tbs.ReadASN1(&subject, cbasn1.SEQUENCE) || !tbs.SkipASN1(cbasn1.SEQUENCE) {
		return errRead
	}
	c.inner = inner
	for i := range c.validity {
		var value cryptobyte.String
		if !validity.ReadAnyASN1(&value, &c.validity[i].tag) {
			return errRead
		}
		c.validity[i].value = string(value)
	}
	for n := range 2 {
		if tag := cbasn1.Tag(n + 1).ContextSpecific(); tbs.PeekASN1Tag(tag) {
			c.unique = true
			tbs.SkipASN1(tag)
		}
	}
	return c.readSubject(subject)
}

func (c *cert) readSubject(s cryptobyte.String) error {
	for rdn := 0; !s.Empty(); rdn++ {
		var set cryptobyte.String
		if !s.ReadASN1(&set, cbasn1.SET) {
			return errRead
		}
		for !set.Empty() {
			var pair, value cryptobyte.String
			a := attribute{rdn: rdn}
			if !set.ReadASN1(&pair, cbasn1.SEQUENCE) || !pair.ReadASN1ObjectIdentifier(&a.oid) || !pair.ReadAnyASN1(&value, &a.tag) || !pair.Empty() {
				return errRead
			}
			a.value = string(value)
			c.subject = append(c.subject, a)
		}
	}
	return nil
}

// attribute is the value of the one attribute of a kind, empty for none or several.
func (c *cert) attribute(oid asn1.ObjectIdentifier) string {
	value, n := "", 0
	for _, a := range c.subject {
		if a.oid.Equal(oid) {
			value, n = a.value, n+1
		}
	}
	if n != 1 {
		return ""
	}
	return value
}

func (c *cert) keyHash() string { return fmt.Sprintf("%x", sha256.Sum256(c.RawSubjectPublicKeyInfo)) }

// extension is the value of an extension, nil when it is absent.
func (c *cert) extension(oid asn1.ObjectIdentifier) []byte {
	for _, e := range c.Extensions {
		if e.Id.Equal(oid) {
			return e.Value
		}
	}
	return nil
}
