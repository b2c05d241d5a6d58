package store

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"cse.example/cse/issuer/throttle"

	"github.com/google/go-cmp/cmp"

	"cse.example/cse/issuer/counter"
)

func TestDrafts(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		s, ctx := db.Drafts(), t.Context()
		at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
		write := func(d counter.DraftRow) (v int64, err error) {
			err = db.Atomically(ctx, func(ctx context.Context) error { v, err = s.Put(ctx, d); return err })
			return v, err
		}
		row := counter.DraftRow{ID: "d", Operator: "op", Office: "o", Body: []byte{1, 2}, TouchedAt: at}
		if v, err := write(row); err != nil || v != 1 {
			t.Fatalf("first write: %d, %v", v, err)
		}
		if _, err := write(row); !errors.Is(err, counter.ErrStale) {
			t.Errorf("the same draft begun twice: %v", err)
		}
		row.Version, row.Body = 1, []byte{3}
		if v, err := write(row); err != nil || v != 2 {
			t.Errorf("second write: %d, %v", v, err)
		}
		if _, err := write(row); !errors.Is(err, counter.ErrStale) {
			t.Errorf("an old version: %v", err)
		}
		row.Version = 2
		if got, err := s.Get(ctx, "d"); err != nil || cmp.Diff(row, got) != "" {
			t.Errorf("Get: %v\n%s", err, cmp.Diff(row, got))
		}
		prune := func(before time.Time) (n int64) {
			if err := db.Atomically(ctx, func(ctx context.Context) (err error) { n, err = s.Prune(ctx, before); return err }); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := prune(at); n != 0 {
			t.Errorf("pruned %d drafts too early", n)
		}
		if n := prune(at.Add(time.Second)); n != 1 {
			t.Errorf("pruned %d drafts, want 1", n)
		}
		if _, err := s.Get(ctx, "d"); !errors.Is(err, counter.ErrNotFound) {
			t.Errorf("Get of nothing: %v", err)
		}
	})
}

func TestActivations(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		s, ctx := db.Acts(), t.Context()
		at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
		act := func(f func(ctx context.Context) error) {
			t.Helper()
			if err := db.Atomically(ctx, f); err != nil {
				t.Fatal(err)
			}
		}
		row := counter.ActRow{Protocol: "2026/0000001", Kind: counter.KindActivation, Request: "d1", Card: "c", Operator: "op", Office: "o", At: at, Body: []byte{9}}
		for i, want := range []bool{true, false} {
			act(func(ctx context.Context) error {
				ok, err := s.Add(ctx, row)
				if ok != want {
					t.Errorf("Add %d = %v", i, ok)
				}
				return err
			})
		}
		same := row
		same.Protocol = "2026/0000002" // the draft decides, not the number
		act(func(ctx context.Context) error {
			ok, err := s.Add(ctx, same)
			if ok {
				t.Error("one draft was used twice")
			}
			return err
		})
		second := counter.ActRow{Protocol: "2026/0000003", Kind: counter.KindActivation, Request: "d2", Card: "c", Operator: "op", Office: "o", At: at.Add(time.Hour), Body: []byte{8}}
		act(func(ctx context.Context) error { _, err := s.Add(ctx, second); return err })
		elsewhere := counter.ActRow{Protocol: "2026/0000004", Kind: counter.KindActivation, Request: "d3", Card: "c2", Operator: "op", Office: "o2", At: at, Body: []byte{7}}
		act(func(ctx context.Context) error { _, err := s.Add(ctx, elsewhere); return err })
		open := func(office string, limit int, want ...string) {
			t.Helper()
			rows, err := s.Open(ctx, office, limit)
			var got []string
			for _, r := range rows {
				got = append(got, r.Protocol)
			}
			if err != nil || cmp.Diff(want, got) != "" {
				t.Errorf("open at %s, at most %d: %v, %v; want %v", office, limit, got, err, want)
			}
		}
		of := func(office string, from, to time.Time, want ...string) {
			t.Helper()
			rows, err := s.Of(ctx, "op", office, from, to, 10)
			var got []string
			for _, r := range rows {
				got = append(got, r.Protocol)
			}
			if err != nil || cmp.Diff(want, got) != "" {
				t.Errorf("of op at %s: %v, %v; want %v", office, got, err, want)
			}
		}
		of("o", at, at.Add(2*time.Hour), row.Protocol, second.Protocol)
		of("o", at, at.Add(time.Hour), row.Protocol)
		of("o", at.Add(time.Second), at.Add(2*time.Hour), second.Protocol)
		of("o2", at, at.Add(time.Hour), elsewhere.Protocol)
		of("o3", at, at.Add(time.Hour))
		open("o", 10, row.Protocol, second.Protocol)
		open("o", 1, row.Protocol)
		open("o2", 10, elsewhere.Protocol)
		open("o3", 10)
		for i, want := range []bool{true, false} {
			act(func(ctx context.Context) error {
				ok, err := s.Mark(ctx, row.Protocol, counter.StepPrinted, at.Add(time.Duration(i)*time.Minute))
				if ok != want {
					t.Errorf("printed %d = %v", i, ok)
				}
				return err
			})
		}
		act(func(ctx context.Context) error {
			_, err := s.Mark(ctx, row.Protocol, counter.StepHandedOver, at.Add(time.Hour))
			return err
		})
		open("o", 10, second.Protocol)
		row.PrintedAt, row.HandedAt = at, at.Add(time.Hour)
		for _, by := range [][2]string{{row.Protocol, ""}, {"", "d1"}} {
			if got, err := s.Find(ctx, by[0], by[1]); err != nil || cmp.Diff(row, got) != "" {
				t.Errorf("Find%v: %v\n%s", by, err, cmp.Diff(row, got))
			}
		}
		if _, err := s.Find(ctx, "2026/0000009", ""); !errors.Is(err, counter.ErrNotFound) {
			t.Errorf("Find of nothing: %v", err)
		}
		if rows, err := s.ByCard(ctx, "c"); err != nil || len(rows) != 2 || rows[0].Protocol != second.Protocol {
			t.Errorf("ByCard = %v, %v; want the newest first", rows, err)
		}
		if err := db.Atomically(ctx, func(ctx context.Context) error { _, err := s.Mark(ctx, "x", 7, at); return err }); err == nil {
			t.Error("an unknown step was marked")
		}
	})
}

