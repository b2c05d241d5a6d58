package codicefiscale_test

import (
	"errors"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/person/codicefiscale"
)

func day(t *testing.T, s string) civil.Date {
	t.Helper()
	d, err := civil.ParseISO(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCompute(t *testing.T) {
	tests := []struct{ surname, name, born, sex, place, want string }{
		{"Rossi", "Mario", "1980-01-01", "M", "D612", "RSSMRA80A01D612Y"}, // card.md 3
		{"Fo", "Al", "1990-12-31", "M", "H501", "FOXLAX90T31H501"},
		{"D'Alì", "Niccolò", "2024-02-29", "M", "G702", "DLANCL24B29G702"},
		{"Bianchi", "Gianfranca", "1975-08-09", "F", "A390", "BNCGFR75M49A390"},
		{"Müller", "Zoë", "1988-05-04", "F", "Z112", "MLLZOE88E44Z112"},
	}
	for _, tt := range tests {
		got, err := codicefiscale.Compute(codicefiscale.Person{
			Surname: tt.surname, Name: tt.name, Born: day(t, tt.born), Sex: codicefiscale.Sex(tt.sex), Belfiore: tt.place,
		})
		if err != nil {
			t.Errorf("%s: %v", tt.surname, err)
			continue
		}
		if string(got)[:len(tt.want)] != tt.want {
			t.Errorf("%s %s: got %s, want %s", tt.surname, tt.name, got, tt.want)
		}
		if back, err := codicefiscale.Parse(string(got)); err != nil || back != got {
			t.Errorf("parse %s: %v", got, err)
		}
	}
	for _, bad := range []codicefiscale.Person{
		{},
		{Surname: "Rossi", Name: "Mario", Born: day(t, "1980-01-01"), Sex: "M", Belfiore: "Q999"},
		{Surname: "Rossi", Name: "Mario", Born: day(t, "1980-01-01"), Sex: "X", Belfiore: "D612"},
		{Surname: "'", Name: "Mario", Born: day(t, "1980-01-01"), Sex: "M", Belfiore: "D612"},
	} {
		if got, err := codicefiscale.Compute(bad); !errors.Is(err, codicefiscale.ErrPerson) {
			t.Errorf("%+v: got %q, %v", bad, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		in, code string
		reason   error
	}{
		{"RSSMRA80A01D612X", "CSE-101", codicefiscale.ErrCheck},
		{"RSSMRA80A01D612", "CSE-103", codicefiscale.ErrShape},
		{"", "CSE-103", codicefiscale.ErrShape},
		{"RSSMRA80A0AD612Y", "CSE-103", codicefiscale.ErrShape}, // A is not an omocodia letter
		{"1SSMRA80A01D612Y", "CSE-103", codicefiscale.ErrShape},
		{"12345678901", "CSE-101", codicefiscale.ErrCheck},
		{"00000000000", "CSE-101", codicefiscale.ErrCheck},
		{"1234567890A", "CSE-103", codicefiscale.ErrShape},
		{"RSSMRA80A01D61è", "CSE-103", codicefiscale.ErrShape},
	}
	for _, tt := range tests {
		_, err := codicefiscale.Parse(tt.in)
		if f := words.FaultOf(err); f == nil || f.Code != tt.code || !errors.Is(err, tt.reason) {
			t.Errorf("%q: got %v, want %s because %v", tt.in, err, tt.code, tt.reason)
		}
	}
}

// Months F, G… and days 0, 32..40 or 30 February exist in no year, whatever the
// check letter says.
func TestParseRefusesImpossibleDays(t *testing.T) {
	for _, first := range []string{"RSSMRA80F01D612", "RSSMRA80B30D612", "RSSMRA80A00D612", "RSSMRA80A40D612", "RSSMRA80A72D612", "RSSMRA80D71D612"} {
		days := 0
		for l := 'A'; l <= 'Z'; l++ {
			_, err := codicefiscale.Parse(first + string(l))
			if err == nil {
				t.Errorf("%s%c accepted", first, l)
			}
			if errors.Is(err, codicefiscale.ErrDay) {
				days++
			}
		}
		if days != 1 {
			t.Errorf("%s: %d letters reach the check of the day, want 1", first, days)
		}
	}
}

func TestProvisional(t *testing.T) {
	c, err := codicefiscale.Parse(" 12345670017 ")
	if err != nil || !c.Provisional() || c.Base() != c || c.Birthplace() != "" || c.Omocodie() != nil {
		t.Errorf("got %q %v", c, err)
	}
	if _, _, err := c.BirthDay(func(y int) int { return y }); !errors.Is(err, codicefiscale.ErrProvisional) {
		t.Errorf("birth day of a provisional code: %v", err)
	}
}

func TestOmocodie(t *testing.T) {
	base, err := codicefiscale.Parse("rssmra80a01d612y ")
	if err != nil {
		t.Fatal(err)
	}
	all := base.Omocodie()
	if len(all) != 127 {
		t.Fatalf("got %d alternates, want 127", len(all))
	}
	seen := map[codicefiscale.Code]bool{base: true}
	for _, c := range all {
		if seen[c] {
			t.Fatalf("%s twice", c)
		}
		seen[c] = true
		got, err := codicefiscale.Parse(string(c))
		if err != nil || got.Base() != base || !got.SamePerson(base) {
			t.Fatalf("%s: base %s, %v", c, got.Base(), err)
		}
		d, sex, err := got.BirthDay(codicefiscale.CenturyBefore(civil.Date{Year: 2026, Month: 1, Day: 1}))
		if err != nil || d.String() != "1980-01-01" || sex != codicefiscale.Male || got.Birthplace() != "D612" {
			t.Fatalf("%s: %v %v %v %s", c, d, sex, err, got.Birthplace())
		}
	}
	if want := codicefiscale.Code("RSSMRA80A01D61N"); all[0][:15] != want {
		t.Errorf("first alternate %s, want %s and a check letter", all[0], want)
	}
}

func TestCenturyIsTheCallers(t *testing.T) {
	c, err := codicefiscale.Compute(codicefiscale.Person{Surname: "Neri", Name: "Ada", Born: day(t, "1925-03-08"), Sex: "F", Belfiore: "D612"})
	if err != nil {
		t.Fatal(err)
	}
	for _, century := range []int{1900, 2000} {
		d, sex, err := c.BirthDay(func(yy int) int { return century + yy })
		want := civil.Date{Year: century + 25, Month: time.March, Day: 8}
		if err != nil || d != want || sex != codicefiscale.Female {
			t.Errorf("got %v %v %v, want %v", d, sex, err, want)
		}
	}
	if got, want := c.Braille(), "DA"+string(c[15]); got != want {
		t.Errorf("braille %q of %s, want %q", got, c, want)
	}
	// 29 February exists in 2000 and not in 1900.
	leap, err := codicefiscale.Compute(codicefiscale.Person{Surname: "Neri", Name: "Ada", Born: day(t, "2000-02-29"), Sex: "F", Belfiore: "D612"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := leap.BirthDay(func(int) int { return 1900 }); !errors.Is(err, civil.ErrDate) {
		t.Errorf("29 February 1900: got %v", err)
	}
}

func TestPlaces(t *testing.T) {
	all := codicefiscale.AllPlaces()
	foreign := 0
	for _, p := range all {
		if p.Foreign {
			foreign++
		}
	}
	if len(all) != 10063 || foreign != 222 || len(all)-foreign != 9841 {
		t.Fatalf("got %d places, %d foreign", len(all), foreign)
	}
	p, ok := codicefiscale.Belfiore("D612", day(t, "2026-11-23"))
	if !ok || p.Name != "Firenze" || p.Province != "FI" || p.Foreign || p.Country != "IT" {
		t.Errorf("D612: %+v %v", p, ok)
	}
	if p, ok := codicefiscale.Belfiore("Z135", civil.Date{}); !ok || p.Until.Year != 1992 || p.Country != "SU" {
		t.Errorf("Z135: %+v %v", p, ok)
	}
	if _, ok := codicefiscale.Belfiore("Z135", day(t, "2001-01-01")); ok {
		t.Error("the Soviet Union exists in 2001")
	}
	if _, ok := codicefiscale.Belfiore("Z999", civil.Date{}); ok {
		t.Error("Z999 exists")
	}
	got := codicefiscale.SearchPlaces("pisa", day(t, "2026-01-01"), 3)
	if len(got) == 0 || got[0].Code != "G702" {
		t.Errorf("search pisa: %+v", got)
	}
}

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		" De’  Négri ": "DE' NEGRI", "Łukasz": "LUKASZ", "Straße": "STRASSE", "Nicolò": "NICOLO", "": "",
	} {
		if got := codicefiscale.Fold(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"RSSMRA80A01D612Y", "12345670017", "RSSMRA80A01D61NL", "", "ſ", "RSSMRA80A01D612\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := codicefiscale.Parse(s)
		if err != nil {
			if c != "" || words.FaultOf(err) == nil {
				t.Fatalf("%q: code %q with error %v", s, c, err)
			}
			return
		}
		again, err := codicefiscale.Parse(string(c))
		if err != nil || again != c {
			t.Fatalf("%q: %q does not parse again: %v", s, c, err)
		}
		if base, err := codicefiscale.Parse(string(c.Base())); err != nil || base != c.Base() {
			t.Fatalf("%q: base %q does not parse: %v", s, c.Base(), err)
		}
	})
}
