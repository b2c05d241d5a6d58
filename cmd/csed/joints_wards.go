package main

import (
	"context"
	"errors"

	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/portal"
)

// wards are those for whom somebody stands today: by the registry, or by a title
// declared at a counter, as long as the holder is a minor or under guardianship;
// a minor until midnight in Rome of the eighteenth birthday.
func (p *Platform) wards(ctx context.Context, me codicefiscale.Code) ([]portal.Ward, error) {
	today := civil.Today(p.Clock)
	self, err := p.db.People().Get(ctx, me)
	if err != nil && !errors.Is(err, registry.ErrUnknown) {
		return nil, err
	}
	if err == nil && (self.MinorOn(today) || self.UnderGuardianship || !self.AliveOn(today)) {
		return nil, nil // who cannot decide for himself decides for nobody else
	}
	named, err := p.db.People().ByGuardian(ctx, me)
	if err != nil {
		return nil, err
	}
	var out []portal.Ward
	seen := map[codicefiscale.Code]bool{}
	add := func(x registry.Person, kind registry.GuardianKind, until civil.Date) {
		if seen[x.CF] || !x.AliveOn(today) || !x.MinorOn(today) && !x.UnderGuardianship {
			return
		}
		if last := lastAsMinor(x); !x.UnderGuardianship && (until.IsZero() || last.Before(until)) {
			until = last
		}
		seen[x.CF] = true
		out = append(out, portal.Ward{CF: x.CF, Kind: string(kind), Until: until})
	}
	for _, x := range named {
		for _, g := range x.GuardiansOn(today) {
			if g.CF.Base() == me.Base() {
				add(x, g.Kind, g.Until)
			}
		}
	}
	links, err := p.db.Links().WardsOf(ctx, me)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		if seen[l.Holder] {
			continue
		}
		x, err := p.db.People().Get(ctx, l.Holder)
		if errors.Is(err, registry.ErrUnknown) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !l.Lasts(x, today) {
			continue
		}
		kind := registry.Parent
		if l.Kind == counter.PresentGuardian {
			kind = registry.Tutor
		}
		add(x, kind, l.Until)
	}
	return out, nil
}

// represents tells whether by stands for cf today.
func (p *Platform) represents(ctx context.Context, by, cf codicefiscale.Code) (bool, error) {
	list, err := p.wards(ctx, by)
	for _, w := range list {
		if w.CF.Base() == cf.Base() {
			return true, err
		}
	}
	return false, err
}
