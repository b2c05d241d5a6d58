// Package counter is what happens at a counter (sportello) and what a holder
// does with his CIP: who may do it, which papers it takes, and the act itself.
//
// Counters and operators come from configuration (Directory); what an operator
// may do follows from the matrix of the rules (permissions.go), asked again at
// each request. An activation (R59, R61, R73-R75) is filled in four steps kept
// as a sealed draft on the server and becomes one act: card active, certificate
// active, codes form and codes mail asked for, journal written, all or nothing,
// and once only however often the button is pressed. A minor or ward is
// activated for by a parent or guardian, an ill adult by a delegate
// (represent.go). Other acts are one form each (deskacts.go, reprint.go). A
// holder may suspend and revoke with the CIP alone (R84): wrong tries slow down
// by card and by source.
//
// It refuses, each with its own CSE code: a counter or operator that may not;
// an expired or unfit document, the TS as a document (R40); a card of somebody
// else, replaced, not arrived, ended; an operator's own card; addresses that
// differ or are none. It never sees a half of a code: bodies of effects name
// the card, and the process that prints or mails opens its own half.
package counter

import (
	"context"
	"errors"
	"io"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/issuer/throttle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// People is the registry as a counter reads it.
type People interface {
	Get(ctx context.Context, cf codicefiscale.Code) (registry.Person, error)
	Search(ctx context.Context, q registry.Query) ([]registry.Person, error)
}

// Codes are the holder's codes as a counter may know them: that they exist,
// whether a CIP is right, and their end. *codes.CIPs is one.
type Codes interface {
	Has(ctx context.Context, card string) (bool, error)
	Check(ctx context.Context, card string, cip secret.Text) (bool, error)
	// Digits and CheckDigits compare single digits of a CIP (phone.go).
	Digits(ctx context.Context, card string) (int, error)
	CheckDigits(ctx context.Context, card string, places []int, digits secret.Text) (bool, error)
	Destroy(ctx context.Context, card string) error
}

// Renewal gives a card new codes and keeps the former ones of its chip until they
// are written; a codes.Renewer is one.
type Renewal interface {
	New(ctx context.Context, card string, born civil.Date) error
	Pending(ctx context.Context, card string) (bool, error)
	Renewed(ctx context.Context, card string) (bool, error)
}

// Certificates moves a certificate, by serial number in lower-case hexadecimal,
// in the act that ctx carries. reason is a CRLReason of RFC 5280.
type Certificates interface {
	Activate(ctx context.Context, serial string) error
	Hold(ctx context.Context, serial string) error
	Release(ctx context.Context, serial string) error
	Revoke(ctx context.Context, serial string, reason int) error
}

// AEAD seals what the store keeps for the counter.
type AEAD interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// Deps are what the counter stands on; all are needed.
type Deps struct {
	Directory    *staff.Directory
	People       People
	Cards        lifecycle.Store
	Codes        Codes
	Certificates Certificates
	Drafts       Drafts
	Acts         Acts
	Links        Links
	Tries        throttle.Tries
	Seal         AEAD
	Clock        civil.Clock
	Rand         io.Reader
	Atomically   func(ctx context.Context, act func(ctx context.Context) error) error
	Enqueue      effect.Enqueue
	// DropPrint destroys what is left of a print: the pending effect and
	// whatever its handler spooled. It is called with the effect's key.
	DropPrint effect.Drop
	Record    journal.Recorder
	// Reissue orders the card that takes another's place.
	Reissue Reissue
	// Lists is how long a revocation list lasts: what others may need to learn that a
	// card works. Zero: nothing is said of it.
	Lists time.Duration
	// LetterOffice prints letters with second halves for who has no e-mail
	// address; empty: an address is needed (R75).
	LetterOffice string
	// FromHome lets who has an active card activate its successor at home.
	FromHome bool
	// Diagnosis is the call centre's; nil: none is asked.
	Diagnosis Diagnosis
	// Renew gives a card new codes; nil: nobody does (CSE-453).
	Renew Renewal
	// Read tells that the counter's reader read a card for op in the last minutes;
	// nil: there is no reader.
	Read func(ctx context.Context, op staff.Operator, job, card string) error
	// Tested are the lights that the counter's reader found for op in the last
	// minutes; nil: there is no reader.
	Tested func(ctx context.Context, op staff.Operator, job, card string) (Lights, error)
	// Approved spends the approval of a second person; nil: what needs one is
	// refused.
	Approved Approved
	// FreeReprints is how many in thirty days need no second person; nil: two.
	FreeReprints func(ctx context.Context) (int, error)
	// CorrectionDays is how long the old CNS lasts after the posting of a corrected
	// card (R30); nil: lifecycle.CorrectionGrace.
	CorrectionDays func(ctx context.Context) (int, error)
	// ReissueFor orders the card of a codice fiscale that took another's place; nil:
	// none is.
	ReissueFor func(ctx context.Context, old lifecycle.Card, cf codicefiscale.Code) (lifecycle.Card, error)
	// Address stops an address that must not be used (an operator's own, on too
	// many adults' cards); nil: none is stopped.
	Address func(ctx context.Context, holder registry.Person, address string) error
	// Expect waits for signed papers; nil: nobody does.
	Expect Expect
	// Sample draws acts with a self-declaration for a check; nil: nobody does. asl is
	// the holder's health unit.
	Sample func(ctx context.Context, r ActRow, asl string) error
	// Book keeps addresses; nil: the acts alone know them.
	Book Book
	// Informativa is the version of the privacy notice (GDPR, articles 13 and 14)
	// that counters hand over at an instant: it is kept with the act and written
	// on its papers.
	Informativa func(at time.Time) string
}

// Counter does the acts. Make one with New; it is safe for concurrent use.
type Counter struct {
	d     Deps
	brake throttle.Brake
}

// New refuses a missing dependency.
func New(d Deps) (*Counter, error) {
	for _, x := range []struct {
		missing bool
		name    string
	}{
		{d.Directory == nil, "Directory"},
		{d.People == nil, "People"},
		{d.Cards == nil, "Cards"},
		{d.Codes == nil, "Codes"},
		{d.Certificates == nil, "Certificates"},
		{d.Drafts == nil, "Drafts"},
		{d.Acts == nil, "Acts"},
		{d.Links == nil, "Links"},
		{d.Tries == nil, "Tries"},
		{d.Seal == nil, "Seal"},
		{d.Clock == nil, "Clock"},
		{d.Rand == nil, "Rand"},
		{d.Atomically == nil, "Atomically"},
		{d.Enqueue == nil, "Enqueue"},
		{d.DropPrint == nil, "DropPrint"},
		{d.Record == nil, "Record"},
		{d.Reissue == nil, "Reissue"},
		{d.Informativa == nil, "Informativa"},
	} {
		if x.missing {
			return nil, errors.New("counter: " + x.name + " is missing")
		}
	}
	return &Counter{d: d, brake: throttle.Brake{Tries: d.Tries, Clock: d.Clock}}, nil
}

// still is c at one instant: an act is of one moment, whatever the clock does
// while it is done. What was good when it began cannot be dated a day later, and
// card, paper and protocol number are of one year.
func (c *Counter) still() *Counter {
	s := *c
	s.d.Clock = instant(c.d.Clock.Now())
	return &s
}

// instant is a clock that stands.
type instant time.Time

// Now implements civil.Clock.
func (i instant) Now() time.Time { return time.Time(i) }
