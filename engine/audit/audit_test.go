package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cse.example/cse/engine/audit"
	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
)

const anna = "RSSMRA85T10A562S"

func open(t testing.TB, db *store.DB) *audit.Trail {
	t.Helper()
	trail, err := audit.New(audit.Config{
		Conn:       func(ctx context.Context) audit.DBTX { return db.Conn(ctx) },
		Atomically: db.Atomically,
		Clock:      civil.NewHand(time.Date(2026, 11, 23, 11, 0, 0, 123456000, time.UTC)),
		Key:        secret.New(bytes.Repeat([]byte{7}, 32)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return trail
}

func entry(n int) journal.Entry {
	return journal.Entry{
		Act: "card.activated", Actor: "operator-1", Office: "asl-1", Card: fmt.Sprintf("card-%d", n%2), Person: anna,
		Detail: map[string]string{"protocol": fmt.Sprintf("2026/%07d", n), "document": "CIE"},
	}
}

// write records n entries.
func write(t *testing.T, trail *audit.Trail, n int) {
	t.Helper()
	for i := range n {
		if err := trail.Record(t.Context(), entry(i)); err != nil {
			t.Fatal(err)
		}
	}
}

func exec(t *testing.T, db *store.DB, query string, args ...any) {
	t.Helper()
	err := db.Atomically(t.Context(), func(ctx context.Context) error {
		_, err := db.Conn(ctx).ExecContext(ctx, query, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRecordJoinsTheAct(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		trail := open(t, db)
		write(t, trail, 1)
		failed := errors.New("the act failed")
		err := db.Atomically(t.Context(), func(ctx context.Context) error {
			if err := trail.Record(ctx, entry(1)); err != nil {
				return err
			}
			return failed
		})
		if !errors.Is(err, failed) {
			t.Fatal(err)
		}
		write(t, trail, 1)
		head, err := trail.Verify(t.Context())
		if err != nil || head.Index != 2 {
			t.Errorf("Verify = %+v, %v; want two records without a gap", head, err)
		}
	})
}

func TestConcurrentActsFormOneChain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		trail := open(t, db)
		var all sync.WaitGroup
		const writers, each = 8, 10
		for range writers {
			all.Go(func() {
				for i := range each {
					if err := trail.Record(t.Context(), entry(i)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		head, err := trail.Verify(t.Context())
		if err != nil || head.Index != writers*each {
			t.Errorf("Verify = %+v, %v", head, err)
		}
	})
}

func TestTampering(t *testing.T) {
	for _, c := range []struct {
		name, sql string
		index     int64
	}{
		{"act", "UPDATE audit_record SET act = 'card.revoked' WHERE idx = 3", 3},
		{"actor", "UPDATE audit_record SET actor = 'operator-2' WHERE idx = 3", 3},
		{"instant", "UPDATE audit_record SET at = at + 1 WHERE idx = 3", 3},
		{"person", "UPDATE audit_record SET person = '' WHERE idx = 3", 3},
		{"detail", `UPDATE audit_record SET detail = '{"document":"CI"}' WHERE idx = 3`, 3},
		{"moved between fields", "UPDATE audit_record SET office = office || card, card = '' WHERE idx = 3", 3},
		{"sealed", "UPDATE audit_record SET sealed = (SELECT sealed FROM audit_record WHERE idx = 2) WHERE idx = 3", 3},
		{"hash", "UPDATE audit_record SET hash = (SELECT hash FROM audit_record WHERE idx = 2) WHERE idx = 3", 3},
		{"hash that is none", "UPDATE audit_record SET hash = sealed WHERE idx = 3", 3},
		{"the chain of before", "UPDATE audit_record SET chain = 'x' WHERE idx = 3", 3},
		{"said in the open", "UPDATE audit_record SET detail = '{}' WHERE idx = 3", 3},
		{"removed", "DELETE FROM audit_record WHERE idx = 3", 3},
		{"first removed", "DELETE FROM audit_record WHERE idx = 1", 1},
		{"tail cut", "DELETE FROM audit_record WHERE idx >= 4", 4},
		{"head moved", "UPDATE audit_head SET idx = 9", 6},
		{"head set back", "UPDATE audit_head SET idx = 3", 4},
		{"swapped", "UPDATE audit_record SET idx = CASE idx WHEN 2 THEN 102 WHEN 4 THEN 2 ELSE idx END WHERE idx IN (2, 4)", 2},
		{"inserted", "INSERT INTO audit_record SELECT 6, at, act, actor, office, card, person, detail, sealed, chain, hash FROM audit_record WHERE idx = 5", 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				trail := open(t, db)
				write(t, trail, 5)
				if _, err := trail.Verify(t.Context()); err != nil {
					t.Fatal(err)
				}
				exec(t, db, c.sql)
				_, err := trail.Verify(t.Context())
				var broken *audit.Broken
				if !errors.As(err, &broken) || broken.Index != c.index {
					t.Errorf("Verify = %v, want record %d", err, c.index)
				}
			})
		})
	}
}

// Who cuts the tail and sets the head back is found by a deposited head only.
func TestDepositedHead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		trail := open(t, db)
		write(t, trail, 3)
		early, err := trail.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		write(t, trail, 2)
		late, err := trail.Verify(t.Context(), early)
		if err != nil || late.Index != 5 {
			t.Fatalf("Verify = %+v, %v", late, err)
		}
		exec(t, db, "DELETE FROM audit_record WHERE idx > 3")
		exec(t, db, "UPDATE audit_head SET idx = 3")
		if _, err := trail.Verify(t.Context(), early); err != nil {
			t.Errorf("the early head is still there: %v", err)
		}
		var broken *audit.Broken
		if _, err := trail.Verify(t.Context(), late); !errors.As(err, &broken) || broken.Index != 4 {
			t.Errorf("Verify = %v, want record 4", err)
		}
		if _, err := trail.Verify(t.Context(), audit.Head{Index: 2, Hash: early.Hash}); !errors.As(err, &broken) || broken.Index != 2 {
			t.Errorf("Verify = %v, want record 2", err)
		}
	})
}

func TestWhatHappened(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		trail := open(t, db)
		write(t, trail, 4)
		other := entry(9)
		other.Person, other.Detail = "BNCGLI85D52D612X", map[string]string{"note": "mail to anna@esempio.it for " + anna}
		if err := trail.Record(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		if err := trail.Record(t.Context(), journal.Entry{Act: "crl.published", Actor: "system:ca"}); err != nil {
			t.Fatal(err)
		}
		numbers := func(rows []audit.Record, err error) string {
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, r := range rows {
				fmt.Fprintf(&b, "%d ", r.Index)
			}
			return b.String()
		}
		for _, c := range []struct{ name, got, want string }{
			{"card", numbers(trail.ByCard(t.Context(), "card-1", 0, 0)), "2 4 5 "},
			{"card, second page", numbers(trail.ByCard(t.Context(), "card-1", 2, 1)), "4 "},
			{"person", numbers(trail.ByPerson(t.Context(), strings.ToLower(anna), 0, 0)), "1 2 3 4 "},
			{"nobody", numbers(trail.ByPerson(t.Context(), "", 0, 0)), ""},
			{"card, newest first", numbers(trail.LastByCard(t.Context(), "card-1", 2)), "5 4 "},
			{"person, newest first", numbers(trail.LastByPerson(t.Context(), anna, 3)), "4 3 2 "},
			{"nobody, newest first", numbers(trail.LastByPerson(t.Context(), "", 3)), ""},
			{"all", numbers(trail.Page(t.Context(), 3, 2)), "4 5 "},
		} {
			if c.got != c.want {
				t.Errorf("%s: %s, want %s", c.name, c.got, c.want)
			}
		}
		list, err := trail.Page(t.Context(), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), anna) || strings.Contains(string(b), "esempio.it") {
			t.Errorf("personal data in the trail: %s", b)
		}
		first := list[0]
		want := audit.Record{
			Index: 1, At: time.Date(2026, 11, 23, 11, 0, 0, 123456000, time.UTC), Act: "card.activated", Actor: "operator-1", Office: "asl-1", Card: "card-0",
			Person: first.Person, Detail: entry(0).Detail, Hash: first.Hash,
		}
		if diff := cmp.Diff(want, first); diff != "" || len(list) != 6 || len(first.Person) != 32 {
			t.Errorf("%d records, the first differs: %s", len(list), diff)
		}
	})
}

func TestRefusals(t *testing.T) {
	trail := open(t, storetest.SQLite(t))
	for _, e := range []journal.Entry{{}, {Act: "x"}, {Actor: "x"}} {
		if err := trail.Record(t.Context(), e); err == nil {
			t.Errorf("recorded %+v", e)
		}
	}
	if _, err := audit.New(audit.Config{}); err == nil {
		t.Error("an empty Config was accepted")
	}
}
