package codicefiscale

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"cse.example/cse/ground/civil"
)

// Person is what a code is computed from.
type Person struct {
	Surname, Name string
	Born          civil.Date
	Sex           Sex
	Belfiore      string
}

// ErrPerson is returned by Compute when a datum is missing or impossible.
var ErrPerson = errors.New("cannot compute a codice fiscale")

// Compute makes the code without omocodia. Accents are dropped (À is A), signs
// and spaces ignored. The place must exist in the table.
func Compute(p Person) (Code, error) {
	surname, name := letters(p.Surname), letters(p.Name)
	switch {
	case surname == "":
		return "", fmt.Errorf("%w: no surname", ErrPerson)
	case name == "":
		return "", fmt.Errorf("%w: no name", ErrPerson)
	case !p.Born.Valid():
		return "", fmt.Errorf("%w: no birth date", ErrPerson)
	case p.Sex != Male && p.Sex != Female:
		return "", fmt.Errorf("%w: sex is M or F", ErrPerson)
	}
	if _, ok := Belfiore(p.Belfiore, civil.Date{}); !ok {
		return "", fmt.Errorf("%w: unknown place %q", ErrPerson, p.Belfiore)
	}
	day := p.Born.Day
	if p.Sex == Female {
		day += 40
	}
	first := fmt.Sprintf("%s%s%02d%c%02d%s", group(surname, false), group(name, true),
		p.Born.Year%100, months[p.Born.Month-1], day, p.Belfiore)
	return Code(first + string(checkLetter(first))), nil
}

// group takes consonants, then vowels, then X. A name with four or more
// consonants gives the first, third and fourth.
func group(s string, isName bool) string {
	var cons, vowels strings.Builder
	for _, r := range s {
		if strings.ContainsRune("AEIOU", r) {
			vowels.WriteRune(r)
		} else {
			cons.WriteRune(r)
		}
	}
	c := cons.String()
	if isName && len(c) >= 4 {
		return c[:1] + c[2:4]
	}
	return (c + vowels.String() + "XXX")[:3]
}

// unfold are the letters that have no decomposition in Unicode.
var unfold = strings.NewReplacer("ß", "SS", "Æ", "AE", "Œ", "OE", "Ø", "O", "Đ", "D", "Ł", "L", "Þ", "TH", "Ð", "D", "Ħ", "H", "ı", "I", "I", "I")

// letters keeps A..Z of s, accents dropped.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, Fold(s))
}

// Fold puts a name in the form in which names are compared and printed on
// plastic: upper case, accents dropped, one space between words, apostrophes and
// hyphens kept.
func Fold(s string) string {
	s = norm.NFD.String(unfold.Replace(strings.ToUpper(s)))
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r):
			return -1
		case r == '’' || r == '‘' || r == '`' || r == '´':
			return '\''
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}
