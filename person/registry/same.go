package registry

import (
	"slices"
	"strings"
	"unicode"

	"cse.example/cse/person/codicefiscale"
)

// SameNames tells whether two writings are of one surname, or of the same given
// names: case, accents, apostrophes, hyphens and spaces do not count, nor the order
// of the words. A name more or less does. Two that have no letter are not the same.
func SameNames(a, b string) bool {
	a, b = codicefiscale.Fold(a), codicefiscale.Fold(b)
	if onlyLetters(a) == "" {
		return false
	}
	return onlyLetters(a) == onlyLetters(b) || sameWords(a, b, " -") || sameWords(a, b, " -'")
}

// sameWords compares the words between marks, in any order; what is left of a
// word after its other signs is what counts.
func sameWords(a, b, marks string) bool { return slices.Equal(sorted(a, marks), sorted(b, marks)) }

func sorted(s, marks string) []string {
	words := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(marks, r) })
	for i, w := range words {
		words[i] = onlyLetters(w)
	}
	words = slices.DeleteFunc(words, func(w string) bool { return w == "" })
	slices.Sort(words)
	return words
}

func onlyLetters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, s)
}
