// Package effect is the vocabulary of things that leave the platform: a mail, a
// print, a bureau file. A room asks for an effect inside the act's transaction
// (Enqueue); engine/queue keeps it, sealed, and hands it to the Handler of its
// kind until the handler answers.
//
// A handler answers nil (done), Uncertain (it may have left: a person must
// look, a resend uses the same identity), Permanent (will never work) or any
// other error (try again later).
package effect

import (
	"context"
	"errors"
	"time"
)

// Effect is one thing to be done outside.
type Effect struct {
	// Key is unique for ever: asking twice for the same key asks once.
	Key string
	// Kind selects the handler: "mail.codes", "mail.notice", "print.codes", …
	Kind string
	// Card is the card number concerned, for people who look at the queue.
	Card string
	// Body is the handler's own (JSON by custom). It is sealed at rest and
	// destroyed when the effect is done or dropped.
	Body []byte
	// NotBefore delays the first attempt; zero means at once.
	NotBefore time.Time
}

// Enqueue asks for e in the transaction that ctx carries.
type Enqueue func(ctx context.Context, e Effect) error

// Drop cancels a pending effect and destroys its body.
type Drop func(ctx context.Context, key string) error

// Handler performs one effect. attempt starts at 1.
type Handler func(ctx context.Context, e Effect, attempt int) error

var (
	// ErrUncertain: the outside may or may not have taken it.
	ErrUncertain = errors.New("outcome uncertain")
	// ErrPermanent: trying again cannot help.
	ErrPermanent = errors.New("cannot be done")
)
