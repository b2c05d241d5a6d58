// Package redact finds, in text meant for logs and error columns, what has no
// business there: codici fiscali (the sixteen characters, omocodia included)
// and e-mail addresses. It is the last net, not the first: code that holds a
// secret keeps it in ground/secret, which never prints.
//
// It errs on the safe side: anything shaped like a codice fiscale goes, whether
// its check letter is right or not.
package redact

import (
	"regexp"
	"strings"
)

// Mark stands where something was taken out.
const Mark = "[redacted]"

var (
	// Six letters, then the omocodia alphabet (digits or LMNPQRSTUV) where digits stand.
	fiscal = regexp.MustCompile(`(?i)[a-z]{6}[0-9lmnpqrstuv]{2}[abcdehlmprst][0-9lmnpqrstuv]{2}[a-z][0-9lmnpqrstuv]{3}[a-z]`)
	email  = regexp.MustCompile(`[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}](?:[\p{L}\p{N}.-]*[\p{L}\p{N}])?`)
)

// Text takes codici fiscali and e-mail addresses out of s.
func Text(s string) string {
	if strings.IndexByte(s, '@') >= 0 {
		s = email.ReplaceAllString(s, Mark)
	}
	if len(s) >= 16 {
		s = fiscal.ReplaceAllString(s, Mark)
	}
	return s
}

// Short is Text cut to at most n bytes, on a rune border, for a column or a line.
func Short(s string, n int) string {
	s = Text(s)
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
