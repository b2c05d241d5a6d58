package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"cse.example/cse/engine/store/internal/carddb"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
)

// CardStore keeps cards; it implements lifecycle.Store.
type CardStore struct{ db *DB }

var _ lifecycle.Store = (*CardStore)(nil)

// Cards is the store of cards.
func (db *DB) Cards() *CardStore { return &CardStore{db} }

func (s *CardStore) q(ctx context.Context) *carddb.Queries { return carddb.New(s.db.Conn(ctx)) }

// Get implements lifecycle.Store.
func (s *CardStore) Get(ctx context.Context, id string) (lifecycle.Card, error) {
	return oneCard(s.q(ctx).GetCard(ctx, id))
}

// ByTEAM implements lifecycle.Store.
func (s *CardStore) ByTEAM(ctx context.Context, team string) (lifecycle.Card, error) {
	return oneCard(s.q(ctx).GetCardByTEAM(ctx, team))
}

// ByCertificate finds the card that carries a certificate, by its serial number
// in lower-case hexadecimal; lifecycle.ErrUnknown when none does.
func (s *CardStore) ByCertificate(ctx context.Context, serial string) (lifecycle.Card, error) {
	if serial == "" { // cards without a certificate have an empty one
		return lifecycle.Card{}, lifecycle.ErrUnknown
	}
	return oneCard(s.q(ctx).GetCardByCertificate(ctx, serial))
}

// ByPerson implements lifecycle.Store.
func (s *CardStore) ByPerson(ctx context.Context, cf codicefiscale.Code) ([]lifecycle.Card, error) {
	return manyCards(s.q(ctx).ListCardsByPerson(ctx, string(cf)))
}

// ByState implements lifecycle.Store.
func (s *CardStore) ByState(ctx context.Context, state lifecycle.State, after string, limit int) ([]lifecycle.Card, error) {
	return manyCards(s.q(ctx).ListCardsByState(ctx, carddb.ListCardsByStateParams{State: string(state), ID: after, Limit: int32(min(limit, 1<<20))}))
}

// ByBatch lists up to limit cards of a batch, by number, after a number.
func (s *CardStore) ByBatch(ctx context.Context, batch, after string, limit int) ([]lifecycle.Card, error) {
	return manyCards(s.q(ctx).ListCardsByBatch(ctx, carddb.ListCardsByBatchParams{Batch: batch, ID: after, Limit: int32(min(limit, 1<<20))}))
}

// Each lists up to limit cards of any state, by number, after a number.
func (s *CardStore) Each(ctx context.Context, after string, limit int) ([]lifecycle.Card, error) {
	return manyCards(s.q(ctx).ListCards(ctx, carddb.ListCardsParams{ID: after, Limit: int32(min(limit, 1<<20))}))
}

// CardCount is how many cards of a model are in a state.
type CardCount struct {
	State lifecycle.State
	Model lifecycle.Model
	N     int
}

// Counts counts the cards by state and model.
func (s *CardStore) Counts(ctx context.Context) ([]CardCount, error) {
	rows, err := s.q(ctx).CountCardsByState(ctx)
	if err != nil {
		return nil, fmt.Errorf("store: count cards: %w", err)
	}
	out := make([]CardCount, len(rows))
	for i, r := range rows {
		out[i] = CardCount{lifecycle.State(r.State), lifecycle.Model(r.Model), int(r.N)}
	}
	return out, nil
}

// Put implements lifecycle.Store.
func (s *CardStore) Put(ctx context.Context, c lifecycle.Card) (lifecycle.Card, error) {
	write := s.update
	if c.Version == 0 {
		write = s.insert
	}
	n, err := write(ctx, c)
	switch {
	case err != nil:
		return c, fmt.Errorf("store: write card %s: %w", c.ID, err)
	case n != 1:
		return c, fmt.Errorf("store: card %s: %w", c.ID, lifecycle.ErrStale)
	}
	c.Version++
	return c, nil
}

