package counter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/ground/civil"
)

// ErrNotFound: the store has no such draft or act.
var ErrNotFound = errors.New("counter: not found")

// ErrStale: somebody else (another window) wrote the draft first.
var ErrStale = errors.New("counter: the draft was changed meanwhile")

// DraftRow is a draft as it is kept: Body is sealed.
type DraftRow struct {
	ID, Operator, Office string
	Body                 []byte
	Version              int64
	TouchedAt            time.Time
}

// Drafts keeps the drafts of activations. Writes happen inside an act.
type Drafts interface {
	// Get answers ErrNotFound.
	Get(ctx context.Context, id string) (DraftRow, error)
	// Put inserts Version 0 or replaces the equal Version, else ErrStale; it
	// answers the new Version.
	Put(ctx context.Context, d DraftRow) (int64, error)
	Delete(ctx context.Context, id string) error
	// Prune deletes drafts untouched since before.
	Prune(ctx context.Context, before time.Time) (int64, error)
}

// ActKind is what was done.
type ActKind string

// KindActivation is the activation of a card; other kinds stand beside their acts.
const KindActivation ActKind = "activation"

// ActRow is an act as it is kept: Body is sealed (Evidence). Request is what
// makes pressing twice one act: the draft, or the token of the page's form.
type ActRow struct {
	Protocol                        string
	Kind                            ActKind
	Request, Card, Operator, Office string
	At, PrintedAt, HandedAt         time.Time
	Body                            []byte
}

// Destroyed tells that retention has destroyed what was sealed with the act.
func (r ActRow) Destroyed() bool { return len(r.Body) == 0 }

// Acts keeps what was done at counters. Writes happen inside an act.
type Acts interface {
	// NextProtocol counts from 1 in each year.
	NextProtocol(ctx context.Context, year int) (int64, error)
	// Add keeps a; false when its request has been used already.
	Add(ctx context.Context, a ActRow) (bool, error)
	// Find looks up by protocol number, or by request when protocol is empty;
	// ErrNotFound.
	Find(ctx context.Context, protocol, request string) (ActRow, error)
	// ByCard lists a card's acts, newest first.
	ByCard(ctx context.Context, card string) ([]ActRow, error)
	// Mark sets the time of printing or of handing over; false when it is set.
	Mark(ctx context.Context, protocol string, step Step, at time.Time) (bool, error)
}

// Step is what happens to the papers after the act.
type Step int

// The steps, in order.
const (
	StepPrinted Step = iota
	StepHandedOver
)

func (c *Counter) seal(kind, id string, v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("counter: %s: %w", kind, err)
	}
	b, err := c.d.Seal.Encrypt(plain, []byte("cse.counter/1|"+kind+"|"+id))
	if err != nil {
		return nil, fmt.Errorf("counter: seal %s: %w", kind, err)
	}
	return b, nil
}

func (c *Counter) open(kind, id string, b []byte, v any) error {
	plain, err := c.d.Seal.Decrypt(b, []byte("cse.counter/1|"+kind+"|"+id))
	if err != nil {
		return fmt.Errorf("counter: open %s: %w", kind, err)
	}
	if err := json.Unmarshal(plain, v); err != nil {
		return fmt.Errorf("counter: read %s: %w", kind, err)
	}
	return nil
}

// protocol is the next protocol number, AAAA/NNNNNNN, in the act of ctx.
func (c *Counter) protocol(ctx context.Context, at time.Time) (string, error) {
	year := civil.DayOf(at).Year
	n, err := c.d.Acts.NextProtocol(ctx, year)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%04d/%07d", year, n), nil
}
