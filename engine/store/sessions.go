package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/engine/store/internal/portaldb"
)

// SessionStore keeps the portal's sessions, sealed by the portal; it fits
// portal.Sessions, which this package may not name.
type SessionStore struct{ db *DB }

// Sessions is the store of the portal's sessions.
func (db *DB) Sessions() *SessionStore { return &SessionStore{db} }

func (s *SessionStore) q(ctx context.Context) *portaldb.Queries {
	return portaldb.New(s.db.Conn(ctx))
}

// PutSession adds a session; a key that is there is an error.
func (s *SessionStore) PutSession(ctx context.Context, key, sealed []byte, began, seen time.Time) error {
	err := s.q(ctx).PutSession(ctx, portaldb.PutSessionParams{Key: key, Body: sealed, Began: micros(began), Seen: micros(seen)})
	if err != nil {
		return fmt.Errorf("store: put session: %w", err)
	}
	return nil
}

// GetSession answers a nil body when there is no such session.
func (s *SessionStore) GetSession(ctx context.Context, key []byte) (sealed []byte, began, seen time.Time, err error) {
	row, err := s.q(ctx).GetSession(ctx, key)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, time.Time{}, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, time.Time{}, fmt.Errorf("store: get session: %w", err)
	}
	return row.Body, instant(row.Began), instant(row.Seen), nil
}

// TouchSession writes the time of the last request.
func (s *SessionStore) TouchSession(ctx context.Context, key []byte, seen time.Time) error {
	if err := s.q(ctx).TouchSession(ctx, portaldb.TouchSessionParams{Key: key, Seen: micros(seen)}); err != nil {
		return fmt.Errorf("store: touch session: %w", err)
	}
	return nil
}

// DeleteSession ends a session; one that is not there is no error.
func (s *SessionStore) DeleteSession(ctx context.Context, key []byte) error {
	if err := s.q(ctx).DeleteSession(ctx, key); err != nil {
		return fmt.Errorf("store: delete session: %w", err)
	}
	return nil
}

// DeleteSessionsBefore deletes the sessions begun before, and tells how many.
func (s *SessionStore) DeleteSessionsBefore(ctx context.Context, began time.Time) (int64, error) {
	n, err := s.q(ctx).DeleteSessionsBefore(ctx, micros(began))
	if err != nil {
		return 0, fmt.Errorf("store: delete sessions: %w", err)
	}
	return n, nil
}
