package paper

import (
	"errors"
	"time"

	"cse.example/cse/ground/words"
)

// Verification is the report on a signed file, for keeping beside it.
type Verification struct {
	At time.Time
	// File is label and value by turns, and Signatures one record each.
	File       []string
	Signatures []ExtractSection
}

// Verification makes the report.
func (p *Press) Verification(lang words.Lang, v Verification) ([]byte, error) {
	if v.At.IsZero() || len(v.File)%2 != 0 {
		return nil, errors.New("paper: a verification needs its instant, and labels and values by twos")
	}
	s := p.sheet(lang, "paper.verification.title")
	s.head(s.say("paper.verification.title"), s.say("paper.verification.subtitle", hour(v.At)))
	s.fields(v.File...)
	for _, x := range v.Signatures {
		s.section(x.Title)
		for _, r := range x.Records {
			s.fields(r...)
		}
	}
	s.section(s.say("paper.verification.note"))
	s.paragraph(s.say("paper.verification.note.text"))
	return s.bytes()
}
