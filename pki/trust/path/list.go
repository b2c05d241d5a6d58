package path

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Extensions of lists and of their entries (RFC 5280, 5.2 and 5.3).
const (
	oidCRLNumber         = "2.5.29.20"
	oidReason            = "2.5.29.21"
	oidInvalidity        = "2.5.29.24"
	oidDelta             = "2.5.29.27"
	oidIDP               = "2.5.29.28"
	oidCertificateIssuer = "2.5.29.29"
)

// List is a revocation list. Its entries stay in DER and are read one by one.
type List struct {
	Raw        []byte
	Issuer     Name
	ThisUpdate time.Time
	NextUpdate time.Time // zero: none was given, and the list is no proof
	Number     *big.Int  // nil: none

	tbs       []byte
	algorithm algorithm
	signature []byte
	entries   cryptobyte.String
	keyID     []byte
	base      *big.Int // a delta's BaseCRLNumber
	idp       *scope
	rawIDP    []byte
	unknown   []string // critical and not understood
}

// scope is issuingDistributionPoint.
type scope struct {
	point
	onlyUser, onlyCA, onlyAttributes, indirect bool
	some                                       bool
	reasons                                    int
}

// Entry is one revoked certificate.
type Entry struct {
	// Issuer is the certificate's, where the list is indirect and names it.
	Issuer Name
	Serial []byte // content octets of the INTEGER
	Date   time.Time
	// Reason is the CRLReason; 0 (unspecified) when absent.
	Reason int
}

var errList = errors.New("not a revocation list")

// ParseList reads one DER list with nothing after it. Entries are read by Each.
func ParseList(der []byte) (*List, error) {
	l, err := parseList(der)
	if err != nil {
		return nil, &Refusal{Reason: Malformed, Index: -1, Err: err}
	}
	return l, nil
}

// ParseLists reads lists from PEM blocks, or one DER list.
func ParseLists(data []byte) ([]*List, error) {
	return readFile(data, "revocation list", ParseList, "X509 CRL")
}

func parseList(der []byte) (*List, error) {
	s := cryptobyte.String(der)
	var outer, tbsRaw, tbs cryptobyte.String
	l := &List{Raw: der}
	if !s.ReadASN1(&outer, asn1.SEQUENCE) || !s.Empty() || !outer.ReadASN1Element(&tbsRaw, asn1.SEQUENCE) {
		return nil, errList
	}
	l.tbs = tbsRaw
	var err error
	if l.algorithm, err = readAlgorithm(&outer); err != nil {
		return nil, err
	}
	if !outer.ReadASN1BitStringAsBytes(&l.signature) || !outer.Empty() || !tbsRaw.ReadASN1(&tbs, asn1.SEQUENCE) {
		return nil, errList
	}
	version := 0
	if tbs.PeekASN1Tag(asn1.INTEGER) && (!tbs.ReadASN1Integer(&version) || version != 1) {
		return nil, errors.New("a list of an unknown version")
	}
	inner, err := readAlgorithm(&tbs)
	if err != nil {
		return nil, err
	}
	if !inner.equal(l.algorithm) {
		return nil, errors.New("two different algorithms are named for one signature")
	}
	if l.Issuer, err = readName(&tbs); err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	if l.ThisUpdate, err = readTime(&tbs); err != nil {
		return nil, err
	}
	if tbs.PeekASN1Tag(asn1.UTCTime) || tbs.PeekASN1Tag(asn1.GeneralizedTime) {
		if l.NextUpdate, err = readTime(&tbs); err != nil {
			return nil, err
		}
	}
	if tbs.PeekASN1Tag(asn1.SEQUENCE) && !tbs.ReadASN1(&l.entries, asn1.SEQUENCE) {
		return nil, errList
	}
	if tbs.Empty() {
		return l, nil
	}
	var ext, list cryptobyte.String
	if version != 1 || !tbs.ReadASN1(&ext, asn1.Tag(0).Constructed().ContextSpecific()) || !tbs.Empty() || !ext.ReadASN1(&list, asn1.SEQUENCE) || !ext.Empty() {
		return nil, errList
	}
	return l, l.readExtensions(list)
}

