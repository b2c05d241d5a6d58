package logintest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/card/cns"
	"cse.example/cse/login/door"
	"cse.example/cse/pki/trust"
)

// PolicyCNS is the policy of the CNS authentication certificate.
const PolicyCNS = "1.3.76.16.2.1"

// Authority is a CA of the tests.
type Authority struct {
	Cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

// NewAuthority makes a CA.
func NewAuthority(t testing.TB, name string, now time.Time) *Authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Country: []string{"IT"}},
		NotBefore: now.AddDate(-5, 0, 0), NotAfter: now.AddDate(15, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte(name),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &Authority{Cert: cert, key: key, next: 2}
}

// CardKey is one RSA key of 2048 bits for all cards of a test binary.
var CardKey = sync.OnceValue(func() *rsa.PrivateKey { return rsaKey(2048) })

func rsaKey(bits int) *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err) // a test machine without randomness
	}
	return k
}

// OldKey is an RSA key of 1024 bits, as CNS 1.0 cards hold.
var OldKey = sync.OnceValue(func() *rsa.PrivateKey { return rsaKey(1024) })

// Issue signs what a CNS leaf would be, changed by change.
func (a *Authority) Issue(t testing.TB, cf string, id cns.CardID, now time.Time, key crypto.Signer, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	policy, err := x509.ParseOID(PolicyCNS)
	if err != nil {
		t.Fatal(err)
	}
	a.next++
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(a.next),
		Subject: pkix.Name{
			CommonName: cns.CommonName(cf, id, make([]byte, 400)), Country: []string{"IT"},
			OrganizationalUnit: []string{"REGIONE DI PROVA"},
		},
		NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(6, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, Policies: []x509.OID{policy},
	}
	if change != nil {
		change(tmpl)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.Cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// List signs a revocation list with the certificates given and their reasons.
func (a *Authority) List(t testing.TB, from, until time.Time, gone map[*x509.Certificate]int, more ...pkix.Extension) []byte {
	t.Helper()
	a.next++
	tmpl := &x509.RevocationList{Number: big.NewInt(a.next), ThisUpdate: from, NextUpdate: until, ExtraExtensions: more}
	for c, reason := range gone {
		tmpl.RevokedCertificateEntries = append(tmpl.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: c.SerialNumber, RevocationTime: from, ReasonCode: reason,
		})
	}
	der, err := x509.CreateRevocationList(rand.Reader, tmpl, a.Cert, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// Web signs a server certificate.
func (a *Authority) Web(t testing.TB, now time.Time, names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return a.Issue(t, "", "", now, key, func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: names[0]}
		c.DNSNames = names
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		c.Policies = nil
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour) // servers live on the machine's clock
	})
}

// Trust is the real door.Trust over the authorities given.
func Trust(issuers ...TrustedIssuer) door.Trust {
	var v trust.Verifier
	for _, i := range issuers {
		v.Anchors = append(v.Anchors, i.CA.Cert)
	}
	return door.FromPKI(v, func(c *x509.Certificate) door.Issuer {
		for _, i := range issuers {
			if i.CA.Cert.Equal(c) {
				return i.Issuer
			}
		}
		return door.Issuer{}
	})
}

// TrustedIssuer is a CA with what is known of it.
type TrustedIssuer struct {
	CA *Authority
	door.Issuer
}

// Serial is the serial number of a card's certificate, as sessions name it.
func Serial(c *tls.Certificate) string { return fmt.Sprintf("%x", c.Leaf.SerialNumber.Bytes()) }

// Answer signs an OCSP answer itself.
func (a *Authority) Answer(t testing.TB, r ocsp.Response) []byte {
	t.Helper()
	der, err := ocsp.CreateResponse(a.Cert, a.Cert, r, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
