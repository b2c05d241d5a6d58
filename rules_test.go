package cse_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docs/rules.md is believed only as far as this test goes: every rule that the
// journey of a card must prove has a row with a test, and the tests named exist.
func TestTheRulesAreProved(t *testing.T) {
	b, err := os.ReadFile("docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z][a-z0-9/]*)\\.((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	rows := map[string][][]string{}
	for _, line := range strings.Split(string(b), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) == 6 && strings.HasPrefix(strings.TrimSpace(cells[1]), "R") {
			rows[strings.TrimSpace(cells[1])] = named.FindAllStringSubmatch(cells[4], -1)
		}
	}
	for _, n := range []int{
		2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16, 17, 24, 25, 41, 42, 43, 44, 45, 46, 49, 54, 55, 59, 61, 62,
		70, 71, 72, 73, 74, 75, 76, 79, 80, 81, 83,
	} {
		if len(rows[fmt.Sprintf("R%d", n)]) == 0 {
			t.Errorf("R%d has no test", n)
		}
	}
	source := map[string]string{}
	for rule, tests := range rows {
		for _, m := range tests {
			if _, read := source[m[1]]; !read {
				source[m[1]] = testsOf(t, m[1])
			}
			if !strings.Contains(source[m[1]], "\nfunc "+m[2]+"(") {
				t.Errorf("%s: there is no %s in %s", rule, m[2], m[1])
			}
		}
	}
}

// testsOf is the text of the tests of one folder.
func testsOf(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(filepath.FromSlash(folder), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}
