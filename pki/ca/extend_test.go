package ca_test

import (
	"bytes"
	"context"
	"crypto/rsa"
	"errors"
	"testing"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/status"
)

// extendable is a good certificate that ends in two months.
func extendable(t *testing.T, a *catest.Authority, n int) (ca.Request, ca.Record) {
	t.Helper()
	q := catest.Request(t, n)
	q.Expires = civil.DayOf(catest.Start).AddDays(60)
	c, err := a.Issue(t.Context(), q)
	check(t, err)
	check(t, a.Activate(t.Context(), ca.SerialOf(c)))
	r, err := a.Get(t.Context(), ca.SerialOf(c))
	check(t, err)
	return q, r
}

// R108: the new certificate names the same holder and key, with a later end; on
// hold until it takes the other's place, and then one of them is good as before.
func TestR108_SameKeyLaterEnd(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := catest.New(t, db, db.PKI())
		ctx := t.Context()
		q, old := extendable(t, a, 1)
		until := civil.DayOf(catest.Start).AddYears(2)
		next, err := a.Extend(ctx, ca.Extension{Serial: old.Serial, Until: until, Room: 2048})
		check(t, err)
		before, err := old.Certificate()
		check(t, err)
		after, err := next.Certificate()
		check(t, err)
		if !bytes.Equal(before.RawSubject, after.RawSubject) || !bytes.Equal(before.RawSubjectPublicKeyInfo, after.RawSubjectPublicKeyInfo) {
			t.Error("another subject, or another key")
		}
		if !after.NotAfter.Equal(until.End()) || next.Serial == old.Serial || next.Extends != old.Serial || next.State != ca.Pending {
			t.Errorf("until %s, %+v", after.NotAfter, next)
		}
		for serial, want := range map[string]status.Standing{old.Serial: {Known: true}, next.Serial: {Known: true, Revoked: true, Reason: status.Hold}} {
			got, err := db.PKI().Standing(ctx, old.Issuer, serial)
			if err != nil || got.Known != want.Known || got.Revoked != want.Revoked || got.Reason != want.Reason {
				t.Errorf("the world sees %+v, %v; want %+v", got, err, want)
			}
		}
		again, err := a.Extend(ctx, ca.Extension{Serial: old.Serial, Until: until.AddYears(1), Room: 2048})
		if err != nil || again.Serial != next.Serial {
			t.Errorf("asked again: %s, %v", again.Serial, err)
		}
		if _, err := a.Issue(ctx, q); err != nil { // the request of long ago has its first answer still
			t.Error(err)
		}
		other := catest.Request(t, 2)
		other.Key = q.Key
		if _, err := a.Issue(ctx, other); code(err) != "CSE-194" {
			t.Errorf("another card on that key: %v", err)
		}
		check(t, a.Supersede(ctx, next.Serial))
		old, err = a.Get(ctx, old.Serial)
		check(t, err)
		next, err = a.Get(ctx, next.Serial)
		check(t, err)
		if old.State != ca.Revoked || old.Reason != ca.Superseded || next.State != ca.Good {
			t.Errorf("old %s %d, new %s", old.State, old.Reason, next.State)
		}
		if err := a.Supersede(ctx, next.Serial); code(err) != "CSE-195" {
			t.Errorf("a second time: %v", err)
		}
		further, err := a.Extend(ctx, ca.Extension{Serial: next.Serial, Until: until.AddYears(1), Room: 2048})
		if err != nil || further.Extends != next.Serial {
			t.Errorf("extended once more: %+v, %v", further, err)
		}
	})
}

func TestR108_ExtendRefuses(t *testing.T) {
	db := storetest.SQLite(t)
	a := catest.New(t, db, db.PKI())
	ctx := t.Context()
	_, old := extendable(t, a, 1)
	far := civil.DayOf(catest.Start).AddYears(2)
	refused := func(name string, q ca.Extension, want string) {
		t.Helper()
		if _, err := a.Extend(ctx, q); code(err) != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
		if _, there, err := a.Extended(ctx, old.Serial); err != nil || there {
			t.Errorf("%s: something was reserved (%v)", name, err)
		}
	}
	refused("the same end", ca.Extension{Serial: old.Serial, Until: civil.DayOf(catest.Start).AddDays(60), Room: 2048}, "CSE-890")
	refused("no room", ca.Extension{Serial: old.Serial, Until: far, Room: len(old.DER) - 8}, "CSE-892")
	check(t, a.Hold(ctx, old.Serial))
	refused("on hold", ca.Extension{Serial: old.Serial, Until: far, Room: 2048}, "CSE-195")
	check(t, a.Release(ctx, old.Serial))
	a.Hand.Set(old.NotAfter.AddDate(0, 0, 1))
	refused("expired", ca.Extension{Serial: old.Serial, Until: far, Room: 2048}, "CSE-887")
	a.Hand.Set(catest.Start)
	if _, err := a.Extend(ctx, ca.Extension{Serial: "00"}); !errors.Is(err, ca.ErrUnknown) {
		t.Errorf("an unknown one: %v", err)
	}
	// the file is never too small by the few bytes in which signatures differ
	next, err := a.Extend(ctx, ca.Extension{Serial: old.Serial, Until: far, Room: len(old.DER) + 8})
	check(t, err)
	if len(next.DER) > len(old.DER)+8 {
		t.Errorf("%d bytes in a room of %d", len(next.DER), len(old.DER)+8)
	}
	if err := a.Supersede(ctx, old.Serial); err == nil {
		t.Error("a certificate that extends none took another's place")
	}
}

// A kill between the two acts of the authority: Recover finishes what was begun,
// and asking again gives it.
func TestExtendRecovers(t *testing.T) {
	db := storetest.SQLite(t)
	k := &onceDead{PKIStore: db.PKI()}
	a := catest.New(t, db, k)
	ctx := t.Context()
	_, old := extendable(t, a, 1)
	q := ca.Extension{Serial: old.Serial, Until: civil.DayOf(catest.Start).AddYears(2), Room: 2048}
	k.dead = true
	if _, err := a.Extend(ctx, q); !errors.Is(err, errDead) {
		t.Fatal(err)
	}
	k.dead = false
	if r, there, err := a.Extended(ctx, old.Serial); err != nil || !there || r.State != ca.Reserved {
		t.Fatalf("%+v %v %v", r, there, err)
	}
	if got, err := a.Recover(ctx); err != nil || got.Finished != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	next, err := a.Extend(ctx, q)
	check(t, err)
	c, err := next.Certificate()
	check(t, err)
	if _, ok := c.PublicKey.(*rsa.PublicKey); !ok || next.State != ca.Pending {
		t.Errorf("%+v", next)
	}
}

var errDead = errors.New("dead")

// onceDead fails the second act.
type onceDead struct {
	*store.PKIStore
	dead bool
}

func (k *onceDead) Put(ctx context.Context, r ca.Record) error {
	if k.dead {
		return errDead
	}
	return k.PKIStore.Put(ctx, r)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
