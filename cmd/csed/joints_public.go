package main

import (
	"context"

	"cse.example/cse/engine/paper"
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
	for _, o := range p.directory.Open() {
		services := p.servicesOf(o)
		if o.Type == staff.CallCentre || len(services) == 0 {
			continue
		}
		v := portal.OfficeView{ID: o.ID, Name: o.Name, Type: string(o.Type), Comune: o.Comune, Services: services, Address: o.Address, Phone: o.Phone, Accessible: o.Accessible}
		for _, h := range o.Hours {
			v.Hours = append(v.Hours, portal.OpenHours{Day: h.Day, From: h.From, Until: h.Until})
		}
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

// servicesOf is what a counter does for the people of its own health unit, as the
// permission matrix says; a pharmacy that does not take part does nothing.
func (p *Platform) servicesOf(o staff.Office) []string {
	var out []string
	op := staff.Operator{Roles: []staff.Role{staff.RoleOperator}, Office: o}
	for _, s := range portal.OfficeServices() {
		if p.directory.Allowed(op, staff.Action(s), o.ASL) == nil {
			out = append(out, s)
		}
	}
	return out
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

// blankForm prints the forms to fill in at home; it needs no key, so that the web
// process makes them too.
func (p *Platform) blankForm(ribbon string) portal.BlankForm {
	return func(kind string, lang words.Lang) ([]byte, error) {
		press, err := paper.New(paper.Options{Issuer: p.Config.Region.Name, Helpline: p.Config.Region.Phone, Banner: ribbon, Clock: p.Clock, Fonts: fonts()})
		if err != nil {
			return nil, err
		}
		return press.BlankForm(lang, paper.Blank(kind))
	}
}
