package paper

import (
	"errors"
	"fmt"

	"github.com/boombuler/barcode/qr"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

// TEAMCertificate is the provisional replacement certificate of the European
// health insurance card (Decision S2, annex II): fields 2 to 9 as on the card,
// the period, the day of delivery. Labels are in Italian and English whatever
// the document's language, since a hospital abroad reads it.
type TEAMCertificate struct {
	State, Surname, Names, Born, PersonalID, Institution string
	// Card is field 8 in groups, Expires field 9.
	Card, Expires    string
	From, To, Issued civil.Date
	// Number and Address are where anybody checks it; the QR code holds Address.
	Number, Address string
}

func (c TEAMCertificate) check() error {
	for _, x := range []string{c.State, c.Surname, c.Names, c.Born, c.PersonalID, c.Institution, c.Card, c.Expires, c.Number, c.Address} {
		if x == "" {
			return errors.New("paper: a field of the certificate is missing")
		}
	}
	if c.From.IsZero() || c.To.Before(c.From) || c.Issued.IsZero() {
		return errors.New("paper: the certificate needs its period and its day")
	}
	return nil
}

// TEAMCertificate prints it, on one page.
func (p *Press) TEAMCertificate(lang words.Lang, c TEAMCertificate) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	s := p.sheet(lang, "paper.team.title")
	c.draw(s)
	return s.bytes()
}

// TEAMTwin says what TEAMCertificate prints, in one language.
func (p *Press) TEAMTwin(lang words.Lang, c TEAMCertificate) ([]Block, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	s := p.sheet(lang, "paper.team.title")
	s.twin = &[]Block{}
	c.draw(s)
	return *s.twin, s.err
}

func (c TEAMCertificate) draw(s *sheet) {
	if s.twin != nil {
		s.head(s.say("paper.team.title"), "")
	} else {
		s.head(words.Say(words.Italian, "paper.team.title"), words.Say(words.English, "paper.team.title"))
	}
	part := func(key string, pairs ...string) {
		s.section(s.both("paper.team." + key))
		for i := 0; i+1 < len(pairs); i += 2 {
			s.fields(s.both("paper.team."+pairs[i]), pairs[i+1])
		}
	}
	part("state", "2", c.State)
	part("holder", "3", c.Surname, "4", c.Names, "5", c.Born, "6", c.PersonalID)
	part("institution", "7", c.Institution)
	part("card", "8", c.Card, "9", c.Expires)
	part("period", "from", c.From.Italian(), "to", c.To.Italian(), "issued", c.Issued.Italian())
	s.section(s.both("paper.team.check"))
	s.note(Block{Kind: Paragraph, Text: s.say("paper.team.check.text")})
	s.note(Block{Kind: Paragraph, Text: words.Say(words.Italian, "paper.team.number", c.Number)})
	y := s.GetY() + 1
	const side = 42.0
	s.qr(c.Address, margin, y, side)
	s.SetXY(margin+side+6, y)
	s.font("", 9.5)
	wide := textWidth - side - 6
	for _, text := range []string{
		words.Say(words.Italian, "paper.team.check.text"), words.Say(words.English, "paper.team.check.text"), c.Address,
		words.Say(words.Italian, "paper.team.number", c.Number),
	} {
		s.SetX(margin + side + 6)
		s.MultiCell(wide, 4.6, s.enc(text), "", "L", false)
		s.Ln(1)
	}
	s.SetY(max(s.GetY(), y+side+2))
	s.font("", 8.5)
	s.ink(60)
	s.note(Block{Kind: Paragraph, Text: s.say("paper.team.note")})
	for _, lang := range []words.Lang{words.Italian, words.English} {
		s.MultiCell(textWidth, 4.2, s.enc(words.Say(lang, "paper.team.note")), "", "L", false)
		s.Ln(0.8)
	}
	s.ink(0)
}

// both is a text in Italian and English; a twin, which is read aloud, has one.
func (s *sheet) both(key string) string {
	if s.twin != nil {
		return s.say(key)
	}
	return words.Say(words.Italian, key) + " / " + words.Say(words.English, key)
}

// qr draws text as a QR code (ISO/IEC 18004, correction level M), side
// millimetres wide with its quiet zone of four modules.
func (s *sheet) qr(text string, x, y, side float64) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		s.fail(fmt.Errorf("paper: as QR code: %w", err))
		return
	}
	n := code.Bounds().Dx()
	m := side / float64(n+8)
	s.SetFillColor(0, 0, 0)
	for row := range n {
		for i := 0; i < n; {
			run := 0
			for i+run < n && black(code.At(i+run, row).RGBA()) {
				run++
			}
			if run > 0 { // a little wider than it is, so that no seam shows between rows
				s.Rect(x+float64(i+4)*m, y+float64(row+4)*m, float64(run)*m+0.01, m+0.01, "F")
			}
			i += max(run, 1)
		}
	}
}

func black(r, _, _, _ uint32) bool { return r < 0x8000 }
