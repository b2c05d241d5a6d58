package path

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// The extensions that are understood here (RFC 5280, 4.2).
const (
	oidSKI              = "2.5.29.14"
	oidKeyUsage         = "2.5.29.15"
	oidSAN              = "2.5.29.17"
	oidIAN              = "2.5.29.18"
	oidBasic            = "2.5.29.19"
	oidNameConstraints  = "2.5.29.30"
	oidDistribution     = "2.5.29.31"
	oidPolicies         = "2.5.29.32"
	oidMappings         = "2.5.29.33"
	oidAKI              = "2.5.29.35"
	oidPolicyConstraint = "2.5.29.36"
	oidEKU              = "2.5.29.37"
	oidFreshest         = "2.5.29.46"
	oidInhibitAny       = "2.5.29.54"
	oidAIA              = "1.3.6.1.5.5.7.1.1"
	oidNoCheck          = "1.3.6.1.5.5.7.48.1.5"

	anyPolicy = "2.5.29.32.0"
	ekuAny    = "2.5.29.37.0"
)

// Bits of keyUsage.
const (
	usageDigitalSignature = 1 << 0
	usageNonRepudiation   = 1 << 1
	usageCertSign         = 1 << 5
	usageCRLSign          = 1 << 6
)

type extensions struct {
	keyID, authorityKeyID []byte
	authorityIssuer       []general // authorityCertIssuer
	authoritySerial       []byte

	hasUsage bool
	usage    int
	hasBasic bool
	isCA     bool
	pathLen  int // -1: none

	san        []general
	hasSAN     bool
	permitted  []general
	excluded   []general
	hasNC      bool
	ncCritical bool
	ncBroken   bool // minimum or maximum are used

	hasPolicies bool
	policies    []string
	mappings    [][2]string
	// requireExplicit, inhibitMapping and inhibitAny are -1 when absent.
	requireExplicit, inhibitMapping, inhibitAny int

	hasEKU  bool
	eku     []string
	points  []point
	noCheck bool
	// unknownCritical are critical extensions that nobody here understands.
	unknownCritical []string
}

// point is a DistributionPoint (RFC 5280, 4.2.1.13).
type point struct {
	full     []general
	relative string // key of nameRelativeToCRLIssuer
	hasName  bool
	reasons  int // bits; 0 with hasReasons false means all
	limited  bool
	issuer   []general
}

const (
	maxExtensions = 128
	maxPolicies   = 256
	maxPoints     = 256
)

func (c *Certificate) readExtensions(tbs cryptobyte.String) error {
	e := &c.extensions
	e.pathLen, e.requireExplicit, e.inhibitMapping, e.inhibitAny = -1, -1, -1, -1
	if tbs.Empty() {
		return nil
	}
	var outer, list cryptobyte.String
	if !tbs.ReadASN1(&outer, asn1.Tag(3).Constructed().ContextSpecific()) || !tbs.Empty() ||
		!outer.ReadASN1(&list, asn1.SEQUENCE) || !outer.Empty() {
		return errors.New("the extensions cannot be read")
	}
	if c.Version != 3 {
		return fmt.Errorf("a certificate of version %d has extensions", c.Version)
	}
	seen := map[string]bool{}
	return eachExtension(list, func(oid string, critical bool, value cryptobyte.String) error {
		if seen[oid] {
			return fmt.Errorf("extension %s is there twice", oid)
		}
		if seen[oid] = true; len(seen) > maxExtensions {
			return errors.New("too many extensions")
		}
		if err := e.read(oid, critical, value); err != nil {
			return fmt.Errorf("extension %s: %w", oid, err)
		}
		return nil
	})
}

func eachExtension(list cryptobyte.String, f func(oid string, critical bool, value cryptobyte.String) error) error {
	for !list.Empty() {
		var one, id, value cryptobyte.String
		critical := false
		if !list.ReadASN1(&one, asn1.SEQUENCE) || !one.ReadASN1(&id, asn1.OBJECT_IDENTIFIER) {
			return errors.New("an extension cannot be read")
		}
		if one.PeekASN1Tag(asn1.BOOLEAN) && !one.ReadASN1Boolean(&critical) {
			return errors.New("an extension cannot be read")
		}
		if !one.ReadASN1(&value, asn1.OCTET_STRING) || !one.Empty() {
			return errors.New("an extension cannot be read")
		}
		oid, err := oidString(id)
		if err != nil {
			return err
		}
		if err := f(oid, critical, value); err != nil {
			return err
		}
	}
	return nil
}

var errExtension = errors.New("it cannot be read")

