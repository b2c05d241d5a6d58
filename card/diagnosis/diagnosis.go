// Package diagnosis is what a diagnosis of card, reader and computer says: ten
// lights, one line for each thing looked at, a reference of six letters that can
// be read out on the telephone, and the letter that is sent to the call centre.
// Package doctor looks; this one only tells, and so the issuer's side reads it too.
//
// A red line has a CSE code with sentence, cause and next step. The reference
// carries the lights themselves, with a check letter, when nothing is sent; what
// is sent gets a reference of its own from whoever keeps it.
//
// It guarantees that a letter names nobody: no codice fiscale, no card number, no
// name of a file or folder, no number of a device. It refuses letters that are
// longer, that hold fields nobody knows, or texts that are no codes and no names.
package diagnosis

import (
	"regexp"
	"time"

	"cse.example/cse/ground/words"
)

// Part is a thing that is looked at.
type Part string

// The parts, in the order in which they are looked at and shown. The order is
// that of the lights in a reference: never change it.
const (
	Service     Part = "service"     // PC/SC of this computer
	Reader      Part = "reader"      // the readers
	Card        Part = "card"        // the card answers, and is a CNS
	Files       Part = "files"       // number and personal data on the chip
	Certificate Part = "certificate" // is there, is this card's
	Clock       Part = "clock"       // this computer's, against others
	Validity    Part = "validity"    // dates, activation, suspension, revocation
	PUK         Part = "puk"         // tries left
	PIN         Part = "pin"         // tries left
	Browser     Part = "browser"     // the PKCS#11 module is known to one
)

// Parts are all of them, in their order.
var Parts = []Part{Service, Reader, Card, Files, Certificate, Clock, Validity, PUK, PIN, Browser}

// State is the light of a line.
type State string

// The lights. Unknown was not looked at: a line before it is red, the card does
// not tell, or nobody was asked.
const (
	OK        State = "ok"
	Attention State = "attention"
	Fault     State = "fault"
	Unknown   State = "unknown"
)

// states are in the order of their two bits in a reference.
var states = []State{OK, Attention, Fault, Unknown}

// worse is the order in which one light stands for several of one part.
var worse = map[State]int{Unknown: 0, OK: 1, Attention: 2, Fault: 3}

// Check is one line.
type Check struct {
	Part  Part
	State State
	// Fault says what is wrong, for Attention and Fault.
	Fault *words.Fault
	// Note completes "doctor.note." to a key of the catalogue and Args fill it, for
	// OK and Unknown.
	Note string
	Args []any
	// Detail is what a line about several things is about: a reader's name, a
	// folder. It may be empty and is never sent.
	Detail string
}

// Text is the line's sentence.
func (c Check) Text(lang words.Lang) string {
	if c.Fault != nil {
		return c.Fault.Sentence(lang)
	}
	return words.Say(lang, "doctor.note."+c.Note, c.Args...)
}

// Name is what people call the part.
func (p Part) Name(lang words.Lang) string { return words.Say(lang, "doctor.part."+string(p)) }

// Name is the word that goes with the light: never colour alone.
func (s State) Name(lang words.Lang) string { return words.Say(lang, "doctor.state."+string(s)) }

// Sign is the light as one character for those who see it.
func (s State) Sign() string {
	switch s {
	case OK:
		return "✓"
	case Attention:
		return "!"
	case Fault:
		return "✗"
	}
	return "–"
}

// Report is a whole diagnosis.
type Report struct {
	// At is the instant by this computer's clock.
	At time.Time
	// Reader is the name of the reader used; ATR, Family and Tested are the card's,
	// empty when none answered.
	Reader, ATR, Family, Tested string
	Checks                      []Check
}

// State is the light of a part: the worst of its lines, Unknown without any.
func (r Report) State(p Part) State {
	out := Unknown
	for _, c := range r.Checks {
		if c.Part == p && worse[c.State] > worse[out] {
			out = c.State
		}
	}
	return out
}

// Main is the line to begin with: the first red one. False when there is none.
func (r Report) Main() (Check, bool) {
	for _, p := range Parts {
		for _, c := range r.Checks {
			if c.Part == p && c.State == Fault {
				return c, true
			}
		}
	}
	return Check{}, false
}

// Lights are the states of all parts.
func (r Report) Lights() Lights {
	l := Lights{}
	for _, p := range Parts {
		l[p] = r.State(p)
	}
	return l
}

// Reference is the lights as six letters.
func (r Report) Reference() Reference { return r.Lights().Reference() }

// Lights is a state for every part.
type Lights map[Part]State

// Document is a report in JSON, schema "cse.doctor/1": fields are added, never
// changed. Texts are in the language of the run; codes and words of part and
// state are stable.
type Document struct {
	Schema string `json:"schema"`
	At     string `json:"at"`
	// Outcome is "ok" when no line is red, else the code of the line to begin with.
	Outcome   string         `json:"outcome"`
	Reference string         `json:"reference"`
	Spelled   string         `json:"spelled"`
	Reader    string         `json:"reader,omitempty"`
	ATR       string         `json:"atr,omitempty"`
	Family    string         `json:"family,omitempty"`
	Tested    string         `json:"tested,omitempty"`
	Checks    []DocumentLine `json:"checks"`
	// Sent is there after a report was sent.
	Sent *Sent `json:"sent,omitempty"`
}

// DocumentLine is a line of a Document.
type DocumentLine struct {
	Part   Part   `json:"part"`
	State  State  `json:"state"`
	Code   string `json:"code,omitempty"`
	Text   string `json:"text"`
	Cause  string `json:"cause,omitempty"`
	Next   string `json:"next,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// Sent says where a report is kept: its own reference, and the last day.
type Sent struct {
	Reference string `json:"reference"`
	Spelled   string `json:"spelled,omitempty"`
	KeptUntil string `json:"kept_until"`
}

// Document makes the JSON form.
func (r Report) Document(lang words.Lang) Document {
	ref := r.Reference()
	d := Document{
		Schema: "cse.doctor/1", At: r.At.UTC().Format(time.RFC3339), Outcome: "ok", Reference: string(ref), Spelled: ref.Spelled(),
		Reader: r.Reader, ATR: r.ATR, Family: r.Family, Tested: r.Tested, Checks: []DocumentLine{},
	}
	if c, red := r.Main(); red {
		d.Outcome = c.Fault.Code
	}
	for _, c := range r.Checks {
		d.Checks = append(d.Checks, c.Line(lang))
	}
	return d
}

// Line is the line in JSON.
func (c Check) Line(lang words.Lang) DocumentLine {
	l := DocumentLine{Part: c.Part, State: c.State, Text: c.Text(lang), Detail: c.Detail}
	if c.Fault != nil {
		l.Code, l.Cause, l.Next = c.Fault.Code, c.Fault.Cause(lang), c.Fault.Next(lang)
	}
	return l
}

// verb is a formatting verb of the catalogue.
var verb = regexp.MustCompile(`%(\[\d+\])?[a-z]`)

// Explain is the sentence of a code without its particulars, which become dots:
// whoever gets a letter has the code only. Empty for a code that is not known.
func Explain(lang words.Lang, code string) words.Code {
	c, ok := words.Explain(lang, code)
	if !ok {
		return words.Code{}
	}
	c.Sentence = verb.ReplaceAllString(c.Sentence, "…")
	return c
}
