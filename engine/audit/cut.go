package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"cse.example/cse/engine/audit/internal/auditdb"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/redact"
)

// Retention of the trail. Old records cannot be taken out of the middle of a
// chain, nor can a person be taken out of a record, without breaking it: they go
// from the beginning, all of a time. What is left begins at the foot, the number
// and hash of the last record that went, and holds up to the same head as before.

// actCut is the record that a cut leaves: without it Verify takes the missing
// beginning for a theft.
const actCut = "audit.cut"

// Foot is the record before the first one that is kept; zero and zeros for a
// trail that was never cut.
func (t *Trail) Foot(ctx context.Context) (Head, error) {
	f, err := t.db(ctx).Foot(ctx)
	if err != nil {
		return Head{}, fmt.Errorf("audit: read the foot: %w", err)
	}
	return Head{Index: f.Idx, Hash: f.Hash}, nil
}

// Cut destroys the records from before an instant, in the act that ctx carries,
// and records where it cut. It stops at the first record that is not older, so
// that none is taken out of the middle, and answers how many went.
func (t *Trail) Cut(ctx context.Context, before time.Time) (int64, error) {
	n := int64(0)
	return n, t.atomically(ctx, func(ctx context.Context) error {
		n = 0
		q := t.db(ctx)
		head, err := t.Head(ctx)
		if err != nil {
			return err
		}
		foot, err := t.Foot(ctx)
		if err != nil {
			return err
		}
		through := head.Index // all may be older
		first, err := q.FirstSince(ctx, before.UnixMicro())
		if err == nil {
			through = first - 1
		} else if !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("audit: find where to cut: %w", err)
		}
		if through <= foot.Index {
			return nil
		}
		last, err := q.One(ctx, through)
		if err != nil {
			return fmt.Errorf("audit: read record %d: %w", through, err)
		}
		if n, err = q.CutThrough(ctx, through); err != nil {
			return fmt.Errorf("audit: cut: %w", err)
		}
		if n != through-foot.Index {
			return errors.New("audit: the beginning of the trail has gaps: verify it")
		}
		if err := q.SetFoot(ctx, auditdb.SetFootParams{Idx: last.Idx, Hash: last.Hash}); err != nil {
			return fmt.Errorf("audit: move the foot: %w", err)
		}
		return t.Record(ctx, journal.Entry{Act: actCut, Actor: "system:night", Detail: map[string]string{
			"through": strconv.FormatInt(last.Idx, 10), "hash": last.Hash, "records": strconv.FormatInt(n, 10),
		}})
	})
}

// cutTo tells whether a record says that the trail was cut at the foot. Details are kept with what looks like a code covered, and
// some eight digits of a hash may look like one: the foot's hash is covered as the record's was.
func cutTo(r auditdb.AuditRecord, foot Head) bool {
	if r.Act != actCut {
		return false
	}
	x, err := shown(r)
	return err == nil && x.Detail["through"] == strconv.FormatInt(foot.Index, 10) && x.Detail["hash"] == redact.Text(foot.Hash)
}

// above drops heads that were deposited before the cut, save the foot's own: the
// trail cannot hold them any more.
func above(foot Head, heads map[int64]string) (map[int64]string, error) {
	out := map[int64]string{}
	for index, hash := range heads {
		switch {
		case index > foot.Index || index == 0:
			out[index] = hash
		case index == foot.Index && hash != foot.Hash:
			return nil, &Broken{index, "its hash is not the deposited one"}
		}
	}
	return out, nil
}
