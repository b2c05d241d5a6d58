package store

import (
	"context"
	"fmt"
)

// LeapLists makes the next list of every part have a number greater by at least by
// than any the store knows; inside an act.
func (s *PKIStore) LeapLists(ctx context.Context, by int64) error {
	if err := s.q(ctx).LeapLists(ctx, by); err != nil {
		return fmt.Errorf("store: leap over the numbers of lists: %w", err)
	}
	return nil
}
