package audit

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"cse.example/cse/engine/audit/internal/auditdb"
	"cse.example/cse/ground/merkle"
)

// Verify reads the whole trail and returns its head, or a *Broken with the first
// record that is missing, out of place or changed: in its content, in the tree, in
// the checkpoints or in the keys. known are heads deposited earlier: the trail must
// still contain them.
func (t *Trail) Verify(ctx context.Context, known ...Head) (Head, error) {
	v, err := t.verifier(ctx, known)
	if err != nil {
		return Head{}, err
	}
	if err := v.run(ctx); err != nil {
		return Head{}, err
	}
	return v.Head(), nil
}

// verification is a trail that is being read.
type verification struct {
	*merkle.Auditor
	t *Trail
	// What there was when the reading began, in this order: acts recorded meanwhile only
	// make the trail longer.
	checkpoint, tiled, foot, head int64

	tile    merkle.Tiles
	tree    error  // a node of the tree that its leaves do not give
	told    bool   // a record says that the beginning was cut
	root    string // of the tree at the foot
	missing map[string]int64
	erased  map[string]bool
}

func (t *Trail) verifier(ctx context.Context, known []Head) (*verification, error) {
	v := &verification{t: t, tile: kept(t.tiles(ctx)), missing: map[string]int64{}, erased: map[string]bool{}}
	last, err := t.db(ctx).LastCheckpoint(ctx)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("audit: read the last checkpoint: %w", err)
	}
	v.checkpoint = last.Number
	if v.tiled, err = t.tiled(ctx); err != nil {
		return nil, err
	}
	if v.foot, err = t.foot(ctx); err != nil {
		return nil, err
	}
	if v.head, err = t.db(ctx).Head(ctx); err != nil {
		return nil, fmt.Errorf("audit: read the head: %w", err)
	}
	v.told = v.foot == 0
	v.Auditor, err = merkle.NewAuditor(t.keys, v.notes(ctx), known...)
	if err != nil {
		return nil, err
	}
	v.Done = v.node
	return v, nil
}

// notes gives the checkpoints of the store, a page at a time.
func (v *verification) notes(ctx context.Context) merkle.Notes {
	var rows []auditdb.AuditCheckpoint
	after := int64(0)
	return func() ([]byte, error) {
		if len(rows) == 0 && after < v.checkpoint {
			var err error
			if rows, err = v.t.db(ctx).Checkpoints(ctx, auditdb.CheckpointsParams{After: after, N: page}); err != nil {
				return nil, fmt.Errorf("audit: read checkpoints: %w", err)
			}
		}
		if len(rows) == 0 || rows[0].Number > v.checkpoint {
			return nil, io.EOF
		}
		r := rows[0]
		rows, after = rows[1:], r.Number
		if c, err := v.t.keys.Open([]byte(r.Note)); err == nil && (c.Number != r.Number || c.Size != r.Size) {
			return nil, &Broken{Index: min(max(r.Size, 1), c.Size), Why: fmt.Sprintf("checkpoint %d is kept under another number or size", c.Number)}
		}
		return []byte(r.Note), nil
	}
}

// run reads every record.
func (v *verification) run(ctx context.Context) error {
	index := int64(1)
	for ; index <= v.foot; index++ {
		h, err := gone(index)
		if index <= v.tiled {
			h, err = leafAt(v.tile, index)
		}
		if err != nil {
			return err
		}
		if err := v.leaf(h); err != nil {
			return err
		}
	}
	v.root = v.Head().Hash
	for after := int64(0); ; {
		rows, err := v.t.db(ctx).Whole(ctx, auditdb.WholeParams{After: after, N: page})
		if err != nil {
			return fmt.Errorf("audit: read records: %w", err)
		}
		for _, r := range rows {
			after = r.Idx
			if r.Idx <= v.foot {
				return &Broken{Index: r.Idx, Why: "retention destroyed it, and it is there"}
			}
			if r.Idx > v.head {
				if err := v.beyond(ctx, r); err != nil {
					return err
				}
				continue
			}
			if err := v.record(r, index); err != nil {
				return err
			}
			index++
		}
		if len(rows) == 0 {
			break
		}
	}
	if index <= v.head {
		return &Broken{Index: index, Why: "missing: the trail was cut"}
	}
	return v.end(ctx)
}

