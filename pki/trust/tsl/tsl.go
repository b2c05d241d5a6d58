// Package tsl reads and writes trusted lists (ETSI TS 119 612): which
// authorities may be believed, from when to when, by the word of one signer that
// is pinned here.
//
// Read guarantees that the whole list is what a pinned certificate signed: one
// enveloped XML signature, a child of the root, over the root; its digest is
// computed, and the list is then read from exactly the octets that were digested
// ("wrapping" has nothing to wrap). Fields are those of the standard's schema,
// each where it belongs and as often as it may be there.
//
// Refused: type definitions, entities, processing instructions, encodings other
// than UTF-8, what is too big or too deep, SHA-1, keys that are too short,
// signatures by anybody else, a list for another territory. Newer says whether a
// list may follow another; Changes what it would change.
package tsl

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Names of TS 119 612.
const (
	namespace = "http://uri.etsi.org/02231/v2#"

	// TypeIdV is "identity verification", under which the Italian list has the authorities of the CNS (annex D; login.md 1.2).
	TypeIdV = "http://uri.etsi.org/TrstSvc/Svctype/IdV"
	// TypeCA is an authority whose certificates are not qualified.
	TypeCA = "http://uri.etsi.org/TrstSvc/Svctype/CA/PKC"

	statusBase = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"
	// Granted and Withdrawn are what Write writes; National and Deprecated are the words for services that are not qualified.
	Granted    = statusBase + "granted"
	Withdrawn  = statusBase + "withdrawn"
	National   = statusBase + "recognisedatnationallevel"
	Deprecated = statusBase + "deprecatedatnationallevel"
)

// Reason tells why a list is refused.
type Reason string

// The reasons.
const (
	Malformed     Reason = "malformed"      // not a trusted list as the standard writes it
	BadSignature  Reason = "bad-signature"  // not what was signed, or not the whole of it
	UnknownSigner Reason = "unknown-signer" // nobody who is pinned
	WrongScheme   Reason = "wrong-scheme"   // another territory
	NotNewer      Reason = "not-newer"      // the sequence number or the instant of issue goes back
	OutOfDate     Reason = "out-of-date"    // past its NextUpdate, or of a later instant
)

// Error is the error of this package.
type Error struct {
	Reason Reason
	Err    error
}

func (e *Error) Error() string { return fmt.Sprintf("trusted list: %s: %v", e.Reason, e.Err) }

// Unwrap gives the technical cause.
func (e *Error) Unwrap() error { return e.Err }

// ReasonOf is the Reason in err's chain, or "".
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

func refuse(why Reason, format string, args ...any) error {
	return &Error{Reason: why, Err: fmt.Errorf(format, args...)}
}

// List is a trusted list.
type List struct {
	Sequence  int64
	Territory string // ISO 3166-1 alpha-2
	Operator  string
	Issued    time.Time
	// NextUpdate is zero for a list that is closed: no more will come.
	NextUpdate time.Time
	Services   []Service
	// Signer signed it; Hash is SHA-256 over the file.
	Signer *x509.Certificate
	Hash   [sha256.Size]byte
}

// Service is one service of a provider, with its history.
type Service struct {
	Provider, Name string
	Type           string
	// Certificates are those of its key.
	Certificates []*x509.Certificate
	// States are the statuses, the newest first; never empty.
	States []State
}

// State is a status from an instant on.
type State struct {
	Type, Status string
	From         time.Time
}

// at is the state at an instant; nil before the first.
func (s Service) at(t time.Time) *State {
	for i := range s.States {
		if !t.Before(s.States[i].From) {
			return &s.States[i]
		}
	}
	return nil
}

// granted are the statuses in which a service is to be believed.
var granted = []string{Granted, National}

// Current tells whether an answer may rest on the list at an instant.
func (l *List) Current(at time.Time) bool { return !l.NextUpdate.IsZero() && !at.After(l.NextUpdate) }

// Issuer is an authority that a list grants.
type Issuer struct {
	Certificate    *x509.Certificate
	Provider, Name string
	// From is since when it is granted.
	From time.Time
}

