package ca_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
)

func prime(t testing.TB) *big.Int {
	t.Helper()
	p, err := rand.Prime(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// keyWith is a key of which p is one prime.
func keyWith(t testing.TB, p *big.Int) *rsa.PublicKey {
	t.Helper()
	for {
		if k := (&rsa.PublicKey{N: new(big.Int).Mul(p, prime(t)), E: 65537}); ca.CheckKey(k) == nil {
			return k
		}
	}
}

// R4: of keys that come together, those that share a prime are refused, all of
// them and no other.
func TestR4_KeysThatComeTogetherShareNoPrime(t *testing.T) {
	db := storetest.SQLite(t)
	a := catest.New(t, db, db.PKI())
	p := prime(t)
	qs := make([]ca.Request, 5)
	for i := range qs {
		qs[i] = catest.Request(t, i)
	}
	qs[1].Key, qs[3].Key = keyWith(t, p), keyWith(t, p)
	for i, r := range a.IssueBatch(t.Context(), qs) {
		if i != 1 && i != 3 {
			if r.Err != nil {
				t.Errorf("card %d: %v", i, r.Err)
			}
			continue
		}
		if code(r.Err) != "CSE-194" || !strings.Contains(fmt.Sprint(errors.Unwrap(r.Err)), qs[1].Card) || !strings.Contains(fmt.Sprint(errors.Unwrap(r.Err)), qs[3].Card) {
			t.Errorf("card %d: %v", i, r.Err)
		}
	}
}

// R4: keys that came at different times are found by the sweep, which names both
// cards once; no further key with that prime is certified, and none is extended.
func TestR4_TheSweepFindsSharedPrimesAcrossTheBase(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := catest.New(t, db, db.PKI(), func(p *ca.Parts) { p.SharedPrimes = db.PKI().SharedPrimes })
		p := prime(t)
		old, next, late, fine := catest.Request(t, 1), catest.Request(t, 2), catest.Request(t, 3), catest.Request(t, 4)
		old.Key, next.Key, late.Key = keyWith(t, p), keyWith(t, p), keyWith(t, p)
		issue := func(q ca.Request) string {
			t.Helper()
			c, err := a.Issue(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			return ca.SerialOf(c)
		}
		serial := issue(old)
		issue(fine)
		sweep := ca.Sweep{Keys: db.PKI(), Atomically: db.Atomically, Record: a.Journal.Record, Clock: a.Hand}
		found, err := sweep.Run(t.Context(), time.Time{})
		if err != nil || len(found) != 0 {
			t.Fatalf("before: %v, %v", found, err)
		}
		yesterday := a.Hand.Now()
		a.Hand.Advance(24 * time.Hour)
		second := issue(next) // nothing is known yet
		for range 2 {
			if found, err = sweep.Run(t.Context(), yesterday.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			want := []ca.Sharing{{Serial: second, Card: next.Card, Prime: p, With: []string{old.Card}}}
			if d := cmp.Diff(want, found, cmp.Comparer(func(x, y *big.Int) bool { return x.Cmp(y) == 0 })); d != "" {
				t.Error(d)
			}
		}
		for _, q := range []ca.Request{old, next} {
			n := 0
			for _, act := range a.Journal.Acts(q.Card) {
				if act == "certificate.sharedprime" {
					n++
				}
			}
			if n != 1 {
				t.Errorf("card %s is named %d times", q.Card, n)
			}
		}
		if _, err := a.Issue(t.Context(), late); code(err) != "CSE-194" {
			t.Errorf("a further key with that prime: %v", err)
		}
		if err := a.Activate(t.Context(), serial); err != nil {
			t.Fatal(err)
		}
		a.Hand.Advance(365 * 24 * time.Hour)
		if _, err := a.Extend(t.Context(), ca.Extension{Serial: serial, Until: old.Expires.AddDays(300), Room: 2048}); code(err) != "CSE-194" {
			t.Errorf("an extension of a broken key: %v", err)
		}
	})
}

// R4: a key is certified once over all history: not again when its certificate is
// revoked, nor, for another card, when it was only asked for and given up.
func TestR4_AKeyIsCertifiedOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		k := &killed{Store: db.PKI(), left: 1}
		a := catest.New(t, db, k)
		given := catest.Request(t, 1)
		if _, err := a.Issue(t.Context(), given); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		k.left = -1
		a.Hand.Set(given.Expires.AddDays(1).Start()) // too late to sign it
		if got, err := a.Recover(t.Context()); err != nil || got.Voided != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
		other := catest.Request(t, 2)
		other.Key, other.Expires = given.Key, given.Expires.AddYears(5)
		if _, err := a.Issue(t.Context(), other); code(err) != "CSE-194" {
			t.Errorf("another card with the key of a voided number: %v", err)
		}
		given.Expires = other.Expires
		c, err := a.Issue(t.Context(), given)
		if err != nil {
			t.Fatalf("the same card again: %v", err)
		}
		if err := a.Revoke(t.Context(), ca.SerialOf(c), ca.KeyCompromise); err != nil {
			t.Fatal(err)
		}
		for _, q := range []ca.Request{given, other} {
			if _, err := a.Issue(t.Context(), q); code(err) != "CSE-194" {
				t.Errorf("card %s with the key of a revoked certificate: %v", q.Card, err)
			}
		}
	})
}
