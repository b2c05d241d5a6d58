// Package cades reads, makes and checks CMS signatures with the attributes of
// CAdES: what lies in a .p7m or .p7s file and inside a signed PDF.
//
// Standards: RFC 5652 (CMS), RFC 5035 (ESS signing-certificate-v2), RFC 3161
// (time-stamps), ETSI EN 319 122-1 (CAdES baseline levels B and T), ETSI EN 319
// 142-1 clause 6 for the form inside a PDF, which has no signing-time.
//
// It guarantees that what a signer's attributes say is what was signed (the
// octets as they came, never a new encoding of them), that the certificate is
// the one that the signature names by its hash, and that every refusal is a
// words.Fault with a reason. BER from other programs (indefinite lengths,
// strings in pieces) is read; what is built here is DER.
//
// Refused: data after the message, a message with no signer or more than
// MaxSigners, signers without signed attributes (RFC 5652 would allow them, and
// then the encoding of some other signer's attributes may pass for a signed
// content), an attribute twice, digests weaker than SHA-256, RSA under 2048
// bits, nesting deeper than a real message has.
//
// Whether the certificate is believed is not asked here: package signature does.
package cades

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"time"

	"cse.example/cse/ground/words"
)

// Limits of what is read.
const (
	// MaxSigners is the most signers of one message.
	MaxSigners = 50
	// maxCertificates is the most certificates of one message.
	maxCertificates = 200
	maxDepth        = 48
)

// Object identifiers.
var (
	oidData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidTSTInfo    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}

	oidContentType    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	oidSigningCertV1  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	oidSigningCertV2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidSignatureStamp = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 14}

	oidSHA1   = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	oidSHA256 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidSHA384 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}
	oidSHA512 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}

	oidRSA         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidPSS         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidRSASHA256   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidRSASHA384   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}
	oidRSASHA512   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}
	oidECDSASHA256 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidECDSASHA384 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}
	oidECDSASHA512 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}
)

// Message is a CMS SignedData.
type Message struct {
	// Content is the enveloped content; nil when Detached.
	Content  []byte
	Detached bool
	// ContentType is the type of the content, id-data for documents.
	ContentType  asn1.ObjectIdentifier
	Certificates []*x509.Certificate
	Signers      []*Signer
}

// Signer is one SignerInfo of a message.
type Signer struct {
	// Certificate is the signer's, nil when the message does not carry it.
	Certificate *x509.Certificate
	// Hash is the digest of the content that the signer chose.
	Hash crypto.Hash
	// SigningTime is what the signer says; zero when he does not. Nobody proves it.
	SigningTime time.Time
	// Bound tells that the signed attributes name the certificate by its hash
	// (signing-certificate or its version 2): what CAdES asks and plain CMS does not.
	Bound bool
	// Stamp is the time-stamp of the signature, nil without one. StampErr tells
	// why a time-stamp that is there proves nothing.
	Stamp    *Stamp
	StampErr error

	contentType   asn1.ObjectIdentifier
	messageDigest []byte
	signedAttrs   []byte // DER of the SET OF, as signed
	sigAlg        algorithm
	signature     []byte
	badCert       error // the certificate is not the one named by its hash
}

// Level is the form reached: "T" with a time-stamp that fits, "B" with the
// attributes of the baseline, "CMS" without. inPDF: the time is outside.
func (s *Signer) Level(inPDF bool) string {
	switch {
	case !s.Bound || (s.SigningTime.IsZero() && !inPDF):
		return "CMS"
	case s.Stamp != nil:
		return "T"
	}
	return "B"
}

// malformed is CSE-722 with what was found, for the log and --log-level.
func malformed(format string, args ...any) error {
	return words.Refuse("CSE-722").Because(fmt.Errorf("cms: "+format, args...))
}

// weak is CSE-736: an algorithm that proves nothing today, or an unknown one.
func weak(what string) error {
	return words.Refuse("CSE-736", what)
}

// changed is CSE-733: the octets are not those that were signed.
func changed(format string, args ...any) error {
	return words.Refuse("CSE-733").Because(fmt.Errorf("cms: "+format, args...))
}

// maxRSA is the largest RSA key that is checked: the time grows with its cube.
const maxRSA = 8192

// Sound refuses a certificate whose key would take minutes to use.
func Sound(c *x509.Certificate) error {
	if k, ok := c.PublicKey.(*rsa.PublicKey); ok && (k.N.BitLen() > maxRSA || k.E > 1<<31-1) {
		return weak(fmt.Sprintf("RSA %d", k.N.BitLen()))
	}
	return nil
}
