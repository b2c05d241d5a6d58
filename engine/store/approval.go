package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/engine/store/internal/approvaldb"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/parameters"
)

// ApprovalStore keeps what needs two people; it implements approval.Store.
type ApprovalStore struct{ db *DB }

// ParameterStore keeps the rules by day; it implements parameters.Store.
type ParameterStore struct{ db *DB }

var (
	_ approval.Store   = (*ApprovalStore)(nil)
	_ parameters.Store = (*ParameterStore)(nil)
)

// Approvals is the store of issuer/approval.
func (db *DB) Approvals() *ApprovalStore { return &ApprovalStore{db} }

// Parameters is the store of issuer/parameters.
func (db *DB) Parameters() *ParameterStore { return &ParameterStore{db} }

func (s *ApprovalStore) q(ctx context.Context) *approvaldb.Queries {
	return approvaldb.New(s.db.Conn(ctx))
}

func (s *ParameterStore) q(ctx context.Context) *approvaldb.Queries {
	return approvaldb.New(s.db.Conn(ctx))
}

// Add implements approval.Store.
func (s *ApprovalStore) Add(ctx context.Context, r approval.Request) error {
	err := s.q(ctx).InsertApproval(ctx, approvaldb.InsertApprovalParams{
		ID: r.ID, Kind: r.Kind, Subject: r.Subject, Content: notNull(r.Content), Note: r.Note, State: string(r.State),
		AskedBy: r.AskedBy, Office: r.Office, AskedAt: micros(r.AskedAt), Expires: micros(r.Expires),
	})
	if err != nil {
		return fmt.Errorf("store: write request of approval: %w", err)
	}
	return nil
}

// Move implements approval.Store.
func (s *ApprovalStore) Move(ctx context.Context, r approval.Request, was approval.State) (bool, error) {
	n, err := s.q(ctx).MoveApproval(ctx, approvaldb.MoveApprovalParams{
		ID: r.ID, State: string(r.State), DecidedBy: r.DecidedBy, DecidedAt: micros(r.DecidedAt), Was: string(was),
	})
	if err != nil {
		return false, fmt.Errorf("store: decide approval: %w", err)
	}
	return n == 1, nil
}

// Get implements approval.Store.
func (s *ApprovalStore) Get(ctx context.Context, id string) (approval.Request, error) {
	r, err := s.q(ctx).GetApproval(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return approval.Request{}, approval.ErrUnknown
	}
	if err != nil {
		return approval.Request{}, fmt.Errorf("store: read approval: %w", err)
	}
	return approvalOf(r), nil
}

// Of implements approval.Store.
func (s *ApprovalStore) Of(ctx context.Context, kind, subject string) ([]approval.Request, error) {
	rows, err := s.q(ctx).ApprovalsBySubject(ctx, approvaldb.ApprovalsBySubjectParams{Kind: kind, Subject: subject})
	return approvalsOf(rows, err)
}

// Waiting implements approval.Store.
func (s *ApprovalStore) Waiting(ctx context.Context, now time.Time, limit int) ([]approval.Request, error) {
	rows, err := s.q(ctx).ApprovalsByState(ctx, approvaldb.ApprovalsByStateParams{State: string(approval.Open), Expires: micros(now), Limit: int32(min(limit, 10_000))})
	return approvalsOf(rows, err)
}

func approvalsOf(rows []approvaldb.Approval, err error) ([]approval.Request, error) {
	if err != nil {
		return nil, fmt.Errorf("store: list approvals: %w", err)
	}
	out := make([]approval.Request, len(rows))
	for i, r := range rows {
		out[i] = approvalOf(r)
	}
	return out, nil
}

func approvalOf(r approvaldb.Approval) approval.Request {
	return approval.Request{
		ID: r.ID, Kind: r.Kind, Subject: r.Subject, Content: r.Content, Note: r.Note, State: approval.State(r.State), AskedBy: r.AskedBy, Office: r.Office,
		AskedAt: instant(r.AskedAt), Expires: instant(r.Expires), DecidedBy: r.DecidedBy, DecidedAt: instant(r.DecidedAt),
	}
}

// Add implements parameters.Store.
func (s *ParameterStore) Add(ctx context.Context, v parameters.Value) error {
	err := s.q(ctx).InsertParameter(ctx, approvaldb.InsertParameterParams{
		Name: v.Name, ValidFrom: v.From.String(), Value: int64(v.Value), Approval: v.Approval, At: micros(v.At),
	})
	if err != nil {
		return fmt.Errorf("store: write parameter %s: %w", v.Name, err)
	}
	return nil
}

// All implements parameters.Store.
func (s *ParameterStore) All(ctx context.Context) ([]parameters.Value, error) {
	rows, err := s.q(ctx).Parameters(ctx)
	if err != nil {
		return nil, fmt.Errorf("store: list parameters: %w", err)
	}
	out := make([]parameters.Value, len(rows))
	for i, r := range rows {
		from, err := civil.ParseISO(r.ValidFrom)
		if err != nil {
			return nil, fmt.Errorf("store: parameter %s: %w", r.Name, err)
		}
		out[i] = parameters.Value{Name: r.Name, From: from, Value: int(r.Value), Approval: r.Approval, At: instant(r.At)}
	}
	return out, nil
}

// On implements parameters.Store.
func (s *ParameterStore) On(ctx context.Context, name string, day civil.Date) (int, bool, error) {
	rows, err := s.q(ctx).ParameterOn(ctx, approvaldb.ParameterOnParams{Name: name, ValidFrom: day.String()})
	if err != nil {
		return 0, false, fmt.Errorf("store: read parameter %s: %w", name, err)
	}
	if len(rows) == 0 {
		return 0, false, nil
	}
	return int(rows[0]), true, nil
}
