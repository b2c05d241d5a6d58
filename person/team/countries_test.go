package team

import (
	"maps"
	"slices"
	"testing"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

func iso(t *testing.T, s string) civil.Date {
	t.Helper()
	d, err := civil.ParseISO(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestR18_R19_WhereTheCardIsValid(t *testing.T) {
	today := iso(t, "2026-11-25")
	by := map[Basis][]string{}
	for _, c := range Countries() {
		if c.On(today) {
			by[c.Basis] = append(by[c.Basis], c.ISO)
		}
		if c.IT == "" || c.EN == "" || c.From.IsZero() {
			t.Errorf("%s misses a name or a day", c.ISO)
		}
		if c.Note != "" && !words.Has(words.Italian, "team.note."+string(c.Note)) {
			t.Errorf("note %s has no text", c.Note)
		}
		if !words.Has(words.Italian, "team.basis."+string(c.Basis)) {
			t.Errorf("basis %s has no text", c.Basis)
		}
	}
	for _, list := range by {
		slices.Sort(list)
	}
	want := map[Basis][]string{
		EU: {
			"AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT",
			"RO", "SE", "SI", "SK",
		},
		EEA: {"IS", "LI", "NO"}, CH: {"CH"}, UK: {"GB"},
	}
	if !maps.EqualFunc(by, want, slices.Equal) {
		t.Errorf("%v, want %v", by, want)
	}
	if len(by[EU]) != 27 {
		t.Errorf("%d members of the Union", len(by[EU]))
	}
}

func TestCountryOn(t *testing.T) {
	for _, x := range []struct {
		iso, day string
		basis    Basis
		ok       bool
	}{
		{"FR", "2026-11-25", EU, true},
		{"fr", "2026-11-25", EU, true},
		{"CH", "2026-11-25", CH, true},
		{"NO", "2026-11-25", EEA, true},
		{"HR", "2013-06-30", "", false},
		{"HR", "2013-07-01", EU, true},
		{"RO", "2006-12-31", "", false},
		{"AT", "2004-05-31", "", false},
		{"GB", "2020-12-31", EU, true},
		{"GB", "2021-01-01", UK, true},
		{"US", "2026-11-25", "", false},
		{"", "2026-11-25", "", false},
	} {
		c, ok := CountryOn(x.iso, iso(t, x.day))
		if ok != x.ok || c.Basis != x.basis {
			t.Errorf("%s on %s: %q %v, want %q %v", x.iso, x.day, c.Basis, ok, x.basis, x.ok)
		}
	}
}

// No country is there twice on one day: the two periods of the United Kingdom meet.
func TestPeriodsDoNotOverlap(t *testing.T) {
	all := Countries()
	for i, a := range all {
		for _, b := range all[:i] {
			if a.ISO == b.ISO && (a.On(b.From) || b.On(a.From)) {
				t.Errorf("%s twice", a.ISO)
			}
		}
	}
	if all[0].ISO = "XX"; Countries()[0].ISO == "XX" {
		t.Error("the table can be written to")
	}
}
