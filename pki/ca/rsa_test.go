package ca_test

import (
	"crypto/rand"
	"crypto/x509"
	"testing"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/profile"
)

// Keys may be RSA, in every place: what is linted before the signature has the
// form of an RSA certificate, too.
func TestAnRSAAuthorityIssues(t *testing.T) {
	p := ca.DefaultPlan()
	p.RootAlgorithm, p.IssuingAlgorithm = keys.RSA3072, keys.RSA2048
	p.URLs, p.Vault, p.Clock, p.Rand = profile.URLsAt(catest.Base), keys.Sealed(catest.Passphrase), civil.NewHand(catest.Start), rand.Reader
	m, err := ca.Create(t.Context(), t.TempDir(), p)
	if err != nil {
		t.Fatal(err)
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := catest.New(t, db, db.PKI(), func(p *ca.Parts) { p.Issuer, p.Signer = m.Issuing, m.IssuingKey })
		c, err := a.Issue(t.Context(), catest.Request(t, 1))
		if err != nil {
			t.Fatal(err)
		}
		if c.SignatureAlgorithm != x509.SHA256WithRSA || c.CheckSignatureFrom(m.Issuing) != nil {
			t.Errorf("signed by %s: %v", c.SignatureAlgorithm, c.CheckSignatureFrom(m.Issuing))
		}
	})
}
