package paper

import (
	"errors"
	"strings"

	"cse.example/cse/ground/civil"
)

// CardSheet is what a health card without a chip says on its two sides, as a
// sheet: for test sets, where it stands for the plastic. It is no document.
type CardSheet struct {
	CF, Surname, Names, Sex, BirthPlace, Card, TEAM, Institution string
	Born, Expires                                                civil.Date
}

func (c CardSheet) check() error {
	for _, x := range []string{c.CF, c.Surname, c.Names, c.Sex, c.BirthPlace, c.Card, c.TEAM, c.Institution} {
		if x == "" {
			return errors.New("paper: a field of the card is missing")
		}
	}
	if c.Born.IsZero() || c.Expires.IsZero() {
		return errors.New("paper: the card needs its days")
	}
	return nil
}

// CardSheet prints it, on one page; the codice fiscale as barcode, as on the back.
func (p *Press) CardSheet(c CardSheet) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	s := p.sheet("it", "paper.cardsheet.title")
	s.head(s.both("paper.cardsheet.title"), s.both("paper.cardsheet.note"))
	part := func(key string, list ...string) {
		s.section(s.both("paper.cardsheet." + key))
		for i := 0; i+1 < len(list); i += 2 {
			s.fields(s.both("paper.cardsheet."+list[i]), list[i+1])
		}
	}
	part("front", "cf", c.CF, "surname", c.Surname, "names", c.Names, "sex", c.Sex, "born", c.Born.Italian(), "place", c.BirthPlace,
		"expires", c.Expires.Italian())
	part("back", "number", groups(c.TEAM), "institution", c.Institution, "card", groups(c.Card))
	s.code39(c.CF, s.GetY()+6, 14)
	return s.bytes()
}

// groups sets digits apart by four.
func groups(s string) string {
	var out []string
	for len(s) > 4 {
		out, s = append(out, s[:4]), s[4:]
	}
	return strings.Join(append(out, s), " ")
}
