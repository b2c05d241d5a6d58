package lifecycle

import (
	"errors"
	"fmt"

	"cse.example/cse/ground/civil"
	"cse.example/cse/person/registry"
)

// Applicant are the facts that decide how long a card lasts.
type Applicant struct {
	Born civil.Date
	// FreeMover is a citizen of the EU, the EEA or Switzerland: no permit is
	// asked (R45).
	FreeMover bool
	// CitizenshipKnown is false when the registry has no citizenship.
	CitizenshipKnown bool
	// Permit is the residence permit // permesso di soggiorno.
	Permit registry.Permit
	// FirstCard tells that this person never had a card.
	FirstCard bool
}

// ApplicantOf takes the facts from the registry; cards are all that the person
// ever had.
func ApplicantOf(p registry.Person, cards []Card) Applicant {
	return Applicant{
		Born: p.Born, FreeMover: !p.NeedsPermit(), CitizenshipKnown: p.Citizenship != "",
		Permit: p.Permit, FirstCard: len(cards) == 0,
	}
}

// Terms are the configurable lengths.
type Terms struct {
	Years         int // of a card; 6
	NewbornYears  int // of the first card of a child under one year; 1
	RenewalMonths int // of a card during the renewal of a permit; 6
}

// DefaultTerms are the FAQ's and, for the renewal, ours.
func DefaultTerms() Terms { return Terms{Years: 6, NewbornYears: 1, RenewalMonths: 6} }

// Check refuses terms that make no card.
func (t Terms) Check() error {
	if t.Years < 1 || t.NewbornYears < 1 || t.RenewalMonths < 1 {
		return errors.New("lifecycle: the lengths of a card must be at least one")
	}
	return nil
}

// Why an expiry is what it is: keys of the words catalogue.
const (
	WhyYears   = "lifecycle.expiry.years"
	WhyNewborn = "lifecycle.expiry.newborn"
	WhyPermit  = "lifecycle.expiry.permit"
	WhyRenewal = "lifecycle.expiry.renewal"
)

// NoExpiryError sends a person to the exceptions: no card can be made until
// somebody settles the datum. Key is a key of the words catalogue.
type NoExpiryError struct{ Key string }

// Error implements error.
func (e *NoExpiryError) Error() string { return fmt.Sprintf("no expiry can be given: %s", e.Key) }

// The exceptions.
const (
	ExceptionCitizenship   = "lifecycle.exception.citizenship"
	ExceptionNoPermit      = "lifecycle.exception.no-permit"
	ExceptionPermitExpired = "lifecycle.exception.permit-expired"
)

// ExpiryFor is the last day of a card issued on day issued, and the rule that
// gave it (a Why… key). When more rules speak, the shortest wins. The error is
// a *NoExpiryError.
func ExpiryFor(a Applicant, issued civil.Date, t Terms) (civil.Date, string, error) {
	if err := t.Check(); err != nil {
		return civil.Date{}, "", err
	}
	day, why := issued.AddYears(t.Years), WhyYears
	if a.FirstCard && a.Born.AgeOn(issued) < 1 {
		day, why = issued.AddYears(t.NewbornYears), WhyNewborn
	}
	end, rule, err := stay(a, issued, t)
	if err != nil {
		return civil.Date{}, "", err
	}
	if !end.IsZero() && end.Before(day) {
		day, why = end, rule
	}
	return day, why, nil
}

// stay is the end that a residence permit sets; zero when it sets none.
func stay(a Applicant, issued civil.Date, t Terms) (civil.Date, string, error) {
	if a.FreeMover {
		return civil.Date{}, "", nil
	}
	if !a.CitizenshipKnown {
		return civil.Date{}, "", &NoExpiryError{ExceptionCitizenship}
	}
	switch a.Permit.Kind {
	case registry.PermitUnlimited:
		return civil.Date{}, "", nil
	case registry.PermitUntil:
		switch {
		case a.Permit.Until.IsZero():
			return civil.Date{}, "", &NoExpiryError{ExceptionNoPermit}
		case a.Permit.Until.Before(issued):
			return civil.Date{}, "", &NoExpiryError{ExceptionPermitExpired}
		}
		return a.Permit.Until, WhyPermit, nil
	case registry.PermitRenewal:
		switch {
		case a.Permit.Until.IsZero():
			return issued.AddMonths(t.RenewalMonths), WhyRenewal, nil
		case a.Permit.Until.Before(issued):
			return civil.Date{}, "", &NoExpiryError{ExceptionPermitExpired}
		}
		return a.Permit.Until, WhyRenewal, nil
	}
	return civil.Date{}, "", &NoExpiryError{ExceptionNoPermit}
}
