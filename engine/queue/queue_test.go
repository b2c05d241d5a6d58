package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cse.example/cse/engine/queue"
	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/effect"
)

func mail(key string) effect.Effect {
	return effect.Effect{Key: key, Kind: "mail", Card: "6030010000000018", Body: []byte("body of " + key)}
}

// recorder is a handler that remembers what it was given and answers what it is told.
type recorder struct {
	got     []string
	answers []error
}

func (r *recorder) handle(_ context.Context, e effect.Effect, attempt int) error {
	r.got = append(r.got, fmt.Sprintf("%s#%d:%s", e.Key, attempt, e.Body))
	if len(r.answers) == 0 {
		return nil
	}
	a := r.answers[0]
	r.answers = r.answers[1:]
	return a
}

func (r *recorder) handlers() map[string]effect.Handler {
	return map[string]effect.Handler{"mail": r.handle}
}

func (b bench) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b bench) run(t *testing.T, r *recorder) int {
	t.Helper()
	n, err := b.RunOnce(t.Context(), r.handlers())
	b.must(t, err)
	return n
}

func (b bench) state(t *testing.T, key string) string {
	t.Helper()
	item, err := b.Get(t.Context(), key)
	b.must(t, err)
	return item.State
}

// body is what the table holds, sealed; nil when destroyed.
func (b bench) body(t *testing.T, key string) []byte {
	t.Helper()
	var body []byte
	b.must(t, b.db.Conn(t.Context()).QueryRowContext(t.Context(), "SELECT body FROM effect WHERE key = $1", key).Scan(&body))
	return body
}

func (b bench) sound(t *testing.T) {
	t.Helper()
	bad, err := b.Check(t.Context())
	b.must(t, err)
	if len(bad) > 0 {
		t.Errorf("Check: %s", strings.Join(bad, "\n"))
	}
}

func TestEnqueueJoinsTheAct(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, nil)
		failed := errors.New("the act failed")
		err := db.Atomically(t.Context(), func(ctx context.Context) error {
			if err := b.Enqueue(ctx, mail("a")); err != nil {
				return err
			}
			return failed
		})
		if !errors.Is(err, failed) {
			t.Fatal(err)
		}
		if _, err := b.Get(t.Context(), "a"); !errors.Is(err, queue.ErrUnknown) {
			t.Errorf("after a rolled back act, Get = %v", err)
		}
	})
}

func TestDoneOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b, r := open(t, db, nil), &recorder{}
		for range 2 { // the same key asks once
			b.must(t, b.Enqueue(t.Context(), mail("a")))
		}
		if sealed := b.body(t, "a"); len(sealed) == 0 || bytes.Contains(sealed, []byte("body")) {
			t.Errorf("the body at rest is %q", sealed)
		}
		b.run(t, r)
		b.run(t, r)
		if diff := cmp.Diff([]string{"a#1:body of a"}, r.got); diff != "" {
			t.Error(diff)
		}
		if b.state(t, "a") != queue.Done || b.body(t, "a") != nil {
			t.Errorf("state %s, body %v", b.state(t, "a"), b.body(t, "a"))
		}
		// Asked again after it was done: still once.
		b.must(t, b.Enqueue(t.Context(), mail("a")))
		if n := b.run(t, r); n != 0 {
			t.Errorf("performed %d again", n)
		}
		b.sound(t)
	})
}

func TestOutcomes(t *testing.T) {
	away := errors.New("451 try later, anna@esempio.it")
	for _, c := range []struct {
		name    string
		policy  queue.Policy
		answers []error
		state   string
		calls   int
		body    bool
	}{
		{"done", queue.Policy{}, nil, queue.Done, 1, false},
		{"comes back", queue.Policy{}, []error{away, away}, queue.Done, 3, false},
		{"permanent", queue.Policy{}, []error{fmt.Errorf("550: %w", effect.ErrPermanent)}, queue.Failed, 1, true},
		{"uncertain", queue.Policy{}, []error{fmt.Errorf("lost: %w", effect.ErrUncertain)}, queue.Uncertain, 1, true},
		{"uncertain, sent again", queue.Policy{Resend: time.Minute}, []error{effect.ErrUncertain}, queue.Done, 2, false},
		{"tries used up", queue.Policy{Attempts: 2}, []error{away, away}, queue.Failed, 2, true},
		{"held", queue.Policy{Held: true}, nil, queue.Done, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				b, r := open(t, db, map[string]queue.Policy{"mail": c.policy}), &recorder{answers: c.answers}
				b.must(t, b.Enqueue(t.Context(), mail("a")))
				for range 5 {
					b.run(t, r)
					b.clock.Advance(time.Hour)
				}
				if got := b.state(t, "a"); got != c.state {
					t.Errorf("state %s, want %s", got, c.state)
				}
				if len(r.got) != c.calls {
					t.Errorf("performed %q, want %d times", r.got, c.calls)
				}
				if got := b.body(t, "a") != nil; got != c.body {
					t.Errorf("body kept: %v, want %v", got, c.body)
				}
				item, err := b.Get(t.Context(), "a")
				b.must(t, err)
				if strings.Contains(item.LastError, "anna") {
					t.Errorf("an address in last_error: %s", item.LastError)
				}
				b.sound(t)
			})
		})
	}
}

