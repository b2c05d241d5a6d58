package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"cse.example/cse/engine/audit/internal/auditdb"
	"cse.example/cse/ground/merkle"
	"cse.example/cse/ground/words"
)

// When a checkpoint is due: so long after the one before, or so many records.
const (
	checkpointEvery   = 10 * time.Second
	checkpointRecords = 1000
	// checkpointMost is how many one checkpoint adds at most: what is behind is caught
	// up with in steps.
	checkpointMost = 65_536
)

// Checkpoint signs the present head, and answers the note; nil when nothing was
// recorded since the last one, or another process was faster. Refused: a clock that
// stands before the last checkpoint (CSE-970), a tree that does not contain it
// (CSE-971).
func (t *Trail) Checkpoint(ctx context.Context) ([]byte, error) {
	if t.signer == nil {
		return nil, errors.New("audit: this process has no key for checkpoints")
	}
	last, err := t.LastCheckpoint(ctx)
	if err != nil {
		return nil, err
	}
	// The tree grows outside the act, from what was committed: no signature inside.
	head, err := t.db(ctx).Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("audit: read the head: %w", err)
	}
	if head <= last.Size {
		return nil, t.contains(ctx, last)
	}
	now := t.clock.Now().UTC().Truncate(time.Microsecond)
	if now.Before(last.At) {
		return nil, words.Refuse("CSE-970", last.At.Format(time.RFC3339), now.Format(time.RFC3339))
	}
	g, err := t.grow(ctx)
	if err != nil {
		return nil, contradicted(err)
	}
	if err := g.through(ctx, t, max(g.from, min(head, g.from+checkpointMost))); err != nil {
		return nil, contradicted(err)
	}
	next := merkle.Checkpoint{Origin: t.signer.Name(), Size: g.edge.Size(), Root: g.edge.Root(), Number: last.Number + 1, At: now}
	if err := extends(g.tile, last, next); err != nil {
		return nil, words.Refuse("CSE-971").Because(err)
	}
	msg, err := next.Sign(t.signer)
	if err != nil {
		return nil, fmt.Errorf("audit: sign a checkpoint: %w", err)
	}
	if again, err := t.keys.Open(msg); err != nil || again != next {
		return nil, errors.Join(errors.New("audit: the signer's key is not among the log's"), err)
	}
	kept := false
	err = t.atomically(ctx, func(ctx context.Context) error {
		kept = false
		now, err := t.LastCheckpoint(ctx)
		if err != nil || now != last {
			return err
		}
		if kept, err = g.keep(ctx, t); err != nil || !kept {
			return err
		}
		return t.db(ctx).AddCheckpoint(ctx, auditdb.AddCheckpointParams{Number: next.Number, Size: next.Size, Note: string(msg)})
	})
	if err != nil || !kept {
		return nil, err
	}
	return msg, nil
}

// extends proves that the tree of the next checkpoint contains the last one's.
func extends(tiles merkle.Tiles, last, next merkle.Checkpoint) error {
	if last.Number == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(next.Size, last.Size, tiles.Reader(next.Size))
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, next.Size, next.Root, last.Size, last.Root)
}

// contains refuses a stored tree in which a checkpoint's records are not.
func (t *Trail) contains(ctx context.Context, c merkle.Checkpoint) error {
	root, err := t.tiles(ctx).Root(c.Size)
	if err != nil {
		return contradicted(err)
	}
	if c.Number > 0 && root != c.Root {
		return words.Refuse("CSE-971").Because(fmt.Errorf("the first %d records do not give the head that checkpoint %d signed", c.Size, c.Number))
	}
	return nil
}

// contradicted makes a fault of a tree that has a hole.
func contradicted(err error) error {
	var b *Broken
	if errors.As(err, &b) {
		return words.Refuse("CSE-971").Because(err)
	}
	return err
}

// LastCheckpoint is the newest one, opened; the zero value when there is none.
func (t *Trail) LastCheckpoint(ctx context.Context) (merkle.Checkpoint, error) {
	c, _, err := t.lastNote(ctx)
	return c, err
}