func (l *List) readExtensions(list cryptobyte.String) error {
	seen := map[string]bool{}
	return eachExtension(list, func(oid string, critical bool, v cryptobyte.String) error {
		if seen[oid] || len(seen) > maxExtensions {
			return fmt.Errorf("extension %s is there twice", oid)
		}
		seen[oid] = true
		var err error
		switch oid {
		case oidCRLNumber, oidDelta:
			n := new(big.Int)
			if !v.ReadASN1Integer(n) || n.Sign() < 0 {
				return fmt.Errorf("extension %s: %w", oid, errExtension)
			}
			if oid == oidDelta {
				l.base = n
			} else {
				l.Number = n
			}
		case oidAKI:
			var e extensions
			err = e.readAKI(&v)
			l.keyID = e.authorityKeyID
		case oidIDP:
			l.rawIDP = bytes.Clone(v)
			l.idp, err = readScope(&v)
		case oidIAN:
			_, err = readSequenceOfGenerals(&v)
		case oidFreshest, oidAIA:
			return nil
		default:
			if critical {
				l.unknown = append(l.unknown, oid)
			}
			return nil
		}
		if err == nil && !v.Empty() {
			err = errExtension
		}
		if err != nil {
			return fmt.Errorf("extension %s: %w", oid, err)
		}
		return nil
	})
}

func readScope(v *cryptobyte.String) (*scope, error) {
	var body, name, some cryptobyte.String
	p := &scope{}
	if !v.ReadASN1(&body, asn1.SEQUENCE) || !body.ReadOptionalASN1(&name, &p.hasName, asn1.Tag(0).Constructed().ContextSpecific()) {
		return nil, errExtension
	}
	var err error
	if p.hasName {
		if p.full, p.relative, err = readPointName(name); err != nil {
			return nil, err
		}
	}
	flag := func(tag asn1.Tag, into *bool) bool {
		var b cryptobyte.String
		var has bool
		if !body.ReadOptionalASN1(&b, &has, tag.ContextSpecific()) || (has && (len(b) != 1 || b[0] != 0xFF)) {
			return false
		}
		*into = has
		return true
	}
	if !flag(1, &p.onlyUser) || !flag(2, &p.onlyCA) || !body.ReadOptionalASN1(&some, &p.some, asn1.Tag(3).ContextSpecific()) ||
		!flag(4, &p.indirect) || !flag(5, &p.onlyAttributes) || !body.Empty() {
		return nil, errExtension
	}
	if p.some {
		p.reasons, err = bits(some)
	}
	return p, err
}

// Each gives every entry to f until f wants no more. An entry that cannot be
// read, or that has a critical extension not understood here, makes the whole
// list unusable (RFC 5280, 5.3), so Each goes to the end even when f has what it wants.
func (l *List) Each(f func(Entry) bool) error {
	issuer, more := l.Issuer, true
	for rest := l.entries; !rest.Empty(); {
		e, named, err := readEntry(&rest)
		if err != nil {
			return err
		}
		if named != nil {
			issuer = *named
		}
		if e.Issuer = issuer; more {
			more = f(e)
		}
	}
	return nil
}

var errEntry = errors.New("an entry of the list cannot be read")

func readEntry(rest *cryptobyte.String) (Entry, *Name, error) {
	var e Entry
	var body, serial, ext cryptobyte.String
	if !rest.ReadASN1(&body, asn1.SEQUENCE) || !body.ReadASN1(&serial, asn1.INTEGER) || len(serial) == 0 {
		return e, nil, errEntry
	}
	e.Serial = serial
	var err error
	if e.Date, err = readTime(&body); err != nil {
		return e, nil, err
	}
	if body.Empty() {
		return e, nil, nil
	}
	if !body.ReadASN1(&ext, asn1.SEQUENCE) || !body.Empty() {
		return e, nil, errEntry
	}
	var named *Name
	err = eachExtension(ext, func(oid string, critical bool, v cryptobyte.String) error {
		switch oid {
		case oidReason:
			if !v.ReadASN1Enum(&e.Reason) || !v.Empty() {
				return errEntry
			}
		case oidCertificateIssuer:
			names, err := readSequenceOfGenerals(&v)
			if err != nil {
				return err
			}
			for _, g := range names {
				if g.kind == kindDirectory {
					named = &g.name
					return nil
				}
			}
			return errors.New("an entry names no issuer that can be compared")
		case oidInvalidity:
		default:
			if critical {
				return fmt.Errorf("a critical extension of an entry that is not known here: %s", oid)
			}
		}
		return nil
	})
	return e, named, err
}
