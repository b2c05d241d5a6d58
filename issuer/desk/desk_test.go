package desk_test

import (
	"context"
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/desk"
	"cse.example/cse/issuer/staff"
)

const card = "6000000900001001"

type bench struct {
	*desk.Room
	clock   *civil.Hand
	effects []effect.Effect
	written []string
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func refused(t *testing.T, what string, err error, want string) {
	t.Helper()
	if f := words.FaultOf(err); f == nil || f.Code != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

func newBench(t *testing.T, db *store.DB) *bench {
	t.Helper()
	b := &bench{clock: civil.NewHand(time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC))}
	key := func(c string) string { return strings.Repeat(c, 64) }
	var err error
	b.Room, err = desk.New(desk.Deps{
		Desks: []desk.Desk{{ID: "a", Office: "asl-1", Key: key("a")}, {ID: "b", Office: "asl-1", Key: key("b")}, {ID: "c", Office: "asl-2", Key: key("c")}},
		Store: db.Desk(), Clock: b.clock, Atomically: db.Atomically,
		Enqueue: func(_ context.Context, e effect.Effect) error { b.effects = append(b.effects, e); return nil },
		Record:  func(context.Context, journal.Entry) error { return nil },
		Written: func(_ context.Context, p string) error { b.written = append(b.written, p); return nil },
	})
	check(t, err)
	return b
}

func at(office string) staff.Operator {
	return staff.Operator{Account: "anna", Office: staff.Office{ID: office}}
}

func newKey(t *testing.T) hpke.PrivateKey {
	t.Helper()
	k, err := hpke.DHKEM(ecdh.X25519()).GenerateKey()
	check(t, err)
	return k
}

// A reading counts for the operator who asked, for that card, for ten minutes.
func TestR52_AReadingCountsForItsCardAndOperator(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		ctx, d := t.Context(), desk.Desk{ID: "a"}
		_, err := b.Ask(ctx, at("urp-9"), desk.Read, card, "", "")
		refused(t, "an office without a reader", err, "CSE-470")
		_, err = b.Ask(ctx, at("asl-1"), desk.Read, card, "", "c")
		refused(t, "another office's reader", err, "CSE-470")
		_, err = b.Ask(ctx, at("asl-1"), desk.Read, card, "", "")
		refused(t, "two readers and none chosen", err, "CSE-481")
		j, err := b.Ask(ctx, at("asl-1"), desk.Read, card, "", "a")
		check(t, err)
		if _, err := b.Take(ctx, desk.Desk{ID: "b"}, newKey(t).PublicKey().Bytes()); !errors.Is(err, desk.ErrNone) {
			t.Errorf("another desk takes it: %v", err)
		}
		_, err = b.Take(ctx, d, []byte("no key"))
		refused(t, "no key", err, "CSE-357")
		got, err := b.Take(ctx, d, newKey(t).PublicKey().Bytes())
		if err != nil || got.ID != j.ID {
			t.Fatalf("%+v, %v", got, err)
		}
		if _, err := b.Take(ctx, d, newKey(t).PublicKey().Bytes()); !errors.Is(err, desk.ErrNone) {
			t.Errorf("it is taken twice: %v", err)
		}
		refused(t, "before it was read", b.Seen(ctx, at("asl-1"), j.ID, card), "CSE-474")
		if err := b.Finish(ctx, desk.Desk{ID: "b"}, j.ID, desk.Result{Card: card}); !errors.Is(err, desk.ErrNone) {
			t.Errorf("another desk ends it: %v", err)
		}
		check(t, b.Finish(ctx, d, j.ID, desk.Result{Card: card}))
		check(t, b.Seen(ctx, at("asl-1"), j.ID, card))
		refused(t, "another card", b.Seen(ctx, at("asl-1"), j.ID, "6000000900001019"), "CSE-474")
		other := at("asl-1")
		other.Account = "beppe"
		refused(t, "another operator", b.Seen(ctx, other, j.ID, card), "CSE-002")
		b.clock.Advance(10 * time.Minute)
		refused(t, "after ten minutes", b.Seen(ctx, at("asl-1"), j.ID, card), "CSE-474")

		j, err = b.Ask(ctx, at("asl-1"), desk.Read, card, "", "a")
		check(t, err)
		_, err = b.Take(ctx, d, newKey(t).PublicKey().Bytes())
		check(t, err)
		check(t, b.Finish(ctx, d, j.ID, desk.Result{Card: "6000000900001019"}))
		if j, err = b.Find(ctx, at("asl-1"), j.ID); err != nil || j.State != desk.Failed || j.Outcome != "CSE-475" {
			t.Errorf("another card was read: %+v, %v", j, err)
		}
		j, err = b.Ask(ctx, at("asl-1"), desk.Read, card, "", "a")
		check(t, err)
		b.clock.Advance(5 * time.Minute)
		if _, err := b.Take(ctx, d, newKey(t).PublicKey().Bytes()); !errors.Is(err, desk.ErrNone) {
			t.Errorf("too late, and taken: %v", err)
		}
		if j, err = b.Find(ctx, at("asl-1"), j.ID); err != nil || j.Outcome != "CSE-472" {
			t.Errorf("nobody took it: %+v, %v", j, err)
		}
	})
}

