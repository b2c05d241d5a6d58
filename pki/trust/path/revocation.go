package path

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
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
	err    error
}

var errRevoked = errors.New("revoked")

// maxSigners bounds how deep signers of lists lean on other lists.
const maxSigners = 4

// inquiry is one validation's questions: lists that are being believed just now,
// so that a list can speak of its own signer without a circle.
type inquiry struct {
	e      *Evidence
	o      Options
	v      *verifier
	anchor *Certificate
	within map[*List]*Certificate
	signer map[*List]error // what was found of lists signed by keys of their own
	depth  int
}

// path asks about every certificate below the anchor, from the anchor down: a
// list is only believed when the path above its signer is.
func (e *Evidence) path(path []*Certificate, keys []publicKey, o Options, v *verifier) ([]string, error) {
	q := &inquiry{e: e, o: o, v: v, anchor: path[len(path)-1], within: map[*List]*Certificate{}, signer: map[*List]error{}}
	return q.path(path, keys)
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
		if l.err == nil && !l.good {
			l.err = a.err
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
				revoked, reason, err := q.search(l, c, issuer, key)
				switch {
				case err != nil && ReasonOf(err) == TooMuchWork:
					return verdict{err: err}
				case err != nil:
					why = errors.Join(why, err)
					continue
				case revoked:
					return verdict{err: errRevoked, reason: reason, by: "crl"}
				}
				if mask |= interim; mask == allReasons {
					return verdict{good: true, by: "crl"}
				}
			}
		}
	}
	if why == nil {
		why = errors.New("no list at hand speaks of it")
		if mask != 0 {
			why = errors.New("the lists at hand do not cover all reasons")
		}
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
func (q *inquiry) search(l *List, c, issuer *Certificate, key publicKey) (revoked bool, reason int, err error) {
	signer, err := q.believe(l, c, issuer, key)
	if err != nil {
		return false, 0, err
	}
	for _, d := range q.e.Lists {
		if d.base == nil || !deltaOf(d, l) || q.current(d) != nil || q.v.check(signer, d.algorithm, d.tbs, d.signature) != nil {
			continue
		}
		found, reason, err := lookUp(d, c)
		if err != nil {
			return false, 0, err
		}
		if found {
			return reason != reasonRemove, reason, nil
		}
	}
	found, reason, err := lookUp(l, c)
	return found && reason != reasonRemove, reason, err
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
	case q.o.At.Before(l.ThisUpdate):
		return errors.New("the list is of a later instant")
	case l.NextUpdate.IsZero():
		return errors.New("the list has no nextUpdate")
	case q.o.At.After(l.NextUpdate):
		return errors.New("the list is past its nextUpdate")
	}
	return nil
}

func lookUp(l *List, c *Certificate) (found bool, reason int, err error) {
	// The content octets of the INTEGER decide: that is what both wrote.
	want := integer(c)
	err = l.Each(func(e Entry) bool {
		if bytes.Equal(e.Serial, want) && e.Issuer.Equal(c.Issuer) {
			found, reason = true, e.Reason
		}
		return !found
	})
	return found, reason, err
}

// believe gives the key that signed the list, once its path is proved (6.3.3 (f), (g)).
func (q *inquiry) believe(l *List, c, issuer *Certificate, key publicKey) (publicKey, error) {
	if err := q.current(l); err != nil {
		return publicKey{}, err
	}
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
	b := builder{pool: q.e.Certificates, anchors: []*Certificate{q.anchor}, o: o, v: q.v, accept: func(path []*Certificate, keys []publicKey) error {
		if len(path) == 1 {
			return nil
		}
		_, err := q.path(path, keys)
		return err
	}}
	_, err := b.build(signer)
	return err
}
