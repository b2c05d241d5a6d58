package main

import (
	"context"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/portal"
)

// The joints of the public site.

// offices is the public directory of counters: those a citizen may go to.
func (p *Platform) offices(context.Context) ([]portal.OfficeView, error) {
	var out []portal.OfficeView
	today := civil.Today(p.Clock)
	for _, o := range p.Config.Counters {
		services := servicesOf(o)
		if o.Type == staff.CallCentre || len(services) == 0 {
			continue
		}
		v := portal.OfficeView{ID: o.ID, Name: o.Name, Type: string(o.Type), Comune: o.Comune, Services: services}
		if place, ok := codicefiscale.Belfiore(o.Comune, today); ok {
			v.Comune = place.Name
			if place.Province != "" {
				v.Comune += " (" + place.Province + ")"
			}
		}
		out = append(out, v)
	}
	return out, nil
}

// servicesOf is what a counter of a kind does by the permission matrix, as
// citizens are told; a pharmacy that does not take part does nothing.
func servicesOf(o staff.Office) []string {
	switch o.Type {
	case staff.ASL:
		return []string{"activate", "activate-represented", "reprint", "not-received", "chip-fault", "loss-theft", "suspend"}
	case staff.Comune, staff.URP:
		return []string{"activate", "activate-represented", "reprint", "suspend"}
	case staff.ADE:
		return []string{"not-received", "chip-fault", "loss-theft", "suspend", "correct-data"}
	case staff.Pharmacy:
		if o.TakesPart {
			return []string{"activate", "suspend"}
		}
	}
	return nil
}

// hours are the call centre's, by language; Italian stands in for what is missing.
func (r Region) hours() map[words.Lang]string {
	if r.Hours.IT == "" {
		return nil
	}
	out := map[words.Lang]string{words.Italian: r.Hours.IT, words.English: r.Hours.EN}
	if r.Hours.EN == "" {
		out[words.English] = r.Hours.IT
	}
	return out
}
