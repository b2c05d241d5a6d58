// Package merkle is the audit log as whoever does not run the platform sees it:
// the leaf, the tree, the signed checkpoint, the proof, and the verifier that
// names the first bad index. It is pure: no database, no network, no clock.
//
//   - The tree is RFC 6962's (section 2.1): leaf hash SHA-256(0x00 ‖ leaf), node
//     SHA-256(0x01 ‖ left ‖ right); the hashing is golang.org/x/mod/sumdb/tlog's.
//     Record N of the platform is leaf N-1.
//
//   - A leaf is the text of one act in canonical form (Leaf.Text): the same act
//     has one text only. It names nobody: people and cards are marks under a key
//     of their own, facts are the hash of a sealed text.
//
//   - A checkpoint is a signed note (C2SP tlog-checkpoint, Ed25519 by
//     golang.org/x/mod/sumdb/note): origin, size, root, and one line with the
//     checkpoint's number and instant.
//
//   - Proof is what a citizen takes home: leaf, path, checkpoint, key.
//
//   - Auditor reads a whole log, in order, and answers a *Broken with the first
//     record that was changed, dropped, moved, inserted or cut off, or at which
//     checkpoints do not agree. Where only a hash was left and it was changed
//     together with its copies, the fault lies between Index and Through.
//
// Refused: texts in another form than the canonical one, numbers out of order,
// notes that no known key signed.
package merkle

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is SHA-256 of a leaf or a node.
type Hash = tlog.Hash

// Forms of a leaf.
const (
	// Form is what acts are written in.
	Form = "cse.audit/2"
	// FormGone stands for acts that retention destroyed before there was a tree:
	// nothing but the number is known.
	FormGone = "cse.audit/0"
)

// Instant is how a leaf says when: UTC, to the microsecond.
const Instant = "2006-01-02T15:04:05.000000Z"

// Leaf is one act. Text is what is hashed.
type Leaf struct {
	Form   string `json:"form"`
	Index  int64  `json:"index"` // 1, 2, 3…
	At     string `json:"at,omitempty"`
	Act    string `json:"act,omitempty"`
	Actor  string `json:"actor,omitempty"`
	Office string `json:"office,omitempty"`
	// Card and Person are marks, 32 hexadecimal digits.
	Card   string `json:"card,omitempty"`
	Person string `json:"person,omitempty"`
	// Detail is the text of a JSON object with sorted keys, of acts that concern
	// nobody.
	Detail string `json:"detail,omitempty"`
	// Sealed is SHA-256 of the sealed details, hexadecimal.
	Sealed string `json:"sealed,omitempty"`
	// Before is the act's hash in the chain of the form before this one.
	Before string `json:"before,omitempty"`
}

// Text is the leaf's canonical form: a JSON object on one line, its fields in the
// order of Leaf, empty ones left out. It refuses what is not UTF-8, since JSON
// would make one text of several.
func (l Leaf) Text() ([]byte, error) {
	for _, s := range []string{l.Form, l.At, l.Act, l.Actor, l.Office, l.Card, l.Person, l.Detail, l.Sealed, l.Before} {
		if !utf8.ValidString(s) {
			return nil, errors.New("not in UTF-8")
		}
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(l); err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}

// Gone is the leaf of an act of which nothing is known.
func Gone(index int64) Leaf { return Leaf{Form: FormGone, Index: index} }

// ParseLeaf reads a canonical text, and refuses every other.
func ParseLeaf(text []byte) (Leaf, error) {
	var l Leaf
	if err := json.Unmarshal(text, &l); err != nil {
		return Leaf{}, fmt.Errorf("merkle: the record is no JSON object: %w", err)
	}
	again, err := l.Text()
	if err != nil || string(again) != string(text) {
		return Leaf{}, errors.New("merkle: the record is not in canonical form")
	}
	if l.Form != Form && l.Form != FormGone || l.Index < 1 {
		return Leaf{}, fmt.Errorf("merkle: form %q, number %d: not a record of this log", l.Form, l.Index)
	}
	return l, nil
}

// Time is when the act was done; zero when the leaf does not say.
func (l Leaf) Time() time.Time {
	t, err := time.Parse(Instant, l.At)
	if err != nil {
		return time.Time{}
	}
	return t
}

// LeafHash is the hash of a leaf's text.
func LeafHash(text []byte) Hash { return tlog.RecordHash(text) }

// Broken tells where a log does not hold.
type Broken struct {
	// Index of the first record at fault.
	Index int64
	// Through, when more than Index: the fault lies from Index to here.
	Through int64
	// Why, in a few words.
	Why string
}

func (b *Broken) Error() string {
	if b.Through > b.Index {
		return fmt.Sprintf("audit: records %d to %d: %s", b.Index, b.Through, b.Why)
	}
	return fmt.Sprintf("audit: record %d: %s", b.Index, b.Why)
}
