package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"cse.example/cse/engine/store/internal/rosterdb"
	"cse.example/cse/issuer/roster"
)

// RosterStore keeps offices and operators; it implements roster.Store.
type RosterStore struct{ db *DB }

var _ roster.Store = (*RosterStore)(nil)

// Roster is the store of issuer/roster.
func (db *DB) Roster() *RosterStore { return &RosterStore{db} }

func (s *RosterStore) q(ctx context.Context) *rosterdb.Queries {
	return rosterdb.New(s.db.Conn(ctx))
}

// Version implements roster.Store.
func (s *RosterStore) Version(ctx context.Context) (int64, error) {
	v, err := s.q(ctx).RosterVersion(ctx)
	if err != nil {
		return 0, fmt.Errorf("store: read the roster's version: %w", err)
	}
	return v, nil
}

// Bump implements roster.Store.
func (s *RosterStore) Bump(ctx context.Context) error {
	if err := s.q(ctx).BumpRoster(ctx); err != nil {
		return fmt.Errorf("store: write the roster's version: %w", err)
	}
	return nil
}

// Offices implements roster.Store.
func (s *RosterStore) Offices(ctx context.Context) ([]roster.OfficeRow, error) {
	rows, err := s.q(ctx).RosterOffices(ctx)
	if err != nil {
		return nil, fmt.Errorf("store: list offices: %w", err)
	}
	out := make([]roster.OfficeRow, len(rows))
	for i, r := range rows {
		out[i] = roster.OfficeRow{ID: r.ID, Body: r.Body, At: instant(r.ChangedAt), By: r.ChangedBy}
	}
	return out, nil
}

// PutOffice implements roster.Store.
func (s *RosterStore) PutOffice(ctx context.Context, r roster.OfficeRow) error {
	if err := s.q(ctx).PutRosterOffice(ctx, rosterdb.PutRosterOfficeParams{ID: r.ID, Body: r.Body, ChangedAt: micros(r.At), ChangedBy: r.By}); err != nil {
		return fmt.Errorf("store: write office: %w", err)
	}
	return nil
}

func accountOf(r rosterdb.RosterAccount) roster.AccountRow {
	return roster.AccountRow{
		Account: r.Account, Body: r.Body, Proposal: r.Proposal, Disabled: r.Disabled != 0, Reviewed: instant(r.ReviewedAt),
		At: instant(r.ChangedAt), By: r.ChangedBy,
	}
}

// Accounts implements roster.Store.
func (s *RosterStore) Accounts(ctx context.Context) ([]roster.AccountRow, error) {
	rows, err := s.q(ctx).RosterAccounts(ctx)
	if err != nil {
		return nil, fmt.Errorf("store: list accounts: %w", err)
	}
	out := make([]roster.AccountRow, len(rows))
	for i, r := range rows {
		out[i] = accountOf(r)
	}
	return out, nil
}

// GetAccount implements roster.Store.
func (s *RosterStore) GetAccount(ctx context.Context, account string) (roster.AccountRow, error) {
	r, err := s.q(ctx).RosterAccount(ctx, account)
	if errors.Is(err, sql.ErrNoRows) {
		return roster.AccountRow{}, roster.ErrNone
	}
	if err != nil {
		return roster.AccountRow{}, fmt.Errorf("store: read account: %w", err)
	}
	return accountOf(r), nil
}

// PutAccount implements roster.Store.
func (s *RosterStore) PutAccount(ctx context.Context, r roster.AccountRow) error {
	p := rosterdb.PutRosterAccountParams{
		Account: r.Account, Body: notNull(r.Body), Proposal: notNull(r.Proposal), ReviewedAt: micros(r.Reviewed), ChangedAt: micros(r.At), ChangedBy: r.By,
	}
	if r.Disabled {
		p.Disabled = 1
	}
	if err := s.q(ctx).PutRosterAccount(ctx, p); err != nil {
		return fmt.Errorf("store: write account: %w", err)
	}
	return nil
}

// GetEnrolment implements roster.Store.
func (s *RosterStore) GetEnrolment(ctx context.Context, account string) (roster.EnrolmentRow, error) {
	r, err := s.q(ctx).RosterEnrolment(ctx, account)
	if errors.Is(err, sql.ErrNoRows) {
		return roster.EnrolmentRow{}, roster.ErrNone
	}
	if err != nil {
		return roster.EnrolmentRow{}, fmt.Errorf("store: read first access: %w", err)
	}
	return roster.EnrolmentRow{
		Account: r.Account, FirstBy: r.FirstBy, SecondBy: r.SecondBy, First: r.First, Second: r.Second, Pending: r.Pending, Proof: r.Proof,
		Expires: instant(r.Expires),
	}, nil
}

// PutEnrolment implements roster.Store.
func (s *RosterStore) PutEnrolment(ctx context.Context, r roster.EnrolmentRow) error {
	err := s.q(ctx).PutRosterEnrolment(ctx, rosterdb.PutRosterEnrolmentParams{
		Account: r.Account, FirstBy: r.FirstBy, SecondBy: r.SecondBy, First: notNull(r.First), Second: notNull(r.Second),
		Pending: notNull(r.Pending), Proof: notNull(r.Proof), Expires: micros(r.Expires),
	})
	if err != nil {
		return fmt.Errorf("store: write first access: %w", err)
	}
	return nil
}

// DeleteEnrolment implements roster.Store.
func (s *RosterStore) DeleteEnrolment(ctx context.Context, account string) error {
	if err := s.q(ctx).DeleteRosterEnrolment(ctx, account); err != nil {
		return fmt.Errorf("store: delete first access: %w", err)
	}
	return nil
}
