package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/engine/store/internal/pkidb"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/status"
)

var _ status.Changes = (*PKIStore)(nil)

// Moved names a certificate that an act of this process moved, and the version
// that it has since.
type Moved struct {
	Issuer, Serial string
	Version        int64
}

// OnMove has f called after the commit of each act, of this process, that moved
// certificates, before Atomically returns. f must not block. Ask for it before
// the first act.
func (s *PKIStore) OnMove(f func([]Moved)) { s.db.onMove = append(s.db.onMove, f) }

// moved remembers a move until the act's commit.
func (db *DB) moved(ctx context.Context, m Moved) {
	if list, ok := ctx.Value(movedKey{db}).(*[]Moved); ok {
		*list = append(*list, m)
	}
}

type movedKey struct{ db *DB }

// tell hands over what the act moved.
func (db *DB) tell(list []Moved) {
	if len(list) == 0 {
		return
	}
	for _, f := range db.onMove {
		f(list)
	}
}

// Place implements status.Changes.
func (s *PKIStore) Place(ctx context.Context) (int64, error) {
	at, err := s.q(ctx).PlaceOfChanges(ctx)
	if err != nil {
		return 0, fmt.Errorf("store: place in the order of changes: %w", err)
	}
	return at, nil
}

// Since implements status.Changes.
func (s *PKIStore) Since(ctx context.Context, place int64, serial string, limit int) ([]status.Change, error) {
	rows, err := s.q(ctx).ChangesSince(ctx, pkidb.ChangesSinceParams{Moved: place, Serial: serial, Limit: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("store: changes of certificates: %w", err)
	}
	out := make([]status.Change, len(rows))
	for i, r := range rows {
		out[i] = status.Change{
			Place: r.Moved, Issuer: r.Issuer, Serial: r.Serial, NotAfter: instant(r.NotAfter),
			Standing: underRevoked(standing(ca.State(r.State), r.Reason, r.IssuedAt, r.ChangedAt, r.Version), r.IssuerRevokedAt),
		}
	}
	return out, nil
}

// Known implements status.Changes.
func (s *PKIStore) Known(ctx context.Context, issuer, after string, alive time.Time, limit int) ([]status.Change, error) {
	rows, err := s.q(ctx).KnownCertificates(ctx, pkidb.KnownCertificatesParams{Issuer: issuer, Serial: after, NotAfter: micros(alive), Limit: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("store: certificates issued: %w", err)
	}
	out := make([]status.Change, len(rows))
	for i, r := range rows {
		out[i] = status.Change{
			Issuer: issuer, Serial: r.Serial, NotAfter: instant(r.NotAfter),
			Standing: underRevoked(standing(ca.State(r.State), r.Reason, r.IssuedAt, r.ChangedAt, r.Version), r.IssuerRevokedAt),
		}
	}
	return out, nil
}

// Mark implements status.Changes.
func (s *PKIStore) Mark(ctx context.Context, issuer string) (time.Time, error) {
	at, err := s.q(ctx).GetOCSPMark(ctx, issuer)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("store: time of the last OCSP answer: %w", err)
	}
	return instant(at), nil
}

// Raise implements status.Changes.
func (s *PKIStore) Raise(ctx context.Context, issuer string, at time.Time) error {
	err := s.db.Atomically(ctx, func(ctx context.Context) error {
		return s.q(ctx).PutOCSPMark(ctx, pkidb.PutOCSPMarkParams{Issuer: issuer, At: micros(at)})
	})
	if err != nil {
		return fmt.Errorf("store: time of the last OCSP answer: %w", err)
	}
	return nil
}
