// Package throttle slows down whoever tries wrong codes: of a CIP per card and
// per source, of a password per account, of anything else by a subject of its
// own. Waits double from two seconds to fifteen minutes and are forgotten a day
// after the last wrong try; nothing is ever closed for good, so that a stranger
// cannot lock anybody out.
//
// Look (Wait) and count (Failed) inside one act, so that tries made at the same
// instant count each. The store learns fingerprints of subjects, not subjects.
package throttle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

// Wrong tries slow down: 2, 4, 8 … seconds, at most 15 minutes, and are
// forgotten a day after the last one. They never close anything for good.
const (
	firstDelay = 2 * time.Second
	maxDelay   = 15 * time.Minute
	forget     = 24 * time.Hour
)

// Row counts somebody's wrong tries.
type Row struct {
	Failures      int
	LastAt, Until time.Time
}

// Tries keeps wrong tries. Writes happen inside an act.
type Tries interface {
	// Get answers the zero row for a subject without tries.
	Get(ctx context.Context, subject string) (Row, error)
	Put(ctx context.Context, subject string, r Row) error
	Clear(ctx context.Context, subject string) error
	// Prune forgets subjects that have not tried since before.
	Prune(ctx context.Context, before time.Time) (int64, error)
}

// Brake slows down by a store of tries and a clock; both are needed.
type Brake struct {
	Tries Tries
	Clock civil.Clock
	// Free wrong tries in a day cost no wait: for a source that many people share.
	Free int
}

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

// Refuse is code with the wait as minutes and seconds, rounded up.
func Refuse(code string, wait time.Duration) *words.Fault {
	s := int((wait + time.Second - 1) / time.Second)
	return words.Refuse(code, fmt.Sprintf("%d:%02d", s/60, s%60)).Because(&WaitError{time.Duration(s) * time.Second})
}

// Subject names who tries, without telling the store who he is.
func Subject(kind, who string) string {
	h := sha256.Sum256([]byte("cse.tries/1|" + kind + "|" + who))
	return kind + ":" + hex.EncodeToString(h[:12])
}

// Wait is the longest wait among subjects, zero when all may try.
func (b Brake) Wait(ctx context.Context, subjects ...string) (time.Duration, error) {
	now := b.Clock.Now()
	var longest time.Duration
	for _, s := range subjects {
		r, err := b.Tries.Get(ctx, s)
		if err != nil {
			return 0, err
		}
		longest = max(longest, r.Until.Sub(now))
	}
	return longest, nil
}

// Failed counts a wrong try for every subject and answers the wait it costs. It
// must run in the act that looked at the wait, so that tries made at the same
// instant count each.
func (b Brake) Failed(ctx context.Context, subjects ...string) (time.Duration, error) {
	now := b.Clock.Now()
	var longest time.Duration
	for _, s := range subjects {
		r, err := b.Tries.Get(ctx, s)
		if err != nil {
			return 0, err
		}
		if now.Sub(r.LastAt) > forget {
			r.Failures = 0
		}
		r.Failures++
		d := delay(r.Failures - b.Free)
		r.LastAt, r.Until = now, now.Add(d)
		if err := b.Tries.Put(ctx, s, r); err != nil {
			return 0, err
		}
		longest = max(longest, d)
	}
	return longest, nil
}

func delay(failures int) time.Duration {
	if failures <= 0 {
		return 0
	}
	return min(firstDelay<<min(max(failures-1, 0), 10), maxDelay)
}

// Clear forgives a subject: the right code came.
func (b Brake) Clear(ctx context.Context, subject string) error { return b.Tries.Clear(ctx, subject) }

// Tidy forgets tries long past. Run it nightly, in an act.
func (b Brake) Tidy(ctx context.Context) error {
	_, err := b.Tries.Prune(ctx, b.Clock.Now().Add(-forget))
	return err
}
