package ca_test

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/keys"
)

// After a change of authority new certificates come from the new one, carry its
// addresses, and the certificates of both are moved as before.
func TestAuthoritiesMoveTheCertificatesOfAll(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		p := catest.Several(t, db, db.PKI(), "cittadini-2027")
		ctx := t.Context()
		first, err := p.Issue(ctx, catest.Request(t, 1))
		check(t, err)
		check(t, p.Rotate(ctx, "test", "cittadini-2027"))
		second, err := p.Issue(ctx, catest.Request(t, 2))
		check(t, err)
		for i, c := range []string{first.CRLDistributionPoints[0], second.CRLDistributionPoints[0]} {
			if want := []string{catest.Base + "/crl/issuing-0.crl", catest.Base + "/crl/cittadini-2027-0.crl"}[i]; c != want {
				t.Errorf("list of certificate %d: %s, want %s", i, c, want)
			}
		}
		check(t, first.CheckSignatureFrom(p.Materials[0].Issuing))
		check(t, second.CheckSignatureFrom(p.Materials[1].Issuing))
		for _, c := range []string{ca.SerialOf(first), ca.SerialOf(second)} {
			for _, step := range []func() error{
				func() error { return p.Activate(ctx, c) }, func() error { return p.Hold(ctx, c) }, func() error { return p.Release(ctx, c) },
				func() error { return p.Revoke(ctx, c, ca.KeyCompromise) },
			} {
				check(t, step())
			}
			if r, err := p.Get(ctx, c); err != nil || r.State != ca.Revoked || r.Reason != ca.KeyCompromise {
				t.Errorf("%s: %s %d (%v)", c, r.State, r.Reason, err)
			}
		}
	})
}

// A certificate of the authority before is extended by the current one.
func TestAuthoritiesExtendByTheCurrent(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	p := catest.Several(t, db, db.PKI(), "due")
	ctx := t.Context()
	q := catest.Request(t, 1)
	q.Expires = civil.DayOf(catest.Start).AddYears(1)
	old, err := p.Issue(ctx, q)
	check(t, err)
	check(t, p.Activate(ctx, ca.SerialOf(old)))
	check(t, p.Rotate(ctx, "test", "due"))
	r, err := p.Extend(ctx, ca.Extension{Serial: ca.SerialOf(old), Until: civil.DayOf(catest.Start).AddYears(5), Room: 4000})
	check(t, err)
	next, err := r.Certificate()
	check(t, err)
	check(t, next.CheckSignatureFrom(p.Materials[1].Issuing))
	if x, ok, err := p.Extended(ctx, ca.SerialOf(old)); err != nil || !ok || x.Serial != r.Serial {
		t.Errorf("extended: %s %t (%v)", x.Serial, ok, err)
	}
	check(t, p.Supersede(ctx, r.Serial))
	before, err := p.Get(ctx, ca.SerialOf(old))
	check(t, err)
	after, err := p.Get(ctx, r.Serial)
	check(t, err)
	if before.State != ca.Revoked || before.Reason != ca.Superseded || after.State != ca.Good {
		t.Errorf("before %s %d, after %s", before.State, before.Reason, after.State)
	}
}

// What a kill left is finished by the authority that reserved it, not by the one
// that issues now; what nobody's key can finish is voided.
func TestAuthoritiesRecoverEachByItsOwnKey(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"recover", "asked again"} {
		t.Run(how, func(t *testing.T) {
			db := storetest.SQLite(t)
			k := &killed{Store: db.PKI(), left: 1}
			p := catest.Several(t, db, k, "due")
			ctx := t.Context()
			q := catest.Request(t, 1)
			if _, err := p.Issue(ctx, q); !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			k.left = -1
			check(t, p.Choose(ca.IssuerID(p.Materials[1].Issuing)))
			if how == "recover" {
				got, err := p.Recover(ctx)
				if d := cmp.Diff(ca.Recovered{Finished: 1}, got); d != "" || err != nil {
					t.Fatal(d, err)
				}
			}
			c, err := p.Issue(ctx, q)
			check(t, err)
			check(t, c.CheckSignatureFrom(p.Materials[0].Issuing))
		})
	}
	t.Run("its key is gone", func(t *testing.T) {
		db := storetest.SQLite(t)
		k := &killed{Store: db.PKI(), left: 1}
		p := catest.Several(t, db, k, "due")
		ctx := t.Context()
		q := catest.Request(t, 1)
		if _, err := p.Issue(ctx, q); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		k.left = -1
		check(t, p.Choose(ca.IssuerID(p.Materials[1].Issuing)))
		check(t, p.Join(ca.Member{Label: "issuing", Certificate: p.Materials[0].Issuing}))
		if _, err := p.Issue(ctx, q); code(err) != "CSE-924" {
			t.Fatalf("signed for an authority whose key is gone: %v", err)
		}
		got, err := p.Recover(ctx)
		if d := cmp.Diff(ca.Recovered{Voided: 1}, got); d != "" || err != nil {
			t.Fatal(d, err)
		}
		c, err := p.Issue(ctx, q)
		check(t, err)
		check(t, c.CheckSignatureFrom(p.Materials[1].Issuing))
		if err := p.Choose(ca.IssuerID(p.Materials[0].Issuing)); code(err) != "CSE-924" {
			t.Errorf("an authority without key was chosen: %v", err)
		}
	})
}

