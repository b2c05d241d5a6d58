package cades

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Stamp is a time-stamp token (RFC 3161) whose signature holds over the octets
// it was asked for. Whether its authority is believed is the caller's to ask,
// with Certificate and Certificates.
type Stamp struct {
	Time        time.Time
	Certificate *x509.Certificate
	// Certificates came with the token.
	Certificates []*x509.Certificate
}

// ParseStamp reads a token and checks it over what was stamped.
func ParseStamp(token, stamped []byte) (*Stamp, error) {
	m, err := Parse(token)
	if err != nil {
		return nil, err
	}
	if m.Detached || !m.ContentType.Equal(oidTSTInfo) || len(m.Signers) != 1 {
		return nil, malformed("not a time-stamp token")
	}
	s := m.Signers[0]
	if err := s.Check(s.Digest(m.Content)); err != nil {
		return nil, err
	}
	if !s.Bound {
		return nil, malformed("a time-stamp without its signing certificate")
	}
	if !stamping(s.Certificate) {
		return nil, malformed("the time-stamp's certificate is not for time-stamping")
	}
	at, err := readTST(m.Content, stamped)
	if err != nil {
		return nil, err
	}
	return &Stamp{Time: at, Certificate: s.Certificate, Certificates: m.Certificates}, nil
}

// stamping is true of a certificate for time-stamping and nothing else (RFC
// 3161, 2.3).
func stamping(c *x509.Certificate) bool {
	return len(c.ExtKeyUsage) == 1 && len(c.UnknownExtKeyUsage) == 0 && c.ExtKeyUsage[0] == x509.ExtKeyUsageTimeStamping
}

// readTST reads TSTInfo as far as its time.
func readTST(der, stamped []byte) (time.Time, error) {
	in := cryptobyte.String(der)
	var seq, imprint, digest, serial, when cryptobyte.String
	var version int
	var policy asn1.ObjectIdentifier
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() || !seq.ReadASN1Integer(&version) || version != 1 ||
		!seq.ReadASN1ObjectIdentifier(&policy) || !seq.ReadASN1(&imprint, cbasn1.SEQUENCE) {
		return time.Time{}, malformed("not a TSTInfo")
	}
	alg, ok := readAlgorithm(&imprint)
	if !ok || !imprint.ReadASN1(&digest, cbasn1.OCTET_STRING) || !seq.ReadASN1Element(&serial, cbasn1.INTEGER) ||
		!seq.ReadASN1(&when, cbasn1.GeneralizedTime) {
		return time.Time{}, malformed("not a TSTInfo")
	}
	h, err := hashOf(alg.oid)
	if err != nil {
		return time.Time{}, err
	}
	if !bytes.Equal(sum(h, stamped), digest) {
		return time.Time{}, changed("the time-stamp is of something else")
	}
	// Fractions of a second are allowed here (RFC 3161, 2.4.2).
	text := string(when)
	if i := strings.IndexByte(text, '.'); i > 0 && strings.HasSuffix(text, "Z") {
		text = text[:i] + "Z"
	}
	at, err := time.Parse("20060102150405Z", text)
	if err != nil {
		return time.Time{}, malformed("the time of a time-stamp")
	}
	return at, nil
}
