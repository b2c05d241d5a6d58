package main

import (
	"context"

	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// printedDiffers tells whether a card printed from a would be wrong for b: the
// data of the tax registry, which nobody but the Revenue Agency corrects (R27).
func printedDiffers(a, b registry.Person) bool {
	return a.Surname != b.Surname || a.Name != b.Name || a.Born != b.Born || a.Sex != b.Sex || a.BirthPlace != b.BirthPlace ||
		a.BirthProvince != b.BirthProvince
}

// lapsed is why a person's cards end today, empty for who keeps them. Assistance
// that has not begun yet has not ended.
func lapsed(who registry.Person, today civil.Date) lifecycle.Reason {
	switch {
	case !who.Died.IsZero() && !who.AliveOn(today):
		return lifecycle.Death
	case !who.AssistedUntil.IsZero() && today.After(who.AssistedUntil):
		return lifecycle.EndOfAssistance
	}
	return ""
}

// closeLapsed ends the cards of people whose last day of assistance, known long
// before, has passed; it answers how many cards ended.
func (p *Platform) closeLapsed(ctx context.Context) (int, error) {
	n, today := 0, civil.Today(p.Clock)
	for _, s := range lifecycle.States() {
		if s.Final() {
			continue
		}
		for after := ""; ; {
			cards, err := p.db.Cards().ByState(ctx, s, after, 500)
			if err != nil {
				return n, err
			}
			if len(cards) == 0 {
				break
			}
			for _, c := range cards {
				after = c.ID
				ended, err := p.closeIfLapsed(ctx, c.CF, today)
				n += ended
				if err != nil {
					return n, err
				}
			}
		}
	}
	return n, nil
}

func (p *Platform) closeIfLapsed(ctx context.Context, cf codicefiscale.Code, today civil.Date) (int, error) {
	who, err := p.db.People().Get(ctx, cf)
	if err != nil {
		return 0, err
	}
	why := lapsed(who, today)
	if why == "" {
		return 0, nil
	}
	return p.counter.CloseFor(ctx, cf, why)
}
