package queue_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/queue"
	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/effect"
)

// What was performed may come back, once; what never left cannot, and what came
// back is neither tried again, nor dropped, nor resolved.
func TestBounce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, map[string]queue.Policy{
			"mail": {Lost: queue.Uncertain, Resend: time.Minute, Backoff: func(int) time.Duration { return time.Hour }}, "print": {Held: true},
		})
		ctx := t.Context()
		answer := func(key string, err error) {
			t.Helper()
			b.must(t, b.Enqueue(ctx, mail(key)))
			_ = b.Do(ctx, key, func(context.Context, effect.Effect, int) error { return err }) // its own answer again
		}
		answer("done", nil)
		answer("doubtful", effect.ErrUncertain)
		answer("refused", effect.ErrPermanent)
		answer("tried", errors.New("away"))
		b.must(t, b.Enqueue(ctx, mail("new")))
		answer("dropped", errors.New("away"))
		b.must(t, b.Drop(ctx, "dropped"))
		held := mail("held")
		held.Kind = "print"
		b.must(t, b.Enqueue(ctx, held))
		b.must(t, b.Do(ctx, "held", func(context.Context, effect.Effect, int) error { return nil }))
		for _, c := range []struct {
			key   string
			news  bool
			state string
		}{
			{"done", true, queue.Bounced},
			{"doubtful", true, queue.Bounced},
			{"tried", true, queue.Bounced},
			{"new", false, queue.Pending},
			{"refused", false, queue.Failed},
			{"dropped", false, queue.Dropped},
			{"held", false, queue.Done},
		} {
			for n := range 2 {
				news, err := b.Bounce(ctx, c.key, "came back 5.1.1")
				if err != nil || news != (c.news && n == 0) || b.state(t, c.key) != c.state {
					t.Errorf("%s, told %d times: news %t, %s, %v; want %t, %s", c.key, n+1, news, b.state(t, c.key), err, c.news, c.state)
				}
			}
			if item, err := b.Get(ctx, c.key); c.news && (err != nil || !strings.Contains(item.LastError, "5.1.1") || b.body(t, c.key) != nil) {
				t.Errorf("%s: %+v, body kept: %t, %v", c.key, item, b.body(t, c.key) != nil, err)
			}
		}
		if _, err := b.Bounce(ctx, "nobody knows it", ""); !errors.Is(err, queue.ErrUnknown) {
			t.Errorf("unknown: %v", err)
		}
		var state *queue.StateError
		b.must(t, b.Enqueue(ctx, mail("under way")))
		b.must(t, b.Do(ctx, "under way", func(ctx context.Context, _ effect.Effect, _ int) error {
			if _, err := b.Bounce(ctx, "under way", ""); !errors.As(err, &state) || state.State != queue.Leased {
				t.Errorf("under way: %v", err)
			}
			return nil
		}))
		b.must(t, b.Drop(ctx, "done"))
		if err := b.Resolve(ctx, "done", queue.Resend); !errors.As(err, &state) || b.state(t, "done") != queue.Bounced {
			t.Errorf("resolved: %v, %s", err, b.state(t, "done"))
		}
		b.clock.Advance(24 * time.Hour)
		r := &recorder{}
		b.run(t, r)
		for _, got := range r.got {
			if !strings.HasPrefix(got, "new#") {
				t.Errorf("performed again: %s", got)
			}
		}
		b.sound(t)
	})
}
