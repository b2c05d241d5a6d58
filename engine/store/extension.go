package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/engine/store/internal/extensiondb"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/extension"
)

// ExtensionStore keeps the extensions of certificates; it implements extension.Store.
type ExtensionStore struct{ db *DB }

var _ extension.Store = (*ExtensionStore)(nil)

// Extensions is the store of issuer/extension.
func (db *DB) Extensions() *ExtensionStore { return &ExtensionStore{db} }

func (s *ExtensionStore) q(ctx context.Context) *extensiondb.Queries {
	return extensiondb.New(s.db.Conn(ctx))
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// Add implements extension.Store.
func (s *ExtensionStore) Add(ctx context.Context, r extension.Request) (bool, error) {
	n, err := s.q(ctx).AddExtension(ctx, extensiondb.AddExtensionParams{
		ID: r.ID, Card: r.Card, State: string(r.State), OldSerial: r.Old, NewSerial: r.New, Until: r.Until.String(), Room: int64(r.Room),
		OpenedAt: micros(r.OpenedAt), IssuedAt: micros(r.IssuedAt), WrittenAt: micros(r.WrittenAt), EndedAt: micros(r.EndedAt),
		Session: r.Session, SessionEnds: micros(r.SessionEnds), Proved: truth(r.Proved), Nonce: octets(r.Nonce), Challenge: octets(r.Challenge), Script: string(r.Script),
	})
	if err != nil {
		return false, fmt.Errorf("store: add an extension: %w", err)
	}
	return n == 1, nil
}

// Put implements extension.Store.
func (s *ExtensionStore) Put(ctx context.Context, r extension.Request) (extension.Request, error) {
	n, err := s.q(ctx).PutExtension(ctx, extensiondb.PutExtensionParams{
		State: string(r.State), NewSerial: r.New, Until: r.Until.String(), Room: int64(r.Room),
		IssuedAt: micros(r.IssuedAt), WrittenAt: micros(r.WrittenAt), EndedAt: micros(r.EndedAt),
		Session: r.Session, SessionEnds: micros(r.SessionEnds), Proved: truth(r.Proved), Nonce: octets(r.Nonce), Challenge: octets(r.Challenge), Script: string(r.Script),
		ID: r.ID, Version: r.Version,
	})
	if err != nil {
		return r, fmt.Errorf("store: write an extension: %w", err)
	}
	if n != 1 {
		return r, extension.ErrStale
	}
	r.Version++
	return r, nil
}

func extensionOf(x extensiondb.Extension) (extension.Request, error) {
	r := extension.Request{
		ID: x.ID, Card: x.Card, State: extension.State(x.State), Old: x.OldSerial, New: x.NewSerial, Room: int(x.Room),
		OpenedAt: instant(x.OpenedAt), IssuedAt: instant(x.IssuedAt), WrittenAt: instant(x.WrittenAt), EndedAt: instant(x.EndedAt),
		Session: x.Session, SessionEnds: instant(x.SessionEnds), Proved: x.Proved != 0, Nonce: x.Nonce, Challenge: x.Challenge,
		Script: extension.Script(x.Script), Version: x.Version,
	}
	var err error
	if r.Until, err = civil.ParseISO(x.Until); err != nil {
		return r, fmt.Errorf("store: extension %s: %w", x.ID, err)
	}
	return r, nil
}

func extensionsOf(rows []extensiondb.Extension) ([]extension.Request, error) {
	out := make([]extension.Request, len(rows))
	for i, x := range rows {
		var err error
		if out[i], err = extensionOf(x); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Of implements extension.Store.
func (s *ExtensionStore) Of(ctx context.Context, card string) ([]extension.Request, error) {
	rows, err := s.q(ctx).ExtensionsOf(ctx, card)
	if err != nil {
		return nil, fmt.Errorf("store: extensions of a card: %w", err)
	}
	return extensionsOf(rows)
}

// BySession implements extension.Store.
func (s *ExtensionStore) BySession(ctx context.Context, session string) (extension.Request, error) {
	if session == "" {
		return extension.Request{}, extension.ErrNone
	}
	x, err := s.q(ctx).ExtensionBySession(ctx, session)
	if errors.Is(err, sql.ErrNoRows) {
		return extension.Request{}, extension.ErrNone
	}
	if err != nil {
		return extension.Request{}, fmt.Errorf("store: extension of a session: %w", err)
	}
	return extensionOf(x)
}

// Each implements extension.Store.
func (s *ExtensionStore) Each(ctx context.Context, after string, limit int) ([]extension.Request, error) {
	rows, err := s.q(ctx).ListExtensions(ctx, extensiondb.ListExtensionsParams{ID: after, Limit: int32(min(limit, 10_000))})
	if err != nil {
		return nil, fmt.Errorf("store: list extensions: %w", err)
	}
	return extensionsOf(rows)
}

// Purge forgets the requests that ended before an instant.
func (s *ExtensionStore) Purge(ctx context.Context, before time.Time) (int64, error) {
	n, err := s.q(ctx).PurgeExtensions(ctx, micros(before))
	if err != nil {
		return 0, fmt.Errorf("store: forget extensions: %w", err)
	}
	return n, nil
}
