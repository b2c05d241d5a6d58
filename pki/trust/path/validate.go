package path

import (
	"errors"
	"maps"
	"slices"
	"time"
)

// Purpose is what the leaf is to be used for.
type Purpose string

// The purposes.
const (
	// AnyPurpose asks nothing of keyUsage and extendedKeyUsage of the leaf.
	AnyPurpose Purpose = "any"
	// Client is TLS client authentication: extendedKeyUsage, where there is one in any certificate of the path, allows it, and
	// keyUsage of the leaf has digitalSignature.
	Client Purpose = "client"
	// Server is TLS server authentication, for comparison with others' tests.
	Server Purpose = "server"
	// OCSPSigning is a responder's.
	OCSPSigning Purpose = "ocsp"
	// Stamping is a time-stamping authority's; its keyUsage may be nonRepudiation alone.
	Stamping Purpose = "stamping"
)

var purposeOID = map[Purpose]string{
	Client: "1.3.6.1.5.5.7.3.2", Server: "1.3.6.1.5.5.7.3.1", OCSPSigning: "1.3.6.1.5.5.7.3.9", Stamping: "1.3.6.1.5.5.7.3.8",
}

// Options are the inputs of RFC 5280, 6.1.1 and our bounds.
type Options struct {
	// At is the instant of validation; required.
	At time.Time
	// Policies is the user-initial-policy-set; empty means anyPolicy.
	Policies []string
	// ExplicitPolicy, InhibitMapping and InhibitAny are the initial values of those names.
	ExplicitPolicy, InhibitMapping, InhibitAny bool
	Purpose                                    Purpose
	// AnchorBinds: what the anchor's certificate says of authorities (basicConstraints, keyUsage, extendedKeyUsage, nameConstraints)
	// binds the path below it, as RFC 5937 has it. RFC 5280 takes only its name and key.
	AnchorBinds bool
	// SilentAuthorities: an authority without certificatePolicies says nothing of policies and counts as one with anyPolicy; one that
	// has the extension binds. RFC 5280 takes its silence for "none".
	SilentAuthorities bool
	// Understood are critical extensions that the caller judges himself.
	Understood []string
	// Legacy allows SHA-1 and DSA; Result.Weak names what was met.
	Legacy bool
	// MinRSA is the smallest RSA modulus in bits; 1024 when zero.
	MinRSA int
	// MaxDepth bounds the certificates of a path, leaf and anchor included; 16 when zero.
	MaxDepth int
	// MaxSignatures bounds the signatures verified; 256 when zero.
	MaxSignatures int
	// Revocation has what is at hand; nil: revocation is not checked at all.
	Revocation *Evidence
}

func (o Options) depth() int {
	if o.MaxDepth > 0 {
		return o.MaxDepth
	}
	return 16
}

func (o Options) verifier() *verifier {
	v := &verifier{left: o.MaxSignatures, legacy: o.Legacy, minRSA: o.MinRSA}
	if v.left <= 0 {
		v.left = 256
	}
	if v.minRSA <= 0 {
		v.minRSA = 1024
	}
	return v
}

// Result is a path that holds.
type Result struct {
	// Path runs from the leaf to the anchor.
	Path []*Certificate
	// Policies is the user-constrained-policy-set; anyPolicy stands for itself.
	Policies []string
	// Weak names old algorithms that Options.Legacy let pass.
	Weak []string
	// Revocation tells, for each certificate of Path but the anchor, what spoke for it: "crl" or "ocsp"; empty when not checked.
	Revocation []string
}

// Validate judges one path, which runs from the leaf to the anchor. The anchor
// is believed for being one: only its name and key are used.
func Validate(path []*Certificate, o Options) (*Result, error) {
	return validate(path, o, o.verifier())
}

func validate(path []*Certificate, o Options, v *verifier) (*Result, error) {
	if len(path) == 0 {
		return nil, refuse(NoPath, -1, "an empty path")
	}
	return validateWith(newState(path, o, v), path, o, v)
}

