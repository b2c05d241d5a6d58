package paper

import (
	"strings"
	"testing"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// The twin says everything that the papers say, the two copies of a module once,
// and no half of a code; it needs none.
func TestTwinSaysWhatThePapersSay(t *testing.T) {
	p := press(t)
	codes := form()
	codes.PIN, codes.PUK, codes.CIP = secret.Text{}, secret.Text{}, secret.Text{}
	for _, lang := range []words.Lang{words.Italian, words.English} {
		blocks, err := p.Twin(lang, codes, activation(), declaration())
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		headings := 0
		for _, b := range blocks {
			if b.Kind == Heading {
				headings++
			}
			all.WriteString(b.Text + "\n" + strings.Join(b.Items, "\n") + "\n")
			for _, x := range b.Pairs {
				all.WriteString(x[0] + ": " + x[1] + "\n")
			}
		}
		text := all.String()
		if headings != 3 {
			t.Errorf("%s: %d papers, want 3:\n%s", lang, headings, text)
		}
		for _, want := range []string{
			words.Say(lang, "paper.codes.onpaper"), words.Say(lang, "paper.act.consent"), words.Say(lang, "paper.declaration.1"), words.Say(lang, "paper.sign.operator"),
			": " + holder.full(), ": CA00000AA", ": 2026/0000123", "ROSSI ANNA", activation().Email,
		} {
			if !strings.Contains(text, strings.TrimPrefix(want, ": ")) {
				t.Errorf("%s: no %q in:\n%s", lang, want, text)
			}
		}
		if strings.Contains(text, "56789") || strings.Contains(text, "⟦") {
			t.Errorf("%s: a half of a code, or a missing text, in:\n%s", lang, text)
		}
	}
}
