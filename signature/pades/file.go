package pades

import (
	"bytes"
	"compress/zlib"
	"io"
	"strconv"

	"cse.example/cse/ground/words"
)

// Limits of what is read.
const (
	maxObjects   = 1 << 20
	maxRevisions = 500
	maxUnpacked  = 16 << 20 // octets of one stream of objects or of references
	maxUnpacking = 64 << 20
	maxValues    = 12_000_000 // of all revisions of a file together
)

// place is where an object lies: at an offset, or as number index in a stream
// of objects.
type place struct {
	kind   byte // 'n' in use, 'f' free, 'c' inside the stream of objects
	offset int  // or the stream's number
	gen    int  // or the index
}

// file is a PDF as it was up to some octet.
type file struct {
	b       []byte
	places  map[int]place
	trailer dict
	// start is the offset of the last cross-reference section, and byStream tells
	// its kind.
	start    int
	byStream bool

	cache    map[int]any
	packed   map[int][]any // objects of a stream, in order
	numbers  map[int][]int
	unpacked int
	busy     map[int]bool
	budget   *int
}

// open reads a file's cross-references. Nothing is repaired: a file whose
// references are wrong shows different things in different programs.
func open(b []byte) (*file, error) {
	budget := maxValues
	return openWithin(b, &budget)
}

// openWithin is open within a budget of values that several revisions share.
func openWithin(b []byte, budget *int) (*file, error) {
	if !bytes.HasPrefix(b, []byte("%PDF-")) {
		return nil, broken("it does not begin as a PDF")
	}
	tail := b[max(0, len(b)-1024):]
	i := bytes.LastIndex(tail, []byte("startxref"))
	if i < 0 {
		return nil, broken("no startxref at the end")
	}
	l := &lexer{b: tail, pos: i + len("startxref")}
	n, err := l.object(0)
	start, ok := n.(int64)
	if err != nil || !ok {
		return nil, broken("no startxref at the end")
	}
	end := bytes.TrimLeft(tail[l.pos:], "\r\n\t ")
	rest, found := bytes.CutPrefix(end, []byte("%%EOF"))
	if !found || len(bytes.Trim(rest, "\r\n\t \x00")) > 0 {
		return nil, broken("no %%%%EOF at the end")
	}
	f := &file{
		b: b, places: map[int]place{}, start: int(start),
		cache: map[int]any{}, packed: map[int][]any{}, numbers: map[int][]int{}, busy: map[int]bool{},
		budget: budget,
	}
	if err := f.references(start); err != nil {
		return nil, err
	}
	if f.trailer["Encrypt"] != nil {
		return nil, words.Refuse("CSE-726")
	}
	return f, nil
}

// references follows the sections from the newest to the oldest.
func (f *file) references(at int64) error {
	seen := map[int64]bool{}
	queue := []int64{at}
	for len(queue) > 0 {
		at, queue = queue[0], queue[1:]
		if seen[at] || len(seen) > maxRevisions {
			return broken("cross-references in a circle")
		}
		seen[at] = true
		if at < 0 || at >= int64(len(f.b)) {
			return broken("cross-references outside the file")
		}
		l := f.lexer(int(at))
		l.skip()
		var t dict
		var err error
		table := l.peek("xref")
		if table {
			t, err = f.table(l)
		} else {
			t, err = f.refStream(l)
		}
		if err != nil {
			return err
		}
		if f.trailer == nil {
			f.trailer, f.byStream = t, !table
		}
		if v, ok := t["XRefStm"].(int64); ok && table {
			queue = append([]int64{v}, queue...)
		}
		if v, ok := t["Prev"].(int64); ok {
			queue = append(queue, v)
		} else if t["Prev"] != nil {
			return broken("a malformed Prev")
		}
	}
	return nil
}

func (f *file) lexer(at int) *lexer { return &lexer{b: f.b, pos: at, budget: f.budget} }

func (f *file) put(num int, p place) error {
	if num < 0 || num > maxObjects {
		return broken("object number %d", num)
	}
	if _, newer := f.places[num]; !newer {
		f.places[num] = p
	}
	return nil
}

