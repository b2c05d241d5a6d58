package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/engine/store/internal/pkidb"
	"cse.example/cse/pki/ca"
)

var _ ca.Registry = (*PKIStore)(nil)

// AddAuthority implements ca.Registry.
func (s *PKIStore) AddAuthority(ctx context.Context, e ca.Entry) (bool, error) {
	n, err := s.q(ctx).AddAuthority(ctx, pkidb.AddAuthorityParams{
		ID: e.ID, Label: e.Label, Der: octets(e.DER), KnownAt: micros(e.KnownAt), Turn: e.Turn, TurnAt: micros(e.TurnAt),
		RevokedAt: micros(e.RevokedAt), Reason: int64(e.Reason),
	})
	if err != nil {
		return false, fmt.Errorf("store: authority %s: %w", e.Label, err)
	}
	return n == 1, nil
}

// Authority implements ca.Registry.
func (s *PKIStore) Authority(ctx context.Context, id string) (ca.Entry, error) {
	a, err := s.q(ctx).GetAuthority(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return ca.Entry{}, fmt.Errorf("%w: %s", ca.ErrNoAuthority, id)
	}
	if err != nil {
		return ca.Entry{}, fmt.Errorf("store: authority %s: %w", id, err)
	}
	return authority(a), nil
}

// AllAuthorities implements ca.Registry.
func (s *PKIStore) AllAuthorities(ctx context.Context) ([]ca.Entry, error) {
	rows, err := s.q(ctx).ListAuthorities(ctx)
	if err != nil {
		return nil, fmt.Errorf("store: authorities: %w", err)
	}
	out := make([]ca.Entry, len(rows))
	for i, a := range rows {
		out[i] = authority(a)
	}
	return out, nil
}

// PutAuthority implements ca.Registry.
func (s *PKIStore) PutAuthority(ctx context.Context, e ca.Entry) error {
	n, err := s.q(ctx).PutAuthority(ctx, pkidb.PutAuthorityParams{
		ID: e.ID, Turn: e.Turn, TurnAt: micros(e.TurnAt), RevokedAt: micros(e.RevokedAt), Reason: int64(e.Reason), Version: e.Version,
	})
	if err != nil {
		return fmt.Errorf("store: authority %s: %w", e.Label, err)
	}
	if n == 0 {
		return fmt.Errorf("%w: authority %s", ca.ErrRaced, e.Label)
	}
	return nil
}

func authority(a pkidb.Authority) ca.Entry {
	return ca.Entry{
		ID: a.ID, Label: a.Label, DER: a.Der, KnownAt: instant(a.KnownAt), Turn: a.Turn, TurnAt: instant(a.TurnAt),
		RevokedAt: instant(a.RevokedAt), Reason: int(a.Reason), Version: a.Version,
	}
}

// Living implements ca.Registry.
func (s *PKIStore) Living(ctx context.Context, issuer, after string, limit int) ([]ca.Record, error) {
	cs, err := s.q(ctx).LivingOfIssuer(ctx, pkidb.LivingOfIssuerParams{Issuer: issuer, Serial: after, Limit: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("store: living certificates of %s: %w", issuer, err)
	}
	return records(cs), nil
}

const signedCertificate = "certificate"

// Signed implements ca.Store.
func (s *PKIStore) Signed(ctx context.Context) (time.Time, error) {
	at, err := s.q(ctx).GetSigned(ctx, signedCertificate)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("store: newest signature: %w", err)
	}
	return instant(at), nil
}

// RaiseSigned implements ca.Store.
func (s *PKIStore) RaiseSigned(ctx context.Context, at time.Time) error {
	if err := s.q(ctx).RaiseSigned(ctx, pkidb.RaiseSignedParams{Name: signedCertificate, At: micros(at)}); err != nil {
		return fmt.Errorf("store: newest signature: %w", err)
	}
	return nil
}
