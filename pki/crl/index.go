package crl

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"sort"
	"time"
)

// line is what an index keeps of an entry: the number, its sign carried on to
// maxSerial octets; the seconds of its date since year zero, five octets; the
// reason. Lines stand in order of their octets.
type line [maxSerial + 5 + 1]byte

// LineSize is what an entry takes in an index, in octets.
const LineSize = len(line{})

// yearZero is the first instant that a GeneralizedTime can tell.
var yearZero = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

func lineOf(e Entry) line {
	var l line
	number(l[:maxSerial], e.Serial)
	var at [8]byte
	binary.BigEndian.PutUint64(at[:], uint64(e.Since.Unix()-yearZero))
	copy(l[maxSerial:], at[3:])
	l[LineSize-1] = byte(e.Reason)
	return l
}

// number writes the content of an INTEGER with its sign carried on.
func number(to, content []byte) {
	if content[0] >= 0x80 {
		for i := range to {
			to[i] = 0xff
		}
	}
	copy(to[len(to)-len(content):], content)
}

func (l line) entry() Entry {
	s := l[:maxSerial]
	for len(s) > 1 && (s[0] == 0 && s[1] < 0x80 || s[0] == 0xff && s[1] >= 0x80) {
		s = s[1:]
	}
	var at [8]byte
	copy(at[3:], l[maxSerial:])
	return Entry{
		Serial: bytes.Clone(s), Since: time.Unix(int64(binary.BigEndian.Uint64(at[:]))+yearZero, 0).UTC(), Reason: int(int8(l[LineSize-1])),
	}
}

// Scratch is where an index is built, and then read: an empty file.
type Scratch interface {
	io.ReaderAt
	io.Writer
}

// Memory is a Scratch for lists that may be in memory.
type Memory struct{ bytes.Buffer }

// ReadAt implements io.ReaderAt.
func (m *Memory) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(m.Bytes()).ReadAt(p, off)
}

// Index answers for the numbers of a list, in some twenty looks each. It is safe
// for concurrent use when the Scratch is for reading.
type Index struct {
	r io.ReaderAt
	// Len is how many entries there are.
	Len int
}

// runLines is how many lines are put in order in memory: 1.8 MB.
const runLines = 64 << 10

// BuildIndex reads the entries and leaves their lines in order in to. A list whose
// entries are in order of their numbers, as ours are, is written as it is read; one
// that is not is put in order run by run in spare, which may be forgotten then.
func (l *List) BuildIndex(to, spare Scratch) (*Index, error) {
	n, ordered, err := l.ordered()
	if err != nil {
		return nil, err
	}
	ix, w := &Index{r: to, Len: n}, bufio.NewWriterSize(to, window)
	if ordered {
		err = l.pour(w)
	} else {
		err = l.sort(w, spare)
	}
	if err = errors.Join(err, w.Flush()); err != nil {
		return nil, fmt.Errorf("crl: index: %w", err)
	}
	return ix, nil
}

// ordered counts the entries and tells whether their lines are in order.
func (l *List) ordered() (n int, yes bool, err error) {
	var last line
	yes = true
	for e, err := range l.Entries() {
		if err != nil {
			return 0, false, err
		}
		x := lineOf(e)
		yes = yes && bytes.Compare(last[:], x[:]) <= 0
		last = x
		n++
	}
	return n, yes, nil
}

func (l *List) pour(w io.Writer) error {
	for e, err := range l.Entries() {
		if err != nil {
			return err
		}
		x := lineOf(e)
		if _, err := w.Write(x[:]); err != nil {
			return err
		}
	}
	return nil
}

// sort leaves ordered runs in spare and merges them into w.
func (l *List) sort(w io.Writer, spare Scratch) error {
	var ends []int64 // of the runs, in lines
	var total int64
	run := make([]line, 0, runLines)
	put := func() error {
		slices.SortFunc(run, func(a, b line) int { return bytes.Compare(a[:], b[:]) })
		out := bufio.NewWriterSize(spare, window)
		for i := range run {
			if _, err := out.Write(run[i][:]); err != nil {
				return err
			}
		}
		total += int64(len(run))
		ends, run = append(ends, total), run[:0]
		return out.Flush()
	}
	for e, err := range l.Entries() {
		if err != nil {
			return err
		}
		if run = append(run, lineOf(e)); len(run) == runLines {
			if err := put(); err != nil {
				return err
			}
		}
	}
	if err := put(); err != nil {
		return err
	}
	return merge(w, spare, ends)
}

// source is a run that is being read.
type source struct {
	r   *bufio.Reader
	now line
}

// step reads the next line; false at the run's end.
func (s *source) step() (bool, error) {
	_, err := io.ReadFull(s.r, s.now[:])
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	return err == nil, err
}

// sources is a heap: the run whose line comes first is on top.
type sources []*source

func (h sources) Len() int           { return len(h) }
func (h sources) Less(i, j int) bool { return bytes.Compare(h[i].now[:], h[j].now[:]) < 0 }
func (h sources) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *sources) Push(x any)        { *h = append(*h, x.(*source)) }
func (h *sources) Pop() any {
	x := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return x
}

func merge(w io.Writer, spare io.ReaderAt, ends []int64) error {
	var h sources
	var from int64
	for _, to := range ends {
		s := &source{r: bufio.NewReaderSize(io.NewSectionReader(spare, from*int64(LineSize), (to-from)*int64(LineSize)), 8<<10)}
		from = to
		if more, err := s.step(); err != nil {
			return err
		} else if more {
			h = append(h, s)
		}
	}
	heap.Init(&h)
	for len(h) > 0 {
		if _, err := w.Write(h[0].now[:]); err != nil {
			return err
		}
		more, err := h[0].step()
		switch {
		case err != nil:
			return err
		case more:
			heap.Fix(&h, 0)
		default:
			heap.Pop(&h)
		}
	}
	return nil
}

// Find looks for a serial number.
func (x *Index) Find(serial *big.Int) (found Entry, listed bool, err error) {
	c := content(serial)
	if len(c) > maxSerial {
		return Entry{}, false, nil
	}
	var want [maxSerial]byte
	number(want[:], c)
	var l line
	at := func(i int) line {
		if _, e := x.r.ReadAt(l[:], int64(i)*int64(LineSize)); e != nil && err == nil {
			err = fmt.Errorf("crl: index: %w", e)
		}
		return l
	}
	i := sort.Search(x.Len, func(i int) bool {
		y := at(i)
		return bytes.Compare(y[:maxSerial], want[:]) >= 0
	})
	for ; err == nil && i < x.Len; i++ {
		y := at(i)
		if !bytes.Equal(y[:maxSerial], want[:]) {
			break
		}
		if e := y.entry(); !listed || stricter(e.Reason, found.Reason) {
			found, listed = e, true
		}
	}
	if err != nil {
		return Entry{}, false, err
	}
	return found, listed, nil
}
