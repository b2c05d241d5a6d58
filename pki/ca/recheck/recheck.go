// Package recheck goes over the whole database of certificates again: does each
// say what was reserved and signed, does the record agree with the trail, with the
// published list and with the OCSP responder? It is what an auditor runs, and what
// is run after a restore.
//
// Nothing is believed because it is stored: the certificate is parsed from its own
// octets, its signature verified under its issuer's certificate, both kinds of
// lints run again (pki/profile/lint), its standing derived from the trail's acts.
// A finding has a code (Codes), the serial number, and a sentence that names no
// holder. They come as they are found, in order of serial number, so that a run
// that was stopped goes on from the last number (Inspector.After).
//
// A list or an answer speaks of the instant of its thisUpdate: what changed since
// (or less than Slack before) is not compared with it.
package recheck

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/profile/lint"
)

// Finding is one thing that does not agree.
type Finding struct {
	Code   string `json:"code"`
	Serial string `json:"serial,omitempty"`
	Says   string `json:"says"`
}

// The codes beside the lints', which are their names ("cns_…", "zlint: e_…").
const (
	Unreadable    = "unreadable"     // the certificate does not parse
	Altered       = "altered"        // what is stored to be signed is not what was signed
	Signature     = "signature"      // not by its issuer
	NoIssuer      = "issuer-unknown" // by none of our authorities
	Unsigned      = "unsigned"       // beyond reserved, and no certificate
	SignedEarly   = "signed-early"   // reserved or void, and a certificate
	Times         = "times"          // the record's instants and reason do not fit its state
	CardTwice     = "card-twice"     // two living certificates for one card
	KeyTwice      = "key-twice"      // the key is certified for another card too
	KeyWeak       = "key-weak"       // a key that would not be certified today
	Extends       = "extends"        // what it extends is not there, or of another card or key
	TrailMissing  = "trail-missing"  // acts that the trail must have are not there
	TrailOrder    = "trail-order"    // acts in an order that is none
	TrailState    = "trail-state"    // the last act says another state
	NoRecord      = "no-record"      // a number in the trail or on a list that has no record
	ListMissing   = "list-missing"   // a list that certificates point to is not there, or unreadable
	ListSignature = "list-signature" // a list that its issuer did not sign
	ListLate      = "list-late"      // a list past its nextUpdate
	NotListed     = "not-listed"     // on hold or revoked, and not on its list
	Listed        = "listed"         // good or never signed, and on its list
	ListReason    = "list-reason"    // listed for another reason
	Answered      = "ocsp"           // the responder says otherwise
)

// Slack is how long before a list's or an answer's thisUpdate an act may have
// been dated that it does not know: acts are dated before they are committed.
const Slack = time.Minute

// Act is one record of the trail about a certificate.
type Act struct {
	Index  int64
	Name   string // "certificate.issued", …
	Serial string
	Reason int // of a revocation
	At     time.Time
}

// Trail is the audit trail, as far as it speaks of certificates.
type Trail interface {
	// OfCard is what happened to a card's certificates, oldest first.
	OfCard(ctx context.Context, card string) ([]Act, error)
	// Page is what happened to all, from the record after index on; the second
	// value is the last index looked at, the same as after at the end.
	Page(ctx context.Context, after int64) ([]Act, int64, error)
}

// Store is the records.
type Store interface {
	// Each lists up to limit records of any state, by serial number, after one.
	Each(ctx context.Context, after string, limit int) ([]ca.Record, error)
	Get(ctx context.Context, serial string) (ca.Record, error)
	Find(ctx context.Context, card, keyHash string) ([]ca.Record, error)
}

// Standing is what a list or a responder says.
type Standing struct {
	// Listed: revoked or on hold, for Reason (6: hold).
	Listed bool
	Reason int
	// At is the thisUpdate; Unknown: the responder never heard of it.
	At      time.Time
	Unknown bool
}

