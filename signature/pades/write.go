package pades

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
)

// appendObject writes an object as PDF.
func appendObject(to []byte, v any) []byte {
	switch x := v.(type) {
	case nil:
		return append(to, "null"...)
	case bool:
		return strconv.AppendBool(to, x)
	case int:
		return strconv.AppendInt(to, int64(x), 10)
	case int64:
		return strconv.AppendInt(to, x, 10)
	case float64:
		return strconv.AppendFloat(to, x, 'f', -1, 64)
	case name:
		return appendName(to, x)
	case text:
		return fmt.Appendf(to, "<%X>", x.b)
	case ref:
		return fmt.Appendf(to, "%d %d R", x.num, x.gen)
	case verbatim:
		return append(to, x...)
	case array:
		to = append(to, '[')
		for i, e := range x {
			if i > 0 {
				to = append(to, ' ')
			}
			to = appendObject(to, e)
		}
		return append(to, ']')
	case dict:
		keys := make([]name, 0, len(x))
		for k := range x {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		to = append(to, "<<"...)
		for _, k := range keys {
			to = append(appendObject(append(appendName(to, k), ' '), x[k]), '\n')
		}
		return append(to, ">>"...)
	case *stream:
		d := dict{}
		for k, v := range x.dict {
			d[k] = v
		}
		d["Length"] = len(x.raw)
		to = append(appendObject(to, d), "\nstream\n"...)
		return append(append(to, x.raw...), "\nendstream"...)
	}
	return append(to, "null"...)
}

// verbatim is written as it is.
type verbatim string

func appendName(to []byte, n name) []byte {
	to = append(to, '/')
	for _, c := range []byte(n) {
		if c <= ' ' || c > '~' || c == '#' || delimiter(c) {
			to = fmt.Appendf(to, "#%02X", c)
			continue
		}
		to = append(to, c)
	}
	return to
}

// update is an incremental update being written.
type update struct {
	f       *file
	out     []byte
	next    int
	objects map[int]place
}

func (f *file) update() *update {
	next := 1
	for n := range f.places {
		next = max(next, n+1)
	}
	if size, ok := f.trailer["Size"].(int64); ok && size < maxObjects {
		next = max(next, int(size))
	}
	u := &update{f: f, out: slices.Clone(f.b), next: next, objects: map[int]place{}}
	if !bytes.HasSuffix(u.out, []byte("\n")) {
		u.out = append(u.out, '\n')
	}
	return u
}

// reserve takes a new object number.
func (u *update) reserve() ref {
	u.next++
	return ref{u.next - 1, 0}
}

// write writes an object, new or instead of an older one.
func (u *update) write(r ref, v any) {
	u.objects[r.num] = place{'n', len(u.out), r.gen}
	u.out = fmt.Appendf(u.out, "%d %d obj\n", r.num, r.gen)
	u.out = append(appendObject(u.out, v), "\nendobj\n"...)
}

// finish writes the cross-references of the update.
func (u *update) finish() []byte {
	t := dict{"Prev": int64(u.f.start), "Root": u.f.trailer["Root"]}
	for _, k := range []name{"Info", "ID"} {
		if v := u.f.trailer[k]; v != nil {
			t[k] = v
		}
	}
	if u.f.byStream {
		return u.finishStream(t)
	}
	start := len(u.out)
	u.out = append(u.out, "xref\n"...)
	for _, run := range u.runs() {
		u.out = fmt.Appendf(u.out, "%d %d\n", run[0], len(run))
		for _, n := range run {
			u.out = fmt.Appendf(u.out, "%010d %05d n \n", u.objects[n].offset, u.objects[n].gen)
		}
	}
	t["Size"] = u.next
	u.out = append(appendObject(append(u.out, "trailer\n"...), t), '\n')
	return fmt.Appendf(u.out, "startxref\n%d\n%%%%EOF\n", start)
}

func (u *update) finishStream(t dict) []byte {
	self := u.reserve()
	start := len(u.out)
	u.objects[self.num] = place{'n', start, 0}
	var rows []byte
	index := array{}
	for _, run := range u.runs() {
		index = append(index, run[0], len(run))
		for _, n := range run {
			p := u.objects[n]
			rows = append(rows, 1, byte(p.offset>>32), byte(p.offset>>24), byte(p.offset>>16), byte(p.offset>>8), byte(p.offset), byte(p.gen>>8), byte(p.gen))
		}
	}
	t["Type"], t["W"], t["Index"], t["Size"] = name("XRef"), array{1, 5, 2}, index, u.next
	u.write(self, &stream{dict: t, raw: rows})
	return fmt.Appendf(u.out, "startxref\n%d\n%%%%EOF\n", start)
}

// runs are the object numbers in stretches without gaps.
func (u *update) runs() [][]int {
	var all []int
	for n := range u.objects {
		all = append(all, n)
	}
	slices.Sort(all)
	var out [][]int
	for _, n := range all {
		if last := len(out) - 1; last >= 0 && out[last][len(out[last])-1] == n-1 {
			out[last] = append(out[last], n)
			continue
		}
		out = append(out, []int{n})
	}
	return out
}

// textString is a text string of PDF: as it is when plain, else UTF-16.
func textString(s string) text {
	for _, r := range s {
		if r > '~' || r < ' ' {
			b := []byte{0xFE, 0xFF}
			for _, u := range utf16.Encode([]rune(s)) {
				b = append(b, byte(u>>8), byte(u))
			}
			return text{b: b}
		}
	}
	return text{b: []byte(s)}
}

func fromUTF16(b []byte) string {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
	}
	return string(utf16.Decode(u))
}

// shown draws lines of text in a box, as a form XObject.
func shown(lines []string, width, height float64) *stream {
	size := min(10, (height-8)/(1.25*float64(max(len(lines), 1))))
	var sb strings.Builder
	fmt.Fprintf(&sb, "0.6 w 0.3 0.3 0.3 RG 0.5 0.5 %.2f %.2f re S\nBT /F1 %.2f Tf 0 g %.2f TL 5 %.2f Td\n", width-1, height-1, size, size*1.25, height-4-size)
	for i, line := range lines {
		if i > 0 {
			sb.WriteString("T* ")
		}
		b, err := charmap.Windows1252.NewEncoder().Bytes([]byte(line))
		if err != nil {
			b = []byte(strings.Map(func(r rune) rune {
				if r > '~' {
					return '?'
				}
				return r
			}, line))
		}
		fmt.Fprintf(&sb, "<%X> Tj\n", b)
	}
	sb.WriteString("ET")
	return &stream{raw: []byte(sb.String()), dict: dict{
		"Type": name("XObject"), "Subtype": name("Form"), "BBox": array{0, 0, width, height},
		"Resources": dict{"Font": dict{"F1": dict{
			"Type": name("Font"), "Subtype": name("Type1"), "BaseFont": name("Helvetica"), "Encoding": name("WinAnsiEncoding"),
		}}},
	}}
}
