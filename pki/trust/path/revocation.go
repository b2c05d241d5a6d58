package path

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Evidence is what is at hand about revocation, and the certificates by which it is believed.
type Evidence struct {
	Lists   []*List
	Answers []*Answer
	// Certificates may hold those of signers of lists; nothing is believed for being here.
	Certificates []*Certificate
}

// Bits of ReasonFlags (RFC 5280, 4.2.1.13): 1..8; bit 0 is unused.
const allReasons = 0x1FE

const (
	reasonHold   = 6
	reasonRemove = 8
)

// verdict is what is known of one certificate.
type verdict struct {
	good   bool
	by     string
	reason int // when revoked
	since  time.Time
	err    error
}

// Standing is what evidence says of one certificate.
type Standing struct {
	Revoked bool
	// Code is the reason code of a revocation (RFC 5280, 5.3.1), 6 for certificateHold, Since its instant.
	Code  int
	Since time.Time
	// By is what spoke: "crl" or "ocsp".
	By string
}

// What Standing has to say when nothing is proved, in its errors' chain.
var (
	// ErrSilent: no list at hand that is signed by one who may speaks of the certificate.
	ErrSilent = errors.New("no list at hand speaks of it")
	// ErrNotKnown: a believed responder answers that it does not know the certificate.
	ErrNotKnown = errors.New("the responder does not know the certificate")
)

// Standing asks the evidence about c, whose issuer somebody has believed already. A list that is not the issuer's own is believed
// when its signer's path leads to the issuer or to one of the anchors. An error is a *Refusal for RevocationUnproved or TooMuchWork.
func (e *Evidence) Standing(c, issuer *Certificate, anchors []*Certificate, o Options) (Standing, error) {
	o.Revocation = nil
	q := e.inquiry(append([]*Certificate{issuer}, anchors...), o, o.verifier())
	d := q.ask(c, issuer, issuer.key)
	switch {
	case errors.Is(d.err, errRevoked):
		return Standing{Revoked: true, Code: d.reason, Since: d.since, By: d.by}, nil
	case d.good:
		return Standing{By: d.by}, nil
	case ReasonOf(d.err) == TooMuchWork:
		return Standing{}, at(d.err, TooMuchWork, 0)
	}
	if !q.spoke && !errors.Is(d.err, ErrSilent) {
		d.err = fmt.Errorf("%w: %w", ErrSilent, d.err)
	}
	return Standing{}, &Refusal{Reason: RevocationUnproved, Err: d.err}
}

// inquiry asks the newest list first: what it says is what counts.
func (e *Evidence) inquiry(anchors []*Certificate, o Options, v *verifier) *inquiry {
	sorted := *e
	sorted.Lists = slices.Clone(e.Lists)
	slices.SortStableFunc(sorted.Lists, func(a, b *List) int { return b.ThisUpdate.Compare(a.ThisUpdate) })
	return &inquiry{e: &sorted, o: o, v: v, anchors: anchors, within: map[*List]*Certificate{}, signer: map[*List]error{}}
}

var errRevoked = errors.New("revoked")

// maxSigners bounds how deep signers of lists lean on other lists.
const maxSigners = 4

// inquiry is one validation's questions: lists that are being believed just now,
// so that a list can speak of its own signer without a circle.
type inquiry struct {
	e       *Evidence
	o       Options
	v       *verifier
	anchors []*Certificate
	within  map[*List]*Certificate
	signer  map[*List]error // what was found of lists signed by keys of their own
	depth   int
	spoke   bool // a list that is signed by one who may speaks of a certificate that was asked about
}

// path asks about every certificate below the anchor, from the anchor down: a
// list is only believed when the path above its signer is.
func (e *Evidence) path(path []*Certificate, keys []publicKey, o Options, v *verifier) ([]string, error) {
	return e.inquiry(path[len(path)-1:], o, v).path(path, keys)
}

func (q *inquiry) path(path []*Certificate, keys []publicKey) ([]string, error) {
	by := make([]string, len(path)-1)
	for i := len(path) - 2; i >= 0; i-- {
		d := q.ask(path[i], path[i+1], keys[i+1])
		switch {
		case errors.Is(d.err, errRevoked) && d.reason == reasonHold:
			return nil, &Refusal{Reason: OnHold, Index: i, Code: d.reason}
		case errors.Is(d.err, errRevoked):
			return nil, &Refusal{Reason: Revoked, Index: i, Code: d.reason}
		case d.err != nil && ReasonOf(d.err) == TooMuchWork:
			return nil, at(d.err, TooMuchWork, i)
		case !d.good:
			return nil, &Refusal{Reason: RevocationUnproved, Index: i, Err: d.err}
		}
		by[i] = d.by
	}
	return by, nil
}

