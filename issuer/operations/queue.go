package operations

import (
	"context"
	"errors"
	"strings"
	"time"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
)

// The states of a mail or a print, as engine/queue writes them.
const (
	Pending   = "pending"
	Leased    = "leased"
	Done      = "done"
	Failed    = "failed"
	Uncertain = "uncertain"
	Dropped   = "dropped"
	Bounced   = "bounced" // came back later: the counter's task, not retried
)

// EffectStates lists them, those that wait for somebody first.
func EffectStates() []string {
	return []string{Failed, Uncertain, Bounced, Pending, Leased, Done, Dropped}
}

// Effect is a mail or a print as operations see it: never its body.
type Effect struct {
	Key, Kind, Card, State string
	Attempts               int
	// Created, Next (attempt) and Ended are zero when they do not apply.
	Created, Next, Ended time.Time
	// LastError is the last attempt's, without addresses or codici fiscali.
	LastError string
}

// Waits tells that somebody must decide.
func (e Effect) Waits() bool { return e.State == Failed || e.State == Uncertain }

// EffectFilter selects effects; empty fields select all, After is the last key of
// the page before.
type EffectFilter struct{ State, Kind, After string }

// EffectCount is how many effects of a kind are in a state.
type EffectCount struct {
	Kind, State string
	N           int
}

// ErrSettled: the effect does not wait for anybody any more.
var ErrSettled = errors.New("operations: the effect is settled")

// ErrNoEffect: there is none under that key.
var ErrNoEffect = errors.New("operations: no such effect")

// Queue is the mails and prints. Writes join the act that ctx carries.
type Queue interface {
	Counts(ctx context.Context) ([]EffectCount, error)
	List(ctx context.Context, f EffectFilter, limit int) ([]Effect, error)
	// Get answers ErrNoEffect.
	Get(ctx context.Context, key string) (Effect, error)
	// Retry puts a failed or uncertain effect back, or answers ErrSettled.
	Retry(ctx context.Context, key string) error
	// Drop gives an effect up and destroys its body.
	Drop(ctx context.Context, key string) error
}

// Effects lists mails and prints.
func (r *Room) Effects(ctx context.Context, op staff.Operator, f EffectFilter) ([]Effect, []EffectCount, error) {
	if err := r.acts(ctx, op, "queue"); err != nil {
		return nil, nil, err
	}
	counts, err := r.d.Queue.Counts(ctx)
	if err != nil {
		return nil, nil, err
	}
	list, err := r.d.Queue.List(ctx, f, PageSize)
	return list, counts, err
}

// Effect is one mail or print.
func (r *Room) Effect(ctx context.Context, op staff.Operator, key string) (Effect, error) {
	if err := r.acts(ctx, op, "queue"); err != nil {
		return Effect{}, err
	}
	return r.effect(ctx, key)
}

func (r *Room) effect(ctx context.Context, key string) (Effect, error) {
	e, err := r.d.Queue.Get(ctx, key)
	if errors.Is(err, ErrNoEffect) {
		return e, words.Refuse("CSE-002").Because(err)
	}
	return e, err
}

// Retry puts a failed or uncertain mail or print back in the queue, once: a
// second press finds it settled (CSE-545).
func (r *Room) Retry(ctx context.Context, op staff.Operator, key string) error {
	return r.settle(ctx, op, key, "effect.retried", "", r.d.Queue.Retry)
}

// maxReason is the longest reason, in characters.
const maxReason = 200

// Drop gives a failed or uncertain mail or print up, with a reason (CSE-546).
func (r *Room) Drop(ctx context.Context, op staff.Operator, key, reason string) error {
	reason = strings.TrimSpace(reason)
	if n := len([]rune(reason)); n < 3 || n > maxReason {
		return words.Refuse("CSE-546", maxReason).At("motivo_rinuncia")
	}
	return r.settle(ctx, op, key, "effect.dropped", reason, r.d.Queue.Drop)
}

func (r *Room) settle(ctx context.Context, op staff.Operator, key, act, reason string, do func(ctx context.Context, key string) error) error {
	if err := r.acts(ctx, op, "queue"); err != nil {
		return err
	}
	return r.d.Atomically(ctx, func(ctx context.Context) error {
		e, err := r.effect(ctx, key)
		if err != nil {
			return err
		}
		if err = ErrSettled; e.Waits() {
			err = do(ctx, key)
		}
		if errors.Is(err, ErrSettled) {
			return words.Refuse("CSE-545").Because(err)
		}
		if err != nil {
			return err
		}
		detail := map[string]string{"key": key, "kind": e.Kind, "was": e.State}
		if reason != "" {
			detail["reason"] = reason
		}
		return r.note(ctx, op, journal.Entry{Act: act, Card: e.Card, Detail: detail})
	})
}
