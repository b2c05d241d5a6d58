package paper

import (
	"errors"
	"time"
)

// Extract is what is held about a person, for reading (GDPR, article 15).
type Extract struct {
	Reference string
	At        time.Time
	Holder    Person
	Sections  []ExtractSection
}

// ExtractSection is one kind of datum: records of label and value by turns.
type ExtractSection struct {
	Title   string
	Records [][]string
}

// Number implements Part.
func (e Extract) Number() string { return e.Reference }

func (e Extract) check() error {
	if e.Reference == "" || e.At.IsZero() {
		return errors.New("paper: the extract needs a reference and an instant")
	}
	for _, s := range e.Sections {
		for _, r := range s.Records {
			if len(r)%2 != 0 {
				return errors.New("paper: records are labels and values by twos")
			}
		}
	}
	return nil
}

func (e Extract) draw(s *sheet) {
	s.head(s.say("paper.extract.title"), s.say("paper.extract.subtitle", hour(e.At)))
	s.section(s.say("paper.act.holder"))
	s.person(e.Holder)
	for _, x := range e.Sections {
		s.section(x.Title)
		if len(x.Records) == 0 {
			s.paragraph(s.say("paper.extract.none"))
		}
		for _, r := range x.Records {
			s.fields(r...)
			s.Ln(2)
		}
	}
	s.section(s.say("paper.extract.rights"))
	s.paragraph(s.say("paper.extract.rights.text"))
}
