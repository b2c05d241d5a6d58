package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/lifecycle"
)

func someCard(id, team string) lifecycle.Card {
	at := time.Date(2026, 11, 23, 9, 30, 0, 123000, time.UTC)
	return lifecycle.Card{
		ID: id, TEAM: team, CF: "RSSMRA85T10A562S", Model: lifecycle.TSCNS, State: lifecycle.Shipped,
		Issued: civil.Date{Year: 2026, Month: 11, Day: 23}, Expires: civil.Date{Year: 2032, Month: 11, Day: 23},
		ExpiryReason: lifecycle.WhyYears, Batch: "B1", CertSerial: "0a" + id, CertExpires: civil.Date{Year: 2032, Month: 11, Day: 23},
		Replaces: "old", ReplacedBy: "new", OrderedAt: at, ShippedAt: at.Add(1e9), DeliveredAt: at.Add(2e9), ActivatedAt: at.Add(3e9),
		SuspendedAt: at.Add(4e9), RevokedAt: at.Add(5e9), EndedAt: at.Add(6e9), Reason: lifecycle.Loss,
	}
}

func put(t *testing.T, db *DB, c lifecycle.Card) (lifecycle.Card, error) {
	t.Helper()
	var got lifecycle.Card
	err := db.Atomically(t.Context(), func(ctx context.Context) (err error) {
		got, err = db.Cards().Put(ctx, c)
		return err
	})
	return got, err
}

func TestCards(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		s, ctx := db.Cards(), t.Context()
		if _, err := s.Get(ctx, "1"); !errors.Is(err, lifecycle.ErrUnknown) {
			t.Fatalf("Get of nothing: %v", err)
		}
		want, err := put(t, db, someCard("1", "t1"))
		if err != nil {
			t.Fatal(err)
		}
		other := someCard("2", "t2")
		other.OrderedAt = other.OrderedAt.Add(time.Hour)
		if _, err := put(t, db, other); err != nil {
			t.Fatal(err)
		}
		got, err := s.Get(ctx, "1")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("written and read differ: %s", d)
		}
		if c, err := s.ByTEAM(ctx, "t2"); err != nil || c.ID != "2" {
			t.Errorf("ByTEAM = %v, %v", c.ID, err)
		}
		if c, err := s.ByCertificate(ctx, "0a1"); err != nil || c.ID != "1" {
			t.Errorf("ByCertificate = %v, %v", c.ID, err)
		}
		if _, err := s.ByCertificate(ctx, ""); !errors.Is(err, lifecycle.ErrUnknown) {
			t.Errorf("ByCertificate of nothing: %v", err)
		}
		cs, err := s.ByPerson(ctx, want.CF)
		if err != nil || len(cs) != 2 || cs[0].ID != "2" {
			t.Errorf("ByPerson = %v, %v; want the newest first", cs, err)
		}
		if cs, err := s.ByState(ctx, lifecycle.Shipped, "1", 5); err != nil || len(cs) != 1 || cs[0].ID != "2" {
			t.Errorf("ByState after 1 = %v, %v", cs, err)
		}
		if cs, err := s.ByBatch(ctx, "B1", "", 1); err != nil || len(cs) != 1 || cs[0].ID != "1" {
			t.Errorf("ByBatch = %v, %v", cs, err)
		}
		if n, err := s.Counts(ctx); err != nil || len(n) != 1 || n[0] != (CardCount{lifecycle.Shipped, lifecycle.TSCNS, 2}) {
			t.Errorf("Counts = %v, %v", n, err)
		}
	})
}

func TestCardsCompareAndSet(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		c, err := put(t, db, someCard("1", "t1"))
		if err != nil {
			t.Fatal(err)
		}
		a := c
		a.State = lifecycle.Active
		if a, err = put(t, db, a); err != nil || a.Version != 2 {
			t.Fatalf("first write: version %d, %v", a.Version, err)
		}
		c.State = lifecycle.Revoked
		if _, err := put(t, db, c); !errors.Is(err, lifecycle.ErrStale) {
			t.Errorf("a second writer of the same version: %v", err)
		}
		if _, err := put(t, db, someCard("1", "t9")); !errors.Is(err, lifecycle.ErrStale) {
			t.Errorf("the same number ordered twice: %v", err)
		}
		if _, err := put(t, db, someCard("9", "t1")); !errors.Is(err, lifecycle.ErrStale) {
			t.Errorf("the same TEAM number ordered twice: %v", err)
		}
		if got, err := db.Cards().Get(t.Context(), "1"); err != nil || got.State != lifecycle.Active {
			t.Errorf("after the quarrel: %v, %v", got.State, err)
		}
	})
}
