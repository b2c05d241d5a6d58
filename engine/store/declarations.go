package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/engine/store/internal/declarationsdb"
	"cse.example/cse/issuer/declarations"
)

// DeclarationStore keeps the checks of self-declarations; it implements
// declarations.Store.
type DeclarationStore struct{ db *DB }

var _ declarations.Store = (*DeclarationStore)(nil)

// Declarations is the store of issuer/declarations.
func (db *DB) Declarations() *DeclarationStore { return &DeclarationStore{db} }

func (s *DeclarationStore) q(ctx context.Context) *declarationsdb.Queries {
	return declarationsdb.New(s.db.Conn(ctx))
}

// Add implements declarations.Store.
func (s *DeclarationStore) Add(ctx context.Context, r declarations.Row) error {
	err := s.q(ctx).AddDeclaration(ctx, declarationsdb.AddDeclarationParams{
		Protocol: r.Protocol, Kind: r.Kind, Card: r.Card, Office: r.Office, Asl: r.ASL, Operator: r.Operator, At: micros(r.At),
	})
	if err != nil {
		return fmt.Errorf("store: write declaration: %w", err)
	}
	return nil
}

// Get implements declarations.Store.
func (s *DeclarationStore) Get(ctx context.Context, protocol string) (declarations.Row, error) {
	r, err := s.q(ctx).GetDeclaration(ctx, protocol)
	if errors.Is(err, sql.ErrNoRows) {
		return declarations.Row{}, declarations.ErrNotFound
	}
	if err != nil {
		return declarations.Row{}, fmt.Errorf("store: read declaration: %w", err)
	}
	return declarationOf(r), nil
}

// Waiting implements declarations.Store.
func (s *DeclarationStore) Waiting(ctx context.Context, office, asl string, limit int) ([]declarations.Row, error) {
	return declarationsOf(s.q(ctx).ListOpenDeclarations(ctx, declarationsdb.ListOpenDeclarationsParams{Office: office, Asl: asl, Limit: int32(min(limit, 10_000))}))
}

// Each lists cases after one, by protocol number, for whoever walks the store.
func (s *DeclarationStore) Each(ctx context.Context, after string, limit int) ([]declarations.Row, error) {
	return declarationsOf(s.q(ctx).EachDeclaration(ctx, declarationsdb.EachDeclarationParams{Protocol: after, Limit: int32(min(limit, 10_000))}))
}

// Decide implements declarations.Store.
func (s *DeclarationStore) Decide(ctx context.Context, r declarations.Row) (bool, error) {
	n, err := s.q(ctx).DecideDeclaration(ctx, declarationsdb.DecideDeclarationParams{
		Protocol: r.Protocol, State: string(r.State), DecidedBy: r.DecidedBy, DecidedIn: r.DecidedIn, DecidedAt: micros(r.DecidedAt), Note: octets(r.Note),
	})
	if err != nil {
		return false, fmt.Errorf("store: decide declaration: %w", err)
	}
	return n == 1, nil
}

// Counts are the cases by state, and all of them, counted apart.
func (s *DeclarationStore) Counts(ctx context.Context) (byState map[declarations.State]int, all int, err error) {
	rows, err := s.q(ctx).CountDeclarations(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("store: count declarations: %w", err)
	}
	byState = map[declarations.State]int{}
	for _, r := range rows {
		byState[declarations.State(r.State)] = int(r.N)
	}
	n, err := s.q(ctx).CountAllDeclarations(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("store: count declarations: %w", err)
	}
	return byState, int(n), nil
}

// Purge forgets cases decided before; open ones stay.
func (s *DeclarationStore) Purge(ctx context.Context, before time.Time) (int64, error) {
	n, err := s.q(ctx).PurgeDeclarations(ctx, micros(before))
	if err != nil {
		return 0, fmt.Errorf("store: purge declarations: %w", err)
	}
	return n, nil
}

func declarationOf(r declarationsdb.DeclarationCheck) declarations.Row {
	return declarations.Row{
		Protocol: r.Protocol, Kind: r.Kind, Card: r.Card, Office: r.Office, ASL: r.Asl, Operator: r.Operator, At: instant(r.At),
		State: declarations.State(r.State), DecidedBy: r.DecidedBy, DecidedIn: r.DecidedIn, DecidedAt: instant(r.DecidedAt), Note: r.Note,
	}
}

func declarationsOf(rows []declarationsdb.DeclarationCheck, err error) ([]declarations.Row, error) {
	if err != nil {
		return nil, fmt.Errorf("store: list declarations: %w", err)
	}
	out := make([]declarations.Row, len(rows))
	for i, r := range rows {
		out[i] = declarationOf(r)
	}
	return out, nil
}
