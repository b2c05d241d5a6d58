package model

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// TestMain sets how many lives are lived; -rapid.checks does the same.
func TestMain(m *testing.M) {
	flag.Parse()
	lives := os.Getenv("CSE_MODEL_LIVES")
	if lives == "" {
		lives = "40"
	}
	set := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { set[f.Name] = true })
	for name, value := range map[string]string{"rapid.checks": lives, "rapid.steps": "60"} {
		if set[name] {
			continue
		}
		if err := flag.Set(name, value); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	var err error
	if shared.dir, err = os.MkdirTemp("", "cse-model-*"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	code := m.Run()
	_ = os.RemoveAll(shared.dir) // left to the system if it cannot be removed
	os.Exit(code)
}

// TestLives is the whole: see the package.
func TestLives(t *testing.T) {
	var mu sync.Mutex
	total := map[string]int{}
	found(t)
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(shared.dir, "life-*")
		if err != nil {
			rt.Fatal(err)
		}
		w := region(t, dir)
		defer func() {
			_ = w.db.Close()
			_ = os.RemoveAll(dir)
		}()
		l := born(rt, w)
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			for k, n := range l.counts {
				total[k] += n
			}
		}()
		rt.Repeat(l.actions())
		l.apart(rt)
	})
	if t.Failed() {
		return
	}
	n := 0
	for _, k := range slices.Sorted(maps.Keys(total)) {
		n += total[k]
		t.Logf("%6d %s", total[k], k)
	}
	t.Logf("%d acts, %d of them refused", n, total["refused"])
	few(t, total)
}

// few fails when what should happen often hardly did: then the lives prove little.
func few(t *testing.T, total map[string]int) {
	t.Helper()
	lives, err := strconv.Atoi(flag.Lookup("rapid.checks").Value.String())
	if err != nil || lives < 30 {
		return
	}
	for _, k := range []string{
		"activate", "suspend", "reactivate", "revoke", "loss", "not-received", "chip-fault", "reprint", "correct-email", "correction", "withdrawal",
		"activate-from-home", "cip-suspend", "suspend-by-phone", "registry", "night", "ship", "deliver", "print", "hand-over", "mails", "sheet", "passes", "refused",
	} {
		if total[k] < 3 {
			t.Errorf("%s happened %d times in %d lives", k, total[k], lives)
		}
	}
}

// actions are what may happen next; the empty name is the check after each.
func (l *life) actions() map[string]func(*rapid.T) {
	all := map[string]func(*rapid.T){
		"": l.check, "activate": l.activate, "activate too": l.activate, "papers": l.papers, "more papers": l.papers, "twice": l.twice,
		"cip": l.byCIP, "call": l.call, "from home": l.fromHome, "from home too": l.fromHome, "suspend too": func(rt *rapid.T) { l.desk(rt, forms()[0]) },
		"time": l.passes, "more time": l.passes, "registry": l.registry, "night": l.night,
		"bureau": l.makes, "advance": l.advances, "ship": l.posts, "deliver": l.delivers, "return": l.returns,
		"line": l.line, "renewal": l.renewal, "renewal too": l.renewal,
		"mails": l.mails, "sheet": l.reads,
	}
	for _, f := range forms() {
		all[string(f.kind)] = func(rt *rapid.T) { l.desk(rt, f) }
	}
	return all
}
