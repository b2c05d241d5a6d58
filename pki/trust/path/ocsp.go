package path

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Answer is a basic OCSP response (RFC 6960, 4.2.1).
type Answer struct {
	tbs       []byte
	algorithm algorithm
	signature []byte
	byName    *Name
	byKey     []byte
	produced  time.Time
	singles   []single
	certs     []*Certificate
	unknown   []string
}

type single struct {
	hash     crypto.Hash
	nameHash []byte
	keyHash  []byte
	serial   []byte // content octets
	status   int    // 0 good, 1 revoked, 2 unknown
	reason   int
	revoked  time.Time
	this     time.Time
	next     time.Time
}

const (
	oidBasicOCSP = "1.3.6.1.5.5.7.48.1.1"
	oidNonce     = "1.3.6.1.5.5.7.48.1.2"
	maxSingles   = 4096
)

var errAnswer = errors.New("not an OCSP response that answers")

// ParseAnswer reads a DER or PEM OCSP response.
func ParseAnswer(data []byte) (*Answer, error) {
	if b, _ := pem.Decode(data); b != nil {
		data = b.Bytes
	}
	a, err := parseAnswer(data)
	if err != nil {
		return nil, &Refusal{Reason: Malformed, Index: -1, Err: err}
	}
	return a, nil
}

func parseAnswer(der []byte) (*Answer, error) {
	s := cryptobyte.String(der)
	var outer, wrap, inner, id, octets cryptobyte.String
	status := -1
	if !s.ReadASN1(&outer, asn1.SEQUENCE) || !s.Empty() || !outer.ReadASN1Enum(&status) {
		return nil, errAnswer
	}
	if status != 0 {
		return nil, fmt.Errorf("%w: status %d", errAnswer, status)
	}
	if !outer.ReadASN1(&wrap, asn1.Tag(0).Constructed().ContextSpecific()) || !wrap.ReadASN1(&inner, asn1.SEQUENCE) || !inner.ReadASN1(&id, asn1.OBJECT_IDENTIFIER) ||
		!inner.ReadASN1(&octets, asn1.OCTET_STRING) {
		return nil, errAnswer
	}
	if oid, err := oidString(id); err != nil || oid != oidBasicOCSP {
		return nil, errAnswer
	}
	var basic, tbsRaw cryptobyte.String
	if !octets.ReadASN1(&basic, asn1.SEQUENCE) || !octets.Empty() || !basic.ReadASN1Element(&tbsRaw, asn1.SEQUENCE) {
		return nil, errAnswer
	}
	a := &Answer{tbs: tbsRaw}
	var err error
	if a.algorithm, err = readAlgorithm(&basic); err != nil {
		return nil, err
	}
	if !basic.ReadASN1BitStringAsBytes(&a.signature) {
		return nil, errAnswer
	}
	var certs, list cryptobyte.String
	var has bool
	if !basic.ReadOptionalASN1(&certs, &has, asn1.Tag(0).Constructed().ContextSpecific()) || !basic.Empty() {
		return nil, errAnswer
	}
	if has {
		if !certs.ReadASN1(&list, asn1.SEQUENCE) {
			return nil, errAnswer
		}
		for !list.Empty() && len(a.certs) < 16 {
			var raw cryptobyte.String
			if !list.ReadASN1Element(&raw, asn1.SEQUENCE) {
				return nil, errAnswer
			}
			c, err := parse(raw)
			if err != nil {
				return nil, err
			}
			a.certs = append(a.certs, c)
		}
	}
	return a, a.readData(tbsRaw)
}

