// Package production makes cards: who needs one (R7), what is printed on it
// (R13, R14, R46, R49), the batches, the bureau's files and the post.
//
// A card's way: ordered (OrderMissing), in a batch with its codes and its data
// set (Fill), described to the bureau in the order file, its chip's public key
// received and certified, the certificates sent, the bureau's receipt reconciled
// (produced), posted (Ship) and delivered (Deliver). Advance takes a batch as far
// as it can go without the bureau; it may be killed at any point and called
// again: every step is an act that records what it did, and every file can be
// written again byte for byte, because records are kept sealed and signatures
// kept (docs/bureau-files.md). No card is made twice, no card is lost, and the counts of every batch
// must balance or nothing is accepted.
//
// Codes are made in full only for the time it takes to seal them: in halves for
// the holder (issuer/codes), and whole to the bureau's key for the chip. The
// files, and what the batch kept for them, are destroyed at reconciliation.
//
// Refused: printing with a datum missing (the person goes to the exceptions,
// with the reason, and is never dropped), files that the bureau did not sign or
// that were changed, repeated with other content or of another batch.
package production

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"io"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production/exchange"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/pki/ca"
)

// State is where a batch is.
type State string

// The states of a batch, in order.
const (
	Filling   State = "filling"   // cards are being added
	Filled    State = "filled"    // complete; the order file may be out
	Keyed     State = "keyed"     // the bureau's keys are accepted
	Certified State = "certified" // every chip certified or refused
	Received  State = "received"  // the receipt is reconciled, files destroyed
	Sent      State = "sent"      // its cards are shipped
)

// Batch is one lot of cards for the bureau.
type Batch struct {
	ID    string
	State State
	// Cards is the number of cards, Chips of those with a chip.
	Cards, Chips int
	// Made and Spoiled are the receipt's; their sum is Cards.
	Made, Spoiled int
	CreatedAt     time.Time
	// OrderSignature and CertificatesSignature are kept so that the files can be
	// written again as they were.
	OrderSignature, CertificatesSignature []byte
	// KeysSum and ReceiptSum are the SHA-256 of the bureau's files accepted.
	KeysSum, ReceiptSum []byte
	// Version counts the writes; Put compares it.
	Version int64
}

// Item is one card in a batch. What it keeps for the files is erased at
// reconciliation.
type Item struct {
	Batch, Card string
	Chip        bool
	// Job and Certificate are sealed to the bureau.
	Job, Certificate []byte
	// Personal is the content of EF.Dati_Personali; none without a chip.
	Personal []byte
	// SPKI is the chip's public key.
	SPKI []byte
	// Refused is the CSE code for which the authority gave no certificate.
	Refused string
	Outcome exchange.Outcome
}

// Exception is a person for whom no card can be made until somebody acts.
type Exception struct {
	CF codicefiscale.Code
	// Reason is a key of the words catalogue or a CSE code.
	Reason string
	// Field is the datum at fault, when one is.
	Field string
	Since time.Time
}

// Errors of the stores.
var (
	ErrUnknown = errors.New("production: no such batch or card")
	ErrRaced   = errors.New("production: the batch changed meanwhile")
)

// Orders is what ordering keeps. Writes happen inside an act.
type Orders interface {
	// Candidates lists, by code, up to limit people assisted on a day who have no
	// card that is neither ended nor expired. It may list people who need none.
	Candidates(ctx context.Context, on civil.Date, after codicefiscale.Code, limit int) ([]registry.Person, error)
	// Serials reserves n consecutive numbers of a series, for ever; the first is 1.
	Serials(ctx context.Context, series string, n int) (first uint64, err error)
	// PutException keeps Since of an exception already there.
	PutException(ctx context.Context, e Exception) error
	DropException(ctx context.Context, cf codicefiscale.Code) error
	Exceptions(ctx context.Context, after codicefiscale.Code, limit int) ([]Exception, error)
}

// Batches keeps batches and their items. Writes happen inside an act.
type Batches interface {
	// Put inserts a batch of Version 0, else replaces the one of equal Version, or
	// answers ErrRaced. What it gives back has the new Version.
	Put(ctx context.Context, b Batch) (Batch, error)
	Get(ctx context.Context, id string) (Batch, error)
	// List gives the batches, the oldest first, not yet Sent when open is true.
	List(ctx context.Context, open bool) ([]Batch, error)
	PutItem(ctx context.Context, i Item) error
	// Items lists up to limit items of a batch by card number, after a number.
	Items(ctx context.Context, batch, after string, limit int) ([]Item, error)
}

