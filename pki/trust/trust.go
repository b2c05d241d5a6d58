// Package trust decides whether a certificate is that of a CNS we believe.
//
// It builds the path (RFC 5280, 6, by package path: names and their constraints,
// policies, purposes, bounded work) to a pinned list of CNS issuers, never to
// the system's roots; an issuer that is itself certified by another may be
// pinned. Then, in this order: validity, key usage (digitalSignature, no
// nonRepudiation) and extended key usage (clientAuth) whether or not they are
// critical, policy (1.3.76.16.2.1 or a declared equivalent, read from the DER),
// size of the key, the grammar of the common name (CF/card.hash), the check
// letter of the codice fiscale, and last what a Revocation source says.
//
// Guaranteed: every refusal is a *Refusal with one Reason, so that each can have
// its own message; an address found in a certificate is never followed here.
// Refused: whatever is not proved, also a revocation source that does not answer.
package trust

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/person/codicefiscale"
)

// Reason tells why a certificate is refused.
type Reason int

// The reasons, in the order in which they are looked for.
const (
	UntrustedIssuer    Reason = iota + 1 // no path to a pinned issuer
	IssuerExpired                        // the path has an authority outside its validity
	NotYetValid                          // Since is notBefore
	Expired                              // Since is notAfter
	CriticalExtension                    // one that nobody here understands
	WrongKeyUsage                        // not digitalSignature, or nonRepudiation
	WrongExtKeyUsage                     // not clientAuth
	PolicyMissing                        // none of the accepted policies
	WeakKey                              // not RSA, or too small
	NameMalformed                        // the common name is not CF/card.hash
	CFInvalid                            // the codice fiscale fails its check
	NotActivated                         // on hold since issue
	OnHold                               // suspended; Since is when
	Revoked                              // Since and Code tell when and why
	UnknownToIssuer                      // the issuer has no record of it
	RevocationUnproved                   // the source did not answer
)

var reasonNames = map[Reason]string{
	UntrustedIssuer: "untrusted issuer", IssuerExpired: "issuer expired", NotYetValid: "not yet valid", Expired: "expired",
	CriticalExtension: "unknown critical extension", WrongKeyUsage: "wrong key usage", WrongExtKeyUsage: "wrong extended key usage",
	PolicyMissing: "no CNS policy", WeakKey: "weak key", NameMalformed: "common name malformed", CFInvalid: "codice fiscale invalid",
	NotActivated: "not activated", OnHold: "on hold", Revoked: "revoked", UnknownToIssuer: "unknown to its issuer",
	RevocationUnproved: "revocation not proved",
}

// String is a short English phrase, for logs.
func (r Reason) String() string {
	if s, ok := reasonNames[r]; ok {
		return s
	}
	return fmt.Sprintf("reason %d", int(r))
}

// Refusal is the error of Verify.
type Refusal struct {
	Reason Reason
	// Since is the instant that the reason's comment names; zero otherwise.
	Since time.Time
	// Code is the RFC 5280 reason code of a revocation.
	Code int
	// Err is the technical cause; may be nil.
	Err error
}

func (r *Refusal) Error() string {
	s := "trust: " + r.Reason.String()
	if !r.Since.IsZero() {
		s += " since " + r.Since.UTC().Format(time.RFC3339)
	}
	if r.Err != nil {
		s += ": " + r.Err.Error()
	}
	return s
}

// Unwrap gives the technical cause.
func (r *Refusal) Unwrap() error { return r.Err }

// ReasonOf is the Reason in err's chain, or 0.
func ReasonOf(err error) Reason {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	return 0
}

// Standing is what a Revocation source says of a certificate.
type Standing int

// The standings; zero is Unknown, so that silence is not consent.
const (
	StandingUnknown Standing = iota
	StandingGood
	StandingPending // issued, its card not activated
	StandingHeld
	StandingRevoked
)

// Status is a Standing with its particulars.
type Status struct {
	Standing Standing
	Since    time.Time
	Code     int // RFC 5280 reason, when revoked
}

