package counter

import (
	"net/mail"
	"strings"
	"testing"
)

func TestMaskEmail(t *testing.T) {
	for in, want := range map[string]string{
		"giulia@esempio.it": "g•••@e•••.it", "a@b.c.example": "a•••@b•••.example", "": "•••", "a": "•••", "@x.it": "•••", "a@": "•••", "a@b": "•••",
	} {
		if got := maskEmail(in); got != want {
			t.Errorf("maskEmail(%q) = %q, want %q", in, got, want)
		}
	}
}

// What is accepted can stand in a mail's header: one address, nothing else.
func FuzzValidEmail(f *testing.F) {
	for _, s := range []string{"giulia@esempio.it", "a.b+c@x.example", "a@b\r\nBcc: c@d.it", "\"a b\"@c.it", "a@[127.0.0.1]", "a@b.it, c@d.it", "è@x.it"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !validEmail(s) {
			return
		}
		p, err := mail.ParseAddress(s)
		if err != nil || p.Address != s || p.Name != "" || strings.ContainsAny(s, "\r\n ,;<>\"") || strings.Count(s, "@") != 1 {
			t.Errorf("%q is accepted", s)
		}
		if m := maskEmail(s); len(s) > 20 && strings.Contains(m, s[:4]) && strings.IndexByte(s, '@') > 4 {
			t.Errorf("%q is masked as %q", s, m)
		}
	})
}
