package lint

import (
	"crypto/sha1" //nolint:gosec // the profile fixes SHA-1 for the certificate name
	"encoding/asn1"
	"errors"
	"fmt"
	"time"

	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/pki/profile"
)

var (
	oidCountry      = asn1.ObjectIdentifier{2, 5, 4, 6}
	oidOrganisation = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidUnit         = asn1.ObjectIdentifier{2, 5, 4, 11}
	oidCommonName   = asn1.ObjectIdentifier{2, 5, 4, 3}
)

// subjectAttributes: C, O, OU, CN, each once, in RDNs of their own, the country
// in PrintableString and the others in UTF8String.
func subjectAttributes(c *cert, _ Expected) error {
	if c.err != nil {
		return c.err
	}
	want := []asn1.ObjectIdentifier{oidCountry, oidOrganisation, oidUnit, oidCommonName}
	if len(c.subject) != len(want) {
		return fmt.Errorf("%d attributes, not C, O, OU, CN", len(c.subject))
	}
	for i, a := range c.subject {
		tag := cbasn1.UTF8String
		if i == 0 {
			tag = cbasn1.PrintableString
		}
		switch {
		case a.rdn != i || !a.oid.Equal(want[i]):
			return fmt.Errorf("attribute %d is %v, not %v in an RDN of its own", i+1, a.oid, want[i])
		case a.tag != tag:
			return fmt.Errorf("attribute %v has tag %d", a.oid, a.tag)
		case len(a.value) == 0 || (i > 0 && len([]rune(a.value)) > 64):
			return fmt.Errorf("attribute %v has %d characters, not 1 to 64", a.oid, len(a.value))
		}
	}
	return nil
}

func subjectCountry(c *cert, _ Expected) error {
	if got := c.attribute(oidCountry); got != "IT" {
		return fmt.Errorf("the C is %q, not IT", got)
	}
	return nil
}

func subjectConfigured(c *cert, e Expected) error {
	o, ou := c.attribute(oidOrganisation), c.attribute(oidUnit)
	if e.Profile == nil {
		return nil
	}
	if o != e.Profile.Organisation || ou != e.Profile.Unit {
		return fmt.Errorf("the O is %q, the OU %q; configured are %q and %q", o, ou, e.Profile.Organisation, e.Profile.Unit)
	}
	return nil
}

// commonName is the grammar alone: the check characters have lints of their own.
func commonName(c *cert, _ Expected) error {
	_, _, _, err := takeApart(c.attribute(oidCommonName))
	return err
}

// takeApart reads CF/number.hash by place, so that a wrong check digit is not
// taken for a wrong shape.
func takeApart(cn string) (cf, card, hash string, err error) {
	const tail = 1 + 16 + 1 + 28
	cut := len(cn) - tail
	if (cut != 16 && cut != 11) || cn[cut] != '/' || cn[cut+17] != '.' {
		return "", "", "", fmt.Errorf("%d characters that are not CF/number.hash", len(cn))
	}
	cf, card, hash = cn[:cut], cn[cut+1:cut+17], cn[cut+18:]
	for i := range len(cf) {
		if b := cf[i]; (b < '0' || b > '9') && (b < 'A' || b > 'Z') {
			return cf, card, hash, errors.New("before the slash: not capitals and digits")
		}
	}
	for i := range len(card) {
		if card[i] < '0' || card[i] > '9' {
			return cf, card, hash, errors.New("after the slash: not sixteen digits")
		}
	}
	if n, err := base64Strict.DecodeString(hash); err != nil || len(n) != sha1.Size {
		return cf, card, hash, errors.New("after the point: not the Base64 of twenty octets")
	}
	return cf, card, hash, nil
}

func cardNumber(c *cert, _ Expected) error {
	_, card, _, err := takeApart(c.attribute(oidCommonName))
	if card == "" {
		return err
	}
	id, err := cns.ParseCardID(card)
	if err == nil && string(id) != card {
		err = cns.ErrCardID
	}
	return err
}

