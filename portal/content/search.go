package content

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"cse.example/cse/ground/words"
)

// Search finds the questions that speak of what somebody typed, the best first.
// Accents and capitals do not count, nor do the endings of words ("tessere"
// finds "tessera"). Every word must be found; when no answer has them all, those
// with the most of them are given. Only the first 100 characters are read.
func (c *Content) Search(lang words.Lang, typed string) []*Article {
	if r := []rune(typed); len(r) > 100 {
		typed = string(r[:100])
	}
	asked := slices.DeleteFunc(tokens(typed), func(w string) bool { return len(w) < 2 || slices.Contains(small[lang], w) })
	slices.Sort(asked)
	asked = slices.Compact(asked)
	if len(asked) == 0 {
		return nil
	}
	type hit struct {
		a             *Article
		found, points int
	}
	var hits []hit
	most := 0
	for _, a := range c.questions[lang] {
		h := hit{a: a}
		title, keys, body := tokens(a.Title), tokens(strings.Join(a.Keywords, " ")), tokens(a.Body.Text(Fill{}))
		for _, w := range asked {
			n := 0
			for _, in := range []struct {
				words  []string
				points int
			}{{title, 5}, {keys, 4}, {body, 1}} {
				if slices.ContainsFunc(in.words, func(x string) bool { return alike(w, x) }) {
					n += in.points
				}
			}
			if n > 0 {
				h.found++
				h.points += n
			}
		}
		if h.found > 0 {
			hits = append(hits, h)
			most = max(most, h.found)
		}
	}
	hits = slices.DeleteFunc(hits, func(h hit) bool { return h.found < most })
	slices.SortStableFunc(hits, func(x, y hit) int { return y.points - x.points })
	out := make([]*Article, len(hits))
	for i, h := range hits {
		out[i] = h.a
	}
	return out
}

// small are words that every question has.
var small = map[words.Lang][]string{
	words.Italian: {
		"il", "lo", "la", "gli", "le", "un", "una", "di", "da", "in", "con", "su", "per", "che", "cosa", "come", "dove", "se", "mi", "mia", "mio",
		"si", "ho", "non", "del", "della", "al", "alla", "ed", "ad", "quali", "sono",
	},
	words.English: {
		"the", "an", "of", "to", "in", "on", "for", "is", "are", "my", "do", "does", "what", "how", "where", "it", "can", "and", "if", "with", "which",
	},
}

// alike compares words without their endings; short ones (PIN, CNS) as they are.
func alike(asked, word string) bool {
	if len(asked) < 5 {
		return asked == word
	}
	stem := asked[:max(4, len(asked)-2)]
	return strings.HasPrefix(word, stem) && len(word) <= len(asked)+4
}

// tokens are the words of s in small letters without accents.
func tokens(s string) []string {
	var b strings.Builder
	for _, r := range norm.NFD.String(strings.ToLower(s)) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
		default:
			b.WriteByte(' ')
		}
	}
	return strings.Fields(b.String())
}
