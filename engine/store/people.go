package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"cse.example/cse/engine/store/internal/peopledb"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// PeopleStore keeps the registry of assisted people; it implements registry.Store.
type PeopleStore struct{ db *DB }

var _ registry.Store = (*PeopleStore)(nil)

// People is the store of people.
func (db *DB) People() *PeopleStore { return &PeopleStore{db} }

func (s *PeopleStore) q(ctx context.Context) *peopledb.Queries { return peopledb.New(s.db.Conn(ctx)) }

// Put implements registry.Store: one statement, which writes nothing when the
// row's digest is the one already kept.
func (s *PeopleStore) Put(ctx context.Context, p registry.Person) (bool, error) {
	guardians, err := json.Marshal(p.Guardians)
	if err != nil {
		return false, fmt.Errorf("store: guardians: %w", err)
	}
	bySurname, byName := p.SearchKeys()
	digest := sha256.Sum256([]byte(strings.Join(p.Row(), "\x1f")))
	n, err := s.q(ctx).PutPerson(ctx, peopledb.PutPersonParams{
		Cf: string(p.CF), Surname: p.Surname, Name: p.Name, Born: p.Born.String(), Sex: p.Sex,
		BirthPlace: p.BirthPlace, BirthProvince: p.BirthProvince, Citizenship: p.Citizenship,
		Residence: p.Residence, Address: p.Address, PostCode: p.PostCode, Died: p.Died.String(), Asl: p.ASL,
		AssistedFrom: p.AssistedFrom.String(), AssistedUntil: p.AssistedUntil.String(), AbroadRight: flag(p.AbroadRight),
		Permit: string(p.Permit.Kind), PermitUntil: p.Permit.Until.String(), Guardians: string(guardians),
		UnderGuardianship: flag(p.UnderGuardianship), Email: p.Email,
		BySurname: []byte(bySurname), ByName: []byte(byName), Digest: digest[:],
	})
	if err != nil {
		return false, fmt.Errorf("store: put person: %w", err)
	}
	if n == 0 {
		return false, nil
	}
	return true, s.indexGuardians(ctx, p)
}

// Get implements registry.Store.
func (s *PeopleStore) Get(ctx context.Context, cf codicefiscale.Code) (registry.Person, error) {
	row, err := s.q(ctx).GetPerson(ctx, string(cf))
	if errors.Is(err, sql.ErrNoRows) {
		return registry.Person{}, registry.ErrUnknown
	}
	if err != nil {
		return registry.Person{}, fmt.Errorf("store: get person: %w", err)
	}
	return personOf(row)
}

// Search implements registry.Store.
func (s *PeopleStore) Search(ctx context.Context, q registry.Query) ([]registry.Person, error) {
	if q.CF != "" {
		p, err := s.Get(ctx, q.CF)
		if errors.Is(err, registry.ErrUnknown) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return []registry.Person{p}, nil
	}
	if q.Key() == "" && q.Born.IsZero() {
		return nil, nil
	}
	if q.Limit <= 0 {
		q.Limit = 50
	}
	lo := []byte(q.Key())
	return manyPeople(s.q(ctx).SearchPeople(ctx, peopledb.SearchPeopleParams{
		Lo: lo, Hi: append(append([]byte(nil), lo...), 0xFF), // no UTF-8 text holds FF
		Born: q.Born.String(), Most: int32(min(q.Limit, 1000)),
	}))
}

// Each implements registry.Store.
func (s *PeopleStore) Each(ctx context.Context, after codicefiscale.Code, limit int) ([]registry.Person, error) {
	return manyPeople(s.q(ctx).PeopleAfter(ctx, peopledb.PeopleAfterParams{Cf: string(after), Limit: int32(min(limit, 100_000))}))
}

// Count implements registry.Store.
func (s *PeopleStore) Count(ctx context.Context) (int, error) {
	n, err := s.q(ctx).CountPeople(ctx)
	if err != nil {
		return 0, fmt.Errorf("store: count people: %w", err)
	}
	return int(n), nil
}

func manyPeople(rows []peopledb.Person, err error) ([]registry.Person, error) {
	if err != nil {
		return nil, fmt.Errorf("store: people: %w", err)
	}
	out := make([]registry.Person, len(rows))
	for i, r := range rows {
		if out[i], err = personOf(r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func personOf(r peopledb.Person) (registry.Person, error) {
	p := registry.Person{
		CF: codicefiscale.Code(r.Cf), Surname: r.Surname, Name: r.Name, Sex: r.Sex,
		BirthPlace: r.BirthPlace, BirthProvince: r.BirthProvince, Citizenship: r.Citizenship,
		Residence: r.Residence, Address: r.Address, PostCode: r.PostCode, ASL: r.Asl, AbroadRight: r.AbroadRight != 0,
		Permit: registry.Permit{Kind: registry.PermitKind(r.Permit)}, UnderGuardianship: r.UnderGuardianship != 0, Email: r.Email,
	}
	err := errors.Join(
		p.Born.UnmarshalText([]byte(r.Born)), p.Died.UnmarshalText([]byte(r.Died)),
		p.AssistedFrom.UnmarshalText([]byte(r.AssistedFrom)), p.AssistedUntil.UnmarshalText([]byte(r.AssistedUntil)),
		p.Permit.Until.UnmarshalText([]byte(r.PermitUntil)), json.Unmarshal([]byte(r.Guardians), &p.Guardians),
	)
	if err != nil {
		return registry.Person{}, fmt.Errorf("store: person: %w", err)
	}
	return p, nil
}
