package ca_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
)

func code(err error) string {
	if f := words.FaultOf(err); f != nil {
		return f.Code
	}
	return ""
}

func TestIssueWritesBeforeItSigns(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := catest.New(t, db, db.PKI())
		q := catest.Request(t, 1)
		c, err := a.Issue(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.CheckSignatureFrom(a.Material.Issuing); err != nil {
			t.Error(err)
		}
		r, err := a.Get(t.Context(), ca.SerialOf(c))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(r.TBS, c.RawTBSCertificate) || !bytes.Equal(r.DER, c.Raw) {
			t.Error("what is stored is not what was signed")
		}
		if r.State != ca.Pending || r.Card != q.Card || r.Person != q.CF {
			t.Errorf("record: %s %s %s", r.State, r.Card, r.Person)
		}
		want := []string{"certificate.reserved", "certificate.issued"}
		if d := cmp.Diff(want, a.Journal.Acts(q.Card)); d != "" {
			t.Error(d)
		}
		if got, want := c.NotAfter, q.Expires.End(); !got.Equal(want) {
			t.Errorf("notAfter %s, the card expires %s", got, want)
		}
	})
}

func TestIssueTwiceGivesTheSame(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := catest.New(t, db, db.PKI())
		q := catest.Request(t, 1)
		results := a.IssueBatch(t.Context(), []ca.Request{q, q, catest.Request(t, 2)})
		for i, r := range results {
			if r.Err != nil {
				t.Fatalf("request %d: %v", i, r.Err)
			}
		}
		again, err := a.Issue(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if !results[0].Certificate.Equal(results[1].Certificate) || !results[0].Certificate.Equal(again) {
			t.Error("three requests of one card and key gave different certificates")
		}
		if got := len(a.Journal.Acts(q.Card)); got != 2 {
			t.Errorf("%d journal entries, want 2", got)
		}
	})
}

func TestIssueRefuses(t *testing.T) {
	db := storetest.SQLite(t)
	a := catest.New(t, db, db.PKI())
	first := catest.Request(t, 1)
	if _, err := a.Issue(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(q *ca.Request)
		code   string
	}{
		{"key of another card", func(q *ca.Request) { q.Key = first.Key }, "CSE-194"},
		{"second key on one card", func(q *ca.Request) { q.Card, q.CF = first.Card, first.CF }, "CSE-199"},
		{"no key", func(q *ca.Request) { q.Key = nil }, "CSE-194"},
		{"short key", func(q *ca.Request) { q.Key.N = new(big.Int).Rsh(q.Key.N, 1024) }, "CSE-194"},
		{"exponent 3", func(q *ca.Request) { q.Key.E = 3 }, "CSE-194"},
		{"small factor", func(q *ca.Request) { q.Key.N = multiple(q.Key.N, 4093) }, "CSE-194"},
		{"expired card", func(q *ca.Request) { q.Expires = q.Expires.AddYears(-7) }, "CSE-196"},
		{"card number without Luhn", func(q *ca.Request) { q.Card = "6090000000000000" }, ""},
		{"not a codice fiscale", func(q *ca.Request) { q.CF = "RSSMRA/0A01H501U" }, ""},
	}
	var batch []ca.Request
	for i, tt := range tests {
		q := catest.Request(t, 10+i)
		tt.change(&q)
		batch = append(batch, q)
	}
	good := catest.Request(t, 99)
	results := a.IssueBatch(t.Context(), append(batch, good))
	for i, tt := range tests {
		if r := results[i]; r.Err == nil || code(r.Err) != tt.code {
			t.Errorf("%s: %v, want %s", tt.name, r.Err, tt.code)
		}
	}
	if last := results[len(tests)]; last.Err != nil {
		t.Errorf("a good request among bad ones: %v", last.Err)
	}
	n, err := db.PKI().Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[ca.State]int{ca.Pending: 2}, n); d != "" {
		t.Errorf("what was refused left a trace: %s", d)
	}
}

// multiple is a 2048-bit multiple of p near n.
func multiple(n *big.Int, p int64) *big.Int {
	m := new(big.Int).Sub(n, new(big.Int).Mod(n, big.NewInt(p)))
	if m.Bit(0) == 0 {
		m.Sub(m, big.NewInt(p))
	}
	return m
}

