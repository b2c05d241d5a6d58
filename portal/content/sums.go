package content

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

// Sum is what a text was on the day of its last change.
type Sum struct {
	Updated civil.Date `json:"updated"`
	SHA256  string     `json:"sha256"`
}

// Sums are those of every text, by file.
func (c *Content) Sums() map[string]Sum {
	out := map[string]Sum{}
	for _, lang := range []words.Lang{words.Italian, words.English} {
		for kind, list := range map[string][]*Article{"faq": c.questions[lang], "pages": c.pages[lang], "notices": c.notices[lang]} {
			for _, a := range list {
				out[kind+"/"+string(lang)+"/"+a.ID+".md"] = a.sum()
			}
		}
	}
	return out
}

// sum hashes what readers see: title, text, dated passages with their days.
func (a *Article) sum() Sum {
	parts := []string{a.Title, strings.TrimSpace(string(a.Body.source))}
	for _, d := range a.Dated {
		parts = append(parts, d.From.String(), d.Until.String(), strings.TrimSpace(d.Text))
	}
	h := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return Sum{a.Updated, hex.EncodeToString(h[:])}
}

// ReadSums reads the sums.json of a tree.
func ReadSums(fsys fs.FS) (map[string]Sum, error) {
	b, err := fs.ReadFile(fsys, "sums.json")
	if err != nil {
		return nil, fmt.Errorf("content: %w", err)
	}
	out := map[string]Sum{}
	if err := json.Unmarshal(b, &out); err != nil {
		return nil, fmt.Errorf("content: sums.json: %w", err)
	}
	return out, nil
}

// Unchanged compares now with before and names the files that changed while
// their day did not: a change made on the day already written, today, is fine.
func Unchanged(before, now map[string]Sum, today civil.Date) []string {
	var bad []string
	for name, x := range now {
		old, known := before[name]
		if known && old.SHA256 != x.SHA256 && !x.Updated.After(old.Updated) && x.Updated != today {
			bad = append(bad, name)
		}
	}
	slices.Sort(bad)
	return bad
}
