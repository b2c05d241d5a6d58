// Package proofs says which test proves which rule of the catalogue (R1…R114
// and RP1…RP5; catalogue.tsv, copied from the specification).
//
// A test proves a rule when its name carries the rule's number: TestR71_…,
// TestR18_R19_…, TestR2NoOpeningHours, or a script r71-….txtar; older tests are
// named in the table of docs/rules.md, which may not name a test that is not
// there. A rule that only informs (kind I) is served by a content file of the
// portal whose head lists it. What has neither is open, and must be on the list
// "Rules still open" of docs/status.md; a rule on that list that has a proof
// must leave it.
package proofs

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
)

//go:embed catalogue.tsv
var catalogue string

// Rule is one rule and what proves it.
type Rule struct {
	// ID is R71 or RP3; Kind S, S+I, I/S or I; Work the piece of work that has to
	// prove it first: journey, counters, tools, authority, later.
	ID, Kind, Work, Statement string
	// Tests are "folder.Test…"; Content the files that serve the rule's text.
	Tests, Content []string
}

// State is proven, informational or open.
func (r Rule) State() string {
	switch {
	case r.Kind == "I" && len(r.Content) > 0:
		return "informational"
	case len(r.Tests) > 0:
		return "proven"
	}
	return "open"
}

// Report is every rule in the catalogue's order, and what is wrong with the
// proofs themselves.
type Report struct {
	Rules  []Rule
	Faults []string
	// Excused are the rules that docs/status.md lists as open.
	Excused []string
}

// Collect reads the source tree at root.
func Collect(root string) (Report, error) {
	var r Report
	at := map[string]int{}
	for _, line := range strings.Split(strings.TrimSpace(catalogue), "\n") {
		f := strings.Split(line, "\t")
		if len(f) != 4 || strings.HasPrefix(line, "#") {
			continue
		}
		at[f[0]] = len(r.Rules)
		r.Rules = append(r.Rules, Rule{ID: f[0], Kind: f[1], Work: f[2], Statement: f[3]})
	}
	c := collector{&r, at, map[string]bool{}}
	for _, step := range []func(string) error{c.walk, c.table, c.status} {
		if err := step(root); err != nil {
			return r, err
		}
	}
	for i := range r.Rules {
		sort.Strings(r.Rules[i].Tests)
		r.Rules[i].Tests = slices.Compact(r.Rules[i].Tests)
		sort.Strings(r.Rules[i].Content)
	}
	c.judge()
	return r, nil
}

type collector struct {
	*Report
	at    map[string]int
	tests map[string]bool // every "folder.Test…" there is
}

var (
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
	ruleHead = regexp.MustCompile(`^(?:Test|Fuzz)((?:RP?\d+_?)+)`)
	ruleID   = regexp.MustCompile(`RP?\d+`)
	script   = regexp.MustCompile(`^(rp?\d+(?:-rp?\d+)*)-.*\.txtar$`)
	content  = regexp.MustCompile(`(?m)^rules:\s*\[([^\]]*)\]`)
	inTable  = regexp.MustCompile("`([a-z][a-z0-9/]*)\\.((?:Test|Fuzz)[A-Za-z0-9_]+)`")
)

// walk finds tests, scripts and content files.
func (c collector) walk(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if slices.Contains([]string{".git", "node_modules", "bin", "var", "dist"}, name) {
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case strings.HasSuffix(name, "_test.go"):
			return c.goTests(path, rel)
		case script.MatchString(name):
			for _, id := range ruleID.FindAllString(strings.ToUpper(script.FindStringSubmatch(name)[1]), -1) {
				c.prove(id, rel)
			}
		case strings.HasSuffix(name, ".md") && strings.HasPrefix(rel, "portal/content/"):
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if m := content.FindSubmatch(text); m != nil {
				for _, id := range ruleID.FindAllString(string(m[1]), -1) {
					if i, ok := c.at[id]; ok {
						c.Rules[i].Content = append(c.Rules[i].Content, rel)
					}
				}
			}
		}
		return nil
	})
}

func (c collector) goTests(path, rel string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	folder := rel[:max(0, strings.LastIndexByte(rel, '/'))]
	for _, m := range testFunc.FindAllStringSubmatch(string(text), -1) {
		name := folder + "." + m[1]
		c.tests[name] = true
		if h := ruleHead.FindStringSubmatch(m[1]); h != nil {
			for _, id := range ruleID.FindAllString(h[1], -1) {
				c.prove(id, name)
			}
		}
	}
	return nil
}

func (c collector) prove(id, by string) {
	i, ok := c.at[id]
	if !ok {
		c.Faults = append(c.Faults, by+" names a rule that there is not: "+id)
		return
	}
	c.Rules[i].Tests = append(c.Rules[i].Tests, by)
}

// table reads docs/rules.md: rows "| R13 | … | `folder.Test…` |".
func (c collector) table(root string) error {
	b, err := os.ReadFile(filepath.Join(root, "docs", "rules.md"))
	if err != nil {
		return err
	}
	for _, line := range strings.Split(string(b), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || !ruleID.MatchString(cells[1]) {
			continue
		}
		id := strings.TrimSpace(cells[1])
		for _, m := range inTable.FindAllStringSubmatch(cells[4], -1) {
			name := m[1] + "." + m[2]
			if !c.tests[name] {
				c.Faults = append(c.Faults, "docs/rules.md, "+id+": there is no "+name)
				continue
			}
			c.prove(id, name)
		}
	}
	return nil
}

// status reads the list of open rules: lines "- R56: why" below the heading.
func (c collector) status(root string) error {
	f, err := os.Open(filepath.Join(root, "docs", "status.md"))
	if err != nil {
		return err
	}
	defer f.Close()
	in := false
	s := bufio.NewScanner(f)
	for s.Scan() {
		line := s.Text()
		if strings.HasPrefix(line, "#") {
			in = strings.Contains(line, "Rules still open")
		}
		if head, _, ok := strings.Cut(line, ":"); in && ok && strings.HasPrefix(line, "- ") {
			c.Excused = append(c.Excused, ruleID.FindAllString(head, -1)...)
		}
	}
	return s.Err()
}

// finished are the pieces of work whose rules may not be open at all.
var finished = []string{"journey", "counters", "tools"}

func (c collector) judge() {
	for _, r := range c.Rules {
		excused := slices.Contains(c.Excused, r.ID)
		switch open := r.State() == "open"; {
		case open && !excused:
			c.Faults = append(c.Faults, r.ID+" is open and not on the list of docs/status.md")
		case open && slices.Contains(finished, r.Work):
			c.Faults = append(c.Faults, r.ID+" must be proved by now ("+r.Work+")")
		case !open && excused:
			c.Faults = append(c.Faults, r.ID+" has a proof and is still on the list of docs/status.md")
		}
	}
}

// Print writes a line per rule, the faults, and last the count.
func (r Report) Print(w io.Writer) error {
	n := map[string]int{}
	for _, x := range r.Rules {
		n[x.State()]++
		by := append(slices.Clone(x.Tests), x.Content...)
		if _, err := fmt.Fprintf(w, "%-5s %-4s %-13s %s\n      %s\n", x.ID, x.Kind, x.State(), x.Statement, strings.Join(by, ", ")); err != nil {
			return err
		}
	}
	for _, f := range r.Faults {
		if _, err := fmt.Fprintln(w, "fault: "+f); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "rules: %d proven, %d open, %d informational\n", n["proven"], n["open"], n["informational"])
	return err
}
