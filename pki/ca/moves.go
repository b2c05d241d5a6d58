package ca

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
)

// Reason codes of RFC 5280, 5.3.1, that a revocation may carry.
const (
	Unspecified          = 0 // never written into a CRL or an OCSP answer
	KeyCompromise        = 1
	CACompromise         = 2
	AffiliationChanged   = 3
	Superseded           = 4
	CessationOfOperation = 5
	PrivilegeWithdrawn   = 9
)

// MoveError is a move that the state does not allow.
type MoveError struct {
	Serial string
	From   State
	Move   string // "activate", "hold", "release", "revoke"
}

func (e *MoveError) Error() string {
	return fmt.Sprintf("ca: cannot %s certificate %s: it is %s", e.Move, e.Serial, e.From)
}

var italian = map[State]string{
	Reserved: "non ancora firmato", Void: "annullato", Pending: "non attivato", Good: "valido", Held: "sospeso", Revoked: "revocato",
}

// move is one row of the state machine.
type move struct {
	name, act string
	from      []State
	to        State
}

var (
	activate = move{"activate", "certificate.activated", []State{Pending}, Good}
	hold     = move{"hold", "certificate.held", []State{Good}, Held}
	release  = move{"release", "certificate.released", []State{Held}, Good}
	revoke   = move{"revoke", "certificate.revoked", []State{Pending, Good, Held}, Revoked}
)

func (m move) allowed(s State) bool {
	for _, f := range m.from {
		if f == s {
			return true
		}
	}
	return false
}

// apply is the state machine, without a store.
func (m move) apply(r Record, reason int, now time.Time) (Record, error) {
	if !m.allowed(r.State) {
		e := &MoveError{Serial: r.Serial, From: r.State, Move: m.name}
		return Record{}, words.Refuse("CSE-195", italian[r.State]).Because(e)
	}
	r.State = m.to
	if m.name == activate.name {
		r.ActivatedAt = now
	} else {
		r.ChangedAt = now
	}
	if m.to == Revoked {
		r.Reason = reason
	}
	return r, nil
}

// ledger is the records and the rules of their moves: all that needs no key.
type ledger struct {
	store      Store
	atomically func(ctx context.Context, act func(ctx context.Context) error) error
	record     journal.Recorder
	clock      civil.Clock
	// moves refuses a record whose certificate may not make a move here.
	moves func(ctx context.Context, r Record, m move) error
}

// ledger of one authority alone: it moves its own certificates.
func (a *Authority) ledger() ledger {
	return ledger{a.Store, a.Atomically, a.Record, a.Clock, func(_ context.Context, r Record, _ move) error {
		if r.Issuer != a.id {
			return fmt.Errorf("%w: %s was issued by another authority", ErrUnknown, r.Serial)
		}
		return nil
	}}
}

// Activate makes a pending certificate good. Like its three sisters it joins
// the act that ctx carries, and leaves one journal entry.
func (a *Authority) Activate(ctx context.Context, serial string) error {
	return a.ledger().move(ctx, serial, activate, 0)
}

// Hold suspends a good certificate.
func (a *Authority) Hold(ctx context.Context, serial string) error {
	return a.ledger().move(ctx, serial, hold, 0)
}

// Release makes a held certificate good again.
func (a *Authority) Release(ctx context.Context, serial string) error {
	return a.ledger().move(ctx, serial, release, 0)
}

// Revoke ends a certificate for ever, for one of the reasons above.
func (a *Authority) Revoke(ctx context.Context, serial string, reason int) error {
	return a.ledger().revoke(ctx, serial, reason)
}

func (l ledger) revoke(ctx context.Context, serial string, reason int) error {
	if !slices.Contains(Reasons(), reason) {
		return fmt.Errorf("ca: %d is not a reason for revocation (RFC 5280, 5.3.1)", reason)
	}
	return l.move(ctx, serial, revoke, reason)
}

func (l ledger) move(ctx context.Context, serial string, m move, reason int) error {
	return l.atomically(ctx, func(ctx context.Context) error {
		r, err := l.store.Get(ctx, normal(serial))
		if err != nil {
			return err
		}
		if err := l.moves(ctx, r, m); err != nil {
			return err
		}
		r, err = m.apply(r, reason, l.clock.Now())
		if err != nil {
			return err
		}
		if err := l.store.Put(ctx, r); err != nil {
			return err
		}
		return l.note(ctx, m.act, r)
	})
}

// note writes the one journal entry of an act.
func (a *Authority) note(ctx context.Context, act string, r Record) error {
	return a.ledger().note(ctx, act, r)
}

func (l ledger) note(ctx context.Context, act string, r Record) error {
	d := map[string]string{"serial": r.Serial, "issuer": r.Issuer}
	if r.Extends != "" {
		d["extends"] = r.Extends
	}
	if act == revoke.act {
		d["reason"] = strconv.Itoa(r.Reason)
	}
	return l.record(ctx, journal.Entry{Act: act, Actor: "system:ca", Card: r.Card, Person: r.Person, Detail: d})
}

// IsMove tells whether err is a move that the state does not allow.
func IsMove(err error) bool { return errors.As(err, new(*MoveError)) }
