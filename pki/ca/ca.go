// Package ca is the authority that issues CNS certificates.
//
// It follows one discipline, write before you sign: the serial number and the
// exact octets to be signed are stored, with one journal entry, in a first act;
// then the certificate is linted (our rules, then zlint) under a signature that nobody can use, signed,
// compared octet by octet with what was stored, and stored with a second entry
// in a second act. A kill between the two leaves the intent on record, and
// Recover finishes it or voids it. No certificate leaves before the second act.
//
// A certificate is pending (unactivated: on hold for the world) from issue
// until Activate; then good; Hold and Release go to and fro; Revoke is final.
// Every other move is a *MoveError (CSE-195). The moves are pure store writes:
// call them inside the act that moves the card.
//
// Refused: a subject key that is not RSA-2048 with e = 65537, or is weak (small
// factor, close primes, ROCA) or already certified (CSE-194); a second live
// certificate for one card (CSE-199); whatever pki/profile or the lints refuse
// (CSE-196); signing when the clock stands outside the authority's validity
// (CSE-198), or before the newest signature (CSE-927). Issuing twice for the same card and key gives the same certificate.
//
// Extend issues a second certificate for the key of a good one, with a later end
// (extend.go): pending until Supersede makes it good and revokes the first.
//
// A platform has several authorities in its life: Authorities (authorities.go)
// issues by the current one, and moves the certificates of all.
package ca

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/pki/profile"
)

// State is where a certificate stands.
type State string

// The states. Expiry is not one: it follows from the clock.
const (
	Reserved State = "reserved" // act 1 done: number and content stored, not signed
	Void     State = "void"     // reserved and given up: never signed
	Pending  State = "pending"  // issued, the card not activated: on hold for the world
	Good     State = "good"
	Held     State = "held" // suspended, certificateHold
	Revoked  State = "revoked"
)

// Record is what is kept of one certificate.
type Record struct {
	Serial  string // 32 lower-case hexadecimal digits
	Issuer  string // the issuing authority's key identifier, hexadecimal
	Shard   int    // the part of the CRL in which it stands for ever
	Card    string // 16-digit card number
	Person  string // codice fiscale of the holder
	KeyHash string // SHA-256 of the SubjectPublicKeyInfo, hexadecimal
	State   State
	Reason  int // RFC 5280 reason code, meaningful when revoked
	// Extends is the serial number of the certificate on the same key that this one
	// takes the place of, empty for a card's first.
	Extends  string
	TBS      []byte // what was to be signed, from the first act on
	DER      []byte // the certificate, from the second act on
	NotAfter time.Time
	// ReservedAt, IssuedAt, ActivatedAt and ChangedAt (of the last hold, release
	// or revocation) are zero until it happens.
	ReservedAt, IssuedAt, ActivatedAt, ChangedAt time.Time
	// Version counts the writes; Put compares it.
	Version int64
}

// Certificate parses DER; it fails before the second act.
func (r Record) Certificate() (*x509.Certificate, error) {
	if len(r.DER) == 0 {
		return nil, fmt.Errorf("ca: certificate %s is %s: not signed", r.Serial, r.State)
	}
	return x509.ParseCertificate(r.DER)
}

// Errors of a Store.
var (
	ErrUnknown = errors.New("ca: no such certificate")
	ErrTaken   = errors.New("ca: serial number, key or card already in use")
	ErrRaced   = errors.New("ca: the certificate changed meanwhile")
)

// Store keeps the records. Writes happen inside an act only.
type Store interface {
	// Reserve adds r, or answers ErrTaken when the serial number exists, a
	// record not void has the key, or one neither void nor revoked has the card;
	// of those that extend one, when one neither void nor revoked extends the same.
	Reserve(ctx context.Context, r Record) error
	// Get answers ErrUnknown when there is none.
	Get(ctx context.Context, serial string) (Record, error)
	// Find lists the records that have the card and are not void, and those of other
	// cards that have the key, whatever became of them.
	Find(ctx context.Context, card, keyHash string) ([]Record, error)
	// Put replaces the record if its Version is r.Version, else ErrRaced, and
	// stores Version+1.
	Put(ctx context.Context, r Record) error
	// Unfinished lists up to limit records in state Reserved with Serial > after.
	Unfinished(ctx context.Context, after string, limit int) ([]Record, error)
	HighWater
}

