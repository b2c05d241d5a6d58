// Package lifecycle is what a card is to its issuer: one record, a state, and
// the four functions that the holder has in his hand (FAQ A4, rules R11-R15):
// TS, codice fiscale, TEAM and CNS, each with state, reason and last day.
//
// The state of the card (ordered … replaced) is where the plastic is; it moves
// only through Move, a pure function of card, event and instant, and an
// impossible move is a *MoveError. The four functions are not stored: Functions
// computes them from the card, the facts about the person and the day it is in
// Europe/Rome, so that midnight needs no job (rules R41, R42, table D.11).
// ExpiryFor gives a new card its last day (R24, R41-R46).
//
// It refuses to guess: a person without the datum that decides an expiry goes
// to the exceptions, with the reason. Nothing here reads a clock, a database or
// the network; Store is implemented by engine/store.
package lifecycle

import (
	"context"
	"errors"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/person/codicefiscale"
)

// Model is what was made.
type Model string

// The two models (R106).
const (
	TSCNS Model = "TS-CNS" // with chip and certificate
	TS    Model = "TS"     // without chip: the CNS function is absent
)

// State is where a card is in its life.
type State string

// The states of a card. Revoked, Expired and Replaced are final.
const (
	Ordered      State = "ordered"
	InProduction State = "in-production"
	Produced     State = "produced"
	Shipped      State = "shipped"
	Delivered    State = "delivered"
	Returned     State = "returned" // the post brought it back
	Active       State = "active"   // the CNS function was activated at a counter
	Suspended    State = "suspended"
	Revoked      State = "revoked"
	Expired      State = "expired"
	Replaced     State = "replaced"
)

// States lists every state, in the order of a life.
func States() []State {
	return []State{Ordered, InProduction, Produced, Shipped, Delivered, Returned, Active, Suspended, Revoked, Expired, Replaced}
}

// Final tells that no event moves the card any more.
func (s State) Final() bool { return s == Revoked || s == Expired || s == Replaced }

// Posted tells that the plastic has left for its holder: its printed functions
// count. A returned card has not reached anybody.
func (s State) Posted() bool {
	switch s {
	case Shipped, Delivered, Active, Suspended, Revoked, Expired, Replaced:
		return true
	}
	return false
}

// NeverLeft tells that the card ended before it was posted: nobody has it, and
// nothing printed on it counts.
func (c Card) NeverLeft() bool { return c.State.Final() && c.ShippedAt.IsZero() }

// Card is one card. Times are instants in UTC, zero for "not yet"; days are
// days in Europe/Rome.
type Card struct {
	// ID is the 16-digit card number (EF.IDCarta), chip or not.
	ID string
	// TEAM is the 20-digit number on the back.
	TEAM    string
	CF      codicefiscale.Code
	Model   Model
	State   State
	Issued  civil.Date
	Expires civil.Date // last good day, printed on both faces (R46)
	// ExpiryReason says which rule gave Expires; see the Why… constants.
	ExpiryReason string
	Batch        string
	// CertSerial is the certificate's serial number in lower-case hexadecimal,
	// empty before the certificate exists and for ever without a chip.
	CertSerial string
	// CertExpires is the certificate's last day; zero means Expires (R44).
	CertExpires            civil.Date
	Replaces, ReplacedBy   string
	OrderedAt, ShippedAt   time.Time
	DeliveredAt            time.Time
	ActivatedAt            time.Time
	SuspendedAt, RevokedAt time.Time
	// EndedAt is when a final state was reached.
	EndedAt time.Time
	// CorrectedAt is when the registry corrected what is printed on it (R30): a
	// new card is made, and this one ends with it.
	CorrectedAt time.Time
	// CorrectionDays is how long the CNS lasts after the posting of the corrected
	// card, days: the rule in force at the correction, which later changes of the
	// rule leave alone.
	CorrectionDays int
	// Reason is why the card was suspended or ended.
	Reason Reason
	// Issuer is empty for the cards that we made. A card of an existing base
	// (issuer/cardbase) has the identifier of the authority that certified it:
	// that one's list says what its certificate is worth. It never changes.
	Issuer string
	// Version counts the writes; Store.Put compares it.
	Version int64
}

// Foreign tells a card of an existing base from one that we made.
func (c Card) Foreign() bool { return c.Issuer != "" }

// CertUntil is the last day of the certificate.
func (c Card) CertUntil() civil.Date {
	if c.CertExpires.IsZero() {
		return c.Expires
	}
	return c.CertExpires
}

// HasChip tells a TS-CNS from a TS.
func (c Card) HasChip() bool { return c.Model == TSCNS }

var (
	// ErrUnknown: no such card.
	ErrUnknown = errors.New("lifecycle: unknown card")
	// ErrStale: somebody else wrote the card first; read it again.
	ErrStale = errors.New("lifecycle: the card was changed by somebody else")
)

// Store keeps cards. Writes happen inside the caller's act.
type Store interface {
	// Get answers ErrUnknown for a number never ordered.
	Get(ctx context.Context, id string) (Card, error)
	// ByPerson lists somebody's cards, newest order first.
	ByPerson(ctx context.Context, cf codicefiscale.Code) ([]Card, error)
	// ByTEAM answers ErrUnknown for a number never given.
	ByTEAM(ctx context.Context, team string) (Card, error)
	// Put inserts a card of Version 0 and otherwise replaces the one whose
	// Version is equal, else ErrStale. The card given back has the new Version.
	Put(ctx context.Context, c Card) (Card, error)
	// ByState lists up to limit cards in a state, by number, after a number.
	ByState(ctx context.Context, s State, after string, limit int) ([]Card, error)
}

// Current chooses the card that stands for a person today: the newest one that
// is not final, else the newest. ok is false without any card.
func Current(cards []Card) (c Card, ok bool) {
	for _, x := range cards {
		if !x.State.Final() && (!ok || newer(x, c)) {
			c, ok = x, true
		}
	}
	if ok {
		return c, true
	}
	for _, x := range cards {
		if !ok || newer(x, c) {
			c, ok = x, true
		}
	}
	return c, ok
}

func newer(a, b Card) bool {
	if !a.OrderedAt.Equal(b.OrderedAt) {
		return a.OrderedAt.After(b.OrderedAt)
	}
	return a.ID > b.ID
}
