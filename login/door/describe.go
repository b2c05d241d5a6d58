package door

import (
	"crypto/x509"
	"encoding/asn1"

	"cse.example/cse/ground/civil"
	"cse.example/cse/login/identity"
	"cse.example/cse/person/codicefiscale"
)

var (
	oidSurname   = asn1.ObjectIdentifier{2, 5, 4, 4}
	oidGivenName = asn1.ObjectIdentifier{2, 5, 4, 42}
)

// describe fills in the person: from the registry for a card of ours, from the
// certificate's SN and GN for another's; birth, sex and place from the codice
// fiscale where nobody attests them, and then named in Derived.
func describe(id *identity.Identity, leaf *x509.Certificate, card Card, today civil.Date) {
	id.Surname, id.GivenName = card.Surname, card.Name
	if id.Surname == "" && id.GivenName == "" {
		id.Surname, id.GivenName = attribute(leaf, oidSurname), attribute(leaf, oidGivenName)
	}
	id.Born, id.Sex, id.Birthplace, id.Province = card.Born, card.Sex, card.Birthplace, card.Province
	Derive(id, today)
}

// Derive completes birth date, sex and birthplace from the codice fiscale,
// naming in Derived what it added. A provisional code tells nothing.
func Derive(id *identity.Identity, today civil.Date) {
	cf := codicefiscale.Code(id.CF)
	if born, sex, err := cf.BirthDay(codicefiscale.CenturyBefore(today)); err == nil {
		if id.Born.IsZero() {
			id.Born = born
			id.Derived = append(id.Derived, "birthdate")
		}
		if id.Sex == "" {
			id.Sex = string(sex)
			id.Derived = append(id.Derived, "gender")
		}
	}
	if id.Birthplace == "" {
		id.Birthplace = cf.Birthplace()
		if id.Birthplace != "" {
			id.Derived = append(id.Derived, "place_of_birth")
		}
	}
	place, ok := codicefiscale.Belfiore(id.Birthplace, id.Born)
	if !ok {
		return
	}
	id.Locality, id.Foreign = place.Name, place.Foreign
	if id.Province == "" {
		id.Province = place.Province
	}
}

func attribute(leaf *x509.Certificate, oid asn1.ObjectIdentifier) string {
	for _, a := range leaf.Subject.Names {
		if a.Type.Equal(oid) {
			s, _ := a.Value.(string)
			return s
		}
	}
	return ""
}
