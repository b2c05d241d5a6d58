package counter

import (
	"context"
	"errors"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// Whoever stands for somebody else is looked up: an adult, alive, who can consent
// for himself, with the name that the registry has for his codice fiscale. That
// he is assisted here is no condition: a father who lives in another Region is a
// father. Of who is not in the registry the codice fiscale itself must agree with
// what his paper says, and the paper is what stays on record.

// vouch checks r, whose names were typed, and writes into it who vouches for
// them. More than one field may be at fault: the error then joins them.
func (c *Counter) vouch(ctx context.Context, r *Representative) error {
	r.OnPaper = false
	p, err := c.d.People.Get(ctx, r.CF)
	if errors.Is(err, registry.ErrUnknown) {
		r.OnPaper = true
		return onPaper(*r, c.today())
	}
	if err != nil {
		return err
	}
	if err := capable(p, c.today()); err != nil {
		return err
	}
	var wrong []error
	if !registry.SameNames(r.Surname, p.Surname) {
		wrong = append(wrong, words.Refuse("CSE-767").At("rappresentante_cognome"))
	}
	if !registry.SameNames(r.Name, p.Name) {
		wrong = append(wrong, words.Refuse("CSE-767").At("rappresentante_nome"))
	}
	if !r.Born.IsZero() && r.Born != p.Born {
		wrong = append(wrong, words.Refuse("CSE-767").At("rappresentante_nascita"))
	}
	return errors.Join(wrong...)
}

// able is vouch where no name is typed: the title was declared or is the
// registry's, and only the person must still be able to act.
func (c *Counter) able(ctx context.Context, cf codicefiscale.Code) error {
	p, err := c.d.People.Get(ctx, cf)
	if errors.Is(err, registry.ErrUnknown) {
		born, err := bornBy(cf, c.today())
		if err == nil && born.AgeOn(c.today()) < 18 {
			return words.Refuse("CSE-766").At("rappresentante_cf")
		}
		return nil // a code that says nothing: the paper is on the counter
	}
	if err != nil {
		return err
	}
	return capable(p, c.today())
}

// capable refuses who is dead (CSE-770), a minor, a parent or not (CSE-766), and
// who cannot consent even for himself (CSE-771), on a day in Rome.
func capable(p registry.Person, today civil.Date) error {
	switch {
	case !p.AliveOn(today):
		return words.Refuse("CSE-770").At("rappresentante_cf")
	case p.MinorOn(today):
		return words.Refuse("CSE-766").At("rappresentante_cf")
	case p.UnderGuardianship:
		return words.Refuse("CSE-771").At("rappresentante_cf")
	}
	return nil
}

// onPaper checks somebody whom the registry does not know by his own words: the
// birth date is needed (CSE-769), the codice fiscale must agree with all of it
// (CSE-768), and he must be of age (CSE-766). A provisional code says nothing: the
// date alone counts.
func onPaper(r Representative, today civil.Date) error {
	if !r.Born.Valid() || r.Born.After(today) {
		return words.Refuse("CSE-769").At("rappresentante_nascita")
	}
	a, err := r.CF.Agrees(r.Surname, r.Name, r.Born)
	if err != nil && !errors.Is(err, codicefiscale.ErrProvisional) {
		return err
	}
	var wrong []error
	if err == nil {
		for _, x := range []struct {
			ok    bool
			field string
		}{{a.Surname, "rappresentante_cognome"}, {a.Name, "rappresentante_nome"}, {a.Born, "rappresentante_nascita"}} {
			if !x.ok {
				wrong = append(wrong, words.Refuse("CSE-768").At(x.field))
			}
		}
	}
	if len(wrong) == 0 && r.Born.AgeOn(today) < 18 {
		return words.Refuse("CSE-766").At("rappresentante_cf")
	}
	return errors.Join(wrong...)
}

// bornBy is the birth date that a code tells, in the nearest past.
func bornBy(cf codicefiscale.Code, today civil.Date) (civil.Date, error) {
	born, _, err := cf.BirthDay(codicefiscale.CenturyBefore(today))
	return born, err
}
