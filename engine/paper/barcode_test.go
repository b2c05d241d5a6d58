package paper

import (
	"bytes"
	"compress/zlib"
	"io"
	"math"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"

	"cse.example/cse/ground/words"
)

// code39Table is ISO/IEC 16388: five bars and four spaces, narrow or wide.
var code39Table = map[string]rune{
	"nnnwwnwnn": '0', "wnnwnnnnw": '1', "nnwwnnnnw": '2', "wnwwnnnnn": '3', "nnnwwnnnw": '4', "wnnwwnnnn": '5', "nnwwwnnnn": '6', "nnnwnnwnw": '7',
	"wnnwnnwnn": '8', "nnwwnnwnn": '9', "wnnnnwnnw": 'A', "nnwnnwnnw": 'B', "wnwnnwnnn": 'C', "nnnnwwnnw": 'D', "wnnnwwnnn": 'E', "nnwnwwnnn": 'F',
	"nnnnnwwnw": 'G', "wnnnnwwnn": 'H', "nnwnnwwnn": 'I', "nnnnwwwnn": 'J', "wnnnnnnww": 'K', "nnwnnnnww": 'L', "wnwnnnnwn": 'M', "nnnnwnnww": 'N',
	"wnnnwnnwn": 'O', "nnwnwnnwn": 'P', "nnnnnnwww": 'Q', "wnnnnnwwn": 'R', "nnwnnnwwn": 'S', "nnnnwnwwn": 'T', "wwnnnnnnw": 'U', "nwwnnnnnw": 'V',
	"wwwnnnnnn": 'W', "nwnnwnnnw": 'X', "wwnnwnnnn": 'Y', "nwwnwnnnn": 'Z', "nwnnwnwnn": '*',
}

var filledRect = regexp.MustCompile(`(-?[0-9.]+) (-?[0-9.]+) (-?[0-9.]+) (-?[0-9.]+) re f\n`)

// bar is one filled rectangle: left end and width, in modules.
type bar struct{ x, w float64 }

// rows reads the filled rectangles of the first page, by height on the page
// (top first), each row from left to right.
func rows(t *testing.T, pdf []byte) [][]bar {
	t.Helper()
	var page []byte
	for _, m := range stream.FindAllSubmatch(pdf, -1) {
		z, err := zlib.NewReader(bytes.NewReader(m[1]))
		if err != nil {
			continue
		}
		if page, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
		break
	}
	byHeight := map[float64][]bar{}
	for _, m := range filledRect.FindAllSubmatch(page, -1) {
		var n [4]float64
		for i := range n {
			n[i], _ = strconv.ParseFloat(string(m[i+1]), 64)
		}
		const points = module * 72 / 25.4
		byHeight[n[1]] = append(byHeight[n[1]], bar{n[0] / points, n[2] / points})
	}
	var heights []float64
	for h := range byHeight {
		heights = append(heights, h)
	}
	sort.Sort(sort.Reverse(sort.Float64Slice(heights)))
	var out [][]bar
	for _, h := range heights {
		row := byHeight[h]
		sort.Slice(row, func(i, j int) bool { return row[i].x < row[j].x })
		out = append(out, row)
	}
	return out
}

// TestCode39 reads the codice fiscale back from the bars as drawn.
func TestCode39(t *testing.T) {
	all := rows(t, documents(t, words.Italian)["activation"])
	if len(all) != 2 {
		t.Fatalf("%d barcodes, want the protocol number and the codice fiscale", len(all))
	}
	row := all[1]
	var elements strings.Builder
	for i, b := range row {
		width := func(w float64) {
			if w > 1.5 {
				elements.WriteByte('w')
			} else {
				elements.WriteByte('n')
			}
		}
		width(b.w)
		if i+1 < len(row) {
			width(row[i+1].x - b.x - b.w)
		}
	}
	var got strings.Builder
	for s := elements.String(); len(s) >= 9; s = s[min(10, len(s)):] { // nine elements and a gap
		c, ok := code39Table[s[:9]]
		if !ok {
			t.Fatalf("%q is no character, after %q", s[:9], got.String())
		}
		got.WriteRune(c)
	}
	if got.String() != "*"+holder.CF+"*" {
		t.Errorf("the bars say %q", got.String())
	}
}

// TestCode128 looks at the shape of the protocol number's bars: characters of
// eleven modules, a stop of thirteen, edges on whole modules, inside the margin.
func TestCode128(t *testing.T) {
	row := rows(t, documents(t, words.Italian)["codes"])[0]
	first, last := row[0], row[len(row)-1]
	modules := last.x + last.w - first.x
	if n := math.Round(modules); math.Abs(modules-n) > 0.1 || (int(n)-13)%11 != 0 || len(row)%3 != 1 {
		t.Errorf("%.2f modules in %d bars", modules, len(row))
	}
	for _, b := range row {
		if x, w := b.x-first.x, b.w; math.Abs(x-math.Round(x)) > 0.1 || math.Abs(w-math.Round(w)) > 0.1 || w > 4.1 {
			t.Errorf("a bar of %.2f modules at %.2f", w, x)
		}
	}
	if right := (last.x + last.w) * module; right > pageWidth-margin+0.1 {
		t.Errorf("the bars end at %.1f mm", right)
	}
}
