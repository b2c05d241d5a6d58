package paper

import (
	"errors"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

// Person is somebody named in a document.
type Person struct {
	Surname, Name string
	CF            string
	Born          civil.Date
	// BirthPlace is the name of the place, with the province or state.
	BirthPlace string
}

func (p Person) full() string { return strings.TrimSpace(p.Surname + " " + p.Name) }

// Document is the identity document shown. The words are already those of the
// document's language.
type Document struct {
	Kind, Number, Issuer string
	Expires              civil.Date
}

// Activation is the request to activate a card with its consents, signed in two
// copies, one for the holder and one for the office.
type Activation struct {
	Protocol string
	At       time.Time
	Office   string
	Operator string // account name
	Holder   Person
	CardID   string
	TEAM     string
	// Who stands at the counter when it is not the holder; nil otherwise, with
	// Quality the declared one (genitore, tutore…) in the document's language.
	Declarant *Person
	Quality   string
	Shown     Document
	Email     string
	// Notices is the optional consent; activation itself is what the signature asks for.
	Notices bool
	// Informativa is the version of the privacy notice that was handed over.
	Informativa string
}

func (a Activation) check() error {
	if a.Protocol == "" || a.At.IsZero() || a.Informativa == "" {
		return errors.New("paper: the activation module needs protocol number, instant and version of the privacy notice")
	}
	return nil
}

// ActivationModule prints the two copies, one page each.
func (p *Press) ActivationModule(lang words.Lang, a Activation) ([]byte, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	s := p.sheet(lang, "paper.act.title")
	s.module(a)
	return s.bytes()
}

// Part is one paper of those that an act prints together: CodesForm, Activation
// and the others of this package.
type Part interface {
	// Number is the protocol number that all parts share.
	Number() string
	check() error
	draw(s *sheet)
}

// Number implements Part.
func (a Activation) Number() string { return a.Protocol }

func (a Activation) draw(s *sheet) { s.module(a) }

// Number implements Part.
func (f CodesForm) Number() string { return f.Protocol }

func (f CodesForm) draw(s *sheet) { s.codesPage(f) }

// Papers prints in one document, in this order, what an act leaves on paper.
// With a CodesForm among them the bytes contain the first halves. For an
// activation: the code form, the holder's copy of the module, the office's; on
// both sides of the paper the first sheet is the holder's.
func (p *Press) Papers(lang words.Lang, parts ...Part) ([]byte, error) {
	if len(parts) == 0 {
		return nil, errors.New("paper: nothing to print")
	}
	for _, x := range parts {
		if err := x.check(); err != nil {
			return nil, err
		}
		if x.Number() != parts[0].Number() {
			return nil, errors.New("paper: the papers have different protocol numbers")
		}
	}
	s := p.sheet(lang, "paper.papers.title")
	for _, x := range parts {
		x.draw(s)
	}
	return s.bytes()
}

// module is the two copies.
func (s *sheet) module(a Activation) {
	copies := []string{s.say("paper.copy.holder"), s.say("paper.copy.office")}
	if s.twin != nil {
		copies = []string{""}
	}
	for _, copyFor := range copies {
		s.head(s.say("paper.act.title"), copyFor)
		s.activation(a)
	}
}

func (s *sheet) activation(a Activation) {
	s.codes(a.Protocol, a.Holder.CF)
	s.section(s.say("paper.act.request"))
	s.fields(
		s.say("paper.protocol"), a.Protocol,
		s.say("paper.instant"), hour(a.At),
		s.say("paper.office"), a.Office,
		s.say("paper.operator"), a.Operator,
	)
	s.section(s.say("paper.act.holder"))
	s.person(a.Holder)
	s.fields(s.say("paper.card"), a.CardID, s.say("paper.team"), a.TEAM)
	if a.Declarant != nil {
		s.section(s.say("paper.act.declarant"))
		s.person(*a.Declarant)
		s.fields(s.say("paper.act.quality"), a.Quality)
	}
	s.section(s.say("paper.act.identified"))
	s.fields(
		s.say("paper.document"), strings.Join(filled(a.Shown.Kind, a.Shown.Number), " "),
		s.say("paper.document.issuer"), a.Shown.Issuer,
		s.say("paper.document.expires"), a.Shown.Expires.Italian(),
	)
	s.section(s.say("paper.act.asks"))
	s.paragraph(s.say("paper.act.text"))
	s.fields(s.say("paper.act.email"), a.Email)
	s.Ln(1)
	s.tick(true, s.say("paper.act.consent"))
	s.tick(a.Notices, s.say("paper.act.notices"))
	s.paragraph(s.say("paper.act.privacy", a.Informativa))
	s.signatures(s.say("paper.sign.declarant"), s.say("paper.sign.operator"))
}

// codes prints the barcodes at the right: Code 128 of the protocol number on the
// letterhead, Code 39 of the codice fiscale below the title, beside the subtitle.
func (s *sheet) codes(protocol, cf string) {
	x, y := s.GetXY()
	s.code128(protocol, margin-5, 9)
	if cf != "" {
		s.code39(cf, margin+28, 9)
		y = max(y, margin+28+11)
	}
	s.SetXY(x, y)
}

func (s *sheet) person(p Person) {
	born := strings.Join(filled(p.Born.Italian(), p.BirthPlace), ", ")
	s.fields(s.say("paper.name"), p.full(), s.say("paper.cf"), p.CF, s.say("paper.born"), born)
}

// filled drops empty words.
func filled(parts ...string) []string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return out
}
