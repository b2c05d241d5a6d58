package audit

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"cse.example/cse/engine/audit/internal/auditdb"
	"cse.example/cse/ground/merkle"
)

// What the log gives out: proofs, an export, checkpoints, tiles.

// ErrNotSigned: the act is in no checkpoint yet; it will be within seconds.
var ErrNotSigned = errors.New("audit: no checkpoint covers the act yet")

// ErrNotHis: no such act of that person.
var ErrNotHis = errors.New("audit: no such act of that person")

// Prove gives a proof of acts of a person (codice fiscale): those of the given
// numbers, which must be his, or without numbers his last thousand that a checkpoint
// covers. key is the log's, as a note spells it.
func (t *Trail) Prove(ctx context.Context, key, cf string, index ...int64) (merkle.Proof, error) {
	c, msg, err := t.lastNote(ctx)
	if err != nil {
		return merkle.Proof{}, err
	}
	mark, err := t.markBy(ctx, person, cf)
	if err != nil {
		return merkle.Proof{}, err
	}
	if mark == "" {
		return merkle.Proof{}, ErrNotHis
	}
	var rows []row
	if len(index) == 0 {
		last, err := t.db(ctx).LastByPerson(ctx, auditdb.LastByPersonParams{Person: mark, N: page})
		if err != nil {
			return merkle.Proof{}, fmt.Errorf("audit: read records: %w", err)
		}
		for _, r := range slices.Backward(last) {
			if r.Idx <= c.Size {
				rows = append(rows, row(r))
			}
		}
	}
	for _, i := range index {
		one, err := t.db(ctx).Page(ctx, auditdb.PageParams{After: i - 1, N: 1})
		if err != nil {
			return merkle.Proof{}, fmt.Errorf("audit: read a record: %w", err)
		}
		if len(one) == 0 || one[0].Idx != i || one[0].Person != mark {
			return merkle.Proof{}, ErrNotHis
		}
		if i > c.Size {
			return merkle.Proof{}, ErrNotSigned
		}
		rows = append(rows, one[0])
	}
	if len(rows) == 0 {
		return merkle.Proof{}, ErrNotSigned
	}
	p := merkle.Proof{Form: merkle.FormProof, Key: key, Checkpoint: msg}
	reader := kept(t.tiles(ctx)).Reader(c.Size)
	for _, r := range rows {
		a, err := t.act(r, c.Size, reader)
		if err != nil {
			return merkle.Proof{}, err
		}
		p.Acts = append(p.Acts, a)
	}
	return p, nil
}

func (t *Trail) act(r row, size int64, reader tlog.HashReader) (merkle.Act, error) {
	text, err := leafOf(bare(r)).Text()
	if err != nil {
		return merkle.Act{}, fmt.Errorf("audit: record %d: %w", r.Idx, err)
	}
	a := merkle.Act{Index: r.Idx, Leaf: string(text), Sealed: r.Sealed}
	if a.Path, err = tlog.ProveRecord(size, r.Idx-1, reader); err != nil {
		return a, fmt.Errorf("audit: prove record %d: %w", r.Idx, err)
	}
	if len(r.Sealed) > 0 {
		s, err := t.marked(r.Person, finder(r.Finder.String), r.Wrapped)
		if err != nil {
			return a, err
		}
		a.Open = s.record(r.Idx)
	}
	return a, nil
}

// Notes are the signed checkpoints after a number, oldest first, at most limit.
func (t *Trail) Notes(ctx context.Context, after int64, limit int) ([]string, error) {
	rows, err := t.db(ctx).Checkpoints(ctx, auditdb.CheckpointsParams{After: after, N: size(limit)})
	if err != nil {
		return nil, fmt.Errorf("audit: read checkpoints: %w", err)
	}
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = r.Note
	}
	return out, nil
}

// LastNote is the newest signed checkpoint; empty when there is none.
func (t *Trail) LastNote(ctx context.Context) (string, error) {
	_, msg, err := t.lastNote(ctx)
	return msg, err
}

// Tile is one of the tree's, as far as a checkpoint covers it; nil when there is none.
func (t *Trail) Tile(ctx context.Context, level int, n int64) ([]byte, error) {
	c, err := t.LastCheckpoint(ctx)
	if err != nil || level < 0 || n < 0 || n > c.Size/merkle.TileWidth {
		return nil, err
	}
	b, err := t.tiles(ctx)(level, n)
	signed := (merkle.Cover(c.Size, level) - n*merkle.TileWidth) * int64(len(merkle.Hash{}))
	return b[:max(0, min(int64(len(b)), signed))], err
}

