package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/production/exchange"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

func act(t *testing.T, db *DB, do func(ctx context.Context) error) {
	t.Helper()
	if err := db.Atomically(t.Context(), do); err != nil {
		t.Fatal(err)
	}
}

func TestCandidates(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		type variant struct {
			name  string
			edit  func(*registry.Person)
			cards []lifecycle.Card
			want  bool
		}
		soon, gone := day(t, "2032-01-01"), day(t, "2026-11-22")
		variants := []variant{
			{"no card", func(*registry.Person) {}, nil, true},
			{"dead", func(p *registry.Person) { p.Died = day(t, "2026-11-23") }, nil, false},
			{"not assisted", func(p *registry.Person) {
				p.AssistedFrom = day(t, "2026-11-24")
				p.AssistedUntil = day(t, "2027-11-24")
			}, nil, false},
			{"no longer assisted", func(p *registry.Person) { p.AssistedUntil = gone }, nil, false},
			{"last day", func(p *registry.Person) { p.AssistedUntil = day(t, "2026-11-23") }, nil, true},
			{"card ordered", func(*registry.Person) {}, []lifecycle.Card{{State: lifecycle.Ordered, Expires: soon}}, false},
			{"card over", func(*registry.Person) {}, []lifecycle.Card{{State: lifecycle.Active, Expires: gone}}, true},
			{"card revoked", func(*registry.Person) {}, []lifecycle.Card{{State: lifecycle.Revoked, Expires: soon}}, true},
		}
		want := map[string]bool{}
		for i, v := range variants {
			p := rossi(t)
			p.Died, p.Born, p.Surname = civil.Date{}, day(t, "1970-01-01").AddDays(i), v.name
			v.edit(&p)
			cf, err := codicefiscale.Compute(codicefiscale.Person{Surname: "Rossi", Name: "Mario", Born: p.Born, Sex: "M", Belfiore: "D612"})
			if err != nil {
				t.Fatal(err)
			}
			p.CF = cf
			putPeople(t, db, p)
			for n, c := range v.cards {
				c.ID, c.TEAM, c.CF, c.Model = string(cf)+string(rune('a'+n)), string(cf), cf, lifecycle.TSCNS
				act(t, db, func(ctx context.Context) error { _, err := db.Cards().Put(ctx, c); return err })
			}
			if v.want {
				want[v.name] = true
			}
		}
		got, after := map[string]bool{}, codicefiscale.Code("")
		for {
			page, err := db.Orders().Candidates(t.Context(), day(t, "2026-11-23"), after, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, p := range page {
				got[p.Surname] = true
			}
			after = page[len(page)-1].CF
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSeriesAndExceptions(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		var got []uint64
		for _, n := range []int{1, 3, 1} {
			act(t, db, func(ctx context.Context) error {
				first, err := db.Orders().Serials(ctx, "card", n)
				got = append(got, first)
				return err
			})
		}
		if diff := cmp.Diff([]uint64{1, 2, 5}, got); diff != "" {
			t.Error(diff)
		}
		first := time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)
		act(t, db, func(ctx context.Context) error {
			return errors.Join(
				db.Orders().PutException(ctx, production.Exception{CF: "A", Reason: "x", Since: first}),
				db.Orders().PutException(ctx, production.Exception{CF: "A", Reason: "y", Field: "f", Since: first.Add(time.Hour)}),
				db.Orders().PutException(ctx, production.Exception{CF: "B", Reason: "z", Since: first}),
				db.Orders().DropException(ctx, "B"),
			)
		})
		list, err := db.Orders().Exceptions(t.Context(), "", 10)
		if diff := cmp.Diff([]production.Exception{{CF: "A", Reason: "y", Field: "f", Since: first}}, list); diff != "" || err != nil {
			t.Error(diff, err)
		}
	})
}

func TestBatches(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		b := production.Batch{
			ID: "2026-11-23-0001", State: production.Filling, Cards: 2, Chips: 1, CreatedAt: time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC),
			OrderSignature: []byte{1}, CertificatesSignature: []byte{2}, KeysSum: []byte{3}, ReceiptSum: []byte{4}, Made: 1, Spoiled: 1,
		}
		act(t, db, func(ctx context.Context) (err error) { b, err = db.Batches().Put(ctx, b); return err })
		got, err := db.Batches().Get(t.Context(), b.ID)
		if diff := cmp.Diff(b, got); diff != "" || err != nil {
			t.Error(diff, err)
		}
		stale := b
		b.State = production.Sent
		act(t, db, func(ctx context.Context) (err error) { b, err = db.Batches().Put(ctx, b); return err })
		err = db.Atomically(t.Context(), func(ctx context.Context) error { _, err := db.Batches().Put(ctx, stale); return err })
		if !errors.Is(err, production.ErrRaced) {
			t.Errorf("stale write: %v", err)
		}
		for open, want := range map[bool]int{true: 0, false: 1} {
			if list, err := db.Batches().List(t.Context(), open); len(list) != want || err != nil {
				t.Errorf("open %v: %d %v", open, len(list), err)
			}
		}
		if _, err := db.Batches().Get(t.Context(), "x"); !errors.Is(err, production.ErrUnknown) {
			t.Errorf("unknown: %v", err)
		}
		full := production.Item{
			Batch: b.ID, Card: "6090000000010021", Chip: true, Job: []byte{1}, Certificate: []byte{2}, Personal: []byte{3}, SPKI: []byte{4},
			Refused: "CSE-194", Outcome: exchange.Spoiled,
		}
		bare := production.Item{Batch: b.ID, Card: "6090000000020020"}
		act(t, db, func(ctx context.Context) error {
			return errors.Join(db.Batches().PutItem(ctx, bare), db.Batches().PutItem(ctx, bare), db.Batches().PutItem(ctx, full))
		})
		items, err := db.Batches().Items(t.Context(), b.ID, "", 10)
		if diff := cmp.Diff([]production.Item{full, bare}, items); diff != "" || err != nil {
			t.Error(diff, err)
		}
		if items, err := db.Batches().Items(t.Context(), b.ID, full.Card, 10); len(items) != 1 || err != nil {
			t.Errorf("after the first: %v %v", items, err)
		}
	})
}
