package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/engine/store/internal/citizendb"
	"cse.example/cse/issuer/contacts"
	"cse.example/cse/issuer/entitlement"
)

// ContactStore keeps addresses, changes under way and notices of issuer/contacts.
type ContactStore struct{ db *DB }

var (
	_ contacts.Store   = (*ContactStore)(nil)
	_ contacts.Changes = (*ContactStore)(nil)
	_ contacts.Sent    = (*ContactStore)(nil)
)

// Contacts is the store of issuer/contacts.
func (db *DB) Contacts() *ContactStore { return &ContactStore{db} }

func (s *ContactStore) q(ctx context.Context) *citizendb.Queries {
	return citizendb.New(s.db.Conn(ctx))
}

// PutContact implements contacts.Store.
func (s *ContactStore) PutContact(ctx context.Context, r contacts.Row) error {
	err := s.q(ctx).PutContact(ctx, citizendb.PutContactParams{
		Person: r.Person, Address: r.Address, At: micros(r.At), ReplacedAt: micros(r.ReplacedAt), Body: r.Body,
	})
	if err != nil {
		return fmt.Errorf("store: write contact: %w", err)
	}
	return nil
}

// GetContact implements contacts.Store.
func (s *ContactStore) GetContact(ctx context.Context, person string) (contacts.Row, error) {
	r, err := s.q(ctx).GetContact(ctx, person)
	if errors.Is(err, sql.ErrNoRows) {
		return contacts.Row{}, contacts.ErrNone
	}
	if err != nil {
		return contacts.Row{}, fmt.Errorf("store: read contact: %w", err)
	}
	return contactOf(r), nil
}

func contactOf(r citizendb.Contact) contacts.Row {
	return contacts.Row{Person: r.Person, Address: r.Address, At: instant(r.At), ReplacedAt: instant(r.ReplacedAt), Body: r.Body}
}

// ContactsAt implements contacts.Store.
func (s *ContactStore) ContactsAt(ctx context.Context, address string, limit int) ([]contacts.Row, error) {
	rows, err := s.q(ctx).ListContactsAt(ctx, citizendb.ListContactsAtParams{Address: address, Limit: int32(min(limit, 10_000))})
	if err != nil {
		return nil, fmt.Errorf("store: list contacts: %w", err)
	}
	out := make([]contacts.Row, len(rows))
	for i, r := range rows {
		out[i] = contactOf(r)
	}
	return out, nil
}

// PutChange implements contacts.Changes.
func (s *ContactStore) PutChange(ctx context.Context, r contacts.ChangeRow) error {
	err := s.q(ctx).PutChange(ctx, citizendb.PutChangeParams{Person: r.Person, Until: micros(r.Until), Effective: micros(r.Effective), Body: r.Body})
	if err != nil {
		return fmt.Errorf("store: write change of address: %w", err)
	}
	return nil
}

// GetChange implements contacts.Changes.
func (s *ContactStore) GetChange(ctx context.Context, person string) (contacts.ChangeRow, error) {
	r, err := s.q(ctx).GetChange(ctx, person)
	if errors.Is(err, sql.ErrNoRows) {
		return contacts.ChangeRow{}, contacts.ErrNone
	}
	if err != nil {
		return contacts.ChangeRow{}, fmt.Errorf("store: read change of address: %w", err)
	}
	return changeOf(r), nil
}

func changeOf(r citizendb.ContactChange) contacts.ChangeRow {
	return contacts.ChangeRow{Person: r.Person, Until: instant(r.Until), Effective: instant(r.Effective), Body: r.Body}
}

// DeleteChange implements contacts.Changes.
func (s *ContactStore) DeleteChange(ctx context.Context, person string) error {
	if err := s.q(ctx).DeleteChange(ctx, person); err != nil {
		return fmt.Errorf("store: delete change of address: %w", err)
	}
	return nil
}

// DueChanges implements contacts.Changes.
func (s *ContactStore) DueChanges(ctx context.Context, now time.Time, limit int) ([]contacts.ChangeRow, error) {
	rows, err := s.q(ctx).ListDueChanges(ctx, citizendb.ListDueChangesParams{Effective: micros(now), Limit: int32(min(limit, 10_000))})
	if err != nil {
		return nil, fmt.Errorf("store: list changes of address: %w", err)
	}
	out := make([]contacts.ChangeRow, len(rows))
	for i, r := range rows {
		out[i] = changeOf(r)
	}
	return out, nil
}

