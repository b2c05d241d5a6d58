package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/engine/store/internal/archivedb"
	"cse.example/cse/issuer/archive"
)

// ArchiveStore keeps the papers of acts; it implements archive.Store.
type ArchiveStore struct{ db *DB }

var _ archive.Store = (*ArchiveStore)(nil)

// Archive is the store of issuer/archive.
func (db *DB) Archive() *ArchiveStore { return &ArchiveStore{db} }

func (s *ArchiveStore) q(ctx context.Context) *archivedb.Queries {
	return archivedb.New(s.db.Conn(ctx))
}

// AddPaper implements archive.Store.
func (s *ArchiveStore) AddPaper(ctx context.Context, r archive.Row) (bool, error) {
	n, err := s.q(ctx).InsertPaper(ctx, archivedb.InsertPaperParams{
		ID: r.ID, Act: r.Act, Person: r.Person, Kind: string(r.Kind), Type: string(r.Type), Size: r.Size, ByWhom: r.By, At: micros(r.At), Body: r.Body,
	})
	if err != nil {
		return false, fmt.Errorf("store: write paper: %w", err)
	}
	return n == 1, nil
}

// PapersOf implements archive.Store.
func (s *ArchiveStore) PapersOf(ctx context.Context, act string) ([]archive.Row, error) {
	rows, err := s.q(ctx).ListPapers(ctx, act)
	if err != nil {
		return nil, fmt.Errorf("store: list papers: %w", err)
	}
	out := make([]archive.Row, len(rows))
	for i, r := range rows {
		out[i] = archive.Row{Paper: archive.Paper{
			ID: r.ID, Kind: archive.Kind(r.Kind), Type: archive.Type(r.Type), Size: r.Size, At: instant(r.At), By: r.ByWhom,
		}, Act: r.Act, Person: r.Person}
	}
	return out, nil
}

// GetPaper implements archive.Store.
func (s *ArchiveStore) GetPaper(ctx context.Context, id string) (archive.Row, error) {
	r, err := s.q(ctx).GetPaper(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return archive.Row{}, archive.ErrNotFound
	}
	if err != nil {
		return archive.Row{}, fmt.Errorf("store: read paper: %w", err)
	}
	return archive.Row{Paper: archive.Paper{
		ID: r.ID, Kind: archive.Kind(r.Kind), Type: archive.Type(r.Type), Size: r.Size, At: instant(r.At), By: r.ByWhom,
	}, Act: r.Act, Person: r.Person, Body: r.Body}, nil
}

// Key implements archive.Keys.
func (s *ArchiveStore) Key(ctx context.Context, person string) ([]byte, error) {
	wrapped, err := s.q(ctx).GetPaperKey(ctx, person)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, archive.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("store: read key of papers: %w", err)
	}
	return wrapped, nil
}

// PutKey implements archive.Keys.
func (s *ArchiveStore) PutKey(ctx context.Context, person string, wrapped []byte, at time.Time) (bool, error) {
	n, err := s.q(ctx).InsertPaperKey(ctx, archivedb.InsertPaperKeyParams{Person: person, Wrapped: wrapped, At: micros(at)})
	if err != nil {
		return false, fmt.Errorf("store: write key of papers: %w", err)
	}
	return n == 1, nil
}

// Erase implements archive.Keys.
func (s *ArchiveStore) Erase(ctx context.Context, person string) (int64, error) {
	if err := s.q(ctx).DeletePaperKey(ctx, person); err != nil {
		return 0, fmt.Errorf("store: erase key of papers: %w", err)
	}
	n, err := s.q(ctx).DeletePapersOf(ctx, person)
	if err != nil {
		return 0, fmt.Errorf("store: erase papers: %w", err)
	}
	return n, nil
}