// The folders of further authorities are found by their labels; one that is still
// being filled is not there yet, and a strange certificate in one is refused.
func TestLabels(t *testing.T) {
	t.Parallel()
	clock := civil.NewHand(catest.Start)
	m := catest.Material(t, clock)
	catest.Further(t, m, "b-2027", clock)
	for _, d := range []string{"c-half", "Maiuscole", "crl.d"} {
		check(t, os.Mkdir(filepath.Join(m.Dir, d), 0o755))
	}
	labels := func() []string {
		t.Helper()
		got, err := ca.Labels(m.Dir)
		check(t, err)
		return got
	}
	if d := cmp.Diff([]string{"issuing", "b-2027"}, labels()); d != "" {
		t.Error(d)
	}
	for _, label := range labels() {
		x, err := ca.LoadLabel(m.Dir, label, keys.Sealed(catest.Passphrase))
		if err != nil || x.Label != label || x.IssuingKey == nil || !x.Root.Equal(m.Root) {
			t.Errorf("%s: %+v (%v)", label, x, err)
		}
	}
	check(t, os.Remove(filepath.Join(m.Dir, "b-2027", ca.FileIssuingKey)))
	if x, err := ca.LoadLabel(m.Dir, "b-2027", keys.Sealed(catest.Passphrase)); err != nil || x.IssuingKey != nil {
		t.Errorf("with its key destroyed: %v", err)
	}
	other := catest.Fresh(t, clock)
	strange, err := os.ReadFile(filepath.Join(other.Dir, ca.FileResponder))
	check(t, err)
	check(t, os.WriteFile(filepath.Join(m.Dir, "b-2027", ca.FileResponder), strange, 0o600))
	if _, err := ca.LoadLabel(m.Dir, "b-2027", keys.Sealed(catest.Passphrase)); code(err) != "CSE-197" {
		t.Errorf("a responder of another authority: %v, want CSE-197", err)
	}
	p := ca.DefaultPlan()
	p.URLs, p.Vault, p.Clock, p.Rand = catest.URLs("x"), keys.Sealed(catest.Passphrase), clock, neverRead{}
	for _, label := range []string{"", "../x", "A", "issuing", "root", "-x", "b-2027"} {
		if _, err := ca.Add(t.Context(), m.Dir, label, p); !slices.Contains([]string{"CSE-925", "CSE-193"}, code(err)) {
			t.Errorf("label %q: %v", label, err)
		}
	}
}

type neverRead struct{}

func (neverRead) Read([]byte) (int, error) { return 0, errors.New("randomness was asked for") }

// The responder of every authority is renewed in good time, and while the old
// certificate is still valid.
func TestRenewResponderOfAFurtherAuthority(t *testing.T) {
	t.Parallel()
	clock := civil.NewHand(catest.Start)
	m := catest.Further(t, catest.Material(t, clock), "due", clock)
	old := m.Responder
	clock.Set(old.NotAfter.Add(-10 * 24 * time.Hour))
	did, err := ca.RenewResponder(m, catest.URLs("due"), keys.Sealed(catest.Passphrase), clock, rand.Reader)
	if err != nil || !did || m.Responder.Equal(old) || m.Responder.NotBefore.After(old.NotAfter) {
		t.Fatalf("renewed %t, %s until %s, before it until %s (%v)", did, m.Responder.NotBefore, m.Responder.NotAfter, old.NotAfter, err)
	}
	again, err := ca.LoadLabel(filepath.Dir(m.RootFile), "due", keys.Sealed(catest.Passphrase))
	check(t, err)
	if !again.Responder.Equal(m.Responder) {
		t.Error("the folder does not hold what was renewed")
	}
}
