package production_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/person/registry"
	"cse.example/cse/person/team"
)

func rossi() (registry.Person, lifecycle.Card) {
	return registry.Person{
		CF: "RSSMRA80A01D612Y", Surname: "Ro<ssi", Name: "Niccolò", Born: civil.Date{Year: 1980, Month: 1, Day: 1}, Sex: "M",
		BirthPlace: "D612", Citizenship: "IT", AbroadRight: true,
	}, lifecycle.Card{
		ID: "6090000000010017", TEAM: "80380000900000000018", CF: "RSSMRA80A01D612Y", Model: lifecycle.TSCNS,
		Expires: civil.Date{Year: 2032, Month: 11, Day: 23},
	}
}

func TestFaces(t *testing.T) {
	who, c := rossi()
	n, err := team.FromCardID(c.ID)
	check(t, err)
	c.TEAM = string(n)
	got, err := production.FacesOf(who, c)
	check(t, err)
	want := production.Front{
		CF: "RSSMRA80A01D612Y", Expires: "23/11/2032", Surname: "RO<SSI", Name: "NICCOLÒ", Sex: "M",
		BirthPlace: "FIRENZE", Province: "FI", Born: "01/01/1980", Braille: "MRY", Chip: true,
	}
	if diff := cmp.Diff(want, got.Front); diff != "" {
		t.Error(diff)
	}
	b, err := json.Marshal(got)
	check(t, err)
	back, err := production.ParseFaces(b)
	if diff := cmp.Diff(got, back); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for _, l := range []words.Lang{words.Italian, words.English} {
		svg, err := got.BackSVG(l, "b")
		check(t, err)
		for _, drawing := range []string{svg, got.FrontSVG(l, "a")} {
			wellFormed(t, drawing)
			if strings.Contains(drawing, "⟦") {
				t.Errorf("a word is missing: %s", drawing)
			}
		}
	}
}

func wellFormed(t *testing.T, s string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(s))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%v in %s", err, s)
		}
	}
}

func TestFacesRefuse(t *testing.T) {
	tests := map[string]struct {
		edit        func(*registry.Person, *lifecycle.Card)
		code, field string
	}{
		"sex":        {func(p *registry.Person, _ *lifecycle.Card) { p.Sex = "" }, "CSE-174", "sesso"},
		"birthplace": {func(p *registry.Person, _ *lifecycle.Card) { p.BirthPlace = "Q999" }, "CSE-174", "luogo_nascita"},
		"surname":    {func(p *registry.Person, _ *lifecycle.Card) { p.Surname = "" }, "CSE-167", "team_3"},
		"expiry":     {func(_ *registry.Person, c *lifecycle.Card) { c.Expires = civil.Date{} }, "CSE-167", "team_9"},
		"team":       {func(_ *registry.Person, c *lifecycle.Card) { c.TEAM = "1" }, "CSE-167", "team_8"},
	}
	for name, tt := range tests {
		who, c := rossi()
		n, err := team.FromCardID(c.ID)
		check(t, err)
		c.TEAM = string(n)
		tt.edit(&who, &c)
		_, err = production.FacesOf(who, c)
		if f := words.FaultOf(err); f == nil || f.Code != tt.code || f.Field != tt.field {
			t.Errorf("%s: got %v, want %s at %s", name, err, tt.code, tt.field)
		}
	}
	who, c := rossi()
	n, err := team.FromCardID(c.ID)
	check(t, err)
	c.TEAM = string(n)
	good, err := production.FacesOf(who, c)
	check(t, err)
	for name, spoil := range map[string]func(*production.Faces){
		"code 39": func(f *production.Faces) { f.Code39 = "X" },
		"stripe":  func(f *production.Faces) { f.Stripe = "" },
		"expiry":  func(f *production.Faces) { f.Front.Expires = "24/11/2032" },
		"back":    func(f *production.Faces) { f.Back.PersonalID = "BNCGFR75M49A390L" },
	} {
		f := good
		spoil(&f)
		if f := words.FaultOf(f.Check()); f == nil || f.Code != "CSE-174" && f.Code != "CSE-167" {
			t.Errorf("%s: a data set that contradicts itself may be printed", name)
		}
	}
}
