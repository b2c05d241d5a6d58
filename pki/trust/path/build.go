package path

import (
	"bytes"
	"errors"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Build looks for a path from leaf to one of the anchors by way of the pool and
// validates it. Nothing in the pool is believed for being there. When no path
// holds, the refusal is that of the path that came furthest.
func Build(leaf *Certificate, pool, anchors []*Certificate, o Options) (*Result, error) {
	if o.Revocation != nil {
		e := *o.Revocation
		e.Certificates = slices.Concat(e.Certificates, pool)
		o.Revocation = &e
	}
	b := builder{pool: pool, anchors: anchors, o: o, v: o.verifier()}
	return b.build(leaf)
}

// Bounds for one leaf: the paths that are validated, and the certificates that are put on top of another in the search.
const (
	maxPaths = 512
	maxSteps = 4096
)

type builder struct {
	pool, anchors []*Certificate
	o             Options
	v             *verifier
	// accept, when set, has the last word on a path that holds.
	accept func(path []*Certificate, keys []publicKey) error

	bySubject map[string][]*Certificate
	tried     int
	steps     int
	best      *Refusal
}

func (b *builder) build(leaf *Certificate) (*Result, error) {
	b.bySubject = map[string][]*Certificate{}
	seen := map[string]bool{}
	for _, c := range b.pool {
		if id := string(c.Raw); !seen[id] {
			seen[id] = true
			b.bySubject[c.Subject.key()] = append(b.bySubject[c.Subject.key()], c)
		}
	}
	r, err := b.extend([]*Certificate{leaf})
	if r != nil || err != nil {
		return r, err
	}
	if b.best != nil {
		return nil, b.best
	}
	return nil, refuse(NoPath, 0, "no anchor and no intermediate has the issuer's name")
}

// extend tries every way up from the last certificate of the path. It gives a result, an error that ends the search, or neither.
func (b *builder) extend(path []*Certificate) (*Result, error) {
	if b.steps++; b.steps > maxSteps {
		return nil, refuse(TooMuchWork, -1, "more than %d steps", maxSteps)
	}
	last := path[len(path)-1]
	for _, a := range b.anchors {
		if bytes.Equal(a.Raw, last.Raw) {
			return b.try(path)
		}
	}
	for _, a := range byKey(b.anchors, last) {
		if ok, err := b.signed(path, a); err != nil {
			return nil, err
		} else if !ok {
			continue
		}
		if r, err := b.try(append(slices.Clone(path), a)); r != nil || err != nil {
			return r, err
		}
	}
	if len(path) >= b.o.depth() {
		return nil, b.keep(refuse(PathTooLong, -1, "more than %d certificates", b.o.depth()))
	}
	for _, c := range byKey(b.bySubject[last.Issuer.key()], last) {
		if repeats(path, c) {
			continue
		}
		if ok, err := b.signed(path, c); err != nil {
			return nil, err
		} else if !ok {
			continue
		}
		if r, err := b.extend(append(slices.Clone(path), c)); r != nil || err != nil {
			return r, err
		}
	}
	return nil, nil
}

// signed: a signature that is not this issuer's needs no longer path, and its refusal is kept in case nothing better comes. DSA
// parameters may come from above: then the path decides.
func (b *builder) signed(path []*Certificate, issuer *Certificate) (bool, error) {
	if issuer.key.oid == oidDSA && len(issuer.key.params) == 0 {
		return true, nil
	}
	last := path[len(path)-1]
	err := b.v.check(issuer.key, last.algorithm, last.tbs, last.signature)
	if err == nil {
		return true, nil
	}
	if ReasonOf(err) == TooMuchWork {
		return false, err
	}
	return false, b.keep(at(err, BadSignature, len(path)-1).(*Refusal))
}

// repeats: the same name with the same key is no news in a path (RFC 4158, 2.4.2).
func repeats(path []*Certificate, c *Certificate) bool {
	return slices.ContainsFunc(path, func(p *Certificate) bool { return p.Subject.Equal(c.Subject) && bytes.Equal(p.key.spki, c.key.spki) })
}

// byKey gives those that have last's issuer for a subject, with those first whose key identifier last names.
func byKey(all []*Certificate, last *Certificate) []*Certificate {
	var first, rest []*Certificate
	for _, c := range all {
		switch {
		case !c.Subject.Equal(last.Issuer):
		case len(last.authorityKeyID) > 0 && bytes.Equal(last.authorityKeyID, c.keyID):
			first = append(first, c)
		default:
			rest = append(rest, c)
		}
	}
	return append(first, rest...)
}

func (b *builder) try(path []*Certificate) (*Result, error) {
	if b.tried++; b.tried > maxPaths {
		return nil, refuse(TooMuchWork, -1, "more than %d paths", maxPaths)
	}
	s := newState(path, b.o, b.v)
	r, err := validateWith(s, path, b.o, b.v)
	if err == nil && b.accept != nil {
		err = b.accept(path, s.keys)
	}
	if err == nil {
		return r, nil
	}
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		return nil, err
	}
	if refusal.Reason == TooMuchWork {
		return nil, refusal
	}
	return nil, b.keep(refusal)
}

// rank orders refusals: what says most to a person is what is told.
var rank = []Reason{
	Revoked, OnHold, Expired, NotYetValid, RevocationUnproved, NameNotPermitted, PolicyNotAccepted, PolicyMalformed, WrongPurpose,
	CriticalExtension, PathTooLong, NotAuthority, NameChaining, WeakAlgorithm, UnknownAlgorithm, BadSignature, NoPath,
}

func (b *builder) keep(r *Refusal) error {
	if b.best == nil || slices.Index(rank, r.Reason) < slices.Index(rank, b.best.Reason) {
		b.best = r
	}
	return nil
}

// integer gives the content octets of the serial number as its certificate wrote them.
func integer(c *Certificate) []byte {
	s := cryptobyte.String(c.tbs)
	var body, v, n cryptobyte.String
	var has bool
	if !s.ReadASN1(&body, asn1.SEQUENCE) || !body.ReadOptionalASN1(&v, &has, asn1.Tag(0).Constructed().ContextSpecific()) || !body.ReadASN1(&n, asn1.INTEGER) {
		return nil // Parse read it before
	}
	return n
}
