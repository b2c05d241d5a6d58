package team_test

import (
	"strings"
	"testing"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/person/registry"
	"cse.example/cse/person/team"
)

func TestNumber(t *testing.T) {
	n, err := team.FromCardID("6090000000000123") // card.md 5
	if err != nil || n != "80380000900000000000" {
		t.Fatalf("got %s %v", n, err)
	}
	if got := n.Grouped(); got != "80380 00090 00000 00000" {
		t.Errorf("grouped %q", got)
	}
	for _, bad := range []string{"", "609000000000012", "609000000000012X", "60900000000001234"} {
		if _, err := team.FromCardID(bad); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
	other, err := team.FromCardID("6090000012345006")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := team.Parse(other.Grouped()); err != nil || got != other {
		t.Errorf("parse %s: %v", other, err)
	}
	for i := range len(other) { // every single wrong digit is seen
		b := []byte(other)
		b[i] = '0' + (b[i]-'0'+1)%10
		if _, err := team.Parse(string(b)); err == nil {
			t.Errorf("%s accepted", b)
		}
	}
}

func person() registry.Person {
	return registry.Person{
		CF: "RSSMRA80A01D612Y", Surname: "Rossi", Name: "Niccolò Mario",
		Born: civil.Date{Year: 1980, Month: 1, Day: 1}, AbroadRight: true,
	}
}

func TestBack(t *testing.T) {
	expires := civil.Date{Year: 2032, Month: 11, Day: 23}
	got, err := team.New(person(), "80380000900000000000", expires)
	want := team.Back{
		State: "IT", Surname: "ROSSI", Names: "NICCOLO MARIO", Born: "01/01/1980", PersonalID: "RSSMRA80A01D612Y",
		Institution: team.Institution, Number: "80380000900000000000", Expires: "23/11/2032",
	}
	if err != nil || got != want {
		t.Errorf("got %+v %v", got, err)
	}
	home := person()
	home.AbroadRight = false
	stars, err := team.New(home, "80380000900000000000", expires)
	if err != nil || !stars.Asterisks || stars.PersonalID != strings.Repeat("*", 16) || stars.Surname != "*****" || stars.Expires != "23/11/2032" {
		t.Errorf("no right abroad: %+v %v", stars, err)
	}
	long := person()
	long.Surname = strings.Repeat("a", 60)
	if b, err := team.New(long, "80380000900000000000", expires); err != nil || len(b.Surname) != 40 {
		t.Errorf("long surname: %+v %v", b, err)
	}
}

func TestMissingFieldBlocks(t *testing.T) {
	good, err := team.New(person(), "80380000900000000000", civil.Date{Year: 2032, Month: 11, Day: 23})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]func(*team.Back){
		"team_2": func(b *team.Back) { b.State = "" },
		"team_3": func(b *team.Back) { b.Surname = "" },
		"team_4": func(b *team.Back) { b.Names = strings.Repeat("X", 36) },
		"team_5": func(b *team.Back) { b.Born = "31/02/1980" },
		"team_6": func(b *team.Back) { b.PersonalID = "RSSMRA80A01D612X" },
		"team_7": func(b *team.Back) { b.Institution = "*****" },
		"team_8": func(b *team.Back) { b.Number = "80380000900000000001" },
		"team_9": func(b *team.Back) { b.Expires = "" },
	}
	for field, spoil := range tests {
		b := good
		spoil(&b)
		if f := words.FaultOf(b.Check()); f == nil || f.Code != "CSE-167" || f.Field != field {
			t.Errorf("%s: got %v", field, f)
		}
	}
	half := good
	half.Asterisks = true
	if half.Check() == nil {
		t.Error("asterisks on paper only")
	}
	nobody := person()
	nobody.Surname = ""
	if _, err := team.New(nobody, good.Number, civil.Date{Year: 2032, Month: 1, Day: 1}); err == nil {
		t.Error("a back without surname")
	}
}
