package store

import (
	"context"
	"fmt"

	"cse.example/cse/engine/store/internal/peopledb"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// ByGuardian lists those whom the registry says that somebody represents, or
// once represented, the eldest first; an omocodia of his code finds them too.
// Whether he does today is the person's own word (registry.Person.GuardiansOn).
func (s *PeopleStore) ByGuardian(ctx context.Context, cf codicefiscale.Code) ([]registry.Person, error) {
	return manyPeople(s.q(ctx).PeopleByGuardian(ctx, string(cf.Base())))
}

// indexGuardians writes who represents p, in the act that wrote p.
func (s *PeopleStore) indexGuardians(ctx context.Context, p registry.Person) error {
	if err := s.q(ctx).DropGuardians(ctx, string(p.CF)); err != nil {
		return fmt.Errorf("store: index guardians: %w", err)
	}
	for _, g := range p.Guardians {
		err := s.q(ctx).AddGuardian(ctx, peopledb.AddGuardianParams{Guardian: string(g.CF.Base()), Holder: string(p.CF)})
		if err != nil {
			return fmt.Errorf("store: index guardians: %w", err)
		}
	}
	return nil
}

// noteGuardians says that the people who were there before the index are in it.
const noteGuardians = "store.guardians"

// indexOldGuardians brings a registry into the index that was written before
// there was one; done once, in acts of a thousand people.
func (db *DB) indexOldGuardians(ctx context.Context) error {
	done, err := db.Noted(ctx, noteGuardians)
	if err != nil || done != "" {
		return err
	}
	s := db.People()
	for after := ""; ; {
		list, err := manyPeople(s.q(ctx).PeopleWithGuardians(ctx, peopledb.PeopleWithGuardiansParams{Cf: after, Limit: 1000}))
		if err != nil {
			return err
		}
		err = db.Atomically(ctx, func(ctx context.Context) error {
			for _, p := range list {
				if err := s.indexGuardians(ctx, p); err != nil {
					return err
				}
			}
			if len(list) == 0 {
				return db.Note(ctx, noteGuardians, "done")
			}
			return nil
		})
		if err != nil || len(list) == 0 {
			return err
		}
		after = string(list[len(list)-1].CF)
	}
}
