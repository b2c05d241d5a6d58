package store

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/status"
)

var pkiNow = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

func certificateRecord(n int) ca.Record {
	return ca.Record{
		Serial: fmt.Sprintf("%032x", n+1), Issuer: "aa", Shard: 0, Card: fmt.Sprintf("%016d", n), Person: "RSSMRA80A01H501U",
		KeyHash: fmt.Sprintf("%064x", n), State: ca.Reserved, TBS: []byte{1, 2}, NotAfter: pkiNow.AddDate(6, 0, 0), ReservedAt: pkiNow, Version: 1,
	}
}

func reserve(t *testing.T, db *DB, rs ...ca.Record) error {
	t.Helper()
	return db.Atomically(t.Context(), func(ctx context.Context) error {
		for _, r := range rs {
			if err := db.PKI().Reserve(ctx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestPKIReserve(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		first := certificateRecord(1)
		if err := reserve(t, db, first); err != nil {
			t.Fatal(err)
		}
		got, err := db.PKI().Get(t.Context(), first.Serial)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(first, got, cmpopts.EquateEmpty()); d != "" {
			t.Error(d)
		}
		if _, err := db.PKI().Get(t.Context(), "none"); !errors.Is(err, ca.ErrUnknown) {
			t.Errorf("an unknown number: %v", err)
		}
		for name, change := range map[string]func(r *ca.Record){
			"serial": func(r *ca.Record) { r.Serial = first.Serial },
			"key":    func(r *ca.Record) { r.KeyHash = first.KeyHash },
			"card":   func(r *ca.Record) { r.Card = first.Card },
		} {
			r := certificateRecord(2)
			change(&r)
			if err := reserve(t, db, r); !errors.Is(err, ca.ErrTaken) {
				t.Errorf("the same %s: %v, want ErrTaken", name, err)
			}
		}
	})
}

// What frees a card and a key: a void number frees both, a revoked certificate
// the card only.
func TestPKIWhatIsFreed(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		for i, tt := range []struct {
			state     ca.State
			card, key bool
		}{{ca.Void, true, true}, {ca.Revoked, true, false}, {ca.Pending, false, false}, {ca.Good, false, false}, {ca.Held, false, false}} {
			old := certificateRecord(10 * (i + 1))
			old.State = tt.state
			if err := reserve(t, db, old); err != nil {
				t.Fatal(err)
			}
			sameCard, sameKey := certificateRecord(10*(i+1)+1), certificateRecord(10*(i+1)+2)
			sameCard.Card, sameKey.KeyHash = old.Card, old.KeyHash
			if err := reserve(t, db, sameCard); (err == nil) != tt.card {
				t.Errorf("%s: another certificate for the card: %v", tt.state, err)
			}
			if err := reserve(t, db, sameKey); (err == nil) != tt.key {
				t.Errorf("%s: another certificate for the key: %v", tt.state, err)
			}
		}
	})
}

func TestPKIPutComparesTheVersion(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		r := certificateRecord(1)
		if err := reserve(t, db, r); err != nil {
			t.Fatal(err)
		}
		r.State, r.DER, r.IssuedAt = ca.Pending, []byte{3}, pkiNow
		var won, lost int
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				err := db.Atomically(context.WithoutCancel(t.Context()), func(ctx context.Context) error { return db.PKI().Put(ctx, r) })
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won++
				case errors.Is(err, ca.ErrRaced):
					lost++
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won != 1 || lost != 3 {
			t.Errorf("%d writers won and %d lost, want 1 and 3", won, lost)
		}
		got, err := db.PKI().Get(t.Context(), r.Serial)
		if err != nil || got.Version != 2 || got.State != ca.Pending {
			t.Errorf("after it: %+v (%v)", got, err)
		}
	})
}

func TestPKIUnfinishedAndFind(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		var all []ca.Record
		for n := range 5 {
			r := certificateRecord(n)
			if n == 2 {
				r.State = ca.Good
			}
			all = append(all, r)
		}
		if err := reserve(t, db, all...); err != nil {
			t.Fatal(err)
		}
		var got []string
		for after := ""; ; {
			page, err := db.PKI().Unfinished(t.Context(), after, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, r := range page {
				got = append(got, r.Serial)
			}
			after = page[len(page)-1].Serial
		}
		if d := cmp.Diff([]string{all[0].Serial, all[1].Serial, all[3].Serial, all[4].Serial}, got); d != "" {
			t.Error(d)
		}
		found, err := db.PKI().Find(t.Context(), all[1].Card, all[3].KeyHash)
		if err != nil || len(found) != 2 || found[0].Serial != all[1].Serial || found[1].Serial != all[3].Serial {
			t.Errorf("found %d records (%v)", len(found), err)
		}
		if both, err := db.PKI().Find(t.Context(), all[1].Card, all[1].KeyHash); err != nil || len(both) != 1 {
			t.Errorf("a record with card and key was found %d times (%v)", len(both), err)
		}
	})
}