// table reads a classical section and its trailer.
func (f *file) table(l *lexer) (dict, error) {
	l.pos += len("xref")
	for {
		v, err := l.object(0)
		if err != nil {
			return nil, err
		}
		if v == keyword("trailer") {
			break
		}
		first, ok := v.(int64)
		v, err = l.object(0)
		n, ok2 := v.(int64)
		if err != nil || !ok || !ok2 || first < 0 || n < 0 || first+n > maxObjects {
			return nil, broken("a malformed cross-reference table")
		}
		for i := range n {
			l.skip()
			offset, err1 := strconv.Atoi(l.token())
			l.skip()
			gen, err2 := strconv.Atoi(l.token())
			l.skip()
			kind := l.token()
			if err1 != nil || err2 != nil || (kind != "n" && kind != "f") {
				return nil, broken("a malformed cross-reference table")
			}
			if err := f.put(int(first+i), place{kind[0], offset, gen}); err != nil {
				return nil, err
			}
		}
	}
	v, err := l.object(0)
	if err != nil {
		return nil, err
	}
	t, ok := v.(dict)
	if !ok {
		return nil, broken("no trailer")
	}
	return t, nil
}

// refStream reads a cross-reference stream (ISO 32000-1, 7.5.8).
func (f *file) refStream(l *lexer) (dict, error) {
	_, _, v, err := f.indirect(l)
	if err != nil {
		return nil, err
	}
	s, ok := v.(*stream)
	if !ok || s.dict["Type"] != name("XRef") {
		return nil, broken("no cross-references where they should be")
	}
	data, err := f.unpack(s)
	if err != nil {
		return nil, err
	}
	var w [3]int
	widths, _ := s.dict["W"].(array)
	if len(widths) != 3 {
		return nil, broken("a malformed cross-reference stream")
	}
	for i, x := range widths {
		n, ok := x.(int64)
		if !ok || n < 0 || n > 8 {
			return nil, broken("a malformed cross-reference stream")
		}
		w[i] = int(n)
	}
	size, _ := s.dict["Size"].(int64)
	index, _ := s.dict["Index"].(array)
	if index == nil {
		index = array{int64(0), size}
	}
	row := w[0] + w[1] + w[2]
	if row == 0 || len(index)%2 != 0 {
		return nil, broken("a malformed cross-reference stream")
	}
	for i := 0; i < len(index); i += 2 {
		first, ok1 := index[i].(int64)
		n, ok2 := index[i+1].(int64)
		if !ok1 || !ok2 || first < 0 || n < 0 || first+n > maxObjects || int(n)*row > len(data) {
			return nil, broken("a malformed cross-reference stream")
		}
		for k := range int(n) {
			kind, a, b := field(data, w[0], 1), field(data[w[0]:], w[1], 0), field(data[w[0]+w[1]:], w[2], 0)
			data = data[row:]
			p := place{'f', a, b}
			switch kind {
			case 1:
				p.kind = 'n'
			case 2:
				p.kind = 'c'
			}
			if err := f.put(int(first)+k, p); err != nil {
				return nil, err
			}
		}
	}
	return s.dict, nil
}

// field is a number of w octets; without octets it is the default.
func field(b []byte, w, def int) int {
	if w == 0 {
		return def
	}
	v := 0
	for _, c := range b[:w] {
		if v > 1<<40 {
			return -1
		}
		v = v<<8 | int(c)
	}
	return v
}

