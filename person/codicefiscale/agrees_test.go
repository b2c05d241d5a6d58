package codicefiscale_test

import (
	"errors"
	"testing"

	"cse.example/cse/ground/civil"
	"cse.example/cse/person/codicefiscale"
)

func TestAgrees(t *testing.T) {
	const mario, zoe, dali = "RSSMRA80A01D612Y", "MLLZOE88E44Z112", "DLANCL24B29G702"
	full := func(first15 string) codicefiscale.Code {
		for c := 'A'; c <= 'Z'; c++ {
			if x, err := codicefiscale.Parse(first15 + string(c)); err == nil {
				return x
			}
		}
		t.Fatalf("%s has no check character", first15)
		return ""
	}
	maria := full("RSSMLS80A41D612")
	for _, c := range []struct {
		cf                  codicefiscale.Code
		surname, name, born string
		wantS, wantN, wantB bool
		what                string
	}{
		{mario, "Rossi", "Mario", "1980-01-01", true, true, true, "as it is"},
		{codicefiscale.Code(mario).Omocodie()[3], "Rossi", "Mario", "1980-01-01", true, true, true, "an omocodia"},
		{mario, "ròssi ", "MARIO", "1880-01-01", true, true, true, "case, accents, and the century it does not know"},
		{mario, "Bianchi", "Mario", "1980-01-01", false, true, true, "another surname"},
		{mario, "Rossi", "Luigi", "1980-01-01", true, false, true, "another name"},
		{mario, "Rossi", "Mario", "1980-01-02", true, true, false, "another day"},
		{mario, "Rossi", "Mario", "1981-01-01", true, true, false, "another year"},
		{mario, "Rossi", "Mario", "1980-02-01", true, true, false, "another month"},
		{mario, "Rossi", "Mario", "", true, true, false, "no date"},
		{mario, "", "", "1980-01-01", false, false, true, "no names"},
		{mario, "'", "-", "1980-01-01", false, false, true, "names of signs alone"},
		{full(zoe), "Müller", "Zoë", "1988-05-04", true, true, true, "a woman, with diaereses"},
		{full(dali), "d’Alì", "Niccolò", "2024-02-29", true, true, true, "an apostrophe of another kind"},
		{full(dali), "D ALI", "NICCOLO'", "2024-02-29", true, true, true, "accents as signs"},
		{maria, "Rossi", "Maria Luisa", "1980-01-01", true, true, true, "two names"},
		{maria, "Rossi", "Luisa Maria", "1980-01-01", true, true, true, "two names the other way round"},
		{maria, "Rossi", "Maria", "1980-01-01", true, false, true, "half of two names"},
		{mario, "Rossi", "a b c d e f g h i j k l m n o p q r s t u v w x y z", "1980-01-01", true, false, true, "more words than are tried"},
	} {
		born := civil.Date{}
		if c.born != "" {
			born = day(t, c.born)
		}
		got, err := c.cf.Agrees(c.surname, c.name, born)
		if want := (codicefiscale.Agreement{Surname: c.wantS, Name: c.wantN, Born: c.wantB}); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", c.what, got, err, want)
		}
	}
	if _, err := codicefiscale.Code("12345670017").Agrees("Rossi", "Mario", civil.Date{}); !errors.Is(err, codicefiscale.ErrProvisional) {
		t.Errorf("a provisional code: %v", err)
	}
}

// Whatever is typed, a code agrees with the person that it is computed from.
func FuzzAgrees(f *testing.F) {
	f.Add("Rossi", "Maria Luisa", 1980, 1)
	f.Add("D'Alì-Müller", "Jean-Luc Zoë", 2024, 60)
	f.Add("", "'", 0, 0)
	f.Fuzz(func(t *testing.T, surname, name string, year, n int) {
		born := civil.Date{Year: 1900 + (year%120+120)%120, Month: 1, Day: 1}.AddDays((n%366 + 366) % 366)
		cf, err := codicefiscale.Compute(codicefiscale.Person{Surname: surname, Name: name, Born: born, Sex: codicefiscale.Female, Belfiore: "D612"})
		if err != nil {
			_, _ = codicefiscale.Code("RSSMRA80A01D612Y").Agrees(surname, name, born)
			return
		}
		got, err := cf.Agrees(surname, name, born)
		if want := (codicefiscale.Agreement{Surname: true, Name: true, Born: true}); err != nil || got != want {
			t.Errorf("%q %q %s: %s agrees with %+v, %v", surname, name, born, cf, got, err)
		}
	})
}
