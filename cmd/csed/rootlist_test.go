package main

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/keys"
)

// The root's list can be renewed for as long as the root lives: same place, a
// higher number, a later end.
func TestRootListIsRenewed(t *testing.T) {
	t.Parallel()
	hand := civil.NewHand(catest.Start)
	m := catest.Material(t, hand)
	c := defaults()
	c.Data = filepath.Dir(m.Dir)
	check(t, os.Rename(m.Dir, c.caDir()))
	root, err := ca.ReadCertificate(filepath.Join(c.caDir(), ca.FileRoot))
	check(t, err)
	var lists []*x509.RevocationList
	for range 2 {
		p, err := c.publishRoot(root, keys.Sealed(catest.Passphrase), hand)
		check(t, err)
		b, err := os.ReadFile(p.Path)
		check(t, err)
		l, err := x509.ParseRevocationList(b)
		check(t, err)
		check(t, l.CheckSignatureFrom(root))
		lists = append(lists, l)
		hand.Advance(170 * 24 * time.Hour)
	}
	if lists[1].Number.Cmp(lists[0].Number) <= 0 || !lists[1].NextUpdate.After(lists[0].NextUpdate) || lists[0].NextUpdate.Sub(lists[0].ThisUpdate) != rootListLife {
		t.Errorf("%s until %s, then %s until %s", lists[0].Number, lists[0].NextUpdate, lists[1].Number, lists[1].NextUpdate)
	}
}
