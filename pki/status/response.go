package status

import (
	"crypto"
	"crypto/sha1" // #nosec -- the KeyHash of RFC 6960 is SHA-1 by definition; it names, it does not protect
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"cse.example/cse/pki/profile"
)

// The unsigned answers (RFC 6960, 4.2.1), as complete OCSPResponses.
var (
	answerMalformed    = []byte{0x30, 0x03, 0x0a, 0x01, 1}
	answerInternal     = []byte{0x30, 0x03, 0x0a, 0x01, 2}
	answerTryLater     = []byte{0x30, 0x03, 0x0a, 0x01, 3}
	answerUnauthorized = []byte{0x30, 0x03, 0x0a, 0x01, 6}
)

// Unsigned answers that others give, too (RFC 6960, 4.2.1; RFC 5019, 2.2.3).
var (
	// TryLater is for what cannot be said at the moment.
	TryLater = Reply{DER: answerTryLater}
	// Unauthorized is for certificates that who answers knows nothing of.
	Unauthorized = Reply{DER: answerUnauthorized}
)

// single is one SingleResponse to be written.
type single struct {
	id                     []byte // CertID, DER
	standing               Standing
	thisUpdate, nextUpdate time.Time
}

// signature makes answers in the name of one responder.
type signature struct {
	rand   io.Reader
	signer crypto.Signer
	cert   *x509.Certificate
	keyID  []byte // SHA-1 of the public key's bits
}

func newSignature(rand io.Reader, signer crypto.Signer, cert *x509.Certificate) (signature, error) {
	bits, err := keyBits(cert)
	if err != nil {
		return signature{}, err
	}
	sum := sha1.Sum(bits) // #nosec -- see above
	return signature{rand, signer, cert, sum[:]}, nil
}

// keyBits is the content of subjectPublicKey, without tag, length and unused bits.
func keyBits(c *x509.Certificate) ([]byte, error) {
	var spki struct {
		Algorithm pkix.AlgorithmIdentifier
		Bits      asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &spki); err != nil {
		return nil, fmt.Errorf("status: public key: %w", err)
	}
	return spki.Bits.Bytes, nil
}

func explicit(n uint8) cbasn1.Tag { return cbasn1.Tag(n).Constructed().ContextSpecific() }

// respond writes and signs an OCSPResponse with the answers.
func (s signature) respond(now time.Time, answers []single, nonce []byte) ([]byte, error) {
	tbs, err := s.data(now, answers, nonce)
	if err != nil {
		return nil, err
	}
	alg, sig, err := profile.Signature(s.rand, s.signer, tbs)
	if err != nil {
		return nil, err
	}
	return s.wrap(tbs, alg, sig)
}

// data is the ResponseData.
func (s signature) data(now time.Time, answers []single, nonce []byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(explicit(2), func(b *cryptobyte.Builder) { b.AddASN1OctetString(s.keyID) })
		b.AddASN1GeneralizedTime(now.UTC().Truncate(time.Second))
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, a := range answers {
				addSingle(b, a)
			}
		})
		if nonce != nil {
			b.AddASN1(explicit(1), func(b *cryptobyte.Builder) { addNonce(b, nonce) })
		}
	})
	tbs, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("status: encode answer: %w", err)
	}
	return tbs, nil
}

// wrap makes the OCSPResponse (successful) around a BasicOCSPResponse.
func (s signature) wrap(tbs []byte, alg profile.Algorithm, sig []byte) ([]byte, error) {
	var basic cryptobyte.Builder
	basic.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(alg.Identifier)
		b.AddASN1BitString(sig)
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(s.cert.Raw) })
		})
	})
	inner, err := basic.Bytes()
	if err != nil {
		return nil, fmt.Errorf("status: encode answer: %w", err)
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Enum(0)
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidBasic)
				b.AddASN1OctetString(inner)
			})
		})
	})
	return b.Bytes()
}

func addSingle(b *cryptobyte.Builder, a single) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(a.id)
		switch s := a.standing; {
		case !s.Known:
			b.AddASN1(cbasn1.Tag(2).ContextSpecific(), func(*cryptobyte.Builder) {})
		case s.Revoked:
			b.AddASN1(explicit(1), func(b *cryptobyte.Builder) {
				b.AddASN1GeneralizedTime(s.Since.UTC().Truncate(time.Second))
				if s.Reason != 0 {
					b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddASN1Enum(int64(s.Reason)) })
				}
			})
		default:
			b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(*cryptobyte.Builder) {})
		}
		b.AddASN1GeneralizedTime(a.thisUpdate.UTC().Truncate(time.Second))
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
			b.AddASN1GeneralizedTime(a.nextUpdate.UTC().Truncate(time.Second))
		})
	})
}

func addNonce(b *cryptobyte.Builder, nonce []byte) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidNonce)
			b.AddASN1(cbasn1.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddASN1OctetString(nonce) })
		})
	})
}
