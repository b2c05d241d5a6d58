// Package archive keeps the papers of acts at counters: the delegation, the
// self-declaration, copies of documents (R69, R98, R99), the report of a loss
// (R34), signed receipts, as scans. Which act needs which, issuer/counter says;
// until a paper is here its act is a task of the counter (Expect, Missing).
//
// A scan is a PDF, a JPEG or a PNG of at most five megabytes; what it is follows
// from its first bytes, never from its name, and it is not read further: it is
// kept as given and given back as kept, to be opened elsewhere. Each person has a
// data key of his own, wrapped by the desk's key, which seals his papers; once
// that key is erased nothing opens them, in any copy of the store. The same
// paper sent twice is kept once.
//
// A paper is seen again with a motive only, and the look is written down before
// the first byte leaves; the person reads it among his activities. He has a copy
// of his own papers without saying why (Of, Copy). Each kind of paper has its
// term: the night destroys what is over (Retain), and with a person's last paper
// his key; both are written down under his name. It refuses
// (CSE-517 to CSE-523) no file, too much, another kind of file, a paper that
// the act has not, one that is not there (any more), no motive, and more than
// twelve papers for one act.
package archive

import (
	"context"
	"errors"
	"io"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
)

// ErrNotFound: the store has no such paper or key.
var ErrNotFound = errors.New("archive: not found")

// Kind is what a paper is.
type Kind string

// The papers.
const (
	Declaration    Kind = "self-declaration" // R69, signed
	Delegation     Kind = "delegation"       // R98, signed
	HolderDocument Kind = "holder-document"  // R99, a copy
	Document       Kind = "document"         // of whoever stood there
	Report         Kind = "report"           // R34, of loss or theft: a copy
	Signed         Kind = "signed"           // what the act printed, signed
)

// Kinds lists them, in the order of the menu.
func Kinds() []Kind {
	return []Kind{Declaration, Delegation, HolderDocument, Document, Report, Signed}
}

// Limits of what is kept.
const (
	MaxSize   = 5 << 20
	MaxPapers = 12
)

// File is an act as the archive knows it.
type File struct {
	Protocol, Card, Office string
	Holder                 codicefiscale.Code
}

// Paper is what the list of an act's papers shows.
type Paper struct {
	ID   string
	Kind Kind
	Type Type
	Size int64
	At   time.Time
	// By is the account that put it here.
	By string
}

// Row is a paper as it is kept; Body is sealed.
type Row struct {
	Paper
	Act, Person string
	Body        []byte
}

// Due is an act whose papers are waited for.
type Due struct {
	Protocol, Office, Card string
	Kind                   Kind
	At                     time.Time
}

// Store keeps papers, the persons' wrapped keys and what is waited for. Writes
// happen inside an act.
type Store interface {
	// AddPaper keeps one; false when its identifier is there.
	AddPaper(ctx context.Context, r Row) (bool, error)
	// PapersOf lists an act's, oldest first, without bodies.
	PapersOf(ctx context.Context, act string) ([]Row, error)
	// GetPaper answers ErrNotFound.
	GetPaper(ctx context.Context, id string) (Row, error)
	Keys
	Dues
	Terms
}

// Terms is what the night asks.
type Terms interface {
	// Overdue lists people who have papers of a kind older than before, after one.
	Overdue(ctx context.Context, k Kind, before time.Time, after string, limit int) ([]string, error)
	// PapersFor lists a person's papers, oldest first, without bodies.
	PapersFor(ctx context.Context, person string) ([]Row, error)
	// Destroy destroys a person's papers of a kind older than before.
	Destroy(ctx context.Context, person string, k Kind, before time.Time) (int64, error)
	// DropSettled forgets waits that ended before; it answers how many.
	DropSettled(ctx context.Context, before time.Time) (int64, error)
}

// Keys are the persons' data keys, wrapped.
type Keys interface {
	// Key answers ErrNotFound.
	Key(ctx context.Context, person string) ([]byte, error)
	// PutKey keeps a person's first key; false when he has one.
	PutKey(ctx context.Context, person string, wrapped []byte, at time.Time) (bool, error)
	// Erase destroys a person's key and papers; it answers how many papers.
	Erase(ctx context.Context, person string) (int64, error)
}

// Dues is what is waited for.
type Dues interface {
	Expect(ctx context.Context, d Due) error
	// Settle ends the wait for one kind of paper of an act.
	Settle(ctx context.Context, protocol string, k Kind, at time.Time) error
	// Open lists what an office waits for, oldest first.
	Open(ctx context.Context, office string, limit int) ([]Due, error)
	// OpenOf lists what an act waits for.
	OpenOf(ctx context.Context, protocol string) ([]Due, error)
	// OpenIn lists what acts of an office between two instants wait for.
	OpenIn(ctx context.Context, office string, from, to time.Time) ([]Due, error)
}

// AEAD wraps the persons' keys.
type AEAD interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// Deps are what the room stands on; all are needed.
type Deps struct {
	Store Store
	// File answers an act to who may see it, or the refusal.
	File func(ctx context.Context, op staff.Operator, protocol string) (File, error)
	// Holder answers whose act it is, for the trail of the night; empty when nobody
	// knows any more.
	Holder func(ctx context.Context, protocol string) (codicefiscale.Code, error)
	// Pseudonym is keyed; the same for the same person.
	Pseudonym  func(cf codicefiscale.Code) string
	Seal       AEAD
	Clock      civil.Clock
	Rand       io.Reader
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Record     journal.Recorder
	// Required makes a task of each paper that an act needs, until it is here.
	Required bool
}

// Room is the archive. Make one with New; it is safe for concurrent use.
type Room struct{ d Deps }

// New refuses a missing part.
func New(d Deps) (*Room, error) {
	if d.Store == nil || d.File == nil || d.Holder == nil || d.Pseudonym == nil || d.Seal == nil || d.Clock == nil || d.Rand == nil || d.Atomically == nil || d.Record == nil {
		return nil, errors.New("archive: a part is missing")
	}
	return &Room{d}, nil
}