// ask hears answers and lists alike: one that says "revoked" wins over any that says "good".
func (q *inquiry) ask(c, issuer *Certificate, key publicKey) verdict {
	a := q.answers(c, issuer, key)
	if errors.Is(a.err, errRevoked) || ReasonOf(a.err) == TooMuchWork {
		return a
	}
	l := q.lists(c, issuer, key)
	switch {
	case errors.Is(l.err, errRevoked), l.good, !a.good:
		if !l.good && l.err != nil && a.err != nil && !errors.Is(l.err, errRevoked) {
			l.err = errors.Join(a.err, l.err)
		}
		return l
	}
	return a
}

// lists is RFC 5280, 6.3.3 over all lists at hand. Lists that are being believed
// for their own signer's sake come last.
func (q *inquiry) lists(c, issuer *Certificate, key publicKey) verdict {
	mask := 0
	var why error
	points := append(slices.Clone(c.points), point{hasName: true, full: []general{{kind: kindDirectory, name: c.Issuer}}})
	for _, circular := range []bool{false, true} {
		for i := range points {
			for _, l := range q.e.Lists {
				if _, own := q.within[l]; own != circular || l.base != nil {
					continue
				}
				interim, err := q.scope(l, c, points[i], i == len(points)-1)
				if err != nil {
					why = errors.Join(why, err)
					continue
				}
				if interim&^mask == 0 {
					continue
				}
				found, revoked, err := q.search(l, c, issuer, key)
				switch {
				case err != nil && ReasonOf(err) == TooMuchWork:
					return verdict{err: err}
				case err != nil:
					why = errors.Join(why, err)
					continue
				case revoked:
					return verdict{err: errRevoked, reason: found.Reason, since: found.Date, by: "crl"}
				}
				if mask |= interim; mask == allReasons {
					return verdict{good: true, by: "crl"}
				}
			}
		}
	}
	switch {
	case mask != 0:
		why = errors.Join(errors.New("the lists at hand do not cover all reasons"), why)
	case why == nil:
		why = ErrSilent
	}
	return verdict{err: why}
}

var errScope = errors.New("the list does not speak of the certificate")

// scope is 6.3.3 (b) to (e): which reasons the list covers for c at point p.
func (q *inquiry) scope(l *List, c *Certificate, p point, implied bool) (int, error) {
	if len(p.issuer) > 0 {
		if l.idp == nil || !l.idp.indirect || !slices.ContainsFunc(p.issuer, func(g general) bool { return g.kind == kindDirectory && g.name.Equal(l.Issuer) }) {
			return 0, errScope
		}
	} else if !l.Issuer.Equal(c.Issuer) {
		return 0, errScope
	}
	reasons := allReasons
	if p.limited {
		reasons &= p.reasons
	}
	if l.idp == nil {
		return reasons, nil
	}
	d := l.idp
	if (d.onlyUser && c.isCA) || (d.onlyCA && !c.isCA) || d.onlyAttributes {
		return 0, errScope
	}
	if d.some {
		reasons &= d.reasons
	}
	if d.hasName && !d.meets(p, l.Issuer, c.Issuer) {
		return 0, errScope
	}
	return reasons, nil
}

// meets tells whether the list's point and the certificate's have a name in common.
func (d *scope) meets(p point, listIssuer, certIssuer Name) bool {
	ours := d.names(listIssuer)
	theirs := p.issuer
	if p.hasName {
		base := certIssuer
		for _, g := range p.issuer {
			if g.kind == kindDirectory {
				base = g.name
				break
			}
		}
		theirs = p.names(base)
	}
	return slices.ContainsFunc(ours, func(a general) bool { return slices.ContainsFunc(theirs, a.same) })
}

// names are the full names of a point; a relative one is hung below base.
func (p point) names(base Name) []general {
	if p.relative == "" {
		return p.full
	}
	return []general{{kind: kindDirectory, name: Name{rdns: append(slices.Clone(base.rdns), p.relative)}}}
}