func (e *extensions) read(oid string, critical bool, v cryptobyte.String) (err error) {
	switch oid {
	case oidKeyUsage:
		e.hasUsage = true
		e.usage, err = readBits(&v)
	case oidBasic:
		err = e.readBasic(&v)
	case oidSKI:
		var id cryptobyte.String
		if !v.ReadASN1(&id, asn1.OCTET_STRING) {
			return errExtension
		}
		e.keyID = id
	case oidAKI:
		err = e.readAKI(&v)
	case oidSAN:
		e.hasSAN = true
		e.san, err = readSequenceOfGenerals(&v)
	case oidIAN:
		_, err = readSequenceOfGenerals(&v)
	case oidNameConstraints:
		e.hasNC, e.ncCritical = true, critical
		err = e.readNameConstraints(&v)
	case oidPolicies:
		e.hasPolicies = true
		err = e.readPolicies(&v)
	case oidMappings:
		err = e.readMappings(&v)
	case oidPolicyConstraint:
		err = e.readPolicyConstraints(&v)
	case oidInhibitAny:
		e.inhibitAny, err = readSkip(&v, asn1.INTEGER)
	case oidEKU:
		e.hasEKU = true
		e.eku, err = readOIDs(&v)
	case oidDistribution:
		e.points, err = readPoints(&v)
	case oidNoCheck:
		e.noCheck = true
		return nil
	case oidFreshest, oidAIA: // where others are found: nothing is fetched here
		return nil
	default:
		if critical {
			e.unknownCritical = append(e.unknownCritical, oid)
		}
		return nil
	}
	if err == nil && !v.Empty() {
		err = errExtension
	}
	return err
}

// readBits reads a named BIT STRING of up to 16 bits: bit 0 of the string is bit 0 of the number.
func readBits(v *cryptobyte.String) (int, error) {
	var b cryptobyte.String
	if !v.ReadASN1(&b, asn1.BIT_STRING) {
		return 0, errExtension
	}
	return bits(b)
}

func bits(b cryptobyte.String) (int, error) {
	if len(b) == 0 || len(b) > 9 || b[0] > 7 || (len(b) == 1 && b[0] != 0) {
		return 0, errExtension
	}
	n := 0
	for i, c := range b[1:min(len(b), 3)] {
		for j := range 8 {
			if c&(0x80>>j) != 0 {
				n |= 1 << (8*i + j)
			}
		}
	}
	return n, nil
}

func (e *extensions) readBasic(v *cryptobyte.String) error {
	var body cryptobyte.String
	if !v.ReadASN1(&body, asn1.SEQUENCE) {
		return errExtension
	}
	e.hasBasic = true
	if body.PeekASN1Tag(asn1.BOOLEAN) && !body.ReadASN1Boolean(&e.isCA) {
		return errExtension
	}
	if !body.Empty() {
		n, err := readSkip(&body, asn1.INTEGER)
		if err != nil || !body.Empty() {
			return errExtension
		}
		e.pathLen = n
	}
	return nil
}

func (e *extensions) readAKI(v *cryptobyte.String) error {
	var body cryptobyte.String
	if !v.ReadASN1(&body, asn1.SEQUENCE) {
		return errExtension
	}
	var id, names, serial cryptobyte.String
	var hasID, hasNames, hasSerial bool
	if !body.ReadOptionalASN1(&id, &hasID, asn1.Tag(0).ContextSpecific()) ||
		!body.ReadOptionalASN1(&names, &hasNames, asn1.Tag(1).Constructed().ContextSpecific()) ||
		!body.ReadOptionalASN1(&serial, &hasSerial, asn1.Tag(2).ContextSpecific()) || !body.Empty() {
		return errExtension
	}
	e.authorityKeyID, e.authoritySerial = id, serial
	if !hasNames {
		return nil
	}
	var err error
	e.authorityIssuer, err = readGenerals(names)
	return err
}

func readSequenceOfGenerals(v *cryptobyte.String) ([]general, error) {
	var body cryptobyte.String
	if !v.ReadASN1(&body, asn1.SEQUENCE) {
		return nil, errExtension
	}
	return readGenerals(body)
}

func (e *extensions) readNameConstraints(v *cryptobyte.String) error {
	var body cryptobyte.String
	if !v.ReadASN1(&body, asn1.SEQUENCE) {
		return errExtension
	}
	for i, into := range []*[]general{&e.permitted, &e.excluded} {
		var trees cryptobyte.String
		var has bool
		if !body.ReadOptionalASN1(&trees, &has, asn1.Tag(i).Constructed().ContextSpecific()) {
			return errExtension
		}
		for !trees.Empty() {
			var tree cryptobyte.String
			if !trees.ReadASN1(&tree, asn1.SEQUENCE) {
				return errExtension
			}
			g, err := readGeneral(&tree)
			if err != nil {
				return err
			}
			if !tree.Empty() { // minimum is 0 and DER leaves it out; maximum is absent
				e.ncBroken = true
			}
			if *into = append(*into, g); len(*into) > maxGenerals {
				return errors.New("too many subtrees")
			}
		}
	}
	if !body.Empty() {
		return errExtension
	}
	return nil
}

func (e *extensions) readPolicies(v *cryptobyte.String) error {
	var body cryptobyte.String
	if !v.ReadASN1(&body, asn1.SEQUENCE) {
		return errExtension
	}
	seen := map[string]bool{}
	for !body.Empty() {
		var info, id cryptobyte.String
		if !body.ReadASN1(&info, asn1.SEQUENCE) || !info.ReadASN1(&id, asn1.OBJECT_IDENTIFIER) {
			return errExtension
		}
		oid, err := oidString(id)
		if err != nil {
			return err
		}
		if seen[oid] {
			return fmt.Errorf("policy %s is there twice", oid)
		}
		seen[oid] = true
		if e.policies = append(e.policies, oid); len(e.policies) > maxPolicies {
			return errors.New("too many policies")
		}
	}
	return nil
}

