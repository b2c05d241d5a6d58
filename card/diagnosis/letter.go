package diagnosis

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// LetterSchema is the schema of what is sent.
const LetterSchema = "cse.diagnosis/1"

// MaxLetter is the longest letter, in octets.
const MaxLetter = 4 << 10

const maxLines = 40

// Letter is what is sent to the call centre: the lights' lines with their codes,
// the models of reader and card, program and system. Nothing in it names anybody.
type Letter struct {
	Schema string `json:"schema"`
	// At is the instant by the holder's clock, to the minute.
	At string `json:"at"`
	// Program and System are names and versions: "cse 1.2", "linux amd64".
	Program string `json:"program"`
	System  string `json:"system"`
	// Reader is the reader's model, without the numbers that tell one from another.
	Reader string       `json:"reader,omitempty"`
	ATR    string       `json:"atr,omitempty"`
	Family string       `json:"family,omitempty"`
	Lines  []LetterLine `json:"lines"`
}

// LetterLine is one line of a letter.
type LetterLine struct {
	Part  Part   `json:"part"`
	State State  `json:"state"`
	Code  string `json:"code,omitempty"`
}

var (
	// deviceNumber is what tells one reader from another of the same model.
	deviceNumber = regexp.MustCompile(`[(\[][^)\]]*[)\]]|\b[0-9A-Fa-f]*[0-9]{4,}[0-9A-Fa-f]*\b|\s\d\d\s\d\d$`)
	strange      = regexp.MustCompile(`[^\p{L}\p{N} .,:;+/_()'&-]`)
	spaces       = regexp.MustCompile(`\s+`)
	codeShape    = regexp.MustCompile(`^CSE-[0-9]{3}$`)
	nameShape    = regexp.MustCompile(`^[\p{L}\p{N} .,:;+/_()'&-]{0,64}$`)
	atrShape     = regexp.MustCompile(`^(3[BF]([0-9A-F]{2}){1,32})?$`)
	fiscalShape  = regexp.MustCompile(`(?i)[a-z]{6}[0-9a-z]{2}[a-z][0-9a-z]{2}[a-z][0-9a-z]{3}[a-z]`)
	numberShape  = regexp.MustCompile(`[0-9]{9,}`)
)

// Letter makes what is sent. program and system name the program and the system.
func (r Report) Letter(program, system string) Letter {
	l := Letter{
		Schema: LetterSchema, At: r.At.UTC().Truncate(time.Minute).Format(time.RFC3339), Program: name(program), System: name(system),
		Reader: name(deviceNumber.ReplaceAllString(r.Reader, " ")), ATR: r.ATR, Family: name(r.Family), Lines: []LetterLine{},
	}
	for _, c := range r.Checks {
		if len(l.Lines) == maxLines {
			break
		}
		line := LetterLine{Part: c.Part, State: c.State}
		if c.Fault != nil {
			line.Code = c.Fault.Code
		}
		l.Lines = append(l.Lines, line)
	}
	return l
}

// name keeps what a name may hold.
func name(s string) string {
	s = spaces.ReplaceAllString(strange.ReplaceAllString(s, " "), " ")
	r := []rune(s)
	if len(r) > 64 {
		r = r[:64]
	}
	s = string(bytes.TrimSpace([]byte(string(r))))
	if personal(s) {
		return ""
	}
	return s
}

// personal tells a text that could be somebody's codice fiscale or a card's number.
func personal(s string) bool { return fiscalShape.MatchString(s) || numberShape.MatchString(s) }

var errLetter = errors.New("not a diagnosis")

// ParseLetter reads a letter from somebody else.
func ParseLetter(b []byte) (Letter, error) {
	var l Letter
	if len(b) > MaxLetter {
		return l, fmt.Errorf("%w: %d octets", errLetter, len(b))
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return l, fmt.Errorf("%w: %w", errLetter, err)
	}
	if d.More() {
		return l, fmt.Errorf("%w: more than one document", errLetter)
	}
	return l, l.Validate()
}

// Validate refuses what Letter never makes.
func (l Letter) Validate() error {
	if l.Schema != LetterSchema {
		return fmt.Errorf("%w: schema %q", errLetter, l.Schema)
	}
	if t, err := time.Parse(time.RFC3339, l.At); err != nil || t.Year() < 1970 || t.Year() > 9999 {
		return fmt.Errorf("%w: at", errLetter)
	}
	for _, s := range []string{l.Program, l.System, l.Reader, l.Family} {
		if !nameShape.MatchString(s) || personal(s) {
			return fmt.Errorf("%w: a name", errLetter)
		}
	}
	if !atrShape.MatchString(l.ATR) {
		return fmt.Errorf("%w: ATR", errLetter)
	}
	if len(l.Lines) == 0 || len(l.Lines) > maxLines {
		return fmt.Errorf("%w: %d lines", errLetter, len(l.Lines))
	}
	for _, x := range l.Lines {
		red := x.State == Fault || x.State == Attention
		if !slices.Contains(Parts, x.Part) || !slices.Contains(states, x.State) || red != (x.Code != "") || red && !codeShape.MatchString(x.Code) {
			return fmt.Errorf("%w: a line", errLetter)
		}
	}
	return nil
}

// Lights are those of the letter's lines.
func (l Letter) Lights() Lights {
	r := Report{}
	for _, x := range l.Lines {
		r.Checks = append(r.Checks, Check{Part: x.Part, State: x.State})
	}
	return r.Lights()
}
