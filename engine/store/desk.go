package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/engine/store/internal/deskdb"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/desk"
)

// DeskStore keeps the jobs of the counters' readers; it implements desk.Store.
type DeskStore struct{ db *DB }

var _ desk.Store = (*DeskStore)(nil)

// Desk is the store of issuer/desk.
func (db *DB) Desk() *DeskStore { return &DeskStore{db} }

func (s *DeskStore) q(ctx context.Context) *deskdb.Queries { return deskdb.New(s.db.Conn(ctx)) }

// Add implements desk.Store.
func (s *DeskStore) Add(ctx context.Context, j desk.Job) error {
	err := s.q(ctx).AddDeskJob(ctx, deskdb.AddDeskJobParams{
		ID: j.ID, Desk: j.Desk, Office: j.Office, Operator: j.Operator, Kind: string(j.Kind), Card: j.Card, Protocol: j.Protocol, State: string(j.State),
		At: micros(j.At), Expires: micros(j.Expires), Reader: notNull(j.Reader), First: notNull(j.First), Second: notNull(j.Second), Outcome: j.Outcome, Found: notNull(j.Found),
	})
	if err != nil {
		return fmt.Errorf("store: add a reader's job: %w", err)
	}
	return nil
}

func jobOf(r deskdb.DeskJob) desk.Job {
	return desk.Job{
		ID: r.ID, Desk: r.Desk, Office: r.Office, Operator: r.Operator, Kind: desk.Kind(r.Kind), Card: r.Card, Protocol: r.Protocol, State: desk.State(r.State),
		At: instant(r.At), Expires: instant(r.Expires), Reader: r.Reader, First: r.First, Second: r.Second, Outcome: r.Outcome, Found: r.Found,
	}
}

// Get implements desk.Store.
func (s *DeskStore) Get(ctx context.Context, id string) (desk.Job, error) {
	r, err := s.q(ctx).DeskJob(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return desk.Job{}, desk.ErrNone
	}
	if err != nil {
		return desk.Job{}, fmt.Errorf("store: read a reader's job: %w", err)
	}
	return jobOf(r), nil
}

// Next implements desk.Store.
func (s *DeskStore) Next(ctx context.Context, which string, st desk.State, now time.Time) (desk.Job, error) {
	rows, err := s.q(ctx).NextDeskJob(ctx, deskdb.NextDeskJobParams{Desk: which, State: string(st), Expires: micros(now)})
	if err != nil {
		return desk.Job{}, fmt.Errorf("store: next job of a reader: %w", err)
	}
	if len(rows) == 0 {
		return desk.Job{}, desk.ErrNone
	}
	return jobOf(rows[0]), nil
}

// Put implements desk.Store.
func (s *DeskStore) Put(ctx context.Context, j desk.Job, was desk.State) (bool, error) {
	n, err := s.q(ctx).PutDeskJob(ctx, deskdb.PutDeskJobParams{
		State: string(j.State), Expires: micros(j.Expires), Reader: notNull(j.Reader), First: notNull(j.First), Second: notNull(j.Second), Outcome: j.Outcome, Found: notNull(j.Found),
		ID: j.ID, Was: string(was),
	})
	if err != nil {
		return false, fmt.Errorf("store: write a reader's job: %w", err)
	}
	return n == 1, nil
}

// SetPiece implements desk.Store. A job that is over by now needs it no more.
func (s *DeskStore) SetPiece(ctx context.Context, id string, half int, sealed []byte) error {
	var err error
	if half == 1 {
		_, err = s.q(ctx).SetDeskFirst(ctx, deskdb.SetDeskFirstParams{ID: id, First: sealed})
	} else {
		_, err = s.q(ctx).SetDeskSecond(ctx, deskdb.SetDeskSecondParams{ID: id, Second: sealed})
	}
	if err != nil {
		return fmt.Errorf("store: write halves for a reader: %w", err)
	}
	return nil
}

// Prune implements desk.Store.
func (s *DeskStore) Prune(ctx context.Context, before time.Time) (int64, error) {
	n, err := s.q(ctx).PruneDeskJobs(ctx, micros(before))
	if err != nil {
		return 0, fmt.Errorf("store: forget readers' jobs: %w", err)
	}
	return n, nil
}

// PreviousCodes are the codes that a chip may still hold while new ones wait to be
// written to it. Only Get has an answer; it is a codes.Store for an opener.
type PreviousCodes struct{ *CodeStore }

// PreviousCodes is the store of codes that new ones took the place of.
func (db *DB) PreviousCodes() PreviousCodes { return PreviousCodes{db.Codes()} }

// Get implements codes.Store; a card whose chip has its codes answers ErrNone. There
// is no CIP in it.
func (s PreviousCodes) Get(ctx context.Context, card string) (codes.Sealed, error) {
	r, err := deskdb.New(s.db.Conn(ctx)).PreviousCodes(ctx, card)
	if errors.Is(err, sql.ErrNoRows) {
		return codes.Sealed{}, codes.ErrNone
	}
	if err != nil {
		return codes.Sealed{}, fmt.Errorf("store: read previous codes: %w", err)
	}
	return codes.Sealed{Card: r.Card, Version: r.Version, PINFirst: r.PinFirst, PINSecond: r.PinSecond, PUKFirst: r.PukFirst, PUKSecond: r.PukSecond}, nil
}

// Renew implements codes.Renewals.
func (s *CodeStore) Renew(ctx context.Context, c codes.Sealed) error {
	n, err := deskdb.New(s.db.Conn(ctx)).KeepPreviousCodes(ctx, c.Card)
	switch {
	case err != nil:
		return fmt.Errorf("store: keep previous codes: %w", err)
	case n != 1:
		return codes.ErrPending
	}
	if _, err := s.q(ctx).DestroyCodes(ctx, c.Card); err != nil {
		return fmt.Errorf("store: destroy codes: %w", err)
	}
	return s.Put(ctx, c)
}

// Renewed implements codes.Renewals.
func (s *CodeStore) Renewed(ctx context.Context, card string) (bool, error) {
	n, err := deskdb.New(s.db.Conn(ctx)).DropPreviousCodes(ctx, card)
	if err != nil {
		return false, fmt.Errorf("store: destroy previous codes: %w", err)
	}
	return n == 1, nil
}

// Pending implements codes.Renewals.
func (s *CodeStore) Pending(ctx context.Context, card string) (bool, error) {
	_, err := PreviousCodes{s}.Get(ctx, card)
	if errors.Is(err, codes.ErrNone) {
		return false, nil
	}
	return err == nil, err
}
