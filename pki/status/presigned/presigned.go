// Package presigned keeps signed OCSP answers in files, so that a Region's can be
// given by machines that have neither database nor key.
//
// A file holds one issuer's answers as status.Records, 168 octets each with a
// P-256 responder (40 and two signatures of 64), ordered by serial number, then an
// index of the first bits of the number, a description, and SHA-256 over all of it.
// There are two signatures because a client finds its answer by its CertID, which
// names the issuer by SHA-1 or by SHA-256; everything else of the two answers is
// the same and is written once, or, where it is the same for all, not at all: it
// stands in the Letterhead, which the description carries. Four million answers
// take some 670 MB of disk and no memory but the index: they are read with ReadAt,
// a run of a few records for each question.
//
// Files come in pairs: a base of all certificates, and a delta of those that moved
// since, which names its base. Both are written beside their place and renamed. An
// Issue writes them, a Tier serves from them.
//
// Refused: a file that is cut, damaged, of another kind, or of a future format
// (CSE-952); answers before their thisUpdate or from their nextUpdate on are not
// given.
package presigned

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"sort"
	"sync"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/pki/status"
)

// magic begins a file, and names its format.
var magic = []byte("CSE OCSP answers 1\n")

// footer is the end of a file: where index and description begin, and the sum.
const footerSize = 8 + 8 + sha256.Size

// About describes a file.
type About struct {
	// ID names the file; Base is the base that a delta belongs to, empty for one.
	ID   string `json:"id"`
	Base string `json:"base,omitempty"`
	// Label is the authority's, Issuing its certificate, Responders those of the
	// records, by their Head.
	Label      string   `json:"label"`
	Issuing    []byte   `json:"issuing"`
	Responders [][]byte `json:"responders"`
	// Place in the order of changes up to which the file is known to be complete.
	Place int64 `json:"place"`
	// Made is when it was written; First and Last are the earliest and the latest
	// nextUpdate.
	Made  time.Time `json:"made"`
	First time.Time `json:"first_next_update"`
	Last  time.Time `json:"last_next_update"`
	// Records, their Width of a signature, and the Bits of the index.
	Records int `json:"records"`
	Width   int `json:"width"`
	Bits    int `json:"bits"`
}

// maxBits bounds the index: 4 MB; deltaBits that of a delta, which is written often.
const maxBits, deltaBits = 20, 12

// Writer writes a file. Add in order of serial number, then Close.
type Writer struct {
	about  About
	w      *bufio.Writer
	sum    hash.Hash
	at     uint64
	last   [status.SerialSize]byte
	bits   int
	counts []uint32 // of records, by the first bits of the number
	buf    []byte
	first  uint32
	end    uint32
	err    error
}

// NewWriter begins a file; about.Records and so on are filled in by Close.
func NewWriter(w io.Writer, about About) *Writer {
	bits := maxBits
	if about.Base != "" {
		bits = deltaBits
	}
	out := &Writer{about: about, sum: sha256.New(), bits: bits, counts: make([]uint32, 1<<bits), buf: make([]byte, status.RecordSize(about.Width))}
	out.w = bufio.NewWriterSize(io.MultiWriter(w, out.sum), 256<<10)
	out.write(magic)
	return out
}

func (w *Writer) write(b []byte) {
	if w.err != nil {
		return
	}
	n, err := w.w.Write(b)
	w.at, w.err = w.at+uint64(n), err
}

// prefix is the first bits of a serial number.
func prefix(s [status.SerialSize]byte, bits int) uint32 {
	return binary.BigEndian.Uint32(s[:4]) >> (32 - bits)
}

// Add appends a record.
func (w *Writer) Add(r *status.Record) error {
	if w.about.Records > 0 && bytes.Compare(r.Serial[:], w.last[:]) <= 0 {
		return fmt.Errorf("presigned: %x after %x", r.Serial, w.last)
	}
	if len(r.Signatures) != 2*w.about.Width || int(r.Head) >= len(w.about.Responders) {
		return fmt.Errorf("presigned: the record of %x is not of this file", r.Serial)
	}
	if w.about.Records == 0 || r.Next < w.first {
		w.first = r.Next
	}
	w.end = max(w.end, r.Next)
	w.last = r.Serial
	w.about.Records++
	w.counts[prefix(r.Serial, w.bits)]++
	r.Put(w.buf)
	w.write(w.buf)
	return w.err
}

