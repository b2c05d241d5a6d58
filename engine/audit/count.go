package audit

import (
	"context"
	"fmt"
	"time"

	"cse.example/cse/engine/audit/internal/auditdb"
)

// Count counts the records of an act since an instant. It finds its beginning by
// halving, as the records lie in the order of time; where the clock went back,
// records of the minutes around may be missed.
func (t *Trail) Count(ctx context.Context, act string, since time.Time) (int, error) {
	foot, err := t.foot(ctx)
	if err != nil {
		return 0, err
	}
	head, err := t.Head(ctx)
	if err != nil {
		return 0, err
	}
	lo, hi := foot+1, head.Index+1 // the first record since is in [lo, hi]
	for lo < hi {
		mid := lo + (hi-lo)/2
		at, err := t.db(ctx).Instant(ctx, mid)
		if err != nil {
			return 0, fmt.Errorf("audit: read record %d: %w", mid, err)
		}
		if at < since.UnixMicro() {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	n, err := t.db(ctx).CountFrom(ctx, auditdb.CountFromParams{Idx: lo, Since: since.UnixMicro(), Act: act})
	if err != nil {
		return 0, fmt.Errorf("audit: count: %w", err)
	}
	return int(n), nil
}
