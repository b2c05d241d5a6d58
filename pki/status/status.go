// Package status tells the world where a certificate stands: OCSP (RFC 6960,
// nonce as RFC 9654, GET and caching as RFC 5019) and CRLs (RFC 5280, 5), over
// plain HTTP, since who checks a certificate must not need one to do so.
//
// OCSP: a delegated responder, named by key hash; CertIDs with SHA-1 or SHA-256,
// several in one request; "unknown", not "good", for a number never issued; a
// card not yet activated is on hold (certificateHold). Every answer is decided
// by the store at the moment of the question; what is cached is only the
// signature over an unchanged answer, so that a change of state shows at once.
//
// CRL: version 2, number strictly increasing per issuer and part, issuing
// distribution point critical, reason codes but never code 0, entries leave one
// list after their certificate expired. Written as a stream and published by
// rename, so that a reader sees the old list or the new one. Every part that was
// ever used is published, whatever the configuration says now; a change of a
// certificate makes its part be published again (Publisher.Refresh). No list is
// signed when the clock stands before the last one (CSE-942).
package status

import (
	"context"
	"errors"
	"time"
)

// Standing is what is said of one certificate.
type Standing struct {
	// Known is false for a number never issued (or reserved, or given up).
	Known bool
	// Revoked covers the hold, whose Reason is Hold.
	Revoked bool
	// Reason is the RFC 5280 code; 0 is left out of lists and answers.
	Reason int
	// Since is when it was revoked or put on hold.
	Since time.Time
	// Version changes with every change of the above.
	Version int64
}

// Hold is certificateHold (RFC 5280, 5.3.1).
const Hold = 6

// Entry is one line of a CRL.
type Entry struct {
	Serial string // hexadecimal, even number of digits
	Since  time.Time
	Reason int
}

// Number is what a store answers to NextNumber.
type Number struct {
	// Number is that of the list to be written. Last is the thisUpdate of the part's
	// list before, Newest that of the issuer's newest; zero where there was none.
	Number       int64
	Last, Newest time.Time
}

// Part is what the records know of one part of an issuer's list.
type Part struct {
	Shard int
	// Number and ThisUpdate are those of the newest list, zero before the first.
	Number     int64
	ThisUpdate time.Time
	// Waiting is how many changes no list has yet, the oldest of them at Since;
	// Urgent when one of them is a hold or a revocation.
	Waiting int
	Urgent  bool
	Since   time.Time
	// Whole are the numbers of the lists that have all other changes.
	Whole []int64
}

// Store is what this package asks of the records for OCSP.
type Store interface {
	// Standing of a serial number (lower-case hexadecimal) of an issuer (key
	// identifier, hexadecimal).
	Standing(ctx context.Context, issuer, serial string) (Standing, error)
}

// Lists is what this package asks of the records for CRLs. Whoever writes a
// certificate's standing leaves a change with its part, in the same act.
type Lists interface {
	// Keep makes sure, inside an act, that parts 0 to shards-1 are on record.
	Keep(ctx context.Context, issuer string, shards int) error
	// Parts are all parts on record, and all that certificates stand in.
	Parts(ctx context.Context, issuer string) ([]Part, error)
	// Listed hands over, in order of serial number, the entries of one part of
	// the list: revoked or on hold, and not expired before since.
	Listed(ctx context.Context, issuer string, shard int, since time.Time, yield func(Entry) error) error
	// NextNumber counts the part's lists, inside an act, keeps at, and takes the
	// changes that wait: the list of that number will have them.
	NextNumber(ctx context.Context, issuer string, shard int, at time.Time) (Number, error)
}

// ErrPart is returned by constructors for a missing part.
var ErrPart = errors.New("status: a part is missing")
