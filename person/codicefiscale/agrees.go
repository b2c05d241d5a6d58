package codicefiscale

import (
	"slices"
	"strings"

	"cse.example/cse/ground/civil"
)

// Agreement tells which of the things that somebody says about himself his code
// agrees with.
type Agreement struct{ Surname, Name, Born bool }

// mostWords bounds the orders in which given names are tried: a hundred and
// twenty of them.
const mostWords = 5

// Agrees compares c with what somebody shows on paper. Surname and name are
// compared as the code has them, three letters each, with the words in any order,
// since papers do not agree about it; of the birth date all but the century. That
// two people share all of it is common: agreement proves little, disagreement that
// one of them is wrong. ErrProvisional for a code of 11 digits, which says nothing.
func (c Code) Agrees(surname, name string, born civil.Date) (Agreement, error) {
	yy, md, _, err := c.day()
	if err != nil {
		return Agreement{}, err
	}
	return Agreement{
		Surname: inSomeOrder(surname, false, string(c[:3])),
		Name:    inSomeOrder(name, true, string(c[3:6])),
		Born:    born.Valid() && born.Year%100 == yy && born.Month == md.Month && born.Day == md.Day,
	}, nil
}

// inSomeOrder tells whether the words of text, in some order, give the three
// letters.
func inSomeOrder(text string, isName bool, want string) bool {
	words := strings.FieldsFunc(Fold(text), func(r rune) bool { return r == ' ' || r == '-' })
	for i, w := range words {
		words[i] = letters(w)
	}
	words = slices.DeleteFunc(words, func(w string) bool { return w == "" })
	if len(words) == 0 {
		return false
	}
	if len(words) > mostWords {
		return group(strings.Join(words, ""), isName) == want
	}
	hit := false
	orders(words, 0, func() { hit = hit || group(strings.Join(words, ""), isName) == want })
	return hit
}

// orders calls do with every order of the words from k on, and leaves them as
// they were.
func orders(words []string, k int, do func()) {
	if k == len(words) {
		do()
		return
	}
	for i := k; i < len(words); i++ {
		words[k], words[i] = words[i], words[k]
		orders(words, k+1, do)
		words[k], words[i] = words[i], words[k]
	}
}
