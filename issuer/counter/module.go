package counter

import (
	"context"
	"fmt"

	"cse.example/cse/person/codicefiscale"
)

// Module is what the request of activation says beside the form: it is signed
// in two copies, and only there the address stands in full, since its owner
// declares to have checked it.
type Module struct {
	Form
	Email   string
	Notices bool
	// BirthPlace is the name of the place, with the province if in Italy.
	BirthPlace string
}

// Module completes a form, for the process that prints. It asks for no right:
// ToPrint, which gives the form, did.
func (c *Counter) Module(ctx context.Context, f Form) (Module, error) {
	m := Module{Form: f}
	r, err := c.d.Acts.Find(ctx, f.Protocol, "")
	if err != nil {
		return m, fmt.Errorf("counter: module %s: %w", f.Protocol, err)
	}
	e, err := c.evidence(r)
	if err != nil {
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
