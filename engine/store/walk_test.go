package store

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/pki/ca"
)

// walked collects everything a walk in pages of two brings.
func walked[T any](t *testing.T, name func(T) string, page func(after string, limit int) ([]T, error)) []string {
	t.Helper()
	var out []string
	for after := ""; ; {
		rows, err := page(after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) == 0 {
			return out
		}
		for _, r := range rows {
			after = name(r)
			out = append(out, after)
		}
	}
}

func TestWalks(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		ctx := t.Context()
		err := db.Atomically(ctx, func(ctx context.Context) error {
			for n, id := range []string{"c", "a", "b"} {
				s := codes.Sealed{
					Card: id, PINFirst: []byte{1}, PINSecond: []byte{1}, PUKFirst: []byte{1}, PUKSecond: []byte{1},
					CIPFirst: []byte{1}, CIPSecond: []byte{1}, CIPMark: []byte(id),
				}
				if err := db.Codes().Put(ctx, s); err != nil {
					return err
				}
				if err := db.PKI().Reserve(ctx, certificateRecord(n)); err != nil {
					return err
				}
				a := counter.ActRow{Protocol: id, Request: id, Card: id, Operator: "op", Office: "o", At: time.Unix(1, 0).UTC(), Body: []byte{1}}
				if _, err := db.Acts().Add(ctx, a); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		same := func(what string, want, got []string) {
			t.Helper()
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s: %s", what, d)
			}
		}
		same("codes", []string{"a", "b", "c"}, walked(t, func(s string) string { return s },
			func(after string, n int) ([]string, error) { return db.Codes().Each(ctx, after, n) }))
		same("activations", []string{"a", "b", "c"}, walked(t, func(a counter.ActRow) string { return a.Protocol },
			func(after string, n int) ([]counter.ActRow, error) {
				return db.Acts().Each(ctx, after, n)
			}))
		same("certificates", []string{certificateRecord(0).Serial, certificateRecord(1).Serial, certificateRecord(2).Serial}, walked(t,
			func(r ca.Record) string { return r.Serial },
			func(after string, n int) ([]ca.Record, error) { return db.PKI().Each(ctx, after, n) }))
	})
}

func TestNotes(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		want := ""
		for _, next := range []string{"2026-11-23", "2026-11-24"} {
			if got, err := db.Noted(t.Context(), "night"); err != nil || got != want {
				t.Fatalf("Noted = %q, %v; want %q", got, err, want)
			}
			err := db.Atomically(t.Context(), func(ctx context.Context) error { return db.Note(ctx, "night", next) })
			if err != nil {
				t.Fatal(err)
			}
			want = next
		}
		if got, err := db.Noted(t.Context(), "night"); err != nil || got != want {
			t.Errorf("Noted = %q, %v; want %q", got, err, want)
		}
	})
}
