// Package team is the European health insurance card on the back of the health
// card (TEAM, Tessera europea di assicurazione malattia; EHIC): the 20-digit
// card number and the fields 3..9 of Decisions S1 and S2 of 12 June 2009 (OJ C
// 106, 24.4.2010).
//
// New refuses a back that misses a field or exceeds the form's lengths, and the
// refusal names the field: a missing field blocks printing (R49). Who has no
// right to care abroad gets a back overprinted with asterisks (R14), with the
// number of the card and its expiry all the same, which the card needs anyway.
//
// One serial space serves cards with and without a chip: the number is derived
// from the card's own 16-digit number (card.md section 5).
package team

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// Number is the 20-digit number of the card (EHIC field 8): 80 (health), 380
// (Italy), 00 and the region, ten digits of serial, a Luhn digit over the rest.
type Number string

const (
	prefix   = "8038000"
	idLength = 16
	length   = 20
)

// FromCardID derives the number from the card's 16 digits (EF_ID_Carta): prefix,
// digits 2 to 13, check digit. Digits 14 and 15 do not enter, so production
// counts its serials in the digits before them.
func FromCardID(id string) (Number, error) {
	if len(id) != idLength || !digits(id) {
		return "", fmt.Errorf("TEAM number: %q is not a card number of 16 digits", id)
	}
	s := prefix + id[1:13]
	return Number(s + string(luhn(s))), nil
}

// Parse checks a number as printed; spaces are forgiven.
func Parse(s string) (Number, error) {
	s = strings.ReplaceAll(s, " ", "")
	if len(s) != length || !digits(s) || !strings.HasPrefix(s, "80380") || luhn(s[:length-1]) != s[length-1] {
		return "", words.Refuse("CSE-167", 8, "20").At("team")
	}
	return Number(s), nil
}

// Grouped is the number as printed, in groups of five.
func (n Number) Grouped() string {
	var out []string
	for s := string(n); s != ""; s = s[min(5, len(s)):] {
		out = append(out, s[:min(5, len(s))])
	}
	return strings.Join(out, " ")
}

// Institution is field 7 for every Italian card.
const Institution = "SSN-MIN SALUTE - 500001"

// Back is what the back of a card carries. Asterisks tells that fields 3..7 are
// overprinted because the holder has no right abroad.
type Back struct {
	Asterisks bool `json:"asterisks"`
	// State is field 2, in the ring of stars.
	State string `json:"state"`
	// Surname, Names: fields 3 (40 characters at most) and 4 (35).
	Surname string `json:"surname"`
	Names   string `json:"names"`
	// Born is field 5, printed DD/MM/YYYY.
	Born string `json:"born"`
	// PersonalID is field 6: the codice fiscale.
	PersonalID string `json:"personal_id"`
	// Institution is field 7.
	Institution string `json:"institution"`
	// Number is field 8.
	Number Number `json:"number"`
	// Expires is field 9, printed DD/MM/YYYY.
	Expires string `json:"expires"`
}

// New makes the back of a card for p. Names are folded to capitals without
// accents; names longer than the form are cut at its length, as the form wants.
func New(p registry.Person, n Number, expires civil.Date) (Back, error) {
	b := Back{
		State: "IT", Surname: cut(codicefiscale.Fold(p.Surname), 40), Names: cut(codicefiscale.Fold(p.Name), 35),
		Born: p.Born.Italian(), PersonalID: string(p.CF), Institution: Institution,
		Number: n, Expires: expires.Italian(),
	}
	if err := b.Check(); err != nil {
		return Back{}, err
	}
	if !p.AbroadRight {
		b = b.overprint()
	}
	return b, b.Check()
}

// overprint puts asterisks over what identifies the holder abroad.
func (b Back) overprint() Back {
	star := func(s string) string { return strings.Repeat("*", utf8.RuneCountInString(s)) }
	b.Asterisks = true
	b.Surname, b.Names, b.Born = star(b.Surname), star(b.Names), star(b.Born)
	b.PersonalID, b.Institution = star(b.PersonalID), star(b.Institution)
	return b
}

// Check refuses a back with a field missing, too long or half overprinted. The
// fault is CSE-167 and names the first field at fault.
func (b Back) Check() error {
	if b.State != "IT" {
		return bad(2, b.State)
	}
	for i, f := range []struct {
		text string
		most int
	}{{b.Surname, 40}, {b.Names, 35}, {b.Born, 10}, {b.PersonalID, 20}, {b.Institution, 26}} {
		stars := f.text != "" && strings.Trim(f.text, "*") == ""
		if f.text == "" || utf8.RuneCountInString(f.text) > f.most || stars != b.Asterisks {
			return bad(3+i, f.text)
		}
	}
	if !b.Asterisks {
		if _, err := civil.ParseItalian(b.Born); err != nil {
			return bad(5, b.Born)
		}
		if _, err := codicefiscale.Parse(b.PersonalID); err != nil {
			return bad(6, b.PersonalID)
		}
	}
	if _, err := Parse(string(b.Number)); err != nil {
		return bad(8, string(b.Number))
	}
	if _, err := civil.ParseItalian(b.Expires); err != nil {
		return bad(9, b.Expires)
	}
	return nil
}

func bad(field int, text string) error {
	if text == "" {
		text = "–"
	}
	return words.Refuse("CSE-167", field, text).At(fmt.Sprintf("team_%d", field))
}

func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return strings.TrimSpace(string(r[:most]))
	}
	return s
}

func digits(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// luhn is the check digit (ISO/IEC 7812-1) that follows s.
func luhn(s string) byte {
	sum := 0
	for i := range len(s) {
		d := int(s[len(s)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return byte('0' + (10-sum%10)%10)
}
