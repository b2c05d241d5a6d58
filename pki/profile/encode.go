package profile

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidCountry      = asn1.ObjectIdentifier{2, 5, 4, 6}
	oidOrganisation = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidUnit         = asn1.ObjectIdentifier{2, 5, 4, 11}
	oidCommonName   = asn1.ObjectIdentifier{2, 5, 4, 3}

	oidSubjectKeyID      = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidKeyUsage          = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidBasicConstraints  = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidDistributionPoint = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidPolicies          = asn1.ObjectIdentifier{2, 5, 29, 32}
	oidAuthorityKeyID    = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidExtKeyUsage       = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidAuthorityInfo     = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}
	oidQCStatements      = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 3}
	oidNoCheck           = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}

	oidUserNotice  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 2}
	oidClientAuth  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2}
	oidOCSPSigning = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 9}
	oidMethodOCSP  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1}
	oidMethodCA    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 2}
)

type attribute struct {
	oid   asn1.ObjectIdentifier
	value string
}

type name []attribute

type template struct {
	serial              Serial
	issuer              *x509.Certificate // nil: self-issued
	subject             name
	key                 crypto.PublicKey
	notBefore, notAfter time.Time
	extensions          []pkix.Extension
}

// tbs writes a TBSCertificate (RFC 5280, 4.1), version 3.
func tbs(t template) ([]byte, error) {
	subject, err := t.subject.der()
	if err != nil {
		return nil, err
	}
	issuerName, issuerKey := subject, t.key
	if t.issuer != nil {
		issuerName, issuerKey = t.issuer.RawSubject, t.issuer.PublicKey
	}
	alg, err := AlgorithmOf(issuerKey)
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(t.key)
	if err != nil {
		return nil, fmt.Errorf("profile: encode public key: %w", err)
	}
	if t.serial[0] == 0 || t.serial[0] > 0x7f {
		return nil, fmt.Errorf("profile: %w: serial number not from NewSerial", ErrRefused)
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.Tag(0).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) { b.AddASN1Int64(2) })
		b.AddASN1BigInt(t.serial.Big())
		b.AddBytes(alg.Identifier)
		b.AddBytes(issuerName)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			AddTime(b, t.notBefore)
			AddTime(b, t.notAfter)
		})
		b.AddBytes(subject)
		b.AddBytes(spki)
		b.AddASN1(cbasn1.Tag(3).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) { AddExtensions(b, t.extensions) })
	})
	return b.Bytes()
}

// AddTime writes an X.509 Time: UTCTime through 2049, then GeneralizedTime, in
// whole seconds of UTC (RFC 5280, 4.1.2.5).
func AddTime(b *cryptobyte.Builder, t time.Time) {
	t = t.UTC().Truncate(time.Second)
	if y := t.Year(); y >= 1950 && y < 2050 {
		b.AddASN1UTCTime(t)
		return
	}
	b.AddASN1GeneralizedTime(t)
}

// AddExtensions writes Extensions, in the order given.
func AddExtensions(b *cryptobyte.Builder, exts []pkix.Extension) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, e := range exts {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(e.Id)
				if e.Critical {
					b.AddASN1Boolean(true)
				}
				b.AddASN1OctetString(e.Value)
			})
		}
	})
}

// der writes one attribute per RDN: the country as PrintableString (X.520), the
// others as UTF8String (RFC 5280, 4.1.2.4).
func (n name) der() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, a := range n {
			tag := cbasn1.UTF8String
			if a.oid.Equal(oidCountry) {
				tag = cbasn1.PrintableString
			}
			b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(a.oid)
					b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(a.value)) })
				})
			})
		}
	})
	return b.Bytes()
}

// made is an extension, or the reason why it could not be made.
type made func() (pkix.Extension, error)

func collect(list ...made) ([]pkix.Extension, error) {
	var out []pkix.Extension
	for _, m := range list {
		e, err := m()
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func extension(oid asn1.ObjectIdentifier, critical bool, build func(b *cryptobyte.Builder)) made {
	return func() (pkix.Extension, error) {
		var b cryptobyte.Builder
		build(&b)
		v, err := b.Bytes()
		if err != nil {
			return pkix.Extension{}, fmt.Errorf("profile: encode extension %v: %w", oid, err)
		}
		return pkix.Extension{Id: oid, Critical: critical, Value: v}, nil
	}
}

func sequence(b *cryptobyte.Builder, f func(b *cryptobyte.Builder)) { b.AddASN1(cbasn1.SEQUENCE, f) }

// keyUsage is a named bit list: most significant bit first, no trailing zeros.
func keyUsage(u x509.KeyUsage) made {
	return func() (pkix.Extension, error) {
		var bits asn1.BitString
		var octet byte
		for i := range 8 {
			if u&(1<<i) != 0 {
				octet |= 0x80 >> i
				bits.BitLength = i + 1
			}
		}
		bits.Bytes = []byte{octet}
		v, err := asn1.Marshal(bits)
		return pkix.Extension{Id: oidKeyUsage, Critical: true, Value: v}, err
	}
}

func extKeyUsage(oid asn1.ObjectIdentifier) made {
	return extension(oidExtKeyUsage, false, func(b *cryptobyte.Builder) {
		sequence(b, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oid) })
	})
}