func TestWaits(t *testing.T) {
	b := open(t, storetest.SQLite(t), nil)
	away := errors.New("away")
	r := &recorder{answers: []error{away, away, away}}
	e := mail("a")
	e.NotBefore = noon.Add(time.Hour)
	b.must(t, b.Enqueue(t.Context(), e))
	for _, c := range []struct {
		after time.Duration
		want  int // attempts so far
	}{
		{0, 0},
		{time.Hour - time.Microsecond, 0},
		{time.Microsecond, 1}, // due to the microsecond
		{time.Second - time.Microsecond, 1},
		{time.Microsecond, 2}, // 1 s after the first
		{time.Second, 2},
		{time.Second, 3}, // 2 s after the second
		{4*time.Second - time.Microsecond, 3},
		{time.Microsecond, 4}, // 4 s after the third
	} {
		b.clock.Advance(c.after)
		b.run(t, r)
		if len(r.got) != c.want {
			t.Fatalf("at %v: %d attempts, want %d", b.clock.Now().Sub(noon), len(r.got), c.want)
		}
	}
}

func TestLostLease(t *testing.T) {
	for _, c := range []struct{ lost, want string }{{"", queue.Pending}, {queue.Pending, queue.Pending}, {queue.Uncertain, queue.Uncertain}} {
		storetest.Each(t, func(t *testing.T, db *store.DB) {
			policies := map[string]queue.Policy{"mail": {Lost: c.lost, Lease: time.Minute, Backoff: func(int) time.Duration { return 0 }}}
			b := open(t, db, policies)
			b.must(t, b.Enqueue(t.Context(), mail("a")))
			crash(t, db, "a", b.clock.Now().Add(time.Minute))
			b.run(t, &recorder{}) // the lease still runs: nobody touches it
			if got := b.state(t, "a"); got != queue.Leased {
				t.Fatalf("before the lease ran out: %s", got)
			}
			b.clock.Advance(time.Minute)
			if bad, _ := b.Check(t.Context()); len(bad) != 1 {
				t.Errorf("Check does not see the lost lease: %q", bad)
			}
			// A worker of another kind leaves it alone, a handler that refuses shows the state.
			b.must(t, func() error {
				_, err := b.RunOnce(t.Context(), map[string]effect.Handler{"print": nil})
				return err
			}())
			if got := b.state(t, "a"); got != queue.Leased {
				t.Fatalf("touched by another kind's worker: %s", got)
			}
			r := &recorder{}
			b.run(t, r)
			if c.want == queue.Pending {
				if diff := cmp.Diff([]string{"a#2:body of a"}, r.got); diff != "" {
					t.Error(diff)
				}
			} else if b.state(t, "a") != c.want || len(r.got) != 0 {
				t.Errorf("state %s after %q", b.state(t, "a"), r.got)
			}
			b.sound(t)
		})
	}
}