// leaf adds one to the tree.
func (v *verification) leaf(h merkle.Hash) error {
	if err := v.Leaf(h); err != nil && v.tree == nil {
		return err
	}
	return v.tree
}

// record looks at one row; index is the number it should have.
func (v *verification) record(r auditdb.WholeRow, index int64) error {
	x := stored{
		Idx: r.Idx, At: r.At, Act: r.Act, Actor: r.Actor, Office: r.Office, Card: r.Card, Person: r.Person,
		Detail: r.Detail, Sealed: r.Sealed, Chain: r.Chain, Hash: r.Hash,
	}
	h := merkle.Hash{}
	if len(r.Hash) == len(h) {
		h = merkle.Hash(r.Hash)
	}
	if r.Idx == index && index <= v.tiled {
		var err error
		if h, err = leafAt(v.tile, index); err != nil {
			return err
		}
	}
	if why := fault(x, index, h); why != "" {
		return &Broken{Index: index, Why: why}
	}
	v.told = v.told || merkle.CutTo(leafOf(x), v.foot, v.root)
	for _, mark := range erasedBy(x) {
		v.erased[mark] = true
	}
	for _, k := range []struct {
		mark    string
		finder  sql.NullString
		wrapped []byte
	}{{r.Person, r.PersonFinder, r.PersonWrapped}, {r.Card, r.CardFinder, r.CardWrapped}} {
		if k.mark == "" {
			continue
		}
		if !k.finder.Valid {
			if _, ok := v.missing[k.mark]; !ok {
				v.missing[k.mark] = index
			}
			continue
		}
		if _, err := v.t.marked(k.mark, finder(k.finder.String), k.wrapped); err != nil {
			return &Broken{Index: index, Why: "the key of whom it concerns was changed"}
		}
	}
	v.Accept(index, r.Chain)
	return v.leaf(h)
}

// beyond is a record that was not there when the reading began, or the last number
// was set back.
func (v *verification) beyond(ctx context.Context, r auditdb.WholeRow) error {
	now, err := v.t.db(ctx).Head(ctx)
	if err != nil {
		return fmt.Errorf("audit: read the head: %w", err)
	}
	if r.Idx > now {
		return &Broken{Index: now + 1, Why: "beyond the last number"}
	}
	if r.Act == actErased {
		for _, mark := range marksIn(r.Detail) {
			v.erased[mark] = true
		}
	}
	return nil
}

// node compares what the leaves give with the tree above them.
func (v *verification) node(level int, n int64, h merkle.Hash) {
	l := level / merkle.TileHeight
	if level%merkle.TileHeight != 0 || v.tree != nil || n >= merkle.Cover(v.tiled, l) {
		return
	}
	tile, err := v.tile(l, n/merkle.TileWidth)
	if err != nil {
		v.tree = err
		return
	}
	at := n % merkle.TileWidth * int64(len(h))
	if int64(len(tile)) < at+int64(len(h)) || merkle.Hash(tile[at:at+int64(len(h))]) != h {
		v.tree = &Broken{Index: n<<level + 1, Through: (n + 1) << level, Why: "the tree above them was changed"}
	}
}

