package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/engine/store/internal/logindb"
	"cse.example/cse/login/handover"
	"cse.example/cse/login/provider"
)

// LoginStore keeps what the login gateway must remember for minutes or hours:
// flows and tickets (login/handover), requests, grants and tokens
// (login/provider). Bodies arrive sealed; every change that must happen once is a
// conditional UPDATE whose row count decides.
type LoginStore struct{ db *DB }

// Login returns the adapter of login.
func (db *DB) Login() *LoginStore { return &LoginStore{db} }

var (
	_ handover.Flows    = (*LoginStore)(nil)
	_ handover.Tickets  = (*LoginStore)(nil)
	_ provider.Sessions = (*LoginStore)(nil)
	_ provider.Grants   = (*LoginStore)(nil)
	_ provider.Tokens   = (*LoginStore)(nil)
)

func (s *LoginStore) q(ctx context.Context) *logindb.Queries { return logindb.New(s.db.Conn(ctx)) }

// absent turns "no rows" into the room's own word for it.
func absent(err, unknown error, what string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return unknown
	}
	if err != nil {
		return fmt.Errorf("store: %s: %w", what, err)
	}
	return nil
}

func wrap(err error, what string) error { return absent(err, err, what) }

// SaveFlow implements handover.Flows.
func (s *LoginStore) SaveFlow(ctx context.Context, f handover.Flow) error {
	return wrap(s.q(ctx).SaveFlow(ctx, logindb.SaveFlowParams{
		Hash: f.Hash, Browser: f.Browser, Session: f.Session, Client: f.Client, Acr: f.ACR,
		Expires: micros(f.Expires), Ended: micros(f.Ended),
	}), "save flow")
}

// Flow implements handover.Flows.
func (s *LoginStore) Flow(ctx context.Context, hash string) (handover.Flow, error) {
	r, err := s.q(ctx).Flow(ctx, hash)
	if err != nil {
		return handover.Flow{}, absent(err, handover.ErrUnknown, "read flow")
	}
	return handover.Flow{
		Hash: r.Hash, Browser: r.Browser, Session: r.Session, Client: r.Client, ACR: r.Acr,
		Expires: instant(r.Expires), Ended: instant(r.Ended),
	}, nil
}

// EndFlow implements handover.Flows.
func (s *LoginStore) EndFlow(ctx context.Context, hash string, at time.Time) (bool, error) {
	n, err := s.q(ctx).EndFlow(ctx, logindb.EndFlowParams{Hash: hash, Ended: micros(at)})
	return n == 1, wrap(err, "end flow")
}

// SaveTicket implements handover.Tickets.
func (s *LoginStore) SaveTicket(ctx context.Context, t handover.Ticket) error {
	return wrap(s.q(ctx).SaveTicket(ctx, logindb.SaveTicketParams{
		Hash: t.Hash, Flow: t.Flow, Body: t.Identity, Expires: micros(t.Expires), Taken: micros(t.Taken),
	}), "save ticket")
}

// Ticket implements handover.Tickets.
func (s *LoginStore) Ticket(ctx context.Context, hash string) (handover.Ticket, error) {
	r, err := s.q(ctx).Ticket(ctx, hash)
	if err != nil {
		return handover.Ticket{}, absent(err, handover.ErrUnknown, "read ticket")
	}
	return handover.Ticket{
		Hash: r.Hash, Flow: r.Flow, Identity: r.Body, Expires: instant(r.Expires), Taken: instant(r.Taken),
	}, nil
}

// TakeTicket implements handover.Tickets.
func (s *LoginStore) TakeTicket(ctx context.Context, hash string, at time.Time) (bool, error) {
	n, err := s.q(ctx).TakeTicket(ctx, logindb.TakeTicketParams{Hash: hash, Taken: micros(at), Body: []byte{}})
	return n == 1, wrap(err, "take ticket")
}

// PutSession implements provider.Sessions.
func (s *LoginStore) PutSession(ctx context.Context, r provider.SessionRow) error {
	if r.Version == 0 {
		return wrap(s.q(ctx).InsertSession(ctx, logindb.InsertSessionParams{
			ID: r.ID, Par: r.PAR, Body: r.Body, Pending: flag(r.Open), Expires: micros(r.Expires),
		}), "save authorization request")
	}
	n, err := s.q(ctx).ReplaceSession(ctx, logindb.ReplaceSessionParams{
		ID: r.ID, Par: r.PAR, Body: r.Body, Pending: flag(r.Open), Expires: micros(r.Expires), Version: r.Version,
	})
	return swapped(n, err, "replace authorization request")
}

func swapped(n int64, err error, what string) error {
	if err == nil && n != 1 {
		return provider.ErrConflict
	}
	return wrap(err, what)
}

// Session implements provider.Sessions.
func (s *LoginStore) Session(ctx context.Context, id string) (provider.SessionRow, error) {
	r, err := s.q(ctx).Session(ctx, id)
	return sessionRow(r), absent(err, provider.ErrUnknown, "read authorization request")
}

