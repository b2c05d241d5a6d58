package store

import (
	"context"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"

	"cse.example/cse/engine/store/internal/pkidb"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/status"
	"cse.example/cse/pki/trust"
)

// PKIStore keeps certificates and the numbers of their lists.
type PKIStore struct{ db *DB }

var (
	_ ca.Store         = (*PKIStore)(nil)
	_ status.Store     = (*PKIStore)(nil)
	_ status.Lists     = (*PKIStore)(nil)
	_ trust.Revocation = (*PKIStore)(nil)
)

// PKI is the adapter for pki/ca, pki/status and pki/trust.
func (db *DB) PKI() *PKIStore { return &PKIStore{db} }

func (s *PKIStore) q(ctx context.Context) *pkidb.Queries { return pkidb.New(s.db.Conn(ctx)) }

// Reserve implements ca.Store.
func (s *PKIStore) Reserve(ctx context.Context, r ca.Record) error {
	n, err := s.q(ctx).ReserveCertificate(ctx, pkidb.ReserveCertificateParams{
		Serial: r.Serial, Issuer: r.Issuer, Shard: int64(r.Shard), Card: r.Card, Person: r.Person, KeyHash: r.KeyHash,
		State: string(r.State), Reason: int64(r.Reason), Tbs: octets(r.TBS), Der: octets(r.DER), NotAfter: micros(r.NotAfter),
		ReservedAt: micros(r.ReservedAt), IssuedAt: micros(r.IssuedAt), ActivatedAt: micros(r.ActivatedAt), ChangedAt: micros(r.ChangedAt),
		Version: r.Version, Extends: r.Extends,
	})
	if err != nil {
		return fmt.Errorf("store: reserve certificate: %w", err)
	}
	if n == 0 {
		return ca.ErrTaken
	}
	return nil
}

