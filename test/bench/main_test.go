// Package bench measures the platform side by side with other people's software
// and writes one table: make bench, or scripts/bench.sh (docs/bench.md).
//
// Each line of the table belongs to a row (rows_test.go); each row has a file of
// its own. Rows measure CPU per operation rather than wall time, because the
// machine has other things to do; ours and the peer's rounds alternate
// (A B A B), the same questions go to both, and answers are checked. The figure
// is the median of the rounds. Nothing here asserts a time.
//
// It runs as root under test/foreign/pcscd.sh, in a network and a card service
// of its own. Without CSE_BENCH only the arithmetic of the table is tested. A
// row that cannot be measured is a failure: no program is optional.
package bench

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// row is a registered measurement: one file, one or more lines of the table.
type row struct {
	name    string
	measure func(t *testing.T, s size) []figure
}

// size says how much to measure.
type size struct {
	full bool
}

// of picks the count for a full run or for the short one.
func (s size) of(full, smoke int) int {
	if s.full {
		return full
	}
	return smoke
}

// rounds runs ours and the peer's in turn, most times, and gives the figures of
// each round. A row without a peer passes nil.
func (s size) rounds(most int, ours, peer func() float64) (a, b []float64) {
	for range s.of(most, min(most, 2)) {
		a = append(a, ours())
		if peer != nil {
			b = append(b, peer())
		}
	}
	return a, b
}

// programs are the peers and what drives them, with the Debian package of each.
var programs = []struct{ name, pkg string }{
	{"openssl", "openssl"},
	{"curl", "curl"},
	{"taskset", "util-linux"},
	{"pkcs11-tool", "opensc"},
	{"gcc", "gcc"},
}

// TestRows measures every row. Two variables come from scripts/bench.sh:
// CSE_BENCH is full or smoke, CSE_BENCH_OUT the file for the figures.
func TestRows(t *testing.T) {
	mode := os.Getenv("CSE_BENCH")
	switch mode {
	case "":
		t.Skip("nothing measured; run scripts/bench.sh")
	case "full", "smoke":
	default:
		t.Fatalf("CSE_BENCH=%q: full or smoke", mode)
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p.name); err != nil {
			t.Fatalf("%s is missing: apt-get install %s", p.name, p.pkg)
		}
	}
	fmt.Println(machine(t))
	before := readStat(t)
	var all []figure
	measured := 0
	for _, r := range rows {
		begin := time.Now()
		t.Run(r.name, func(t *testing.T) {
			figures := r.measure(t, size{full: mode == "full"})
			if len(figures) == 0 {
				t.Fatal("the row has no figure")
			}
			for _, f := range figures {
				if err := f.check(); err != nil {
					t.Fatal(err)
				}
			}
			all = append(all, figures...)
			measured++
			fmt.Fprintf(os.Stderr, "bench: %-14s %5.1f s\n", r.name, time.Since(begin).Seconds())
		})
	}
	if len(all) == 0 {
		t.Fatal("no row was measured")
	}
	fmt.Print(table(all))
	fmt.Println(busy(before, readStat(t)))
	if t.Failed() || measured < len(rows) {
		fmt.Printf("%d of %d rows measured: no file written\n", measured, len(rows))
		return
	}
	if err := write(os.Getenv("CSE_BENCH_OUT"), all); err != nil {
		t.Fatal(err)
	}
}
