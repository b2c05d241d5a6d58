// Package catest makes authorities, keys and requests for tests: an authority
// in a temporary folder, moduli that pass every check and cost half a millisecond
// (products of many small primes: no key of anybody), invented holders.
package catest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/keys/keystest"
	"cse.example/cse/pki/profile"
)

// Start is the instant at which the tests' clocks begin.
var Start = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

// Base is the address under which the tests' certificates are checked.
const Base = "http://pki.example.it"

// Passphrase seals the tests' keys.
var Passphrase = secret.FromString("una frase per le prove")

// Journal collects entries.
type Journal struct {
	mu  sync.Mutex
	all []journal.Entry
}

// Record is a journal.Recorder.
func (j *Journal) Record(_ context.Context, e journal.Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.all = append(j.all, e)
	return nil
}

// Acts are the acts recorded for a card, in order.
func (j *Journal) Acts(card string) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []string
	for _, e := range j.all {
		if e.Card == card {
			out = append(out, e.Act)
		}
	}
	return out
}

// Store is the transactions of a ca.Store; *store.DB has them.
type Store interface {
	Atomically(ctx context.Context, act func(ctx context.Context) error) error
}

// Authority is one made for a test.
type Authority struct {
	*ca.Authority
	Material *ca.Material
	Journal  *Journal
	Hand     *civil.Hand
}

// New makes an authority in a temporary folder, at Start; change edits its
// parts first.
func New(t testing.TB, db Store, records ca.Store, change ...func(*ca.Parts)) *Authority {
	t.Helper()
	return NewAt(t, Start, db, records, change...)
}

// NewAt is New at another instant: foreign programs know only the real one.
func NewAt(t testing.TB, start time.Time, db Store, records ca.Store, change ...func(*ca.Parts)) *Authority {
	t.Helper()
	clock := civil.NewHand(start)
	m := Material(t, clock)
	j := &Journal{}
	p := ca.Parts{
		Issuer: m.Issuing, Signer: m.IssuingKey, Store: records, Atomically: db.Atomically, Record: j.Record, Clock: clock, Rand: rand.Reader,
		Profile: Profile(),
	}
	for _, f := range change {
		f(&p)
	}
	a, err := ca.New(p)
	if err != nil {
		t.Fatal(err)
	}
	return &Authority{a, m, j, clock}
}