func validateWith(s *state, path []*Certificate, o Options, v *verifier) (*Result, error) {
	if len(path) > o.depth() {
		return nil, refuse(PathTooLong, -1, "%d certificates", len(path))
	}
	if err := window(path[len(path)-1], o.At, len(path)-1); err != nil {
		return nil, err
	}
	if o.AnchorBinds && len(path) > 1 {
		if err := s.bind(path[len(path)-1], len(path)-1); err != nil {
			return nil, err
		}
	}
	if len(path) == 1 { // an anchor itself
		if err := purpose(path[0], o.Purpose, 0, true); err != nil {
			return nil, err
		}
		if path[0].hasPolicies {
			s.graph.add(path[0].policies, !o.InhibitAny)
		} else {
			s.graph = nil
		}
		got := s.graph.accepted(o.Policies)
		if o.ExplicitPolicy && len(got) == 0 {
			return nil, refuse(PolicyNotAccepted, 0, "none of the policies asked for")
		}
		return &Result{Path: path, Policies: got}, nil
	}
	for i := len(path) - 2; i >= 0; i-- {
		if err := s.certificate(path[i], i); err != nil {
			return nil, err
		}
		if i > 0 {
			if err := s.prepare(path[i], i); err != nil {
				return nil, err
			}
		}
	}
	policies, err := s.wrapUp(path[0])
	if err != nil {
		return nil, err
	}
	r := &Result{Path: path, Policies: policies}
	if o.Revocation != nil {
		if r.Revocation, err = o.Revocation.path(path, s.keys, o, v); err != nil {
			return nil, err
		}
	}
	r.Weak = slices.Sorted(maps.Keys(v.weak))
	return r, nil
}

// state is what 6.1.2 names.
type state struct {
	o    Options
	v    *verifier
	n    int // certificates below the anchor
	i    int // of these, the one in hand, from 1
	name Name
	key  publicKey
	// keys are the working public keys with which each certificate of the path verifies others, with inherited parameters.
	keys []publicKey

	graph                                          *graph
	constraints                                    constraints
	explicitPolicy, policyMapping, inhibitAny, max int
}

func newState(path []*Certificate, o Options, v *verifier) *state {
	anchor := path[len(path)-1]
	s := &state{o: o, v: v, n: len(path) - 1, name: anchor.Subject, key: anchor.key, graph: newGraph()}
	s.constraints.left = maxComparisons
	s.max, s.explicitPolicy, s.policyMapping, s.inhibitAny = s.n, s.n+1, s.n+1, s.n+1
	if o.ExplicitPolicy {
		s.explicitPolicy = 0
	}
	if o.InhibitMapping {
		s.policyMapping = 0
	}
	if o.InhibitAny {
		s.inhibitAny = 0
	}
	s.keys = make([]publicKey, len(path))
	s.keys[len(path)-1] = anchor.key
	return s
}

// bind takes the anchor's own limits for initial values (RFC 5937, 3.2).
func (s *state) bind(a *Certificate, index int) error {
	switch {
	case a.hasBasic && !a.isCA, a.Version == 3 && !a.hasBasic:
		return refuse(NotAuthority, index, "basicConstraints")
	case a.hasUsage && a.usage&usageCertSign == 0:
		return refuse(NotAuthority, index, "keyUsage")
	}
	s.constraints.add(&a.extensions)
	s.max = lower(s.max, a.pathLen)
	return purpose(a, s.o.Purpose, index, false)
}

// certificate is 6.1.3.
func (s *state) certificate(c *Certificate, index int) error {
	s.i++
	if !c.Issuer.Equal(s.name) {
		return refuse(NameChaining, index, "")
	}
	if err := window(c, s.o.At, index); err != nil {
		return err
	}
	if err := s.v.check(s.key, c.algorithm, c.tbs, c.signature); err != nil {
		return at(err, BadSignature, index)
	}
	if !c.selfIssued() || index == 0 {
		if err := s.constraints.check(c); err != nil {
			if errors.Is(err, errWork) {
				return &Refusal{Reason: TooMuchWork, Index: index, Err: err}
			}
			return &Refusal{Reason: NameNotPermitted, Index: index, Err: err}
		}
	}
	switch {
	case c.hasPolicies:
		s.graph.add(c.policies, s.inhibitAny > 0 || (s.i < s.n && c.selfIssued()))
	case index > 0 && s.o.SilentAuthorities:
		s.graph.add([]string{anyPolicy}, true)
	default:
		s.graph = nil
	}
	if s.explicitPolicy == 0 && s.graph.null() {
		return refuse(PolicyNotAccepted, index, "no policy is left")
	}
	for _, x := range c.unknownCritical {
		if !slices.Contains(s.o.Understood, x) {
			return refuse(CriticalExtension, index, "%s", x)
		}
	}
	return nil
}

