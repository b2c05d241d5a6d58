package portal

import (
	"context"
	"net/http"
	"net/url"

	"cse.example/cse/card/diagnosis"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/helpdesk"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/portal/look"
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
	at("POST /sportello/tessera/{numero}/diagnosi", atCounter((*call).openReference))
	at("GET /sportello/tessera/{numero}/diagnosi", atCounter(func(c *call) error { return c.leave(cardPath(c.r.PathValue("numero")) + "/assistenza") }))
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

// openDiagnosis is the form that opens a holder's diagnosis.
type openDiagnosis struct {
	Action string
	Form   *look.Form
}

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
	// The diagnosis is asked for by address (six letters that name nobody), or it
	// stands in the form that came back.
	said := c.r.URL.Query().Get("diagnosi")
	if values != nil {
		said = values.Get("riferimento")
	}
	found, filled, err := c.diagnosed(said, card)
	if f := words.FaultOf(err); f != nil && values == nil {
		values, faults = url.Values{"chiamata": {"guasto"}, "diagnosi": {said}}, append(faults, f.At("diagnosi"))
	} else if err != nil && f == nil {
		return err
	}
	if values == nil {
		values = url.Values{"chiamata": {"guasto"}}
		if filled != nil {
			values = filled
		}
	}
	page.Form = c.newForm(values, faults...)
	page.Data = struct {
		Panel     panel
		Functions []functionView
		Tickets   []ticketView
		Open      openDiagnosis
		Diagnosis *diagnosisView
	}{p, c.view(p.Card, true).Views, list, openDiagnosis{page.U(cardPath(card.ID) + "/diagnosi"), page.Form}, found}
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

// openReference leads to the diagnosis that the agent's reference names. What is
// no reference stays out of the address: somebody may have typed anything.
func (c *call) openReference() error {
	if err := c.form(); err != nil {
		return err
	}
	ref, err := diagnosis.ParseReference(c.value("diagnosi"))
	if err != nil {
		values := url.Values{"chiamata": {"guasto"}, "diagnosi": {c.value("diagnosi")}}
		return c.helpdeskPage(values, words.Refuse("CSE-563").At("diagnosi"))
	}
	return c.leave(cardPath(c.r.PathValue("numero")) + "/assistenza?diagnosi=" + string(ref))
}
