package trust

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"

	"cse.example/cse/pki/trust/path"
)

// Purpose is what a chain is looked for.
type Purpose = path.Purpose

// The purposes of Chain.
const (
	AnyPurpose = path.AnyPurpose
	Stamping   = path.Stamping
)

// maxOffered bounds the certificates that come with a leaf; those after them are not looked at.
const maxOffered = 32

// minAuthority is the smallest RSA modulus with which an authority may sign, in bits.
const minAuthority = 2048

// Chain is a path from leaf to one of the anchors as package path proves it, the leaf first: signatures (no SHA-1), validity at
// the instant, basic constraints, key usage, names and their constraints, policies where an authority limits them. An anchor's own
// limits bind; a leaf that is itself an anchor is a chain of one. understood are critical extensions that the caller judges. Every error is a *Refusal; what package path said of it is
// in its chain.
func Chain(anchors []*x509.Certificate, leaf *x509.Certificate, offered []*x509.Certificate, at time.Time, use Purpose, understood ...asn1.ObjectIdentifier) ([]*x509.Certificate, error) {
	o := chainOptions(at)
	o.Purpose = use
	for _, id := range understood {
		o.Understood = append(o.Understood, id.String())
	}
	s, err := newSearch(leaf, anchors, offered)
	if err != nil {
		return nil, err
	}
	return s.chain(o)
}

func chainOptions(at time.Time) path.Options {
	return path.Options{At: at, Purpose: path.AnyPurpose, AnchorBinds: true, SilentAuthorities: true, InhibitMapping: true, MinRSA: minAuthority}
}

// search is one leaf with what may lead up from it, read by package path.
type search struct {
	leaf          *path.Certificate
	anchors, pool []*path.Certificate
	known         []*x509.Certificate // as crypto/x509 reads them
}

func newSearch(leaf *x509.Certificate, anchors, offered []*x509.Certificate) (*search, error) {
	p, err := path.Parse(leaf.Raw)
	if err != nil {
		return nil, &Refusal{Reason: UntrustedIssuer, Err: err}
	}
	s := &search{leaf: p, known: []*x509.Certificate{leaf}}
	s.anchors = s.read(anchors)
	s.pool = s.read(offered[:min(len(offered), maxOffered)])
	return s, nil
}

// read takes what can be read; what cannot leads nowhere.
func (s *search) read(all []*x509.Certificate) []*path.Certificate {
	var out []*path.Certificate
	for _, c := range all {
		if p, err := path.Parse(c.Raw); err == nil {
			out = append(out, p)
			s.known = append(s.known, c)
		}
	}
	return out
}

func (s *search) chain(o path.Options) ([]*x509.Certificate, error) {
	r, err := path.Build(s.leaf, s.pool, s.anchors, o)
	if err != nil {
		return nil, pathRefusal(err)
	}
	var out []*x509.Certificate
	for _, c := range r.Path {
		i := slices.IndexFunc(s.known, func(k *x509.Certificate) bool { return slices.Equal(k.Raw, c.Raw) })
		out = append(out, s.known[i])
	}
	return out, nil
}

// path looks for a chain as of an instant within the leaf's own validity, so
// that an expired certificate of a believed issuer is told from a stranger's.
// The first search asks for everything, policy and purpose of the authorities
// included; when it finds nothing, a second one without them tells a stranger
// from a certificate of another kind, whose form has the first word: pending is
// what is left to say when the form has none.
func (v *Verifier) path(leaf *x509.Certificate, offered []*x509.Certificate, at time.Time) (chain []*x509.Certificate, pending, err error) {
	when := at
	if when.After(leaf.NotAfter) {
		when = leaf.NotAfter
	}
	if when.Before(leaf.NotBefore) {
		when = leaf.NotBefore
	}
	anchors := slices.DeleteFunc(slices.Clone(v.Anchors), leaf.Equal) // an anchor is nobody's card
	s, err := newSearch(leaf, anchors, slices.Concat(v.Intermediates, offered[:min(len(offered), maxOffered)]))
	if err != nil {
		return nil, nil, err
	}
	loose := chainOptions(when)
	strict := loose
	strict.Purpose, strict.ExplicitPolicy = path.Client, true
	for _, p := range v.policies() {
		strict.Policies = append(strict.Policies, p.String())
	}
	if chain, pending = s.chain(strict); pending == nil {
		return chain, nil, nil
	}
	if chain, err = s.chain(loose); err != nil {
		return nil, nil, err
	}
	return chain, pending, nil
}

// policies are those accepted.
func (v *Verifier) policies() []asn1.ObjectIdentifier {
	if len(v.Policies) == 0 {
		return []asn1.ObjectIdentifier{PolicyCNS}
	}
	return v.Policies
}

// pathRefusal gives the reasons of package path their names here. What the path
// says stays in the chain of errors (path.ReasonOf).
func pathRefusal(err error) error {
	var r *path.Refusal
	if !errors.As(err, &r) {
		return fmt.Errorf("trust: %w", err)
	}
	why := UntrustedIssuer
	switch r.Reason {
	case path.CriticalExtension:
		why = CriticalExtension
	case path.Expired, path.NotYetValid: // the leaf's own dates are not asked here
		why = IssuerExpired
	case path.PolicyNotAccepted:
		why = PolicyMissing
	case path.WrongPurpose:
		why = WrongExtKeyUsage
	}
	return &Refusal{Reason: why, Err: err}
}
