package store

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cse.example/cse/issuer/codes"
)

func TestCodes(t *testing.T) {
	sealed := func(card, mark string) codes.Sealed {
		return codes.Sealed{
			Card: card, Version: 3, PINFirst: []byte("a"), PINSecond: []byte("b"), PUKFirst: []byte("c"),
			PUKSecond: []byte("d"), CIPFirst: []byte("e"), CIPSecond: []byte{0, 0xFF}, CIPMark: []byte(mark),
		}
	}
	eachEngine(t, func(t *testing.T, db *DB) {
		s, ctx := db.Codes(), t.Context()
		keep := func(c codes.Sealed) error {
			return db.Atomically(ctx, func(ctx context.Context) error { return s.Put(ctx, c) })
		}
		if err := keep(sealed("1", "m1")); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(ctx, "1"); err != nil || cmp.Diff(sealed("1", "m1"), got) != "" {
			t.Errorf("Get = %v, %v", got, err)
		}
		if err := keep(sealed("1", "m2")); !errors.Is(err, codes.ErrTaken) {
			t.Errorf("a second set for one card: %v", err)
		}
		if err := keep(sealed("2", "m1")); !errors.Is(err, codes.ErrTaken) {
			t.Errorf("one CIP for two cards: %v", err)
		}
		if card, err := s.ByMark(ctx, []byte("m1")); err != nil || card != "1" {
			t.Errorf("ByMark = %q, %v", card, err)
		}
		for range 2 { // the second time there is nothing left to destroy
			if err := db.Atomically(ctx, func(ctx context.Context) error { return s.Destroy(ctx, "1") }); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Get(ctx, "1"); !errors.Is(err, codes.ErrNone) {
			t.Errorf("Get after Destroy: %v", err)
		}
		if _, err := s.ByMark(ctx, []byte("m1")); !errors.Is(err, codes.ErrNone) {
			t.Errorf("ByMark after Destroy: %v", err)
		}
		if n, err := s.Count(ctx); err != nil || n != 0 {
			t.Errorf("Count = %d, %v", n, err)
		}
	})
}