// Close writes index, description and sum, and answers the description.
func (w *Writer) Close() (About, error) {
	a := &w.about
	for a.Bits = 1; a.Bits < w.bits && a.Records>>(a.Bits-1) > 4; a.Bits++ {
	}
	if a.Records > 0 {
		a.First, a.Last = instant(w.first), instant(w.end)
	}
	index := w.at
	wide := 1 << (w.bits - a.Bits)
	before := uint32(0)
	for i := range 1 << a.Bits {
		w.write(binary.BigEndian.AppendUint32(nil, before))
		for _, n := range w.counts[i*wide : (i+1)*wide] {
			before += n
		}
	}
	w.write(binary.BigEndian.AppendUint32(nil, before))
	described := w.at
	text, err := json.Marshal(a)
	if err != nil {
		return *a, fmt.Errorf("presigned: %w", err)
	}
	w.write(text)
	w.write(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, index), described))
	if w.err == nil {
		w.err = w.w.Flush()
	}
	w.write(w.sum.Sum(nil))
	if w.err == nil {
		w.err = w.w.Flush()
	}
	if w.err != nil {
		return *a, fmt.Errorf("presigned: %w", w.err)
	}
	return *a, nil
}

func instant(seconds uint32) time.Time { return time.Unix(int64(seconds), 0).UTC() }

// File is a file that was read and verified. It is safe for concurrent use.
type File struct {
	About
	Issuing *x509.Certificate
	heads   []*status.Letterhead
	r       io.ReaderAt
	index   []uint32
	runs    sync.Pool
}

// ErrDamaged is the cause of CSE-952 for what is no whole file of this format.
var ErrDamaged = errors.New("presigned: cut or damaged")

func damaged(name, format string, args ...any) error {
	return words.Refuse("CSE-952", name).Because(fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...)))
}

// Open reads the whole of r once, to verify the sum, and then what it is asked
// for. name is for the refusal.
func Open(r io.ReaderAt, size int64, name string) (*File, error) {
	if size < int64(len(magic))+footerSize {
		return nil, damaged(name, "%d octets", size)
	}
	sum := sha256.New()
	if _, err := io.CopyBuffer(sum, io.NewSectionReader(r, 0, size-sha256.Size), make([]byte, min(size, 1<<20))); err != nil {
		return nil, damaged(name, "read: %w", err)
	}
	foot := make([]byte, footerSize)
	if _, err := r.ReadAt(foot, size-footerSize); err != nil {
		return nil, damaged(name, "read: %w", err)
	}
	if !bytes.Equal(sum.Sum(nil), foot[16:]) {
		return nil, damaged(name, "its sum is another")
	}
	// From here on the file is as somebody wrote it; who, nobody knows.
	head := make([]byte, len(magic))
	if _, err := r.ReadAt(head, 0); err != nil || !bytes.Equal(head, magic) {
		return nil, damaged(name, "another kind of file, or a later format")
	}
	f := &File{r: r}
	if err := f.describe(foot, size); err != nil {
		return nil, damaged(name, "%w", err)
	}
	return f, nil
}

// maxAbout bounds the description.
const maxAbout = 4 << 20

func (f *File) describe(foot []byte, size int64) error {
	index, described := binary.BigEndian.Uint64(foot), binary.BigEndian.Uint64(foot[8:])
	end := uint64(size - footerSize)
	if index < uint64(len(magic)) || described < index || end < described || end-described > maxAbout {
		return errors.New("its parts overlap")
	}
	text := make([]byte, end-described)
	if _, err := f.r.ReadAt(text, int64(described)); err != nil {
		return err
	}
	if err := json.Unmarshal(text, &f.About); err != nil {
		return err
	}
	if f.Bits < 1 || f.Bits > maxBits || f.Width < 1 || f.Width > 1024 || f.Records < 0 ||
		uint64(f.Records)*uint64(status.RecordSize(f.Width)) != index-uint64(len(magic)) || described-index != 4*(1<<f.Bits+1) {
		return errors.New("its description does not fit its size")
	}
	var err error
	if f.Issuing, err = x509.ParseCertificate(f.About.Issuing); err != nil {
		return err
	}
	for _, der := range f.Responders {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		l, err := status.NewLetterhead(f.Issuing, c)
		if err != nil {
			return err
		}
		if l.Width != f.Width {
			return errors.New("signatures of different lengths")
		}
		f.heads = append(f.heads, l)
	}
	return f.readIndex(int64(index))
}