// Revocation answers for the certificates of the issuers it knows; for others
// it answers ErrForeign and the next source is asked.
type Revocation interface {
	Revocation(ctx context.Context, leaf, issuer *x509.Certificate) (Status, error)
}

// ErrForeign: the source does not answer for this issuer.
var ErrForeign = errors.New("trust: not an issuer of this source")

// PolicyCNS is the policy of CNS authentication certificates.
var PolicyCNS = asn1.ObjectIdentifier{1, 3, 76, 16, 2, 1}

// Verifier holds what is believed. Its fields must not change while it is used.
type Verifier struct {
	// Anchors are the pinned issuers.
	Anchors []*x509.Certificate
	// Intermediates help to build paths; nothing is believed for being here.
	Intermediates []*x509.Certificate
	// Policies are accepted; PolicyCNS alone when empty.
	Policies []asn1.ObjectIdentifier
	// MinRSA is the smallest modulus in bits; 2048 when zero.
	MinRSA int
	// Revocation sources, asked in turn until one knows the issuer. None knowing
	// it is RevocationUnproved.
	Revocation []Revocation
}

// Holder is whom a believed certificate names.
type Holder struct {
	Name   cns.Name
	CF     codicefiscale.Code
	Serial string // lower-case hexadecimal
	Leaf   *x509.Certificate
	// Issuer signed the leaf; Chain runs from leaf to anchor.
	Issuer *x509.Certificate
	Chain  []*x509.Certificate
	// Surname and GivenName are there when the certificate has them (SN, GN).
	Surname, GivenName string
}

// Verify decides about leaf at an instant. offered are the other certificates
// that came with it. The possession of the key is proved elsewhere (TLS). When
// only the revocation speaks against it, the holder is returned with the error.
func (v *Verifier) Verify(ctx context.Context, leaf *x509.Certificate, offered []*x509.Certificate, at time.Time) (*Holder, error) {
	chain, pending, err := v.path(leaf, offered, at)
	if err != nil {
		return nil, err
	}
	if err := v.form(leaf, at); err != nil {
		return nil, err
	}
	if pending != nil {
		return nil, pending
	}
	h, err := holder(leaf)
	if err != nil {
		return nil, err
	}
	h.Chain, h.Issuer = chain, chain[1]
	return h, v.standing(ctx, leaf, h.Issuer)
}

// Check is Verify without the question of revocation, for who has no source at
// hand (a holder's own tool).
func (v *Verifier) Check(leaf *x509.Certificate, offered []*x509.Certificate, at time.Time) (*Holder, error) {
	w := *v
	w.Revocation = []Revocation{trusting{}}
	return w.Verify(context.Background(), leaf, offered, at)
}

type trusting struct{}

func (trusting) Revocation(context.Context, *x509.Certificate, *x509.Certificate) (Status, error) {
	return Status{Standing: StandingGood}, nil
}

// form is what the certificate says of itself.
func (v *Verifier) form(c *x509.Certificate, at time.Time) error {
	switch {
	case at.Before(c.NotBefore):
		return &Refusal{Reason: NotYetValid, Since: c.NotBefore}
	case at.After(c.NotAfter):
		return &Refusal{Reason: Expired, Since: c.NotAfter}
	case c.IsCA, c.KeyUsage&x509.KeyUsageDigitalSignature == 0, c.KeyUsage&x509.KeyUsageContentCommitment != 0:
		return &Refusal{Reason: WrongKeyUsage}
	case !clientAuth(c):
		return &Refusal{Reason: WrongExtKeyUsage}
	case !v.policy(c):
		return &Refusal{Reason: PolicyMissing}
	}
	least := v.MinRSA
	if least == 0 {
		least = 2048
	}
	k, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok {
		return &Refusal{Reason: WeakKey, Err: fmt.Errorf("a %T", c.PublicKey)}
	}
	if k.N.BitLen() < least {
		return &Refusal{Reason: WeakKey, Err: fmt.Errorf("RSA of %d bits", k.N.BitLen())}
	}
	if k.E < minExponent {
		return &Refusal{Reason: WeakKey, Err: fmt.Errorf("an exponent of %d", k.E)}
	}
	return nil
}

