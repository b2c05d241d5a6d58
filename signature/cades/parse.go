package cades

import (
	"bytes"
	"crypto"
	_ "crypto/sha1" // ESS signing-certificate of version 1 names a certificate by it
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	tag0  = cbasn1.Tag(0).ContextSpecific()
	tag0c = cbasn1.Tag(0).ContextSpecific().Constructed()
	tag1c = cbasn1.Tag(1).ContextSpecific().Constructed()
)

// algorithm is an AlgorithmIdentifier; params are its DER, may be empty.
type algorithm struct {
	oid    asn1.ObjectIdentifier
	params cryptobyte.String
}

func readAlgorithm(s *cryptobyte.String) (algorithm, bool) {
	var a algorithm
	var seq cryptobyte.String
	if !s.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&a.oid) {
		return a, false
	}
	a.params = seq
	return a, true
}

// hashOf is the digest of an object identifier: SHA-256 and stronger.
func hashOf(oid asn1.ObjectIdentifier) (crypto.Hash, error) {
	switch {
	case oid.Equal(oidSHA256):
		return crypto.SHA256, nil
	case oid.Equal(oidSHA384):
		return crypto.SHA384, nil
	case oid.Equal(oidSHA512):
		return crypto.SHA512, nil
	case oid.Equal(oidSHA1):
		return 0, weak("SHA-1")
	}
	return 0, weak(oid.String())
}

// Parse reads a SignedData in BER or DER. The signatures are not checked yet:
// Signer.Check does.
func Parse(message []byte) (*Message, error) {
	der, err := toDER(message)
	if err != nil {
		return nil, err
	}
	return parseDER(der)
}

func parseDER(der []byte) (*Message, error) {
	outer, info, data := cryptobyte.String(der), cryptobyte.String(nil), cryptobyte.String(nil)
	var kind asn1.ObjectIdentifier
	var wrapped cryptobyte.String
	if !outer.ReadASN1(&info, cbasn1.SEQUENCE) || !outer.Empty() || !info.ReadASN1ObjectIdentifier(&kind) {
		return nil, malformed("not a ContentInfo")
	}
	if !kind.Equal(oidSignedData) {
		return nil, malformed("content of type %v, not signed data", kind)
	}
	if !info.ReadASN1(&wrapped, tag0c) || !info.Empty() || !wrapped.ReadASN1(&data, cbasn1.SEQUENCE) || !wrapped.Empty() {
		return nil, malformed("not a SignedData")
	}
	m := &Message{}
	var version int
	var algs, encap, infos cryptobyte.String
	if !data.ReadASN1Integer(&version) || !data.ReadASN1(&algs, cbasn1.SET) || !data.ReadASN1(&encap, cbasn1.SEQUENCE) {
		return nil, malformed("not a SignedData")
	}
	if err := m.encapsulated(encap); err != nil {
		return nil, err
	}
	var certs, crls cryptobyte.String
	var has bool
	if !data.ReadOptionalASN1(&certs, &has, tag0c) || !data.ReadOptionalASN1(&crls, &has, tag1c) ||
		!data.ReadASN1(&infos, cbasn1.SET) || !data.Empty() {
		return nil, malformed("not a SignedData")
	}
	if err := m.certificates(certs); err != nil {
		return nil, err
	}
	for !infos.Empty() {
		var one cryptobyte.String
		if !infos.ReadASN1(&one, cbasn1.SEQUENCE) {
			return nil, malformed("not a SignerInfo")
		}
		if len(m.Signers) == MaxSigners {
			return nil, malformed("more than %d signers", MaxSigners)
		}
		s, err := m.signer(one)
		if err != nil {
			return nil, err
		}
		m.Signers = append(m.Signers, s)
	}
	if len(m.Signers) == 0 {
		return nil, malformed("no signer")
	}
	return m, nil
}

