package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"cse.example/cse/engine/store/internal/productiondb"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/production/exchange"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// OrderStore keeps series and exceptions; it implements production.Orders.
type OrderStore struct{ db *DB }

// BatchStore keeps batches and their items; it implements production.Batches.
type BatchStore struct{ db *DB }

var (
	_ production.Orders  = (*OrderStore)(nil)
	_ production.Batches = (*BatchStore)(nil)
)

// Orders is the store of what ordering keeps.
func (db *DB) Orders() *OrderStore { return &OrderStore{db} }

// Batches is the store of batches.
func (db *DB) Batches() *BatchStore { return &BatchStore{db} }

func (s *OrderStore) q(ctx context.Context) *productiondb.Queries {
	return productiondb.New(s.db.Conn(ctx))
}

func (s *BatchStore) q(ctx context.Context) *productiondb.Queries {
	return productiondb.New(s.db.Conn(ctx))
}

// Candidates implements production.Orders.
func (s *OrderStore) Candidates(ctx context.Context, on civil.Date, after codicefiscale.Code, limit int) ([]registry.Person, error) {
	list, err := s.q(ctx).Candidates(ctx, productiondb.CandidatesParams{
		After: string(after), Today: on.String(), Most: int32(min(limit, 10_000)),
	})
	if err != nil {
		return nil, fmt.Errorf("store: candidates: %w", err)
	}
	out := make([]registry.Person, 0, len(list))
	for _, cf := range list {
		p, err := s.db.People().Get(ctx, codicefiscale.Code(cf))
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// Serials implements production.Orders.
func (s *OrderStore) Serials(ctx context.Context, series string, n int) (uint64, error) {
	if n < 1 {
		return 0, errors.New("store: a series gives at least one number")
	}
	last, err := s.q(ctx).NextInSeries(ctx, productiondb.NextInSeriesParams{Name: series, Last: int64(n)})
	if err != nil {
		return 0, fmt.Errorf("store: series %s: %w", series, err)
	}
	return uint64(last - int64(n) + 1), nil
}

// PutException implements production.Orders.
func (s *OrderStore) PutException(ctx context.Context, e production.Exception) error {
	err := s.q(ctx).PutException(ctx, productiondb.PutExceptionParams{
		Cf: string(e.CF), Reason: e.Reason, Field: e.Field, Since: micros(e.Since),
	})
	if err != nil {
		return fmt.Errorf("store: put exception: %w", err)
	}
	return nil
}

// DropException implements production.Orders.
func (s *OrderStore) DropException(ctx context.Context, cf codicefiscale.Code) error {
	if err := s.q(ctx).DropException(ctx, string(cf)); err != nil {
		return fmt.Errorf("store: drop exception: %w", err)
	}
	return nil
}

// Exceptions implements production.Orders.
func (s *OrderStore) Exceptions(ctx context.Context, after codicefiscale.Code, limit int) ([]production.Exception, error) {
	rows, err := s.q(ctx).ListExceptions(ctx, productiondb.ListExceptionsParams{Cf: string(after), Limit: int32(min(limit, 10_000))})
	if err != nil {
		return nil, fmt.Errorf("store: exceptions: %w", err)
	}
	out := make([]production.Exception, len(rows))
	for i, r := range rows {
		out[i] = production.Exception{CF: codicefiscale.Code(r.Cf), Reason: r.Reason, Field: r.Field, Since: instant(r.Since)}
	}
	return out, nil
}

// Put implements production.Batches.
func (s *BatchStore) Put(ctx context.Context, b production.Batch) (production.Batch, error) {
	write := s.update
	if b.Version == 0 {
		write = s.insert
	}
	n, err := write(ctx, b)
	switch {
	case err != nil:
		return b, fmt.Errorf("store: write batch %s: %w", b.ID, err)
	case n != 1:
		return b, fmt.Errorf("store: batch %s: %w", b.ID, production.ErrRaced)
	}
	b.Version++
	return b, nil
}

func (s *BatchStore) insert(ctx context.Context, b production.Batch) (int64, error) {
	return s.q(ctx).InsertBatch(ctx, productiondb.InsertBatchParams{
		ID: b.ID, State: string(b.State), Cards: int64(b.Cards), Chips: int64(b.Chips), Made: int64(b.Made), Spoiled: int64(b.Spoiled),
		CreatedAt: micros(b.CreatedAt), OrderSignature: notNull(b.OrderSignature), CertificatesSignature: notNull(b.CertificatesSignature),
		KeysSum: notNull(b.KeysSum), ReceiptSum: notNull(b.ReceiptSum),
	})
}

func (s *BatchStore) update(ctx context.Context, b production.Batch) (int64, error) {
	return s.q(ctx).UpdateBatch(ctx, productiondb.UpdateBatchParams{
		ID: b.ID, State: string(b.State), Cards: int64(b.Cards), Chips: int64(b.Chips), Made: int64(b.Made), Spoiled: int64(b.Spoiled),
		CreatedAt: micros(b.CreatedAt), OrderSignature: notNull(b.OrderSignature), CertificatesSignature: notNull(b.CertificatesSignature),
		KeysSum: notNull(b.KeysSum), ReceiptSum: notNull(b.ReceiptSum), Version: b.Version,
	})
}

// Get implements production.Batches.
func (s *BatchStore) Get(ctx context.Context, id string) (production.Batch, error) {
	r, err := s.q(ctx).GetBatch(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return production.Batch{}, production.ErrUnknown
	}
	if err != nil {
		return production.Batch{}, fmt.Errorf("store: get batch: %w", err)
	}
	return batchOf(r), nil
}

// List implements production.Batches.
func (s *BatchStore) List(ctx context.Context, open bool) ([]production.Batch, error) {
	list := s.q(ctx).ListBatches
	if open {
		list = s.q(ctx).ListOpenBatches
	}
	rows, err := list(ctx)
	if err != nil {
		return nil, fmt.Errorf("store: list batches: %w", err)
	}
	out := make([]production.Batch, len(rows))
	for i, r := range rows {
		out[i] = batchOf(r)
	}
	return out, nil
}

// PutItem implements production.Batches.
func (s *BatchStore) PutItem(ctx context.Context, i production.Item) error {
	err := s.q(ctx).PutItem(ctx, productiondb.PutItemParams{
		Batch: i.Batch, Card: i.Card, Chip: flag(i.Chip), Job: notNull(i.Job), Certificate: notNull(i.Certificate),
		Personal: notNull(i.Personal), Spki: notNull(i.SPKI), Refused: i.Refused, Outcome: string(i.Outcome),
	})
	if err != nil {
		return fmt.Errorf("store: put card %s in batch %s: %w", i.Card, i.Batch, err)
	}
	return nil
}

// Items implements production.Batches.
func (s *BatchStore) Items(ctx context.Context, batch, after string, limit int) ([]production.Item, error) {
	rows, err := s.q(ctx).ListItems(ctx, productiondb.ListItemsParams{Batch: batch, Card: after, Limit: int32(min(limit, 10_000))})
	if err != nil {
		return nil, fmt.Errorf("store: cards of batch %s: %w", batch, err)
	}
	out := make([]production.Item, len(rows))
	for i, r := range rows {
		out[i] = production.Item{
			Batch: r.Batch, Card: r.Card, Chip: r.Chip != 0, Job: null(r.Job), Certificate: null(r.Certificate),
			Personal: null(r.Personal), SPKI: null(r.Spki), Refused: r.Refused, Outcome: exchange.Outcome(r.Outcome),
		}
	}
	return out, nil
}

func batchOf(r productiondb.Batch) production.Batch {
	return production.Batch{
		ID: r.ID, State: production.State(r.State), Cards: int(r.Cards), Chips: int(r.Chips), Made: int(r.Made), Spoiled: int(r.Spoiled),
		CreatedAt: instant(r.CreatedAt), OrderSignature: null(r.OrderSignature), CertificatesSignature: null(r.CertificatesSignature),
		KeysSum: null(r.KeysSum), ReceiptSum: null(r.ReceiptSum), Version: r.Version,
	}
}

// notNull keeps "nothing" out of NOT NULL columns; null is its inverse.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func null(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}
