package store

import (
	"context"
	"fmt"
	"time"

	"cse.example/cse/engine/store/internal/citizendb"
	"cse.example/cse/issuer/contacts"
)

// What the nightly retention destroys, kind by kind: each answers how many went,
// and happens inside an act.

var _ contacts.Releases = (*ContactStore)(nil)

// ReplacedBefore implements contacts.Store.
func (s *ContactStore) ReplacedBefore(ctx context.Context, before time.Time, limit int) ([]contacts.Row, error) {
	rows, err := s.q(ctx).ListReplacedContacts(ctx, citizendb.ListReplacedContactsParams{ReplacedAt: micros(before), Limit: int32(min(limit, 10_000))})
	if err != nil {
		return nil, fmt.Errorf("store: list replaced addresses: %w", err)
	}
	out := make([]contacts.Row, len(rows))
	for i, r := range rows {
		out[i] = contactOf(r)
	}
	return out, nil
}

// AddRelease implements contacts.Releases.
func (s *ContactStore) AddRelease(ctx context.Context, r contacts.Release) error {
	err := s.q(ctx).AddRelease(ctx, citizendb.AddReleaseParams{Person: r.Person, Address: r.Address, Approval: r.Approval, At: micros(r.At)})
	if err != nil {
		return fmt.Errorf("store: write released address: %w", err)
	}
	return nil
}

// Released implements contacts.Releases.
func (s *ContactStore) Released(ctx context.Context, person, address string) (bool, error) {
	n, err := s.q(ctx).CountReleases(ctx, citizendb.CountReleasesParams{Person: person, Address: address})
	if err != nil {
		return false, fmt.Errorf("store: read released address: %w", err)
	}
	return n > 0, nil
}

// PurgeNotices forgets which notices were sent about cards that ended before.
func (s *ContactStore) PurgeNotices(ctx context.Context, before time.Time) (int64, error) {
	return purged(s.q(ctx).PurgeNotices(ctx, micros(before)))
}

// Purge destroys certificates whose last day was before.
func (s *CertificateStore) Purge(ctx context.Context, before time.Time) (int64, error) {
	return purged(s.q(ctx).PurgeTEAMCertificates(ctx, micros(before)))
}

// PurgeEvidence destroys what was sealed with acts on cards that ended before;
// that the act was done stays, with its number, kind, card, operator and office.
func (s *ActStore) PurgeEvidence(ctx context.Context, before time.Time) (int64, error) {
	return purged(s.db.counter(ctx).PurgeEvidence(ctx, micros(before)))
}

// PurgeEnded destroys titles whose end was told before.
func (s *LinkStore) PurgeEnded(ctx context.Context, before time.Time) (int64, error) {
	return purged(s.db.counter(ctx).PurgeLinks(ctx, micros(before)))
}

// Purge destroys requests that ran out before, decided or not.
func (s *ApprovalStore) Purge(ctx context.Context, before time.Time) (int64, error) {
	return purged(s.q(ctx).PurgeApprovals(ctx, micros(before)))
}

// Purge destroys campaigns that ended before, with their items; it counts the
// campaigns.
func (s *CampaignStore) Purge(ctx context.Context, before time.Time) (int64, error) {
	if _, err := s.q(ctx).PurgeCampaignItems(ctx, micros(before)); err != nil {
		return 0, fmt.Errorf("store: purge items of campaigns: %w", err)
	}
	return purged(s.q(ctx).PurgeCampaigns(ctx, micros(before)))
}
