package main

import (
	"errors"
	"strings"
	"testing"

	"cse.example/cse/cmd/cse/agent"
	"cse.example/cse/ground/words"
)

// Every code that a card or this program can give has an exit status of its
// own choice, and every status belongs to a code that exists.
func TestExitsCoverTheCodes(t *testing.T) {
	personal := map[string]bool{"CSE-244": true} // making cards: this program makes none
	for _, code := range words.Codes() {
		ours := strings.HasPrefix(code, "CSE-2")
		if _, ok := exits[code]; ours && !ok && !personal[code] {
			t.Errorf("%s has no exit status", code)
		}
	}
	for code := range exits {
		if _, ok := words.Explain(words.Italian, code); !ok {
			t.Errorf("%s has an exit status and no text", code)
		}
	}
}

// The table of ux.md 5.4.
func TestExitOf(t *testing.T) {
	for _, c := range []struct {
		code string
		want int
	}{
		{"CSE-202", 3},
		{"CSE-201", 4},
		{"CSE-203", 5},
		{"CSE-204", 5},
		{"CSE-210", 6},
		{"CSE-213", 6},
		{"CSE-212", 7},
		{"CSE-214", 8},
		{"CSE-205", 9},
		{"CSE-301", 10},
		{"CSE-302", 11},
		{"CSE-303", 11},
		{"CSE-253", 13},
		{"CSE-306", 13},
		{"CSE-252", 14},
		{"CSE-250", 2},
		{"CSE-101", 65},
		{"CSE-304", 67},
		{"CSE-401", 68},
		{"CSE-501", 69},
		{"nonsense", 1},
		{"", 1},
	} {
		if got := exitOf(c.code); got != c.want {
			t.Errorf("%s: exit %d, want %d", c.code, got, c.want)
		}
	}
}

func TestFaultOfAnything(t *testing.T) {
	a := &app{language: words.Italian}
	if f := a.fault(errors.New("unknown flag: 52903")); f.Code != "CSE-250" || strings.Contains(f.Sentence(words.Italian), "52903") {
		t.Errorf("before the command: %v", f)
	}
	a.started = true
	if f := a.fault(errors.New("x")); f.Code != "CSE-259" {
		t.Errorf("inside the command: %v", f)
	}
	if f := a.fault(withTries{error: words.Refuse("CSE-212")}); f.Code != "CSE-212" {
		t.Errorf("a fault inside: %v", f)
	}
}

func TestLanguageOf(t *testing.T) {
	for _, c := range []struct {
		args, env string
		want      words.Lang
	}{
		{"", "", words.Italian},
		{"", "LANG=en_US.UTF-8", words.English},
		{"", "LANG=en_US.UTF-8 LC_ALL=it_IT", words.Italian},
		{"", "LANG=it_IT LC_MESSAGES=en_GB", words.English},
		{"info --lang en", "LANG=it_IT", words.English},
		{"--lang=it info", "LANG=en_US", words.Italian},
		{"info -- --lang en", "", words.Italian},
		{"info --lang", "", words.Italian},
	} {
		env := map[string]string{}
		for _, kv := range strings.Fields(c.env) {
			k, v, _ := strings.Cut(kv, "=")
			env[k] = v
		}
		if got := languageOf(strings.Fields(c.args), func(k string) string { return env[k] }); got != c.want {
			t.Errorf("%q %q: %s, want %s", c.args, c.env, got, c.want)
		}
	}
}

// What a service says of its refusal is used when it fits, and cannot command
// the terminal.
func TestRefusalOf(t *testing.T) {
	a := &app{language: words.Italian}
	for _, c := range []struct {
		page agent.Page
		code string
		has  string
	}{
		{agent.Page{Status: 200}, "", ""},
		{agent.Page{Status: 503}, "CSE-260", "HTTP 503"},
		{agent.Page{Status: 403, Code: "CSE-212"}, "CSE-212", "PIN bloccato"},
		{agent.Page{Status: 403, Code: "CSE-204", Args: []string{"3B00"}}, "CSE-204", "3B00"},
		{agent.Page{Status: 403, Code: "CSE-204", Args: []string{"\x1b[2Jx"}}, "CSE-204", "·[2Jx"},
		{agent.Page{Status: 403, Code: "CSE-204"}, "CSE-204", "(ATR …)"},
		{agent.Page{Status: 403, Code: "CSE-204", Args: []string{"a", "b"}}, "CSE-204", "(ATR …)"},
		{agent.Page{Status: 403, Code: "CSE-210", Args: []string{"2"}}, "CSE-210", "rimasti: …"},
	} {
		f := refusalOf(&c.page)
		if f == nil {
			if c.code != "" {
				t.Errorf("%+v: no refusal", c.page)
			}
			continue
		}
		if got := a.problem(f).Sentence; f.Code != c.code || !strings.Contains(got, c.has) {
			t.Errorf("%+v: %s %q, want %s with %q", c.page, f.Code, got, c.code, c.has)
		}
	}
}
