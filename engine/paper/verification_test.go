package paper

import (
	"strings"
	"testing"

	"cse.example/cse/ground/words"
)

func TestR104_TheReportSaysWhoAcceptsAnFEA(t *testing.T) {
	for _, lang := range []words.Lang{words.Italian, words.English} {
		pdf, err := press(t).Verification(lang, Verification{
			At: at, File: []string{"File", "istanza.pdf"},
			Signatures: []ExtractSection{{Title: "1", Records: [][]string{{words.Say(lang, "signature.label.level"), words.Say(lang, "signature.level.FEA")}}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(strings.Fields(extract(t, pdf)), " ")
		for _, want := range []string{"istanza.pdf", "FEA", "FEQ"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q is not in %s", lang, want, got)
			}
		}
	}
	// A value stands beside its label, however many pages there are.
	var long []string
	for range 200 {
		long = append(long, "Etichetta", "Valore")
	}
	pdf, err := press(t).Verification(words.Italian, Verification{At: at, File: long})
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(pdf), "/Type /Page\n"); n != 5 {
		t.Errorf("200 lines take %d pages", n)
	}
	if _, err := press(t).Verification(words.Italian, Verification{}); err == nil {
		t.Error("a report without an instant")
	}
}
