package lint_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"slices"
	"testing"
	"time"

	"cse.example/cse/pki/profile/lint"
)

func certificate(t *testing.T, change func(c *x509.Certificate)) []byte {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1 << 62), NotBefore: now, NotAfter: now.AddDate(1, 0, 0), SubjectKeyId: []byte{1, 2, 3},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	c.Subject.CommonName, c.Subject.Country, c.Subject.Organization = "prova", []string{"IT"}, []string{"CSE"}
	issuer := &x509.Certificate{Subject: c.Subject, SubjectKeyId: []byte{4, 5, 6}}
	issuer.Subject.CommonName = "CA"
	change(c)
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestCertificate(t *testing.T) {
	tests := []struct {
		name   string
		change func(c *x509.Certificate)
		finds  string // an error that must be among those found; empty for none
	}{
		{"good form", func(*x509.Certificate) {}, ""},
		// The finding of pki.md 1.2 that decided our key usage.
		{"keyEncipherment beside clientAuth", func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageKeyEncipherment }, "e_key_usage_and_extended_key_usage_inconsistent"},
		{"certSign without CA", func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign }, "e_ext_key_usage_cert_sign_without_ca"},
		{"no subject at all", func(c *x509.Certificate) { c.Subject = pkix.Name{} }, "e_subject_empty_without_san"},
	}
	for _, tt := range tests {
		f, err := lint.Certificate(certificate(t, tt.change))
		if tt.finds == "" {
			if err != nil || len(f.Warnings) > 0 {
				t.Errorf("%s: %v, warnings %v", tt.name, err, f.Warnings)
			}
			continue
		}
		if !errors.Is(err, lint.ErrForm) {
			t.Errorf("%s: got %v", tt.name, err)
		}
		if !slices.Contains(f.Errors, tt.finds) {
			t.Errorf("%s: found %v, want %s among them", tt.name, f.Errors, tt.finds)
		}
	}
	if _, err := lint.Certificate([]byte("not a certificate")); !errors.Is(err, lint.ErrForm) {
		t.Errorf("octets that are no certificate: %v", err)
	}
	if _, err := lint.RevocationList([]byte("not a list")); !errors.Is(err, lint.ErrForm) {
		t.Errorf("octets that are no list: %v", err)
	}
}
