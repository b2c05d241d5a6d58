// Package xades signs XML documents and checks their signatures.
//
// Standards: W3C XML Signature 1.1, XML-Signature XPath Filter 2.0 (in the one
// form that leaves the signatures out), Canonical XML 1.0 and 1.1, Exclusive
// XML Canonicalization, ETSI EN 319 132-1 (XAdES baseline B), RFC 6931 for the
// names of the algorithms. The tree is beevik/etree's, the canonical forms are
// goxmldsig's.
//
// A signature made here is the last child of the root and covers the whole
// document but its signatures, so that several people can sign; the octets of
// the document stay as they were.
//
// Checking guarantees that the document as a whole is what was signed: a
// reference to the document or to its root (or, where the signature is the
// root, to its one object), never to a part of it that may stand anywhere
// ("wrapping"); that the properties are those of this very signature; that the
// certificate is the one they name.
//
// Refused: type definitions, entities, encodings other than UTF-8, an
// identifier twice, transformations other than the ones above (XPath, XSLT),
// digests weaker than SHA-256, RSA under 2048 bits.
package xades

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	_ "crypto/sha1" // old properties name a certificate by it
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"cse.example/cse/ground/words"
	"cse.example/cse/signature/cades"
)

// MaxSignatures is the most signatures of one document.
const MaxSignatures = 50

const (
	typeSignedProperties = "http://uri.etsi.org/01903#SignedProperties"
	transformEnveloped   = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
	transformFilter2     = "http://www.w3.org/2002/06/xmldsig-filter2"
	digestSHA1           = "http://www.w3.org/2000/09/xmldsig#sha1"
)

var digests = map[string]crypto.Hash{
	"http://www.w3.org/2001/04/xmlenc#sha256":       crypto.SHA256,
	"http://www.w3.org/2001/04/xmldsig-more#sha384": crypto.SHA384,
	"http://www.w3.org/2001/04/xmlenc#sha512":       crypto.SHA512,
}

type method struct {
	hash crypto.Hash
	kind string
}

var methods = map[string]method{
	"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256":      {crypto.SHA256, "rsa"},
	"http://www.w3.org/2001/04/xmldsig-more#rsa-sha384":      {crypto.SHA384, "rsa"},
	"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512":      {crypto.SHA512, "rsa"},
	"http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1": {crypto.SHA256, "pss"},
	"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256":    {crypto.SHA256, "ecdsa"},
	"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384":    {crypto.SHA384, "ecdsa"},
	"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512":    {crypto.SHA512, "ecdsa"},
}

// Signature is one signature of a document.
type Signature struct {
	// ID is its identifier, may be empty.
	ID string
	// Time is the SigningTime: the signer's word.
	Time time.Time
	// Certificate is the signer's; nil when there is none.
	Certificate  *x509.Certificate
	Certificates []*x509.Certificate
	// Bound tells that the signed properties name the certificate by its hash.
	Bound bool
	// Err tells why it is not valid; nil when it is intact. Whether its
	// certificate is believed is not asked here.
	Err error
}

// Level is the form reached: "B", or "XMLDSIG" without the properties.
func (s *Signature) Level() string {
	if s.Bound && !s.Time.IsZero() {
		return "B"
	}
	return "XMLDSIG"
}

func changed(format string, args ...any) error {
	return words.Refuse("CSE-733").Because(fmt.Errorf("xml: "+format, args...))
}

func wrapped(format string, args ...any) error {
	return words.Refuse("CSE-724").Because(fmt.Errorf("xml: "+format, args...))
}

func malformed(format string, args ...any) error {
	return words.Refuse("CSE-722").Because(fmt.Errorf("xml: "+format, args...))
}

// Check checks every signature of a document: CSE-721 when it has none.
func Check(in []byte) ([]*Signature, error) {
	d, err := read(in)
	if err != nil {
		return nil, err
	}
	switch n := len(d.signatures); {
	case n == 0:
		return nil, words.Refuse("CSE-721")
	case n > MaxSignatures:
		return nil, words.Refuse("CSE-734", MaxSignatures)
	}
	var out []*Signature
	for _, e := range d.signatures {
		s := &Signature{ID: e.SelectAttrValue("Id", "")}
		s.Err = s.check(d, e)
		out = append(out, s)
	}
	return out, nil
}

func (s *Signature) check(d *document, e *etree.Element) error {
	info, value, key := only(e, nsDS, "SignedInfo"), only(e, nsDS, "SignatureValue"), only(e, nsDS, "KeyInfo")
	if info == nil || value == nil || key == nil {
		return malformed("SignedInfo, SignatureValue or KeyInfo is missing or there twice")
	}
	if err := s.certificates(key); err != nil {
		return err
	}
	props, err := s.properties(e)
	if err != nil {
		return err
	}
	if err := s.references(d, e, info, props); err != nil {
		return err
	}
	alg := only(info, nsDS, "CanonicalizationMethod")
	if alg == nil {
		return malformed("no CanonicalizationMethod")
	}
	c := canonicalizer(alg)
	if c == nil {
		return forbidden(alg.SelectAttrValue("Algorithm", ""))
	}
	octets, err := canonical(info, c)
	if err != nil {
		return err
	}
	return s.verify(only(info, nsDS, "SignatureMethod"), octets, value)
}

