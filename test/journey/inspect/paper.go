package inspect

import (
	"fmt"
	"regexp"
	"strings"
)

// Codes are PIN, PUK and CIP, whole or one half of them.
type Codes struct{ PIN, PUK, CIP string }

// Join puts a first and a second half together.
func Join(first, second Codes) Codes {
	return Codes{first.PIN + second.PIN, first.PUK + second.PUK, first.CIP + second.CIP}
}

// Lengths are how many digits of PIN, PUK and CIP something has.
type Lengths struct{ PIN, PUK, CIP int }

// The halves as they are by default, and the whole codes.
var (
	First  = Lengths{2, 2, 5}
	Second = Lengths{3, 6, 5}
	Whole  = Lengths{5, 8, 10}
)

// Lengths counts the digits.
func (c Codes) Lengths() Lengths { return Lengths{len(c.PIN), len(c.PUK), len(c.CIP)} }

var halfWords = []string{"PIN", "PUK", "CIP"}

// Paper reads the halves of a form or mail: each on a line of its own
// (`PIN: 12`), once, and no digit after the word anywhere before that line, so
// that a reader who takes the first digits after the word takes the half. The
// lengths must be want.
func Paper(text string, want Lengths) (Codes, error) {
	var got []string
	for _, word := range halfWords {
		lines := regexp.MustCompile(`(?m)^[ \t\f]*`+word+`: (\d+)[ \t\r]*$`).FindAllStringSubmatch(text, -1)
		if len(lines) != 1 {
			return Codes{}, fmt.Errorf("%d lines %q of their own, want one", len(lines), word+": …")
		}
		first := regexp.MustCompile(`(?s)` + word + `[^0-9]*([0-9]+)`).FindStringSubmatch(text)
		if first[1] != lines[0][1] {
			return Codes{}, fmt.Errorf("the first digits after %q are not the half", word)
		}
		got = append(got, lines[0][1])
	}
	c := Codes{got[0], got[1], got[2]}
	if c.Lengths() != want {
		return Codes{}, fmt.Errorf("halves of %+v digits, want %+v", c.Lengths(), want)
	}
	return c, nil
}

// Foreign tells whether the paper shows a half of the other paper as a number of
// its own. Halves of fewer than five digits are passed over: any number may be
// one of them by chance.
func Foreign(text string, other Codes) error {
	for i, half := range []string{other.PIN, other.PUK, other.CIP} {
		if len(half) < 5 {
			continue
		}
		for _, number := range anyNumber.FindAllString(text, -1) {
			if number == half || len(half) > 5 && strings.Contains(number, half) {
				return fmt.Errorf("the other paper's half of the %s is here", halfWords[i])
			}
		}
	}
	return nil
}

var anyNumber = regexp.MustCompile(`[0-9]+`)
