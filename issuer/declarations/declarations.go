// Package declarations is the check of self-declarations by sample (DPR 445/2000,
// article 71): a parent's or guardian's own word is enough at the counter (R69),
// and some of those words are looked at afterwards.
//
// Guarantees:
//   - Which are looked at follows from the act's protocol number under a key, and
//     from the percentage in force on that day: nobody at a counter can foresee or
//     choose it, and the same number always answers the same.
//   - A supervisor decides, of the office where it was declared or of the holder's
//     own health unit, where the matrix lets that counter activate for minors and
//     wards; never who did the act, and never of his own family.
//   - To open a case is a look at the holder's data: it is written down, with the
//     motive of a check, before anything is answered.
//   - A decision is one act, once: confirmed and nothing changes, or not confirmed,
//     and the title ends, the codes it gave are worth nothing, everybody is told.
//
// It refuses, and writes the refusal down: CSE-754 another office's case, CSE-755
// the act of the operator himself; CSE-760 an act that was not drawn. Filled in
// wrongly: CSE-756 what was checked is missing, CSE-758 decided already.
package declarations

import (
	"context"
	"errors"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
)

// ErrNotFound: the store has no such case.
var ErrNotFound = errors.New("declarations: not found")

// State is what became of a case.
type State string

// The states.
const (
	Open         State = "open"
	Confirmed    State = "confirmed"
	NotConfirmed State = "not-confirmed"
)

// States lists them.
func States() []State { return []State{Open, Confirmed, NotConfirmed} }

// Row is a case as it is kept. It names nobody; Note is sealed.
type Row struct {
	Protocol, Kind, Card, Office, ASL, Operator string
	At                                          time.Time
	State                                       State
	DecidedBy, DecidedIn                        string
	DecidedAt                                   time.Time
	Note                                        []byte
}

// Store keeps cases. Writes happen inside an act.
type Store interface {
	// Add keeps an open case; the same act again changes nothing.
	Add(ctx context.Context, r Row) error
	// Get answers ErrNotFound.
	Get(ctx context.Context, protocol string) (Row, error)
	// Waiting lists open cases of an office, and those of a health unit (empty: of
	// none), oldest first.
	Waiting(ctx context.Context, office, asl string, limit int) ([]Row, error)
	// Decide writes r's state, decision and note; false when it is open no more.
	Decide(ctx context.Context, r Row) (bool, error)
}

// Declared is what a self-declaration says, from the act with which it was given.
type Declared struct {
	Protocol, Kind, Card, Office, Operator string
	At                                     time.Time
	Holder, Declarant                      Party
	// Quality is "genitore" or "tutore"; NoCard why he showed no card of his own.
	Quality, NoCard string
	// Document that he showed.
	DocumentKind, DocumentNumber, DocumentIssuer string
	DocumentExpires                              civil.Date
	// Named: the registry names him today; OnPaper: it does not know him at all.
	Named, OnPaper bool
}

// Party is a person of the declaration.
type Party struct {
	CF            codicefiscale.Code
	Surname, Name string
	Born          civil.Date
}

// AEAD seals the notes.
type AEAD interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// Deps are what the room stands on; all are needed.
type Deps struct {
	Store     Store
	Directory *staff.Directory
	// Read opens what an act declared, for op: the refusal when it is his family's.
	Read func(ctx context.Context, op staff.Operator, protocol string) (Declared, error)
	// Disown ends the title of an act in the act of ctx; it answers how many cards
	// are held.
	Disown func(ctx context.Context, op staff.Operator, protocol string) (int, error)
	// Percent is how many of a hundred are drawn at an instant.
	Percent func(ctx context.Context, at time.Time) (int, error)
	// Key draws them.
	Key        secret.Text
	Seal       AEAD
	Clock      civil.Clock
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Record     journal.Recorder
}

// Room is the checks. Make one with New; it is safe for concurrent use.
type Room struct{ d Deps }

// New refuses a missing part.
func New(d Deps) (*Room, error) {
	if d.Store == nil || d.Directory == nil || d.Read == nil || d.Disown == nil || d.Percent == nil || len(d.Key.Reveal()) < 16 || d.Seal == nil ||
		d.Clock == nil || d.Atomically == nil || d.Record == nil {
		return nil, errors.New("declarations: a part is missing")
	}
	return &Room{d}, nil
}
