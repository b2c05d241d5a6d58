package words

import (
	"regexp"
	"sort"
	"strings"
	"testing"
	"testing/fstest"
)

var verb = regexp.MustCompile(`%(\[\d+\])?[-+# 0]*\d*(\.\d+)?[a-zA-Z]`)

func verbs(s string) string {
	v := verb.FindAllString(strings.ReplaceAll(s, "%%", ""), -1)
	sort.Strings(v)
	return strings.Join(v, " ")
}

func TestBothLanguagesAreComplete(t *testing.T) {
	c, err := load()
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]Lang{{Italian, English}, {English, Italian}} {
		a, b := pair[0], pair[1]
		for k, text := range c.texts[a] {
			other, ok := c.texts[b][k]
			if !ok {
				t.Errorf("%s is in %s and not in %s", k, a, b)
			} else if verbs(text) != verbs(other) {
				t.Errorf("%s: verbs differ: %q, %q", k, text, other)
			}
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s is empty in %s", k, a)
			}
		}
		for k, code := range c.codes[a] {
			other, ok := c.codes[b][k]
			if !ok {
				t.Errorf("%s is in %s and not in %s", k, a, b)
			} else if verbs(code.Sentence) != verbs(other.Sentence) {
				t.Errorf("%s: verbs differ", k)
			}
			if code.Sentence == "" || code.Cause == "" || code.Next == "" {
				t.Errorf("%s (%s) lacks a sentence, a cause or a next step", k, a)
			}
			if !regexp.MustCompile(`^CSE-\d{3}$`).MatchString(k) {
				t.Errorf("%s is not a CSE code", k)
			}
		}
	}
}

func TestTwiceDefinedIsRefused(t *testing.T) {
	fsys := fstest.MapFS{
		"catalogue/it.a.json": {Data: []byte(`{"a.b":"x"}`)},
		"catalogue/it.b.json": {Data: []byte(`{"a.b":"y"}`)},
	}
	if _, err := read(fsys); err == nil {
		t.Fatal("a key defined twice was accepted")
	}
	if _, err := read(fstest.MapFS{"catalogue/xx.a.json": {Data: []byte(`{"a.b":"x"}`)}}); err == nil {
		t.Fatal("an unknown language was accepted")
	}
}

func TestMissingKeyShows(t *testing.T) {
	if got := Say(Italian, "no.such.key"); got != "⟦no.such.key⟧" {
		t.Fatal(got)
	}
}

func TestFault(t *testing.T) {
	f := Refuse("CSE-001", "prova").At("x")
	if FaultOf(f) != f || f.Sentence(Italian) == f.Sentence(English) || f.Next(Italian) == "" {
		t.Fatalf("%+v", f)
	}
}
