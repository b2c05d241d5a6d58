// Package merkletest makes small logs for tests: leaves, signed heads, proofs, an
// export in a folder, and what a platform gives out over HTTP. Its key is public; no
// program imports it.
package merkletest

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"cse.example/cse/ground/merkle"
)

// Origin is the log's name.
const Origin = "pki.regione.example/log"

// Began is the instant of the first act.
var Began = time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)

// Log is a log in memory.
type Log struct {
	t       testing.TB
	private ed25519.PrivateKey
	Texts   [][]byte
	Sealed  map[int64][]byte
	Notes   [][]byte
	Heads   []merkle.Checkpoint
	tree    merkle.Growing
	tiles   map[[2]int64][]byte
}

// New makes an empty one.
func New(t testing.TB) *Log {
	return &Log{t: t, private: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32)), Sealed: map[int64][]byte{}, tiles: map[[2]int64][]byte{}}
}

// Key is the line of the public key.
func (l *Log) Key() string {
	line, err := merkle.VerifierKey(Origin, l.private.Public().(ed25519.PublicKey))
	l.check(err)
	return line
}

// Keys are what believes it.
func (l *Log) Keys() merkle.Keys {
	k, err := merkle.ParseKeys(l.Key())
	l.check(err)
	return k
}

func (l *Log) check(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// RecordKey is the key of a record's details.
func RecordKey(index int64) []byte { return bytes.Repeat([]byte{byte(index)}, 32) }

// Add appends n acts, every second of them with sealed details.
func (l *Log) Add(n int) *Log {
	for range n {
		i := int64(len(l.Texts)) + 1
		leaf := merkle.Leaf{
			Form: merkle.Form, Index: i, At: Began.Add(time.Duration(i) * time.Second).Format(merkle.Instant),
			Act: "card.activated", Actor: "operator-1", Office: "asl-1",
		}
		if i%2 == 0 {
			s, err := merkle.Seal(bytes.NewReader(make([]byte, 12)), RecordKey(i), i, merkle.Facts{Card: "6090000000000017", Detail: map[string]string{"protocol": fmt.Sprintf("2026/%07d", i)}})
			l.check(err)
			leaf.Person, leaf.Sealed, l.Sealed[i] = fmt.Sprintf("%032x", i), merkle.SealedHash(s), s
		}
		text, err := leaf.Text()
		l.check(err)
		l.Texts = append(l.Texts, text)
		l.tree.Add(merkle.LeafHash(text), func(level int, n int64, h merkle.Hash) {
			if level%merkle.TileHeight == 0 {
				at := [2]int64{int64(level / merkle.TileHeight), n / merkle.TileWidth}
				l.tiles[at] = append(l.tiles[at], h[:]...)
			}
		})
	}
	return l
}

// Sign signs the present head.
func (l *Log) Sign() *Log {
	size := l.tree.Size()
	l.Notes = append(l.Notes, l.Note(merkle.Checkpoint{
		Origin: Origin, Size: size, Root: l.tree.Root(), Number: int64(len(l.Notes)) + 1, At: Began.Add(time.Duration(size) * time.Second),
	}))
	c, err := l.Keys().Open(l.Notes[len(l.Notes)-1])
	l.check(err)
	l.Heads = append(l.Heads, c)
	return l
}

// Note signs any checkpoint, true or not.
func (l *Log) Note(c merkle.Checkpoint) []byte {
	s, err := merkle.Signer(Origin, l.private)
	l.check(err)
	msg, err := c.Sign(s)
	l.check(err)
	return msg
}

// Tile is one of the tree's.
func (l *Log) Tile(level int, n int64) ([]byte, error) {
	return l.tiles[[2]int64{int64(level), n}], nil
}

// Proof proves acts under the newest checkpoint.
func (l *Log) Proof(index ...int64) merkle.Proof {
	size := l.Heads[len(l.Heads)-1].Size
	p := merkle.Proof{Form: merkle.FormProof, Key: l.Key(), Checkpoint: string(l.Notes[len(l.Notes)-1])}
	for _, i := range index {
		path, err := tlog.ProveRecord(size, i-1, merkle.Tiles(l.Tile).Reader(size))
		l.check(err)
		a := merkle.Act{Index: i, Leaf: string(l.Texts[i-1]), Path: path, Sealed: l.Sealed[i]}
		if a.Sealed != nil {
			a.Open = RecordKey(i)
		}
		p.Acts = append(p.Acts, a)
	}
	return p
}

// Files are those of an export.
func (l *Log) Files() map[string][]byte {
	out := map[string][]byte{}
	line := func(name string, b []byte) { out[name] = append(append(out[name], b...), '\n') }
	line(merkle.FileKey, []byte(l.Key()))
	for _, n := range l.Notes {
		b, err := json.Marshal(string(n))
		l.check(err)
		line(merkle.FileCheckpoints, b)
	}
	for i, text := range l.Texts {
		h := merkle.LeafHash(text)
		line(merkle.FileLeaves, hex.AppendEncode(nil, h[:]))
		line(merkle.FileRecords, text)
		if s := l.Sealed[int64(i)+1]; s != nil {
			b, err := json.Marshal(merkle.Sealed{Index: int64(i) + 1, Sealed: s})
			l.check(err)
			line(merkle.FileSealed, b)
		}
	}
	return out
}

// Export writes them into a folder.
func (l *Log) Export(dir string) {
	l.check(os.MkdirAll(dir, 0o700))
	for name, b := range l.Files() {
		l.check(os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
}
