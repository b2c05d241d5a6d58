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

// ActStore keeps acts at counters; it implements counter.Acts.
type ActStore struct{ db *DB }

// TriesStore keeps wrong tries; it implements throttle.Tries.
type TriesStore struct{ db *DB }

var (
	_ counter.Drafts = (*DraftStore)(nil)
	_ counter.Acts   = (*ActStore)(nil)
	_ throttle.Tries = (*TriesStore)(nil)
)

// Drafts is the store of drafts.
func (db *DB) Drafts() *DraftStore { return &DraftStore{db} }

// Acts is the store of acts at counters.
func (db *DB) Acts() *ActStore { return &ActStore{db} }

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

// NextProtocol implements counter.Acts.
func (s *ActStore) NextProtocol(ctx context.Context, year int) (int64, error) {
	n, err := s.db.counter(ctx).NextProtocol(ctx, int64(year))
	if err != nil {
		return 0, fmt.Errorf("store: protocol number: %w", err)
	}
	return n, nil
}

// Add implements counter.Acts.
func (s *ActStore) Add(ctx context.Context, a counter.ActRow) (bool, error) {
	n, err := s.db.counter(ctx).InsertAct(ctx, counterdb.InsertActParams{
		Protocol: a.Protocol, Kind: string(a.Kind), Request: a.Request, Card: a.Card, Operator: a.Operator, Office: a.Office,
		At: micros(a.At), PrintedAt: micros(a.PrintedAt), HandedAt: micros(a.HandedAt), Body: a.Body,
	})
	if err != nil {
		return false, fmt.Errorf("store: write act: %w", err)
	}
	return n == 1, nil
}

// Find implements counter.Acts.
func (s *ActStore) Find(ctx context.Context, protocol, request string) (counter.ActRow, error) {
	var r counterdb.CounterAct
	var err error
	if protocol != "" {
		r, err = s.db.counter(ctx).GetAct(ctx, protocol)
	} else {
		r, err = s.db.counter(ctx).GetActByRequest(ctx, request)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return counter.ActRow{}, counter.ErrNotFound
	}
	if err != nil {
		return counter.ActRow{}, fmt.Errorf("store: read act: %w", err)
	}
	return actOf(r), nil
}

// ByCard implements counter.Acts.
func (s *ActStore) ByCard(ctx context.Context, card string) ([]counter.ActRow, error) {
	rows, err := s.db.counter(ctx).ListActsByCard(ctx, card)
	if err != nil {
		return nil, fmt.Errorf("store: list acts: %w", err)
	}
	out := make([]counter.ActRow, len(rows))
	for i, r := range rows {
		out[i] = actOf(r)
	}
	return out, nil
}

// Open lists an office's acts that were not handed over, oldest first,
// at most limit: counter.WorklistParts asks for it.
func (s *ActStore) Open(ctx context.Context, office string, limit int) ([]counter.ActRow, error) {
	rows, err := s.db.counter(ctx).ListOpenActs(ctx, counterdb.ListOpenActsParams{Office: office, Limit: int32(min(limit, 10_000))})
	if err != nil {
		return nil, fmt.Errorf("store: list open acts: %w", err)
	}
	out := make([]counter.ActRow, len(rows))
	for i, r := range rows {
		out[i] = actOf(r)
	}
	return out, nil
}

// Of lists an operator's acts at an office in a span of time, oldest first.
func (s *ActStore) Of(ctx context.Context, operator, office string, from, to time.Time, limit int) ([]counter.ActRow, error) {
	rows, err := s.db.counter(ctx).ListActsOfOperator(ctx, counterdb.ListActsOfOperatorParams{
		Operator: operator, Office: office, At: micros(from), At_2: micros(to), Limit: int32(min(limit, 10_000)),
	})
	if err != nil {
		return nil, fmt.Errorf("store: list an operator's acts: %w", err)
	}
	out := make([]counter.ActRow, len(rows))
	for i, r := range rows {
		out[i] = actOf(r)
	}
	return out, nil
}

func actOf(r counterdb.CounterAct) counter.ActRow {
	return counter.ActRow{
		Protocol: r.Protocol, Kind: counter.ActKind(r.Kind), Request: r.Request, Card: r.Card, Operator: r.Operator, Office: r.Office,
		At: instant(r.At), PrintedAt: instant(r.PrintedAt), HandedAt: instant(r.HandedAt), Body: r.Body,
	}
}

// Mark implements counter.Acts.
func (s *ActStore) Mark(ctx context.Context, protocol string, step counter.Step, at time.Time) (bool, error) {
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
		return false, fmt.Errorf("store: mark act %s: %w", protocol, err)
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
