package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"cse.example/cse/engine/store/internal/carddb"
	"cse.example/cse/issuer/codes"
)

// CodeStore keeps sealed codes; it implements codes.Store.
type CodeStore struct{ db *DB }

var _ codes.Store = (*CodeStore)(nil)

// Codes is the store of sealed codes.
func (db *DB) Codes() *CodeStore { return &CodeStore{db} }

func (s *CodeStore) q(ctx context.Context) *carddb.Queries { return carddb.New(s.db.Conn(ctx)) }

// Put implements codes.Store.
func (s *CodeStore) Put(ctx context.Context, c codes.Sealed) error {
	n, err := s.q(ctx).InsertCodes(ctx, carddb.InsertCodesParams{
		Card: c.Card, Version: c.Version, PinFirst: c.PINFirst, PinSecond: c.PINSecond, PukFirst: c.PUKFirst,
		PukSecond: c.PUKSecond, CipFirst: c.CIPFirst, CipSecond: c.CIPSecond, CipMac: c.CIPMark, CipDigits: append([]byte{}, c.CIPDigits...),
	})
	switch {
	case err != nil:
		return fmt.Errorf("store: keep codes: %w", err)
	case n != 1:
		return codes.ErrTaken
	}
	return nil
}

// Get implements codes.Store.
func (s *CodeStore) Get(ctx context.Context, card string) (codes.Sealed, error) {
	r, err := s.q(ctx).GetCodes(ctx, card)
	if errors.Is(err, sql.ErrNoRows) {
		return codes.Sealed{}, codes.ErrNone
	}
	if err != nil {
		return codes.Sealed{}, fmt.Errorf("store: read codes: %w", err)
	}
	return codes.Sealed{
		Card: r.Card, Version: r.Version, PINFirst: r.PinFirst, PINSecond: r.PinSecond, PUKFirst: r.PukFirst,
		PUKSecond: r.PukSecond, CIPFirst: r.CipFirst, CIPSecond: r.CipSecond, CIPMark: r.CipMac, CIPDigits: filled(r.CipDigits),
	}, nil
}

// ByMark implements codes.Store.
func (s *CodeStore) ByMark(ctx context.Context, mark []byte) (string, error) {
	card, err := s.q(ctx).GetCodesByCIP(ctx, mark)
	if errors.Is(err, sql.ErrNoRows) {
		return "", codes.ErrNone
	}
	if err != nil {
		return "", fmt.Errorf("store: look up a CIP: %w", err)
	}
	return card, nil
}

// Destroy implements codes.Store.
func (s *CodeStore) Destroy(ctx context.Context, card string) error {
	if _, err := s.q(ctx).DestroyCodes(ctx, card); err != nil {
		return fmt.Errorf("store: destroy codes: %w", err)
	}
	_, err := s.Renewed(ctx, card)
	return err
}

// Count is how many cards have codes.
func (s *CodeStore) Count(ctx context.Context) (int64, error) {
	n, err := s.q(ctx).CountCodes(ctx)
	if err != nil {
		return 0, fmt.Errorf("store: count codes: %w", err)
	}
	return n, nil
}

// filled is nil for an empty column, on every engine.
func filled(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}