// HighWater is the instant of the newest signature, for all our authorities and
// processes.
type HighWater interface {
	// Signed is zero while nothing was signed.
	Signed(ctx context.Context) (time.Time, error)
	// RaiseSigned never lowers it.
	RaiseSigned(ctx context.Context, at time.Time) error
}

// Parts are what an Authority is made of; all but the last two are required.
type Parts struct {
	Issuer     *x509.Certificate // the issuing certificate
	Signer     crypto.Signer     // its key
	Profile    profile.CNS
	Store      Store
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Record     journal.Recorder
	Clock      civil.Clock
	Rand       io.Reader
	// SharedPrimes are those that two certified keys were found to share; nil for
	// an authority that is not told.
	SharedPrimes func(ctx context.Context) ([]*big.Int, error)
	// Agreed is asked before anything is reserved: whether two people agreed on the
	// profile as it is now. nil for an authority that asks nobody.
	Agreed func(ctx context.Context) error
}

// Authority issues certificates and changes their state. Make one with New. It
// is safe for concurrent use when Rand and Signer are.
type Authority struct {
	Parts
	id    string
	dummy dummy
	lanes lanes
	// family are all the authorities of the platform, once it has joined them.
	family *Authorities
}

// New refuses missing parts and a key that is not the certificate's.
func New(p Parts) (*Authority, error) {
	if p.Issuer == nil || p.Signer == nil || p.Store == nil || p.Atomically == nil || p.Record == nil || p.Clock == nil || p.Rand == nil {
		return nil, errors.New("ca: a part is missing")
	}
	pub, ok := p.Signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !pub.Equal(p.Issuer.PublicKey) {
		return nil, errors.New("ca: the key is not that of the issuing certificate")
	}
	if !p.Issuer.IsCA || p.Issuer.KeyUsage&x509.KeyUsageCertSign == 0 {
		return nil, errors.New("ca: the issuing certificate is not an authority's")
	}
	d, err := newDummy(p.Rand, p.Issuer)
	if err != nil {
		return nil, err
	}
	return &Authority{Parts: p, id: IssuerID(p.Issuer), dummy: d}, nil
}

// IssuerID is how records name an authority.
func IssuerID(c *x509.Certificate) string { return fmt.Sprintf("%x", c.SubjectKeyId) }

// SerialOf is how records name a certificate: 32 lower-case hexadecimal digits.
func SerialOf(c *x509.Certificate) string { return normal(profile.SerialText(c.SerialNumber)) }

// normal takes the forms in which programs print a serial number (capitals,
// leading zeros dropped) back to that of the records.
func normal(serial string) string {
	s := strings.ToLower(serial)
	return strings.Repeat("0", max(0, 32-len(s))) + s
}

// Get is the record of a serial number (hexadecimal).
func (a *Authority) Get(ctx context.Context, serial string) (Record, error) {
	return a.Store.Get(ctx, normal(serial))
}

// dummy is a signature, of the issuer's algorithm and of the greatest length, that
// belongs to nothing: it stands in the certificate that is linted, so that a
// certificate refused by the lints has never existed.
type dummy struct {
	alg profile.Algorithm
	sig []byte
}

func newDummy(rand io.Reader, issuer *x509.Certificate) (dummy, error) {
	alg, err := profile.AlgorithmOf(issuer.PublicKey)
	if err != nil {
		return dummy{}, fmt.Errorf("ca: %w", err)
	}
	// number draws one whose first bit is set: the longest of its kind.
	number := func(octets int) ([]byte, error) {
		b := make([]byte, octets)
		_, err := io.ReadFull(rand, b)
		b[0] |= 0x80
		return b, err
	}
	switch pub := issuer.PublicKey.(type) {
	case *ecdsa.PublicKey:
		size := (pub.Curve.Params().BitSize + 7) / 8
		r, err := number(size)
		if err != nil {
			return dummy{}, fmt.Errorf("ca: a signature that is none: %w", err)
		}
		s, err := number(size)
		if err != nil {
			return dummy{}, fmt.Errorf("ca: a signature that is none: %w", err)
		}
		sig, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(r), new(big.Int).SetBytes(s)})
		return dummy{alg, sig}, err
	case *rsa.PublicKey: // no throw-away RSA key is worth its seconds
		sig, err := number(pub.Size())
		return dummy{alg, sig}, err
	}
	return dummy{}, fmt.Errorf("ca: no signature of a %T", issuer.PublicKey)
}
