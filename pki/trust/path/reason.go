package path

import (
	"errors"
	"fmt"
)

// Reason tells why a path is refused.
type Reason string

// The reasons. Their texts are part of the output of `cse verify certificate --json`.
const (
	Malformed          Reason = "malformed"           // not a certificate as RFC 5280 writes it
	NoPath             Reason = "no-path"             // no chain of names leads to an anchor
	BadSignature       Reason = "bad-signature"       // a signature is not the issuer's
	WeakAlgorithm      Reason = "weak-algorithm"      // SHA-1, DSA, or a short key
	UnknownAlgorithm   Reason = "unknown-algorithm"   // nobody here can check it
	NotYetValid        Reason = "not-yet-valid"       // the instant lies before notBefore
	Expired            Reason = "expired"             // the instant lies after notAfter
	NameChaining       Reason = "name-chaining"       // issuer and subject do not meet
	NotAuthority       Reason = "not-an-authority"    // basicConstraints or keyUsage do not let it sign certificates
	PathTooLong        Reason = "path-too-long"       // pathLenConstraint, or our own bound
	CriticalExtension  Reason = "critical-extension"  // one that nobody here understands
	NameNotPermitted   Reason = "name-not-permitted"  // nameConstraints
	PolicyNotAccepted  Reason = "policy-not-accepted" // no policy left that is asked for
	PolicyMalformed    Reason = "policy-malformed"    // a mapping of anyPolicy
	WrongPurpose       Reason = "wrong-purpose"       // extendedKeyUsage or keyUsage of the leaf
	Revoked            Reason = "revoked"             // a list or an answer says so
	OnHold             Reason = "on-hold"             // certificateHold
	RevocationUnproved Reason = "revocation-unproved" // no list or answer at hand speaks of it
	TooMuchWork        Reason = "too-much-work"       // the bound on work was met before an answer
)

// Refusal is the error of Validate and Build.
type Refusal struct {
	Reason Reason
	// Index is the certificate concerned, 0 for the leaf; -1 when it is none.
	Index int
	// Code is the reason code of a revocation (RFC 5280, 5.3.1).
	Code int
	// Err is the technical cause; may be nil.
	Err error
}

func (r *Refusal) Error() string {
	s := "path: " + string(r.Reason)
	if r.Index >= 0 {
		s += fmt.Sprintf(" at %d", r.Index)
	}
	if r.Err != nil {
		s += ": " + r.Err.Error()
	}
	return s
}

// Unwrap gives the technical cause.
func (r *Refusal) Unwrap() error { return r.Err }

// ReasonOf is the Reason in err's chain, or "".
func ReasonOf(err error) Reason {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	return ""
}

func refuse(why Reason, index int, format string, args ...any) *Refusal {
	r := &Refusal{Reason: why, Index: index}
	if format != "" {
		r.Err = fmt.Errorf(format, args...)
	}
	return r
}