// Inspector is what a check needs. Trail, Lists and OCSP may be nil: not compared.
type Inspector struct {
	Store Store
	// Authorities by the identifier that records name (ca.IssuerID).
	Authorities map[string]*x509.Certificate
	Trail       Trail
	// Since is from when on the trail is kept; zero: from its beginning.
	Since time.Time
	// Lists is where the list lies that a certificate's distribution point names.
	Lists func(address string) (path string)
	OCSP  func(ctx context.Context, leaf, issuer *x509.Certificate) (Standing, error)
	Clock civil.Clock
	// After is the serial number to go on from.
	After string
	// Found is told each finding; its error ends the check.
	Found func(Finding) error
	// Done, which may be nil, is told the last serial number looked at, page by page.
	Done func(serial string, looked int)
}

// Sum is what a check came to.
type Sum struct {
	Certificates, Lists, Findings int
	// Last is the last serial number looked at.
	Last string
}

const pageSize = 256

// Run is the whole check. The error is a failure to read, not a finding.
func (i Inspector) Run(ctx context.Context) (Sum, error) {
	r := &run{Inspector: i, lists: map[string]*list{}}
	defer r.close()
	for _, step := range []func(context.Context) error{r.records, r.trail, r.listed} {
		if err := step(ctx); err != nil {
			return r.sum, err
		}
	}
	r.sum.Lists = len(r.lists)
	return r.sum, nil
}

// run is one check on its way.
type run struct {
	Inspector
	sum Sum

	mu    sync.Mutex
	lists map[string]*list // by address
}

func (r *run) say(code, serial, format string, args ...any) error {
	r.sum.Findings++
	return r.Found(Finding{code, serial, fmt.Sprintf(format, args...)})
}

