// Package cardbase brings in the cards that somebody else made before us: an
// existing base, with dates, functions, certificates and states of another
// issuer, from a CSV (docs/card-base.md). A Region does not start empty.
//
// A row is a card (Columns). It is kept when the registry knows its holder, the
// card number and the TEAM number have their check digits, the dates can stand
// together and the certificate was signed by the authority named; otherwise it
// is refused with line, field and reason, and the rest goes on. Good rows are
// kept in acts of Batch rows: an import that was killed is continued by giving
// the same file again, and the same file twice changes nothing, because a card
// on record is never overwritten: after the import our record is the one that
// counters change. Report adds up: rows by state = kept + already there + refused.
//
// What a certificate of such a card is worth is said by its issuer's list and by
// our record: the stricter of the two. The issuer alone can revoke it; Request is
// what we ask of it. The codes of these cards are not known to us (CSE-620).
//
// Refused: cards not yet posted (nothing of ours would make them), a second
// living card of one person that does not follow the first, a number already
// given to another card.
package cardbase

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// KindRequest is the effect that asks the issuer for what it alone can do.
const KindRequest = "issuer.revocation-request"

// Request asks an issuer to change the state of a certificate of its own.
type Request struct {
	Issuer string    `json:"issuer"` // hexadecimal SHA-256 of its name and key
	Serial string    `json:"serial"` // hexadecimal
	Card   string    `json:"card"`
	Act    string    `json:"act"`              // "hold", "release" or "revoke"
	Reason int       `json:"reason,omitempty"` // CRLReason, RFC 5280 section 5.3.1
	At     time.Time `json:"at"`
}

// WhyBase is the ExpiryReason of an imported card: its issuer decided.
const WhyBase = "lifecycle.expiry.base"

// ErrMissing is returned by New when a dependency is not given.
var ErrMissing = errors.New("cardbase: missing dependency")

// People is what the import asks the registry.
type People interface {
	Get(ctx context.Context, cf codicefiscale.Code) (registry.Person, error)
}

// Issuer is the authority that certified the cards of a file.
type Issuer struct {
	// ID is what cards keep (lifecycle.Card.Issuer).
	ID          string
	Certificate *x509.Certificate
}

// Importer brings cards into the store. Make one with New.
type Importer struct {
	Cards  lifecycle.Store
	People People
	Issuer Issuer
	// Reserve keeps card numbers of the base out of our own series, in the act.
	Reserve    func(ctx context.Context, cards []string) error
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	// Record writes one journal entry for each import.
	Record journal.Recorder
	Clock  civil.Clock
	// Batch is the number of rows of one act; zero means 500.
	Batch int
	// MaxErrors bounds Report.Errors; zero means 10,000. The counts are complete.
	MaxErrors int
	// Progress, when given, is told the rows done so far after each act.
	Progress func(done int)
}

// New refuses missing dependencies.
func New(i Importer) (*Importer, error) {
	if i.Cards == nil || i.People == nil || i.Issuer.ID == "" || i.Issuer.Certificate == nil || i.Reserve == nil ||
		i.Atomically == nil || i.Record == nil || i.Clock == nil {
		return nil, ErrMissing
	}
	if i.Batch <= 0 {
		i.Batch = 500
	}
	if i.MaxErrors <= 0 {
		i.MaxErrors = 10_000
	}
	return &i, nil
}

// Count is what became of the rows of one state.
type Count struct{ Rows, Kept, Already, Refused int }

func (c Count) plus(o Count) Count {
	return Count{c.Rows + o.Rows, c.Kept + o.Kept, c.Already + o.Already, c.Refused + o.Refused}
}

// Report is the outcome of an import. A row whose state cannot be read counts
// under the empty state.
type Report struct {
	Total  Count
	States map[lifecycle.State]Count
	Errors []RowError
}

// Balanced tells whether every row is accounted for.
func (r Report) Balanced() bool {
	var sum Count
	for _, c := range r.States {
		sum = sum.plus(c)
		if c.Rows != c.Kept+c.Already+c.Refused {
			return false
		}
	}
	return sum == r.Total
}

// RowError is one thing wrong with one row; a row may have several.
type RowError struct {
	// Line counts from 1, the header being line 1.
	Line int
	// Field is a column of Columns; empty when the whole row cannot be read.
	Field  string
	Reason *words.Fault
}
