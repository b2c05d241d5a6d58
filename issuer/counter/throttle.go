package counter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/ground/words"
)

// Wrong tries slow down: 2, 4, 8 … seconds, at most 15 minutes, and are
// forgotten a day after the last one. They never close anything for good.
const (
	firstDelay = 2 * time.Second
	maxDelay   = 15 * time.Minute
	forget     = 24 * time.Hour
)

// WaitError is inside the fault of somebody who must wait.
type WaitError struct{ Wait time.Duration }

// Error implements error.
func (e *WaitError) Error() string { return fmt.Sprintf("wait %s", e.Wait) }

// WaitOf is how long the person must wait, zero when err says nothing of it; a
// page puts it into Retry-After.
func WaitOf(err error) time.Duration {
	var w *WaitError
	if !errors.As(err, &w) {
		return 0
	}
	return w.Wait
}

// refuseWait is code with the wait as minutes and seconds, rounded up.
func refuseWait(code string, wait time.Duration) *words.Fault {
	s := int((wait + time.Second - 1) / time.Second)
	return words.Refuse(code, fmt.Sprintf("%d:%02d", s/60, s%60)).Because(&WaitError{time.Duration(s) * time.Second})
}

// subject names who tries, without telling the store who he is.
func subject(kind, who string) string {
	h := sha256.Sum256([]byte("cse.tries/1|" + kind + "|" + who))
	return kind + ":" + hex.EncodeToString(h[:12])
}

// wait is the longest wait among subjects, zero when all may try.
func (c *Counter) wait(ctx context.Context, subjects ...string) (time.Duration, error) {
	now := c.d.Clock.Now()
	var longest time.Duration
	for _, s := range subjects {
		r, err := c.d.Tries.Get(ctx, s)
		if err != nil {
			return 0, err
		}
		longest = max(longest, r.Until.Sub(now))
	}
	return longest, nil
}

// failed counts a wrong try for every subject and answers the wait it costs. It
// must run in the act that looked at the wait, so that tries made at the same
// instant count each.
func (c *Counter) failed(ctx context.Context, subjects ...string) (time.Duration, error) {
	now := c.d.Clock.Now()
	var longest time.Duration
	for _, s := range subjects {
		r, err := c.d.Tries.Get(ctx, s)
		if err != nil {
			return 0, err
		}
		if now.Sub(r.LastAt) > forget {
			r.Failures = 0
		}
		r.Failures++
		d := delay(r.Failures)
		r.LastAt, r.Until = now, now.Add(d)
		if err := c.d.Tries.Put(ctx, s, r); err != nil {
			return 0, err
		}
		longest = max(longest, d)
	}
	return longest, nil
}

func delay(failures int) time.Duration {
	return min(firstDelay<<min(max(failures-1, 0), 10), maxDelay)
}
