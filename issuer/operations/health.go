package operations

import (
	"context"
	"errors"
	"time"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
)

// Latency is how fast this process answered whether certificates are revoked,
// over its last answers.
type Latency struct {
	Answers, Failed int
	P50, P95        time.Duration
	Since           time.Time
}

// Slow and TooSlow are what most answers (P95) may take.
const (
	Slow    = 250 * time.Millisecond
	TooSlow = time.Second
)

// Key is a key or certificate that the platform cannot work without. Name is a
// key of the catalogue (portal.ops.key.NAME).
type Key struct {
	Name string
	// From and Until are zero for a key without days.
	From, Until time.Time
	// Here tells that this process has opened it; another one may.
	Here bool
	// Args fill the key's words, if they have gaps.
	Args []any
	// Needed is from when on the next of its kind should be there, before its end;
	// Revoked tells that it is not safe any more; Fault, that it does nothing now.
	Needed  time.Time
	Revoked bool
	Fault   *words.Fault
}

// Logins are those that were refused, and the acts of the same days.
type Logins struct {
	// Cards were refused at the door, Operators by password.
	Cards, Operators int
	// Activated cards, for a measure of the day.
	Activated int
}

// ManyFailed is how many refused logins in a day somebody should look at.
const ManyFailed = 50

// Health is what the dashboard shows of the machine.
type Health struct {
	OCSP      Latency
	Keys      []Key
	Day, Week Logins
}

// Machine measures it.
type Machine interface {
	Latency() Latency
	Keys(ctx context.Context) ([]Key, error)
	// Count counts records of an act since an instant.
	Count(ctx context.Context, act string, since time.Time) (int, error)
}

// Health looks at the machine; operations and auditors may (CSE-540).
func (r *Room) Health(ctx context.Context, op staff.Operator) (Health, error) {
	if err := r.reads(ctx, op, "health"); err != nil {
		return Health{}, err
	}
	h := Health{OCSP: r.d.Machine.Latency()}
	var err error
	if h.Keys, err = r.d.Machine.Keys(ctx); err != nil {
		return h, err
	}
	now := r.d.Clock.Now()
	for _, x := range []struct {
		to    *Logins
		since time.Time
	}{{&h.Day, now.Add(-24 * time.Hour)}, {&h.Week, now.Add(-7 * 24 * time.Hour)}} {
		for act, n := range map[string]*int{"login.refused": &x.to.Cards, "operator.refused": &x.to.Operators, "card.activated": &x.to.Activated} {
			if *n, err = r.d.Machine.Count(ctx, act, x.since); err != nil {
				return h, err
			}
		}
	}
	return h, nil
}

// Letters lets in who may read the models of the letters: operations and auditors.
func (r *Room) Letters(ctx context.Context, op staff.Operator) error {
	return r.reads(ctx, op, "letters")
}

// Asked is a request to another issuer about a certificate of an imported card.
type Asked struct {
	// Name finds it again; empty while it is in the queue.
	Name                 string
	Card, Serial, Issuer string
	// Act is "hold", "release" or "revoke".
	Act string
	// At is when it was asked, SentAt when somebody said that it had gone; zero
	// while it waits.
	At, SentAt time.Time
}

// ErrNotAsked: no request under that name waits.
var ErrNotAsked = errors.New("operations: no such request waits")

// Issuers are the requests to other issuers.
type Issuers interface {
	// Requests lists those that wait, oldest first, then the last that went.
	Requests(ctx context.Context) ([]Asked, error)
	// Waiting answers ErrNotAsked.
	Waiting(ctx context.Context, name string) (Asked, error)
	// Sent puts one among those that went; again it does nothing.
	Sent(ctx context.Context, name string) error
}

// Requests lists the requests to other issuers.
func (r *Room) Requests(ctx context.Context, op staff.Operator) ([]Asked, error) {
	if err := r.reads(ctx, op, "issuers"); err != nil {
		return nil, err
	}
	return r.d.Issuers.Requests(ctx)
}

// RequestSent notes that a request has gone to its issuer; CSE-650 when it does
// not wait any more. The record comes first: a request that still lies there
// after it is marked again.
func (r *Room) RequestSent(ctx context.Context, op staff.Operator, name string) error {
	if err := r.acts(ctx, op, "issuers"); err != nil {
		return err
	}
	x, err := r.d.Issuers.Waiting(ctx, name)
	if errors.Is(err, ErrNotAsked) {
		return words.Refuse("CSE-650").Because(err)
	}
	if err != nil {
		return err
	}
	err = r.d.Atomically(ctx, func(ctx context.Context) error {
		return r.note(ctx, op, journal.Entry{Act: "issuer-request.sent", Card: x.Card, Detail: map[string]string{"act": x.Act, "serial": x.Serial}})
	})
	if err != nil {
		return err
	}
	return r.d.Issuers.Sent(ctx, name)
}
