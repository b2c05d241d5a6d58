package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cse.example/cse/issuer/contacts"
	"cse.example/cse/issuer/entitlement"
)

func same(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestContacts(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		s, ctx, at := db.Contacts(), t.Context(), time.Date(2026, 11, 23, 9, 30, 0, 123000, time.UTC)
		if _, err := s.GetContact(ctx, "p"); !errors.Is(err, contacts.ErrNone) {
			t.Fatalf("nobody: %v", err)
		}
		one := contacts.Row{Person: "p", Address: "a", At: at, Body: []byte("1")}
		two := contacts.Row{Person: "q", Address: "b", At: at, Body: []byte("2")}
		for _, r := range []contacts.Row{{Person: "p", Address: "b", At: at, Body: []byte("0")}, one, two} {
			act(t, db, func(ctx context.Context) error { return s.PutContact(ctx, r) })
		}
		got, err := s.GetContact(ctx, "p")
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, one)
		list, err := s.ContactsAt(ctx, "b", 9)
		if err != nil {
			t.Fatal(err)
		}
		same(t, list, []contacts.Row{two})

		waits := contacts.ChangeRow{Person: "p", Until: at, Effective: at.Add(time.Hour), Body: []byte("w")}
		codes := contacts.ChangeRow{Person: "q", Until: at, Body: []byte("c")}
		act(t, db, func(ctx context.Context) error {
			return errors.Join(s.PutChange(ctx, contacts.ChangeRow{Person: "p", Until: at, Body: []byte("x")}), s.PutChange(ctx, waits), s.PutChange(ctx, codes))
		})
		for _, x := range []struct {
			after time.Duration
			want  int
		}{{0, 0}, {time.Hour - time.Microsecond, 0}, {time.Hour, 1}} {
			due, err := s.DueChanges(ctx, at.Add(x.after), 9)
			if err != nil || len(due) != x.want {
				t.Errorf("%s: %d due, %v; want %d", x.after, len(due), err, x.want)
			}
		}
		change, err := s.GetChange(ctx, "p")
		if err != nil {
			t.Fatal(err)
		}
		same(t, change, waits)
		act(t, db, func(ctx context.Context) error {
			n, err := s.PruneChanges(ctx, at.Add(time.Second))
			if n != 1 {
				t.Errorf("pruned %d, want 1", n)
			}
			return errors.Join(err, s.DeleteChange(ctx, "p"))
		})
		for _, p := range []string{"p", "q"} {
			if _, err := s.GetChange(ctx, p); !errors.Is(err, contacts.ErrNone) {
				t.Errorf("%s: %v", p, err)
			}
		}
		for n, want := range []bool{true, false, true} {
			notice := []string{"expiry-90", "expiry-90", "expiry-60"}[n]
			act(t, db, func(ctx context.Context) error {
				got, err := s.AddNotice(ctx, "card", notice, at)
				if got != want {
					t.Errorf("%d: %v, want %v", n, got, want)
				}
				return err
			})
		}
	})
}

func TestTEAMCertificates(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		s, ctx, at := db.TEAMCertificates(), t.Context(), time.Date(2026, 11, 23, 9, 30, 0, 123000, time.UTC)
		row := func(id, request string) entitlement.Row {
			return entitlement.Row{ID: id, Request: request, Person: "p", At: at, Body: []byte(id)}
		}
		for _, x := range []struct {
			id, request string
			want        bool
		}{{"1", "a", true}, {"2", "a", false}, {"1", "b", false}, {"3", "c", true}} {
			act(t, db, func(ctx context.Context) error {
				got, err := s.AddCertificate(ctx, row(x.id, x.request))
				if got != x.want {
					t.Errorf("%s %s: %v", x.id, x.request, got)
				}
				return err
			})
		}
		for _, x := range [][2]string{{"1", ""}, {"", "a"}} {
			got, err := s.FindCertificate(ctx, x[0], x[1])
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, row("1", "a"))
		}
		if _, err := s.FindCertificate(ctx, "9", ""); !errors.Is(err, entitlement.ErrNone) {
			t.Errorf("none: %v", err)
		}
		for _, want := range []bool{true, false} {
			act(t, db, func(ctx context.Context) error {
				got, err := s.EndCertificate(ctx, "1", "revoked", at.Add(time.Hour))
				if got != want {
					t.Errorf("ended: %v, want %v", got, want)
				}
				return err
			})
		}
		open, err := s.OpenCertificates(ctx, "", 9)
		if err != nil {
			t.Fatal(err)
		}
		same(t, open, []entitlement.Row{row("3", "c")})
		mine, err := s.CertificatesOf(ctx, "p")
		if err != nil || len(mine) != 2 || mine[0].Ended+mine[1].Ended != "revoked" {
			t.Errorf("%v %v", mine, err)
		}
	})
}