// crash leaves key as a worker killed in mid-attempt does.
func crash(t *testing.T, db *store.DB, key string, until time.Time) {
	t.Helper()
	err := db.Atomically(t.Context(), func(ctx context.Context) error {
		_, err := db.Conn(ctx).ExecContext(ctx, "UPDATE effect SET state = 'leased', attempts = attempts + 1, lease_until = $1 WHERE key = $2", until.UnixMicro(), key)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestReclaim(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, map[string]queue.Policy{"mail": {Lost: queue.Uncertain}})
		print := mail("p")
		print.Kind = "print"
		b.must(t, b.Enqueue(t.Context(), mail("m")))
		b.must(t, b.Enqueue(t.Context(), print))
		b.must(t, b.Enqueue(t.Context(), mail("waiting")))
		crash(t, db, "m", noon.Add(time.Hour))
		crash(t, db, "p", noon.Add(time.Hour))
		if n, err := b.Reclaim(t.Context(), "notice"); err != nil || n != 0 {
			t.Fatalf("leases of another kind: Reclaim = %d, %v", n, err)
		}
		if n, err := b.Reclaim(t.Context(), "notice", "print"); err != nil || n != 1 || b.state(t, "m") != queue.Leased {
			t.Fatalf("one kind: Reclaim = %d, %v, and the other is %s", n, err, b.state(t, "m"))
		}
		crash(t, db, "p", noon.Add(time.Hour))
		n, err := b.Reclaim(t.Context())
		if err != nil || n != 2 {
			t.Fatalf("Reclaim = %d, %v", n, err)
		}
		got := []string{b.state(t, "m"), b.state(t, "p"), b.state(t, "waiting")}
		if diff := cmp.Diff([]string{queue.Uncertain, queue.Pending, queue.Pending}, got); diff != "" {
			t.Error(diff)
		}
		b.sound(t)
	})
}

func TestPanicIsLost(t *testing.T) {
	b := open(t, storetest.SQLite(t), map[string]queue.Policy{"mail": {Lost: queue.Uncertain}})
	b.must(t, b.Enqueue(t.Context(), mail("a")))
	_, err := b.RunOnce(t.Context(), map[string]effect.Handler{"mail": func(context.Context, effect.Effect, int) error { panic("boom") }})
	b.must(t, err)
	item, err := b.Get(t.Context(), "a")
	b.must(t, err)
	if item.State != queue.Uncertain || !strings.Contains(item.LastError, "boom") {
		t.Errorf("%s: %s", item.State, item.LastError)
	}
}

func TestDrop(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, map[string]queue.Policy{"print": {Held: true}})
		held := mail("held")
		held.Kind = "print"
		for _, e := range []effect.Effect{mail("pending"), mail("done"), held, mail("under way")} {
			b.must(t, b.Enqueue(t.Context(), e))
		}
		nop := func(context.Context, effect.Effect, int) error { return nil }
		b.must(t, b.Do(t.Context(), "done", nop))
		b.must(t, b.Do(t.Context(), "held", nop))
		// Dropped while the handler runs: the outcome comes too late to count.
		b.must(t, b.Do(t.Context(), "under way", func(ctx context.Context, _ effect.Effect, _ int) error {
			return b.Drop(ctx, "under way")
		}))
		for _, key := range []string{"pending", "done", "held", "nobody knows it"} {
			b.must(t, b.Drop(t.Context(), key))
		}
		for key, want := range map[string]string{"pending": queue.Dropped, "done": queue.Done, "held": queue.Dropped, "under way": queue.Dropped} {
			if got := b.state(t, key); got != want || b.body(t, key) != nil {
				t.Errorf("%s: %s, want %s; body kept: %v", key, got, want, b.body(t, key) != nil)
			}
		}
		if item, _ := b.Get(t.Context(), "under way"); item.LastError == "" {
			t.Error("nothing says that the dropped effect may have left")
		}
		b.sound(t)
	})
}

func TestHeldUntilReleased(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, map[string]queue.Policy{"mail": {Held: true}})
		b.must(t, b.Enqueue(t.Context(), mail("a")))
		var state *queue.StateError
		if err := b.Release(t.Context(), "a"); !errors.As(err, &state) || state.State != queue.Pending {
			t.Errorf("released before it was done: %v", err)
		}
		r := &recorder{}
		b.must(t, b.Do(t.Context(), "a", r.handle))
		if err := b.Do(t.Context(), "a", r.handle); !errors.As(err, &state) || state.State != queue.Done {
			t.Errorf("printed twice: %v", err)
		}
		e, err := b.Open(t.Context(), "a")
		if err != nil || string(e.Body) != "body of a" {
			t.Errorf("Open = %q, %v", e.Body, err)
		}
		b.must(t, b.Release(t.Context(), "a"))
		b.must(t, b.Release(t.Context(), "a"))
		if _, err := b.Open(t.Context(), "a"); !errors.As(err, &state) {
			t.Errorf("Open after Release: %v", err)
		}
		if b.body(t, "a") != nil || len(r.got) != 1 {
			t.Errorf("body %v, performed %q", b.body(t, "a"), r.got)
		}
		b.sound(t)
	})
}

