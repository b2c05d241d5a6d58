package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"cse.example/cse/card/diagnosis"
	"cse.example/cse/ground/words"
)

// Colours are only where they are wanted, and say nothing that the word beside
// them does not.
func TestLightsWithoutColour(t *testing.T) {
	r := diagnosis.Report{Checks: []diagnosis.Check{
		{Part: diagnosis.Service, State: diagnosis.OK, Note: "service"},
		{Part: diagnosis.Reader, State: diagnosis.Fault, Fault: words.Refuse("CSE-201")},
		{Part: diagnosis.Card, State: diagnosis.Attention, Fault: words.Refuse("CSE-807", "3B\x1b[2J")},
		{Part: diagnosis.PIN, State: diagnosis.Unknown, Note: "tries.unknown"},
	}}
	for _, lang := range []words.Lang{words.Italian, words.English} {
		a := &app{language: lang}
		for _, width := range []int{narrowest, usual} {
			plain := a.lights(r.Document(lang), looks{width: width})
			coloured := a.lights(r.Document(lang), looks{width: width, colour: true})
			if strings.Contains(plain, "\x1b") || strings.Contains(plain, "⟦") {
				t.Errorf("%q", plain)
			}
			if strings.Count(coloured, "\x1b[") != 2*len(r.Checks) {
				t.Errorf("%q", coloured)
			}
			for _, c := range r.Checks {
				if want := c.State.Sign() + " " + c.State.Name(lang) + " · " + c.Part.Name(lang) + "\n"; !strings.Contains(plain, want) {
					t.Errorf("no %q in %q", want, plain)
				}
			}
			for line := range strings.Lines(plain) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
					t.Errorf("%d characters in %q", n, line)
				}
			}
		}
	}
}

func TestScreen(t *testing.T) {
	for columns, want := range map[string]int{"": usual, "10": narrowest, "64": 64, "500": widest, "x": usual} {
		got := screen(&strings.Builder{}, func(name string) string {
			if name == "COLUMNS" {
				return columns
			}
			return ""
		})
		if got.width != want || got.colour {
			t.Errorf("COLUMNS=%s: %+v", columns, got)
		}
	}
}
