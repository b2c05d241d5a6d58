package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"cse.example/cse/engine/store/internal/carddb"
	"cse.example/cse/engine/store/internal/productiondb"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/operations"
	"cse.example/cse/issuer/production/exchange"
)

// NumberStore counts; it implements operations.Counts.
type NumberStore struct{ db *DB }

var _ operations.Counts = (*NumberStore)(nil)

// Numbers counts cards, batches and exceptions.
func (db *DB) Numbers() *NumberStore { return &NumberStore{db} }

// cardSeries is production's series of card numbers.
const cardSeries = "card"

// CardsByState implements operations.Counts.
func (s *NumberStore) CardsByState(ctx context.Context) ([]operations.CardCount, error) {
	counts, err := s.db.Cards().Counts(ctx)
	out := make([]operations.CardCount, len(counts))
	for i, c := range counts {
		out[i] = operations.CardCount{State: c.State, Model: c.Model, N: c.N}
	}
	return out, err
}

// Cards implements operations.Counts.
func (s *NumberStore) Cards(ctx context.Context) (cards, numbers int, err error) {
	n, err := carddb.New(s.db.Conn(ctx)).CountCards(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("store: count cards: %w", err)
	}
	last, err := productiondb.New(s.db.Conn(ctx)).SeriesLast(ctx, cardSeries)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, 0, fmt.Errorf("store: read series %s: %w", cardSeries, err)
	}
	return int(n), int(last), nil
}

// Batch implements operations.Counts.
func (s *NumberStore) Batch(ctx context.Context, id string) (operations.BatchCount, error) {
	out := operations.BatchCount{States: map[lifecycle.State]int{}}
	items, err := productiondb.New(s.db.Conn(ctx)).CountItems(ctx, id)
	if err != nil {
		return out, fmt.Errorf("store: count batch %s: %w", id, err)
	}
	for _, i := range items {
		n := int(i.N)
		out.Items += n
		if i.Chip != 0 {
			out.Chips += n
		}
		switch exchange.Outcome(i.Outcome) {
		case exchange.Made:
			out.Made += n
		case exchange.Spoiled:
			out.Spoiled += n
		}
	}
	states, err := carddb.New(s.db.Conn(ctx)).CountCardsOfBatch(ctx, id)
	if err != nil {
		return out, fmt.Errorf("store: count cards of batch %s: %w", id, err)
	}
	for _, x := range states {
		out.States[lifecycle.State(x.State)] = int(x.N)
	}
	return out, nil
}

// Exceptions implements operations.Counts.
func (s *NumberStore) Exceptions(ctx context.Context) (int, error) {
	n, err := productiondb.New(s.db.Conn(ctx)).CountExceptions(ctx)
	if err != nil {
		return 0, fmt.Errorf("store: count exceptions: %w", err)
	}
	return int(n), nil
}
