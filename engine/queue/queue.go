// Package queue keeps the effects that acts ask for (ground/effect) and has
// them performed: a mail sent, a form printed. It is the transactional outbox
// of the platform.
//
// Guarantees:
//   - Enqueue joins the act's transaction: an act and what it asks for are
//     written together or not at all. One key is one effect, for ever.
//   - A body is sealed at rest (AEAD, bound to its key and kind) and destroyed
//     when the effect is done, released or dropped; the row stays, as proof.
//   - An effect is performed under a lease, by one worker at a time. A lease
//     carries the number of the attempt: a worker that lost its lease cannot
//     write the outcome of somebody else's attempt.
//   - A worker that dies leaves a lease that runs out; what happens then is
//     declared per kind (Policy.Lost): try again, or uncertain.
//   - Nothing is given up in silence: what cannot be done is failed, what may or
//     may not have left is uncertain; both wait for Resolve, and List shows them.
//
// Refusals: an effect without key or kind, a body over 1 MiB, Resolve of an
// effect that is neither uncertain nor failed, Do of one that is not pending.
//
// Instants come from the injected clock. Nothing outside the store happens
// inside a transaction: handlers run between two of them.
package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/engine/queue/internal/queuedb"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/redact"
)

// The states of an effect.
const (
	Pending   = "pending"   // waits for its instant
	Leased    = "leased"    // somebody is performing it
	Done      = "done"      // performed
	Failed    = "failed"    // will not be tried again by itself
	Uncertain = "uncertain" // may have left; see Resolve
	Dropped   = "dropped"   // cancelled
	Bounced   = "bounced"   // performed, and came back later: see Bounce
)

// maxBody is the largest body, in bytes. Documents are made by the handler, not queued.
const maxBody = 1 << 20

// DBTX runs queries; *sql.DB, *sql.Tx and what engine/store hands out have it.
type DBTX interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	PrepareContext(context.Context, string) (*sql.Stmt, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// AEAD seals bodies; Tink's AEAD fits.
type AEAD interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// Policy is how effects of one kind are treated. The zero Policy suits an
// idempotent effect: tried again for ever, body destroyed when done.
type Policy struct {
	// Lease is the time one attempt may take; 0 means a minute. The handler's
	// context ends with it.
	Lease time.Duration
	// Lost is the state of an effect whose worker died or panicked: Pending
	// (the default: performing it twice does no harm) or Uncertain.
	Lost string
	// Held keeps the body after the effect is done, until Release.
	Held bool
	// Attempts is how many times to try before Failed; 0 means for ever.
	Attempts int
	// Resend, when positive, sends an uncertain effect again after that time
	// (the outside tells repetitions by its identity). 0 leaves it to Resolve.
	Resend time.Duration
	// Backoff is the pause after attempt n (from 1); nil means 1s, 2s, 4s … 10 min.
	Backoff func(attempt int) time.Duration
}

// Config is what a queue stands on. All but Policies and Poll must be there.
type Config struct {
	// Conn is the act's transaction, or a read-only connection outside acts.
	Conn func(ctx context.Context) DBTX
	// Atomically runs an act; an inner one joins.
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Seal       AEAD
	Clock      civil.Clock
	// Policies by kind; a kind that is not here has the zero Policy.
	Policies map[string]Policy
	// Poll is the pause between two looks at the table; 0 means 250 ms.
	Poll time.Duration
}

// Queue is the effect table. It is safe for concurrent use.
type Queue struct {
	conn       func(ctx context.Context) DBTX
	atomically func(ctx context.Context, act func(ctx context.Context) error) error
	seal       AEAD
	clock      civil.Clock
	policies   map[string]Policy
	poll       time.Duration
}

// ErrUnknown is returned for a key that was never enqueued.
var ErrUnknown = errors.New("no such effect")

// StateError tells that an effect is not in a state that allows what was asked.
type StateError struct{ Key, State string }

func (e *StateError) Error() string { return fmt.Sprintf("effect %s is %s", e.Key, e.State) }

// New refuses a Config with something missing.
func New(c Config) (*Queue, error) {
	switch {
	case c.Conn == nil:
		return nil, errors.New("queue: Conn is missing")
	case c.Atomically == nil:
		return nil, errors.New("queue: Atomically is missing")
	case c.Seal == nil:
		return nil, errors.New("queue: Seal is missing")
	case c.Clock == nil:
		return nil, errors.New("queue: Clock is missing")
	}
	q := &Queue{conn: c.Conn, atomically: c.Atomically, seal: c.Seal, clock: c.Clock, policies: map[string]Policy{}, poll: c.Poll}
	if q.poll <= 0 {
		q.poll = 250 * time.Millisecond
	}
	for kind, p := range c.Policies {
		if p.Lost != "" && p.Lost != Pending && p.Lost != Uncertain {
			return nil, fmt.Errorf("queue: policy of %s: a lost lease cannot become %q", kind, p.Lost)
		}
		q.policies[kind] = p
	}
	return q, nil
}

func (q *Queue) policy(kind string) Policy {
	p := q.policies[kind]
	if p.Lease <= 0 {
		p.Lease = time.Minute
	}
	if p.Lost == "" {
		p.Lost = Pending
	}
	if p.Backoff == nil {
		p.Backoff = doubling
	}
	return p
}

// doubling is 1s, 2s, 4s … up to ten minutes.
func doubling(attempt int) time.Duration {
	return min(time.Second<<min(max(attempt-1, 0), 10), 10*time.Minute)
}

func (q *Queue) db(ctx context.Context) *queuedb.Queries { return queuedb.New(q.conn(ctx)) }

func (q *Queue) now() int64 { return q.clock.Now().UnixMicro() }

// Enqueue asks for e; it has the shape of effect.Enqueue and joins the act that
// ctx carries. A key already known changes nothing and is no error.
func (q *Queue) Enqueue(ctx context.Context, e effect.Effect) error {
	if e.Key == "" || e.Kind == "" {
		return errors.New("queue: an effect needs a key and a kind")
	}
	if len(e.Body) > maxBody {
		return fmt.Errorf("queue: the body of %s has %d bytes, at most %d are allowed", e.Key, len(e.Body), maxBody)
	}
	body, err := q.seal.Encrypt(e.Body, bound(e.Key, e.Kind))
	if err != nil {
		return fmt.Errorf("queue: seal %s: %w", e.Key, err)
	}
	now := q.now()
	next := now
	if !e.NotBefore.IsZero() {
		next = max(now, e.NotBefore.UnixMicro())
	}
	return q.atomically(ctx, func(ctx context.Context) error {
		if _, err := q.db(ctx).Add(ctx, queuedb.AddParams{Key: e.Key, Kind: e.Kind, Card: e.Card, Body: body, CreatedAt: now, NextAt: next}); err != nil {
			return fmt.Errorf("queue: enqueue %s: %w", e.Key, err)
		}
		return nil
	})
}

// bound is the associated data of a body: it opens only in its own row.
func bound(key, kind string) []byte { return []byte("cse.effect/1\x00" + kind + "\x00" + key) }

// Drop cancels an effect and destroys its body; it has the shape of effect.Drop
// and joins the act that ctx carries. An effect that is being performed is
// dropped too, and remembers that it may have left. What is done (and not held),
// came back, was dropped already or is unknown is left as it is, without error.
func (q *Queue) Drop(ctx context.Context, key string) error {
	return q.atomically(ctx, func(ctx context.Context) error {
		row, err := q.db(ctx).Get(ctx, key)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("queue: drop %s: %w", key, err)
		}
		note := ""
		if row.State == Leased {
			note = "dropped while being performed: it may have left"
		}
		if _, err := q.db(ctx).Drop(ctx, queuedb.DropParams{Key: key, EndedAt: q.now(), LastError: note}); err != nil {
			return fmt.Errorf("queue: drop %s: %w", key, err)
		}
		return nil
	})
}