// end looks at what only shows when everything was read.
func (v *verification) end(ctx context.Context) error {
	if !v.told {
		return &Broken{Index: 1, Through: v.foot, Why: "missing: the trail was cut from its beginning, and no record says so"}
	}
	first := &Broken{}
	for mark, index := range v.missing {
		if !v.erased[mark] && (first.Index == 0 || index < first.Index) {
			first = &Broken{Index: index, Why: "the key of whom it concerns is missing, and no record says that it was erased"}
		}
	}
	if first.Index > 0 {
		return first
	}
	if v.tiled > v.head {
		return &Broken{Index: v.head + 1, Why: "missing: the tree has more records"}
	}
	if err := v.End(); err != nil {
		return err
	}
	if c, _ := v.Last(); v.tiled < c.Size {
		return &Broken{Index: v.tiled + 1, Through: c.Size, Why: "their hashes are missing from the tree"}
	}
	if c, _ := v.Last(); v.tiled > max(c.Size, v.foot) {
		return &Broken{Index: c.Size + 1, Through: v.tiled, Why: "the tree was signed up to here, and the checkpoint is missing"}
	}
	if err := v.shape(ctx); err != nil {
		return err
	}
	unused, err := v.t.db(ctx).UnusedSubjects(ctx, 1)
	if err != nil {
		return fmt.Errorf("audit: read keys: %w", err)
	}
	if len(unused) > 0 {
		return &Broken{Index: v.head + 1, Why: "there is a key of nobody in the records"}
	}
	return nil
}

// shape refuses tiles that the tree does not have.
func (v *verification) shape(ctx context.Context) error {
	rows, err := v.t.db(ctx).Levels(ctx)
	if err != nil {
		return fmt.Errorf("audit: read the tree: %w", err)
	}
	now, err := v.t.tiled(ctx) // it may have grown
	if err != nil {
		return err
	}
	for _, r := range rows {
		fault := &Broken{Index: v.tiled + 1, Why: fmt.Sprintf("there is a tile of level %d that the tree does not have", r.Level)}
		if r.Level < 0 || r.Level > 62/merkle.TileHeight || r.First != 0 || r.Last != r.Tiles-1 {
			return fault
		}
		hashes := merkle.Cover(now, int(r.Level))
		if r.Tiles > (hashes+merkle.TileWidth-1)/merkle.TileWidth {
			return fault
		}
		tile, err := v.t.tiles(ctx)(int(r.Level), r.Last)
		if err != nil {
			return err
		}
		if want := hashes - r.Last*merkle.TileWidth; int64(len(tile)) != min(want, merkle.TileWidth)*int64(len(merkle.Hash{})) {
			return fault
		}
	}
	return nil
}

// fault says why a row is not the record of that number and hash; empty for none.
func fault(r stored, index int64, want merkle.Hash) string {
	if r.Idx != index {
		return "missing"
	}
	h, err := leafHash(r)
	switch {
	case err != nil:
		return err.Error()
	case h != want:
		return "its content is not the one in the tree"
	case string(r.Hash) != string(want[:]):
		return "its hash was changed"
	case (len(r.Sealed) > 0 || r.Card != "") && ownerOf(r) == "", r.Detail != "" && ownerOf(r) != "":
		return "it says whom it concerns, and does not"
	}
	return ""
}

// leafAt is the hash of a record in the tree.
func leafAt(tile merkle.Tiles, index int64) (merkle.Hash, error) {
	var h merkle.Hash
	b, err := tile(0, (index-1)/merkle.TileWidth)
	if err != nil {
		return h, err
	}
	at := (index - 1) % merkle.TileWidth * int64(len(h))
	if int64(len(b)) < at+int64(len(h)) {
		return h, &Broken{Index: index, Why: "its hash is missing from the tree"}
	}
	return merkle.Hash(b[at:]), nil
}

// kept remembers the last tile of each level.
func kept(tiles merkle.Tiles) merkle.Tiles {
	type one struct {
		n    int64
		data []byte
	}
	have := map[int]one{}
	return func(level int, n int64) ([]byte, error) {
		if x, ok := have[level]; ok && x.n == n {
			return x.data, nil
		}
		data, err := tiles(level, n)
		if err == nil {
			have[level] = one{n, data}
		}
		return data, err
	}
}

// marksIn are those that a record of an erasure names.
func marksIn(detail string) []string {
	var d map[string]string
	if json.Unmarshal([]byte(detail), &d) != nil {
		return nil
	}
	var out []string
	for k, v := range d {
		if strings.HasPrefix(k, "mark.") {
			out = append(out, v)
		}
	}
	return out
}
