package api

import (
	"testing"
)

// Valid or not, with the law, for any country and day.
func TestR19_CountriesOfTheTEAM(t *testing.T) {
	with, without := good(), good()
	with.TEAMInUK = true
	for path, want := range map[string]struct {
		d           Deps
		valid       bool
		basis, name string
	}{
		"NO":                {good(), true, "EEA", "Norvegia"},
		"is":                {good(), true, "EEA", "Islanda"},
		"LI":                {good(), true, "EEA", "Liechtenstein"},
		"CH":                {good(), true, "CH", "Svizzera"},
		"FR":                {good(), true, "EU", "Francia"},
		"US":                {good(), false, "", ""},
		"GB":                {with, true, "UK", "Regno Unito"},
		"gb":                {without, false, "", ""},
		"GB?day=2020-12-31": {without, true, "EU", "Regno Unito"},
		"HR?day=2013-06-30": {good(), false, "", ""},
		"HR?day=2013-07-01": {good(), true, "EU", "Croazia"},
	} {
		w, body := ask(t, want.d, "GET", "/api/v1/team/countries/"+path, "it")
		if w.Code != 200 || body["valid"] != want.valid || body["basis"] != want.basis || body["name"] != want.name || body["scope"] != "temporary-stay" {
			t.Errorf("%s: %d %v, want %+v", path, w.Code, body, want)
		}
	}
	if _, body := ask(t, good(), "GET", "/api/v1/team/countries/CH", "en"); body["name"] != "Switzerland" || body["note"] != "Not a citizen of the Union? Ask your ASL first." {
		t.Errorf("in English: %v", body)
	}
	for _, path := range []string{"FRA", "1", "FR?day=2026-02-30", "FR?day=domani"} {
		w, body := ask(t, good(), "GET", "/api/v1/team/countries/"+path, "it")
		if w.Code != 422 || body["code"] != "CSE-573" || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %v", path, w.Code, body)
		}
	}
}