func (m *Message) encapsulated(s cryptobyte.String) error {
	var content, octets cryptobyte.String
	var has bool
	if !s.ReadASN1ObjectIdentifier(&m.ContentType) || !s.ReadOptionalASN1(&content, &has, tag0c) || !s.Empty() {
		return malformed("not an EncapsulatedContentInfo")
	}
	if !has {
		m.Detached = true
		return nil
	}
	if !content.ReadASN1(&octets, cbasn1.OCTET_STRING) || !content.Empty() {
		return malformed("the content is not an octet string")
	}
	m.Content = append([]byte{}, octets...)
	return nil
}

// certificates reads the certificates that are X.509; other kinds are passed over.
func (m *Message) certificates(s cryptobyte.String) error {
	for !s.Empty() {
		var one cryptobyte.String
		var tag cbasn1.Tag
		if !s.ReadAnyASN1Element(&one, &tag) {
			return malformed("not a CertificateSet")
		}
		if tag != cbasn1.SEQUENCE {
			continue
		}
		if len(m.Certificates) == maxCertificates {
			return malformed("more than %d certificates", maxCertificates)
		}
		c, err := x509.ParseCertificate(one)
		if err != nil {
			return malformed("a certificate: %v", err)
		}
		if err := Sound(c); err != nil {
			return err
		}
		m.Certificates = append(m.Certificates, c)
	}
	return nil
}

func (m *Message) signer(in cryptobyte.String) (*Signer, error) {
	s := &Signer{}
	var version int
	if !in.ReadASN1Integer(&version) {
		return nil, malformed("not a SignerInfo")
	}
	named, err := m.named(&in)
	if err != nil {
		return nil, err
	}
	s.Certificate = named
	digest, ok := readAlgorithm(&in)
	if !ok {
		return nil, malformed("a digest algorithm")
	}
	if s.Hash, err = hashOf(digest.oid); err != nil {
		return nil, err
	}
	var signed, unsigned, sig cryptobyte.String
	var hasSigned, hasUnsigned bool
	if !in.ReadOptionalASN1(&signed, &hasSigned, tag0c) {
		return nil, malformed("signed attributes")
	}
	if s.sigAlg, ok = readAlgorithm(&in); !ok || !in.ReadASN1(&sig, cbasn1.OCTET_STRING) ||
		!in.ReadOptionalASN1(&unsigned, &hasUnsigned, tag1c) || !in.Empty() {
		return nil, malformed("not a SignerInfo")
	}
	if !hasSigned {
		return nil, malformed("a signer without signed attributes")
	}
	s.signature = sig
	s.signedAttrs = appendTLV(nil, []byte{0x31}, signed)
	if err := s.readSigned(signed); err != nil {
		return nil, err
	}
	if !s.contentType.Equal(m.ContentType) {
		return nil, changed("content of type %v, signed as %v", m.ContentType, s.contentType)
	}
	return s, s.readUnsigned(unsigned)
}

// named finds the certificate by issuer and serial or by subject key.
func (m *Message) named(in *cryptobyte.String) (*x509.Certificate, error) {
	var key cryptobyte.String
	var byKey bool
	if !in.ReadOptionalASN1(&key, &byKey, tag0) {
		return nil, malformed("a signer identifier")
	}
	if byKey {
		for _, c := range m.Certificates {
			if len(key) > 0 && bytes.Equal(c.SubjectKeyId, key) {
				return c, nil
			}
		}
		return nil, nil
	}
	var seq, issuer cryptobyte.String
	serial := new(big.Int)
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1Element(&issuer, cbasn1.SEQUENCE) || !seq.ReadASN1Integer(serial) || !seq.Empty() {
		return nil, malformed("a signer identifier")
	}
	for _, c := range m.Certificates {
		if bytes.Equal(c.RawIssuer, issuer) && c.SerialNumber.Cmp(serial) == 0 {
			return c, nil
		}
	}
	return nil, nil
}