// Material is an authority in a folder of the test's own. At Start it is the
// same authority each time: sealing three keys takes a second of Argon2id. Ask
// Fresh for another.
func Material(t testing.TB, clock civil.Clock) *ca.Material {
	t.Helper()
	if !clock.Now().Equal(Start) {
		return Fresh(t, clock)
	}
	usual.Do(func() {
		m := Fresh(t, clock)
		usual.material, usual.files = *m, map[string][]byte{}
		left, err := os.ReadDir(m.Dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range left {
			if usual.files[f.Name()], err = os.ReadFile(filepath.Join(m.Dir, f.Name())); err != nil {
				t.Fatal(err)
			}
		}
	})
	m, dir := usual.material, t.TempDir()
	for name, b := range usual.files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m.Dir, m.RootFile, m.IssuingFile = dir, filepath.Join(dir, ca.FileRoot), filepath.Join(dir, ca.FileIssuing)
	return &m
}

var usual struct {
	sync.Once
	material ca.Material
	files    map[string][]byte
}

// Fresh makes a new authority.
func Fresh(t testing.TB, clock civil.Clock) *ca.Material {
	t.Helper()
	keystest.Cheap()
	p := ca.DefaultPlan()
	p.URLs, p.Vault, p.Clock, p.Rand = profile.URLsAt(Base), keys.Sealed(Passphrase), clock, rand.Reader
	m, err := ca.Create(t.Context(), t.TempDir(), p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Further adds an authority under m's root, in a folder of its own.
func Further(t testing.TB, m *ca.Material, label string, clock civil.Clock) *ca.Material {
	t.Helper()
	p := ca.DefaultPlan()
	p.Issuing.CommonName += " " + label
	p.Responder.CommonName += " " + label
	p.URLs, p.Vault, p.Clock, p.Rand = URLs(label), keys.Sealed(Passphrase), clock, rand.Reader
	further, err := ca.Add(t.Context(), filepath.Dir(m.RootFile), label, p)
	if err != nil {
		t.Fatal(err)
	}
	return further
}

// Platform is several authorities over one store; all sign, the first is current.
type Platform struct {
	*ca.Authorities
	Materials []*ca.Material
	Journal   *Journal
	Hand      *civil.Hand
}

// Several makes a platform with the first authority and one for each label. Where
// records keep a registry all of them are in it.
func Several(t testing.TB, db Store, records ca.Store, labels ...string) *Platform {
	t.Helper()
	p := &Platform{Journal: &Journal{}, Hand: civil.NewHand(Start)}
	registry, _ := records.(ca.Registry) // a store of a test's own may be none
	var err error
	p.Authorities, err = ca.NewAuthorities(ca.Shared{
		Store: records, Registry: registry, Atomically: db.Atomically, Record: p.Journal.Record, Clock: p.Hand,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Materials = []*ca.Material{Material(t, p.Hand)}
	for _, label := range labels {
		p.Materials = append(p.Materials, Further(t, p.Materials[0], label, p.Hand))
	}
	for _, m := range p.Materials {
		profile := Profile()
		profile.URLs = URLs(m.Label)
		a, err := ca.New(ca.Parts{
			Issuer: m.Issuing, Signer: m.IssuingKey, Store: records, Atomically: db.Atomically, Record: p.Journal.Record, Clock: p.Hand, Rand: rand.Reader,
			Profile: profile,
		})
		if err != nil {
			t.Fatal(err)
		}
		member := ca.Member{Label: m.Label, Certificate: m.Issuing, Authority: a}
		if err := p.Join(member); err != nil {
			t.Fatal(err)
		}
		if registry == nil {
			continue
		}
		if err := p.Know(t.Context(), member); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Choose(ca.IssuerID(p.Materials[0].Issuing)); err != nil {
		t.Fatal(err)
	}
	return p
}

// URLs are the tests' addresses of an authority.
func URLs(label string) profile.URLs { return profile.URLsFor(Base, label) }

// Profile is that of the tests' certificates.
func Profile() profile.CNS {
	return profile.CNS{Organisation: "CSE", Unit: "REGIONE DI PROVA", URLs: profile.URLsAt(Base)}
}

// Request asks for the certificate of the n-th invented holder, whose card
// expires in six years.
func Request(t testing.TB, n int) ca.Request {
	t.Helper()
	sex := codicefiscale.Male
	if n%2 == 1 {
		sex = codicefiscale.Female
	}
	cf, err := codicefiscale.Compute(codicefiscale.Person{
		Surname: fmt.Sprintf("Prova%c%c", 'A'+n/26%26, 'A'+n%26), Name: "Inventata", Sex: sex, Belfiore: "D612",
		Born: civil.Date{Year: 1950, Month: time.January, Day: 1}.AddDays(n),
	})
	if err != nil {
		t.Fatal(err)
	}
	card, err := cns.NewCardID(cns.IssuerToscana, uint64(n+1), 0)
	if err != nil {
		t.Fatal(err)
	}
	return ca.Request{
		CF: string(cf), Card: string(card), PersonalData: fmt.Appendf(nil, "personal data of %d", n),
		Key: Key(t), Expires: civil.DayOf(Start).AddYears(profile.Years),
	}
}

// Key is a public key that passes ca.CheckKey and shares no prime with another of
// this process: numbers drawn at random would share middling ones now and then.
func Key(t testing.TB) *rsa.PublicKey {
	t.Helper()
	for {
		n := big.NewInt(1)
		for _, p := range primes.take(64) {
			n.Mul(n, new(big.Int).SetUint64(p))
		}
		if n.BitLen() < ca.SubjectBits {
			t.Fatal("catest: no more keys: some thirty thousand were made")
		}
		if k := (&rsa.PublicKey{N: n, E: 65537}); ca.CheckKey(k) == nil {
			return k
		}
	}
}

// primes are those below 2^32, downwards, each given once.
var primes primeWell

type primeWell struct {
	mu   sync.Mutex
	next uint64 // primes from here on were given, or lie in left
	left []uint64
	low  []uint64 // those below 2^16
}

func (w *primeWell) take(n int) []uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.low == nil {
		w.next, w.low = 1<<32, sieve(2, 1<<16, nil)
	}
	for len(w.left) < n {
		const step = 1 << 19
		w.next -= step
		w.left = append(w.left, sieve(w.next, step, w.low)...)
	}
	out := w.left[:n:n]
	w.left = w.left[n:]
	return out
}

// sieve is the primes among n numbers from a number on, by those given, or by
// those that it finds itself.
func sieve(from uint64, n int, by []uint64) []uint64 {
	composite := make([]bool, n)
	strike := func(p uint64) {
		for j := max(p*p, (from+p-1)/p*p) - from; j < uint64(n); j += p {
			composite[j] = true
		}
	}
	for _, p := range by {
		strike(p)
	}
	var out []uint64
	for i, c := range composite {
		if c {
			continue
		}
		out = append(out, from+uint64(i))
		if by == nil {
			strike(from + uint64(i))
		}
	}
	return out
}
