package cse_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cse.example/cse/ground/words"
)

// What people read stands in the catalogue; what stands in the catalogue can be
// read. These tests compare the two sides over the whole source.

// notYet are codes that wait for the act that will give them.
var notYet = map[string]string{}

// notCodes look like codes and are none.
var notCodes = []string{
	"CSE-000", // the width of a code, in cmd/cse
}

// sources calls f with every file of ours that ends like one of ext, tests left out.
func sources(t *testing.T, f func(path string, text []byte), ext ...string) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", "node_modules", "bin", "var", "dist", "test"}, d.Name()) {
			return filepath.SkipDir
		}
		if d.IsDir() || !slices.Contains(ext, filepath.Ext(path)) || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err == nil {
			f(path, text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Every code in the source has its texts (TestBothLanguagesAreComplete sees that
// cause and next step are there), and every code with texts is given somewhere.
func TestCodesOfSourceAndCatalogue(t *testing.T) {
	code := regexp.MustCompile(`CSE-\d{3}`)
	used := map[string]string{}
	sources(t, func(path string, text []byte) {
		for _, c := range code.FindAllString(string(text), -1) {
			used[c] = path
		}
	}, ".go", ".html")
	if len(used) < 100 {
		t.Fatalf("only %d codes found: the search is broken", len(used))
	}
	known := words.Codes()
	for c, path := range used {
		if !slices.Contains(known, c) && !slices.Contains(notCodes, c) {
			t.Errorf("%s: %s is not in the catalogue", path, c)
		}
	}
	for _, c := range known {
		switch _, waits := notYet[c]; {
		case used[c] == "" && !waits:
			t.Errorf("%s is in the catalogue, and nothing gives it", c)
		case used[c] != "" && waits:
			t.Errorf("%s is given in %s: take it off the list of those to come", c, used[c])
		}
	}
}

// speaks are the functions and methods whose first text is a key.
var speaks = []string{"Say", "say", "Has", "page", "progress", "word", "Progress"}

// prefixes are put before the key by a room's own say.
var prefixes = map[string]string{filepath.Join("cmd", "cse"): "cse."}

var inTemplate = regexp.MustCompile(`[{(]-?\s*t "([^"]+)"`)

// Every key that the source says exists, and every key that exists is said: as
// it stands, or as the end of a literal that the source completes.
func TestKeysOfSourceAndCatalogue(t *testing.T) {
	rooms := map[string]bool{}
	for _, k := range words.Keys() {
		room, _, _ := strings.Cut(k, ".")
		rooms[room] = true
	}
	said := 0
	whole, begun := map[string]bool{}, map[string]bool{}
	sources(t, func(path string, text []byte) {
		for _, m := range inTemplate.FindAllStringSubmatch(string(text), -1) {
			said++
			whole[m[1]] = true
			if !words.Has(words.Italian, m[1]) {
				t.Errorf("%s: no text for %q", path, m[1])
			}
		}
	}, ".html")
	sources(t, func(path string, text []byte) {
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		front := prefixes[filepath.Dir(path)]
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if key, ok := keyOf(n); ok && rooms[first(front+key)] {
					said++
					if !words.Has(words.Italian, front+key) {
						t.Errorf("%s: no text for %q", path, front+key)
					}
				}
			case *ast.BinaryExpr:
				if s, ok := literal(n.X); ok && n.Op == token.ADD && len(s) > 1 {
					begun[front+s] = true
				}
			case *ast.BasicLit:
				if s, ok := literal(n); ok {
					whole[front+s] = true
				}
			}
			return true
		})
	}, ".go")
	if said < 300 {
		t.Fatalf("only %d keys found: the search is broken", said)
	}
	for _, k := range words.Keys() {
		if !whole[k] && !completes(k, whole, begun) {
			t.Errorf("%s is in the catalogue, and nothing says it", k)
		}
	}
}

func first(key string) string {
	room, _, _ := strings.Cut(key, ".")
	return room
}

// keyOf is the key that a call says, when it is written there in full.
func keyOf(c *ast.CallExpr) (string, bool) {
	name := ""
	switch f := c.Fun.(type) {
	case *ast.SelectorExpr:
		name = f.Sel.Name
	case *ast.Ident:
		name = f.Name
	}
	if !slices.Contains(speaks, name) {
		return "", false
	}
	for _, a := range c.Args {
		if s, ok := literal(a); ok {
			return s, true
		}
	}
	return "", false
}

func literal(n ast.Node) (string, bool) {
	l, ok := n.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(l.Value)
	return s, err == nil
}

// vocabularies are names that a room gives to its own notions, for whoever shows
// them; the rooms' own tests ask for each.
var vocabularies = []string{
	"counter.action.", "counter.office.", "counter.present.", "lifecycle.fstate.", "lifecycle.function.", "lifecycle.state.",
}

// endings are added to a key by the forms and the letters.
var endings = []string{".hint", ".subject", ".text", ".title"}

// completes tells whether a key is a literal of the source with an end put to it.
func completes(key string, whole, begun map[string]bool) bool {
	for _, v := range vocabularies {
		if strings.HasPrefix(key, v) {
			return true
		}
	}
	for p := range begun {
		if strings.Contains(p, ".") && strings.HasPrefix(key, p) {
			return true
		}
	}
	for _, e := range endings {
		if base, ok := strings.CutSuffix(key, e); ok && whole[base] {
			return true
		}
	}
	base := key[:strings.LastIndexByte(key, '.')]
	return whole[base] // an option of a list: key and value
}
