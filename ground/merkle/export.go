package merkle

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
)

// Files of an exported log. Each is text, a line for each thing, oldest first.
const (
	// FileKey has the log's keys.
	FileKey = "key"
	// FileCheckpoints has each signed note as a JSON string.
	FileCheckpoints = "checkpoints"
	// FileLeaves has the hash of every record, hexadecimal.
	FileLeaves = "leaves"
	// FileRecords has the canonical text of every record that is kept: a line's hash,
	// with a zero byte before it, is the line of FileLeaves.
	FileRecords = "records"
	// FileSealed has the sealed details of those that have some, as Sealed.
	FileSealed = "sealed"
)

// Sealed is a line of FileSealed.
type Sealed struct {
	Index  int64  `json:"index"`
	Sealed []byte `json:"sealed"`
}

// ActCut is the act by which retention says that it destroyed the oldest records.
const ActCut = "audit.cut"

// Report is what a verified log has.
type Report struct {
	Origin      string `json:"origin"`
	Head        Head   `json:"head"`
	Checkpoints int64  `json:"checkpoints"`
	// Signed is how many records the newest checkpoint covers.
	Signed int64 `json:"signed"`
	// Records is how many were read whole; of the others the hash was.
	Records int64 `json:"records"`
	// At is when the newest checkpoint was signed; empty for none.
	At string `json:"at,omitempty"`
}

// ReportOf says what an auditor has read.
func ReportOf(a *Auditor, records int64) Report {
	c, n := a.Last()
	r := Report{Origin: c.Origin, Head: a.Head(), Checkpoints: n, Signed: c.Size, Records: records}
	if n > 0 {
		r.At = c.At.Format(Instant)
	}
	return r
}

// lines reads a file of an export line by line.
type lines struct {
	f io.Closer
	s *bufio.Scanner
}

// maxLine is the longest record that is read.
const maxLine = 4 << 20

func open(fsys fs.FS, name string) (*lines, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	l := &lines{f: f, s: bufio.NewScanner(f)}
	l.s.Buffer(make([]byte, 64<<10), maxLine)
	return l, nil
}

// next is the next line, or io.EOF; it is good until the next call.
func (l *lines) next() ([]byte, error) {
	if l.s.Scan() {
		return l.s.Bytes(), nil
	}
	if err := l.s.Err(); err != nil {
		return nil, err
	}
	return nil, io.EOF
}

// Verify reads an exported log, and answers a *Broken with the first record at
// fault. keys are trusted; without them the export's own are. known are heads that
// somebody kept.
func Verify(fsys fs.FS, keys Keys, known ...Head) (Report, error) {
	if keys == nil {
		text, err := fs.ReadFile(fsys, FileKey)
		if err != nil {
			return Report{}, err
		}
		if keys, err = ParseKeys(string(text)); err != nil {
			return Report{}, err
		}
	}
	var files [4]*lines
	for i, name := range []string{FileCheckpoints, FileLeaves, FileRecords, FileSealed} {
		l, err := open(fsys, name)
		if err != nil {
			return Report{}, err
		}
		defer l.f.Close()
		files[i] = l
	}
	notes := func() ([]byte, error) {
		line, err := files[0].next()
		if err != nil {
			return nil, err
		}
		var text string
		if json.Unmarshal(line, &text) != nil {
			return line, nil // nobody signed it
		}
		return []byte(text), nil
	}
	a, err := NewAuditor(keys, notes, known...)
	if err != nil {
		return Report{}, err
	}
	e := &exported{Auditor: a, leaves: files[1], records: files[2], sealed: files[3]}
	if err := e.read(); err != nil {
		return Report{}, err
	}
	return ReportOf(a, e.whole), nil
}

// exported is an export that is being read.
type exported struct {
	*Auditor
	leaves, records, sealed *lines

	first *Leaf // that is kept
	text  []byte
	leaf  Leaf
	more  bool // leaf and text are waiting for their number
	whole int64
	told  bool   // a record says that the beginning was destroyed
	root  string // of the tree at the end of that
}

