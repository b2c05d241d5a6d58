package paper

import (
	"errors"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
)

// Receipt is what the holder takes home from an act without codes: what was
// done, for whom, by whom, and what follows. Everything in it is in words
// already, in the document's language.
type Receipt struct {
	Protocol string
	At       time.Time
	// Title is the paper's, Copy tells that it was printed before.
	Title string
	Copy  bool
	// Office and Operator are empty when the holder did it himself.
	Office, Operator string
	Holder           Person
	CardID           string
	// Declarant stands for the holder when it is not he; nil otherwise.
	Declarant *Person
	Quality   string
	Shown     Document
	// Facts are label and value by turns; an empty value leaves its line out.
	Facts []string
	// Effects are what follows from the act, one sentence each.
	Effects []string
	// Signed tells that declarant and operator sign it.
	Signed bool
}

// Number implements Part.
func (r Receipt) Number() string { return r.Protocol }

func (r Receipt) check() error {
	if r.Protocol == "" || r.At.IsZero() || r.Title == "" || len(r.Facts)%2 != 0 {
		return errors.New("paper: the receipt needs protocol number, instant and title, and facts by twos")
	}
	return nil
}

func (r Receipt) draw(s *sheet) {
	subtitle := ""
	if r.Copy {
		subtitle = s.say("paper.receipt.copy")
	}
	s.head(r.Title, subtitle)
	s.codes(r.Protocol, "")
	s.section(s.say("paper.receipt.what"))
	s.fields(append([]string{
		s.say("paper.protocol"), r.Protocol,
		s.say("paper.instant"), hour(r.At),
		s.say("paper.office"), r.Office,
		s.say("paper.operator"), r.Operator,
		s.say("paper.card"), r.CardID,
	}, r.Facts...)...)
	s.section(s.say("paper.act.holder"))
	s.person(r.Holder)
	if r.Declarant != nil {
		s.section(s.say("paper.act.declarant"))
		s.person(*r.Declarant)
		s.fields(s.say("paper.act.quality"), r.Quality)
	}
	if r.Shown.Number != "" {
		s.section(s.say("paper.act.identified"))
		s.fields(
			s.say("paper.document"), strings.Join(filled(r.Shown.Kind, r.Shown.Number), " "),
			s.say("paper.document.issuer"), r.Shown.Issuer,
			s.say("paper.document.expires"), r.Shown.Expires.Italian(),
		)
	}
	if len(r.Effects) > 0 {
		s.section(s.say("paper.receipt.effect"))
		s.steps(r.Effects...)
	}
	if r.Signed {
		s.signatures(s.say("paper.sign.declarant"), s.say("paper.sign.operator"))
	}
}

// Number implements Part.
func (r Referral) Number() string { return r.Protocol }

func (r Referral) check() error {
	if r.Protocol == "" || r.Day.IsZero() || r.To == "" {
		return errors.New("paper: the referral needs protocol number, day and the competent office")
	}
	return nil
}

func (r Referral) draw(s *sheet) {
	s.head(s.say("paper.referral.title"), "")
	s.codes(r.Protocol, "")
	s.section(s.say("paper.act.holder"))
	s.person(r.Holder)
	s.section(s.say("paper.referral.what"))
	s.fields(
		s.say("paper.protocol"), r.Protocol,
		s.say("paper.day"), r.Day.Italian(),
		s.say("paper.office"), r.Office,
		s.say("paper.referral.datum"), r.Datum,
		s.say("paper.referral.to"), strings.Join(filled(r.To, r.Address), "\n"),
	)
	s.section(s.say("paper.referral.why"))
	s.paragraph(s.say("paper.referral.text"))
	s.section(s.say("paper.referral.bring"))
	s.steps(s.say("paper.referral.bring.document"), s.say("paper.referral.bring.card"), s.say("paper.referral.bring.slip"))
}

// Referral sends somebody to the office that is competent for wrong data (R29).
type Referral struct {
	Protocol string
	Day      civil.Date
	Office   string
	Holder   Person
	// Datum is what is wrong, in the document's language; empty: to be said there.
	Datum string
	// To is the competent office, Address where it is.
	To, Address string
}
