package queue_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cse.example/cse/engine/queue"
	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/effect"
)

// modelled is what the test believes about one effect.
type modelled struct {
	state    string
	held     bool
	attempts int
	next     time.Time
	lease    time.Time
	ended    time.Time
}

func (m modelled) body() bool {
	return m.held || (m.state != queue.Done && m.state != queue.Dropped && m.state != queue.Bounced)
}

// machine drives the queue and a small model of it with the same steps.
type machine struct {
	t     *testing.T
	b     bench
	model map[string]*modelled
}

const (
	modelLease  = time.Minute
	modelResend = 5 * time.Minute
	modelTries  = 4
)

var modelPolicies = map[string]queue.Policy{
	"mail":  {Lease: modelLease, Lost: queue.Uncertain, Resend: modelResend, Backoff: func(n int) time.Duration { return time.Duration(n) * time.Second }},
	"print": {Lease: modelLease, Held: true, Attempts: modelTries, Backoff: func(n int) time.Duration { return time.Duration(n) * time.Second }},
}

func kindOf(key string) string { return key[:len(key)-1] }

var keys = []string{"mail1", "mail2", "print1", "print2"}

func (m *machine) now() time.Time { return m.b.clock.Now() }

func (m *machine) enqueue(t *rapid.T) {
	key := rapid.SampledFrom(keys).Draw(t, "key")
	delay := time.Duration(rapid.IntRange(0, 90).Draw(t, "delay")) * time.Second
	e := effect.Effect{Key: key, Kind: kindOf(key), Body: []byte(key), NotBefore: m.now().Add(delay)}
	if err := m.b.Enqueue(context.Background(), e); err != nil {
		t.Fatal(err)
	}
	if m.model[key] == nil {
		m.model[key] = &modelled{state: queue.Pending, next: m.now().Add(delay)}
	}
}

func (m *machine) wait(t *rapid.T) {
	m.b.clock.Advance(time.Duration(rapid.IntRange(1, 400).Draw(t, "seconds")) * time.Second)
}

// settle is what an attempt's outcome makes of x.
func (x *modelled) settle(kind string, outcome error, lost bool, now time.Time) {
	p := modelPolicies[kind]
	x.lease, x.ended = time.Time{}, now
	switch {
	case outcome == nil && !lost:
		x.state, x.held = queue.Done, p.Held
	case errors.Is(outcome, effect.ErrPermanent):
		x.state = queue.Failed
	case errors.Is(outcome, effect.ErrUncertain), lost && p.Lost == queue.Uncertain:
		x.state = queue.Uncertain
	case p.Attempts > 0 && x.attempts >= p.Attempts:
		x.state = queue.Failed
	default:
		x.state, x.ended, x.next = queue.Pending, time.Time{}, now.Add(p.Backoff(x.attempts))
	}
}

func (m *machine) work(t *rapid.T) {
	kind := rapid.SampledFrom([]string{"mail", "print"}).Draw(t, "kind")
	outcome := rapid.SampledFrom([]error{nil, errors.New("away"), effect.ErrUncertain, effect.ErrPermanent}).Draw(t, "outcome")
	var got []string
	_, err := m.b.RunOnce(context.Background(), map[string]effect.Handler{kind: func(_ context.Context, e effect.Effect, attempt int) error {
		if string(e.Body) != e.Key {
			t.Fatalf("%s was handed the body %q", e.Key, e.Body)
		}
		got = append(got, fmt.Sprintf("%s#%d", e.Key, attempt))
		return outcome
	}})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, key := range keys { // lost leases and resends come first
		x := m.model[key]
		if x == nil || kindOf(key) != kind {
			continue
		}
		if x.state == queue.Leased && !x.lease.After(m.now()) {
			x.settle(kind, nil, true, m.now())
		}
		if r := modelPolicies[kind].Resend; r > 0 && x.state == queue.Uncertain && !x.ended.After(m.now().Add(-r)) {
			x.state, x.next, x.ended = queue.Pending, m.now(), time.Time{}
		}
		if x.state == queue.Pending && !x.next.After(m.now()) {
			x.attempts++
			want = append(want, fmt.Sprintf("%s#%d", key, x.attempts))
			x.settle(kind, outcome, false, m.now())
		}
	}
	same(t, want, got)
}

// same compares without order: the queue goes by instant, the model by key.
func same(t *rapid.T, want, got []string) {
	count := map[string]int{}
	for _, w := range want {
		count[w]++
	}
	for _, g := range got {
		count[g]--
	}
	for k, n := range count {
		if n != 0 {
			t.Fatalf("performed %q, want %q (%s)", got, want, k)
		}
	}
}

func (m *machine) crash(t *rapid.T) {
	key := rapid.SampledFrom(keys).Draw(t, "key")
	x := m.model[key]
	if x == nil || x.state != queue.Pending {
		t.Skip("nothing to crash in")
	}
	x.state, x.lease, x.attempts = queue.Leased, m.now().Add(modelLease), x.attempts+1
	crash(m.t, m.b.db, key, x.lease)
}

func (m *machine) drop(t *rapid.T) {
	key := rapid.SampledFrom(keys).Draw(t, "key")
	if err := m.b.Drop(context.Background(), key); err != nil {
		t.Fatal(err)
	}
	if x := m.model[key]; x != nil && x.state != queue.Bounced && (x.state != queue.Done || x.held) {
		x.state, x.held = queue.Dropped, false
	}
}

