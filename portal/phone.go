package portal

import (
	"context"
	"net/http"
	"strconv"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/issuer/throttle"
)

// The call centre's page: four digits of the CIP, at places drawn by the system.

// Phone is the suspension by telephone; a *counter.Counter is one.
type Phone interface {
	AskPositions(ctx context.Context, op staff.Operator, card string) (counter.Question, error)
	SuspendByPhone(ctx context.Context, op staff.Operator, card string, digits secret.Text) (counter.Receipt, error)
}

// CodesDeps are what the pages about codes need. Home and Halves let a holder
// activate his next card; without them he does it at a counter.
type CodesDeps struct {
	Phone  Phone
	Home   Home
	Halves FirstHalves
}

func (p *Portal) phoneRoutes(at func(pattern string, a answer)) {
	at("GET /sportello/tessera/{numero}/telefono", atCounter(func(c *call) error { return c.phonePage(nil) }))
	at("POST /sportello/tessera/{numero}/telefono", atCounter((*call).suspendByPhone))
}

// phoneOffer is the button on the sheet, for the call centre.
func (c *call) phoneOffer(card Card) []offerView {
	if !c.op.Has(staff.RoleCallCentre) || card.State != lifecycle.Active || !card.HasChip() {
		return nil
	}
	return []offerView{{Name: c.say("portal.phone.title"), Path: cardPath(card.ID) + "/telefono"}}
}

// phonePage asks; the digits never go back to it.
func (c *call) phonePage(fault *words.Fault) error {
	q, err := c.p.Phone.AskPositions(c.r.Context(), *c.op, c.r.PathValue("numero"))
	if err != nil {
		return err
	}
	p, err := c.panelOf(q.Card)
	if err != nil {
		return err
	}
	page := c.page("sportello", "portal.phone.title")
	c.crumbs(page, "look.menu.counter", "/sportello")
	status := http.StatusOK
	page.Form = c.newForm(nil)
	if fault != nil {
		page.Form, page.Fault, status = c.newForm(nil, fault), fault, http.StatusUnprocessableEntity
	}
	page.Data = struct {
		Panel  panel
		Places [counter.Places]int
	}{p, q.Places}
	return c.show(status, "phone", page)
}

func (c *call) suspendByPhone() error {
	if err := c.form(); err != nil {
		return err
	}
	if faults := c.empty("cifre"); len(faults) > 0 {
		return c.phonePage(faults[0])
	}
	card := c.r.PathValue("numero")
	r, err := c.p.Phone.SuspendByPhone(c.r.Context(), *c.op, card, secret.FromString(compact(c.value("cifre"))))
	if wait := throttle.WaitOf(err); wait > 0 {
		c.w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
	}
	if f := words.FaultOf(err); f != nil && f.Code != "CSE-451" {
		return c.phonePage(f)
	}
	if err != nil {
		return err
	}
	page := c.page("sportello", "portal.phone.done.title")
	c.crumbs(page, "look.menu.counter", "/sportello")
	page.Data = struct{ Text, Back string }{c.say("portal.phone.done.text", r.Protocol), cardPath(card)}
	return c.show(http.StatusOK, "phonedone", page)
}
