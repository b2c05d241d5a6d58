package merkle_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"cse.example/cse/ground/merkle"
)

var (
	private = ed25519.NewKeyFromSeed(make([]byte, 32))
	began   = time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)
)

const origin = "log.region.example"

func must[T any](t testing.TB) func(T, error) T {
	return func(x T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
}

func keys(t testing.TB) merkle.Keys {
	return must[merkle.Keys](t)(merkle.ParseKeys(must[string](t)(merkle.VerifierKey(origin, private.Public().(ed25519.PublicKey)))))
}

func sign(t testing.TB, c merkle.Checkpoint) []byte {
	return must[[]byte](t)(c.Sign(must[note.Signer](t)(merkle.Signer(origin, private))))
}

func leafHash(n int64) merkle.Hash { return merkle.LeafHash([]byte(fmt.Sprint("leaf ", n))) }

// The tree that grows, and the one in tiles, are the tree of golang.org/x/mod, at
// every size up to the second level of tiles.
func TestTheTreeIsRFC6962s(t *testing.T) {
	var (
		g     merkle.Growing
		tiles = map[[2]int64][]byte{}
		all   []merkle.Hash // as tlog stores them
	)
	read := merkle.Tiles(func(level int, n int64) ([]byte, error) { return tiles[[2]int64{int64(level), n}], nil })
	stored := tlog.HashReaderFunc(func(ix []int64) ([]merkle.Hash, error) {
		out := make([]merkle.Hash, len(ix))
		for i, x := range ix {
			out[i] = all[x]
		}
		return out, nil
	})
	if g.Root() != merkle.Hash(sha256.Sum256(nil)) {
		t.Error("the empty tree")
	}
	for n := int64(0); n < 70_000; n++ {
		h := leafHash(n)
		g.Add(h, func(level int, n int64, h merkle.Hash) {
			if level%merkle.TileHeight == 0 {
				at := [2]int64{int64(level / merkle.TileHeight), n / merkle.TileWidth}
				tiles[at] = append(tiles[at], h[:]...)
			}
		})
		all = append(all, must[[]tlog.Hash](t)(tlog.StoredHashesForRecordHash(n, h, stored))...)
		if size := n + 1; size < 600 || size%6997 == 0 || size > 65_534 && size < 65_540 {
			want := must[tlog.Hash](t)(tlog.TreeHash(size, stored))
			edge := must[merkle.Growing](t)(read.Edge(size))
			if got := must[merkle.Hash](t)(read.Root(size)); got != want || g.Root() != want || edge.Root() != want {
				t.Fatalf("%d leaves: %v by tiles, %v grown, %v by their edge, want %v", size, got, g.Root(), edge.Root(), want)
			}
			if old := size * 2 / 3; old > 0 {
				proof := must[tlog.TreeProof](t)(tlog.ProveTree(size, old, read.Reader(size)))
				if err := tlog.CheckTree(proof, size, want, old, must[merkle.Hash](t)(read.Root(old))); err != nil {
					t.Fatalf("%d leaves contain %d: %v", size, old, err)
				}
			}
		}
	}
	tiles[[2]int64{0, 3}] = tiles[[2]int64{0, 3}][:320]
	var b *merkle.Broken
	if _, err := read.Root(780); !errors.As(err, &b) || b.Index != 779 {
		t.Errorf("a tile that ends early: %v, want record 779", err)
	}
}

// A leaf has one text, and a checkpoint one note: every other spelling is refused.
func TestOneSpellingOnly(t *testing.T) {
	leaf := merkle.Leaf{Form: merkle.Form, Index: 7, At: began.Format(merkle.Instant), Act: "card.activated", Actor: "a<b>&\u2028é", Card: strings.Repeat("0", 32)}
	text := string(must[[]byte](t)(leaf.Text()))
	if got := must[merkle.Leaf](t)(merkle.ParseLeaf([]byte(text))); got != leaf || !got.Time().Equal(began) {
		t.Errorf("read back: %+v", got)
	}
	for what, bad := range map[string]string{
		"a blank more": " " + text, "another order": strings.Replace(text, `"form":"cse.audit/2","index":7`, `"index":7,"form":"cse.audit/2"`, 1),
		"escaped": strings.Replace(text, "<", `\u003c`, 1), "twice": strings.Replace(text, `"index":7`, `"index":6,"index":7`, 1),
		"a field more": strings.Replace(text, `"index":7`, `"index":7,"x":1`, 1), "an empty one": strings.Replace(text, `"index":7`, `"index":7,"office":""`, 1),
		"another form": strings.Replace(text, "audit/2", "audit/3", 1), "no number": strings.Replace(text, `"index":7`, `"index":0`, 1), "none": "",
	} {
		if l, err := merkle.ParseLeaf([]byte(bad)); err == nil {
			t.Errorf("%s: read %+v", what, l)
		}
	}
	if _, err := (merkle.Leaf{Form: merkle.Form, Index: 1, Act: "\xff"}).Text(); err == nil {
		t.Error("a text that is not UTF-8 has a form")
	}
	c := merkle.Checkpoint{Origin: origin, Size: 5, Root: leafHash(1), Number: 2, At: began}
	msg := string(sign(t, c))
	if got := must[merkle.Checkpoint](t)(keys(t).Open([]byte(msg))); got != c {
		t.Errorf("opened: %+v", got)
	}
	other := ed25519.NewKeyFromSeed(append(make([]byte, 31), 1))
	for what, bad := range map[string]string{
		"another size":     strings.Replace(msg, "\n5\n", "\n6\n", 1),
		"another instant":  strings.Replace(msg, "11:00", "11:01", 1),
		"a signature more": msg + "— else.example AAAAAAAA\n",
		"an old spelling":  strings.Replace(msg, "\n5\n", "\n05\n", 1),
		"no signature":     c.Text() + "\n",
		"another's":        string(must[[]byte](t)(c.Sign(must[note.Signer](t)(merkle.Signer("else.example", other))))),
		"none":             "",
	} {
		if c, err := keys(t).Open([]byte(bad)); err == nil {
			t.Errorf("%s: opened %+v", what, c)
		}
	}
	for _, bad := range []string{"", "a b", "a+b", "a\nb"} {
		if _, err := merkle.Signer(bad, private); err == nil {
			t.Errorf("%q names a log", bad)
		}
	}
}
