package paper

import (
	"errors"
	"strings"
	"time"
)

// Declaration is the self-declaration of a parent or guardian, filled in and to
// be signed (articles 46 and 47 of d.P.R. 445/2000; R69).
type Declaration struct {
	Protocol         string
	At               time.Time
	Office, Operator string
	// Copy tells that it was printed before.
	Copy      bool
	Declarant Person
	// Quality is what he says he is towards the holder, in the document's language.
	Quality string
	Holder  Person
	CardID  string
	Shown   Document
}

// Number implements Part.
func (d Declaration) Number() string { return d.Protocol }

func (d Declaration) check() error {
	if d.Protocol == "" || d.At.IsZero() || d.Declarant.CF == "" || d.Quality == "" {
		return errors.New("paper: the declaration needs protocol number, instant, declarant and quality")
	}
	return nil
}

func (d Declaration) draw(s *sheet) {
	subtitle := s.say("paper.declaration.subtitle")
	if d.Copy {
		subtitle = s.say("paper.receipt.copy")
	}
	s.head(s.say("paper.declaration.title"), subtitle)
	s.codes(d.Protocol, "")
	s.section(s.say("paper.declaration.who"))
	s.person(d.Declarant)
	s.fields(
		s.say("paper.act.quality"), d.Quality,
		s.say("paper.document"), strings.Join(filled(d.Shown.Kind, d.Shown.Number), " "),
		s.say("paper.document.issuer"), d.Shown.Issuer,
		s.say("paper.document.expires"), d.Shown.Expires.Italian(),
	)
	s.section(s.say("paper.declaration.whom"))
	s.person(d.Holder)
	s.fields(s.say("paper.card"), d.CardID)
	s.section(s.say("paper.declaration.says"))
	s.steps(s.say("paper.declaration.1"), s.say("paper.declaration.2"), s.say("paper.declaration.3"))
	s.section(s.say("paper.declaration.where"))
	s.fields(
		s.say("paper.protocol"), d.Protocol,
		s.say("paper.instant"), hour(d.At),
		s.say("paper.office"), d.Office,
		s.say("paper.operator"), d.Operator,
	)
	s.signatures(s.say("paper.declaration.sign"), s.say("paper.sign.operator"))
}
