package cades

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"cse.example/cse/ground/words"
)

// Stamper asks a time-stamping authority for a token over the octets given.
type Stamper func(ctx context.Context, stamped []byte) ([]byte, error)

// Request is a signature to be made.
type Request struct {
	// Key signs; it must be that of Certificate (CSE-729). The card is one.
	Key         crypto.Signer
	Certificate *x509.Certificate
	// Chain goes with the certificate, for who verifies.
	Chain []*x509.Certificate
	// Time is the signing-time; zero leaves it out, as a PDF wants.
	Time time.Time
	// Digest is the SHA-256 of the content.
	Digest []byte
	// Content is enveloped; nil makes a detached signature.
	Content []byte
	// Stamp makes it level T; nil leaves it at B.
	Stamp Stamper
}

// Sign makes a message with one signer, in DER.
func Sign(ctx context.Context, random io.Reader, r Request) ([]byte, error) {
	if err := fits(r.Key, r.Certificate); err != nil {
		return nil, err
	}
	if len(r.Digest) != crypto.SHA256.Size() {
		return nil, fmt.Errorf("cms: a digest of %d octets", len(r.Digest))
	}
	set, err := r.signedAttributes()
	if err != nil {
		return nil, err
	}
	sig, err := r.Key.Sign(random, sum(crypto.SHA256, appendTLV(nil, []byte{0x31}, set)), crypto.SHA256)
	if err != nil {
		return nil, err
	}
	var token []byte
	if r.Stamp != nil {
		if token, err = r.Stamp(ctx, sig); err != nil {
			return nil, err
		}
		if _, err := ParseStamp(token, sig); err != nil {
			return nil, words.Refuse("CSE-730").Because(err)
		}
	}
	return r.message(set, sig, token)
}

// fits refuses a key that is not the certificate's.
func fits(key crypto.Signer, c *x509.Certificate) error {
	type equaler interface{ Equal(crypto.PublicKey) bool }
	if k, ok := key.Public().(equaler); !ok || !k.Equal(c.PublicKey) {
		return words.Refuse("CSE-729")
	}
	switch c.PublicKey.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey:
		return nil
	}
	return weak(fmt.Sprintf("%T", c.PublicKey))
}

// signedAttributes are content-type, message-digest, signing-time and
// signing-certificate-v2, in the order of DER.
func (r Request) signedAttributes() ([]byte, error) {
	type attribute struct {
		oid   asn1.ObjectIdentifier
		value func(b *cryptobyte.Builder)
	}
	certHash := sum(crypto.SHA256, r.Certificate.Raw)
	all := []attribute{
		{oidContentType, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidData) }},
		{oidMessageDigest, func(b *cryptobyte.Builder) { b.AddASN1OctetString(r.Digest) }},
		{oidSigningCertV2, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // SigningCertificateV2
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // certs
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // ESSCertIDv2, SHA-256 by default
						b.AddASN1OctetString(certHash)
						b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // IssuerSerial
							b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
								b.AddASN1(cbasn1.Tag(4).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(r.Certificate.RawIssuer) })
							})
							b.AddASN1BigInt(r.Certificate.SerialNumber)
						})
					})
				})
			})
		}},
	}
	if !r.Time.IsZero() {
		all = append(all, attribute{oidSigningTime, func(b *cryptobyte.Builder) {
			t := r.Time.UTC().Truncate(time.Second)
			if t.Year() >= 1950 && t.Year() < 2050 { // RFC 5652, 11.3
				b.AddASN1UTCTime(t)
				return
			}
			b.AddASN1GeneralizedTime(t)
		}})
	}
	ders := make([][]byte, len(all))
	for i, a := range all {
		var b cryptobyte.Builder
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(a.oid)
			b.AddASN1(cbasn1.SET, a.value)
		})
		der, err := b.Bytes()
		if err != nil {
			return nil, fmt.Errorf("cms: signed attributes: %w", err)
		}
		ders[i] = der
	}
	slices.SortFunc(ders, bytes.Compare)
	return bytes.Join(ders, nil), nil
}

func addAlgorithm(b *cryptobyte.Builder, oid asn1.ObjectIdentifier, null bool) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		if null {
			b.AddASN1NULL()
		}
	})
}

// message builds ContentInfo around SignedData.
func (r Request) message(set, sig, token []byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSignedData)
		b.AddASN1(tag0c, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { addAlgorithm(b, oidSHA256, false) })
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oidData)
					if r.Content != nil {
						b.AddASN1(tag0c, func(b *cryptobyte.Builder) { b.AddASN1OctetString(r.Content) })
					}
				})
				b.AddASN1(tag0c, func(b *cryptobyte.Builder) { r.addCertificates(b) })
				b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { r.addSigner(b, set, sig, token) })
				})
			})
		})
	})
	return b.Bytes()
}

// addCertificates writes the SET OF in the order of DER.
func (r Request) addCertificates(b *cryptobyte.Builder) {
	ders := [][]byte{r.Certificate.Raw}
	for _, c := range r.Chain {
		if !c.Equal(r.Certificate) {
			ders = append(ders, c.Raw)
		}
	}
	slices.SortFunc(ders, bytes.Compare)
	for _, der := range slices.CompactFunc(ders, bytes.Equal) {
		b.AddBytes(der)
	}
}

func (r Request) addSigner(b *cryptobyte.Builder, set, sig, token []byte) {
	b.AddASN1Int64(1)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(r.Certificate.RawIssuer)
		b.AddASN1BigInt(r.Certificate.SerialNumber)
	})
	addAlgorithm(b, oidSHA256, false)
	b.AddASN1(tag0c, func(b *cryptobyte.Builder) { b.AddBytes(set) })
	if _, ok := r.Certificate.PublicKey.(*ecdsa.PublicKey); ok {
		addAlgorithm(b, oidECDSASHA256, false)
	} else {
		addAlgorithm(b, oidRSASHA256, true)
	}
	b.AddASN1OctetString(sig)
	if token == nil {
		return
	}
	b.AddASN1(tag1c, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidSignatureStamp)
			b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(token) })
		})
	})
}
