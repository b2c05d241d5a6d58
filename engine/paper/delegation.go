package paper

import (
	"errors"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

// Delegation is the delegation of an activation, filled in at the counter for
// the holder to sign at home (R95-R100). It says what the blank form says, in
// the same words. It is no act yet, and has no protocol number.
type Delegation struct {
	At time.Time
	// Office is where it was filled in.
	Office string
	Holder Person
	TEAM   string
	// Email is the holder's, where the second halves go; empty: a line on which he
	// writes it himself.
	Email string
	// Delegate is the one who is identified, with the document he showed.
	Delegate Person
	Shown    Document
}

// Number implements Part.
func (Delegation) Number() string { return "" }

func (d Delegation) check() error {
	if d.At.IsZero() || d.Holder.CF == "" || d.Delegate.CF == "" || d.TEAM == "" {
		return errors.New("paper: the delegation needs the instant, holder, card and delegate")
	}
	return nil
}

func (d Delegation) draw(s *sheet) {
	const key = "paper.blank.delega"
	s.head(s.say(key+".title"), s.say("paper.delegation.subtitle"))
	x, y := s.GetXY()
	s.code39(d.Holder.CF, margin-5, 9) // the counter that gets it back scans it
	s.SetXY(x, y)
	s.section(s.say(key + ".1"))
	s.person(d.Holder)
	s.fields(s.say("paper.team"), d.TEAM)
	if d.Email != "" {
		s.fields(s.say("paper.delegation.email"), d.Email)
	} else {
		s.Ln(2)
		s.line(s.say(key + ".1.l5"))
	}
	s.paragraph(s.say("paper.delegation.address"))
	s.section(s.say(key + ".2"))
	s.person(d.Delegate)
	s.fields(
		s.say("paper.document"), strings.Join(filled(d.Shown.Kind, d.Shown.Number), " "),
		s.say("paper.document.issuer"), d.Shown.Issuer,
		s.say("paper.document.expires"), d.Shown.Expires.Italian(),
	)
	s.section(s.say(key + ".3"))
	s.tick(true, s.say("paper.delegation.health"))
	s.paragraph(s.say("paper.delegation.text"))
	s.section(s.say(key + ".4"))
	s.steps(s.say(key+".4.s1"), s.say(key+".4.s2"), s.say(key+".4.s3"), s.say(key+".4.s4"))
	s.paragraph(s.say("paper.blank.false"))
	s.paragraph(s.say("paper.delegation.made", civil.DayOf(d.At).Italian(), d.Office))
	s.signatures(s.say("paper.blank.where"), s.say(key+".sign"), s.say("paper.delegation.delegate"))
}

// DelegationForm prints it, on one page.
func (p *Press) DelegationForm(lang words.Lang, d Delegation) ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	s := p.sheet(lang, "paper.blank.delega.title")
	d.draw(s)
	return s.bytes()
}
