// Package operations is the issuer's engine room as people see it: how many
// cards there are and where, the batches, the post that comes back, the mails
// and prints that wait for a decision, and the search of the audit trail.
//
// Guarantees:
//   - Counts reconcile: the cards by state make the cards there are, a batch's
//     items make its counters; a count that does not is shown as such (Check).
//   - Who has the role "operations" acts; who has only "auditor" reads, and does
//     not see the queues. Everybody else is refused, and the refusal recorded.
//   - Every act is one transaction with its record; done twice it is refused,
//     not repeated.
//   - The body of a mail or a print is never shown: it may hold half a code.
//   - Every search of the trail is itself recorded with its motive, in the same
//     transaction: no answer without its record.
//
// Refused: a search without motive or without anything to search for, a look at
// more records at once than anybody reads, posting a card to somebody who died
// or is not assisted any more.
package operations

import (
	"context"
	"errors"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// Cards is what the room asks of the cards.
type Cards interface {
	Get(ctx context.Context, id string) (lifecycle.Card, error)
	Put(ctx context.Context, c lifecycle.Card) (lifecycle.Card, error)
	ByState(ctx context.Context, s lifecycle.State, after string, limit int) ([]lifecycle.Card, error)
}

// Batches is what the room asks of production; writing is the plant's.
type Batches interface {
	Get(ctx context.Context, id string) (production.Batch, error)
	List(ctx context.Context, open bool) ([]production.Batch, error)
}

// Counts are the numbers of the records, each counted by the store.
type Counts interface {
	// CardsByState counts the cards by state and model.
	CardsByState(ctx context.Context) ([]CardCount, error)
	// Cards is how many cards there are, Numbers how many card numbers have ever
	// been given out here: the rest came with an existing card base.
	Cards(ctx context.Context) (cards, numbers int, err error)
	// Batch counts what a batch's items say, and where its cards are now.
	Batch(ctx context.Context, id string) (BatchCount, error)
	// Exceptions is how many people wait for a datum before a card can be made.
	Exceptions(ctx context.Context) (int, error)
}

// CardCount is how many cards of a model are in a state.
type CardCount struct {
	State lifecycle.State
	Model lifecycle.Model
	N     int
}

// BatchCount is what a batch's items and cards say.
type BatchCount struct {
	Items, Chips, Made, Spoiled int
	// States are the cards that still belong to the batch.
	States map[lifecycle.State]int
}

// List is a list of revoked certificates as published.
type List struct {
	// Name is the file's, or the first and the last of its parts'.
	Name string
	// This is the oldest part's instant, Next the first end, Entries all parts'.
	This, Next time.Time
	Entries    int
	// Parts is how many there are, Late how many should have been published by now,
	// Waiting how many changes of certificates no part has yet.
	Parts, Late, Waiting int
}

// Deps is what the room stands on; all of it must be there.
type Deps struct {
	Cards   Cards
	Person  func(ctx context.Context, cf codicefiscale.Code) (registry.Person, error)
	Batches Batches
	Counts  Counts
	// Exceptions lists people for whom no card can be made, by code, after a code.
	Exceptions func(ctx context.Context, after codicefiscale.Code, limit int) ([]production.Exception, error)
	Queue      Queue
	Trail      Trail
	// Lists are the lists of revoked certificates, as they lie on the server.
	Lists func(ctx context.Context) ([]List, error)
	// Machine is what the dashboard shows of the machine, Issuers the requests to
	// other issuers.
	Machine Machine
	Issuers Issuers
	// Declarations counts the self-declarations drawn for a check; nil: none are.
	Declarations func(ctx context.Context) (Declarations, error)
	// Post takes a batch to the post office, or notes its delivery; it is the
	// plant's, several acts, and may be done again.
	Post       func(ctx context.Context, batch string, delivered bool) (int, error)
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Record     journal.Recorder
	Clock      civil.Clock
}

// Room is the engine room. Make one with New.
type Room struct{ d Deps }

// New refuses Deps with something missing.
func New(d Deps) (*Room, error) {
	if d.Cards == nil || d.Person == nil || d.Batches == nil || d.Counts == nil || d.Exceptions == nil || d.Queue == nil || d.Trail == nil ||
		d.Lists == nil || d.Post == nil || d.Machine == nil || d.Issuers == nil || d.Atomically == nil || d.Record == nil || d.Clock == nil {
		return nil, errors.New("operations: a part is missing")
	}
	return &Room{d}, nil
}

// reads lets in who may look: operations and auditors (CSE-540).
func (r *Room) reads(ctx context.Context, op staff.Operator, what string) error {
	if op.Has(staff.RoleOperations) || op.Has(staff.RoleAuditor) {
		return nil
	}
	return r.refuse(ctx, op, what, "CSE-540")
}

// acts lets in who may change something: operations only (CSE-541 for an auditor).
func (r *Room) acts(ctx context.Context, op staff.Operator, what string) error {
	if op.Has(staff.RoleOperations) {
		return nil
	}
	if op.Has(staff.RoleAuditor) {
		return r.refuse(ctx, op, what, "CSE-541")
	}
	return r.refuse(ctx, op, what, "CSE-540")
}

// refuse answers the fault, after it has been recorded.
func (r *Room) refuse(ctx context.Context, op staff.Operator, what, code string) error {
	fault := words.Refuse(code)
	return errors.Join(fault, r.d.Atomically(ctx, func(ctx context.Context) error {
		return r.d.Record(ctx, journal.Entry{
			Act: "operations.refused", Actor: op.Account, Office: op.Office.ID, Detail: map[string]string{"page": what, "code": code},
		})
	}))
}

// note writes an entry of op's.
func (r *Room) note(ctx context.Context, op staff.Operator, e journal.Entry) error {
	e.Actor, e.Office = op.Account, op.Office.ID
	return r.d.Record(ctx, e)
}
