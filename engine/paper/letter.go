package paper

import (
	"errors"
	"fmt"
	"strings"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// Letter is what goes by post to who has no e-mail address: second halves only.
type Letter struct {
	// Protocol is AAAA/NNNNNNN; Day the day of printing.
	Protocol string
	Day      civil.Date
	// To, Address and Place are the three lines of the envelope's window.
	To, Address, Place string
	// CardEnd are the last four digits of the card number, by which the form can
	// be matched.
	CardEnd string
	// Second halves.
	PIN, PUK, CIP secret.Text
}

func (l Letter) check() error {
	if l.Protocol == "" || l.Day.IsZero() || strings.TrimSpace(l.To) == "" || strings.TrimSpace(l.Address) == "" {
		return errors.New("paper: the letter needs protocol number, day, name and address")
	}
	for name, half := range map[string]secret.Text{"PIN": l.PIN, "PUK": l.PUK, "CIP": l.CIP} {
		if !digits(half) {
			return fmt.Errorf("paper: the second half of the %s is not made of digits", name)
		}
	}
	return nil
}

// Letter prints it. The bytes contain the second halves: hand them to the
// printer and keep them nowhere.
func (p *Press) Letter(lang words.Lang, l Letter) ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	s := p.sheet(lang, "paper.letter.title")
	s.letter(l)
	return s.bytes()
}

// letter is one page; the address stands where windows of envelopes are.
func (s *sheet) letter(l Letter) {
	s.head(s.say("paper.letter.title"), "")
	s.font("", 11)
	for _, line := range []string{l.To, l.Address, l.Place} {
		s.SetX(margin + 90)
		s.CellFormat(textWidth-90, 6, s.enc(line), "", 1, "L", false, 0, "")
	}
	s.Ln(12)
	s.paragraph(s.say("paper.letter.what"))
	y := s.GetY() + 4
	for _, line := range []struct {
		word string
		half secret.Text
	}{{"PIN", l.PIN}, {"PUK", l.PUK}, {"CIP", l.CIP}} {
		s.mono(26)
		s.Text(margin+4, y+10, line.word+": "+string(line.half.Reveal()))
		y += 14
	}
	s.SetXY(margin, y+4)
	s.section(s.say("paper.codes.then"))
	s.steps(s.say("paper.letter.join"), s.say("paper.letter.apart"), s.say("paper.codes.help", s.o.Helpline))
	s.fields(s.say("paper.protocol"), l.Protocol, s.say("paper.day"), l.Day.Italian(), s.say("paper.card.last"), "•••• "+l.CardEnd)
}
