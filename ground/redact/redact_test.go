package redact

import (
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"connection refused", "connection refused"},
		{"no card for RSSMRA85T10A562S today", "no card for [redacted] today"},
		{"cf=rssmra85t10a562s", "cf=[redacted]"},
		{"CF RSSMRA85T10A56NH (omocodia)", "CF [redacted] (omocodia)"},
		{"path /people/RSSMRA85T10A562S/card", "path /people/[redacted]/card"},
		{"550 5.1.1 <anna.rossi@esempio.it>: unknown", "550 5.1.1 <[redacted]>: unknown"},
		{"anna@localhost refused", "[redacted] refused"},
		{"card 8038009000012345 is fine", "card 8038009000012345 is fine"},
		{"a @ b", "a @ b"},
	} {
		if got := Text(c.in); got != c.want {
			t.Errorf("Text(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestShort(t *testing.T) {
	if got := Short("perché no", 6); got != "perch" {
		t.Errorf("cut inside a rune: %q", got)
	}
	if got := Short(strings.Repeat("x", 9)+"anna@esempio.it", 12); got != "xxxxxxxxx" && got != Mark && !strings.HasPrefix(got, "[redacted") {
		t.Errorf("cut before redaction: %q", got)
	}
	if got := Short("x anna@esempio.it", 6); strings.Contains(got, "anna") {
		t.Errorf("cut before redaction: %q", got)
	}
}

func FuzzText(f *testing.F) {
	f.Add("RSSMRA85T10A562S and anna@esempio.it")
	f.Fuzz(func(t *testing.T, s string) {
		if got := Text(s); fiscal.MatchString(got) || email.MatchString(got) {
			t.Errorf("Text(%q) = %q still matches", s, got)
		}
	})
}