func (e *extensions) readMappings(v *cryptobyte.String) error {
	var body cryptobyte.String
	if !v.ReadASN1(&body, asn1.SEQUENCE) {
		return errExtension
	}
	for !body.Empty() {
		var one, a, b cryptobyte.String
		if !body.ReadASN1(&one, asn1.SEQUENCE) || !one.ReadASN1(&a, asn1.OBJECT_IDENTIFIER) || !one.ReadASN1(&b, asn1.OBJECT_IDENTIFIER) || !one.Empty() {
			return errExtension
		}
		from, err := oidString(a)
		if err != nil {
			return err
		}
		to, err := oidString(b)
		if err != nil {
			return err
		}
		if e.mappings = append(e.mappings, [2]string{from, to}); len(e.mappings) > maxPolicies {
			return errors.New("too many mappings")
		}
	}
	return nil
}

func (e *extensions) readPolicyConstraints(v *cryptobyte.String) (err error) {
	var body cryptobyte.String
	if !v.ReadASN1(&body, asn1.SEQUENCE) {
		return errExtension
	}
	for i, into := range []*int{&e.requireExplicit, &e.inhibitMapping} {
		if tag := asn1.Tag(i).ContextSpecific(); body.PeekASN1Tag(tag) {
			if *into, err = readSkip(&body, tag); err != nil {
				return err
			}
		}
	}
	if !body.Empty() {
		return errExtension
	}
	return nil
}

// readSkip reads a non-negative INTEGER under tag; what is greater than any path counts as 1,000,000.
func readSkip(v *cryptobyte.String, tag asn1.Tag) (int, error) {
	var b cryptobyte.String
	if !v.ReadASN1(&b, tag) || len(b) == 0 || b[0]&0x80 != 0 || (len(b) > 1 && b[0] == 0 && b[1]&0x80 == 0) {
		return 0, errExtension
	}
	n := 0
	for _, c := range b {
		if n = n<<8 | int(c); n > 1_000_000 {
			return 1_000_000, nil
		}
	}
	return n, nil
}

func readOIDs(v *cryptobyte.String) ([]string, error) {
	var body cryptobyte.String
	if !v.ReadASN1(&body, asn1.SEQUENCE) || body.Empty() {
		return nil, errExtension
	}
	var out []string
	for !body.Empty() {
		var id cryptobyte.String
		if !body.ReadASN1(&id, asn1.OBJECT_IDENTIFIER) {
			return nil, errExtension
		}
		oid, err := oidString(id)
		if err != nil {
			return nil, err
		}
		if out = append(out, oid); len(out) > maxPolicies {
			return nil, errors.New("too many purposes")
		}
	}
	return out, nil
}

func readPoints(v *cryptobyte.String) ([]point, error) {
	var body cryptobyte.String
	if !v.ReadASN1(&body, asn1.SEQUENCE) {
		return nil, errExtension
	}
	var out []point
	for !body.Empty() {
		var one, name, reasons, issuer cryptobyte.String
		var hasName, hasReasons, hasIssuer bool
		if !body.ReadASN1(&one, asn1.SEQUENCE) ||
			!one.ReadOptionalASN1(&name, &hasName, asn1.Tag(0).Constructed().ContextSpecific()) ||
			!one.ReadOptionalASN1(&reasons, &hasReasons, asn1.Tag(1).ContextSpecific()) ||
			!one.ReadOptionalASN1(&issuer, &hasIssuer, asn1.Tag(2).Constructed().ContextSpecific()) || !one.Empty() {
			return nil, errExtension
		}
		p := point{hasName: hasName, limited: hasReasons}
		var err error
		if hasName {
			if p.full, p.relative, err = readPointName(name); err != nil {
				return nil, err
			}
		}
		if hasReasons {
			if p.reasons, err = bits(reasons); err != nil {
				return nil, err
			}
		}
		if hasIssuer {
			if p.issuer, err = readGenerals(issuer); err != nil {
				return nil, err
			}
		}
		if out = append(out, p); len(out) > maxPoints {
			return nil, errors.New("too many distribution points")
		}
	}
	return out, nil
}

// readPointName reads DistributionPointName: full names, or the key of one relative name.
func readPointName(s cryptobyte.String) ([]general, string, error) {
	var body cryptobyte.String
	var tag asn1.Tag
	if !s.ReadAnyASN1(&body, &tag) || !s.Empty() {
		return nil, "", errExtension
	}
	switch tag {
	case asn1.Tag(0).Constructed().ContextSpecific():
		g, err := readGenerals(body)
		return g, "", err
	case asn1.Tag(1).Constructed().ContextSpecific():
		var n Name
		if err := n.rdn(body); err != nil {
			return nil, "", err
		}
		return nil, n.rdns[0], nil
	}
	return nil, "", errExtension
}