// indirect reads "n g obj …".
func (f *file) indirect(l *lexer) (num, gen int, v any, err error) {
	a, err1 := l.object(0)
	b, err2 := l.object(0)
	c, err3 := l.object(0)
	n, ok1 := a.(int64)
	g, ok2 := b.(int64)
	if err1 != nil || err2 != nil || err3 != nil || !ok1 || !ok2 || c != keyword("obj") {
		return 0, 0, nil, broken("no object where one should be")
	}
	if v, err = l.object(0); err != nil {
		return 0, 0, nil, err
	}
	d, ok := v.(dict)
	l.skip()
	if !ok || !l.peek("stream") {
		if !l.peek("endobj") {
			return 0, 0, nil, broken("an object without end")
		}
		return int(n), int(g), v, nil
	}
	l.pos += len("stream")
	if l.peek("\r\n") {
		l.pos += 2
	} else if l.peek("\n") {
		l.pos++
	}
	length, ok := f.resolve(d["Length"]).(int64)
	if !ok || length < 0 || length > int64(len(l.b)-l.pos) {
		return 0, 0, nil, broken("a stream of unknown length")
	}
	s := &stream{dict: d, raw: l.b[l.pos : l.pos+int(length)]}
	l.pos += int(length)
	l.skip()
	if !l.peek("endstream") {
		return 0, 0, nil, broken("a stream without end")
	}
	return int(n), int(g), s, nil
}

// resolve follows a reference to its object; what cannot be read is nil, as
// the standard says of references to nothing.
func (f *file) resolve(v any) any {
	for range 20 {
		r, ok := v.(ref)
		if !ok {
			return v
		}
		var err error
		if v, err = f.get(r); err != nil {
			return nil
		}
	}
	return nil
}

// get reads the object of a reference.
func (f *file) get(r ref) (any, error) {
	if v, ok := f.cache[r.num]; ok {
		return v, nil
	}
	p, ok := f.places[r.num]
	if !ok || p.kind == 'f' {
		return nil, nil
	}
	if f.busy[r.num] {
		return nil, broken("an object inside itself")
	}
	f.busy[r.num] = true
	defer delete(f.busy, r.num)
	var v any
	if p.kind == 'c' {
		var err error
		if v, err = f.fromStream(p.offset, p.gen, r.num); err != nil {
			return nil, err
		}
	} else {
		if p.offset <= 0 || p.offset >= len(f.b) {
			return nil, broken("object %d outside the file", r.num)
		}
		num, gen, got, err := f.indirect(f.lexer(p.offset))
		if err != nil {
			return nil, err
		}
		if num != r.num || gen != r.gen || gen != p.gen {
			return nil, broken("object %d where %d should be", num, r.num)
		}
		v = got
	}
	f.cache[r.num] = v
	return v, nil
}

// fromStream reads an object from a stream of objects (ISO 32000-1, 7.5.7).
func (f *file) fromStream(holder, index, num int) (any, error) {
	if _, done := f.packed[holder]; !done {
		if p := f.places[holder]; p.kind != 'n' {
			return nil, broken("a stream of objects inside another")
		}
		v, err := f.get(ref{holder, f.places[holder].gen})
		if err != nil {
			return nil, err
		}
		s, ok := v.(*stream)
		if !ok || s.dict["Type"] != name("ObjStm") {
			return nil, broken("object %d is no stream of objects", holder)
		}
		if err := f.unpackObjects(holder, s); err != nil {
			return nil, err
		}
	}
	if index < 0 || index >= len(f.packed[holder]) || f.numbers[holder][index] != num {
		return nil, broken("object %d is not in its stream", num)
	}
	return f.packed[holder][index], nil
}

func (f *file) unpackObjects(holder int, s *stream) error {
	data, err := f.unpack(s)
	if err != nil {
		return err
	}
	n, ok1 := f.resolve(s.dict["N"]).(int64)
	first, ok2 := f.resolve(s.dict["First"]).(int64)
	if !ok1 || !ok2 || n < 0 || n > maxObjects || first < 0 || first > int64(len(data)) {
		return broken("a malformed stream of objects")
	}
	head := &lexer{b: data[:first], budget: f.budget}
	objects, numbers := []any{}, []int{}
	for range n {
		a, err1 := head.object(0)
		b, err2 := head.object(0)
		num, ok1 := a.(int64)
		off, ok2 := b.(int64)
		if err1 != nil || err2 != nil || !ok1 || !ok2 || off < 0 || first+off > int64(len(data)) {
			return broken("a malformed stream of objects")
		}
		v, err := (&lexer{b: data, pos: int(first + off), budget: f.budget}).object(0)
		if err != nil {
			return err
		}
		objects, numbers = append(objects, unplaced(v)), append(numbers, int(num))
	}
	f.packed[holder], f.numbers[holder] = objects, numbers
	return nil
}