// People is what production asks the registry.
type People interface {
	Get(ctx context.Context, cf codicefiscale.Code) (registry.Person, error)
}

// CodeMaker makes, keeps and destroys a card's codes; *codes.Maker does.
type CodeMaker interface {
	Make(ctx context.Context, card string, version int64, born civil.Date) (codes.Set, codes.Sealed, error)
	Keep(ctx context.Context, s codes.Sealed) error
}

// Certifier issues certificates, the same again for the same card and key, and
// revokes one inside an act; *ca.Authority does.
type Certifier interface {
	IssueBatch(ctx context.Context, qs []ca.Request) []ca.Result
	Revoke(ctx context.Context, serial string, reason int) error
}

// Files is the exchange folder; exchange.Folder is one.
type Files interface {
	Write(name string, b []byte) error
	Read(name string) ([]byte, error)
	Remove(name string) error
}

// Config is what an installation decides.
type Config struct {
	// Issuer is the first part of card numbers: "6090" for Tuscany.
	Issuer string
	Terms  lifecycle.Terms
	// BatchSize is the greatest number of cards of a batch.
	BatchSize int
	// ChiplessEvery makes every Nth card a TS without chip (R106); 0 for none.
	ChiplessEvery uint64
	// ChiplessFor lists people who get a card without chip.
	ChiplessFor map[codicefiscale.Code]bool
	// RenewalChip is whether the successors of the nightly renewal have a chip.
	RenewalChip Chip
}

// DefaultConfig is Tuscany with chips only.
func DefaultConfig() Config {
	return Config{Issuer: cns.IssuerToscana, Terms: lifecycle.DefaultTerms(), BatchSize: 1000}
}

// Parts are what a Plant is made of; all are required.
type Parts struct {
	Config    Config
	Cards     lifecycle.Store
	People    People
	Orders    Orders
	Batches   Batches
	Codes     CodeMaker
	CodeStore interface {
		Destroy(ctx context.Context, card string) error
	}
	Authority  Certifier
	Files      Files
	Bureau     *exchange.Bureau
	Signer     crypto.Signer // ECDSA; signs what goes to the bureau
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Record     journal.Recorder
	Clock      civil.Clock
	Rand       io.Reader
	// IssuerKey is the key of one chip, by which its issuer updates it later; nil:
	// chips get none, and stay as they are made.
	IssuerKey func(card string) (secret.Text, error)
}

// Plant runs production. Make one with New. One process at a time should run
// it; two at once harm nothing, but one of them is refused (ErrRaced).
type Plant struct {
	Parts
	// Progress, when set, is told how far the present step is.
	Progress func(step string, done, total int)
}

// New refuses missing parts and an impossible configuration.
func New(p Parts) (*Plant, error) {
	if p.Cards == nil || p.People == nil || p.Orders == nil || p.Batches == nil || p.Codes == nil || p.CodeStore == nil ||
		p.Authority == nil || p.Files == nil || p.Bureau == nil || p.Signer == nil || p.Atomically == nil || p.Record == nil ||
		p.Clock == nil || p.Rand == nil {
		return nil, errors.New("production: a part is missing")
	}
	if _, err := cns.NewCardID(p.Config.Issuer, 1, 0); err != nil {
		return nil, errors.Join(errors.New("production: issuer"), err)
	}
	if p.Config.BatchSize < 1 || p.Config.BatchSize > exchange.MaxRecords {
		return nil, errors.New("production: the size of a batch is out of bounds")
	}
	if _, err := x509.MarshalPKIXPublicKey(p.Signer.Public()); err != nil {
		return nil, errors.Join(errors.New("production: signer"), err)
	}
	return &Plant{Parts: p}, p.Config.Terms.Check()
}

// actSize bounds the cards of one act: enough to share a write to disk, few
// enough not to keep a counter waiting.
const actSize = 64

func (p *Plant) progress(step string, done, total int) {
	if p.Progress != nil {
		p.Progress(step, done, total)
	}
}

const actor = "system:production"

func (p *Plant) record(ctx context.Context, act string, c lifecycle.Card, detail map[string]string) error {
	return p.Record(ctx, journal.Entry{Act: act, Actor: actor, Card: c.ID, Person: string(c.CF), Detail: detail})
}

// chiplessFrom is the day from which a card may have no chip (R106).
var chiplessFrom = civil.Date{Year: 2022, Month: time.June, Day: 1}

// wrongStep is the fault of a batch that is not where a step needs it.
func wrongStep(b Batch) error { return words.Refuse("CSE-176", b.ID, b.State) }
