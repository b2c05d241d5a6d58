package main

import (
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"cse.example/cse/card/diagnosis"
)

// looks is how a text may look where it goes.
type looks struct {
	width  int
	colour bool
}

// Widths of a text for people, in characters.
const (
	narrowest = 40
	usual     = 80
	widest    = 100
)

// screen finds the width and whether there are colours: only on a terminal, and
// not when NO_COLOR is set (no-color.org) or the terminal is a dumb one. COLUMNS
// is the width when it is set.
func screen(out io.Writer, getenv func(string) string) looks {
	s := looks{width: usual}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		s.colour = getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			s.width = w
		}
	}
	if n, err := strconv.Atoi(getenv("COLUMNS")); err == nil {
		s.width = n
	}
	s.width = min(max(s.width, narrowest), widest)
	return s
}

// colours of the lights (ECMA-48). The word and the sign say the same.
var colours = map[diagnosis.State]string{
	diagnosis.OK: "\x1b[32m", diagnosis.Attention: "\x1b[33m", diagnosis.Fault: "\x1b[31m", diagnosis.Unknown: "\x1b[90m",
}

// lights is a diagnosis for people: a line for each thing, with sign and word,
// and below a red or yellow one cause and next step; then what to begin with and
// the reference.
func (a *app) lights(d diagnosis.Document, s looks) string {
	var b strings.Builder
	b.WriteString(a.lines(d.Checks, s))
	b.WriteString("\n")
	if d.Outcome == "ok" {
		paragraph(&b, "", a.say("doctor.fine"), s.width)
	} else {
		paragraph(&b, "", a.say("doctor.begin", d.Outcome), s.width)
	}
	reference, spelled, last := d.Reference, d.Spelled, a.say("doctor.reference.text")
	if d.Sent != nil {
		reference, spelled, last = d.Sent.Reference, d.Sent.Spelled, a.say("doctor.sent", a.day(d.Sent.KeptUntil))
	}
	paragraph(&b, "", a.say("doctor.reference", reference), s.width)
	paragraph(&b, "    ", spelled, s.width)
	paragraph(&b, "", last, s.width)
	return b.String()
}

// lines are a line for each check.
func (a *app) lines(checks []diagnosis.DocumentLine, s looks) string {
	var b strings.Builder
	before := ""
	for _, l := range checks {
		head := l.State.Sign() + " " + l.State.Name(a.language)
		if s.colour {
			head = colours[l.State] + head + "\x1b[0m"
		}
		text := l.Text
		if l.Code != "" {
			text += " (" + l.Code + ")"
		}
		b.WriteString(head + " · " + l.Part.Name(a.language) + "\n")
		if text != before || l.State != diagnosis.Unknown { // "not looked at" is said once
			paragraph(&b, "    ", text, s.width)
		}
		before = text
		if l.Code != "" {
			if l.Detail != "" {
				paragraph(&b, "    ", l.Detail, s.width)
			}
			paragraph(&b, "    ", a.say("doctor.cause", l.Cause), s.width)
			paragraph(&b, "    ", a.say("doctor.next", l.Next), s.width)
		}
	}
	return b.String()
}

// paragraph writes text in lines of at most width characters, each behind indent.
func paragraph(b *strings.Builder, indent, text string, width int) {
	line := indent
	for _, w := range strings.Fields(printable(text)) {
		switch {
		case line == indent:
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(w) > width:
			b.WriteString(line + "\n")
			line = indent
		default:
			line += " "
		}
		line += w
	}
	b.WriteString(line + "\n")
}
