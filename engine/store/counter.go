package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/issuer/throttle"

	"cse.example/cse/engine/store/internal/counterdb"
	"cse.example/cse/issuer/counter"
)

// DraftStore keeps drafts of activations; it implements counter.Drafts.
type DraftStore struct{ db *DB }

// ActivationStore keeps activations; it implements counter.Activations.
type ActivationStore struct{ db *DB }

// TriesStore keeps wrong tries; it implements throttle.Tries.
type TriesStore struct{ db *DB }

var (
	_ counter.Drafts      = (*DraftStore)(nil)
	_ counter.Activations = (*ActivationStore)(nil)
	_ throttle.Tries      = (*TriesStore)(nil)
)

// Drafts is the store of drafts.
func (db *DB) Drafts() *DraftStore { return &DraftStore{db} }

// Activations is the store of activations.
func (db *DB) Activations() *ActivationStore { return &ActivationStore{db} }

// Tries is the store of wrong tries.
func (db *DB) Tries() *TriesStore { return &TriesStore{db} }

func (db *DB) counter(ctx context.Context) *counterdb.Queries { return counterdb.New(db.Conn(ctx)) }

// Get implements counter.Drafts.
func (s *DraftStore) Get(ctx context.Context, id string) (counter.DraftRow, error) {
	r, err := s.db.counter(ctx).GetDraft(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return counter.DraftRow{}, counter.ErrNotFound
	}
	if err != nil {
		return counter.DraftRow{}, fmt.Errorf("store: read draft: %w", err)
	}
	return counter.DraftRow{
		ID: r.ID, Operator: r.Operator, Office: r.Office, Body: r.Body, Version: r.Version, TouchedAt: instant(r.TouchedAt),
	}, nil
}

// Put implements counter.Drafts.
func (s *DraftStore) Put(ctx context.Context, d counter.DraftRow) (int64, error) {
	var n int64
	var err error
	if d.Version == 0 {
		n, err = s.db.counter(ctx).InsertDraft(ctx, counterdb.InsertDraftParams{
			ID: d.ID, Operator: d.Operator, Office: d.Office, Body: d.Body, TouchedAt: micros(d.TouchedAt),
		})
	} else {
		n, err = s.db.counter(ctx).UpdateDraft(ctx, counterdb.UpdateDraftParams{
			ID: d.ID, Body: d.Body, TouchedAt: micros(d.TouchedAt), Version: d.Version,
		})
	}
	switch {
	case err != nil:
		return d.Version, fmt.Errorf("store: write draft: %w", err)
	case n != 1:
		return d.Version, counter.ErrStale
	}
	return d.Version + 1, nil
}

// Delete implements counter.Drafts.
func (s *DraftStore) Delete(ctx context.Context, id string) error {
	if _, err := s.db.counter(ctx).DeleteDraft(ctx, id); err != nil {
		return fmt.Errorf("store: delete draft: %w", err)
	}
	return nil
}

// Prune implements counter.Drafts.
func (s *DraftStore) Prune(ctx context.Context, before time.Time) (int64, error) {
	n, err := s.db.counter(ctx).DeleteOldDrafts(ctx, micros(before))
	if err != nil {
		return 0, fmt.Errorf("store: prune drafts: %w", err)
	}
	return n, nil
}

// NextProtocol implements counter.Activations.
func (s *ActivationStore) NextProtocol(ctx context.Context, year int) (int64, error) {
	n, err := s.db.counter(ctx).NextProtocol(ctx, int64(year))
	if err != nil {
		return 0, fmt.Errorf("store: protocol number: %w", err)
	}
	return n, nil
}

// Add implements counter.Activations.
func (s *ActivationStore) Add(ctx context.Context, a counter.ActivationRow) (bool, error) {
	n, err := s.db.counter(ctx).InsertActivation(ctx, counterdb.InsertActivationParams{
		Protocol: a.Protocol, Draft: a.Draft, Card: a.Card, Operator: a.Operator, Office: a.Office,
		At: micros(a.At), PrintedAt: micros(a.PrintedAt), HandedAt: micros(a.HandedAt), Body: a.Body,
	})
	if err != nil {
		return false, fmt.Errorf("store: write activation: %w", err)
	}
	return n == 1, nil
}

// Find implements counter.Activations.
func (s *ActivationStore) Find(ctx context.Context, protocol, draft string) (counter.ActivationRow, error) {
	var r counterdb.CounterActivation
	var err error
	if protocol != "" {
		r, err = s.db.counter(ctx).GetActivation(ctx, protocol)
	} else {
		r, err = s.db.counter(ctx).GetActivationByDraft(ctx, draft)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return counter.ActivationRow{}, counter.ErrNotFound
	}
	if err != nil {
		return counter.ActivationRow{}, fmt.Errorf("store: read activation: %w", err)
	}
	return activationOf(r), nil
}