// unplaced takes away the places of strings that do not stand in the file itself.
func unplaced(v any) any {
	switch x := v.(type) {
	case text:
		x.start, x.end = -1, -1
		return x
	case array:
		for i := range x {
			x[i] = unplaced(x[i])
		}
	case dict:
		for k := range x {
			x[k] = unplaced(x[k])
		}
	}
	return v
}

// unpack undoes FlateDecode with its predictors; other filters are not met in
// streams of objects or references.
func (f *file) unpack(s *stream) ([]byte, error) {
	filter := f.resolve(s.dict["Filter"])
	params, _ := f.resolve(s.dict["DecodeParms"]).(dict)
	if a, ok := filter.(array); ok {
		if len(a) > 1 {
			return nil, broken("several filters of a stream of objects")
		}
		filter = nil
		if len(a) == 1 {
			filter = f.resolve(a[0])
			if p, ok := f.resolve(s.dict["DecodeParms"]).(array); ok && len(p) == 1 {
				params, _ = f.resolve(p[0]).(dict)
			}
		}
	}
	switch filter {
	case nil:
		return s.raw, nil
	case name("FlateDecode"):
	default:
		return nil, broken("a filter of a stream of objects")
	}
	z, err := zlib.NewReader(bytes.NewReader(s.raw))
	if err != nil {
		return nil, broken("a stream that cannot be unpacked")
	}
	out, err := io.ReadAll(io.LimitReader(z, maxUnpacked+1))
	if err != nil {
		return nil, broken("a stream that cannot be unpacked")
	}
	if f.unpacked += len(out); len(out) > maxUnpacked || f.unpacked > maxUnpacking {
		return nil, broken("a stream that unpacks to more than %d MB", maxUnpacked>>20)
	}
	return unpredict(out, params)
}

// unpredict undoes the PNG predictors (ISO 32000-1, 7.4.4.4).
func unpredict(in []byte, params dict) ([]byte, error) {
	p, _ := params["Predictor"].(int64)
	if p <= 1 {
		return in, nil
	}
	columns, colors, bits := int64(1), int64(1), int64(8)
	if v, ok := params["Columns"].(int64); ok {
		columns = v
	}
	if v, ok := params["Colors"].(int64); ok {
		colors = v
	}
	if v, ok := params["BitsPerComponent"].(int64); ok {
		bits = v
	}
	if p < 10 || colors != 1 || bits != 8 || columns < 1 || columns > 1<<16 {
		return nil, broken("a predictor of a stream of objects")
	}
	row := int(columns)
	prev := make([]byte, row)
	var out []byte
	for len(in) > row {
		kind, line := in[0], bytes.Clone(in[1:row+1])
		in = in[row+1:]
		for i := range line {
			var left, up, corner byte
			up = prev[i]
			if i > 0 {
				left, corner = line[i-1], prev[i-1]
			}
			switch kind {
			case 0:
			case 1:
				line[i] += left
			case 2:
				line[i] += up
			case 3:
				line[i] += byte((int(left) + int(up)) / 2)
			case 4:
				line[i] += paeth(left, up, corner)
			default:
				return nil, broken("a predictor of a stream of objects")
			}
		}
		out = append(out, line...)
		prev = line
	}
	return out, nil
}

func paeth(a, b, c byte) byte {
	p := int(a) + int(b) - int(c)
	pa, pb, pc := abs(p-int(a)), abs(p-int(b)), abs(p-int(c))
	switch {
	case pa <= pb && pa <= pc:
		return a
	case pb <= pc:
		return b
	}
	return c
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// catalog is the root of the document.
func (f *file) catalog() (dict, error) {
	r, ok := f.trailer["Root"].(ref)
	if !ok {
		return nil, broken("no catalog")
	}
	v, err := f.get(r)
	if err != nil {
		return nil, err
	}
	d, ok := v.(dict)
	if !ok {
		return nil, broken("no catalog")
	}
	return d, nil
}
