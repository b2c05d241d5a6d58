package presigned_test

import (
	"context"
	"crypto"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/status/presigned"
)

// From the moment at which the folder says that an authority's key is not safe the
// tier gives nothing of it that is good or on hold, and once the new base is there
// everything is revoked; a new start begins there.
func TestTheTierSaysNothingGoodOfAnUnsafeAuthority(t *testing.T) {
	g := newRegion(t)
	ctx := t.Context()
	good, held, gone := g.issue(t, 0, 1, true)[0], g.issue(t, 1, 1, false)[0], g.issue(t, 2, 1, true)[0]
	g.revoke(t, gone)
	id := ca.IssuerID(g.Material.Issuing)
	act := func(f func(ctx context.Context) error) {
		t.Helper()
		if err := g.db.Atomically(ctx, f); err != nil {
			t.Fatal(err)
		}
	}
	act(func(ctx context.Context) error {
		_, err := g.db.PKI().AddAuthority(ctx, ca.Entry{ID: id, Label: profile.FirstLabel, DER: g.Material.Issuing.Raw, Turn: 1})
		return err
	})
	p := g.publisher(t)
	g.make(t, p, false)
	x := g.tier(t)
	says := func(when string, wantGood, wantHeld int) {
		t.Helper()
		if err := x.Look(); err != nil {
			t.Fatal(err)
		}
		a, b, c := g.answer(t, x, good, crypto.SHA1), g.answer(t, x, held, crypto.SHA256), g.answer(t, x, gone, crypto.SHA1)
		if a != wantGood || b != wantHeld || c != ocsp.Revoked {
			t.Errorf("%s: %d, %d and %d; want %d, %d and revoked", when, a, b, c, wantGood, wantHeld)
		}
	}
	says("before", ocsp.Good, ocsp.Revoked)

	e, err := g.db.PKI().Authority(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	e.RevokedAt, e.Reason = g.Hand.Now(), ca.KeyCompromise
	act(func(ctx context.Context) error { return g.db.PKI().PutAuthority(ctx, e) })
	for n := range 2 {
		if already, err := presigned.Distrust(g.parts.Dir, profile.FirstLabel, p); err != nil || already != (n == 1) {
			t.Fatalf("said already: %t (%v)", already, err)
		}
	}
	says("at once", tryLater, tryLater)
	g.Hand.Advance(time.Second)
	p = g.publisher(t)
	g.make(t, p, false)
	says("with a new base", ocsp.Revoked, ocsp.Revoked)
	x = g.tier(t)
	says("after a new start", ocsp.Revoked, ocsp.Revoked)
}
