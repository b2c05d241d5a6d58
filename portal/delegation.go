package portal

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/portal/look"
)

// Delegations prepare the form of a delegation in the draft of an activation; a
// *counter.Counter is one.
type Delegations interface {
	Delegate(ctx context.Context, op staff.Operator, id string, version int64, s counter.IdentityStep, to counter.ContactStep) (counter.Draft, error)
	DelegationOf(ctx context.Context, op staff.Operator, id string) (counter.Delegation, error)
	DelegationPrinted(ctx context.Context, op staff.Operator, x counter.Delegation) error
}

// DelegationForm makes the form as a PDF, and what it says for a page.
type DelegationForm func(ctx context.Context, x counter.Delegation) (pdf []byte, says []PaperBlock, err error)

// DelegationDeps are the delegation filled in at the counter.
type DelegationDeps struct {
	Delegations    Delegations
	DelegationForm DelegationForm
}

// delegationRoutes are the form that a delegate takes home to be signed.
func (p *Portal) delegationRoutes(at func(pattern string, a answer)) {
	at("GET /sportello/attivazione/{id}/delega", atCounter((*call).delegation))
	at("POST /sportello/attivazione/{id}/delega", atCounter((*call).delegate))
	at("POST /sportello/attivazione/{id}/delega/modulo", atCounter((*call).delegationForm))
}

func delegationPath(id string) string {
	return "/sportello/attivazione/" + url.PathEscape(id) + "/delega"
}

// delegationData is what the page receives.
type delegationData struct {
	stepData
	// Ready tells that the draft has what the form says: Blocks, in Lang when that
	// is not the page's.
	Ready  bool
	Blocks []PaperBlock
	Lang   string
}

// delegationLabels name the fields here, where all of them are the delegate's.
var delegationLabels = renamed(map[string]string{
	"rappresentante_cognome": "portal.delegation.surname", "rappresentante_nome": "portal.delegation.name", "rappresentante_cf": "portal.delegation.cf",
	"rappresentante_nascita": "portal.delegation.born", "email": "portal.delegation.email",
})

func (c *call) delegation() error { return c.delegationPage(nil) }

// delegationPage shows the form of the delegate, and once it is filled in what
// the paper will say.
func (c *call) delegationPage(values url.Values, faults ...*words.Fault) error {
	d, step, err := c.draft()
	if err != nil {
		return err
	}
	data := delegationData{stepData: step}
	if values == nil {
		values = typed(d)
		if d.Identity.Present != counter.PresentDelegate { // whoever else was typed is no delegate
			values = url.Values{"lingua": {string(words.Italian)}}
		}
	}
	if len(faults) == 0 && d.Identity.Present == counter.PresentDelegate {
		x, err := c.p.Delegations.DelegationOf(c.r.Context(), *c.op, d.ID)
		if err != nil {
			return err
		}
		if _, data.Blocks, err = c.p.DelegationForm(c.r.Context(), x); err != nil {
			return err
		}
		data.Ready, data.Lang = true, paperTongue(c.tongue.lang, x.Lang)
	}
	page := c.page("sportello", "portal.delegation.title")
	c.crumbs(page, "look.menu.counter", "/sportello")
	page.Form = c.newForm(values, faults...)
	page.Form.Labels = delegationLabels
	page.Data = data
	status := http.StatusOK
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "delegation", page)
}

// delegate takes what was typed, here or in step 2.
func (c *call) delegate() error {
	if err := c.form(); err != nil {
		return err
	}
	version, err := strconv.ParseInt(c.value("versione"), 10, 64)
	if err != nil {
		return words.Refuse("CSE-357").Because(err)
	}
	c.r.PostForm.Set("presente", string(counter.PresentDelegate))
	if c.value("lingua") == "" { // step 2 does not ask
		c.r.PostForm.Set("lingua", string(words.Italian))
	}
	s, faults := c.identity()
	s.Representative, faults = c.representative(counter.PresentDelegate, faults)
	if len(faults) > 0 {
		return c.delegationPage(c.r.PostForm, faults...)
	}
	id := c.r.PathValue("id")
	to := counter.ContactStep{Email: c.value("email"), Lang: words.Lang(c.value("lingua"))}
	_, err = c.p.Delegations.Delegate(c.r.Context(), *c.op, id, version, s, to)
	if faults := faultsOf(err); len(faults) > 0 {
		return c.delegationPage(c.r.PostForm, faults...)
	}
	if err != nil {
		return err
	}
	return c.leave(delegationPath(id))
}

// delegationForm sends the PDF; that it was made is written down before.
func (c *call) delegationForm() error {
	ctx := c.r.Context()
	x, err := c.p.Delegations.DelegationOf(ctx, *c.op, c.r.PathValue("id"))
	if f := words.FaultOf(err); f != nil && f.Code == "CSE-780" {
		return c.delegationPage(nil, f)
	}
	if err != nil {
		return err
	}
	pdf, _, err := c.p.DelegationForm(ctx, x)
	if err == nil {
		err = c.p.Delegations.DelegationPrinted(ctx, *c.op, x)
	}
	if err != nil {
		return err
	}
	h := c.w.Header()
	look.SecureHeaders(h)
	h.Set("Content-Type", "application/pdf")
	h.Set("Content-Disposition", `attachment; filename="delega.pdf"`)
	h.Set("Content-Length", strconv.Itoa(len(pdf)))
	_, _ = c.w.Write(pdf) // the asker may be gone
	return nil
}