// attributes calls f for each attribute with its single value; twice the same
// attribute is refused.
func attributes(s cryptobyte.String, single bool, f func(oid asn1.ObjectIdentifier, value cryptobyte.String) error) error {
	seen := map[string]bool{}
	for !s.Empty() {
		var one, values, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		var tag cbasn1.Tag
		if !s.ReadASN1(&one, cbasn1.SEQUENCE) || !one.ReadASN1ObjectIdentifier(&oid) || !one.ReadASN1(&values, cbasn1.SET) || !one.Empty() {
			return malformed("an attribute")
		}
		if single && seen[oid.String()] {
			return malformed("the attribute %v twice", oid)
		}
		seen[oid.String()] = true
		if !values.ReadAnyASN1Element(&value, &tag) {
			return malformed("an attribute without a value")
		}
		if single && !values.Empty() {
			switch {
			case oid.Equal(oidContentType), oid.Equal(oidMessageDigest), oid.Equal(oidSigningTime), oid.Equal(oidSigningCertV1), oid.Equal(oidSigningCertV2):
				return malformed("two values of the attribute %v", oid)
			}
		}
		if err := f(oid, value); err != nil {
			return err
		}
	}
	return nil
}

func (s *Signer) readSigned(in cryptobyte.String) error {
	err := attributes(in, true, func(oid asn1.ObjectIdentifier, v cryptobyte.String) error {
		switch {
		case oid.Equal(oidContentType):
			if !v.ReadASN1ObjectIdentifier(&s.contentType) {
				return malformed("content-type")
			}
		case oid.Equal(oidMessageDigest):
			var d cryptobyte.String
			if !v.ReadASN1(&d, cbasn1.OCTET_STRING) {
				return malformed("message-digest")
			}
			s.messageDigest = d
		case oid.Equal(oidSigningTime):
			t, ok := readTime(&v)
			if !ok {
				return malformed("signing-time")
			}
			s.SigningTime = t
		case oid.Equal(oidSigningCertV2):
			return s.bind(v, true)
		case oid.Equal(oidSigningCertV1):
			return s.bind(v, false)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if s.contentType == nil || s.messageDigest == nil {
		return malformed("content-type or message-digest is missing")
	}
	return nil
}

// bind compares the certificate with the hash in signing-certificate (v1:
// SHA-1) or signing-certificate-v2 (RFC 5035, 3 and 4).
func (s *Signer) bind(v cryptobyte.String, v2 bool) error {
	var seq, ids, id, hash cryptobyte.String
	if !v.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1(&ids, cbasn1.SEQUENCE) || !ids.ReadASN1(&id, cbasn1.SEQUENCE) {
		return malformed("signing-certificate")
	}
	h := crypto.SHA1
	if v2 {
		h = crypto.SHA256
		if id.PeekASN1Tag(cbasn1.SEQUENCE) {
			a, ok := readAlgorithm(&id)
			if !ok {
				return malformed("signing-certificate-v2")
			}
			var err error
			if h, err = hashOf(a.oid); err != nil {
				return err
			}
		}
	}
	if !id.ReadASN1(&hash, cbasn1.OCTET_STRING) {
		return malformed("signing-certificate")
	}
	if s.Certificate == nil {
		return nil
	}
	d := h.New()
	d.Write(s.Certificate.Raw)
	if !bytes.Equal(d.Sum(nil), hash) {
		s.badCert = changed("the certificate is not the one that the signature names")
		return nil
	}
	s.Bound = true
	return nil
}

func readTime(s *cryptobyte.String) (time.Time, bool) {
	var t time.Time
	if s.PeekASN1Tag(cbasn1.UTCTime) {
		return t, s.ReadASN1UTCTime(&t)
	}
	return t, s.ReadASN1GeneralizedTime(&t)
}

// readUnsigned looks for the time-stamp of the signature.
func (s *Signer) readUnsigned(in cryptobyte.String) error {
	return attributes(in, false, func(oid asn1.ObjectIdentifier, v cryptobyte.String) error {
		if !oid.Equal(oidSignatureStamp) || s.Stamp != nil {
			return nil
		}
		s.Stamp, s.StampErr = ParseStamp(v, s.signature)
		return nil
	})
}