// The store never holds a half that opens, and none at all once the job is over.
func TestR72_HalvesAreSealedToTheProgramOfTheJob(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		ctx, d, k := t.Context(), desk.Desk{ID: "a"}, newKey(t)
		j, err := b.Ask(ctx, at("asl-1"), desk.Write, card, "2026/0000001", "a")
		check(t, err)
		_, err = b.Take(ctx, d, k.PublicKey().Bytes())
		check(t, err)
		if len(b.effects) != 2 || b.effects[0].Kind != desk.KindFirst || b.effects[1].Kind != desk.KindSecond {
			t.Fatalf("%d effects", len(b.effects))
		}
		for i, e := range b.effects {
			var w desk.Wanted
			check(t, json.Unmarshal(e.Body, &w))
			sealed, err := desk.Seal(w, i+1, secret.FromString("12"), secret.FromString("3456"), secret.FromString("7890"))
			check(t, err)
			check(t, db.Atomically(ctx, func(ctx context.Context) error { return db.Desk().SetPiece(ctx, w.Job, i+1, sealed) }))
		}
		got, err := b.Taken(ctx, d, j.ID)
		check(t, err)
		open := func(k hpke.PrivateKey, info string, b []byte) error {
			_, err := hpke.Open(k, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(info), b)
			return err
		}
		check(t, open(k, "cse.desk/1|"+j.ID+"|1", got.First))
		check(t, open(k, "cse.desk/1|"+j.ID+"|2", got.Second))
		if open(newKey(t), "cse.desk/1|"+j.ID+"|1", got.First) == nil || open(k, "cse.desk/1|"+j.ID+"|2", got.First) == nil || open(k, "cse.desk/1|other|1", got.First) == nil {
			t.Error("a half opens for another key, as the other half, or in another job")
		}
		check(t, b.Finish(ctx, d, j.ID, desk.Result{Card: card}))
		if err := b.Finish(ctx, d, j.ID, desk.Result{Card: card}); !errors.Is(err, desk.ErrNone) || len(b.written) != 1 {
			t.Errorf("ended twice: %v, %v", b.written, err)
		}
		if got, err = db.Desk().Get(ctx, j.ID); err != nil || len(got.First)+len(got.Second)+len(got.Reader) != 0 {
			t.Errorf("a job that is over keeps halves: %v", err)
		}
	})
}

// A test of a chip is done whether or not the chip tells its number; what
// contradicts itself, or comes from another card, is none.
func TestR33_WhatAReaderFindsOfAChip(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		ctx, d := t.Context(), desk.Desk{ID: "a"}
		works := desk.Findings{ATR: "3BFF18", Card: card, Files: true, Certificate: true}
		for _, c := range []struct {
			name  string
			card  string
			found *desk.Findings
			code  string // why it failed; empty: done
		}{
			{"works", card, &works, ""},
			{"mute", "", &desk.Findings{}, ""},
			{"no files", "", &desk.Findings{ATR: "3BFF18"}, ""},
			{"the number and no files", card, &desk.Findings{ATR: "3BFF18", Card: card, PINShut: true}, ""},
			{"another card", "6000000900001019", &desk.Findings{ATR: "3BFF18", Card: "6000000900001019"}, "CSE-475"},
			{"nothing found", card, nil, "CSE-001"},
			{"two numbers", card, &desk.Findings{ATR: "3BFF18", Card: "6000000900001019"}, "CSE-001"},
			{"mute and readable", "", &desk.Findings{Certificate: true}, "CSE-001"},
			{"files without a number", "", &desk.Findings{ATR: "3BFF18", Files: true}, "CSE-001"},
			{"no answer to reset", card, &desk.Findings{ATR: "zz", Card: card}, "CSE-001"},
		} {
			j, err := b.Ask(ctx, at("asl-1"), desk.Test, card, "", "a")
			check(t, err)
			_, err = b.Take(ctx, d, newKey(t).PublicKey().Bytes())
			check(t, err)
			check(t, b.Finish(ctx, d, j.ID, desk.Result{Card: c.card, Found: c.found}))
			got, err := b.Tested(ctx, at("asl-1"), j.ID, card)
			if c.code == "" {
				if err != nil || got != *c.found {
					t.Errorf("%s: %+v, %v", c.name, got, err)
				}
				refused(t, "a test is no reading", b.Seen(ctx, at("asl-1"), j.ID, card), "CSE-474")
				continue
			}
			refused(t, c.name, err, "CSE-474")
			if j, err = b.Find(ctx, at("asl-1"), j.ID); err != nil || j.State != desk.Failed || j.Outcome != c.code || len(j.Found) != 0 {
				t.Errorf("%s: %+v, %v", c.name, j, err)
			}
		}
		j, err := b.Ask(ctx, at("asl-1"), desk.Test, card, "", "a")
		check(t, err)
		_, err = b.Take(ctx, d, newKey(t).PublicKey().Bytes())
		check(t, err)
		check(t, b.Finish(ctx, d, j.ID, desk.Result{Card: card, Found: &works}))
		_, err = b.Tested(ctx, at("asl-1"), j.ID, "6000000900001019")
		refused(t, "for another card", err, "CSE-474")
		b.clock.Advance(10 * time.Minute)
		_, err = b.Tested(ctx, at("asl-1"), j.ID, card)
		refused(t, "after ten minutes", err, "CSE-474")
	})
}
