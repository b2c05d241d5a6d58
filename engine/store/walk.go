package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"cse.example/cse/engine/store/internal/carddb"
	"cse.example/cse/engine/store/internal/counterdb"
	"cse.example/cse/engine/store/internal/metadb"
	"cse.example/cse/engine/store/internal/pkidb"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/pki/ca"
)

// Each lists up to limit numbers of cards that have codes, after a number.
func (s *CodeStore) Each(ctx context.Context, after string, limit int) ([]string, error) {
	cards, err := s.q(ctx).ListCoded(ctx, carddb.ListCodedParams{Card: after, Limit: int32(min(limit, 10_000))})
	if err != nil {
		return nil, fmt.Errorf("store: list codes: %w", err)
	}
	return cards, nil
}

// Each lists up to limit certificates of any state, by serial number, after one.
func (s *PKIStore) Each(ctx context.Context, after string, limit int) ([]ca.Record, error) {
	rows, err := s.q(ctx).ListCertificates(ctx, pkidb.ListCertificatesParams{Serial: after, Limit: int32(min(limit, 10_000))})
	if err != nil {
		return nil, fmt.Errorf("store: list certificates: %w", err)
	}
	return records(rows), nil
}

// Each lists up to limit acts at counters, by protocol number, after one.
func (s *ActStore) Each(ctx context.Context, after string, limit int) ([]counter.ActRow, error) {
	rows, err := s.db.counter(ctx).ListActs(ctx, counterdb.ListActsParams{Protocol: after, Limit: int32(min(limit, 10_000))})
	if err != nil {
		return nil, fmt.Errorf("store: list acts: %w", err)
	}
	out := make([]counter.ActRow, len(rows))
	for i, r := range rows {
		out[i] = actOf(r)
	}
	return out, nil
}

// Noted is what Note last wrote under name, empty for nothing.
func (db *DB) Noted(ctx context.Context, name string) (string, error) {
	v, err := metadb.New(db.Conn(ctx)).GetMeta(ctx, name)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("store: read %s: %w", name, err)
	}
	return v, nil
}

// Note keeps a short value under name, in the act of ctx: where regular work stands.
func (db *DB) Note(ctx context.Context, name, value string) error {
	if err := metadb.New(db.Conn(ctx)).SetMeta(ctx, metadb.SetMetaParams{Name: name, Value: value}); err != nil {
		return fmt.Errorf("store: note %s: %w", name, err)
	}
	return nil
}
