package look

import (
	"strconv"
	"strings"

	"cse.example/cse/ground/words"
)

// Preferred reads Accept-Language (RFC 9110, 12.5.4): the first of our
// languages by weight; Italian when none is named.
func Preferred(header string) words.Lang {
	best, weight := words.Italian, 0.0
	for part := range strings.SplitSeq(header, ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := 1.0
		if v, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q="); ok {
			x, err := strconv.ParseFloat(v, 64)
			if err != nil {
				continue
			}
			q = x
		}
		base, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if (base == "it" || base == "en") && q > weight {
			best, weight = words.Lang(base), q
		}
	}
	return best
}
