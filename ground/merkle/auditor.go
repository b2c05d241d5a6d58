package merkle

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Head is the head of the tree at a size: what is deposited elsewhere.
type Head struct {
	// Index of the last record; 0 for an empty log.
	Index int64 `json:"index"`
	// Hash is the tree's root, hexadecimal.
	Hash string `json:"hash"`
}

// HeadOf spells a size and its root.
func HeadOf(size int64, root Hash) Head { return Head{Index: size, Hash: hex.EncodeToString(root[:])} }

// Notes gives the signed checkpoints, oldest first, then io.EOF.
type Notes func() ([]byte, error)

// NotesOf gives those of a list.
func NotesOf(list [][]byte) Notes {
	return func() ([]byte, error) {
		if len(list) == 0 {
			return nil, io.EOF
		}
		n := list[0]
		list = list[1:]
		return n, nil
	}
}

// Auditor reads a log from its first leaf on. Make one with NewAuditor, give it
// every leaf, then End.
type Auditor struct {
	// Done, when set, is told each full subtree (see Growing.Add).
	Done func(level int, n int64, h Hash)

	keys  Keys
	notes Notes
	tree  Growing
	known map[int64]string
	last  Checkpoint  // the one before
	next  *Checkpoint // nil: no more
	made  int64
}

// NewAuditor opens the first checkpoint. known are heads that somebody kept.
func NewAuditor(keys Keys, notes Notes, known ...Head) (*Auditor, error) {
	a := &Auditor{keys: keys, notes: notes, known: map[int64]string{}}
	for _, k := range known {
		if h, ok := a.known[k.Index]; ok && h != k.Hash {
			return nil, &Broken{Index: k.Index, Why: "two heads that were kept contradict each other"}
		}
		a.known[k.Index] = k.Hash
	}
	return a, errors.Join(a.advance(), a.reached())
}

// Size is how many leaves were read.
func (a *Auditor) Size() int64 { return a.tree.Size() }

// Head is that of what was read.
func (a *Auditor) Head() Head { return HeadOf(a.tree.Size(), a.tree.Root()) }

// Last is the newest checkpoint that was reached, and how many were.
func (a *Auditor) Last() (Checkpoint, int64) { return a.last, a.made }

// Accept makes a kept head of another kind good: that of the chain of hashes which
// the log was before.
func (a *Auditor) Accept(index int64, hash string) {
	if hash != "" && a.known[index] == hash {
		delete(a.known, index)
	}
}

// Leaf reads the next one.
func (a *Auditor) Leaf(h Hash) error {
	a.tree.Add(h, a.Done)
	return a.reached()
}

// reached compares kept heads and checkpoints of this size.
func (a *Auditor) reached() error {
	size, root := a.tree.Size(), ""
	if want, ok := a.known[size]; ok {
		if root = a.Head().Hash; want != root {
			return &Broken{Index: size, Why: "the head is not the one that was kept"}
		}
	}
	for a.next != nil && a.next.Size == size {
		if a.next.Root != a.tree.Root() {
			return &Broken{Index: min(a.last.Size+1, size), Through: size, Why: fmt.Sprintf("they do not give the head that checkpoint %d signed", a.next.Number)}
		}
		a.last, a.made = *a.next, a.made+1
		if err := a.advance(); err != nil {
			return err
		}
	}
	return nil
}

// advance opens the next checkpoint; it must follow the one before.
func (a *Auditor) advance() error {
	msg, err := a.notes()
	if errors.Is(err, io.EOF) {
		a.next = nil
		return nil
	}
	if err != nil {
		return err
	}
	c, err := a.keys.Open(msg)
	if err != nil {
		return &Broken{Index: max(claimed(msg), a.last.Size+1), Why: "a checkpoint of it is not signed by the log's key"}
	}
	switch {
	case a.made > 0 && c.Size == a.last.Size && c.Root != a.last.Root:
		return &Broken{Index: c.Size, Why: fmt.Sprintf("checkpoints %d and %d contradict each other", a.last.Number, c.Number)}
	case a.made > 0 && c.Size <= a.last.Size || c.Number != a.made+1:
		return &Broken{Index: a.last.Size + 1, Why: fmt.Sprintf("checkpoint %d is missing or out of its place", a.made+1)}
	case c.At.Before(a.last.At):
		return &Broken{Index: c.Size, Why: fmt.Sprintf("checkpoint %d is older than the one before", c.Number)}
	}
	a.next = &c
	return nil
}

// claimed is the size that a note says, signed or not.
func claimed(msg []byte) int64 {
	text, _, _ := strings.Cut(string(msg), "\n\n")
	c, err := ParseCheckpoint(text + "\n")
	if err != nil {
		return 0
	}
	return c.Size
}

// End refuses a log that is shorter than a checkpoint or a kept head.
func (a *Auditor) End() error {
	size := a.tree.Size()
	if a.next != nil {
		return &Broken{Index: size + 1, Why: fmt.Sprintf("missing: the log was cut, and checkpoint %d has %d records", a.next.Number, a.next.Size)}
	}
	for index := range a.known {
		if index > size {
			return &Broken{Index: size + 1, Why: fmt.Sprintf("missing: the log was cut, and a head of %d records was kept", index)}
		}
	}
	return nil
}
