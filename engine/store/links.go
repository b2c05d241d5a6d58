package store

import (
	"context"
	"fmt"
	"time"

	"cse.example/cse/engine/store/internal/counterdb"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/person/codicefiscale"
)

// LinkStore keeps who stands for whom; it implements counter.Links.
type LinkStore struct{ db *DB }

var _ counter.Links = (*LinkStore)(nil)

// Links is the store of titles declared at counters.
func (db *DB) Links() *LinkStore { return &LinkStore{db} }

// AddLink implements counter.Links.
func (s *LinkStore) AddLink(ctx context.Context, l counter.Link) error {
	err := s.db.counter(ctx).AddLink(ctx, counterdb.AddLinkParams{
		Holder: string(l.Holder), Representative: string(l.Representative), Kind: string(l.Kind), Since: micros(l.Since), Protocol: l.Protocol,
		Until: l.Until.String(), ByRegistry: flag(l.ByRegistry),
	})
	if err != nil {
		return fmt.Errorf("store: write title: %w", err)
	}
	return nil
}

// LinksOf implements counter.Links.
func (s *LinkStore) LinksOf(ctx context.Context, holder codicefiscale.Code) ([]counter.Link, error) {
	return links(s.db.counter(ctx).ListLinks(ctx, string(holder)))
}

// WardsOf implements counter.Links.
func (s *LinkStore) WardsOf(ctx context.Context, representative codicefiscale.Code) ([]counter.Link, error) {
	return links(s.db.counter(ctx).ListWards(ctx, string(representative)))
}

// OpenLinks implements counter.Links.
func (s *LinkStore) OpenLinks(ctx context.Context, after codicefiscale.Code, limit int) ([]counter.Link, error) {
	return links(s.db.counter(ctx).ListOpenLinks(ctx, counterdb.ListOpenLinksParams{Holder: string(after), Limit: int32(min(limit, 10_000))}))
}

// EndLink implements counter.Links.
func (s *LinkStore) EndLink(ctx context.Context, l counter.Link, at time.Time) error {
	err := s.db.counter(ctx).EndLink(ctx, counterdb.EndLinkParams{
		Holder: string(l.Holder), Representative: string(l.Representative), Kind: string(l.Kind), EndedAt: micros(at), Why: l.Why,
	})
	if err != nil {
		return fmt.Errorf("store: end title: %w", err)
	}
	return nil
}

func links(rows []counterdb.CounterLink, err error) ([]counter.Link, error) {
	if err != nil {
		return nil, fmt.Errorf("store: list titles: %w", err)
	}
	out := make([]counter.Link, len(rows))
	for i, r := range rows {
		var until civil.Date
		if err := until.UnmarshalText([]byte(r.Until)); err != nil {
			return nil, fmt.Errorf("store: title %s: %w", r.Protocol, err)
		}
		out[i] = counter.Link{
			Holder: codicefiscale.Code(r.Holder), Representative: codicefiscale.Code(r.Representative), Kind: counter.Present(r.Kind),
			Since: instant(r.Since), Protocol: r.Protocol, EndedAt: instant(r.EndedAt), Why: r.Why,
			Until: until, ByRegistry: r.ByRegistry != 0,
		}
	}
	return out, nil
}