func (a *Answer) readData(raw cryptobyte.String) error {
	var tbs, v, id, list, ext cryptobyte.String
	var has bool
	var tag asn1.Tag
	if !raw.ReadASN1(&tbs, asn1.SEQUENCE) || !tbs.ReadOptionalASN1(&v, &has, asn1.Tag(0).Constructed().ContextSpecific()) || !tbs.ReadAnyASN1(&id, &tag) {
		return errAnswer
	}
	switch tag {
	case asn1.Tag(1).Constructed().ContextSpecific():
		n, err := readName(&id)
		if err != nil {
			return err
		}
		a.byName = &n
	case asn1.Tag(2).Constructed().ContextSpecific():
		var k cryptobyte.String
		if !id.ReadASN1(&k, asn1.OCTET_STRING) {
			return errAnswer
		}
		a.byKey = k
	default:
		return errAnswer
	}
	var err error
	if a.produced, err = readTime(&tbs); err != nil {
		return err
	}
	if !tbs.ReadASN1(&list, asn1.SEQUENCE) {
		return errAnswer
	}
	for !list.Empty() {
		one, err := a.readSingle(&list)
		if err != nil {
			return err
		}
		if a.singles = append(a.singles, one); len(a.singles) > maxSingles {
			return errors.New("too many answers in one response")
		}
	}
	if !tbs.ReadOptionalASN1(&ext, &has, asn1.Tag(1).Constructed().ContextSpecific()) || !tbs.Empty() {
		return errAnswer
	}
	return a.extensions(ext, has)
}

func (a *Answer) extensions(ext cryptobyte.String, has bool) error {
	var list cryptobyte.String
	if !has {
		return nil
	}
	if !ext.ReadASN1(&list, asn1.SEQUENCE) || !ext.Empty() {
		return errAnswer
	}
	return eachExtension(list, func(oid string, critical bool, _ cryptobyte.String) error {
		if critical && oid != oidNonce {
			a.unknown = append(a.unknown, oid)
		}
		return nil
	})
}

func (a *Answer) readSingle(list *cryptobyte.String) (single, error) {
	var s single
	var body, id, nameHash, keyHash, serial, status, ext, next cryptobyte.String
	if !list.ReadASN1(&body, asn1.SEQUENCE) || !body.ReadASN1(&id, asn1.SEQUENCE) {
		return s, errAnswer
	}
	alg, err := readAlgorithm(&id)
	if err != nil {
		return s, err
	}
	var tag asn1.Tag
	if !id.ReadASN1(&nameHash, asn1.OCTET_STRING) || !id.ReadASN1(&keyHash, asn1.OCTET_STRING) || !id.ReadASN1(&serial, asn1.INTEGER) || !id.Empty() ||
		!body.ReadAnyASN1(&status, &tag) {
		return s, errAnswer
	}
	s.hash, s.nameHash, s.keyHash, s.serial = hashes[alg.oid], nameHash, keyHash, serial
	switch tag {
	case asn1.Tag(0).ContextSpecific():
	case asn1.Tag(2).ContextSpecific():
		s.status = 2
	case asn1.Tag(1).Constructed().ContextSpecific():
		s.status = 1
		var why, reason cryptobyte.String
		var has bool
		if s.revoked, err = readTime(&status); err != nil {
			return s, err
		}
		if !status.ReadOptionalASN1(&why, &has, asn1.Tag(0).Constructed().ContextSpecific()) || !status.Empty() {
			return s, errAnswer
		}
		if has && (!why.ReadASN1(&reason, asn1.ENUM) || len(reason) != 1) {
			return s, errAnswer
		}
		if has {
			s.reason = int(reason[0])
		}
	default:
		return s, errAnswer
	}
	if s.this, err = readTime(&body); err != nil {
		return s, err
	}
	var has bool
	if !body.ReadOptionalASN1(&next, &has, asn1.Tag(0).Constructed().ContextSpecific()) {
		return s, errAnswer
	}
	if has {
		if s.next, err = readTime(&next); err != nil {
			return s, err
		}
	}
	if !body.ReadOptionalASN1(&ext, &has, asn1.Tag(1).Constructed().ContextSpecific()) || !body.Empty() {
		return s, errAnswer
	}
	return s, a.extensions(ext, has)
}

// skew is how far a responder's clock may be from ours.
const skew = 5 * time.Minute

// fresh is how long a response without nextUpdate holds: newer ones are to be had at all times then (RFC 6960, 4.2.2.1), and this one may be a replay.
const fresh = time.Hour

