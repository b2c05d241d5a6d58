package paper

import (
	"fmt"

	"cse.example/cse/ground/words"
)

// Blank is a form to be filled in by hand, with what it asks for in the
// catalogue: paper.blank.FORM.N is the heading of its Nth part, ….text a
// paragraph under it, ….l1 a line to write on, ….t1 a box to tick, ….s1 a step.
// Whoever shows the same form as a page reads the same keys.
type Blank string

// The forms that people bring from home.
const (
	BlankDelegation      Blank = "delega"
	BlankSelfDeclaration Blank = "autocertificazione"
)

// BlankForm prints one, one page. It names nobody.
func (p *Press) BlankForm(lang words.Lang, form Blank) ([]byte, error) {
	key := "paper.blank." + string(form)
	if form != BlankDelegation && form != BlankSelfDeclaration {
		return nil, fmt.Errorf("paper: there is no form %q", form)
	}
	s := p.sheet(lang, key+".title")
	s.head(s.say(key+".title"), s.say(key+".subtitle"))
	for n := 1; words.Has(lang, fmt.Sprintf("%s.%d", key, n)); n++ {
		s.part(fmt.Sprintf("%s.%d", key, n))
	}
	s.paragraph(s.say("paper.blank.false"))
	s.signatures(s.say("paper.blank.where"), s.say(key+".sign"))
	return s.bytes()
}

// part is one part of a form.
func (s *sheet) part(key string) {
	s.section(s.say(key))
	if words.Has(s.lang, key+".text") {
		s.paragraph(s.say(key + ".text"))
	}
	for _, k := range s.numbered(key + ".l") {
		s.line(s.say(k))
	}
	for _, k := range s.numbered(key + ".t") {
		s.box(s.say(k))
	}
	for _, k := range s.numbered(key + ".s") {
		s.steps(s.say(k))
	}
}

// numbered are the keys KEY1, KEY2 … that exist.
func (s *sheet) numbered(key string) []string {
	var out []string
	for n := 1; words.Has(s.lang, fmt.Sprintf("%s%d", key, n)); n++ {
		out = append(out, fmt.Sprintf("%s%d", key, n))
	}
	return out
}

// line is a label and a line to write on.
func (s *sheet) line(label string) {
	s.note(Block{Kind: Fields, Pairs: [][2]string{{label, s.say("paper.line")}}})
	y := s.GetY()
	s.font("", 10)
	s.MultiCell(64, lineHeight, s.enc(label), "", "L", false)
	end := max(s.GetY(), y+lineHeight)
	s.SetDrawColor(110, 110, 110)
	s.Line(margin+66, end-0.6, margin+textWidth, end-0.6)
	s.SetDrawColor(0, 0, 0)
	s.SetY(end + 3.2)
}

// box is a box to tick by hand.
func (s *sheet) box(text string) {
	s.note(Block{Kind: Fields, Pairs: [][2]string{{text, s.say("paper.box")}}})
	s.Rect(margin+0.5, s.GetY()+0.8, 3.6, 3.6, "D")
	s.font("", 10)
	s.SetX(margin + 7)
	s.MultiCell(textWidth-7, lineHeight, s.enc(text), "", "L", false)
	s.Ln(1.2)
}
