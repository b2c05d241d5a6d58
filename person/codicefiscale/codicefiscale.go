// Package codicefiscale is the Italian tax code (codice fiscale), as DM 23
// December 1976 and DM 345/1998 shape it: three letters of the surname, three
// of the name, year, month letter, day (plus 40 for women), the Belfiore code
// of the birthplace and a check letter; and the provisional code of 11 digits.
//
// Parse guarantees shape, an existing day and month and the check character.
// It accepts omocodia, the replacement of digits by letters that the Revenue
// Agency uses when two people would share a code (Base undoes it, Omocodie lists
// the 127 alternates). Compute makes a code from a person: only the Revenue
// Agency assigns codes, so it serves comparison and invented people, and the
// registry's code always wins over a computed one.
//
// The year has two digits: the century is the caller's decision (BirthDay),
// because a newborn and somebody over a hundred can share them. Places are
// those of the day of birth: ceased municipalities stay in the table.
package codicefiscale

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

// Code is a checked codice fiscale in upper case: 16 characters, or 11 digits
// when provisional. Make one with Parse or Compute.
type Code string

// Sex as the code and the card write it.
type Sex string

// The two values that the tax registry knows.
const (
	Male   Sex = "M"
	Female Sex = "F"
)

// Reasons for which Parse refuses, inside the fault (errors.Is).
var (
	ErrShape = errors.New("not the shape of a codice fiscale")
	ErrCheck = errors.New("check character does not match")
	ErrDay   = errors.New("no such month or day")
	// ErrProvisional is returned for a question that only the 16 characters answer.
	ErrProvisional = errors.New("a provisional code says nothing about the person")
)

const (
	months    = "ABCDEHLMPRST"
	omocodia  = "LMNPQRSTUV" // stands for 0..9
	length    = 16
	temporary = 11
)

// digitAt are the positions that hold digits, from the right: the order in
// which omocodia replaces them.
var digitAt = [7]int{14, 13, 12, 10, 9, 7, 6}

// Parse reads a code as people type it: spaces around it and lower case are
// forgiven, nothing else. The error is a fault for people (CSE-101 for the check
// character, CSE-103 for everything else).
func Parse(s string) (Code, error) {
	s = strings.ToUpper(strings.TrimSpace(s))
	if len(s) == temporary {
		return parseProvisional(s)
	}
	if err := shape(s); err != nil {
		return "", words.Refuse("CSE-103").At("codice_fiscale").Because(err)
	}
	if checkLetter(s[:length-1]) != s[length-1] {
		return "", words.Refuse("CSE-101").At("codice_fiscale").Because(ErrCheck)
	}
	c := Code(s)
	if _, _, _, err := c.day(); err != nil {
		return "", words.Refuse("CSE-103").At("codice_fiscale").Because(err)
	}
	return c, nil
}

func shape(s string) error {
	if len(s) != length {
		return fmt.Errorf("%w: %d characters", ErrShape, len(s))
	}
	for i := range length {
		letter := s[i] >= 'A' && s[i] <= 'Z'
		switch {
		case isDigitPlace(i):
			if (s[i] < '0' || s[i] > '9') && strings.IndexByte(omocodia, s[i]) < 0 {
				return fmt.Errorf("%w: position %d wants a digit", ErrShape, i+1)
			}
		case !letter:
			return fmt.Errorf("%w: position %d wants a letter", ErrShape, i+1)
		}
	}
	return nil
}

func isDigitPlace(i int) bool {
	for _, p := range digitAt {
		if p == i {
			return true
		}
	}
	return false
}

