// Package extension lets the holder of a card without a chip go on using the old
// one: it gives the old card's certificate a later end (FAQ B17, rules R106 to
// R109, pki.md 1.6), by a program on the holder's own computer.
//
// The way: the old certificate proves itself by mutual TLS (Begin); the card signs
// a challenge with the same key (Prove), and a new certificate is issued, on hold;
// the issuer closes a script for this chip and this moment (Authorise: select,
// write, read back); the chip's closed answers show what the file now holds
// (Confirm), and in one act the new certificate becomes good and the old one is
// superseded. Until then the old one is as good as before, so that at every
// instant exactly one of the two is.
//
// Every step may be killed, on either side, and asked again: a card has at most one
// living request, which keeps its certificate, and a script may be authorised any
// number of times. A card whose file holds no good certificate any more (a torn
// write, a write never confirmed) proves itself by its key alone (Challenge,
// Resume): docs/decisions/0881.
//
// It refuses, with the reason (Check): after the service's end, which is dated data;
// a card without chip or of another issuer; one never activated, suspended or ended;
// one whose printed date or certificate has passed; one without a chipless
// successor that has left for its holder; one with nothing to gain. The e-mail tells
// the holder when it is done. No codice fiscale is kept here.
package extension

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/throttle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/pki/ca"
)

// State is where a request is.
type State string

// The states of a request. Open and Issued live; a card has one of them at most.
const (
	Open      State = "open"      // begun; nothing issued
	Issued    State = "issued"    // the new certificate waits, on hold, to be written and confirmed
	Confirmed State = "confirmed" // the chip holds it, and it is good
	Abandoned State = "abandoned" // the card ended first; the new certificate, if any, was revoked
)

// Living tells a request that may go on.
func (s State) Living() bool { return s == Open || s == Issued }

// Request is the extension of one card's certificate.
type Request struct {
	ID, Card string
	State    State
	// Old and New are serial numbers; New is empty before Issued.
	Old, New string
	// Until is the last day of the new certificate.
	Until civil.Date
	// Room is how many bytes the chip's file has, as the holder's program read it.
	Room int
	// OpenedAt and so on are zero until it happens; WrittenAt is the last time a
	// write was authorised.
	OpenedAt, IssuedAt, WrittenAt, EndedAt time.Time
	// Session is the SHA-256 of the token of who is at work, empty for nobody;
	// Proved tells that his card has signed Nonce.
	Session     string
	SessionEnds time.Time
	Proved      bool
	Nonce       []byte
	// Challenge is the chip's, that Script answers.
	Challenge []byte
	Script    Script
	// Version counts the writes; Put compares it.
	Version int64
}

// Errors of a Store.
var (
	ErrNone  = errors.New("extension: there is none")
	ErrStale = errors.New("extension: somebody else wrote it first")
)

// Store keeps requests. Writes happen inside an act.
type Store interface {
	// Add answers false when the card has a living request.
	Add(ctx context.Context, r Request) (bool, error)
	// Put replaces the request whose Version is r.Version, else ErrStale; it
	// answers the request with its new Version.
	Put(ctx context.Context, r Request) (Request, error)
	// Of lists a card's requests, newest first.
	Of(ctx context.Context, card string) ([]Request, error)
	// BySession answers ErrNone.
	BySession(ctx context.Context, session string) (Request, error)
	// Each lists up to limit requests after an identifier.
	Each(ctx context.Context, after string, limit int) ([]Request, error)
}

// Authority is the certification authority; *ca.Authority is one.
type Authority interface {
	Get(ctx context.Context, serial string) (ca.Record, error)
	Extend(ctx context.Context, q ca.Extension) (ca.Record, error)
	Extended(ctx context.Context, serial string) (ca.Record, bool, error)
	Supersede(ctx context.Context, serial string) error
	Revoke(ctx context.Context, serial string, reason int) error
}

// Cards are the cards; lifecycle.Store has these.
type Cards interface {
	Get(ctx context.Context, id string) (lifecycle.Card, error)
	ByPerson(ctx context.Context, cf codicefiscale.Code) ([]lifecycle.Card, error)
	Put(ctx context.Context, c lifecycle.Card) (lifecycle.Card, error)
}

// Seal keeps what travels with the holder between two steps; tink.AEAD is one.
type Seal interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// Deps are what the room stands on; all must be there.
type Deps struct {
	Store     Store
	Cards     Cards
	Person    func(ctx context.Context, cf codicefiscale.Code) (registry.Person, error)
	Authority Authority
	// ChipKey is the key by which the issuer updates one card's chip.
	ChipKey func(card string) (secret.Text, error)
	// Ends is the last day of the service, and of what it gives, as of an instant.
	Ends  func(ctx context.Context, at time.Time) (civil.Date, error)
	Brake throttle.Brake
	Seal  Seal
	Clock civil.Clock
	Rand  io.Reader
	// Atomically runs an act; EndSessions ends what the old certificate opened and
	// Tell asks for the mail, both inside it.
	Atomically  func(ctx context.Context, act func(ctx context.Context) error) error
	Record      journal.Recorder
	EndSessions func(ctx context.Context, card string) error
	Tell        func(ctx context.Context, card lifecycle.Card, until civil.Date) error
}

// Room is the extension service. Make one with New; it is safe for concurrent use.
type Room struct{ d Deps }

// New refuses a missing part.
func New(d Deps) (*Room, error) {
	if d.Store == nil || d.Cards == nil || d.Person == nil || d.Authority == nil || d.ChipKey == nil || d.Ends == nil || d.Brake.Tries == nil ||
		d.Seal == nil || d.Clock == nil || d.Rand == nil || d.Atomically == nil || d.Record == nil || d.EndSessions == nil || d.Tell == nil {
		return nil, errors.New("extension: a part is missing")
	}
	return &Room{d}, nil
}

// Proof is what a handshake with the old certificate proved: whose card, and which
// certificate.
type Proof struct{ Card, Serial string }

// Session is what who is at work holds. Its token is a secret.
type Session struct {
	Token secret.Text
	// Nonce is what the card must sign (Message); empty when that is done.
	Nonce []byte
	State State
	Card  string
	// From is the last day of the certificate that is good now, Until that of the
	// new one.
	From, Until civil.Date
	// Serial is the new certificate's, once it was issued.
	Serial string
}

// Message is what a card signs (PKCS#1 v1.5, SHA-256) to prove its key: bound to
// this purpose, this card and one challenge.
func Message(card string, nonce []byte) []byte {
	return append([]byte("cse.extension/1\n"+card+"\n"), nonce...)
}

// How long a session waits for its next step, and a challenge for its signature.
const (
	sessionLife   = 15 * time.Minute
	challengeLife = 5 * time.Minute
)

func (r *Room) record(ctx context.Context, act string, q Request, cf codicefiscale.Code, more ...string) error {
	d := map[string]string{"request": q.ID, "old": q.Old}
	if q.New != "" {
		d["new"] = q.New
	}
	for i := 0; i+1 < len(more); i += 2 {
		d[more[i]] = more[i+1]
	}
	return r.d.Record(ctx, journal.Entry{Act: act, Actor: "holder", Card: q.Card, Person: string(cf), Detail: d})
}

// certificate is the one of a serial number.
func (r *Room) certificate(ctx context.Context, serial string) (*x509.Certificate, error) {
	rec, err := r.d.Authority.Get(ctx, serial)
	if err != nil {
		return nil, err
	}
	return rec.Certificate()
}