// SessionByPAR implements provider.Sessions.
func (s *LoginStore) SessionByPAR(ctx context.Context, par string) (provider.SessionRow, error) {
	r, err := s.q(ctx).SessionByPAR(ctx, par)
	return sessionRow(r), absent(err, provider.ErrUnknown, "read pushed request")
}

func sessionRow(r logindb.LoginSession) provider.SessionRow {
	return provider.SessionRow{
		ID: r.ID, PAR: r.Par, Body: r.Body, Version: r.Version, Open: r.Pending != 0, Expires: instant(r.Expires),
	}
}

// PutGrant implements provider.Grants.
func (s *LoginStore) PutGrant(ctx context.Context, r provider.GrantRow) error {
	if r.Version == 0 {
		return wrap(s.q(ctx).InsertGrant(ctx, logindb.InsertGrantParams{
			ID: r.ID, Code: r.Code, Refresh: r.Refresh, Credential: r.Credential, Body: r.Body,
			Revoked: micros(r.Revoked), Expires: micros(r.Expires),
		}), "save grant")
	}
	n, err := s.q(ctx).ReplaceGrant(ctx, logindb.ReplaceGrantParams{
		ID: r.ID, Code: r.Code, Refresh: r.Refresh, Body: r.Body,
		Revoked: micros(r.Revoked), Expires: micros(r.Expires), Version: r.Version,
	})
	return swapped(n, err, "replace grant")
}

// Grant implements provider.Grants.
func (s *LoginStore) Grant(ctx context.Context, id string) (provider.GrantRow, error) {
	r, err := s.q(ctx).Grant(ctx, id)
	return grantRow(r), absent(err, provider.ErrUnknown, "read grant")
}

// GrantByCode implements provider.Grants.
func (s *LoginStore) GrantByCode(ctx context.Context, code string) (provider.GrantRow, error) {
	r, err := s.q(ctx).GrantByCode(ctx, code)
	return grantRow(r), absent(err, provider.ErrUnknown, "read grant by code")
}

// GrantByRefresh implements provider.Grants.
func (s *LoginStore) GrantByRefresh(ctx context.Context, refresh string) (provider.GrantRow, error) {
	r, err := s.q(ctx).GrantByRefresh(ctx, refresh)
	return grantRow(r), absent(err, provider.ErrUnknown, "read grant by refresh token")
}

func grantRow(r logindb.LoginGrant) provider.GrantRow {
	return provider.GrantRow{
		ID: r.ID, Code: r.Code, Refresh: r.Refresh, Credential: r.Credential, Body: r.Body, Version: r.Version,
		Revoked: instant(r.Revoked), Expires: instant(r.Expires),
	}
}

// EndGrants implements provider.Grants.
func (s *LoginStore) EndGrants(ctx context.Context, credential string, at time.Time) (int64, error) {
	n, err := s.q(ctx).EndGrants(ctx, logindb.EndGrantsParams{Credential: credential, Revoked: micros(at)})
	return n, wrap(err, "end grants")
}

// EndGrant implements provider.Tokens.
func (s *LoginStore) EndGrant(ctx context.Context, id string, at time.Time) error {
	return wrap(s.q(ctx).EndGrant(ctx, logindb.EndGrantParams{ID: id, Revoked: micros(at)}), "end grant")
}

// PutToken implements provider.Tokens.
func (s *LoginStore) PutToken(ctx context.Context, r provider.TokenRow) error {
	return wrap(s.q(ctx).PutToken(ctx, logindb.PutTokenParams{
		ID: r.ID, GrantID: r.Grant, Body: r.Body, Revoked: micros(r.Revoked), Expires: micros(r.Expires),
	}), "save token")
}

// Token implements provider.Tokens.
func (s *LoginStore) Token(ctx context.Context, id string) (provider.TokenRow, error) {
	r, err := s.q(ctx).Token(ctx, id)
	if err != nil {
		return provider.TokenRow{}, absent(err, provider.ErrUnknown, "read token")
	}
	return provider.TokenRow{
		ID: r.ID, Grant: r.GrantID, Body: r.Body, Revoked: instant(r.Revoked), Expires: instant(r.Expires),
	}, nil
}

// Spend implements provider.Tokens.
func (s *LoginStore) Spend(ctx context.Context, name, grant string, until time.Time) (bool, error) {
	n, err := s.q(ctx).Spend(ctx, logindb.SpendParams{Name: name, GrantID: grant, Expires: micros(until)})
	return n == 1, wrap(err, "spend")
}

// Spent implements provider.Tokens.
func (s *LoginStore) Spent(ctx context.Context, name string) (string, error) {
	grant, err := s.q(ctx).Spent(ctx, name)
	return grant, absent(err, provider.ErrUnknown, "read spent name")
}

// Sweep deletes what expired before an instant. It belongs inside an act.
func (s *LoginStore) Sweep(ctx context.Context, before time.Time) error {
	q, us := s.q(ctx), micros(before)
	for _, del := range []func(context.Context, int64) error{
		q.SweepFlows, q.SweepTickets, q.SweepSessions, q.SweepGrants, q.SweepTokens, q.SweepSpent,
	} {
		if err := del(ctx, us); err != nil {
			return fmt.Errorf("store: sweep login: %w", err)
		}
	}
	return nil
}
