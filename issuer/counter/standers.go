package counter

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// Standers lists who stands for a holder today, each once: whom the registry
// names, then those who declared it at a counter. It asks for no right: whoever
// calls it answers one of them, or does an act.
func (c *Counter) Standers(ctx context.Context, cf codicefiscale.Code) ([]Stander, error) {
	p, err := c.d.People.Get(ctx, cf)
	if errors.Is(err, registry.ErrUnknown) {
		return nil, nil
	}
	if err != nil || !needsSomebody(p, c.today()) {
		return nil, err
	}
	var out []Stander
	add := func(s Stander) error {
		if slices.ContainsFunc(out, func(x Stander) bool { return x.CF.Base() == s.CF.Base() }) {
			return nil
		}
		who, err := c.d.People.Get(ctx, s.CF)
		if err == nil {
			s.Surname, s.Name = who.Surname, who.Name
			if s.Email == "" && validEmail(who.Email) {
				s.Email = who.Email
			}
		} else if errors.Is(err, registry.ErrUnknown) {
			err = nil
		}
		out = append(out, s)
		return err
	}
	links, err := c.d.Links.LinksOf(ctx, cf)
	if err != nil {
		return nil, err
	}
	declared := map[codicefiscale.Code]Stander{}
	for _, l := range links {
		if !l.Lasts(p, c.today()) {
			continue
		}
		s, err := c.declarant(ctx, l)
		if err != nil {
			return nil, err
		}
		declared[l.Representative.Base()] = s
	}
	for _, g := range p.GuardiansOn(c.today()) {
		s := Stander{CF: g.CF, Kind: PresentGuardian}
		if g.Kind == registry.Parent {
			s.Kind = PresentParent
		}
		if d, ok := declared[g.CF.Base()]; ok {
			s.Surname, s.Name, s.Email, s.Lang = d.Surname, d.Name, d.Email, d.Lang
		}
		if err := add(s); err != nil {
			return nil, err
		}
	}
	for _, l := range links {
		if s, ok := declared[l.Representative.Base()]; ok {
			if err := add(s); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// declarant is who declared a title, by the act in which he did; of an act whose
// papers retention has destroyed only the title is left.
func (c *Counter) declarant(ctx context.Context, l Link) (Stander, error) {
	s := Stander{CF: l.Representative, Kind: l.Kind}
	r, err := c.d.Acts.Find(ctx, l.Protocol, "")
	if errors.Is(err, ErrNotFound) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	e, err := c.evidence(r)
	if err != nil {
		return s, err
	}
	if x := e.Identity.Representative; x != nil {
		s.Surname, s.Name = x.Surname, x.Name
	}
	s.Email, s.Lang = e.Contact.Email, e.Contact.Lang
	if r.Kind == KindJoin {
		own, err := joinedIn(e)
		if err != nil {
			return s, err
		}
		s.Email, s.Lang = own.Email, own.Lang
	}
	return s, nil
}

// joinedIn is what an act of joining remembers.
func joinedIn(e Evidence) (joined, error) {
	var own joined
	if len(e.Extra) == 0 {
		return own, nil
	}
	return own, json.Unmarshal(e.Extra, &own)
}