func (f *File) readIndex(at int64) error {
	b := make([]byte, 4*(1<<f.Bits+1))
	if _, err := f.r.ReadAt(b, at); err != nil {
		return err
	}
	f.index = make([]uint32, len(b)/4)
	for i := range f.index {
		f.index[i] = binary.BigEndian.Uint32(b[4*i:])
		if i > 0 && f.index[i] < f.index[i-1] {
			return errors.New("its index is not in order")
		}
	}
	if f.index[0] != 0 || int(f.index[len(f.index)-1]) != f.Records {
		return errors.New("its index is not that of its records")
	}
	return nil
}

// maxRun bounds what is read for one question: a run of the index is some four
// records unless somebody chose the numbers.
const maxRun = 4096

// Find looks a certificate up. The record's Signatures are the caller's.
func (f *File) Find(serial [status.SerialSize]byte) (r status.Record, ok bool, err error) {
	i := prefix(serial, f.Bits)
	from, to := f.index[i], f.index[i+1]
	size := status.RecordSize(f.Width)
	for to-from > maxRun {
		mid := from + (to-from)/2
		one := make([]byte, status.SerialSize)
		if _, err := f.r.ReadAt(one, f.offset(int(mid))); err != nil {
			return r, false, fmt.Errorf("presigned: %w", err)
		}
		if bytes.Compare(one, serial[:]) <= 0 {
			from = mid
		} else {
			to = mid
		}
	}
	n := int(to - from)
	if n == 0 {
		return r, false, nil
	}
	buf, _ := f.runs.Get().(*[]byte)
	if buf == nil || cap(*buf) < n*size {
		b := make([]byte, max(n, 32)*size)
		buf = &b
	}
	defer f.runs.Put(buf)
	run := (*buf)[:n*size]
	if _, err := f.r.ReadAt(run, f.offset(int(from))); err != nil {
		return r, false, fmt.Errorf("presigned: %w", err)
	}
	j := sort.Search(n, func(j int) bool { return bytes.Compare(run[j*size:j*size+status.SerialSize], serial[:]) >= 0 })
	if j == n || !bytes.Equal(run[j*size:j*size+status.SerialSize], serial[:]) {
		return r, false, nil
	}
	r.Read(bytes.Clone(run[j*size : (j+1)*size]))
	if int(r.Head) >= len(f.heads) {
		return r, false, fmt.Errorf("%w: the record of %x has no responder", ErrDamaged, serial)
	}
	return r, true, nil
}

func (f *File) offset(n int) int64 {
	return int64(len(magic)) + int64(n)*int64(status.RecordSize(f.Width))
}

// Head is the letterhead of a record of this file.
func (f *File) Head(r *status.Record) *status.Letterhead { return f.heads[r.Head] }

// Scanner walks over the records, in order.
type Scanner struct {
	f    *File
	in   *bufio.Reader
	buf  []byte
	left int
	// Record is the present one; its Signatures last until the next step.
	Record status.Record
}

// Scan begins before the first record.
func (f *File) Scan() *Scanner {
	size := status.RecordSize(f.Width)
	in := io.NewSectionReader(f.r, f.offset(0), int64(f.Records)*int64(size))
	return &Scanner{f: f, in: bufio.NewReaderSize(in, 256<<10), buf: make([]byte, size), left: f.Records}
}

// Next steps to the next record; false after the last.
func (s *Scanner) Next() (bool, error) {
	if s.left == 0 {
		return false, nil
	}
	s.left--
	if _, err := io.ReadFull(s.in, s.buf); err != nil {
		return false, fmt.Errorf("presigned: %w", err)
	}
	s.Record.Read(s.buf)
	if int(s.Record.Head) >= len(s.f.heads) {
		return false, fmt.Errorf("%w: the record of %x has no responder", ErrDamaged, s.Record.Serial)
	}
	return true, nil
}