func (m *machine) release(t *rapid.T) {
	key := rapid.SampledFrom(keys).Draw(t, "key")
	err := m.b.Release(context.Background(), key)
	x := m.model[key]
	if (err == nil) != (x != nil && x.state == queue.Done) {
		t.Fatalf("Release = %v of %+v", err, x)
	}
	if err == nil {
		x.held = false
	}
}

func (m *machine) resolve(t *rapid.T) {
	key := rapid.SampledFrom(keys).Draw(t, "key")
	how := rapid.SampledFrom([]queue.Resolution{queue.Resend, queue.TakenAsDone}).Draw(t, "how")
	err := m.b.Resolve(context.Background(), key, how)
	x := m.model[key]
	if (err == nil) != (x != nil && (x.state == queue.Uncertain || x.state == queue.Failed)) {
		t.Fatalf("Resolve = %v of %+v", err, x)
	}
	switch {
	case err != nil:
	case how == queue.Resend:
		x.state, x.next = queue.Pending, m.now()
	default:
		x.state, x.held = queue.Done, modelPolicies[kindOf(key)].Held
	}
}

func (m *machine) bounce(t *rapid.T) {
	key := rapid.SampledFrom(keys).Draw(t, "key")
	news, err := m.b.Bounce(context.Background(), key, "came back")
	x := m.model[key]
	if (err == nil) != (x != nil && x.state != queue.Leased) {
		t.Fatalf("Bounce = %v of %+v", err, x)
	}
	left := x != nil && x.attempts > 0 && !x.held && (x.state == queue.Done || x.state == queue.Uncertain || x.state == queue.Pending)
	if news != left {
		t.Fatalf("Bounce is news: %t, of %+v", news, x)
	}
	if news {
		x.state = queue.Bounced
	}
}

// check compares every row with the model.
func (m *machine) check(t *rapid.T) {
	items, err := m.b.List(context.Background(), queue.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if len(items) != len(m.model) {
		t.Fatalf("%d rows, want %d", len(items), len(m.model))
	}
	for _, got := range items {
		x := m.model[got.Key]
		if got.State != x.state || got.Held != x.held || got.Attempts != x.attempts {
			t.Fatalf("%s is %s held=%v attempts=%d, want %+v", got.Key, got.State, got.Held, got.Attempts, *x)
		}
		if x.state == queue.Pending && !got.Next.Equal(x.next) {
			t.Fatalf("%s: next attempt %v, want %v", got.Key, got.Next, x.next)
		}
		if body := m.b.body(m.t, got.Key) != nil; body != x.body() {
			t.Fatalf("%s (%s): body kept %v, want %v", got.Key, got.State, body, x.body())
		}
	}
}

func TestModel(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, modelPolicies)
		rapid.Check(t, func(rt *rapid.T) {
			b.must(t, db.Atomically(context.Background(), func(ctx context.Context) error {
				_, err := db.Conn(ctx).ExecContext(ctx, "DELETE FROM effect")
				return err
			}))
			b.clock.Set(noon)
			m := &machine{t: t, b: b, model: map[string]*modelled{}}
			rt.Repeat(map[string]func(*rapid.T){
				"enqueue": m.enqueue, "wait": m.wait, "work": m.work, "crash": m.crash,
				"drop": m.drop, "release": m.release, "resolve": m.resolve, "bounce": m.bounce, "": m.check,
			})
		})
	})
}

// Two workers over one table while acts ask for more: everything is performed,
// nothing twice.
func TestTwoWorkers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const n = 60
		b := open(t, db, nil)
		var mu sync.Mutex
		seen := map[string]int{}
		var done atomic.Int64
		h := map[string]effect.Handler{"mail": func(_ context.Context, e effect.Effect, attempt int) error {
			mu.Lock()
			defer mu.Unlock()
			seen[e.Key]++
			if attempt == 1 && len(e.Key)%2 == 0 {
				return errors.New("away")
			}
			done.Add(1)
			return nil
		}}
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				if err := b.Run(ctx, h, func(err error) { t.Error(err) }); !errors.Is(err, context.Canceled) {
					t.Errorf("Run = %v", err)
				}
			})
		}
		for i := range n {
			b.must(t, b.Enqueue(t.Context(), mail(fmt.Sprint("key-", i))))
		}
		for limit := time.Now().Add(20 * time.Second); done.Load() < n && time.Now().Before(limit); {
			b.clock.Advance(time.Second) // past the pause after a failure
			time.Sleep(5 * time.Millisecond)
		}
		stop()
		all.Wait()
		if done.Load() != n || len(seen) != n {
			t.Fatalf("%d done of %d", done.Load(), n)
		}
		for key, times := range seen {
			if want := 1 + (len(key)+1)%2; times != want {
				t.Errorf("%s was performed %d times, want %d", key, times, want)
			}
		}
		b.sound(t)
	})
}

// The end of Run's context lets the effect under way finish.
func TestRunFinishesWhatItBegan(t *testing.T) {
	b := open(t, storetest.SQLite(t), nil)
	b.must(t, b.Enqueue(t.Context(), mail("a")))
	ctx, stop := context.WithCancel(t.Context())
	h := map[string]effect.Handler{"mail": func(work context.Context, _ effect.Effect, _ int) error {
		stop()
		select {
		case <-work.Done():
			return work.Err()
		case <-time.After(50 * time.Millisecond):
			return nil
		}
	}}
	if err := b.Run(ctx, h, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
	if got := b.state(t, "a"); got != queue.Done {
		t.Errorf("the effect under way is %s", got)
	}
}