func octetsOf(e *etree.Element) ([]byte, error) {
	if e == nil {
		return nil, malformed("a value is missing")
	}
	b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(e.Text()), ""))
	if err != nil || len(e.ChildElements()) > 0 {
		return nil, malformed("%s is not base64", e.Tag)
	}
	return b, nil
}

func (s *Signature) certificates(key *etree.Element) error {
	for _, data := range children(key, nsDS, "X509Data") {
		for _, e := range children(data, nsDS, "X509Certificate") {
			der, err := octetsOf(e)
			if err != nil {
				return err
			}
			c, err := x509.ParseCertificate(der)
			if err != nil {
				return malformed("a certificate: %v", err)
			}
			if err := cades.Sound(c); err != nil {
				return err
			}
			if len(s.Certificates) == 50 {
				return malformed("too many certificates")
			}
			s.Certificates = append(s.Certificates, c)
		}
	}
	if len(s.Certificates) == 0 {
		return malformed("no certificate")
	}
	s.Certificate = s.Certificates[0]
	return nil
}

// properties reads the SignedProperties of this signature; nil without them.
func (s *Signature) properties(e *etree.Element) (*etree.Element, error) {
	var all []*etree.Element
	for _, o := range children(e, nsDS, "Object") {
		all = append(all, children(o, nsXAdES, "QualifyingProperties")...)
	}
	if len(all) == 0 {
		return nil, nil
	}
	if len(all) > 1 || (s.ID != "" && all[0].SelectAttrValue("Target", "") != "#"+s.ID) {
		return nil, wrapped("properties of another signature")
	}
	props := only(all[0], nsXAdES, "SignedProperties")
	if props == nil {
		return nil, malformed("no SignedProperties")
	}
	sp := only(props, nsXAdES, "SignedSignatureProperties")
	if t := only(sp, nsXAdES, "SigningTime"); t != nil {
		at, err := time.Parse(time.RFC3339, strings.TrimSpace(t.Text()))
		if err != nil {
			return nil, malformed("SigningTime")
		}
		s.Time = at.UTC()
	}
	for _, name := range []string{"SigningCertificateV2", "SigningCertificate"} {
		if sc := only(sp, nsXAdES, name); sc != nil {
			return props, s.bind(sc)
		}
	}
	return props, nil
}

// bind finds the certificate that the properties name.
func (s *Signature) bind(sc *etree.Element) error {
	certs := children(sc, nsXAdES, "Cert")
	if len(certs) == 0 {
		return malformed("SigningCertificate")
	}
	cd := only(certs[0], nsXAdES, "CertDigest")
	alg := only(cd, nsDS, "DigestMethod")
	if alg == nil {
		return malformed("SigningCertificate")
	}
	name := alg.SelectAttrValue("Algorithm", "")
	h, ok := digests[name]
	if name == digestSHA1 { // it only picks one of the certificates that are there
		h, ok = crypto.SHA1, true
	}
	if !ok {
		return words.Refuse("CSE-736", name)
	}
	want, err := octetsOf(only(cd, nsDS, "DigestValue"))
	if err != nil {
		return err
	}
	for _, c := range s.Certificates {
		if bytes.Equal(sum(h, c.Raw), want) {
			s.Certificate, s.Bound = c, true
			return nil
		}
	}
	return changed("the certificate is not the one that the signature names")
}

func sum(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}

// references checks each reference and demands that one covers the document and
// one the properties.
func (s *Signature) references(d *document, e, info, props *etree.Element) error {
	refs := children(info, nsDS, "Reference")
	if len(refs) == 0 || len(refs) > 5 {
		return malformed("%d references", len(refs))
	}
	document, properties := false, props == nil
	for _, r := range refs {
		uri := r.SelectAttrValue("URI", "-")
		target, id := d.root, strings.TrimPrefix(uri, "#")
		if uri != "" {
			if target = d.byID[id]; target == nil || !strings.HasPrefix(uri, "#") {
				return wrapped("a reference to %.60q", uri)
			}
		}
		octets, err := d.referenced(r, e, target)
		if err != nil {
			return err
		}
		h, want, err := digestOf(r)
		if err != nil {
			return err
		}
		if !bytes.Equal(sum(h, octets), want) {
			return changed("the digest of %.60q differs", uri)
		}
		switch {
		case target == props:
			properties = true
		case r.SelectAttrValue("Type", "") == typeSignedProperties:
			return wrapped("properties of another signature")
		case target == d.root && d.root != e:
			document = true
		case d.root == e && target.Parent() == e && is(target, nsDS, "Object") && !holds(target, nsXAdES, "QualifyingProperties"):
			document = true
		}
	}
	if d.root != e && e.Parent() != d.root {
		return wrapped("the signature is not a child of the root")
	}
	if !document || !properties {
		return wrapped("the document or the properties are not signed")
	}
	return nil
}

