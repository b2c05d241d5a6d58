package ca_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/status"
	"cse.example/cse/pki/trust"
)

// model is the state machine as pki.md 1.4 tells it, written as a table of what
// is possible rather than as code.
var model = map[ca.State]map[string]ca.State{
	ca.Pending: {"activate": ca.Good, "revoke": ca.Revoked},
	ca.Good:    {"hold": ca.Held, "revoke": ca.Revoked},
	ca.Held:    {"release": ca.Good, "revoke": ca.Revoked},
	ca.Revoked: {},
}

func TestMovesAgainstTheModel(t *testing.T) {
	db := storetest.SQLite(t)
	a := catest.New(t, db, db.PKI())
	ctx := context.Background()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		c, err := a.Issue(ctx, catest.Request(t, n))
		if err != nil {
			rt.Fatal(err)
		}
		serial, want := ca.SerialOf(c), ca.Pending
		reason := rapid.SampledFrom([]int{0, 1, 3, 4, 5, 9}).Draw(rt, "reason")
		for range rapid.IntRange(1, 8).Draw(rt, "moves") {
			name := rapid.SampledFrom([]string{"activate", "hold", "release", "revoke"}).Draw(rt, "move")
			err := map[string]func() error{
				"activate": func() error { return a.Activate(ctx, serial) },
				"hold":     func() error { return a.Hold(ctx, serial) },
				"release":  func() error { return a.Release(ctx, serial) },
				"revoke":   func() error { return a.Revoke(ctx, serial, reason) },
			}[name]()
			next, possible := model[want][name]
			switch {
			case possible && err != nil:
				rt.Fatalf("%s from %s: %v", name, want, err)
			case !possible && (!ca.IsMove(err) || code(err) != "CSE-195"):
				rt.Fatalf("%s from %s: %v, want a *MoveError with CSE-195", name, want, err)
			case possible:
				want = next
			}
			r, err := a.Get(ctx, serial)
			if err != nil || r.State != want {
				rt.Fatalf("after %s: %s, want %s (%v)", name, r.State, want, err)
			}
			said, err := db.PKI().Standing(ctx, r.Issuer, serial)
			if err != nil || !said.Known || said.Revoked != (want != ca.Good) {
				rt.Fatalf("%s: the world hears %+v (%v)", want, said, err)
			}
			if hold := want == ca.Pending || want == ca.Held; hold != (said.Reason == status.Hold) {
				rt.Fatalf("%s: reason %d", want, said.Reason)
			}
			if want == ca.Revoked && said.Reason != reason {
				rt.Fatalf("revoked for %d, the world hears %d", reason, said.Reason)
			}
		}
	})
}

func TestMovesJoinTheAct(t *testing.T) {
	db := storetest.SQLite(t)
	a := catest.New(t, db, db.PKI())
	c, err := a.Issue(t.Context(), catest.Request(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	serial, undo := ca.SerialOf(c), errors.New("the card could not be activated")
	err = db.Atomically(t.Context(), func(ctx context.Context) error {
		if err := a.Activate(ctx, serial); err != nil {
			return err
		}
		return undo
	})
	if !errors.Is(err, undo) {
		t.Fatal(err)
	}
	if r, err := a.Get(t.Context(), serial); err != nil || r.State != ca.Pending {
		t.Errorf("after an act undone the certificate is %s (%v), want pending", r.State, err)
	}
}

func TestRevokeRefusesReasons(t *testing.T) {
	db := storetest.SQLite(t)
	a := catest.New(t, db, db.PKI())
	c, err := a.Issue(t.Context(), catest.Request(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	serial := ca.SerialOf(c)
	for _, reason := range []int{-1, 6, 7, 8, 10} { // hold has its own verb, 8 is for delta lists, 7 is not used
		if err := a.Revoke(t.Context(), serial, reason); err == nil {
			t.Errorf("reason %d was accepted", reason)
		}
	}
	// As other programs print it: capitals, no leading zero.
	if r, err := a.Get(t.Context(), fmt.Sprintf("%X", c.SerialNumber)); err != nil || r.Serial != serial {
		t.Errorf("a serial number in capitals: %v", err)
	}
	if err := a.Revoke(t.Context(), "00", ca.KeyCompromise); !errors.Is(err, ca.ErrUnknown) {
		t.Errorf("an unknown number: %v", err)
	}
}

// What the door asks: the store as a trust.Revocation.
func TestTheStoreAsRevocationSource(t *testing.T) {
	db := storetest.SQLite(t)
	a := catest.New(t, db, db.PKI())
	ctx := t.Context()
	c, err := a.Issue(ctx, catest.Request(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	serial := ca.SerialOf(c)
	steps := []struct {
		name string
		do   func() error
		want trust.Standing
	}{
		{"issued", func() error { return nil }, trust.StandingPending},
		{"activated", func() error { return a.Activate(ctx, serial) }, trust.StandingGood},
		{"held", func() error { return a.Hold(ctx, serial) }, trust.StandingHeld},
		{"released", func() error { return a.Release(ctx, serial) }, trust.StandingGood},
		{"revoked", func() error { return a.Revoke(ctx, serial, ca.KeyCompromise) }, trust.StandingRevoked},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatal(err)
		}
		if got, err := db.PKI().Revocation(ctx, c, a.Material.Issuing); err != nil || got.Standing != s.want {
			t.Errorf("%s: %+v (%v), want %d", s.name, got, err, s.want)
		}
	}
	if got, err := db.PKI().Revocation(ctx, a.Material.Responder, a.Material.Issuing); err != nil || got.Standing != trust.StandingUnknown {
		t.Errorf("never issued: %+v (%v)", got, err)
	}
}