// Bounce notes that an effect which had been performed came back: a letter, as
// the other side's server says. It joins the act that ctx carries, and answers
// whether that is news. One that is being sent again just now is a *StateError:
// ask later. What failed or was dropped stays as it is; a held kind cannot come back.
func (q *Queue) Bounce(ctx context.Context, key, why string) (news bool, err error) {
	err = q.atomically(ctx, func(ctx context.Context) error {
		row, err := q.get(ctx, key)
		if err != nil {
			return err
		}
		if row.State == Leased {
			return &StateError{Key: key, State: row.State}
		}
		n, err := q.db(ctx).Bounce(ctx, queuedb.BounceParams{Key: key, EndedAt: q.now(), LastError: redact.Short(why, 200)})
		if err != nil {
			return fmt.Errorf("queue: bounce %s: %w", key, err)
		}
		news = n == 1
		return nil
	})
	return news, err
}

// Release destroys the body of a held effect that is done: the operator has
// handed the paper over. It joins the act that ctx carries. A *StateError tells
// that the effect is not done yet; releasing twice is no error.
func (q *Queue) Release(ctx context.Context, key string) error {
	return q.atomically(ctx, func(ctx context.Context) error {
		row, err := q.get(ctx, key)
		if err != nil {
			return err
		}
		if row.State != Done {
			return &StateError{Key: key, State: row.State}
		}
		if _, err := q.db(ctx).Release(ctx, key); err != nil {
			return fmt.Errorf("queue: release %s: %w", key, err)
		}
		return nil
	})
}

func (q *Queue) get(ctx context.Context, key string) (queuedb.Effect, error) {
	row, err := q.db(ctx).Get(ctx, key)
	if errors.Is(err, sql.ErrNoRows) {
		return row, fmt.Errorf("%w: %s", ErrUnknown, key)
	}
	if err != nil {
		return row, fmt.Errorf("queue: read %s: %w", key, err)
	}
	return row, nil
}
