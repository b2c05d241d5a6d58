package status

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/profile"
)

// rootLists makes lists of a root as a ceremony elsewhere does.
type rootLists struct {
	m     *ca.Material
	key   crypto.Signer
	clock *civil.Hand
}

func newRootLists(t *testing.T) rootLists {
	t.Helper()
	clock := civil.NewHand(catest.Start)
	m := catest.Material(t, clock)
	key, err := ca.LoadRootKey(m.Dir, keys.Sealed(catest.Passphrase))
	if err != nil {
		t.Fatal(err)
	}
	return rootLists{m, key, clock}
}

func (r rootLists) list(t *testing.T, change func(l *List), entries ...Entry) []byte {
	t.Helper()
	now := r.clock.Now().UTC().Truncate(time.Second)
	l := List{Issuer: r.m.Root, Signer: r.key, Number: now.Unix(), ThisUpdate: now, NextUpdate: now.AddDate(0, 6, 0), Authorities: true}
	if change != nil {
		change(&l)
	}
	der, err := l.Bytes(rand.Reader, walk(entries))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// A root's list made elsewhere is put in place only if it is the root's, of now, and
// behind the one in place, of whose entries none may be missing.
func TestImportRoot(t *testing.T) {
	r := newRootLists(t)
	gone := Entry{Serial: profile.SerialText(r.m.Issuing.SerialNumber), Since: catest.Start, Reason: ca.CACompromise}
	other := catest.Fresh(t, r.clock)
	strange, err := ca.LoadRootKey(other.Dir, keys.Sealed(catest.Passphrase))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	put := func(b []byte) error {
		_, err := ImportRoot(r.m.Root, b, r.clock, dir, 5*time.Second)
		return err
	}
	first := r.list(t, nil)
	if err := put(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: first})); err != nil {
		t.Fatal(err)
	}
	if err := put(first); err != nil {
		t.Errorf("the same again: %v", err)
	}
	r.clock.Advance(time.Hour)
	second := r.list(t, nil, gone)
	if err := put(second); err != nil {
		t.Fatal(err)
	}
	l, err := RootList(dir)
	if err != nil || len(l.RevokedCertificateEntries) != 1 || l.RevokedCertificateEntries[0].ReasonCode != ca.CACompromise {
		t.Fatalf("in place: %+v (%v)", l, err)
	}
	r.clock.Advance(time.Hour)
	tests := map[string][]byte{
		"not a list":              []byte("-----BEGIN"),
		"certificate":             r.m.Root.Raw,
		"the list before":         first,
		"an entry is missing":     r.list(t, nil),
		"the same number":         r.list(t, func(l *List) { l.Number = catest.Start.Add(time.Hour).Unix() }, gone),
		"older by its date":       r.list(t, func(l *List) { l.ThisUpdate = catest.Start }, gone),
		"of tomorrow":             r.list(t, func(l *List) { l.ThisUpdate = l.ThisUpdate.AddDate(0, 0, 1) }, gone),
		"it has ended":            r.list(t, func(l *List) { l.NextUpdate = r.clock.Now() }, gone),
		"a part":                  r.list(t, func(l *List) { l.Point = "http://pki.example.it/crl/root-1.crl" }, gone),
		"another root's":          r.list(t, func(l *List) { l.Issuer, l.Signer = other.Root, strange }, gone),
		"another's key":           r.list(t, func(l *List) { l.Signer = strange }, gone),
		"the issuing authority's": r.list(t, func(l *List) { l.Issuer, l.Signer = r.m.Issuing, r.m.IssuingKey }, gone),
	}
	for name, b := range tests {
		if err := put(b); !errors.Is(err, words.Refuse("CSE-930")) {
			t.Errorf("%s: %v, want CSE-930", name, err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, FileRootCRL)); err != nil || !bytes.Equal(b, second) {
		t.Errorf("a refused list moved the one in place (%v)", err)
	}
	if err := put(r.list(t, nil, gone)); err != nil {
		t.Errorf("the next: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%d files left (%v)", len(left), err)
	}
}

// Publishing the root's list anew keeps who was revoked: with its key on line, or
// after a ceremony elsewhere. A list in place that cannot be read is not replaced.
func TestPublishRootKeepsWhoWasRevoked(t *testing.T) {
	r := newRootLists(t)
	gone := Entry{Serial: profile.SerialText(r.m.Issuing.SerialNumber), Since: catest.Start, Reason: ca.CACompromise}
	dir := t.TempDir()
	if _, err := ImportRoot(r.m.Root, r.list(t, nil, gone), r.clock, dir, 0); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		p, err := PublishRoot(r.m.Root, r.key, r.clock, rand.Reader, dir, time.Hour)
		if err != nil || p.Entries != 1 {
			t.Fatalf("%+v (%v), want the one that was revoked", p, err)
		}
	}
	l, err := RootList(dir)
	if err != nil {
		t.Fatal(err)
	}
	if e := l.RevokedCertificateEntries[0]; e.SerialNumber.Cmp(r.m.Issuing.SerialNumber) != 0 || e.ReasonCode != ca.CACompromise || !e.RevocationTime.Equal(catest.Start) {
		t.Errorf("entry %+v", e)
	}
	if err := os.WriteFile(filepath.Join(dir, FileRootCRL), []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := PublishRoot(r.m.Root, r.key, r.clock, rand.Reader, dir, time.Hour); !errors.Is(err, words.Refuse("CSE-930")) {
		t.Errorf("over a list that cannot be read: %v", err)
	}
}