func basicConstraints(pathLen int) made {
	return extension(oidBasicConstraints, true, func(b *cryptobyte.Builder) {
		sequence(b, func(b *cryptobyte.Builder) {
			b.AddASN1Boolean(true)
			if pathLen >= 0 {
				b.AddASN1Int64(int64(pathLen))
			}
		})
	})
}

// KeyID names a public key: the first 160 bits of the SHA-256 of its bits (RFC
// 7093, 2, method 1).
func KeyID(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("profile: encode public key: %w", err)
	}
	var spki struct {
		Algorithm pkix.AlgorithmIdentifier
		Bits      asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &spki); err != nil {
		return nil, fmt.Errorf("profile: public key: %w", err)
	}
	sum := sha256.Sum256(spki.Bits.Bytes)
	return sum[:20], nil
}

func subjectKeyID(key crypto.PublicKey) made {
	return func() (pkix.Extension, error) {
		id, err := KeyID(key)
		if err != nil {
			return pkix.Extension{}, err
		}
		return extension(oidSubjectKeyID, false, func(b *cryptobyte.Builder) { b.AddASN1OctetString(id) })()
	}
}

// AuthorityKeyID is the extension that certificates and CRLs share.
func AuthorityKeyID(id []byte) (pkix.Extension, error) { return authorityKeyID(id)() }

func authorityKeyID(id []byte) made {
	if len(id) == 0 {
		return func() (pkix.Extension, error) {
			return pkix.Extension{}, errors.New("profile: the authority has no subject key identifier")
		}
	}
	return extension(oidAuthorityKeyID, false, func(b *cryptobyte.Builder) {
		sequence(b, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(id) })
		})
	})
}

type policyInfo struct {
	oid    asn1.ObjectIdentifier
	notice string
}

// policies writes certificatePolicies; the notice, when there is one, as an
// explicitText in UTF8String, which crypto/x509 cannot encode.
func policies(list ...policyInfo) made {
	return extension(oidPolicies, false, func(b *cryptobyte.Builder) {
		sequence(b, func(b *cryptobyte.Builder) {
			for _, p := range list {
				sequence(b, func(b *cryptobyte.Builder) { p.add(b) })
			}
		})
	})
}

func (p policyInfo) add(b *cryptobyte.Builder) {
	b.AddASN1ObjectIdentifier(p.oid)
	if p.notice == "" {
		return
	}
	sequence(b, func(b *cryptobyte.Builder) {
		sequence(b, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidUserNotice)
			sequence(b, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(p.notice)) })
			})
		})
	})
}

// AddURI writes a GeneralName uniformResourceIdentifier.
func AddURI(b *cryptobyte.Builder, uri string) {
	b.AddASN1(cbasn1.Tag(6).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes([]byte(uri)) })
}

// AddDistributionPointName writes DistributionPointName [0] { fullName [0] { uri } }.
func AddDistributionPointName(b *cryptobyte.Builder, uri string) {
	outer := cbasn1.Tag(0).Constructed().ContextSpecific()
	b.AddASN1(outer, func(b *cryptobyte.Builder) {
		b.AddASN1(outer, func(b *cryptobyte.Builder) { AddURI(b, uri) })
	})
}

func distributionPoint(uri string) made {
	if uri == "" {
		return func() (pkix.Extension, error) {
			return pkix.Extension{}, fmt.Errorf("profile: %w: the address of the CRL must be configured", ErrRefused)
		}
	}
	return extension(oidDistributionPoint, false, func(b *cryptobyte.Builder) {
		sequence(b, func(b *cryptobyte.Builder) {
			sequence(b, func(b *cryptobyte.Builder) { AddDistributionPointName(b, uri) })
		})
	})
}

// authorityInfo writes AIA with the methods that have an address; ca is required.
func authorityInfo(ocsp, ca string) made {
	if ca == "" {
		return func() (pkix.Extension, error) {
			return pkix.Extension{}, fmt.Errorf("profile: %w: the address of the issuer must be configured", ErrRefused)
		}
	}
	return extension(oidAuthorityInfo, false, func(b *cryptobyte.Builder) {
		access := func(b *cryptobyte.Builder, method asn1.ObjectIdentifier, uri string) {
			if uri == "" {
				return
			}
			sequence(b, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(method)
				AddURI(b, uri)
			})
		}
		sequence(b, func(b *cryptobyte.Builder) {
			access(b, oidMethodOCSP, ocsp)
			access(b, oidMethodCA, ca)
		})
	})
}

func noCheck() made {
	return extension(oidNoCheck, false, func(b *cryptobyte.Builder) { b.AddASN1NULL() })
}