// octets is never nil, which would be NULL.
func octets(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Get implements ca.Store.
func (s *PKIStore) Get(ctx context.Context, serial string) (ca.Record, error) {
	c, err := s.q(ctx).GetCertificate(ctx, serial)
	if errors.Is(err, sql.ErrNoRows) {
		return ca.Record{}, fmt.Errorf("%w: %s", ca.ErrUnknown, serial)
	}
	if err != nil {
		return ca.Record{}, fmt.Errorf("store: certificate %s: %w", serial, err)
	}
	return record(c), nil
}

// Find implements ca.Store. Two queries, since an OR of two indexes makes one
// engine walk the table. Void ones count where another card had the key.
func (s *PKIStore) Find(ctx context.Context, card, keyHash string) ([]ca.Record, error) {
	ofCard, err := s.q(ctx).CertificatesOf(ctx, card)
	if err != nil {
		return nil, fmt.Errorf("store: certificates of card %s: %w", card, err)
	}
	withKey, err := s.q(ctx).CertificateWithKey(ctx, keyHash)
	if err != nil {
		return nil, fmt.Errorf("store: certificate with key: %w", err)
	}
	out := records(ofCard)
	for _, c := range withKey {
		if c.Card != card {
			out = append(out, record(c))
		}
	}
	return out, nil
}

// OfCard lists the certificates, not void, that a card has had, oldest first.
func (s *PKIStore) OfCard(ctx context.Context, card string) ([]ca.Record, error) {
	cs, err := s.q(ctx).CertificatesOf(ctx, card)
	if err != nil {
		return nil, fmt.Errorf("store: certificates of card %s: %w", card, err)
	}
	return records(cs), nil
}

// Put implements ca.Store.
func (s *PKIStore) Put(ctx context.Context, r ca.Record) error {
	n, err := s.q(ctx).PutCertificate(ctx, pkidb.PutCertificateParams{
		Serial: r.Serial, State: string(r.State), Reason: int64(r.Reason), Der: octets(r.DER),
		IssuedAt: micros(r.IssuedAt), ActivatedAt: micros(r.ActivatedAt), ChangedAt: micros(r.ChangedAt), Version: r.Version,
	})
	if err != nil {
		return fmt.Errorf("store: certificate %s: %w", r.Serial, err)
	}
	if n == 0 {
		return fmt.Errorf("%w: %s", ca.ErrRaced, r.Serial)
	}
	s.db.moved(ctx, Moved{Issuer: r.Issuer, Serial: r.Serial, Version: r.Version + 1})
	return s.changed(ctx, r)
}

// Unfinished implements ca.Store.
func (s *PKIStore) Unfinished(ctx context.Context, after string, limit int) ([]ca.Record, error) {
	cs, err := s.q(ctx).UnfinishedCertificates(ctx, pkidb.UnfinishedCertificatesParams{Serial: after, Limit: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("store: unfinished certificates: %w", err)
	}
	return records(cs), nil
}

// Count is the number of certificates in each state.
func (s *PKIStore) Count(ctx context.Context) (map[ca.State]int, error) {
	rows, err := s.q(ctx).CountCertificates(ctx)
	if err != nil {
		return nil, fmt.Errorf("store: count certificates: %w", err)
	}
	out := map[ca.State]int{}
	for _, r := range rows {
		out[ca.State(r.State)] = int(r.N)
	}
	return out, nil
}

func records(cs []pkidb.Certificate) []ca.Record {
	out := make([]ca.Record, len(cs))
	for i, c := range cs {
		out[i] = record(c)
	}
	return out
}

func record(c pkidb.Certificate) ca.Record {
	return ca.Record{
		Serial: c.Serial, Issuer: c.Issuer, Shard: int(c.Shard), Card: c.Card, Person: c.Person, KeyHash: c.KeyHash,
		State: ca.State(c.State), Reason: int(c.Reason), TBS: c.Tbs, DER: c.Der, NotAfter: instant(c.NotAfter),
		ReservedAt: instant(c.ReservedAt), IssuedAt: instant(c.IssuedAt), ActivatedAt: instant(c.ActivatedAt), ChangedAt: instant(c.ChangedAt),
		Version: c.Version, Extends: c.Extends,
	}
}

// Standing implements status.Store: pending and held are on hold for the world;
// reserved and void were never issued.
func (s *PKIStore) Standing(ctx context.Context, issuer, serial string) (status.Standing, error) {
	c, err := s.standing(ctx, issuer, serial)
	if errors.Is(err, sql.ErrNoRows) {
		return status.Standing{}, nil
	}
	if err != nil {
		return status.Standing{}, fmt.Errorf("store: standing of %s: %w", serial, err)
	}
	return underRevoked(standing(ca.State(c.State), c.Reason, c.IssuedAt, c.ChangedAt, c.Version), c.IssuerRevokedAt), nil
}

// underRevoked is what is said of a certificate whose authority's key is not safe
// any more: nothing is good from that act on, whether or not its own revocation
// has been written yet. Its version is behind all that it had before.
func underRevoked(st status.Standing, revokedAt int64) status.Standing {
	if revokedAt == 0 || !st.Known {
		return st
	}
	st.Version += 1 << 32
	if !st.Revoked || st.Reason == status.Hold {
		st.Revoked, st.Reason, st.Since = true, ca.CACompromise, instant(revokedAt)
	}
	return st
}

func (s *PKIStore) standing(ctx context.Context, issuer, serial string) (pkidb.CertificateStandingRow, error) {
	return s.q(ctx).CertificateStanding(ctx, pkidb.CertificateStandingParams{Issuer: issuer, Serial: serial})
}

func standing(state ca.State, reason, issued, changed, version int64) status.Standing {
	st := status.Standing{Known: true, Version: version}
	switch state {
	case ca.Good:
	case ca.Pending:
		st.Revoked, st.Reason, st.Since = true, status.Hold, instant(issued)
	case ca.Held:
		st.Revoked, st.Reason, st.Since = true, status.Hold, instant(changed)
	case ca.Revoked:
		st.Revoked, st.Reason, st.Since = true, int(reason), instant(changed)
	default:
		return status.Standing{}
	}
	return st
}

// Revocation implements trust.Revocation for the certificates issued here: the
// record itself is asked, so that a revocation counts from the same instant.
func (s *PKIStore) Revocation(ctx context.Context, leaf, issuer *x509.Certificate) (trust.Status, error) {
	c, err := s.standing(ctx, ca.IssuerID(issuer), fmt.Sprintf("%x", leaf.SerialNumber.Bytes()))
	if errors.Is(err, sql.ErrNoRows) {
		return trust.Status{}, nil
	}
	if err != nil {
		return trust.Status{}, fmt.Errorf("store: standing of a certificate: %w", err)
	}
	if c.IssuerRevokedAt != 0 && ca.State(c.State) != ca.Revoked {
		return trust.Status{Standing: trust.StandingRevoked, Since: instant(c.IssuerRevokedAt), Code: ca.CACompromise}, nil
	}
	switch ca.State(c.State) {
	case ca.Good:
		return trust.Status{Standing: trust.StandingGood}, nil
	case ca.Pending:
		return trust.Status{Standing: trust.StandingPending, Since: instant(c.IssuedAt)}, nil
	case ca.Held:
		return trust.Status{Standing: trust.StandingHeld, Since: instant(c.ChangedAt)}, nil
	case ca.Revoked:
		return trust.Status{Standing: trust.StandingRevoked, Since: instant(c.ChangedAt), Code: int(c.Reason)}, nil
	}
	return trust.Status{}, nil
}