func (e *exported) read() error {
	if err := e.pull(1); err != nil {
		return err
	}
	if e.more {
		first := e.leaf
		e.first = &first
	}
	for index := int64(1); ; index++ {
		line, err := e.leaves.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		var h Hash
		if n, err := hex.Decode(h[:], first(line, 2*len(h))); err != nil || n != len(h) || len(line) != 2*len(h) {
			return &Broken{Index: index, Why: "its hash is no SHA-256 value"}
		}
		if err := e.record(index, h); err != nil {
			return err
		}
		if err := e.Leaf(h); err != nil {
			return err
		}
	}
	if e.more {
		return &Broken{Index: e.Size() + 1, Why: "its hash is missing"}
	}
	if line, err := e.sealed.next(); err == nil {
		return &Broken{Index: e.Size() + 1, Why: fmt.Sprintf("sealed details of no record: %.40q", line)}
	}
	if e.first != nil && e.first.Index > 1 && !e.told {
		return &Broken{Index: 1, Through: e.first.Index - 1, Why: "missing, and no record says that retention destroyed them"}
	}
	return e.End()
}

func first(b []byte, n int) []byte { return b[:min(n, len(b))] }

// record compares the record of that number with its hash, if it is kept.
func (e *exported) record(index int64, h Hash) error {
	if !e.more {
		if e.first == nil {
			return nil // none is kept
		}
		return &Broken{Index: index, Why: "missing"}
	}
	if index < e.first.Index {
		return nil
	}
	if index == e.first.Index {
		e.root = e.Head().Hash
	}
	switch {
	case e.leaf.Index < e.first.Index:
		return &Broken{Index: e.leaf.Index, Why: "out of its place"}
	case e.leaf.Index != index:
		return &Broken{Index: index, Why: "missing, or out of its place"}
	case LeafHash(e.text) != h:
		return &Broken{Index: index, Why: "its content is not the one in the tree"}
	}
	e.Accept(index, e.leaf.Before)
	e.told = e.told || CutTo(e.leaf, e.first.Index-1, e.root)
	e.whole++
	if err := e.details(index, e.leaf.Sealed); err != nil {
		return err
	}
	return e.pull(index + 1)
}

// details reads what was sealed with a record.
func (e *exported) details(index int64, want string) error {
	if want == "" {
		return nil
	}
	line, err := e.sealed.next()
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	var s Sealed
	if err != nil || json.Unmarshal(line, &s) != nil || s.Index != index {
		return &Broken{Index: index, Why: "its sealed details are missing, or out of their place"}
	}
	if SealedHash(s.Sealed) != want {
		return &Broken{Index: index, Why: "its sealed details were changed"}
	}
	if again, err := json.Marshal(s); err != nil || !bytes.Equal(again, line) {
		return &Broken{Index: index, Why: "its sealed details are spelled in another way"}
	}
	return nil
}

// pull reads the next record; index is the one it should be.
func (e *exported) pull(index int64) error {
	line, err := e.records.next()
	if errors.Is(err, io.EOF) {
		e.more = false
		return nil
	}
	if err != nil {
		return err
	}
	e.text = append(e.text[:0], line...)
	if e.leaf, err = ParseLeaf(e.text); err != nil {
		return &Broken{Index: index, Why: "its text is not a record's"}
	}
	e.more = true
	return nil
}

// CutTo tells whether a record says that those up to foot were destroyed, when the
// tree had that root (hexadecimal). Records of before there was a tree say no root.
func CutTo(l Leaf, foot int64, root string) bool {
	if l.Act != ActCut {
		return false
	}
	var d map[string]string
	if json.Unmarshal([]byte(l.Detail), &d) != nil {
		return false
	}
	return d["through"] == strconv.FormatInt(foot, 10) && (d["root"] == root || d["root"] == "" && l.Before != "")
}