func TestPKIStandingAndList(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		states := []ca.State{ca.Reserved, ca.Void, ca.Pending, ca.Good, ca.Held, ca.Revoked}
		var all []ca.Record
		for n, s := range states {
			r := certificateRecord(n)
			r.State, r.IssuedAt, r.ChangedAt, r.Reason = s, pkiNow, pkiNow.Add(time.Hour), 4
			all = append(all, r)
		}
		gone, other, part := certificateRecord(20), certificateRecord(21), certificateRecord(22)
		gone.State, other.State, part.State = ca.Revoked, ca.Revoked, ca.Revoked
		gone.NotAfter, other.Issuer, part.Shard = pkiNow.Add(-time.Second), "bb", 1
		if err := reserve(t, db, append(all, gone, other, part)...); err != nil {
			t.Fatal(err)
		}
		want := map[ca.State]status.Standing{
			ca.Reserved: {}, ca.Void: {}, ca.Good: {Known: true, Version: 1},
			ca.Pending: {Known: true, Revoked: true, Reason: status.Hold, Since: pkiNow, Version: 1},
			ca.Held:    {Known: true, Revoked: true, Reason: status.Hold, Since: pkiNow.Add(time.Hour), Version: 1},
			ca.Revoked: {Known: true, Revoked: true, Reason: 4, Since: pkiNow.Add(time.Hour), Version: 1},
		}
		var listed []status.Entry
		for n, s := range states {
			got, err := db.PKI().Standing(t.Context(), "aa", all[n].Serial)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want[s], got); d != "" {
				t.Errorf("%s: %s", s, d)
			}
			if got.Revoked {
				listed = append(listed, status.Entry{Serial: all[n].Serial, Since: got.Since, Reason: got.Reason})
			}
		}
		if got, err := db.PKI().Standing(t.Context(), "bb", all[3].Serial); err != nil || got.Known {
			t.Errorf("another issuer's number: %+v (%v)", got, err)
		}
		var got []status.Entry
		err := db.PKI().Listed(t.Context(), "aa", 0, pkiNow, func(e status.Entry) error {
			got = append(got, e)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(listed, got); d != "" {
			t.Error(d)
		}
	})
}

// More lines than a page: none twice, none lost, in order.
func TestPKIListPages(t *testing.T) {
	db := sqliteOnly(t)
	const lines = listPage + 7
	rs := make([]ca.Record, lines)
	for n := range rs {
		rs[n] = certificateRecord(n)
		rs[n].State = ca.Revoked
	}
	if err := reserve(t, db, rs...); err != nil {
		t.Fatal(err)
	}
	var got []string
	stop := errors.New("stop")
	for _, limit := range []int{lines, 3} {
		got = got[:0]
		err := db.PKI().Listed(t.Context(), "aa", 0, pkiNow, func(e status.Entry) error {
			if len(got) == limit {
				return stop
			}
			got = append(got, e.Serial)
			return nil
		})
		if (limit < lines) != errors.Is(err, stop) || len(got) != limit || !sort.StringsAreSorted(got) {
			t.Errorf("%d lines of %d (%v)", len(got), limit, err)
		}
	}
}

func TestPKINumbersGrow(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		var mu sync.Mutex
		var wg sync.WaitGroup
		seen := map[int64]bool{}
		for range 4 {
			wg.Go(func() {
				for range 5 {
					var n status.Number
					err := db.Atomically(context.WithoutCancel(t.Context()), func(ctx context.Context) (err error) {
						n, err = db.PKI().NextNumber(ctx, "aa", 0, pkiNow)
						return err
					})
					mu.Lock()
					if err != nil || seen[n.Number] {
						t.Errorf("number %d (%v)", n.Number, err)
					}
					seen[n.Number] = true
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for n := range int64(20) {
			if !seen[n+1] {
				t.Errorf("number %d was skipped", n+1)
			}
		}
		err := db.Atomically(t.Context(), func(ctx context.Context) error {
			if n, err := db.PKI().NextNumber(ctx, "aa", 1, pkiNow); err != nil || n.Number != 1 || !n.Last.IsZero() {
				t.Errorf("another part begins at %+v (%v)", n, err)
			}
			n, err := db.PKI().NextNumber(ctx, "aa", 1, pkiNow.Add(time.Hour))
			if n.Number != 2 || !n.Last.Equal(pkiNow) {
				t.Errorf("the second list: %+v", n)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func sqliteOnly(t *testing.T) *DB {
	t.Helper()
	db, err := Open(t.Context(), "sqlite:"+t.TempDir()+"/pki.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}
