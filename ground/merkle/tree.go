package merkle

import (
	"crypto/sha256"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Growing is a tree of which only the right edge is kept: 32 bytes for each level.
// The zero value is the empty tree.
type Growing struct {
	size int64
	edge []Hash // roots of the full subtrees, the largest first
}

// Size is how many leaves there are.
func (g *Growing) Size() int64 { return g.size }

// Add appends a leaf. done, when given, is told each full subtree that the leaf
// completes: level 0 is the leaf itself, n counts the subtrees of a level.
func (g *Growing) Add(h Hash, done func(level int, n int64, h Hash)) {
	for level, n := 0, g.size; ; level, n = level+1, n>>1 {
		if done != nil {
			done(level, n, h)
		}
		if n&1 == 0 {
			break
		}
		last := len(g.edge) - 1
		h = tlog.NodeHash(g.edge[last], h)
		g.edge = g.edge[:last]
	}
	g.edge = append(g.edge, h)
	g.size++
}

// Root is the tree's head; of the empty tree SHA-256 of nothing.
func (g *Growing) Root() Hash {
	if len(g.edge) == 0 {
		return sha256.Sum256(nil)
	}
	h := g.edge[len(g.edge)-1]
	for i := len(g.edge) - 2; i >= 0; i-- {
		h = tlog.NodeHash(g.edge[i], h)
	}
	return h
}

// Tiles. A tile of level l holds up to TileWidth hashes of full subtrees of
// TileWidth^l leaves; tile n begins with subtree n*TileWidth.
const (
	// TileHeight is log2 of TileWidth.
	TileHeight = 8
	TileWidth  = 1 << TileHeight
)

// Cover is how many hashes a tree of a size has on a level of tiles.
func Cover(size int64, level int) int64 { return size >> (TileHeight * level) }

// Tiles gives one tile's bytes, 32 for each hash it holds now; none when there is
// no such tile.
type Tiles func(level int, n int64) ([]byte, error)

// Reader reads the hashes of a tree of the given size from its tiles.
func (t Tiles) Reader(size int64) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]Hash, error) {
		out := make([]Hash, len(indexes))
		kept := map[[2]int64][]byte{}
		for i, index := range indexes {
			level, n := tlog.SplitStoredHashIndex(index)
			h, err := t.node(kept, size, level, n)
			if err != nil {
				return nil, err
			}
			out[i] = h
		}
		return out, nil
	})
}

// node is the root of the full subtree n of 2^level leaves.
func (t Tiles) node(kept map[[2]int64][]byte, size int64, level int, n int64) (Hash, error) {
	if (n+1)<<level > size {
		return Hash{}, fmt.Errorf("merkle: the tree of %d leaves has no subtree %d of level %d", size, n, level)
	}
	l, up := level/TileHeight, level%TileHeight
	first := n << up // of the level's hashes
	at := [2]int64{int64(l), first / TileWidth}
	tile, ok := kept[at]
	if !ok {
		var err error
		if tile, err = t(l, at[1]); err != nil {
			return Hash{}, err
		}
		kept[at] = tile
	}
	var g Growing
	for i := first % TileWidth; i < first%TileWidth+1<<up; i++ {
		if int64(len(tile)) < (i+1)*sha256.Size {
			return Hash{}, &Broken{Index: (at[1]*TileWidth+i)<<(TileHeight*l) + 1, Why: "its hash is missing from the tree"}
		}
		g.Add(Hash(tile[i*sha256.Size:(i+1)*sha256.Size]), nil)
	}
	return g.Root(), nil
}

// Root is the head of the tree of the given size.
func (t Tiles) Root(size int64) (Hash, error) {
	if size == 0 {
		return sha256.Sum256(nil), nil
	}
	return tlog.TreeHash(size, t.Reader(size))
}

// Edge is the tree of the given size, ready to grow.
func (t Tiles) Edge(size int64) (Growing, error) {
	g := Growing{size: size}
	kept := map[[2]int64][]byte{}
	for level, at := 62, int64(0); level >= 0; level-- {
		if size>>level&1 == 0 {
			continue
		}
		h, err := t.node(kept, size, level, at>>level)
		if err != nil {
			return Growing{}, err
		}
		g.edge = append(g.edge, h)
		at += 1 << level
	}
	return g, nil
}