func (s *CardStore) insert(ctx context.Context, c lifecycle.Card) (int64, error) {
	return s.q(ctx).InsertCard(ctx, carddb.InsertCardParams{
		ID: c.ID, Team: c.TEAM, Cf: string(c.CF), Model: string(c.Model), State: string(c.State),
		Issued: c.Issued.String(), Expires: c.Expires.String(), ExpiryReason: c.ExpiryReason, Batch: c.Batch,
		CertSerial: c.CertSerial, CertExpires: c.CertExpires.String(), Replaces: c.Replaces, ReplacedBy: c.ReplacedBy,
		OrderedAt: micros(c.OrderedAt), ShippedAt: micros(c.ShippedAt), DeliveredAt: micros(c.DeliveredAt),
		ActivatedAt: micros(c.ActivatedAt), SuspendedAt: micros(c.SuspendedAt), RevokedAt: micros(c.RevokedAt),
		EndedAt: micros(c.EndedAt), Reason: string(c.Reason), CorrectedAt: micros(c.CorrectedAt), Issuer: c.Issuer, CorrectionDays: int64(c.CorrectionDays),
	})
}

func (s *CardStore) update(ctx context.Context, c lifecycle.Card) (int64, error) {
	return s.q(ctx).UpdateCard(ctx, carddb.UpdateCardParams{
		ID: c.ID, Team: c.TEAM, Cf: string(c.CF), Model: string(c.Model), State: string(c.State),
		Issued: c.Issued.String(), Expires: c.Expires.String(), ExpiryReason: c.ExpiryReason, Batch: c.Batch,
		CertSerial: c.CertSerial, CertExpires: c.CertExpires.String(), Replaces: c.Replaces, ReplacedBy: c.ReplacedBy,
		OrderedAt: micros(c.OrderedAt), ShippedAt: micros(c.ShippedAt), DeliveredAt: micros(c.DeliveredAt),
		ActivatedAt: micros(c.ActivatedAt), SuspendedAt: micros(c.SuspendedAt), RevokedAt: micros(c.RevokedAt),
		EndedAt: micros(c.EndedAt), Reason: string(c.Reason), CorrectedAt: micros(c.CorrectedAt), Version: c.Version, CorrectionDays: int64(c.CorrectionDays),
	})
}

func oneCard(r carddb.Card, err error) (lifecycle.Card, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return lifecycle.Card{}, lifecycle.ErrUnknown
	}
	if err != nil {
		return lifecycle.Card{}, fmt.Errorf("store: read card: %w", err)
	}
	return cardOf(r)
}

func manyCards(rows []carddb.Card, err error) ([]lifecycle.Card, error) {
	if err != nil {
		return nil, fmt.Errorf("store: list cards: %w", err)
	}
	out := make([]lifecycle.Card, len(rows))
	for i, r := range rows {
		if out[i], err = cardOf(r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func cardOf(r carddb.Card) (lifecycle.Card, error) {
	c := lifecycle.Card{
		ID: r.ID, TEAM: r.Team, CF: codicefiscale.Code(r.Cf), Model: lifecycle.Model(r.Model), State: lifecycle.State(r.State),
		ExpiryReason: r.ExpiryReason, Batch: r.Batch, CertSerial: r.CertSerial, Replaces: r.Replaces, ReplacedBy: r.ReplacedBy,
		OrderedAt: instant(r.OrderedAt), ShippedAt: instant(r.ShippedAt), DeliveredAt: instant(r.DeliveredAt),
		ActivatedAt: instant(r.ActivatedAt), SuspendedAt: instant(r.SuspendedAt), RevokedAt: instant(r.RevokedAt),
		EndedAt: instant(r.EndedAt), CorrectedAt: instant(r.CorrectedAt), CorrectionDays: int(r.CorrectionDays), Reason: lifecycle.Reason(r.Reason), Issuer: r.Issuer, Version: r.Version,
	}
	for _, d := range []struct {
		to   *civil.Date
		text string
	}{{&c.Issued, r.Issued}, {&c.Expires, r.Expires}, {&c.CertExpires, r.CertExpires}} {
		if err := d.to.UnmarshalText([]byte(d.text)); err != nil {
			return c, fmt.Errorf("store: card %s: %w", r.ID, err)
		}
	}
	return c, nil
}
