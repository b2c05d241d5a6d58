package store

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"cse.example/cse/engine/store/internal/issuancedb"
	"cse.example/cse/pki/ca"
)

var _ ca.KeyStore = (*PKIStore)(nil)

func (s *PKIStore) keys(ctx context.Context) *issuancedb.Queries {
	return issuancedb.New(s.db.Conn(ctx))
}

// Keys implements ca.KeyStore.
func (s *PKIStore) Keys(ctx context.Context, after string, limit int) ([]ca.Record, error) {
	rows, err := s.keys(ctx).CertificateKeys(ctx, issuancedb.CertificateKeysParams{Serial: after, Limit: int32(min(limit, 10_000))})
	if err != nil {
		return nil, fmt.Errorf("store: certified keys: %w", err)
	}
	out := make([]ca.Record, len(rows))
	for i, r := range rows {
		out[i] = ca.Record{Serial: r.Serial, Card: r.Card, TBS: r.Tbs, ReservedAt: instant(r.ReservedAt)}
	}
	return out, nil
}

// AddSharedPrime implements ca.KeyStore.
func (s *PKIStore) AddSharedPrime(ctx context.Context, p *big.Int, at time.Time) (bool, error) {
	n, err := s.keys(ctx).AddSharedPrime(ctx, issuancedb.AddSharedPrimeParams{Prime: p.Text(16), FoundAt: micros(at)})
	if err != nil {
		return false, fmt.Errorf("store: shared prime: %w", err)
	}
	return n > 0, nil
}

// SharedPrimes implements ca.KeyStore.
func (s *PKIStore) SharedPrimes(ctx context.Context) ([]*big.Int, error) {
	rows, err := s.keys(ctx).SharedPrimes(ctx)
	if err != nil {
		return nil, fmt.Errorf("store: shared primes: %w", err)
	}
	out := make([]*big.Int, len(rows))
	for i, r := range rows {
		p, ok := new(big.Int).SetString(r, 16)
		if !ok {
			return nil, fmt.Errorf("store: shared prime %d is not hexadecimal", i)
		}
		out[i] = p
	}
	return out, nil
}
