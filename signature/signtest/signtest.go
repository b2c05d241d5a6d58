// Package signtest makes what the tests of signatures need: an authority, CNS
// certificates and others with their keys, a time-stamping authority, and the
// foreign programs (OpenSSL, poppler, xmlsec) that make and accept signatures.
// It is imported by tests only.
package signtest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"cse.example/cse/card/cns"
)

// CF is the codice fiscale of the invented signer.
const CF = "RSSMRA80A01D612Y"

// Now is the instant of the tests' signatures.
var Now = time.Date(2026, 11, 25, 10, 30, 0, 0, time.UTC)

// Authority issues certificates.
type Authority struct {
	Cert *x509.Certificate
	Key  crypto.Signer
	next int64
}

// Signer is a certificate with its key.
type Signer struct {
	Cert *x509.Certificate
	Key  crypto.Signer
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// RSAKey is one RSA key of 2048 bits for a test binary.
var RSAKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// NewAuthority makes an authority valid around Now.
func NewAuthority(t testing.TB, name string) *Authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Country: []string{"IT"}},
		NotBefore: Now.AddDate(-5, 0, 0), NotAfter: Now.AddDate(15, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte(name),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	c, err := x509.ParseCertificate(der)
	must(t, err)
	return &Authority{Cert: c, Key: key, next: 100}
}

// Issue makes a certificate after the template given, filled where it is empty.
func (a *Authority) Issue(t testing.TB, key crypto.Signer, change func(*x509.Certificate)) Signer {
	t.Helper()
	a.next++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.next), NotBefore: Now.AddDate(0, -1, 0), NotAfter: Now.AddDate(6, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, Subject: pkix.Name{CommonName: "Prova", Country: []string{"IT"}},
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, a.Cert, key.Public(), a.Key)
	must(t, err)
	c, err := x509.ParseCertificate(der)
	must(t, err)
	return Signer{Cert: c, Key: key}
}

// CNS makes the certificate of a card, changed by change (may be nil).
func (a *Authority) CNS(t testing.TB, change func(*x509.Certificate)) Signer {
	t.Helper()
	policy, err := x509.ParseOID("1.3.76.16.2.1")
	must(t, err)
	id, err := cns.NewCardID("6090", uint64(a.next), 0)
	must(t, err)
	return a.Issue(t, RSAKey(), func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: cns.CommonName(CF, id, make([]byte, 400)), Country: []string{"IT"}}
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		c.Policies = []x509.OID{policy}
		c.SubjectKeyId = []byte{byte(a.next >> 8), byte(a.next)}
		if change != nil {
			change(c)
		}
	})
}

// Qualified makes a certificate that declares itself qualified (ETSI EN 319
// 412-5, QcCompliance) and is in all else that of a card.
func (a *Authority) Qualified(t testing.TB) Signer {
	t.Helper()
	statements, err := asn1.Marshal([][]asn1.ObjectIdentifier{{{0, 4, 0, 1862, 1, 1}}})
	must(t, err)
	return a.CNS(t, func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 3}, Value: statements}}
	})
}

// CRL signs a list with the certificates given, revoked at that instant for a
// reason of RFC 5280.
func (a *Authority) CRL(t testing.TB, from, until time.Time, gone map[*x509.Certificate]x509.RevocationListEntry) []byte {
	t.Helper()
	a.next++
	list := &x509.RevocationList{Number: big.NewInt(a.next), ThisUpdate: from, NextUpdate: until}
	for c, e := range gone {
		e.SerialNumber = c.SerialNumber
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, e)
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.Cert, a.Key)
	must(t, err)
	return der
}

// TSA is a time-stamping authority whose clock stands at at: it answers queries
// of RFC 3161.
func (a *Authority) TSA(t testing.TB, at time.Time) func(query []byte) ([]byte, error) {
	t.Helper()
	tsa := a.StampingCertificate(t)
	return func(query []byte) ([]byte, error) {
		q, err := timestamp.ParseRequest(query)
		if err != nil {
			return nil, err
		}
		ts := timestamp.Timestamp{
			HashAlgorithm: q.HashAlgorithm, HashedMessage: q.HashedMessage, Time: at, Policy: asn1.ObjectIdentifier{1, 2, 3, 4},
			SerialNumber: big.NewInt(7), AddTSACertificate: true, Certificates: []*x509.Certificate{a.Cert}, Nonce: q.Nonce,
		}
		return ts.CreateResponseWithOpts(tsa.Cert, tsa.Key, crypto.SHA256)
	}
}

// StampingCertificate makes the certificate and key of a time-stamping authority.
func (a *Authority) StampingCertificate(t testing.TB) Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	return a.Issue(t, key, func(c *x509.Certificate) {
		c.Subject.CommonName = "Marche di prova"
		value, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
		must(t, err)
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: value}}
	})
}

// Stamper asks a TSA; spoil turns its tokens into ones about something else.
func (a *Authority) Stamper(t testing.TB, at time.Time, spoil bool) func(context.Context, []byte) ([]byte, error) {
	t.Helper()
	tsa := a.TSA(t, at)
	return func(_ context.Context, stamped []byte) ([]byte, error) {
		if spoil {
			stamped = append([]byte{0}, stamped...)
		}
		query, err := timestamp.CreateRequest(bytes.NewReader(stamped), &timestamp.RequestOptions{Hash: crypto.SHA256, Certificates: true})
		if err != nil {
			return nil, err
		}
		answer, err := tsa(query)
		if err != nil {
			return nil, err
		}
		r, err := timestamp.ParseResponse(answer)
		if err != nil {
			return nil, err
		}
		return r.RawToken, nil
	}
}

// Foreign tells whether foreign programs are wanted, as make test does.
func Foreign() bool { return os.Getenv("CSE_FOREIGN") == "1" }

// Run runs a foreign program in dir and gives what it said and whether it was
// content. A missing program fails the test.
func Run(t testing.TB, dir, name string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%v: scripts/deps.sh installs it", err)
	}
	c := exec.Command(name, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "LC_ALL=C", "HOME="+dir)
	out, err := c.CombinedOutput()
	return string(out), err
}

// MustRun is Run of something that must go well.
func MustRun(t testing.TB, dir, name string, args ...string) string {
	t.Helper()
	out, err := Run(t, dir, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// Write puts a file in dir and gives its path.
func Write(t testing.TB, dir, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	must(t, os.WriteFile(path, b, 0o600))
	return path
}

// PEM is a certificate as foreign programs want it.
func PEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// KeyPEM is a key as foreign programs want it.
func KeyPEM(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
