package paper

import (
	"bytes"
	"strings"
	"testing"

	"cse.example/cse/ground/words"
)

// The blank forms ask for what the counter wants to read on them, on one page,
// and for nothing about the illness.
func TestR98_R69_BlankForms(t *testing.T) {
	p := press(t)
	for _, lang := range []words.Lang{words.Italian, words.English} {
		docs := map[string][]byte{}
		for form, want := range map[Blank]map[words.Lang][]string{
			BlankDelegation: {
				words.Italian: {"Delega per attivare la tessera", "E-mail del titolare", "Chi è delegato", "non scrivere quale", "la tessera del titolare.", "Firma del titolare"},
				words.English: {"Delegation to activate the card", "E-mail of the holder", "Who is the delegate", "do not write which", "the card of the holder.", "Signature of the holder"},
			},
			BlankSelfDeclaration: {
				words.Italian: {"Autocertificazione di genitore o tutore", "Dichiaro di essere", "genitore, con la responsabilità genitoriale", "tutore", "artt. 46 e 47", "Firma di chi dichiara"},
				words.English: {"Self-declaration of a parent or guardian", "I declare that I am", "a parent, with parental responsibility", "the guardian", "articles 46 and 47", "Signature of who declares"},
			},
		} {
			pdf, err := p.BlankForm(lang, form)
			if err != nil {
				t.Fatal(err)
			}
			docs["blank-"+string(form)] = pdf
			text := strings.Join(strings.Fields(extract(t, pdf)), " ")
			for _, w := range want[lang] {
				if !strings.Contains(text, w) {
					t.Errorf("%s %s does not say %q: %s", lang, form, w, text)
				}
			}
			if strings.Contains(text, "⟦") {
				t.Errorf("%s %s misses a text: %s", lang, form, text)
			}
			if n := bytes.Count(pdf, []byte("/Type /Page\n")); n != 1 {
				t.Errorf("%s %s has %d pages, want 1", lang, form, n)
			}
		}
		keep(t, lang, docs)
	}
	if _, err := p.BlankForm(words.Italian, "altro"); err == nil {
		t.Error("a form that does not exist was printed")
	}
}
