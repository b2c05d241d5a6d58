package portal

import (
	"html/template"

	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/person/registry"
)

// faces draws the two faces of a card from the data set that the bureau prints;
// none while a datum that must be printed is missing (R49).
func (c *call) faces(who registry.Person, card lifecycle.Card) []template.HTML {
	f, err := production.FacesOf(who, card)
	if err != nil {
		return nil
	}
	back, err := f.BackSVG(c.tongue.lang, "retro-"+card.ID)
	if err != nil {
		return nil
	}
	// production escapes every text of its drawings
	return []template.HTML{template.HTML(f.FrontSVG(c.tongue.lang, "fronte-"+card.ID)), template.HTML(back)} //nolint:gosec // see above
}
