package store

import (
	"context"
	"fmt"
	"time"

	"cse.example/cse/engine/store/internal/trustlistdb"
	"cse.example/cse/issuer/trustlist"
)

// TrustListStore keeps trusted lists; it fits trustlist.Store.
type TrustListStore struct{ db *DB }

var _ trustlist.Store = (*TrustListStore)(nil)

// TrustLists is the store of trusted lists.
func (db *DB) TrustLists() *TrustListStore { return &TrustListStore{db} }

func (s *TrustListStore) q(ctx context.Context) *trustlistdb.Queries {
	return trustlistdb.New(s.db.Conn(ctx))
}

// Add implements trustlist.Store.
func (s *TrustListStore) Add(ctx context.Context, r trustlist.Row) error {
	next := int64(0)
	if !r.NextUpdate.IsZero() {
		next = micros(r.NextUpdate)
	}
	err := s.q(ctx).AddTrustList(ctx, trustlistdb.AddTrustListParams{
		ID: r.ID, List: r.List, Hash: r.Hash, Sequence: r.Sequence, Issued: micros(r.Issued), NextUpdate: next, State: string(r.State), Body: r.Body,
		AskedBy: r.AskedBy, At: micros(r.At), DecidedAt: micros(r.DecidedAt),
	})
	if err != nil {
		return fmt.Errorf("store: keep a trusted list: %w", err)
	}
	return nil
}

// Move implements trustlist.Store.
func (s *TrustListStore) Move(ctx context.Context, id string, was, to trustlist.State, at time.Time) (bool, error) {
	n, err := s.q(ctx).MoveTrustList(ctx, trustlistdb.MoveTrustListParams{State: string(to), DecidedAt: micros(at), ID: id, State_2: string(was)})
	if err != nil {
		return false, fmt.Errorf("store: move a trusted list: %w", err)
	}
	return n == 1, nil
}

// Heads implements trustlist.Store.
func (s *TrustListStore) Heads(ctx context.Context) ([]trustlist.Row, error) {
	list, err := s.q(ctx).TrustListHeads(ctx)
	if err != nil {
		return nil, fmt.Errorf("store: trusted lists: %w", err)
	}
	var out []trustlist.Row
	for _, r := range list {
		out = append(out, trustlist.Row{ID: r.ID, List: r.List, Hash: r.Hash, Sequence: r.Sequence, Issued: instant(r.Issued), State: trustlist.State(r.State)})
	}
	return out, nil
}

// Body implements trustlist.Store.
func (s *TrustListStore) Body(ctx context.Context, id string) ([]byte, error) {
	b, err := s.q(ctx).TrustListBody(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("store: read a trusted list: %w", err)
	}
	return b, nil
}

// History implements trustlist.Store.
func (s *TrustListStore) History(ctx context.Context, list string, limit int) ([]trustlist.Row, error) {
	rows, err := s.q(ctx).TrustListHistory(ctx, trustlistdb.TrustListHistoryParams{List: list, Limit: int32(limit)}) //nolint:gosec // a page
	if err != nil {
		return nil, fmt.Errorf("store: history of a trusted list: %w", err)
	}
	var out []trustlist.Row
	for _, r := range rows {
		row := trustlist.Row{
			ID: r.ID, List: r.List, Hash: r.Hash, Sequence: r.Sequence, Issued: instant(r.Issued), State: trustlist.State(r.State), AskedBy: r.AskedBy,
			At: instant(r.At), DecidedAt: instant(r.DecidedAt),
		}
		if r.NextUpdate != 0 {
			row.NextUpdate = instant(r.NextUpdate)
		}
		out = append(out, row)
	}
	return out, nil
}
