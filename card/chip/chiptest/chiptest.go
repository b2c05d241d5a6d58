// Package chiptest makes complete, operational cards for tests: an invented
// holder, codes the test knows, and a certificate the card's own maker signed
// with a throwaway key. Nothing but tests imports it.
package chiptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"path/filepath"
	"testing"
	"time"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
)

// Codes of every card made here.
const (
	PIN = "73915"
	PUK = "40917263"
)

// IssuerKey is the issuer's AES key of every card made here.
const IssuerKey = "0123456789abcdef"

// Card is a finished card.
type Card struct {
	Path        string
	ID          cns.CardID
	Personal    cns.PersonalData
	Certificate *x509.Certificate
}

// Holder is the invented holder (card.md section 3).
func Holder() cns.PersonalData {
	return cns.PersonalData{
		Issuer: cns.IssuerToscana, Issued: civil.Date{Year: 2026, Month: 1, Day: 1}, Expires: civil.Date{Year: 2031, Month: 12, Day: 31},
		Surname: "ROSSI", Name: "MARIO", Born: civil.Date{Year: 1980, Month: 1, Day: 1}, Sex: "M",
		CF: "RSSMRA80A01D612Y", BirthPlace: "D612", Residence: "D612",
	}
}

// Make makes a card after profile in dir and closes it: open it with chip.Open.
func Make(tb testing.TB, dir string, profile cns.Profile) Card {
	tb.Helper()
	id, err := cns.NewCardID(cns.IssuerToscana, 12, 0)
	check(tb, err)
	made := Card{Path: filepath.Join(dir, string(id)+".card"), ID: id, Personal: Holder()}
	c, err := chip.Create(made.Path, profile)
	check(tb, err)
	personal, err := made.Personal.Encode()
	check(tb, err)
	public, err := c.GenerateKey(rand.Reader)
	check(tb, err)
	der := certify(tb, profile.CommonName(made.Personal.CF, id, personal), public)
	made.Certificate, err = x509.ParseCertificate(der)
	check(tb, err)
	check(tb, c.WriteIdentity(id, personal, der))
	check(tb, c.SetCodes(secret.FromString(PIN), secret.FromString(PUK)))
	if profile.DigitalSignature {
		_, err = c.GenerateSignatureKey(rand.Reader)
		check(tb, err)
		check(tb, c.SetSignatureCodes(secret.FromString(PIN), secret.FromString(PUK)))
	}
	check(tb, c.SetIssuerKey(secret.FromString(IssuerKey)))
	check(tb, c.Finish())
	check(tb, c.Close())
	return made
}

// certify signs a short-lived certificate; it is no CNS certificate by pki.md,
// only one that card software accepts.
func certify(tb testing.TB, name string, public any) []byte {
	ca, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(tb, err)
	now := time.Now()
	issuer := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Country: []string{"IT"}, CommonName: "Prova CA"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{Country: []string{"IT"}, CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, issuer, public, ca)
	check(tb, err)
	return der
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