func TestResolve(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, nil)
		r := &recorder{answers: []error{effect.ErrUncertain, effect.ErrUncertain, effect.ErrPermanent}}
		for _, key := range []string{"a", "b", "c"} {
			b.must(t, b.Enqueue(t.Context(), mail(key)))
		}
		b.run(t, r)
		b.must(t, b.Resolve(t.Context(), "a", queue.TakenAsDone))
		b.must(t, b.Resolve(t.Context(), "b", queue.Resend))
		b.must(t, b.Resolve(t.Context(), "c", queue.Resend))
		b.run(t, r)
		want := []string{"a#1:body of a", "b#1:body of b", "c#1:body of c", "b#2:body of b", "c#2:body of c"}
		if diff := cmp.Diff(want, r.got); diff != "" {
			t.Error(diff)
		}
		var state *queue.StateError
		if err := b.Resolve(t.Context(), "a", queue.Resend); !errors.As(err, &state) {
			t.Errorf("resolved what is done: %v", err)
		}
		if err := b.Resolve(t.Context(), "a", 0); err == nil {
			t.Error("resolved with nothing")
		}
		b.sound(t)
	})
}

func TestList(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, nil)
		r := &recorder{}
		b.must(t, b.Enqueue(t.Context(), mail("a")))
		b.run(t, r)
		other := mail("b")
		other.Card = "6030010000000026"
		b.must(t, b.Enqueue(t.Context(), other))
		b.must(t, b.Enqueue(t.Context(), mail("c")))
		for _, c := range []struct {
			f    queue.Filter
			want string
		}{
			{queue.Filter{}, "a b c"},
			{queue.Filter{State: queue.Pending}, "b c"},
			{queue.Filter{Card: mail("").Card}, "a c"},
			{queue.Filter{Kind: "print"}, ""},
			{queue.Filter{After: "a", Limit: 1}, "b"},
		} {
			items, err := b.List(t.Context(), c.f)
			b.must(t, err)
			var keys []string
			for _, i := range items {
				keys = append(keys, i.Key)
			}
			if got := strings.Join(keys, " "); got != c.want {
				t.Errorf("List(%+v) = %s, want %s", c.f, got, c.want)
			}
		}
		counts, err := b.Counts(t.Context())
		b.must(t, err)
		if diff := cmp.Diff([]queue.Count{{Kind: "mail", State: queue.Done, N: 1}, {Kind: "mail", State: queue.Pending, N: 2}}, counts); diff != "" {
			t.Error(diff)
		}
	})
}

func TestBodiesCannotBeSwapped(t *testing.T) {
	b := open(t, storetest.SQLite(t), nil)
	b.must(t, b.Enqueue(t.Context(), mail("a")))
	b.must(t, b.Enqueue(t.Context(), mail("b")))
	b.must(t, b.db.Atomically(t.Context(), func(ctx context.Context) error {
		_, err := b.db.Conn(ctx).ExecContext(ctx, "UPDATE effect SET body = (SELECT body FROM effect WHERE key = 'b') WHERE key = 'a'")
		return err
	}))
	if bad, err := b.Check(t.Context()); err != nil || len(bad) != 1 {
		t.Errorf("Check = %q, %v", bad, err)
	}
	r := &recorder{}
	b.run(t, r)
	if diff := cmp.Diff([]string{"b#1:body of b"}, r.got); diff != "" {
		t.Error(diff)
	}
	if got := b.state(t, "a"); got != queue.Failed {
		t.Errorf("a is %s", got)
	}
}

func TestRefusals(t *testing.T) {
	b := open(t, storetest.SQLite(t), nil)
	for name, e := range map[string]effect.Effect{
		"no key":   {Kind: "mail"},
		"no kind":  {Key: "a"},
		"too much": {Key: "a", Kind: "mail", Body: make([]byte, 1<<20+1)},
	} {
		if err := b.Enqueue(t.Context(), e); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := queue.New(queue.Config{}); err == nil {
		t.Error("an empty Config was accepted")
	}
	if err := b.Do(t.Context(), "x", nil); !errors.Is(err, queue.ErrUnknown) {
		t.Errorf("Do of nothing: %v", err)
	}
}
