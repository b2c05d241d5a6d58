package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/engine/store/internal/privacydb"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/privacy"
)

// PrivacyStore keeps requests, looks, alerts and reports of issuer/privacy.
type PrivacyStore struct{ db *DB }

var (
	_ privacy.Requests = (*PrivacyStore)(nil)
	_ privacy.Looks    = (*PrivacyStore)(nil)
	_ privacy.Reports  = (*PrivacyStore)(nil)
)

// Privacy is the store of issuer/privacy.
func (db *DB) Privacy() *PrivacyStore { return &PrivacyStore{db} }

func (s *PrivacyStore) q(ctx context.Context) *privacydb.Queries {
	return privacydb.New(s.db.Conn(ctx))
}

// PutRequest implements privacy.Requests.
func (s *PrivacyStore) PutRequest(ctx context.Context, r privacy.RequestRow) error {
	err := s.q(ctx).PutRequest(ctx, privacydb.PutRequestParams{
		ID: r.ID, Person: r.Person, Kind: string(r.Kind), State: string(r.State), At: micros(r.At), Due: micros(r.Due),
		AnsweredAt: micros(r.Answer), Body: r.Body,
	})
	if err != nil {
		return fmt.Errorf("store: write request: %w", err)
	}
	return nil
}

// AnswerRequest implements privacy.Requests.
func (s *PrivacyStore) AnswerRequest(ctx context.Context, r privacy.RequestRow) (bool, error) {
	n, err := s.q(ctx).AnswerRequest(ctx, privacydb.AnswerRequestParams{
		ID: r.ID, State: string(r.State), AnsweredAt: micros(r.Answer), Body: r.Body,
	})
	if err != nil {
		return false, fmt.Errorf("store: answer request: %w", err)
	}
	return n == 1, nil
}

// GetRequest implements privacy.Requests.
func (s *PrivacyStore) GetRequest(ctx context.Context, id string) (privacy.RequestRow, error) {
	r, err := s.q(ctx).GetRequest(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return privacy.RequestRow{}, privacy.ErrNotFound
	}
	if err != nil {
		return privacy.RequestRow{}, fmt.Errorf("store: read request: %w", err)
	}
	return requestOf(r), nil
}

func requestOf(r privacydb.PrivacyRequest) privacy.RequestRow {
	return privacy.RequestRow{
		ID: r.ID, Person: r.Person, Kind: privacy.Kind(r.Kind), State: privacy.State(r.State), At: instant(r.At), Due: instant(r.Due),
		Answer: instant(r.AnsweredAt), Body: r.Body,
	}
}

func requestsOf(rows []privacydb.PrivacyRequest, err error) ([]privacy.RequestRow, error) {
	if err != nil {
		return nil, fmt.Errorf("store: list requests: %w", err)
	}
	out := make([]privacy.RequestRow, len(rows))
	for i, r := range rows {
		out[i] = requestOf(r)
	}
	return out, nil
}

// RequestsOf implements privacy.Requests.
func (s *PrivacyStore) RequestsOf(ctx context.Context, person string) ([]privacy.RequestRow, error) {
	return requestsOf(s.q(ctx).ListRequestsOf(ctx, person))
}

// OpenRequests implements privacy.Requests.
func (s *PrivacyStore) OpenRequests(ctx context.Context, limit int) ([]privacy.RequestRow, error) {
	return requestsOf(s.q(ctx).ListOpenRequests(ctx, int32(min(limit, 10_000))))
}

// AddLook implements privacy.Looks.
func (s *PrivacyStore) AddLook(ctx context.Context, operator, day, person string) (bool, int, error) {
	added, err := s.q(ctx).AddLook(ctx, privacydb.AddLookParams{Operator: operator, Day: day, Person: person})
	if err != nil {
		return false, 0, fmt.Errorf("store: write look: %w", err)
	}
	n, err := s.q(ctx).CountLooks(ctx, privacydb.CountLooksParams{Operator: operator, Day: day})
	if err != nil {
		return false, 0, fmt.Errorf("store: count looks: %w", err)
	}
	return added == 1, int(n), nil
}