// Export writes the log into a folder, which must be empty or not exist: keys,
// checkpoints, hashes, records and what is sealed (see ground/merkle, File…). Nobody
// is named in it and nothing is opened; merkle.Verify reads it. keys are the log's
// lines.
func (t *Trail) Export(ctx context.Context, dir, keys string) (err error) {
	if list, err := os.ReadDir(dir); err == nil && len(list) > 0 {
		return fmt.Errorf("audit: %s is not empty", dir)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	x := &export{dir: dir}
	defer func() { err = errors.Join(err, x.close()) }()
	if err := x.line(merkle.FileKey, []byte(strings.TrimSpace(keys))); err != nil {
		return err
	}
	// Records first counted, then checkpoints read: none may cover more than is written.
	head, err := t.db(ctx).Head(ctx)
	if err != nil {
		return fmt.Errorf("audit: read the head: %w", err)
	}
	if err := t.exportNotes(ctx, x, head); err != nil {
		return err
	}
	return t.exportRecords(ctx, x, head)
}

func (t *Trail) exportNotes(ctx context.Context, x *export, head int64) error {
	if err := x.make(merkle.FileCheckpoints); err != nil {
		return err
	}
	for after := int64(0); ; {
		rows, err := t.db(ctx).Checkpoints(ctx, auditdb.CheckpointsParams{After: after, N: page})
		if err != nil {
			return fmt.Errorf("audit: read checkpoints: %w", err)
		}
		for _, r := range rows {
			if after = r.Number; r.Size > head {
				return nil
			}
			b, err := json.Marshal(r.Note)
			if err != nil {
				return err
			}
			if err := x.line(merkle.FileCheckpoints, b); err != nil {
				return err
			}
		}
		if len(rows) == 0 {
			return nil
		}
	}
}

func (t *Trail) exportRecords(ctx context.Context, x *export, head int64) error {
	if err := errors.Join(x.make(merkle.FileLeaves), x.make(merkle.FileRecords), x.make(merkle.FileSealed)); err != nil {
		return err
	}
	foot, err := t.foot(ctx)
	if err != nil {
		return err
	}
	tiled, err := t.tiled(ctx)
	if err != nil {
		return err
	}
	tile := kept(t.tiles(ctx))
	for i := int64(1); i <= foot; i++ {
		h, err := gone(i)
		if i <= tiled {
			h, err = leafAt(tile, i)
		}
		if err != nil {
			return err
		}
		if err := x.line(merkle.FileLeaves, hex.AppendEncode(nil, h[:])); err != nil {
			return err
		}
	}
	for after := foot; after < head; {
		rows, err := t.db(ctx).Page(ctx, auditdb.PageParams{After: after, N: page})
		if err != nil {
			return fmt.Errorf("audit: read records: %w", err)
		}
		if len(rows) == 0 {
			return &Broken{Index: after + 1, Why: "missing"}
		}
		for _, r := range rows {
			if after = r.Idx; after > head {
				return nil
			}
			if err := x.record(bare(r)); err != nil {
				return err
			}
		}
	}
	return nil
}

// export is a folder that is being written.
type export struct {
	dir   string
	files map[string]*bufio.Writer
	open  []io.Closer
}

func (x *export) make(name string) error {
	f, err := os.OpenFile(filepath.Join(x.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	if x.files == nil {
		x.files = map[string]*bufio.Writer{}
	}
	x.files[name], x.open = bufio.NewWriter(f), append(x.open, f)
	return nil
}

func (x *export) line(name string, b []byte) error {
	if x.files[name] == nil {
		if err := x.make(name); err != nil {
			return err
		}
	}
	_, err := x.files[name].Write(append(b, '\n'))
	return err
}

func (x *export) record(r stored) error {
	text, err := leafOf(r).Text()
	if err != nil {
		return fmt.Errorf("audit: record %d: %w", r.Idx, err)
	}
	err = errors.Join(x.line(merkle.FileLeaves, hex.AppendEncode(nil, r.Hash)), x.line(merkle.FileRecords, text))
	if len(r.Sealed) == 0 || err != nil {
		return err
	}
	b, err := json.Marshal(merkle.Sealed{Index: r.Idx, Sealed: r.Sealed})
	if err != nil {
		return err
	}
	return x.line(merkle.FileSealed, b)
}

func (x *export) close() error {
	var errs []error
	for _, w := range x.files {
		errs = append(errs, w.Flush())
	}
	for _, c := range x.open {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
