package inspect

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Secrets are what must not be found.
type Secrets struct {
	// Codes are whole codes of cards. A PUK and a CIP of eight digits or more are
	// looked for at any place; a PIN, five digits like a postcode, as a number of
	// its own in files of Text and beside its word everywhere.
	Codes []Codes
	// Numbers are further codes of eight digits or more, too many to be looked
	// for at any place (long numbers would contain one by chance): they count
	// where they stand by themselves.
	Numbers []string
	// People are codici fiscali.
	People []string
}

// Places tells what may lie where. Paths are relative to the folder; each
// function may be nil, which means nowhere.
type Places struct {
	// Codes may show codes: the holder's papers and the chips themselves.
	Codes func(path string) bool
	// People may name people.
	People func(path string) bool
	// Text are files in which every number is written out.
	Text func(path string) bool
}

// Find is one thing in clear at a place where it has no business. It says what,
// never the thing itself.
type Find struct{ Path, What string }

var (
	numberRun = regexp.MustCompile(`[0-9]{8,}`)
	cfShape   = regexp.MustCompile(`[A-Za-z]{6}[0-9LMNP-Vlmnp-v]{2}[A-Za-z][0-9LMNP-Vlmnp-v]{2}[A-Za-z][0-9LMNP-Vlmnp-v]{3}[A-Za-z]`)
)

// Folder goes through every file below root, whatever its kind, and through the
// files' names.
func Folder(root string, s Secrets, p Places) ([]Find, error) {
	people, numbers := map[string]bool{}, map[string]bool{}
	for _, cf := range s.People {
		people[cf] = true
	}
	for _, n := range s.Numbers {
		numbers[n] = true
	}
	var finds []Find
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if namesPeople(rel, people) {
			finds = append(finds, Find{rel, "a codice fiscale in the name"})
		}
		if !d.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		content := string(b)
		if !p.codes(rel) {
			for _, what := range codesIn(content, s.Codes, numbers, p.text(rel)) {
				finds = append(finds, Find{rel, what})
			}
		}
		if !p.people(rel) && namesPeople(content, people) {
			finds = append(finds, Find{rel, "a codice fiscale"})
		}
		return nil
	})
	return finds, err
}

func allows(f func(string) bool, path string) bool { return f != nil && f(path) }

func (p Places) codes(path string) bool  { return allows(p.Codes, path) }
func (p Places) people(path string) bool { return allows(p.People, path) }
func (p Places) text(path string) bool   { return allows(p.Text, path) }

// Text looks for codes in one text, every number of it written out.
func Text(content string, codes ...Codes) []string { return codesIn(content, codes, nil, true) }

func codesIn(content string, codes []Codes, numbers map[string]bool, text bool) []string {
	var out []string
	for _, c := range codes {
		for what, shown := range map[string]bool{
			"a PUK": c.PUK != "" && strings.Contains(content, c.PUK),
			"a CIP": c.CIP != "" && strings.Contains(content, c.CIP),
			"a PIN": c.PIN != "" && showsPIN(content, c.PIN, text),
		} {
			if shown {
				out = append(out, what)
			}
		}
	}
	for _, at := range numberRun.FindAllStringIndex(content, -1) {
		if numbers[content[at[0]:at[1]]] && !letter(content, at[0]-1) && !letter(content, at[1]) {
			out = append(out, "a code of a chip")
			break
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// showsPIN looks for the PIN as a number of its own, near the word PIN unless
// every number of the file counts.
func showsPIN(content, pin string, text bool) bool {
	const near = 24 // bytes between the word and the number, JSON and log syntax included
	for from := 0; ; {
		i := strings.Index(content[from:], pin)
		if i < 0 {
			return false
		}
		i += from
		from = i + 1
		if digit(content, i-1) || digit(content, i+len(pin)) {
			continue
		}
		if text || strings.Contains(strings.ToUpper(content[max(0, i-near):i]), "PIN") {
			return true
		}
	}
}

func digit(s string, i int) bool { return i >= 0 && i < len(s) && s[i] >= '0' && s[i] <= '9' }

func letter(s string, i int) bool {
	return i >= 0 && i < len(s) && (s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z')
}

// namesPeople looks at every place of the shape of a codice fiscale, those that
// begin inside another included.
func namesPeople(content string, people map[string]bool) bool {
	for from := 0; from < len(content); {
		at := cfShape.FindStringIndex(content[from:])
		if at == nil {
			return false
		}
		if people[strings.ToUpper(content[from+at[0]:from+at[1]])] {
			return true
		}
		from += at[0] + 1
	}
	return false
}
