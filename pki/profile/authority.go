package profile

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"time"
)

// Names are the parts of an authority's subject: C, O, OU (may be empty), CN.
type Names struct{ Country, Organisation, Unit, CommonName string }

func (n Names) rdns() (name, error) {
	if len(n.Country) != 2 || n.Organisation == "" || n.CommonName == "" {
		return nil, fmt.Errorf("profile: %w: an authority has C (two letters), O and CN", ErrRefused)
	}
	out := name{{oidCountry, n.Country}, {oidOrganisation, n.Organisation}}
	if n.Unit != "" {
		out = append(out, attribute{oidUnit, n.Unit})
	}
	return append(out, attribute{oidCommonName, n.CommonName}), nil
}

// Authority is one certificate of the chain above the cards.
type Authority struct {
	Serial              Serial
	Names               Names
	Key                 crypto.PublicKey // *ecdsa.PublicKey
	NotBefore, NotAfter time.Time
	URLs                URLs
	// Policies are what the issuing authority may assert; PolicyCNS when empty.
	Policies []asn1.ObjectIdentifier
}

// Root is the certificate to be signed with a's own key: CA, no path limit,
// keyCertSign and cRLSign critical.
func (a Authority) Root() ([]byte, error) {
	subject, err := a.Names.rdns()
	if err != nil {
		return nil, err
	}
	id, err := KeyID(a.Key)
	if err != nil {
		return nil, err
	}
	exts, err := collect(
		basicConstraints(-1),
		keyUsage(x509.KeyUsageCertSign|x509.KeyUsageCRLSign),
		subjectKeyID(a.Key),
		authorityKeyID(id),
	)
	if err != nil {
		return nil, err
	}
	return tbs(template{
		serial: a.Serial, subject: subject, key: a.Key,
		notBefore: a.NotBefore, notAfter: a.NotAfter, extensions: exts,
	})
}

// Issuing is the certificate, to be signed by root, of the authority that signs
// card certificates: CA, path length 0, one policy.
func (a Authority) Issuing(root *x509.Certificate) ([]byte, error) {
	subject, err := a.Names.rdns()
	if err != nil {
		return nil, err
	}
	if a.NotAfter.After(root.NotAfter) {
		return nil, fmt.Errorf("profile: %w: outlives its root", ErrRefused)
	}
	asserts := []policyInfo{{PolicyCNS, ""}}
	if len(a.Policies) > 0 {
		asserts = nil
	}
	for _, p := range a.Policies {
		asserts = append(asserts, policyInfo{p, ""})
	}
	exts, err := collect(
		basicConstraints(0),
		keyUsage(x509.KeyUsageCertSign|x509.KeyUsageCRLSign),
		subjectKeyID(a.Key),
		authorityKeyID(root.SubjectKeyId),
		policies(asserts...),
		distributionPoint(a.URLs.RootCRL),
		authorityInfo("", a.URLs.Root),
	)
	if err != nil {
		return nil, err
	}
	return tbs(template{
		serial: a.Serial, issuer: root, subject: subject, key: a.Key,
		notBefore: a.NotBefore, notAfter: a.NotAfter, extensions: exts,
	})
}

// Responder is the certificate of a delegated OCSP responder (RFC 6960,
// 4.2.2.2): digitalSignature, OCSPSigning, id-pkix-ocsp-nocheck. Because nobody
// checks its revocation it must be short-lived: 120 days at most.
func (a Authority) Responder(issuer *x509.Certificate) ([]byte, error) {
	subject, err := a.Names.rdns()
	if err != nil {
		return nil, err
	}
	if a.NotAfter.After(issuer.NotAfter) || a.NotAfter.Sub(a.NotBefore) > 120*24*time.Hour {
		return nil, fmt.Errorf("profile: %w: a responder lives 120 days at most, within its authority", ErrRefused)
	}
	exts, err := collect(
		keyUsage(x509.KeyUsageDigitalSignature),
		extKeyUsage(oidOCSPSigning),
		subjectKeyID(a.Key),
		authorityKeyID(issuer.SubjectKeyId),
		authorityInfo("", a.URLs.Issuer),
		noCheck(),
	)
	if err != nil {
		return nil, err
	}
	return tbs(template{
		serial: a.Serial, issuer: issuer, subject: subject, key: a.Key,
		notBefore: a.NotBefore, notAfter: a.NotAfter, extensions: exts,
	})
}
