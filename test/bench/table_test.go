package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// figure is one line of the table: what each round gave.
type figure struct {
	name string
	// unit ends in /s or /CPU-s when more is better; of anything else less is.
	unit string
	ours []float64
	// peer is empty when nobody does the same; beside says who is compared.
	peer   []float64
	beside string
}

// check refuses a figure that was not measured.
func (f figure) check() error {
	if f.name == "" || f.unit == "" || len(f.ours) == 0 || (len(f.peer) > 0) != (f.beside != "") {
		return fmt.Errorf("figure %+v is not complete", f)
	}
	for _, x := range slices.Concat(f.ours, f.peer) {
		if none := x == 0 && f.unit == "errors"; !(x > 0 || none) || math.IsInf(x, 0) {
			return fmt.Errorf("%s: %v is not a measurement", f.name, x)
		}
	}
	return nil
}

// moreIsBetter tells a rate from a cost.
func (f figure) moreIsBetter() bool {
	return strings.HasSuffix(f.unit, "/s") || strings.HasSuffix(f.unit, "/CPU-s")
}

// entry is a line of bench.json. Peer and Ratio (ours / peer) are null when
// there is no peer.
type entry struct {
	Name  string   `json:"name"`
	Unit  string   `json:"unit"`
	Ours  float64  `json:"ours"`
	Peer  *float64 `json:"peer"`
	Ratio *float64 `json:"ratio"`
}

func (f figure) entry() entry {
	ours := median(f.ours)
	e := entry{Name: f.name, Unit: f.unit, Ours: round(ours)}
	if len(f.peer) > 0 {
		peer := median(f.peer)
		p, r := round(peer), round(ours/peer)
		e.Peer, e.Ratio = &p, &r
	}
	return e
}

func median(xs []float64) float64 {
	s := slices.Sorted(slices.Values(xs))
	n := len(s)
	if n%2 == 1 {
		return s[n/2]
	}
	return (s[n/2-1] + s[n/2]) / 2
}

// round keeps three significant digits, or the whole part when it has more: no
// figure here is better than that.
func round(x float64) float64 {
	if math.Abs(x) >= 100 {
		return math.Round(x)
	}
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 3, 64), 64)
	if err != nil {
		return x // cannot happen: it was just written
	}
	return y
}

// write puts the figures into the file at path, whole or not at all.
func write(path string, figures []figure) error {
	if path == "" {
		return errors.New("CSE_BENCH_OUT names no file")
	}
	entries := make([]entry, len(figures))
	for i, f := range figures {
		entries[i] = f.entry()
	}
	b, err := json.MarshalIndent(entries, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(b, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// table is the figures for people. The spread of the rounds stands beside each
// median; the ratio is ours / peer, followed by who is the better by how much.
func table(figures []figure) string {
	lines := [][]string{{"", "unit", "ours", "spread", "peer", "spread", "ratio", "", "beside"}}
	for _, f := range figures {
		e := f.entry()
		l := []string{f.name, f.unit, number(e.Ours), spread(f.ours), "–", "", "–", "", "nobody"}
		if e.Peer != nil {
			l = []string{f.name, f.unit, number(e.Ours), spread(f.ours), number(*e.Peer), spread(f.peer), number(*e.Ratio), f.verdict(), f.beside}
		}
		lines = append(lines, l)
	}
	width := make([]int, len(lines[0]))
	for _, l := range lines {
		for i, cell := range l {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	for _, l := range lines {
		var row strings.Builder
		for i, cell := range l {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i >= 2 && i <= 6 { // figures stand to the right
				cell, pad = pad+cell, ""
			}
			row.WriteString(cell + pad + "  ")
		}
		out.WriteString(strings.TrimRight(row.String(), " ") + "\n")
	}
	return out.String()
}

func number(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// spread is half of what lies between the extreme rounds, in per cent of the median.
func spread(xs []float64) string {
	if median(xs) == 0 {
		return ""
	}
	return fmt.Sprintf("±%.0f%%", 50*(slices.Max(xs)-slices.Min(xs))/median(xs))
}

// verdict says whether the ratio is for us or against us.
func (f figure) verdict() string {
	r := median(f.ours) / median(f.peer)
	if !f.moreIsBetter() {
		r = 1 / r
	}
	if r >= 1 {
		return fmt.Sprintf("%s× better", number(round(r)))
	}
	return fmt.Sprintf("%s× worse", number(round(1/r)))
}

func TestFigures(t *testing.T) {
	tests := []struct {
		f              figure
		entry, verdict string
	}{
		{figure{"a", "cards/CPU-s", []float64{3, 1, 2}, []float64{4, 4}, "x"}, `{"name":"a","unit":"cards/CPU-s","ours":2,"peer":4,"ratio":0.5}`, "2× worse"},
		{figure{"b", "APDUs/login", []float64{10}, []float64{40}, "x"}, `{"name":"b","unit":"APDUs/login","ours":10,"peer":40,"ratio":0.25}`, "4× better"},
		{figure{"c", "rows/s", []float64{1234.56, 1300}, []float64{1}, "x"}, `{"name":"c","unit":"rows/s","ours":1267,"peer":1,"ratio":1267}`, "1267× better"},
		{figure{"d", "MiB", []float64{0.012345}, nil, ""}, `{"name":"d","unit":"MiB","ours":0.0123,"peer":null,"ratio":null}`, ""},
	}
	for _, tt := range tests {
		if err := tt.f.check(); err != nil {
			t.Error(err)
		}
		if got, err := json.Marshal(tt.f.entry()); err != nil || string(got) != tt.entry {
			t.Errorf("got %s (%v), want %s", got, err, tt.entry)
		}
		if tt.verdict == "" {
			continue
		}
		if got := tt.f.verdict(); got != tt.verdict {
			t.Errorf("%s: got %q, want %q", tt.f.name, got, tt.verdict)
		}
	}
	for _, f := range []figure{
		{},
		{"none", "s", nil, nil, ""},
		{"nil", "s", []float64{1, 0}, nil, ""},
		{"nan", "s", []float64{math.NaN()}, nil, ""},
		{"infinite", "s", []float64{math.Inf(1)}, nil, ""},
		{"peer at nil", "s", []float64{1}, []float64{0}, "x"},
		{"a peer without a name", "s", []float64{1}, []float64{1}, ""},
		{"a name without a peer", "s", []float64{1}, nil, "x"},
	} {
		if f.check() == nil {
			t.Errorf("%+v was taken for a measurement", f)
		}
	}
}

func TestTable(t *testing.T) {
	got := table([]figure{
		{"cards", "cards/CPU-s", []float64{25, 24, 26}, []float64{6}, "openssl"},
		{"memory", "MiB", []float64{120}, nil, ""},
	})
	want := "" +
		"        unit         ours  spread  peer  spread  ratio                beside\n" +
		"cards   cards/CPU-s    25     ±4%     6     ±0%   4.17  4.17× better  openssl\n" +
		"memory  MiB           120     ±0%     –              –                nobody\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench.json")
	if err := write(path, []figure{{"a", "s", []float64{1}, nil, ""}}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []entry
	if err := json.Unmarshal(b, &got); err != nil || len(got) != 1 || got[0].Ours != 1 {
		t.Errorf("got %s (%v)", b, err)
	}
	if write("", nil) == nil {
		t.Error("written to no file")
	}
}