// minExponent is the smallest public exponent of a card's key (FIPS 186-5, A.1.1).
const minExponent = 1<<16 + 1

func clientAuth(c *x509.Certificate) bool {
	for _, u := range c.ExtKeyUsage {
		if u == x509.ExtKeyUsageClientAuth {
			return true
		}
	}
	return false
}

func (v *Verifier) policy(c *x509.Certificate) bool {
	for _, p := range c.PolicyIdentifiers {
		for _, a := range v.policies() {
			if p.Equal(a) {
				return true
			}
		}
	}
	return false
}

var oidCommonName = asn1.ObjectIdentifier{2, 5, 4, 3}

// Form judges what the certificate says of itself, and reads whom it names; its
// path and its standing are judged elsewhere, so nothing is proved by it alone.
func (v *Verifier) Form(leaf *x509.Certificate, at time.Time) (*Holder, error) {
	if err := v.form(leaf, at); err != nil {
		return nil, err
	}
	return holder(leaf)
}

// holder reads the subject from the DER's attributes, never from a printed name.
func holder(c *x509.Certificate) (*Holder, error) {
	h := &Holder{Leaf: c, Serial: fmt.Sprintf("%x", c.SerialNumber.Bytes())}
	// crypto/x509 gives relative names of several attributes as if they were several names: other readers do not.
	var rdns pkix.RDNSequence
	if rest, err := asn1.Unmarshal(c.RawSubject, &rdns); err != nil || len(rest) > 0 {
		return nil, &Refusal{Reason: NameMalformed, Err: errors.New("the subject cannot be read")}
	}
	for _, r := range rdns {
		if len(r) > 1 && slices.ContainsFunc(r, func(a pkix.AttributeTypeAndValue) bool { return a.Type.Equal(oidCommonName) }) {
			return nil, &Refusal{Reason: NameMalformed, Err: errors.New("the common name shares its relative name")}
		}
	}
	names := 0
	for _, a := range c.Subject.Names {
		s, ok := a.Value.(string)
		if !ok {
			continue
		}
		switch a.Type.String() {
		case "2.5.4.3":
			names++
			n, err := cns.ParseCommonName(s)
			if err != nil {
				return nil, &Refusal{Reason: NameMalformed, Err: err}
			}
			h.Name = n
		case "2.5.4.4":
			h.Surname = s
		case "2.5.4.42":
			h.GivenName = s
		}
	}
	if names != 1 {
		return nil, &Refusal{Reason: NameMalformed, Err: fmt.Errorf("%d common names", names)}
	}
	cf, err := codicefiscale.Parse(h.Name.CF)
	if err != nil {
		return nil, &Refusal{Reason: CFInvalid, Err: err}
	}
	h.CF = cf
	return h, nil
}

// Standing asks the sources about leaf, whose path somebody else has judged.
func (v *Verifier) Standing(ctx context.Context, leaf, issuer *x509.Certificate) error {
	return v.standing(ctx, leaf, issuer)
}

// standing asks the sources.
func (v *Verifier) standing(ctx context.Context, leaf, issuer *x509.Certificate) error {
	for _, s := range v.Revocation {
		st, err := s.Revocation(ctx, leaf, issuer)
		if errors.Is(err, ErrForeign) {
			continue
		}
		if err != nil {
			return &Refusal{Reason: RevocationUnproved, Err: err}
		}
		switch st.Standing {
		case StandingGood:
			return nil
		case StandingPending:
			return &Refusal{Reason: NotActivated, Since: st.Since}
		case StandingHeld:
			return &Refusal{Reason: OnHold, Since: st.Since}
		case StandingRevoked:
			return &Refusal{Reason: Revoked, Since: st.Since, Code: st.Code}
		default:
			return &Refusal{Reason: UnknownToIssuer}
		}
	}
	return &Refusal{Reason: RevocationUnproved, Err: errors.New("no source answers for the issuer")}
}
