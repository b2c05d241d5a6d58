package cse_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// journeyIDs are the journeys of ux.md 4.1, 4.2 (C0-C9, C13-C17), 4.4 (O1-O4,
// O7-O10) and 4.5.
var journeyIDs = strings.Fields("S0 S1 A B C D E F G C0 C1 C2 C3 C4 C5 C6 C7 C8 C9 C13 C14 C15 C16 C17 O1 O2 O3 O4 O7 O8 O9 O10 H1 H2 H3 H4 H5")

var (
	journeyRow  = regexp.MustCompile(`(?m)^\| ([A-Z][0-9]*) \| [^|]+ \| ([^|]+) \|$`)
	journeyTest = regexp.MustCompile("`([a-z/]+)\\.([A-Za-z0-9_]+)`")
	openLine    = regexp.MustCompile(`(?m)^Journeys still open: ?([A-Z0-9, ]*)`)
)

// Every journey has a row in docs/journeys.md; every test of the row exists and
// names the journey in its comment; a journey without one is on the list of
// docs/status.md, and nothing else is.
func TestEveryJourneyHasATest(t *testing.T) {
	table, err := os.ReadFile("docs/journeys.md")
	if err != nil {
		t.Fatal(err)
	}
	comments := map[string]map[string]string{}
	seen, open := map[string]bool{}, []string{}
	for _, row := range journeyRow.FindAllStringSubmatch(string(table), -1) {
		id, tests := row[1], journeyTest.FindAllStringSubmatch(row[2], -1)
		if !slices.Contains(journeyIDs, id) || seen[id] {
			t.Errorf("docs/journeys.md: %s is no journey, or is there twice", id)
		}
		seen[id] = true
		if strings.TrimSpace(row[2]) == "open" {
			open = append(open, id)
		} else if len(tests) == 0 {
			t.Errorf("docs/journeys.md: %s has no test and is not open", id)
		}
		for _, x := range tests {
			if comments[x[1]] == nil {
				comments[x[1]] = testComments(t, x[1])
			}
			text, ok := comments[x[1]][x[2]]
			switch {
			case !ok:
				t.Errorf("journey %s: there is no test %s in %s", id, x[2], x[1])
			case !regexp.MustCompile(`\b` + id + `\b`).MatchString(strings.ReplaceAll(text, "_", " ")):
				t.Errorf("journey %s: the comment of %s.%s does not name it", id, x[1], x[2])
			}
		}
	}
	for _, id := range journeyIDs {
		if !seen[id] {
			t.Errorf("docs/journeys.md has no row for %s", id)
		}
	}
	status, err := os.ReadFile("docs/status.md")
	if err != nil {
		t.Fatal(err)
	}
	m := openLine.FindStringSubmatch(string(status))
	if m == nil || strings.Join(strings.FieldsFunc(m[1], func(r rune) bool { return r == ',' || r == ' ' }), " ") != strings.Join(open, " ") {
		t.Errorf("docs/status.md says %q of the journeys still open, docs/journeys.md %v", m, open)
	}
}

// testComments are the functions of a folder's tests: name, and comment with the
// name in front.
func testComments(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), dir+"/"+e.Name(), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				out[fn.Name.Name] = fn.Name.Name + " " + fn.Doc.Text()
			}
		}
	}
	return out
}
