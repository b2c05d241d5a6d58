// Package holdertest makes whole cards for tests: an invented holder, a key
// made inside the chip, codes, and a certificate with the name of a CNS from an
// authority made for the test. It is imported by tests only.
package holdertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
)

// The codes of every card made here; SignaturePIN on those with a second key.
const (
	PIN          = "52903"
	PUK          = "81640275"
	SignaturePIN = "640917"
)

// CF is the codice fiscale of the invented holder.
const CF = "RSSMRA80A01D612Y"

// The validity of every certificate made here: fixed, so that golden files are.
var (
	notBefore = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	notAfter  = time.Date(2099, 12, 31, 23, 59, 59, 0, time.UTC)
)

// Authority signs certificates in a test.
type Authority struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
}

// NewAuthority makes an authority with the given name.
func NewAuthority(t testing.TB, name string) Authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Country: []string{"IT"}},
		NotBefore: notBefore, NotAfter: notAfter,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	return Authority{Certificate: sign(t, template, template, key.Public(), key), Key: key}
}

// Server makes a TLS server certificate for names.
func (a Authority) Server(t testing.TB, names ...string) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: notBefore, NotAfter: notAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	return sign(t, template, a.Certificate, key.Public(), a.Key), key
}

// Card is a card made for a test.
type Card struct {
	Path      string
	ID        cns.CardID
	Leaf      *x509.Certificate
	Signature *x509.Certificate // of the second key; nil without one
	Authority Authority
	Data      cns.PersonalData
}

// Make makes an operational card of profile at path. serial tells the cards of
// one test apart.
func Make(t testing.TB, path string, profile cns.Profile, serial uint64) Card {
	t.Helper()
	id, err := cns.NewCardID("6090", serial, 0)
	must(t, err)
	day := func(s string) civil.Date {
		d, err := civil.ParseCompact(s)
		must(t, err)
		return d
	}
	card := Card{Path: path, ID: id, Authority: NewAuthority(t, "CSE test CA"), Data: cns.PersonalData{
		Issuer: "6090", Issued: day("01012026"), Expires: day("31122031"), Surname: "ROSSI", Name: "MARIO",
		Born: day("01011980"), Sex: "M", CF: CF, BirthPlace: "D612", Residence: "D612",
	}}
	file, err := card.Data.Encode()
	must(t, err)
	c, err := chip.Create(path, profile)
	must(t, err)
	key, err := c.GenerateKey(rand.Reader)
	must(t, err)
	card.Leaf = card.issue(t, profile.CommonName(CF, id, file), key, x509.KeyUsageDigitalSignature)
	must(t, c.WriteIdentity(id, file, card.Leaf.Raw))
	must(t, c.SetCodes(secret.FromString(PIN), secret.FromString(PUK)))
	if profile.DigitalSignature {
		key, err := c.GenerateSignatureKey(rand.Reader)
		must(t, err)
		card.Signature = card.issue(t, "ROSSI MARIO", key, x509.KeyUsageContentCommitment)
		must(t, c.WriteFile(cns.EFDSCertificate, card.Signature.Raw))
		must(t, c.SetSignatureCodes(secret.FromString(SignaturePIN), secret.FromString(PUK)))
	}
	must(t, c.Finish())
	must(t, c.Close())
	return card
}

// issue signs the card's certificate with the CNS policy (pki.md 1.2, in short).
func (c Card) issue(t testing.TB, name string, key *rsa.PublicKey, usage x509.KeyUsage) *x509.Certificate {
	t.Helper()
	policy, err := x509.OIDFromInts([]uint64{1, 3, 76, 16, 2, 1})
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0x1234567), Subject: pkix.Name{CommonName: name, Country: []string{"IT"}, Organization: []string{"Regione di prova"}},
		NotBefore: notBefore, NotAfter: notAfter,
		KeyUsage: usage, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		Policies: []x509.OID{policy}, PolicyIdentifiers: []asn1.ObjectIdentifier{{1, 3, 76, 16, 2, 1}},
	}
	return sign(t, template, c.Authority.Certificate, key, c.Authority.Key)
}

func sign(t testing.TB, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	must(t, err)
	c, err := x509.ParseCertificate(der)
	must(t, err)
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