// search believes the list and looks c up, in its delta first.
func (q *inquiry) search(l *List, c, issuer *Certificate, key publicKey) (e Entry, revoked bool, err error) {
	signer, err := q.believe(l, c, issuer, key)
	if err == nil {
		q.spoke = true
		err = q.current(l)
	}
	if err != nil {
		return e, false, err
	}
	for _, d := range q.e.Lists {
		if d.base == nil || !deltaOf(d, l) || q.current(d) != nil || q.v.check(signer, d.algorithm, d.tbs, d.signature) != nil {
			continue
		}
		e, found, err := lookUp(d, c)
		if err != nil {
			return e, false, err
		}
		if found {
			return e, e.Reason != reasonRemove, nil
		}
	}
	e, found, err := lookUp(l, c)
	return e, found && e.Reason != reasonRemove, err
}

// deltaOf is RFC 5280, 5.2.4.
func deltaOf(d, l *List) bool {
	return l.Number != nil && d.Number != nil && d.Issuer.Equal(l.Issuer) && bytes.Equal(d.rawIDP, l.rawIDP) && bytes.Equal(d.keyID, l.keyID) &&
		d.base.Cmp(l.Number) <= 0 && l.Number.Cmp(d.Number) < 0
}

func (q *inquiry) current(l *List) error {
	switch {
	case len(l.unknown) > 0:
		return fmt.Errorf("the list has critical extensions not known here: %v", l.unknown)
	case q.o.At.Before(l.ThisUpdate.Add(-skew)):
		return errors.New("the list is of a later instant")
	case l.NextUpdate.IsZero():
		return errors.New("the list has no nextUpdate")
	case q.o.At.After(l.NextUpdate):
		return errors.New("the list is past its nextUpdate")
	}
	return nil
}

func lookUp(l *List, c *Certificate) (entry Entry, found bool, err error) {
	// The content octets of the INTEGER decide: that is what both wrote.
	want := integer(c)
	err = l.Each(func(e Entry) bool {
		if bytes.Equal(e.Serial, want) && e.Issuer.Equal(c.Issuer) {
			found, entry = true, e
		}
		return !found
	})
	return entry, found, err
}

// believe gives the key that signed the list, once its path is proved (6.3.3 (f), (g)).
func (q *inquiry) believe(l *List, c, issuer *Certificate, key publicKey) (publicKey, error) {
	if s := q.within[l]; s != nil {
		return s.key, nil
	}
	refused := error(errSignature)
	if l.Issuer.Equal(issuer.Subject) {
		err := q.v.check(key, l.algorithm, l.tbs, l.signature)
		if ReasonOf(err) == TooMuchWork {
			return publicKey{}, err
		}
		if err == nil && (!issuer.hasUsage || issuer.usage&usageCRLSign != 0) {
			return key, nil
		}
		refused = err
	}
	if err, ok := q.signer[l]; ok && err != nil {
		return publicKey{}, err
	}
	if q.depth >= maxSigners {
		return publicKey{}, errors.New("signers of lists lean on each other too deep")
	}
	for _, s := range q.e.Certificates {
		if !s.Subject.Equal(l.Issuer) || (s.hasUsage && s.usage&usageCRLSign == 0) || s == c {
			continue
		}
		if q.v.check(s.key, l.algorithm, l.tbs, l.signature) != nil {
			continue
		}
		if err := q.prove(l, s); err != nil {
			refused = errors.Join(refused, err)
			continue
		}
		q.signer[l] = nil
		return s.key, nil
	}
	if refused == nil {
		refused = errors.New("the list's signer may not sign lists")
	}
	err := fmt.Errorf("no signer of the list is believed: %w", refused)
	if q.depth == 0 {
		q.signer[l] = err
	}
	return publicKey{}, err
}

// prove validates the path of a signer of lists to the same anchor, its revocation included.
func (q *inquiry) prove(l *List, signer *Certificate) error {
	q.within[l] = signer
	q.depth++
	defer func() { delete(q.within, l); q.depth-- }()
	o := q.o
	o.Purpose, o.Policies, o.ExplicitPolicy, o.Revocation = AnyPurpose, nil, false, nil
	b := builder{pool: q.e.Certificates, anchors: q.anchors, o: o, v: q.v, accept: func(path []*Certificate, keys []publicKey) error {
		if len(path) == 1 {
			return nil
		}
		_, err := q.path(path, keys)
		return err
	}}
	_, err := b.build(signer)
	return err
}
