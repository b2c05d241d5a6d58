package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"cse.example/cse/engine/audit/internal/auditdb"
	"cse.example/cse/ground/merkle"
)

// The tree above the records lies in tiles of 256 hashes and grows apart from them:
// up to its size every leaf's hash is in a tile, after it in the record only.

// Head is the head of the tree at a number of records: what to deposit elsewhere.
type Head = merkle.Head

// Broken tells the first record at which the trail does not hold.
type Broken = merkle.Broken

// Head is the present head of the tree: how many records there are, and the root.
func (t *Trail) Head(ctx context.Context) (Head, error) {
	size, err := t.db(ctx).Head(ctx)
	if err != nil {
		return Head{}, fmt.Errorf("audit: read the head: %w", err)
	}
	tiled, err := t.tiled(ctx)
	if err != nil {
		return Head{}, err
	}
	if size < tiled {
		return Head{}, &Broken{Index: size + 1, Why: "missing: the trail was cut"}
	}
	return t.headAt(ctx, size)
}

// headAt is the head at a number of records.
func (t *Trail) headAt(ctx context.Context, size int64) (Head, error) {
	tiled, err := t.tiled(ctx)
	if err != nil {
		return Head{}, err
	}
	if size <= tiled {
		root, err := t.tiles(ctx).Root(size)
		return merkle.HeadOf(size, root), err
	}
	edge, err := t.tiles(ctx).Edge(tiled)
	if err != nil {
		return Head{}, err
	}
	if err := t.after(ctx, tiled, size, func(h merkle.Hash) { edge.Add(h, nil) }); err != nil {
		return Head{}, err
	}
	return merkle.HeadOf(size, edge.Root()), nil
}

// tiles reads the tree's hashes from the store.
func (t *Trail) tiles(ctx context.Context) merkle.Tiles {
	q := t.db(ctx)
	return func(level int, n int64) ([]byte, error) {
		b, err := q.Tile(ctx, auditdb.TileParams{Level: int64(level), N: n})
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("audit: read the tree: %w", err)
		}
		return b, nil
	}
}

// tiled is the tree's size.
func (t *Trail) tiled(ctx context.Context) (int64, error) {
	last, err := t.db(ctx).LastTile(ctx, 0)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("audit: read the tree: %w", err)
	}
	return last.N*merkle.TileWidth + int64(len(last.Data)/len(merkle.Hash{})), nil
}

// after gives the hashes of the records after one, through another. Of records that
// retention destroyed before there was a tree nothing but the number is known.
func (t *Trail) after(ctx context.Context, last, through int64, give func(merkle.Hash)) error {
	foot, err := t.foot(ctx)
	if err != nil {
		return err
	}
	for ; last < min(foot, through); last++ {
		h, err := gone(last + 1)
		if err != nil {
			return err
		}
		give(h)
	}
	for last < through {
		rows, err := t.db(ctx).Hashes(ctx, auditdb.HashesParams{After: last, Through: through, N: page})
		if err != nil {
			return fmt.Errorf("audit: read hashes: %w", err)
		}
		for _, r := range rows {
			if r.Idx != last+1 || len(r.Hash) != len(merkle.Hash{}) {
				break
			}
			give(merkle.Hash(r.Hash))
			last++
		}
		if len(rows) == 0 || rows[len(rows)-1].Idx != last {
			return &Broken{Index: last + 1, Why: "missing"}
		}
	}
	return nil
}

func gone(index int64) (merkle.Hash, error) {
	text, err := merkle.Gone(index).Text()
	if err != nil {
		return merkle.Hash{}, err
	}
	return merkle.LeafHash(text), nil
}

// growth is a tree that grows: tiles as they will be.
type growth struct {
	edge  merkle.Growing
	under merkle.Tiles // as they are
	from  int64
	made  map[place][]byte
	fault error
}

type place struct {
	level int
	n     int64
}

// grow starts at the tree's present size.
func (t *Trail) grow(ctx context.Context) (*growth, error) {
	size, err := t.tiled(ctx)
	if err != nil {
		return nil, err
	}
	g := &growth{under: t.tiles(ctx), from: size, made: map[place][]byte{}}
	g.edge, err = g.under.Edge(size)
	return g, err
}

// through adds the leaves up to the record of that number.
func (g *growth) through(ctx context.Context, t *Trail, index int64) error {
	err := t.after(ctx, g.edge.Size(), index, func(h merkle.Hash) { g.edge.Add(h, g.done) })
	return errors.Join(err, g.fault)
}

func (g *growth) done(level int, n int64, h merkle.Hash) {
	if level%merkle.TileHeight != 0 || g.fault != nil {
		return
	}
	at := place{level / merkle.TileHeight, n / merkle.TileWidth}
	tile, ok := g.made[at]
	if !ok && n%merkle.TileWidth > 0 {
		if tile, g.fault = g.under(at.level, at.n); g.fault != nil {
			return
		}
	}
	if int64(len(tile)) != n%merkle.TileWidth*int64(len(h)) {
		g.fault = &Broken{Index: n<<level + 1, Why: "its place in the tree is taken"}
		return
	}
	g.made[at] = append(tile[:len(tile):len(tile)], h[:]...)
}

// tile is the tree as it will be.
func (g *growth) tile(level int, n int64) ([]byte, error) {
	if b, ok := g.made[place{level, n}]; ok {
		return b, nil
	}
	return g.under(level, n)
}

// keep writes the tiles, in the act that ctx carries; the tree must be as it was.
func (g *growth) keep(ctx context.Context, t *Trail) (bool, error) {
	now, err := t.tiled(ctx)
	if err != nil || now != g.from {
		return false, err
	}
	for at, data := range g.made {
		if err := t.db(ctx).PutTile(ctx, auditdb.PutTileParams{Level: int64(at.level), N: at.n, Data: data}); err != nil {
			return false, fmt.Errorf("audit: keep the tree: %w", err)
		}
	}
	return true, nil
}