func (t *Trail) lastNote(ctx context.Context) (merkle.Checkpoint, string, error) {
	row, err := t.db(ctx).LastCheckpoint(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return merkle.Checkpoint{}, "", nil
	}
	if err != nil {
		return merkle.Checkpoint{}, "", fmt.Errorf("audit: read the last checkpoint: %w", err)
	}
	c, err := t.keys.Open([]byte(row.Note))
	if err == nil && (c.Number != row.Number || c.Size != row.Size) {
		err = fmt.Errorf("it is kept as number %d of %d records", row.Number, row.Size)
	}
	if err != nil {
		return c, "", words.Refuse("CSE-971").Because(fmt.Errorf("checkpoint %d: %w", row.Number, err))
	}
	return c, row.Note, nil
}

// recent is how many of the last records are read again when a process starts; all
// of them are by Verify.
const recent = 2000

// Consistent is what a process asks before it writes: the trail must contain the
// last checkpoint, and published, the note that was last given out (nil: none).
// Refused: CSE-971, and CSE-973 when the store is older than what was given out.
func (t *Trail) Consistent(ctx context.Context, published []byte) error {
	last, err := t.LastCheckpoint(ctx)
	if err != nil {
		return err
	}
	head, err := t.db(ctx).Head(ctx)
	if err != nil {
		return fmt.Errorf("audit: read the head: %w", err)
	}
	if head < last.Size {
		return words.Refuse("CSE-971").Because(&Broken{Index: head + 1, Why: fmt.Sprintf("missing: checkpoint %d has %d records", last.Number, last.Size)})
	}
	if err := t.contains(ctx, last); err != nil {
		return err
	}
	if err := t.recent(ctx, last.Size); err != nil {
		return err
	}
	if published == nil {
		return nil
	}
	out, err := t.keys.Open(published)
	if err != nil {
		return words.Refuse("CSE-973").Because(err)
	}
	if out.Number > last.Number {
		return words.Refuse("CSE-973").Because(fmt.Errorf("checkpoint %d of %d records was given out; the store knows %d of %d", out.Number, out.Size, last.Number, last.Size))
	}
	if err := t.contains(ctx, out); err != nil {
		return words.Refuse("CSE-973").Because(err)
	}
	return nil
}

// recent compares the last records under a checkpoint with their leaves.
func (t *Trail) recent(ctx context.Context, size int64) error {
	foot, err := t.foot(ctx)
	if err != nil {
		return err
	}
	last := max(foot, size-recent)
	tile := kept(t.tiles(ctx))
	for last < size {
		rows, err := t.db(ctx).Page(ctx, auditdb.PageParams{After: last, N: page})
		if err != nil {
			return fmt.Errorf("audit: read records: %w", err)
		}
		if len(rows) == 0 {
			return words.Refuse("CSE-971").Because(&Broken{Index: last + 1, Why: "missing"})
		}
		for _, r := range rows {
			if last++; last > size {
				break
			}
			h, err := leafAt(tile, last)
			if err != nil {
				return contradicted(err)
			}
			if why := fault(bare(r), last, h); why != "" {
				return words.Refuse("CSE-971").Because(&Broken{Index: last, Why: why})
			}
		}
	}
	return nil
}

// Run signs heads until ctx ends, and gives each note to publish. What fails is told
// to log, the same once in a while only.
func (t *Trail) Run(ctx context.Context, publish func(note []byte) error, log func(error)) error {
	const look = 250 * time.Millisecond
	every := time.NewTicker(look)
	defer every.Stop()
	var made, told time.Time
	var before string
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		msg, err := t.due(ctx, made)
		if err == nil && msg != nil {
			made = time.Now()
			err = publish(msg)
		}
		if err != nil && ctx.Err() == nil && (err.Error() != before || time.Since(told) > time.Minute) {
			before, told = err.Error(), time.Now()
			log(err)
		}
	}
}

// due makes a checkpoint when its time has come.
func (t *Trail) due(ctx context.Context, made time.Time) ([]byte, error) {
	if time.Since(made) < checkpointEvery {
		head, err := t.db(ctx).Head(ctx)
		if err != nil {
			return nil, fmt.Errorf("audit: read the head: %w", err)
		}
		tiled, err := t.tiled(ctx)
		if err != nil || head-tiled < checkpointRecords {
			return nil, err
		}
	}
	return t.Checkpoint(ctx)
}