// PapersFor implements archive.Terms.
func (s *ArchiveStore) PapersFor(ctx context.Context, person string) ([]archive.Row, error) {
	rows, err := s.q(ctx).ListPapersOf(ctx, person)
	if err != nil {
		return nil, fmt.Errorf("store: list somebody's papers: %w", err)
	}
	out := make([]archive.Row, len(rows))
	for i, r := range rows {
		out[i] = archive.Row{Paper: archive.Paper{
			ID: r.ID, Kind: archive.Kind(r.Kind), Type: archive.Type(r.Type), Size: r.Size, At: instant(r.At), By: r.ByWhom,
		}, Act: r.Act, Person: r.Person}
	}
	return out, nil
}

// Overdue implements archive.Terms.
func (s *ArchiveStore) Overdue(ctx context.Context, k archive.Kind, before time.Time, after string, limit int) ([]string, error) {
	out, err := s.q(ctx).ListOverdue(ctx, archivedb.ListOverdueParams{Kind: string(k), At: micros(before), Person: after, Limit: int32(min(limit, 10_000))})
	if err != nil {
		return nil, fmt.Errorf("store: list papers past their term: %w", err)
	}
	return out, nil
}

// Destroy implements archive.Terms.
func (s *ArchiveStore) Destroy(ctx context.Context, person string, k archive.Kind, before time.Time) (int64, error) {
	n, err := s.q(ctx).DeletePapersBefore(ctx, archivedb.DeletePapersBeforeParams{Person: person, Kind: string(k), At: micros(before)})
	if err != nil {
		return 0, fmt.Errorf("store: destroy papers: %w", err)
	}
	return n, nil
}

// DropSettled implements archive.Terms.
func (s *ArchiveStore) DropSettled(ctx context.Context, before time.Time) (int64, error) {
	n, err := s.q(ctx).DeleteSettled(ctx, micros(before))
	if err != nil {
		return 0, fmt.Errorf("store: forget papers waited for: %w", err)
	}
	return n, nil
}

// Expect implements archive.Dues.
func (s *ArchiveStore) Expect(ctx context.Context, d archive.Due) error {
	err := s.q(ctx).InsertDue(ctx, archivedb.InsertDueParams{Protocol: d.Protocol, Kind: string(d.Kind), Office: d.Office, Card: d.Card, At: micros(d.At)})
	if err != nil {
		return fmt.Errorf("store: wait for paper: %w", err)
	}
	return nil
}

// Settle implements archive.Dues.
func (s *ArchiveStore) Settle(ctx context.Context, protocol string, k archive.Kind, at time.Time) error {
	if err := s.q(ctx).SettleDue(ctx, archivedb.SettleDueParams{Protocol: protocol, Kind: string(k), DoneAt: micros(at)}); err != nil {
		return fmt.Errorf("store: settle paper: %w", err)
	}
	return nil
}

// Open implements archive.Dues.
func (s *ArchiveStore) Open(ctx context.Context, office string, limit int) ([]archive.Due, error) {
	rows, err := s.q(ctx).ListDue(ctx, archivedb.ListDueParams{Office: office, Limit: int32(min(limit, 10_000))})
	if err != nil {
		return nil, fmt.Errorf("store: list papers waited for: %w", err)
	}
	return dues(rows), nil
}

// OpenOf implements archive.Dues.
func (s *ArchiveStore) OpenOf(ctx context.Context, protocol string) ([]archive.Due, error) {
	rows, err := s.q(ctx).ListDueOf(ctx, protocol)
	if err != nil {
		return nil, fmt.Errorf("store: list papers an act waits for: %w", err)
	}
	return dues(rows), nil
}

// OpenIn implements archive.Dues.
func (s *ArchiveStore) OpenIn(ctx context.Context, office string, from, to time.Time) ([]archive.Due, error) {
	rows, err := s.q(ctx).ListDueIn(ctx, archivedb.ListDueInParams{Office: office, At: micros(from), Until: micros(to)})
	if err != nil {
		return nil, fmt.Errorf("store: list papers acts wait for: %w", err)
	}
	return dues(rows), nil
}

func dues(rows []archivedb.ArchiveDue) []archive.Due {
	out := make([]archive.Due, len(rows))
	for i, r := range rows {
		out[i] = archive.Due{Protocol: r.Protocol, Office: r.Office, Card: r.Card, Kind: archive.Kind(r.Kind), At: instant(r.At)}
	}
	return out
}
