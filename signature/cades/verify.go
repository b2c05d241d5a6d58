package cades

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"cse.example/cse/ground/words"
)

// Digest is the digest of an enveloped content as the signer wants it.
func (s *Signer) Digest(content []byte) []byte {
	h := s.Hash.New()
	h.Write(content)
	return h.Sum(nil)
}

// Check compares the digest of the content with the signed one and verifies the
// signature with the certificate's key: CSE-733 when either does not hold.
func (s *Signer) Check(digest []byte) error {
	if s.Certificate == nil {
		return words.Refuse("CSE-722").Because(fmt.Errorf("cms: the signer's certificate is not in the message"))
	}
	if s.badCert != nil {
		return s.badCert
	}
	if !bytes.Equal(digest, s.messageDigest) {
		return changed("the content's digest differs")
	}
	return s.sigAlg.verify(s.Certificate, s.Hash, s.signedAttrs, s.signature)
}

// verify checks sig over message. digest is the SignerInfo's digest algorithm,
// used when the signature algorithm names none.
func (a algorithm) verify(c *x509.Certificate, digest crypto.Hash, message, sig []byte) error {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return a.verifyRSA(key, digest, message, sig)
	case *ecdsa.PublicKey:
		h, ok := map[string]crypto.Hash{
			oidECDSASHA256.String(): crypto.SHA256, oidECDSASHA384.String(): crypto.SHA384, oidECDSASHA512.String(): crypto.SHA512,
		}[a.oid.String()]
		if !ok {
			return weak(a.oid.String())
		}
		if !ecdsa.VerifyASN1(key, sum(h, message), sig) {
			return changed("the ECDSA signature does not verify")
		}
		return nil
	}
	return weak(fmt.Sprintf("%T", c.PublicKey))
}

func (a algorithm) verifyRSA(key *rsa.PublicKey, digest crypto.Hash, message, sig []byte) error {
	if key.N.BitLen() < 2048 {
		return weak(fmt.Sprintf("RSA %d", key.N.BitLen()))
	}
	h := digest
	switch {
	case a.oid.Equal(oidRSA):
	case a.oid.Equal(oidRSASHA256):
		h = crypto.SHA256
	case a.oid.Equal(oidRSASHA384):
		h = crypto.SHA384
	case a.oid.Equal(oidRSASHA512):
		h = crypto.SHA512
	case a.oid.Equal(oidPSS):
		return a.verifyPSS(key, message, sig)
	default:
		return weak(a.oid.String())
	}
	if err := rsa.VerifyPKCS1v15(key, h, sum(h, message), sig); err != nil {
		return changed("the RSA signature does not verify")
	}
	return nil
}

// verifyPSS reads RSASSA-PSS-params (RFC 4055, 3.1): the hash must be named and
// be the mask's too.
func (a algorithm) verifyPSS(key *rsa.PublicKey, message, sig []byte) error {
	params := a.params
	var seq, hash, mask cryptobyte.String
	var hasHash, hasMask bool
	if !params.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadOptionalASN1(&hash, &hasHash, tag0c) || !seq.ReadOptionalASN1(&mask, &hasMask, tag1c) {
		return malformed("PSS parameters")
	}
	if !hasHash || !hasMask {
		return weak("PSS, SHA-1")
	}
	alg, ok := readAlgorithm(&hash)
	mgf, ok2 := readAlgorithm(&mask)
	if !ok || !ok2 {
		return malformed("PSS parameters")
	}
	inner, ok := readAlgorithm(&mgf.params)
	if !ok || !inner.oid.Equal(alg.oid) || !mgf.oid.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}) {
		return weak("PSS, " + mgf.oid.String())
	}
	h, err := hashOf(alg.oid)
	if err != nil {
		return err
	}
	if err := rsa.VerifyPSS(key, h, sum(h, message), sig, nil); err != nil {
		return changed("the PSS signature does not verify")
	}
	return nil
}

func sum(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}