// Protocol numbers have no gap and no double, whoever asks at the same time.
func TestProtocolNumbers(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		const n = 12
		var mu sync.Mutex
		got := map[int64]bool{}
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				var x int64
				err := db.Atomically(t.Context(), func(ctx context.Context) (err error) {
					x, err = db.Acts().NextProtocol(ctx, 2026)
					return err
				})
				mu.Lock()
				defer mu.Unlock()
				if err != nil || x < 1 || x > n || got[x] {
					t.Errorf("number %d, %v", x, err)
				}
				got[x] = true
			})
		}
		wg.Wait()
		err := db.Atomically(t.Context(), func(ctx context.Context) error {
			x, err := db.Acts().NextProtocol(ctx, 2027)
			if x != 1 {
				t.Errorf("the new year begins with %d", x)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestTries(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		s, ctx := db.Tries(), t.Context()
		at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
		if r, err := s.Get(ctx, "x"); err != nil || r != (throttle.Row{}) {
			t.Fatalf("Get of nothing: %v, %v", r, err)
		}
		want := throttle.Row{Failures: 3, LastAt: at, Until: at.Add(8 * time.Second)}
		err := db.Atomically(ctx, func(ctx context.Context) error {
			return errors.Join(s.Put(ctx, "x", throttle.Row{Failures: 2, LastAt: at}), s.Put(ctx, "x", want), s.Put(ctx, "y", want))
		})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := s.Get(ctx, "x"); err != nil || r != want {
			t.Errorf("Get = %v, %v", r, err)
		}
		err = db.Atomically(ctx, func(ctx context.Context) error {
			if err := s.Clear(ctx, "x"); err != nil {
				return err
			}
			n, err := s.Prune(ctx, at.Add(time.Second))
			if n != 1 {
				t.Errorf("pruned %d, want the other subject", n)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			account string
			step    int64
			want    bool
		}{{"a", 100, true}, {"a", 100, false}, {"a", 99, false}, {"a", 101, true}, {"b", 100, true}} {
			err := db.Atomically(ctx, func(ctx context.Context) error {
				ok, err := s.UseTOTP(ctx, c.account, c.step)
				if ok != c.want {
					t.Errorf("UseTOTP(%s, %d) = %v", c.account, c.step, ok)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}