func TestAfterRevocationTheCardMayHaveAnother(t *testing.T) {
	db := storetest.SQLite(t)
	a := catest.New(t, db, db.PKI())
	q := catest.Request(t, 1)
	c, err := a.Issue(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Revoke(t.Context(), ca.SerialOf(c), ca.Superseded); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Issue(t.Context(), q); code(err) != "CSE-194" {
		t.Errorf("the key of a revoked certificate was certified again: %v", err)
	}
	q.Key = catest.Key(t)
	if _, err := a.Issue(t.Context(), q); err != nil {
		t.Error(err)
	}
}

func TestTheClockOutsideTheAuthority(t *testing.T) {
	db := storetest.SQLite(t)
	a := catest.New(t, db, db.PKI())
	a.Hand.Set(catest.Start.AddDate(-1, 0, 0))
	if _, err := a.Issue(t.Context(), catest.Request(t, 1)); code(err) != "CSE-198" {
		t.Errorf("got %v, want CSE-198", err)
	}
}

// Several hundred different certificates: the lints must find no error (Issue
// refuses otherwise), and a second reader must agree with the profile.
func TestHundredsOfCertificates(t *testing.T) {
	db := storetest.SQLite(t)
	a := catest.New(t, db, db.PKI())
	qs := make([]ca.Request, 300)
	for i := range qs {
		qs[i] = catest.Request(t, i)
		qs[i].Expires = qs[i].Expires.AddDays(-7 * i)
	}
	seen := map[string]bool{}
	for i, r := range a.IssueBatch(t.Context(), qs) {
		if r.Err != nil {
			t.Fatalf("request %d: %v", i, r.Err)
		}
		c := r.Certificate
		if c.KeyUsage != x509.KeyUsageDigitalSignature || !slices.Equal(c.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) {
			t.Fatalf("request %d: usage %v %v", i, c.KeyUsage, c.ExtKeyUsage)
		}
		if s := c.SerialNumber.String(); seen[s] {
			t.Fatalf("serial number %s twice", s)
		} else {
			seen[s] = true
		}
		if got, want := c.NotAfter, qs[i].Expires.End(); !got.Equal(want) {
			t.Fatalf("request %d: notAfter %s, want %s", i, got, want)
		}
	}
}

func TestConcurrentIssuers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := catest.New(t, db, db.PKI())
		q := catest.Request(t, 1)
		certs := make([]*x509.Certificate, 6)
		var wg sync.WaitGroup
		for i := range certs {
			wg.Go(func() {
				c, err := a.Issue(context.WithoutCancel(t.Context()), q)
				if err != nil {
					t.Error(err)
				}
				certs[i] = c
			})
		}
		wg.Wait()
		for _, c := range certs {
			if c == nil || !c.Equal(certs[0]) {
				t.Fatal("one request asked at the same time gave different certificates")
			}
		}
	})
}

// killed is a store that dies at the n-th write, before or after it.
type killed struct {
	ca.Store
	left int
}

var errKilled = errors.New("killed")

func (k *killed) step() error {
	if k.left == 0 {
		return errKilled
	}
	k.left--
	return nil
}

func (k *killed) Reserve(ctx context.Context, r ca.Record) error {
	if err := k.step(); err != nil {
		return err
	}
	return k.Store.Reserve(ctx, r)
}

func (k *killed) Put(ctx context.Context, r ca.Record) error {
	if err := k.step(); err != nil {
		return err
	}
	return k.Store.Put(ctx, r)
}

// A kill at any write, then Recover and the same requests again: every card has
// one certificate, every signed certificate its two journal entries.
func TestRecoverAfterAKill(t *testing.T) {
	for at := range 7 {
		t.Run(fmt.Sprint("at write ", at), func(t *testing.T) {
			db := storetest.SQLite(t)
			k := &killed{Store: db.PKI(), left: at}
			a := catest.New(t, db, k)
			qs := []ca.Request{catest.Request(t, 1), catest.Request(t, 2), catest.Request(t, 3)}
			before := map[string]*x509.Certificate{}
			for _, q := range qs {
				if c, err := a.Issue(t.Context(), q); err == nil {
					before[q.Card] = c
				} else if !errors.Is(err, errKilled) {
					t.Fatal(err)
				}
			}
			k.left = -1 // alive again
			got, err := a.Recover(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if want := at % 2; at < 6 && got.Finished != want || got.Voided != 0 {
				t.Errorf("recovered %+v, want %d finished", got, want)
			}
			for i, r := range a.IssueBatch(t.Context(), qs) {
				if r.Err != nil {
					t.Fatal(r.Err)
				}
				if c := before[qs[i].Card]; c != nil && !c.Equal(r.Certificate) {
					t.Error("a certificate that was given out is not the one on record")
				}
				if acts := a.Journal.Acts(qs[i].Card); len(acts) < 2 || acts[len(acts)-1] != "certificate.issued" {
					t.Errorf("journal: %v", acts)
				}
			}
			n, err := db.PKI().Count(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(map[ca.State]int{ca.Pending: 3}, n); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestRecoverVoidsWhatMayNotBeSigned(t *testing.T) {
	db := storetest.SQLite(t)
	k := &killed{Store: db.PKI(), left: 1}
	a := catest.New(t, db, k)
	q := catest.Request(t, 1)
	if _, err := a.Issue(t.Context(), q); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	k.left = -1
	// The authority was replaced meanwhile.
	other := catest.New(t, db, db.PKI(), func(p *ca.Parts) {
		m := catest.Fresh(t, p.Clock)
		p.Issuer, p.Signer = m.Issuing, m.IssuingKey
	})
	got, err := other.Recover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := (ca.Recovered{Voided: 1}); got != want {
		t.Errorf("recovered %+v, want %+v", got, want)
	}
	if d := cmp.Diff([]string{"certificate.voided"}, other.Journal.Acts(q.Card)); d != "" {
		t.Error(d)
	}
	if _, err := other.Issue(t.Context(), q); err != nil {
		t.Errorf("card and key of a voided number cannot be used: %v", err)
	}
}