// at gives a refusal its place; another error gets the reason.
func at(err error, why Reason, index int) error {
	var r *Refusal
	if errors.As(err, &r) {
		c := *r
		c.Index = index
		return &c
	}
	return &Refusal{Reason: why, Index: index, Err: err}
}

func window(c *Certificate, at time.Time, index int) error {
	switch {
	case at.Before(c.NotBefore):
		return refuse(NotYetValid, index, "valid from %s", c.NotBefore.Format(time.RFC3339))
	case at.After(c.NotAfter):
		return refuse(Expired, index, "valid until %s", c.NotAfter.Format(time.RFC3339))
	}
	return nil
}

// prepare is 6.1.4.
func (s *state) prepare(c *Certificate, index int) error {
	for _, m := range c.mappings {
		if m[0] == anyPolicy || m[1] == anyPolicy {
			return refuse(PolicyMalformed, index, "anyPolicy is mapped")
		}
	}
	s.graph.mapped(c.mappings, s.policyMapping == 0)
	s.name = c.Subject
	s.key = inherit(c.key, s.key)
	s.keys[index] = s.key
	s.constraints.add(&c.extensions)
	if !c.selfIssued() {
		s.explicitPolicy, s.policyMapping, s.inhibitAny = less(s.explicitPolicy), less(s.policyMapping), less(s.inhibitAny)
	}
	s.explicitPolicy = lower(s.explicitPolicy, c.requireExplicit)
	s.policyMapping = lower(s.policyMapping, c.inhibitMapping)
	s.inhibitAny = lower(s.inhibitAny, c.extensions.inhibitAny)
	switch {
	case c.Version != 3 || !c.hasBasic || !c.isCA:
		return refuse(NotAuthority, index, "basicConstraints")
	case c.hasUsage && c.usage&usageCertSign == 0:
		return refuse(NotAuthority, index, "keyUsage")
	}
	if !c.selfIssued() {
		if s.max <= 0 {
			return refuse(PathTooLong, index, "pathLenConstraint")
		}
		s.max--
	}
	s.max = lower(s.max, c.pathLen)
	return purpose(c, s.o.Purpose, index, false)
}

func less(n int) int { return max(n-1, 0) }

func lower(n, bound int) int {
	if bound >= 0 && bound < n {
		return bound
	}
	return n
}

// inherit gives a DSA key the parameters of the one above when it has none (6.1.4 (f)).
func inherit(k, above publicKey) publicKey {
	if k.oid == oidDSA && above.oid == oidDSA && (len(k.params) == 0 || k.params[0] == 5) {
		k.params = above.params
	}
	return k
}

// wrapUp is 6.1.5.
func (s *state) wrapUp(leaf *Certificate) ([]string, error) {
	s.explicitPolicy = less(s.explicitPolicy)
	if leaf.requireExplicit == 0 {
		s.explicitPolicy = 0
	}
	s.keys[0] = inherit(leaf.key, s.key)
	got := s.graph.accepted(s.o.Policies)
	if s.explicitPolicy == 0 && len(got) == 0 {
		return nil, refuse(PolicyNotAccepted, 0, "none of the policies asked for")
	}
	return got, purpose(leaf, s.o.Purpose, 0, true)
}

func purpose(c *Certificate, p Purpose, index int, leaf bool) error {
	want, ok := purposeOID[p]
	if !ok {
		return nil
	}
	if c.hasEKU && !slices.Contains(c.eku, want) && (p == OCSPSigning || !slices.Contains(c.eku, ekuAny)) && (leaf || p != OCSPSigning) {
		return refuse(WrongPurpose, index, "extendedKeyUsage")
	}
	signs := usageDigitalSignature
	if p == Stamping {
		signs |= usageNonRepudiation
	}
	if leaf && c.hasUsage && c.usage&signs == 0 && p != Server {
		return refuse(WrongPurpose, index, "keyUsage")
	}
	return nil
}