// answers looks for a response that speaks of c. Its signer is the issuer, or
// one that the issuer itself certified for it (RFC 6960, 4.2.2.2).
func (q *inquiry) answers(c, issuer *Certificate, key publicKey) verdict {
	var why error
	good := false
	for _, a := range q.e.Answers {
		if len(a.unknown) > 0 {
			why = errors.Join(why, fmt.Errorf("the response has critical extensions not known here: %v", a.unknown))
			continue
		}
		for _, s := range a.singles {
			if !s.about(c, issuer, key) {
				continue
			}
			if err := q.fresh(s); err != nil {
				why = errors.Join(why, err)
				continue
			}
			if err := q.responder(a, issuer, key); err != nil {
				if ReasonOf(err) == TooMuchWork {
					return verdict{err: err}
				}
				why = errors.Join(why, err)
				continue
			}
			switch s.status {
			case 0:
				good = true
			case 1:
				return verdict{err: errRevoked, reason: s.reason, since: s.revoked, by: "ocsp"}
			default:
				why = errors.Join(why, ErrNotKnown)
			}
		}
	}
	if good {
		return verdict{good: true, by: "ocsp"}
	}
	return verdict{err: why}
}

func (s single) about(c, issuer *Certificate, key publicKey) bool {
	if s.hash == 0 || !bytes.Equal(s.serial, integer(c)) {
		return false
	}
	h := s.hash.New()
	h.Write(c.Issuer.Raw)
	if !bytes.Equal(h.Sum(nil), s.nameHash) {
		h.Reset()
		h.Write(issuer.Subject.Raw)
		if !bytes.Equal(h.Sum(nil), s.nameHash) {
			return false
		}
	}
	h.Reset()
	h.Write(key.bits)
	return bytes.Equal(h.Sum(nil), s.keyHash)
}

func (q *inquiry) fresh(s single) error {
	switch {
	case s.this.After(q.o.At.Add(skew)):
		return errors.New("the response is of a later instant")
	case s.next.IsZero() && q.o.At.After(s.this.Add(fresh+skew)):
		return errors.New("the response is old, and does not say how long it holds")
	case !s.next.IsZero() && (q.o.At.After(s.next.Add(skew)) || s.next.Before(s.this)):
		return errors.New("the response is past its nextUpdate")
	}
	return nil
}

func (q *inquiry) responder(a *Answer, issuer *Certificate, key publicKey) error {
	if a.names(issuer, key) {
		if err := q.v.check(key, a.algorithm, a.tbs, a.signature); err == nil || ReasonOf(err) == TooMuchWork {
			return err
		}
	}
	refused := errors.New("the response is not signed by the issuer or a responder of it")
	for _, r := range a.certs {
		if !a.names(r, r.key) || !r.Issuer.Equal(issuer.Subject) {
			continue
		}
		if !r.hasEKU || purpose(r, OCSPSigning, 0, true) != nil || len(r.unknownCritical) > 0 {
			refused = errors.New("the responder's certificate is not for OCSP signing")
			continue
		}
		if err := window(r, q.o.At, 0); err != nil {
			refused = err
			continue
		}
		if err := q.v.check(key, r.algorithm, r.tbs, r.signature); err != nil {
			refused = err
			continue
		}
		if err := q.v.check(r.key, a.algorithm, a.tbs, a.signature); err != nil {
			refused = err
			continue
		}
		// Without id-pkix-ocsp-nocheck the responder's own standing is asked of the lists (RFC 6960, 4.2.2.2.1).
		if d := q.lists(r, issuer, key); !r.noCheck && errors.Is(d.err, errRevoked) {
			refused = errors.New("the responder's certificate is revoked")
			continue
		}
		return nil
	}
	return refused
}

// names tells whether the ResponderID is that of c.
func (a *Answer) names(c *Certificate, key publicKey) bool {
	if a.byName != nil {
		return a.byName.Equal(c.Subject)
	}
	h := crypto.SHA1.New() // RFC 6960, 4.2.1: KeyHash is SHA-1
	h.Write(key.bits)
	return bytes.Equal(h.Sum(nil), a.byKey)
}
