package paper

import (
	"strings"
	"testing"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

func TestR74_TheLetterHasSecondHalvesOnly(t *testing.T) {
	l := Letter{
		Protocol: "2026/0000012", Day: civil.Date{Year: 2026, Month: 11, Day: 25}, To: "MARIO ROSSI", Address: "VIA DEI TEST 1", Place: "50100 FIRENZE", CardEnd: "0123",
		PIN: secret.FromString("915"), PUK: secret.FromString("827193"), CIP: secret.FromString("56789"),
	}
	for _, lang := range []words.Lang{words.Italian, words.English} {
		b, err := press(t).Letter(lang, l)
		if err != nil {
			t.Fatal(err)
		}
		text := extract(t, b)
		for _, want := range []string{"PIN: 915", "PUK: 827193", "CIP: 56789", "MARIO ROSSI", "VIA DEI TEST 1", "50100 FIRENZE", "2026/0000012"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the letter does not say %q:\n%s", lang, want, text)
			}
		}
	}
	for name, spoil := range map[string]func(*Letter){
		"no address": func(l *Letter) { l.Address = " " }, "no name": func(l *Letter) { l.To = "" }, "no half": func(l *Letter) { l.CIP = secret.Text{} },
	} {
		bad := l
		spoil(&bad)
		if _, err := press(t).Letter(words.Italian, bad); err == nil {
			t.Errorf("%s: printed", name)
		}
	}
}
