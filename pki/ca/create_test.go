package ca_test

import (
	"crypto/rand"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/profile"
)

func TestCreate(t *testing.T) {
	clock := civil.NewHand(catest.Start)
	m := catest.Fresh(t, clock)
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(m.Root)
	between.AddCert(m.Issuing)
	for name, c := range map[string]*x509.Certificate{"issuing": m.Issuing, "responder": m.Responder} {
		o := x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: catest.Start, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
		if _, err := c.Verify(o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !m.Issuing.MaxPathLenZero || m.Root.MaxPathLen != -1 {
		t.Error("path lengths: the issuing authority must allow no further one, the root does not limit")
	}
	for _, f := range []string{ca.FileRootKey, ca.FileIssuingKey, ca.FileResponderKey} {
		st, err := os.Stat(filepath.Join(m.Dir, f))
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v (%v), want mode 0600", f, st.Mode(), err)
		}
	}
	p := ca.DefaultPlan()
	p.URLs, p.Vault, p.Clock, p.Rand = profile.URLsAt(catest.Base), keys.Sealed(catest.Passphrase), clock, rand.Reader
	if _, err := ca.Create(t.Context(), m.Dir, p); code(err) != "CSE-193" {
		t.Errorf("a second authority in one folder: %v, want CSE-193", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	clock := civil.NewHand(catest.Start)
	m, other := catest.Material(t, clock), catest.Fresh(t, clock)
	if _, err := ca.Load(m.Dir, keys.Sealed(secret.FromString("another"))); code(err) != "CSE-190" {
		t.Errorf("wrong passphrase: %v, want CSE-190", err)
	}
	if _, err := ca.Load(t.TempDir(), keys.Sealed(catest.Passphrase)); code(err) != "CSE-197" {
		t.Errorf("empty folder: %v, want CSE-197", err)
	}
	for _, f := range []string{ca.FileRoot, ca.FileIssuing, ca.FileIssuingKey, ca.FileResponder} {
		t.Run(f+" of another authority", func(t *testing.T) {
			path := filepath.Join(m.Dir, f)
			keep, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			strange, err := os.ReadFile(filepath.Join(other.Dir, f))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, strange, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := ca.Load(m.Dir, keys.Sealed(catest.Passphrase)); code(err) != "CSE-197" {
				t.Errorf("got %v, want CSE-197", err)
			}
			if err := os.WriteFile(path, keep, 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
	if _, err := ca.Load(m.Dir, keys.Sealed(catest.Passphrase)); err != nil {
		t.Errorf("with everything back in place: %v", err)
	}
}

func TestRenewResponder(t *testing.T) {
	clock := civil.NewHand(catest.Start)
	m := catest.Material(t, clock)
	renew := func() bool {
		t.Helper()
		did, err := ca.RenewResponder(m, profile.URLsAt(catest.Base), keys.Sealed(catest.Passphrase), clock, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return did
	}
	old := m.Responder
	if renew() {
		t.Error("renewed on the first day")
	}
	clock.Set(old.NotAfter.AddDate(0, 0, -10))
	if !renew() || m.Responder.Equal(old) || m.Responder.Subject.String() != old.Subject.String() {
		t.Error("not renewed with ten days left, or under another name")
	}
	again, err := ca.Load(m.Dir, keys.Sealed(catest.Passphrase))
	if err != nil || !again.Responder.Equal(m.Responder) {
		t.Fatalf("the folder does not hold what was renewed (%v)", err)
	}
	// As if killed after the certificate and before the key's final name.
	key := filepath.Join(m.Dir, ca.FileResponderKey)
	if err := os.Rename(key, key+".new"); err != nil {
		t.Fatal(err)
	}
	stale, err := os.ReadFile(filepath.Join(catest.Fresh(t, clock).Dir, ca.FileResponderKey))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, stale, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ca.Load(m.Dir, keys.Sealed(catest.Passphrase)); err != nil {
		t.Errorf("a renewal interrupted by a kill: %v", err)
	}
}