// ByCard implements counter.Activations.
func (s *ActivationStore) ByCard(ctx context.Context, card string) ([]counter.ActivationRow, error) {
	rows, err := s.db.counter(ctx).ListActivationsByCard(ctx, card)
	if err != nil {
		return nil, fmt.Errorf("store: list activations: %w", err)
	}
	out := make([]counter.ActivationRow, len(rows))
	for i, r := range rows {
		out[i] = activationOf(r)
	}
	return out, nil
}

// Open lists an office's activations that were not handed over, oldest first,
// at most limit: counter.WorklistParts asks for it.
func (s *ActivationStore) Open(ctx context.Context, office string, limit int) ([]counter.ActivationRow, error) {
	rows, err := s.db.counter(ctx).ListOpenActivations(ctx, counterdb.ListOpenActivationsParams{Office: office, Limit: int32(min(limit, 10_000))})
	if err != nil {
		return nil, fmt.Errorf("store: list open activations: %w", err)
	}
	out := make([]counter.ActivationRow, len(rows))
	for i, r := range rows {
		out[i] = activationOf(r)
	}
	return out, nil
}

func activationOf(r counterdb.CounterActivation) counter.ActivationRow {
	return counter.ActivationRow{
		Protocol: r.Protocol, Draft: r.Draft, Card: r.Card, Operator: r.Operator, Office: r.Office,
		At: instant(r.At), PrintedAt: instant(r.PrintedAt), HandedAt: instant(r.HandedAt), Body: r.Body,
	}
}

// Mark implements counter.Activations.
func (s *ActivationStore) Mark(ctx context.Context, protocol string, step counter.Step, at time.Time) (bool, error) {
	var n int64
	var err error
	switch step {
	case counter.StepPrinted:
		n, err = s.db.counter(ctx).MarkPrinted(ctx, counterdb.MarkPrintedParams{Protocol: protocol, PrintedAt: micros(at)})
	case counter.StepHandedOver:
		n, err = s.db.counter(ctx).MarkHandedOver(ctx, counterdb.MarkHandedOverParams{Protocol: protocol, HandedAt: micros(at)})
	default:
		return false, fmt.Errorf("store: there is no step %d after an activation", step)
	}
	if err != nil {
		return false, fmt.Errorf("store: mark activation %s: %w", protocol, err)
	}
	return n == 1, nil
}

// Get implements throttle.Tries.
func (s *TriesStore) Get(ctx context.Context, subject string) (throttle.Row, error) {
	r, err := s.db.counter(ctx).GetTries(ctx, subject)
	if errors.Is(err, sql.ErrNoRows) {
		return throttle.Row{}, nil
	}
	if err != nil {
		return throttle.Row{}, fmt.Errorf("store: read tries: %w", err)
	}
	return throttle.Row{Failures: int(r.Failures), LastAt: instant(r.LastAt), Until: instant(r.Until)}, nil
}

// Put implements throttle.Tries.
func (s *TriesStore) Put(ctx context.Context, subject string, r throttle.Row) error {
	err := s.db.counter(ctx).PutTries(ctx, counterdb.PutTriesParams{
		Subject: subject, Failures: int64(r.Failures), LastAt: micros(r.LastAt), Until: micros(r.Until),
	})
	if err != nil {
		return fmt.Errorf("store: write tries: %w", err)
	}
	return nil
}

// Clear implements throttle.Tries.
func (s *TriesStore) Clear(ctx context.Context, subject string) error {
	if err := s.db.counter(ctx).DeleteTries(ctx, subject); err != nil {
		return fmt.Errorf("store: clear tries: %w", err)
	}
	return nil
}

// UseTOTP implements throttle.Tries.
func (s *TriesStore) UseTOTP(ctx context.Context, account string, step int64) (bool, error) {
	n, err := s.db.counter(ctx).UseTOTP(ctx, counterdb.UseTOTPParams{Account: account, Step: step})
	if err != nil {
		return false, fmt.Errorf("store: one-time code: %w", err)
	}
	return n == 1, nil
}

// Prune implements throttle.Tries.
func (s *TriesStore) Prune(ctx context.Context, before time.Time) (int64, error) {
	n, err := s.db.counter(ctx).DeleteOldTries(ctx, micros(before))
	if err != nil {
		return 0, fmt.Errorf("store: prune tries: %w", err)
	}
	return n, nil
}
