package registry

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/person/codicefiscale"
)

// maxText bounds a name or an address, in characters.
const maxText = 100

// Check lists what is wrong with the facts of p as known on day today, each
// fault with the CSV column it belongs to; nothing when they may be kept.
func (p Person) Check(today civil.Date) []*words.Fault {
	c := checker{}
	c.must(p.CF != "", "codice_fiscale", "CSE-105", "codice_fiscale")
	c.text("cognome", p.Surname, true)
	c.text("nome", p.Name, true)
	c.text("indirizzo", p.Address, false)
	c.must(!p.Born.IsZero(), "data_nascita", "CSE-105", "data_nascita")
	c.must(p.Sex == "M" || p.Sex == "F", "sesso", "CSE-108")
	c.place("luogo_nascita", p.BirthPlace, true)
	c.place("comune_residenza", p.Residence, false)
	c.must(p.BirthProvince == "" || len(p.BirthProvince) == 2 && upper(p.BirthProvince), "provincia_nascita", "CSE-168", p.BirthProvince)
	c.must(len(p.Citizenship) == 2 && upper(p.Citizenship), "cittadinanza", "CSE-109", p.Citizenship)
	c.must(len(p.PostCode) <= 10 && printable(p.PostCode), "cap", "CSE-168", p.PostCode)
	c.must(len(p.ASL) <= 10 && printable(p.ASL), "asl", "CSE-168", p.ASL)
	c.must(p.Email == "" || plausibleEmail(p.Email), "email", "CSE-166")
	c.days(p, today)
	c.permit(p.Permit)
	c.guardians(p)
	return c.faults
}

type checker struct{ faults []*words.Fault }

func (c *checker) must(ok bool, column, code string, args ...any) {
	if !ok {
		c.faults = append(c.faults, words.Refuse(code, args...).At(column))
	}
}

func (c *checker) text(column, s string, required bool) {
	if s == "" {
		c.must(!required, column, "CSE-105", column)
		return
	}
	letter := strings.IndexFunc(s, unicode.IsLetter) >= 0
	c.must(utf8.RuneCountInString(s) <= maxText && printable(s) && (letter || !required), column, "CSE-168", clip(s))
}

func (c *checker) place(column, code string, required bool) {
	if code == "" {
		c.must(!required, column, "CSE-105", column)
		return
	}
	// Without a day: the table keeps only the last period of a place founded anew.
	_, ok := codicefiscale.Belfiore(code, civil.Date{})
	c.must(ok, column, "CSE-107", clip(code))
}

func (c *checker) days(p Person, today civil.Date) {
	born := p.Born.IsZero() || !p.Born.After(today) && p.Born.AgeOn(today) <= 130
	c.must(born, "data_nascita", "CSE-165")
	c.must(p.Died.IsZero() || !p.Died.Before(p.Born) && !p.Died.After(today), "data_decesso", "CSE-165")
	ends := p.AssistedUntil.IsZero() || !p.AssistedFrom.IsZero() && !p.AssistedUntil.Before(p.AssistedFrom)
	c.must(ends, "assistito_al", "CSE-163")
}

func (c *checker) permit(p Permit) {
	switch p.Kind {
	case PermitUntil:
		c.must(!p.Until.IsZero(), "permesso_fino_al", "CSE-105", "permesso_fino_al")
	case PermitNone, PermitUnlimited:
		c.must(p.Until.IsZero(), "permesso_fino_al", "CSE-160", string(p.Kind)+" "+p.Until.String())
	case PermitRenewal:
	default:
		c.must(false, "permesso", "CSE-160", clip(string(p.Kind)))
	}
}

func (c *checker) guardians(p Person) {
	for _, g := range p.Guardians {
		kind := g.Kind == Parent || g.Kind == Tutor || g.Kind == Curator || g.Kind == Administrator
		ok := kind && g.CF != "" && g.CF != p.CF && (g.Until.IsZero() || !g.Until.Before(g.From))
		c.must(ok, "rappresentanti", "CSE-162", formatGuardian(g))
	}
}

func upper(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < 'A' || r > 'Z' }) < 0
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// plausibleEmail asks for one @ between a name and a dotted domain: the counter
// and the mail server say the rest.
func plausibleEmail(s string) bool {
	name, domain, ok := strings.Cut(s, "@")
	return ok && name != "" && len(s) <= 254 && printable(s) && !strings.ContainsAny(s, " ,;<>\"") &&
		!strings.Contains(domain, "@") && strings.Contains(strings.Trim(domain, "."), ".")
}

// clip keeps what is quoted back to people short and printable.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

var errGuardian = errors.New("not codice fiscale:kind:from:until")
