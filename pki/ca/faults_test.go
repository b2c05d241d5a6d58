package ca_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/journal"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
)

// faults is everything that an authority calls, and dies at the n-th call: before
// it, or when it is done and its answer is lost.
type faults struct {
	ca.Store
	db     *store.DB
	signer crypto.Signer
	t      *testing.T

	mu    sync.Mutex
	at    int // the call to die at; -1: never
	after bool
	calls int
	dead  bool // nothing is done any more, as after a kill
	last  string
	// early are signatures over octets that no record had.
	early int
}

func (f *faults) call(name string, do func() error) error {
	dead, now := f.count(name)
	switch {
	case dead, now && !f.after:
		return errKilled
	case now:
		return errors.Join(do(), errKilled)
	}
	return do()
}

// count tells whether all is over, and whether it ends with this call.
func (f *faults) count(name string) (dead, now bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return true, false
	}
	f.calls++
	f.last = name
	f.dead = f.calls-1 == f.at
	return false, f.dead
}

func (f *faults) Reserve(ctx context.Context, r ca.Record) error {
	return f.call("reserve", func() error { return f.Store.Reserve(ctx, r) })
}

func (f *faults) Put(ctx context.Context, r ca.Record) error {
	return f.call("put", func() error { return f.Store.Put(ctx, r) })
}

func (f *faults) Get(ctx context.Context, serial string) (r ca.Record, err error) {
	err = f.call("get", func() error { r, err = f.Store.Get(ctx, serial); return err })
	return r, err
}

func (f *faults) Find(ctx context.Context, card, key string) (rs []ca.Record, err error) {
	err = f.call("find", func() error { rs, err = f.Store.Find(ctx, card, key); return err })
	return rs, err
}

// Atomically dies before the act, or when it is committed and nobody hears of it.
func (f *faults) Atomically(ctx context.Context, act func(ctx context.Context) error) error {
	return f.call("act", func() error { return f.db.Atomically(ctx, act) })
}

func (f *faults) Public() crypto.PublicKey { return f.signer.Public() }

// Sign sees to it that what is signed was written before.
func (f *faults) Sign(rand io.Reader, digest []byte, o crypto.SignerOpts) (sig []byte, err error) {
	err = f.call("sign", func() error {
		rs, err := f.db.PKI().Each(context.WithoutCancel(f.t.Context()), "", 100)
		if err != nil {
			return err
		}
		written := false
		for _, r := range rs {
			sum := sha256.Sum256(r.TBS)
			written = written || r.State == ca.Reserved && bytes.Equal(sum[:], digest)
		}
		if !written {
			f.mu.Lock()
			f.early++
			f.mu.Unlock()
		}
		sig, err = f.signer.Sign(rand, digest, o)
		return err
	})
	return sig, err
}

// R15: killed at any call, of the store, of the signing key, of the transaction,
// of the journal, before it or after it: nothing was signed that was not written, and
// Recover and the same requests again leave each card with one certificate, the one
// that was given out if one was.
func TestR15_AKillAtEveryCallIsSettled(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for at := 0; ; at++ {
			name := fmt.Sprintf("call %d, after it %t", at, after)
			calls := killedAt(t, name, at, after)
			if at >= calls {
				if at < 20 {
					t.Fatalf("only %d calls", at)
				}
				break
			}
		}
	}
}

// killedAt answers how many calls were made in all.
func killedAt(t *testing.T, name string, at int, after bool) int {
	t.Helper()
	db := storetest.SQLite(t)
	f := &faults{Store: db.PKI(), db: db, t: t, at: -1}
	a := catest.New(t, db, f, func(p *ca.Parts) {
		f.signer, p.Signer, p.Atomically = p.Signer, f, f.Atomically
		record := p.Record
		p.Record = func(ctx context.Context, e journal.Entry) error {
			return f.call("journal", func() error { return record(ctx, e) })
		}
	})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s (%s): %v", name, f.last, err)
		}
	}
	old, err := a.Issue(t.Context(), catest.Request(t, 0))
	must(err)
	must(a.Activate(t.Context(), ca.SerialOf(old)))
	a.Hand.Advance(30 * 24 * time.Hour)
	extension := ca.Extension{Serial: ca.SerialOf(old), Until: catest.Request(t, 0).Expires.AddDays(20), Room: 2048}
	qs := []ca.Request{catest.Request(t, 1), catest.Request(t, 2)}

	f.at, f.after, f.calls = at, after, 0
	given := map[string][]byte{}
	for i, r := range a.IssueBatch(t.Context(), qs) {
		if r.Err == nil {
			given[qs[i].Card] = r.Certificate.Raw
		} else if !f.dead {
			must(r.Err)
		}
	}
	if r, err := a.Extend(t.Context(), extension); err == nil {
		given["longer"] = r.DER
	} else if !f.dead {
		must(err)
	}
	calls := f.calls
	where := f.last

	f.dead, f.at = false, -1 // started again
	done, err := a.Recover(t.Context())
	must(err)
	if done.Voided != 0 {
		t.Errorf("%s (%s): %d numbers were given up", name, where, done.Voided)
	}
	left, err := db.PKI().Unfinished(t.Context(), "", 10)
	must(err)
	if len(left) != 0 {
		t.Errorf("%s (%s): %d are still open", name, where, len(left))
	}
	for i, r := range a.IssueBatch(t.Context(), qs) {
		must(r.Err)
		if was := given[qs[i].Card]; was != nil && !bytes.Equal(was, r.Certificate.Raw) {
			t.Errorf("%s (%s): another certificate than the one that was given out", name, where)
		}
	}
	r, err := a.Extend(t.Context(), extension)
	must(err)
	if was := given["longer"]; was != nil && !bytes.Equal(was, r.DER) {
		t.Errorf("%s (%s): another extension than the one that was given out", name, where)
	}
	n, err := db.PKI().Count(t.Context())
	must(err)
	if n[ca.Pending] != 3 || n[ca.Good] != 1 || len(n) != 2 {
		t.Errorf("%s (%s): %v", name, where, n)
	}
	if f.early > 0 {
		t.Errorf("%s (%s): %d signatures over what was not written", name, where, f.early)
	}
	return calls
}
