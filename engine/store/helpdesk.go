package store

import (
	"context"
	"fmt"
	"time"

	"cse.example/cse/engine/store/internal/privacydb"
	"cse.example/cse/issuer/helpdesk"
)

// TicketStore keeps the call centre's tickets; it implements helpdesk.Tickets.
type TicketStore struct{ db *DB }

var _ helpdesk.Tickets = (*TicketStore)(nil)

// Tickets is the store of tickets.
func (db *DB) Tickets() *TicketStore { return &TicketStore{db} }

func (s *TicketStore) q(ctx context.Context) *privacydb.Queries {
	return privacydb.New(s.db.Conn(ctx))
}

// PutTicket implements helpdesk.Tickets.
func (s *TicketStore) PutTicket(ctx context.Context, r helpdesk.Row) error {
	err := s.q(ctx).PutTicket(ctx, privacydb.PutTicketParams{
		ID: r.ID, Card: r.Card, Agent: r.Agent, Outcome: string(r.Outcome), At: micros(r.At), Body: r.Body,
	})
	if err != nil {
		return fmt.Errorf("store: write ticket: %w", err)
	}
	return nil
}

// TicketsOf implements helpdesk.Tickets.
func (s *TicketStore) TicketsOf(ctx context.Context, card string) ([]helpdesk.Row, error) {
	rows, err := s.q(ctx).ListTickets(ctx, card)
	if err != nil {
		return nil, fmt.Errorf("store: list tickets: %w", err)
	}
	out := make([]helpdesk.Row, len(rows))
	for i, r := range rows {
		out[i] = helpdesk.Row{ID: r.ID, Card: r.Card, Agent: r.Agent, Outcome: helpdesk.Outcome(r.Outcome), At: instant(r.At), Body: r.Body}
	}
	return out, nil
}

// Purge forgets tickets of before.
func (s *TicketStore) Purge(ctx context.Context, before time.Time) (int64, error) {
	return purged(s.q(ctx).PurgeTickets(ctx, micros(before)))
}
