package lifecycle

import (
	"errors"
	"testing"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/person/registry"
)

func TestExpiryFor(t *testing.T) {
	permit := func(k registry.PermitKind, until string) registry.Permit {
		p := registry.Permit{Kind: k}
		if until != "" {
			p.Until = day(t, until)
		}
		return p
	}
	for _, c := range []struct {
		name, born, citizenship string
		permit                  registry.Permit
		cards                   int
		issued                  string
		want, why               string // why begins with "exception" for a refusal
	}{
		{"six years (R24)", "1980-01-01", "IT", registry.Permit{}, 0, "2026-11-23", "2032-11-23", WhyYears},
		{"leap day (R43)", "1980-01-01", "IT", registry.Permit{}, 0, "2028-02-29", "2034-02-28", WhyYears},
		{"leap day to leap year is no leap day", "1980-01-01", "IT", registry.Permit{}, 0, "2026-02-28", "2032-02-28", WhyYears},
		{"EU", "1980-01-01", "FR", registry.Permit{}, 0, "2026-11-23", "2032-11-23", WhyYears},
		{"EEA", "1980-01-01", "NO", registry.Permit{}, 0, "2026-11-23", "2032-11-23", WhyYears},
		{"Switzerland", "1980-01-01", "CH", registry.Permit{}, 0, "2026-11-23", "2032-11-23", WhyYears},
		{"an EU citizen's permit, if any, does not count", "1980-01-01", "DE", permit(registry.PermitUntil, "2027-01-01"), 0, "2026-11-23", "2032-11-23", WhyYears},
		{"permit ends earlier (R45)", "1980-01-01", "AL", permit(registry.PermitUntil, "2028-05-31"), 0, "2026-11-23", "2028-05-31", WhyPermit},
		{"permit ends later", "1980-01-01", "AL", permit(registry.PermitUntil, "2040-05-31"), 0, "2026-11-23", "2032-11-23", WhyYears},
		{"permit ends on the same day", "1980-01-01", "AL", permit(registry.PermitUntil, "2032-11-23"), 0, "2026-11-23", "2032-11-23", WhyYears},
		{"permit ends today", "1980-01-01", "AL", permit(registry.PermitUntil, "2026-11-23"), 0, "2026-11-23", "2026-11-23", WhyPermit},
		{"permit ended yesterday", "1980-01-01", "AL", permit(registry.PermitUntil, "2026-11-22"), 0, "2026-11-23", "", ExceptionPermitExpired},
		{"permit without its day", "1980-01-01", "AL", permit(registry.PermitUntil, ""), 0, "2026-11-23", "", ExceptionNoPermit},
		{"unlimited", "1980-01-01", "AL", permit(registry.PermitUnlimited, ""), 0, "2026-11-23", "2032-11-23", WhyYears},
		{"being renewed", "1980-01-01", "AL", permit(registry.PermitRenewal, ""), 0, "2026-11-23", "2027-05-23", WhyRenewal},
		{"being renewed from a 31st", "1980-01-01", "AL", permit(registry.PermitRenewal, ""), 0, "2026-08-31", "2027-02-28", WhyRenewal},
		{"being renewed, enrolment known", "1980-01-01", "AL", permit(registry.PermitRenewal, "2027-01-15"), 0, "2026-11-23", "2027-01-15", WhyRenewal},
		{"being renewed, enrolment ended", "1980-01-01", "AL", permit(registry.PermitRenewal, "2026-01-15"), 0, "2026-11-23", "", ExceptionPermitExpired},
		{"no datum", "1980-01-01", "AL", registry.Permit{}, 0, "2026-11-23", "", ExceptionNoPermit},
		{"stateless", "1980-01-01", "XX", registry.Permit{}, 0, "2026-11-23", "", ExceptionNoPermit},
		{"no citizenship", "1980-01-01", "", registry.Permit{}, 0, "2026-11-23", "", ExceptionCitizenship},
		{"United Kingdom", "1980-01-01", "GB", registry.Permit{}, 0, "2026-11-23", "", ExceptionNoPermit},
		{"newborn's first card", "2026-11-01", "IT", registry.Permit{}, 0, "2026-11-23", "2027-11-23", WhyNewborn},
		{"newborn's second card", "2026-11-01", "IT", registry.Permit{}, 1, "2026-11-23", "2032-11-23", WhyYears},
		{"on the first birthday no longer", "2025-11-23", "IT", registry.Permit{}, 0, "2026-11-23", "2032-11-23", WhyYears},
		{"the day before it, still", "2025-11-24", "IT", registry.Permit{}, 0, "2026-11-23", "2027-11-23", WhyNewborn},
		{"newborn, shorter permit", "2026-11-01", "AL", permit(registry.PermitUntil, "2027-03-01"), 0, "2026-11-23", "2027-03-01", WhyPermit},
		{"newborn, longer permit", "2026-11-01", "AL", permit(registry.PermitUntil, "2029-03-01"), 0, "2026-11-23", "2027-11-23", WhyNewborn},
		{"newborn, no datum", "2026-11-01", "AL", registry.Permit{}, 0, "2026-11-23", "", ExceptionNoPermit},
	} {
		p := registry.Person{Born: day(t, c.born), Citizenship: c.citizenship, Permit: c.permit}
		got, why, err := ExpiryFor(ApplicantOf(p, make([]Card, c.cards)), day(t, c.issued), DefaultTerms())
		var none *NoExpiryError
		switch {
		case errors.As(err, &none):
			why = none.Key
		case err != nil:
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got.String() != c.want || why != c.why {
			t.Errorf("%s: %s, %s; want %s, %s", c.name, got, why, c.want, c.why)
		}
		if !words.Has(words.Italian, why) || !words.Has(words.English, why) {
			t.Errorf("%s: no text for %s", c.name, why)
		}
	}
}

func TestTermsAreConfigurable(t *testing.T) {
	a := Applicant{Born: civil.Date{Year: 1980, Month: 1, Day: 1}, FreeMover: true}
	if got, _, err := ExpiryFor(a, day(t, "2020-02-29"), Terms{Years: 5, NewbornYears: 1, RenewalMonths: 6}); err != nil || got.String() != "2025-02-28" {
		t.Errorf("five years: %s, %v", got, err)
	}
	if _, _, err := ExpiryFor(a, day(t, "2020-02-29"), Terms{Years: 6, NewbornYears: 1}); err == nil {
		t.Error("terms without a renewal length pass")
	}
}
