package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/engine/store/internal/helddb"
)

// HeldStore keeps the forms that hit a locked screen, sealed by the portal; it
// fits portal.Held, which this package may not name.
type HeldStore struct{ db *DB }

// Held is the store of forms that hit a locked screen.
func (db *DB) Held() *HeldStore { return &HeldStore{db} }

func (s *HeldStore) q(ctx context.Context) *helddb.Queries { return helddb.New(s.db.Conn(ctx)) }

// PutHeld keeps a form in place of the one before.
func (s *HeldStore) PutHeld(ctx context.Context, key, sealed []byte, until time.Time) error {
	if err := s.q(ctx).PutHeld(ctx, helddb.PutHeldParams{Key: key, Body: sealed, Until: micros(until)}); err != nil {
		return fmt.Errorf("store: keep a form: %w", err)
	}
	return nil
}

// GetHeld answers a nil body when nothing is kept at that instant.
func (s *HeldStore) GetHeld(ctx context.Context, key []byte, now time.Time) ([]byte, error) {
	r, err := s.q(ctx).GetHeld(ctx, helddb.GetHeldParams{Key: key, Until: micros(now)})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("store: read a kept form: %w", err)
	}
	return r.Body, nil
}

// DeleteHeld tells whether a form was there.
func (s *HeldStore) DeleteHeld(ctx context.Context, key []byte) (bool, error) {
	n, err := s.q(ctx).DeleteHeld(ctx, key)
	if err != nil {
		return false, fmt.Errorf("store: forget a kept form: %w", err)
	}
	return n == 1, nil
}

// PruneHeld deletes the forms whose time is over, and tells how many.
func (s *HeldStore) PruneHeld(ctx context.Context, now time.Time) (int64, error) {
	n, err := s.q(ctx).PruneHeld(ctx, micros(now))
	if err != nil {
		return 0, fmt.Errorf("store: forget kept forms: %w", err)
	}
	return n, nil
}
