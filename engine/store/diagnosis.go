package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/engine/store/internal/diagnosisdb"
	"cse.example/cse/issuer/helpdesk"
)

// ReportStore keeps the diagnoses that holders sent; it implements
// helpdesk.Reports.
type ReportStore struct{ db *DB }

var _ helpdesk.Reports = (*ReportStore)(nil)

// Reports is the store of diagnoses.
func (db *DB) Reports() *ReportStore { return &ReportStore{db} }

func (s *ReportStore) q(ctx context.Context) *diagnosisdb.Queries {
	return diagnosisdb.New(s.db.Conn(ctx))
}

// PutReport implements helpdesk.Reports.
func (s *ReportStore) PutReport(ctx context.Context, r helpdesk.ReportRow) (bool, error) {
	n, err := s.q(ctx).PutReport(ctx, diagnosisdb.PutReportParams{Reference: r.Reference, At: micros(r.At), Body: r.Body})
	if err != nil {
		return false, fmt.Errorf("store: write report: %w", err)
	}
	return n == 1, nil
}

// Report implements helpdesk.Reports.
func (s *ReportStore) Report(ctx context.Context, reference string) (helpdesk.ReportRow, error) {
	r, err := s.q(ctx).Report(ctx, reference)
	if errors.Is(err, sql.ErrNoRows) {
		return helpdesk.ReportRow{}, helpdesk.ErrNoReport
	}
	if err != nil {
		return helpdesk.ReportRow{}, fmt.Errorf("store: read report: %w", err)
	}
	return helpdesk.ReportRow{Reference: r.Reference, At: instant(r.At), Body: r.Body}, nil
}

// CountReports implements helpdesk.Reports.
func (s *ReportStore) CountReports(ctx context.Context) (int64, error) {
	n, err := s.q(ctx).CountReports(ctx)
	if err != nil {
		return 0, fmt.Errorf("store: count reports: %w", err)
	}
	return n, nil
}

// Purge forgets reports of before.
func (s *ReportStore) Purge(ctx context.Context, before time.Time) (int64, error) {
	return purged(s.q(ctx).PurgeReports(ctx, micros(before)))
}