func codiceFiscale(c *cert, _ Expected) error {
	cf, _, _, err := takeApart(c.attribute(oidCommonName))
	if cf == "" {
		return err
	}
	code, err := codicefiscale.Parse(cf)
	switch {
	case errors.Is(err, codicefiscale.ErrCheck):
		return codicefiscale.ErrCheck // which, not whose
	case err != nil:
		return codicefiscale.ErrShape
	case string(code) != cf:
		return codicefiscale.ErrShape
	}
	return nil
}

func subjectReserved(c *cert, e Expected) error {
	cf, card, _, err := takeApart(c.attribute(oidCommonName))
	if err != nil {
		return err
	}
	if cf != e.CF || card != e.Card {
		return errors.New("holder or card are not the reservation's")
	}
	return nil
}

func personalData(c *cert, e Expected) error {
	if e.Personal == nil {
		return nil
	}
	_, _, hash, err := takeApart(c.attribute(oidCommonName))
	sum := sha1.Sum(e.Personal) //nolint:gosec // fixed by the profile
	if err == nil && hash != base64Strict.EncodeToString(sum[:]) {
		err = errors.New("the hash is not that of the card's file")
	}
	return err
}

func validityOrder(c *cert, _ Expected) error {
	if !c.NotAfter.After(c.NotBefore) {
		return fmt.Errorf("from %s to %s", c.NotBefore.Format(time.RFC3339), c.NotAfter.Format(time.RFC3339))
	}
	return nil
}

// validityEncoding: UTCTime through 2049, GeneralizedTime from 2050, seconds and
// Z, nothing else.
func validityEncoding(c *cert, _ Expected) error {
	if c.err != nil {
		return c.err
	}
	for i, t := range []time.Time{c.NotBefore, c.NotAfter} {
		tag, form := cbasn1.UTCTime, "060102150405Z"
		if t.Year() >= 2050 {
			tag, form = cbasn1.GeneralizedTime, "20060102150405Z"
		}
		if got := c.validity[i]; got.tag != tag || got.value != t.UTC().Format(form) {
			return fmt.Errorf("%q with tag %d, not %s", got.value, got.tag, form)
		}
	}
	return nil
}

func validityInIssuer(c *cert, e Expected) error {
	if c.NotBefore.Before(e.Issuer.NotBefore) || c.NotAfter.After(e.Issuer.NotAfter) {
		return fmt.Errorf("%s to %s, the authority lives from %s to %s", c.NotBefore.Format(time.RFC3339), c.NotAfter.Format(time.RFC3339),
			e.Issuer.NotBefore.Format(time.RFC3339), e.Issuer.NotAfter.Format(time.RFC3339))
	}
	return nil
}

// sixYears counts calendar years in Rome: from 29 February to 28 February.
func sixYears(c *cert, _ Expected) error {
	if last := civil.DayOf(c.NotBefore).AddYears(profile.Years).End(); c.NotAfter.After(last) {
		return fmt.Errorf("ends %s, six years end %s", c.NotAfter.Format(time.RFC3339), last.Format(time.RFC3339))
	}
	return nil
}

func withinCard(c *cert, e Expected) error {
	if !e.Expires.IsZero() && c.NotAfter.After(e.Expires.End()) {
		return fmt.Errorf("ends %s, the card ends on %s", c.NotAfter.Format(time.RFC3339), e.Expires)
	}
	return nil
}

// lastSecond: a certificate ends with a day in Rome, or with its authority.
func lastSecond(c *cert, e Expected) error {
	if !c.NotAfter.Equal(civil.DayOf(c.NotAfter).End().Truncate(time.Second)) && !c.NotAfter.Equal(e.Issuer.NotAfter) {
		return fmt.Errorf("%s is neither 23:59:59 in Rome nor the authority's end", c.NotAfter.Format(time.RFC3339))
	}
	return nil
}

func validityReserved(c *cert, e Expected) error {
	if !c.NotAfter.Equal(e.NotAfter) || (!e.NotBefore.IsZero() && !c.NotBefore.Equal(e.NotBefore)) {
		return fmt.Errorf("%s to %s, to %s was reserved", c.NotBefore.Format(time.RFC3339), c.NotAfter.Format(time.RFC3339), e.NotAfter.Format(time.RFC3339))
	}
	return nil
}