// PutAlert implements privacy.Looks.
func (s *PrivacyStore) PutAlert(ctx context.Context, a privacy.Alert) error {
	_, err := s.q(ctx).PutAlert(ctx, privacydb.PutAlertParams{
		ID: a.ID, Kind: string(a.Kind), Operator: a.Operator, Office: a.Office, Card: a.Card, Day: a.Day, Count: int64(a.Count), At: micros(a.At),
	})
	if err != nil {
		return fmt.Errorf("store: write alert: %w", err)
	}
	return nil
}

// Alerts implements privacy.Looks.
func (s *PrivacyStore) Alerts(ctx context.Context, limit int) ([]privacy.Alert, error) {
	rows, err := s.q(ctx).ListAlerts(ctx, int32(min(limit, 10_000)))
	if err != nil {
		return nil, fmt.Errorf("store: list alerts: %w", err)
	}
	out := make([]privacy.Alert, len(rows))
	for i, r := range rows {
		out[i] = privacy.Alert{
			ID: r.ID, Kind: privacy.AlertKind(r.Kind), Operator: r.Operator, Office: r.Office, Card: r.Card, Day: r.Day, Count: int(r.Count), At: instant(r.At),
		}
	}
	return out, nil
}

// SeeAlert implements privacy.Looks.
func (s *PrivacyStore) SeeAlert(ctx context.Context, id, by, note string, at time.Time) (bool, error) {
	n, err := s.q(ctx).SeeAlert(ctx, privacydb.SeeAlertParams{ID: id, SeenAt: micros(at), SeenBy: by, Note: note})
	if err != nil {
		return false, fmt.Errorf("store: see alert: %w", err)
	}
	return n == 1, nil
}

// PutRetention implements privacy.Reports.
func (s *PrivacyStore) PutRetention(ctx context.Context, day, report string) error {
	if err := s.q(ctx).PutRetention(ctx, privacydb.PutRetentionParams{Day: day, Report: report}); err != nil {
		return fmt.Errorf("store: write retention report: %w", err)
	}
	return nil
}

// Retention implements privacy.Reports.
func (s *PrivacyStore) Retention(ctx context.Context, limit int) ([]string, error) {
	rows, err := s.q(ctx).ListRetention(ctx, int32(min(limit, 10_000)))
	if err != nil {
		return nil, fmt.Errorf("store: list retention reports: %w", err)
	}
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = r.Report
	}
	return out, nil
}

// PurgeRequests, PurgeLooks and PurgeAlerts are the retention's.
func (s *PrivacyStore) PurgeRequests(ctx context.Context, before time.Time) (int64, error) {
	return purged(s.q(ctx).PurgeRequests(ctx, micros(before)))
}

// PurgeLooks forgets whom operators looked at on days before.
func (s *PrivacyStore) PurgeLooks(ctx context.Context, before time.Time) (int64, error) {
	return purged(s.q(ctx).PurgeLooks(ctx, civil.DayOf(before).String()))
}

// PurgeAlerts forgets alerts that were seen to before.
func (s *PrivacyStore) PurgeAlerts(ctx context.Context, before time.Time) (int64, error) {
	return purged(s.q(ctx).PurgeAlerts(ctx, micros(before)))
}

func purged(n int64, err error) (int64, error) {
	if err != nil {
		return 0, fmt.Errorf("store: purge: %w", err)
	}
	return n, nil
}

// CountQuestion adds one to a machine client's questions of a day.
func (s *PrivacyStore) CountQuestion(ctx context.Context, client, day string) (int, error) {
	n, err := s.q(ctx).CountQuestion(ctx, privacydb.CountQuestionParams{Client: client, Day: day})
	if err != nil {
		return 0, fmt.Errorf("store: count question: %w", err)
	}
	return int(n), nil
}

// PurgeQuestions forgets the counts of days before.
func (s *PrivacyStore) PurgeQuestions(ctx context.Context, before time.Time) (int64, error) {
	return purged(s.q(ctx).PurgeQuestions(ctx, civil.DayOf(before).String()))
}