// parseProvisional checks the 11 digits: 7 of serial, 3 of office, 1 of check,
// computed as for a partita IVA (Luhn, the even positions doubled).
func parseProvisional(s string) (Code, error) {
	sum := 0
	for i := range temporary {
		if s[i] < '0' || s[i] > '9' {
			return "", words.Refuse("CSE-103").At("codice_fiscale").Because(fmt.Errorf("%w: 11 characters, not all digits", ErrShape))
		}
		d := int(s[i] - '0')
		if i%2 == 1 {
			d *= 2
			if d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	if sum%10 != 0 || strings.Trim(s, "0") == "" {
		return "", words.Refuse("CSE-101").At("codice_fiscale").Because(ErrCheck)
	}
	return Code(s), nil
}

// Provisional tells a code of 11 digits.
func (c Code) Provisional() bool { return len(c) == temporary }

// String is the code itself.
func (c Code) String() string { return string(c) }

// Base undoes omocodia: digits where letters stood, check letter computed anew.
// A provisional code is its own base.
func (c Code) Base() Code {
	if len(c) != length {
		return c
	}
	b := []byte(c)
	for _, p := range digitAt {
		b[p] = digit(b[p])
	}
	b[length-1] = checkLetter(string(b[:length-1]))
	return Code(b)
}

// Omocodie lists the 127 alternates of the code's base, none equal to the base,
// in the order of the Revenue Agency: the rightmost digit is replaced first.
func (c Code) Omocodie() []Code {
	if len(c) != length {
		return nil
	}
	base := []byte(c.Base())
	out := make([]Code, 0, 1<<len(digitAt)-1)
	for mask := 1; mask < 1<<len(digitAt); mask++ {
		b := append([]byte(nil), base...)
		for i, p := range digitAt {
			if mask>>i&1 == 1 {
				b[p] = omocodia[b[p]-'0']
			}
		}
		b[length-1] = checkLetter(string(b[:length-1]))
		out = append(out, Code(b))
	}
	return out
}

// SamePerson tells whether two codes have one base, that is one person or two
// people that omocodia keeps apart: a reason to look, never an identity.
func (c Code) SamePerson(o Code) bool { return c.Base() == o.Base() }

func digit(b byte) byte {
	if i := strings.IndexByte(omocodia, b); i >= 0 {
		return byte('0' + i)
	}
	return b
}

// BirthDay reads day, month and sex; century is given the two digits of the year
// and answers with the four. The error tells a day that does not exist in that
// year (29 February) or a provisional code.
func (c Code) BirthDay(century func(yy int) int) (civil.Date, Sex, error) {
	yy, md, sex, err := c.day()
	if err != nil {
		return civil.Date{}, "", err
	}
	d, err := civil.NewDate(century(yy), md.Month, md.Day)
	return d, sex, err
}

// day reads year, month and day, and refuses those that no year has.
func (c Code) day() (yy int, md civil.Date, sex Sex, err error) {
	if len(c) != length {
		return 0, md, "", ErrProvisional
	}
	b := c.Base()
	two := func(i int) int { return int(b[i]-'0')*10 + int(b[i+1]-'0') }
	m := strings.IndexByte(months, b[8])
	day, sex := two(9), Male
	if day > 40 {
		day, sex = day-40, Female
	}
	md = civil.Date{Year: 2000, Month: time.Month(m + 1), Day: day} // 2000 has a 29 February
	if m < 0 || !md.Valid() {
		return 0, md, "", ErrDay
	}
	return two(6), md, sex, nil
}

// CenturyBefore answers for the most recent year that is not after today: the
// usual choice when nothing better is known. It is wrong for whoever is over 99.
func CenturyBefore(today civil.Date) func(yy int) int {
	return func(yy int) int {
		y := today.Year - today.Year%100 + yy
		if y > today.Year {
			y -= 100
		}
		return y
	}
}

// Birthplace is the Belfiore code, omocodia undone; empty for a provisional code.
func (c Code) Birthplace() string {
	if len(c) != length {
		return ""
	}
	return string(c.Base()[11:15])
}

// Braille are the three characters embossed beside the birth date on the card:
// the first two letters of the name group and the check character (decree of 14
// March 2022). Empty for a provisional code.
func (c Code) Braille() string {
	if len(c) != length {
		return ""
	}
	return string(c[3:5]) + string(c[15:])
}

// odd is the value of a character in an odd position (the first is odd);
// digits count as A..J.
var odd = [26]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}

func checkLetter(first15 string) byte {
	sum := 0
	for i := range len(first15) {
		v := int(first15[i] - 'A')
		if first15[i] <= '9' {
			v = int(first15[i] - '0')
		}
		if i%2 == 0 {
			v = odd[v]
		}
		sum += v
	}
	return byte('A' + sum%26)
}
