package paper

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// CodesForm is the sheet handed over at the counter (R73): first halves only.
type CodesForm struct {
	// Protocol is AAAA/NNNNNNN; Day the day of the act.
	Protocol string
	Day      civil.Date
	Office   string
	Surname  string
	Name     string
	// CardID is the card number; the form shows its last four digits, by which
	// the mail can be matched.
	CardID string
	// First halves.
	PIN, PUK, CIP secret.Text
	// Blanks are the digits that the mail will bring, drawn as empty boxes.
	PINBlanks, PUKBlanks, CIPBlanks int
	// Email is where the second halves go; the form shows it masked.
	Email string
	// Letter: they go by post instead.
	Letter bool
	// Lists is by when everybody else knows that the card works, ListHours how long
	// after the act; zero: nothing is said of it.
	Lists     time.Time
	ListHours int
	// Again: the holder had the codes before, and may have changed the PIN.
	Again bool
}

// check refuses a form that lacks what makes it one.
func (f CodesForm) check() error {
	if f.Protocol == "" || f.Day.IsZero() {
		return errors.New("paper: the code form needs protocol number and day")
	}
	for name, half := range map[string]secret.Text{"PIN": f.PIN, "PUK": f.PUK, "CIP": f.CIP} {
		if !digits(half) {
			return fmt.Errorf("paper: the first half of the %s is not made of digits", name)
		}
	}
	return nil
}

// CodesForm prints the form. The bytes contain the first halves: hand them to
// the printer and keep them nowhere.
func (p *Press) CodesForm(lang words.Lang, f CodesForm) ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	s := p.sheet(lang, "paper.codes.title")
	s.codesPage(f)
	return s.bytes()
}

// codesPage is one page; nothing may come before it in a document, so that no
// digit follows the words PIN, PUK and CIP before the lines of the codes.
func (s *sheet) codesPage(f CodesForm) {
	s.head(s.say("paper.codes.title"), s.say("paper.codes.subtitle"))
	s.halves(f)
	s.section(s.say("paper.codes.whose"))
	y := s.GetY()
	s.fields(
		s.say("paper.holder"), f.Surname+" "+f.Name,
		s.say("paper.card.last"), last(f.CardID, 4),
		s.say("paper.protocol"), f.Protocol,
		s.say("paper.day"), f.Day.Italian(),
		s.say("paper.office"), f.Office,
	)
	after := s.GetY()
	s.code128(f.Protocol, y, 12)
	s.SetXY(margin, max(after, y+18))
	s.section(s.say("paper.codes.then"))
	second := s.say("paper.codes.second", MaskEmail(f.Email))
	if f.Letter {
		second = s.say("paper.codes.byletter")
	}
	if f.Again {
		s.steps(s.say("paper.codes.again"))
	}
	s.steps(
		second,
		s.say("paper.codes.join"),
		s.say("paper.codes.meaning.pin"),
		s.say("paper.codes.meaning.puk"),
		s.say("paper.codes.meaning.cip"),
	)
	if f.ListHours > 0 && !f.Again { // who had them before has a card that others know
		s.steps(s.say("paper.codes.lists", f.Lists.In(civil.Rome).Format("02/01/2006 15:04"), f.ListHours))
	}
	s.section(s.say("paper.codes.blocked"))
	s.steps(s.say("paper.codes.unblock"), s.say("paper.codes.puk.blocked"))
	s.section(s.say("paper.codes.careful"))
	s.steps(s.say("paper.codes.secret"), s.say("paper.codes.nomail"), s.say("paper.codes.help", s.o.Helpline))
}

// halves prints the three lines. Each line is one string and nothing else is
// written at its height; the boxes beside it are drawings, not text.
func (s *sheet) halves(f CodesForm) {
	if s.twin != nil {
		s.note(Block{Kind: Paragraph, Text: s.say("paper.codes.onpaper")})
		return
	}
	const height, size, box = 15.0, 30.0, 8.0
	x := margin + 80
	s.font("", 8.5)
	s.ink(70)
	y := s.GetY()
	s.SetXY(margin+4, y)
	s.CellFormat(70, 5, s.enc(s.say("paper.codes.printed")), "", 0, "L", false, 0, "")
	s.SetXY(x, y)
	s.CellFormat(textWidth-80, 5, s.enc(s.say("paper.codes.written")), "", 1, "L", false, 0, "")
	s.ink(0)
	y += 7
	s.SetDrawColor(120, 120, 120)
	for _, line := range []struct {
		word   string
		half   secret.Text
		blanks int
	}{{"PIN", f.PIN, f.PINBlanks}, {"PUK", f.PUK, f.PUKBlanks}, {"CIP", f.CIP, f.CIPBlanks}} {
		s.mono(size)
		s.Text(margin+4, y+10, line.word+": "+string(line.half.Reveal()))
		for i := range line.blanks {
			s.Rect(x+float64(i)*(box+1.6), y+1.5, box, height-4, "D")
		}
		y += height
	}
	s.SetDrawColor(0, 0, 0)
	s.SetXY(margin, y+2)
}

func digits(t secret.Text) bool {
	b := t.Reveal()
	defer clear(b)
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// last is the end of a number, with dots for what is left out.
func last(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return "•••• " + s[len(s)-n:]
}

// MaskEmail keeps the first letter of the two halves of an address and the end
// of the domain: g•••@e•••.it.
func MaskEmail(address string) string {
	local, domain, ok := strings.Cut(address, "@")
	if !ok || local == "" || domain == "" {
		return "•••"
	}
	tail := ""
	if i := strings.LastIndexByte(domain, '.'); i > 0 {
		domain, tail = domain[:i], domain[i:]
	}
	return initial(local) + "•••@" + initial(domain) + "•••" + tail
}

func initial(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return s[:n]
}
