package portal

import (
	"net/http"

	"cse.example/cse/ground/words"
)

// An address that is stopped (CSE-606, CSE-607): the counter asks a supervisor to
// let it through for one holder, and goes on when he has.

func (c *call) addressToAsk() error { return c.addressPage(http.StatusOK) }

func (c *call) addressPage(status int, faults ...*words.Fault) error {
	p, err := c.panelOf(c.r.PathValue("numero"))
	if err != nil {
		return err
	}
	page := c.page("sportello", "portal.address.title")
	c.crumbs(page, "look.menu.counter", "/sportello")
	page.Form = c.newForm(c.r.PostForm, faults...)
	page.Data = map[string]any{"Panel": p}
	if len(faults) > 0 {
		page.Fault = faults[0]
	}
	return c.show(status, "address", page)
}

func (c *call) askAddress() error {
	if err := c.form(); err != nil {
		return err
	}
	if faults := c.empty("email", "motivo_richiesta"); len(faults) > 0 {
		return c.addressPage(http.StatusUnprocessableEntity, faults...)
	}
	err := c.p.FourEyes.AskAddress(c.r.Context(), *c.op, c.r.PathValue("numero"), c.value("email"), c.value("motivo_richiesta"))
	if f := words.FaultOf(err); f != nil {
		return c.addressPage(http.StatusUnprocessableEntity, f)
	}
	if err != nil {
		return err
	}
	return c.leave("/approvazioni?fatto=chiesto")
}
