package portal

import (
	"context"
	"net/http"
	"net/url"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/helpdesk"
	"cse.example/cse/issuer/staff"
)

// Helpdesk is the call centre's room; a *helpdesk.Room is one.
type Helpdesk interface {
	Open(ctx context.Context, op staff.Operator, c helpdesk.Call) (helpdesk.Ticket, error)
	Of(ctx context.Context, card string) ([]helpdesk.Ticket, error)
}

// helpdeskRoutes are the call centre's pages: /sportello/tessera/{numero}/assistenza.
func (p *Portal) helpdeskRoutes(at func(pattern string, a answer)) {
	at("GET /sportello/tessera/{numero}/assistenza", atCounter((*call).helpdesk))
	at("POST /sportello/tessera/{numero}/assistenza", atCounter((*call).openTicket))
}

// ticketView is a ticket in the page's language.
type ticketView struct{ ID, When, Outcome, Advice, Note string }

func (c *call) tickets(card string) ([]ticketView, error) {
	list, err := c.p.Helpdesk.Of(c.r.Context(), card)
	var out []ticketView
	for _, t := range list {
		out = append(out, ticketView{
			ID: t.ID, When: when(t.At), Note: t.Note,
			Outcome: c.say("portal.help.outcome." + string(t.Outcome)), Advice: c.say("portal.help.advice." + string(t.Outcome)),
		})
	}
	return out, err
}

func (c *call) helpdesk() error { return c.helpdeskPage(nil) }

func (c *call) helpdeskPage(values url.Values, faults ...*words.Fault) error {
	card, err := c.card(c.r.PathValue("numero"))
	if err != nil {
		return err
	}
	if _, err := c.p.Desk.Sheet(c.r.Context(), *c.op, card.CF); err != nil {
		return err
	}
	p, err := c.panelOf(card.ID)
	if err != nil {
		return err
	}
	list, err := c.tickets(card.ID)
	if err != nil {
		return err
	}
	page := c.page("sportello", "portal.help.title")
	c.crumbs(page, "look.menu.counter", "/sportello")
	if values == nil {
		values = url.Values{"chiamata": {"guasto"}}
	}
	page.Form = c.newForm(values, faults...)
	page.Data = struct {
		Panel     panel
		Functions []functionView
		Tickets   []ticketView
	}{p, c.view(p.Card, true).Views, list}
	status := http.StatusOK
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "helpdesk", page)
}

func (c *call) openTicket() error {
	if err := c.form(); err != nil {
		return err
	}
	on := func(name string) bool { return c.value(name) != "" }
	_, err := c.p.Helpdesk.Open(c.r.Context(), *c.op, helpdesk.Call{
		Card:  c.r.PathValue("numero"),
		Facts: helpdesk.Facts{Month: c.value("mese"), EmailEnd: c.value("email_fine"), Comune: c.value("comune")},
		Findings: helpdesk.Findings{
			Reader: on("lettore"), Answers: on("risponde"), OtherCard: on("altra"), Certificate: on("certificato"), PIN: on("pin_libero"),
			PUK: on("puk_libero"), Browser: on("browser"),
		},
		Note: c.value("nota"), Reference: c.value("riferimento"), Fraud: c.value("chiamata") == "frode",
	})
	if f := words.FaultOf(err); f != nil {
		return c.helpdeskPage(c.r.PostForm, f)
	}
	if err != nil {
		return err
	}
	return c.leave(cardPath(c.r.PathValue("numero")) + "/assistenza")
}
