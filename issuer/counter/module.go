package counter

import (
	"context"
	"fmt"

	"cse.example/cse/person/codicefiscale"
)

// Informativa is the version of the privacy notice (GDPR, articles 13 and 14)
// that counters hand over; it is written on each module.
const Informativa = "1/2026"

// Module is what the request of activation says beside the form: it is signed
// in two copies, and only there the address stands in full, since its owner
// declares to have checked it.
type Module struct {
	Form
	Email   string
	Notices bool
	// BirthPlace is the name of the place, with the province if in Italy.
	BirthPlace  string
	Informativa string
}

// Module completes a form, for the process that prints. It asks for no right:
// ToPrint, which gives the form, did.
func (c *Counter) Module(ctx context.Context, f Form) (Module, error) {
	m := Module{Form: f, Informativa: Informativa}
	r, err := c.d.Acts.Find(ctx, f.Protocol, "")
	if err != nil {
		return m, fmt.Errorf("counter: module %s: %w", f.Protocol, err)
	}
	var e Evidence
	if err := c.open("act", r.Protocol, r.Body, &e); err != nil {
		return m, err
	}
	m.Email, m.Notices = e.Contact.Email, e.Contact.Notices
	p, err := c.person(ctx, codicefiscale.Code(f.CF))
	if err != nil {
		return m, err
	}
	m.BirthPlace = p.BirthPlace
	if x, ok := codicefiscale.Belfiore(p.BirthPlace, p.Born); ok {
		m.BirthPlace = x.Name
		if x.Province != "" {
			m.BirthPlace += " (" + x.Province + ")"
		}
	}
	return m, nil
}