func (r *run) records(ctx context.Context) error {
	r.sum.Last = r.After
	for {
		page, err := r.Store.Each(ctx, r.sum.Last, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		found := make([][]Finding, len(page))
		errs := make([]error, len(page))
		each(len(page), func(n int) { found[n], errs[n] = r.record(ctx, page[n]) })
		if err := errors.Join(errs...); err != nil {
			return err
		}
		for n := range page {
			for _, f := range found[n] {
				if err := r.say(f.Code, f.Serial, "%s", f.Says); err != nil {
					return err
				}
			}
			r.sum.Certificates, r.sum.Last = r.sum.Certificates+1, page[n].Serial
		}
		if r.Done != nil {
			r.Done(r.sum.Last, r.sum.Certificates)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// each runs f for 0 to n-1 on all processors.
func each(n int, f func(i int)) {
	var all sync.WaitGroup
	next := make(chan int, n)
	for i := range n {
		next <- i
	}
	close(next)
	for range min(runtime.GOMAXPROCS(0), n) {
		all.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	all.Wait()
}

// findings collects those of one record.
type findings struct {
	serial string
	all    []Finding
}

func (f *findings) say(code, format string, args ...any) {
	f.all = append(f.all, Finding{code, f.serial, fmt.Sprintf(format, args...)})
}

// signed tells the states in which a certificate exists.
func signed(s ca.State) bool { return s != ca.Reserved && s != ca.Void }

func (r *run) record(ctx context.Context, c ca.Record) ([]Finding, error) {
	f := &findings{serial: c.Serial}
	issuer := r.Authorities[c.Issuer]
	if issuer == nil {
		f.say(NoIssuer, "issuer %s", c.Issuer)
	}
	var cert *x509.Certificate
	switch {
	case signed(c.State) && len(c.DER) == 0:
		f.say(Unsigned, "it is %s and has no certificate", c.State)
	case !signed(c.State) && len(c.DER) > 0:
		f.say(SignedEarly, "it is %s and has a certificate", c.State)
	case signed(c.State):
		var err error
		if cert, err = x509.ParseCertificate(c.DER); err != nil {
			f.say(Unreadable, "%v", err)
			cert = nil
			break
		}
		if !bytes.Equal(cert.RawTBSCertificate, c.TBS) {
			f.say(Altered, "what is stored to be signed is not what the certificate says")
		}
		if issuer != nil {
			r.look(f, c, cert, issuer)
		}
	}
	times(f, c)
	if err := r.alone(ctx, f, c); err != nil {
		return f.all, err
	}
	if err := r.told(ctx, f, c); err != nil {
		return f.all, err
	}
	if cert == nil || issuer == nil {
		return f.all, nil
	}
	return f.all, r.published(ctx, f, c, cert, issuer)
}

// look is at the certificate itself.
func (r *run) look(f *findings, c ca.Record, cert, issuer *x509.Certificate) {
	if err := cert.CheckSignatureFrom(issuer); err != nil {
		f.say(Signature, "%v", err)
	}
	for _, x := range lint.CNS(cert, lint.Expected{
		Issuer: issuer, Serial: c.Serial, Shard: c.Shard, KeyHash: c.KeyHash, CF: c.Person, Card: c.Card, NotAfter: c.NotAfter, NotBefore: c.ReservedAt,
	}) {
		f.say(x.Lint, "%s (%s)", x.Says, x.Source)
	}
	if k, ok := cert.PublicKey.(*rsa.PublicKey); ok {
		if err := ca.CheckKey(k); err != nil {
			f.say(KeyWeak, "%v", err)
		}
	}
	found, err := lint.Card(c.DER)
	for _, name := range found.Errors {
		f.say("zlint: "+name, "zlint finds an error")
	}
	if err != nil && len(found.Errors) == 0 {
		f.say(Unreadable, "zlint: %v", err)
	}
}

// times: which instants a state has.
func times(f *findings, c ca.Record) {
	had := map[string]bool{"reserved": !c.ReservedAt.IsZero(), "issued": !c.IssuedAt.IsZero(), "activated": !c.ActivatedAt.IsZero(), "changed": !c.ChangedAt.IsZero()}
	must, mustNot := []string{"reserved"}, []string{}
	switch c.State {
	case ca.Reserved:
		mustNot = []string{"issued", "activated", "changed"}
	case ca.Void:
		must, mustNot = []string{"reserved", "changed"}, []string{"issued", "activated"}
	case ca.Pending:
		must, mustNot = []string{"reserved", "issued"}, []string{"activated", "changed"}
	case ca.Good:
		must = []string{"reserved", "issued", "activated"}
	case ca.Held:
		must = []string{"reserved", "issued", "activated", "changed"}
	case ca.Revoked:
		must = []string{"reserved", "issued", "changed"}
	default:
		f.say(Times, "%q is not a state", c.State)
	}
	for _, m := range must {
		if !had[m] {
			f.say(Times, "it is %s and has no instant of being %s", c.State, m)
		}
	}
	for _, m := range mustNot {
		if had[m] {
			f.say(Times, "it is %s and has an instant of being %s", c.State, m)
		}
	}
	if c.State != ca.Revoked && c.Reason != 0 {
		f.say(Times, "it is %s and has a reason of revocation", c.State)
	}
}

// alone: the card's only living certificate, the only card of its key.
func (r *run) alone(ctx context.Context, f *findings, c ca.Record) error {
	if c.State == ca.Void {
		return nil
	}
	all, err := r.Store.Find(ctx, c.Card, c.KeyHash)
	if err != nil {
		return err
	}
	for _, o := range all {
		switch {
		case o.Serial == c.Serial:
		case o.KeyHash == c.KeyHash && o.Card != c.Card:
			f.say(KeyTwice, "the key is also that of %s (%s), of card %s", o.Serial, o.State, o.Card)
		case o.KeyHash == c.KeyHash && o.Extends != c.Serial && c.Extends != o.Serial && o.Extends == "" && c.Extends == "":
			f.say(KeyTwice, "the key is also that of %s (%s), which it does not extend", o.Serial, o.State)
		case o.Card == c.Card && c.Extends == "" && o.Extends == "" && c.State != ca.Revoked && o.State != ca.Revoked:
			f.say(CardTwice, "card %s has %s (%s) too", c.Card, o.Serial, o.State)
		}
	}
	if c.Extends == "" {
		return nil
	}
	old, err := r.Store.Get(ctx, c.Extends)
	switch {
	case errors.Is(err, ca.ErrUnknown):
		f.say(Extends, "%s, which it extends, has no record", c.Extends)
	case err != nil:
		return err
	case old.Card != c.Card || old.KeyHash != c.KeyHash || old.Person != c.Person:
		f.say(Extends, "%s, which it extends, is of another card or key", c.Extends)
	case !c.NotAfter.After(old.NotAfter):
		f.say(Extends, "it does not outlast %s, which it extends", c.Extends)
	}
	return nil
}