// Fingerprint is SHA-256 over the certificate, in lower-case hexadecimal.
func (i Issuer) Fingerprint() string { return Fingerprint(i.Certificate) }

// Fingerprint is SHA-256 over a certificate, in lower-case hexadecimal.
func Fingerprint(c *x509.Certificate) string {
	h := sha256.Sum256(c.Raw)
	return hex.EncodeToString(h[:])
}

// Issuers are the authorities of a type that are granted at an instant. A
// certificate that any service withdraws is none, whatever another says.
func (l *List) Issuers(kind string, at time.Time) []Issuer {
	var out []Issuer
	gone := map[string]bool{}
	for _, s := range l.Services {
		st := s.at(at)
		if st == nil || st.Type != kind {
			continue
		}
		good := slices.Contains(granted, st.Status)
		for _, c := range s.Certificates {
			if !good {
				gone[Fingerprint(c)] = true
				continue
			}
			out = append(out, Issuer{Certificate: c, Provider: s.Provider, Name: s.Name, From: st.From})
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(i Issuer) bool {
		f := i.Fingerprint()
		drop := gone[f] || seen[f] || !i.Certificate.IsCA
		seen[f] = true
		return drop
	})
}

// Newer refuses a list that may not follow another: its number must be greater
// and its instant of issue must not go back.
func (l *List) Newer(than *List) error {
	switch {
	case than == nil:
		return nil
	case l.Sequence <= than.Sequence:
		return refuse(NotNewer, "number %d after %d", l.Sequence, than.Sequence)
	case l.Issued.Before(than.Issued):
		return refuse(NotNewer, "issued %s after %s", l.Issued.Format(time.RFC3339), than.Issued.Format(time.RFC3339))
	}
	return nil
}

// Fresh refuses a list of a later instant, or past its next update.
func (l *List) Fresh(at time.Time) error {
	switch {
	case l.Issued.After(at.Add(skew)):
		return refuse(OutOfDate, "issued %s", l.Issued.Format(time.RFC3339))
	case l.NextUpdate.IsZero():
		return refuse(OutOfDate, "the list is closed")
	case !l.Current(at):
		return refuse(OutOfDate, "good until %s", l.NextUpdate.Format(time.RFC3339))
	}
	return nil
}

const skew = 5 * time.Minute

// Changes is what one list changes of another, for a type of service.
type Changes struct {
	// New are granted now or will be, and were not; Gone were and are not; Kept are
	// granted by both, Renamed are those of Kept with another name or provider.
	New, Gone, Kept, Renamed []Issuer
}

// ahead are the authorities that are granted at an instant, or will be by what
// the list says already.
func (l *List) ahead(kind string, at time.Time) []Issuer {
	out := l.Issuers(kind, at)
	later := map[time.Time]bool{}
	for _, s := range l.Services {
		for _, st := range s.States {
			if st.From.After(at) && !later[st.From] {
				later[st.From] = true
				out = append(out, l.Issuers(kind, st.From)...)
			}
		}
	}
	return out
}

// Changes compares what both grant at an instant; before may be nil.
func (l *List) Changes(before *List, kind string, at time.Time) Changes {
	var old, known []Issuer
	if before != nil {
		old, known = before.Issuers(kind, at), before.ahead(kind, at)
	}
	now := l.Issuers(kind, at)
	find := func(in []Issuer, x Issuer) *Issuer {
		if i := slices.IndexFunc(in, func(y Issuer) bool { return y.Certificate.Equal(x.Certificate) }); i >= 0 {
			return &in[i]
		}
		return nil
	}
	var c Changes
	for _, x := range l.ahead(kind, at) {
		if find(known, x) == nil && find(c.New, x) == nil {
			c.New = append(c.New, x)
		}
	}
	for _, x := range now {
		switch was := find(old, x); {
		case was == nil:
			continue
		case was.Name != x.Name || was.Provider != x.Provider:
			c.Renamed = append(c.Renamed, x)
		}
		c.Kept = append(c.Kept, x)
	}
	for _, x := range old {
		if find(now, x) == nil {
			c.Gone = append(c.Gone, x)
		}
	}
	return c
}