// PruneChanges implements contacts.Changes.
func (s *ContactStore) PruneChanges(ctx context.Context, before time.Time) (int64, error) {
	return purged(s.q(ctx).PruneChanges(ctx, micros(before)))
}

// AddNotice implements contacts.Sent.
func (s *ContactStore) AddNotice(ctx context.Context, card, notice string, at time.Time) (bool, error) {
	n, err := s.q(ctx).AddNotice(ctx, citizendb.AddNoticeParams{Card: card, Notice: notice, At: micros(at)})
	if err != nil {
		return false, fmt.Errorf("store: write notice: %w", err)
	}
	return n == 1, nil
}

// CertificateStore keeps the certificates of issuer/entitlement.
type CertificateStore struct{ db *DB }

var _ entitlement.Store = (*CertificateStore)(nil)

// TEAMCertificates is the store of issuer/entitlement.
func (db *DB) TEAMCertificates() *CertificateStore { return &CertificateStore{db} }

func (s *CertificateStore) q(ctx context.Context) *citizendb.Queries {
	return citizendb.New(s.db.Conn(ctx))
}

// AddCertificate implements entitlement.Store.
func (s *CertificateStore) AddCertificate(ctx context.Context, r entitlement.Row) (bool, error) {
	n, err := s.q(ctx).AddTEAMCertificate(ctx, citizendb.AddTEAMCertificateParams{
		ID: r.ID, Request: r.Request, Person: r.Person, At: micros(r.At), Until: micros(r.Until), Body: r.Body,
	})
	if err != nil {
		return false, fmt.Errorf("store: write certificate: %w", err)
	}
	return n == 1, nil
}

func certificateOf(r citizendb.TeamCertificate) entitlement.Row {
	return entitlement.Row{
		ID: r.ID, Request: r.Request, Person: r.Person, At: instant(r.At), Until: instant(r.Until), EndedAt: instant(r.EndedAt), Ended: r.Ended,
		Body: r.Body,
	}
}

func certificatesOf(rows []citizendb.TeamCertificate, err error) ([]entitlement.Row, error) {
	if err != nil {
		return nil, fmt.Errorf("store: list certificates: %w", err)
	}
	out := make([]entitlement.Row, len(rows))
	for i, r := range rows {
		out[i] = certificateOf(r)
	}
	return out, nil
}

// FindCertificate implements entitlement.Store.
func (s *CertificateStore) FindCertificate(ctx context.Context, id, request string) (entitlement.Row, error) {
	find := func() (citizendb.TeamCertificate, error) { return s.q(ctx).GetTEAMCertificate(ctx, id) }
	if id == "" {
		find = func() (citizendb.TeamCertificate, error) {
			return s.q(ctx).GetTEAMCertificateByRequest(ctx, request)
		}
	}
	r, err := find()
	if errors.Is(err, sql.ErrNoRows) {
		return entitlement.Row{}, entitlement.ErrNone
	}
	if err != nil {
		return entitlement.Row{}, fmt.Errorf("store: read certificate: %w", err)
	}
	return certificateOf(r), nil
}

// CertificatesOf implements entitlement.Store.
func (s *CertificateStore) CertificatesOf(ctx context.Context, person string) ([]entitlement.Row, error) {
	return certificatesOf(s.q(ctx).ListTEAMCertificates(ctx, person))
}

// OpenCertificates implements entitlement.Store.
func (s *CertificateStore) OpenCertificates(ctx context.Context, after string, limit int) ([]entitlement.Row, error) {
	return certificatesOf(s.q(ctx).ListOpenTEAMCertificates(ctx, citizendb.ListOpenTEAMCertificatesParams{ID: after, Limit: int32(min(limit, 10_000))}))
}

// EndCertificate implements entitlement.Store.
func (s *CertificateStore) EndCertificate(ctx context.Context, id, why string, at time.Time) (bool, error) {
	n, err := s.q(ctx).EndTEAMCertificate(ctx, citizendb.EndTEAMCertificateParams{ID: id, EndedAt: micros(at), Ended: why})
	if err != nil {
		return false, fmt.Errorf("store: end certificate: %w", err)
	}
	return n == 1, nil
}
