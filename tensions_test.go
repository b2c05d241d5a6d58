package cse_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tensions are the points of part D of the rules, where the FAQ contradicts
// itself or is silent.
const tensions = 11

// Each tension is settled in a decision that names it.
func TestEveryTensionHasADecision(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("docs", "decisions", "*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no decisions: %v", err)
	}
	named := regexp.MustCompile(`(?i)\btension (\d+)\b`)
	settled := map[string][]string{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			settled[m[1]] = append(settled[m[1]], f)
		}
		if settledBy := named.FindString(string(text)); settledBy != "" && !strings.Contains(string(text), "**Decision.**") {
			t.Errorf("%s names a %s and decides nothing", f, settledBy)
		}
	}
	for n := 1; n <= tensions; n++ {
		if len(settled[fmt.Sprint(n)]) == 0 {
			t.Errorf("tension %d of the FAQ has no decision that names it", n)
		}
		delete(settled, fmt.Sprint(n))
	}
	for n, where := range settled {
		t.Errorf("there is no tension %s, named in %v", n, where)
	}
}
