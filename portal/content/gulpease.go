package content

import (
	"strings"
	"unicode"
)

// Gulpease is the reading ease of an Italian text (GULP, Università La Sapienza,
// 1988): 89 + (300 sentences - 10 letters) / words, between 0 and 100. From 60 on
// somebody who left school at fourteen reads it without help. A line is a
// sentence, whatever it ends with: headings and entries of lists are lines.
func Gulpease(text string) float64 {
	var letters, sentences, count int
	for line := range strings.Lines(text) {
		sentences += sentencesOf(line)
		for _, w := range strings.FieldsFunc(line, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			count++
			letters += len([]rune(w))
		}
	}
	if count == 0 {
		return 100
	}
	return min(100, max(0, 89+float64(300*sentences-10*letters)/float64(count)))
}

func sentencesOf(line string) int {
	n, open := 0, false
	rs := []rune(line)
	for i, r := range rs {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			open = true
		case open && strings.ContainsRune(".!?", r) && (i+1 == len(rs) || unicode.IsSpace(rs[i+1]) || rs[i+1] == '»'):
			n, open = n+1, false
		}
	}
	if open {
		n++
	}
	return n
}