func holds(e *etree.Element, ns, tag string) bool { return len(children(e, ns, tag)) > 0 }

func digestOf(r *etree.Element) (crypto.Hash, []byte, error) {
	alg := only(r, nsDS, "DigestMethod")
	if alg == nil {
		return 0, nil, malformed("no DigestMethod")
	}
	h, ok := digests[alg.SelectAttrValue("Algorithm", "")]
	if !ok {
		return 0, nil, words.Refuse("CSE-736", alg.SelectAttrValue("Algorithm", ""))
	}
	want, err := octetsOf(only(r, nsDS, "DigestValue"))
	return h, want, err
}

// referenced are the octets of a reference after its transformations.
func (d *document) referenced(r, signature, target *etree.Element) ([]byte, error) {
	c := dsig.MakeC14N10RecCanonicalizer()
	var without []*etree.Element
	whole := r.SelectAttrValue("URI", "-") == "" // else the root alone
	transforms := only(r, nsDS, "Transforms")
	done := false
	for _, t := range children(transforms, nsDS, "Transform") {
		name := t.SelectAttrValue("Algorithm", "")
		if done {
			return nil, forbidden("a transformation after the canonical form")
		}
		switch {
		case name == transformEnveloped:
			without = append(without, signature)
		case name == transformFilter2 && leavesSignaturesOut(t):
			without = append(without[:0], d.signatures...)
		default:
			if c = canonicalizer(t); c == nil {
				return nil, forbidden(name)
			}
			done = true
		}
	}
	if target == d.root && len(without) > 0 {
		if d.root == signature {
			return nil, malformed("a signature that leaves itself out")
		}
		return d.canonicalDocument(c, whole, d.inOrder(without)...)
	}
	if len(without) > 0 {
		return nil, forbidden("a transformation of a part")
	}
	if target == d.root {
		return d.canonicalDocument(c, whole)
	}
	return canonical(target, c)
}

// inOrder are the signatures of the list in document order, each once.
func (d *document) inOrder(list []*etree.Element) []*etree.Element {
	var out []*etree.Element
	for _, e := range d.signatures {
		if slices.Contains(list, e) {
			out = append(out, e)
		}
	}
	return out
}

// leavesSignaturesOut knows the one filter that is allowed.
func leavesSignaturesOut(t *etree.Element) bool {
	x := only(t, transformFilter2, "XPath")
	if x == nil || len(t.ChildElements()) != 1 || x.SelectAttrValue("Filter", "") != "subtract" {
		return false
	}
	prefix, ok := strings.CutPrefix(strings.TrimSpace(x.Text()), "/descendant::")
	prefix, ok2 := strings.CutSuffix(prefix, ":Signature")
	if !ok || !ok2 {
		return false
	}
	for e := x; e != nil; e = e.Parent() {
		if a := e.SelectAttr("xmlns:" + prefix); a != nil {
			return a.Value == nsDS
		}
	}
	return false
}

// verify checks the signature's value with the certificate's key.
func (s *Signature) verify(alg *etree.Element, message []byte, value *etree.Element) error {
	if alg == nil {
		return malformed("no SignatureMethod")
	}
	name := alg.SelectAttrValue("Algorithm", "")
	m, ok := methods[name]
	if !ok {
		return words.Refuse("CSE-736", name)
	}
	sig, err := octetsOf(value)
	if err != nil {
		return err
	}
	switch key := s.Certificate.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < 2048 {
			return words.Refuse("CSE-736", fmt.Sprintf("RSA %d", key.N.BitLen()))
		}
		switch m.kind {
		case "rsa":
			err = rsa.VerifyPKCS1v15(key, m.hash, sum(m.hash, message), sig)
		case "pss":
			err = rsa.VerifyPSS(key, m.hash, sum(m.hash, message), sig, nil)
		default:
			return malformed("an RSA key for %s", name)
		}
		if err != nil {
			return changed("the signature does not verify")
		}
		return nil
	case *ecdsa.PublicKey:
		n := len(sig) / 2
		if m.kind != "ecdsa" || len(sig)%2 != 0 || n == 0 {
			return malformed("an EC key for %s", name)
		}
		r, q := new(big.Int).SetBytes(sig[:n]), new(big.Int).SetBytes(sig[n:])
		if !ecdsa.Verify(key, sum(m.hash, message), r, q) {
			return changed("the signature does not verify")
		}
		return nil
	}
	return words.Refuse("CSE-736", fmt.Sprintf("%T", s.Certificate.PublicKey))
}
