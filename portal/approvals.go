package portal

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/campaign"
	"cse.example/cse/issuer/contacts"
	"cse.example/cse/issuer/parameters"
	"cse.example/cse/issuer/roster"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/issuer/trustlist"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/profile"
)

// The pages of four eyes: /approvazioni, where a second person decides, and
// /operazioni/parametri, where a change of the rules is asked.

// Approvals is what waits for a second person; an *approval.Room is one.
type Approvals interface {
	Waiting(ctx context.Context, op staff.Operator) ([]approval.Request, error)
	Decide(ctx context.Context, op staff.Operator, id, sum string, yes bool) error
}

// Parameters are the rules that change; a *parameters.Room is one.
type Parameters interface {
	List(ctx context.Context, op staff.Operator) ([]parameters.Line, error)
	Propose(ctx context.Context, op staff.Operator, name string, value int, from civil.Date, why string) (approval.Request, error)
}

// FourEyes are the rooms behind the pages.
type FourEyes struct {
	Approvals  Approvals
	Parameters Parameters
	// AskReprint asks a supervisor for a card's next reprint.
	AskReprint func(ctx context.Context, op staff.Operator, card, why string) error
	// AskAddress asks a supervisor to let a stopped address through for a card's holder.
	AskAddress func(ctx context.Context, op staff.Operator, card, email, why string) error
}

func (p *Portal) approvalRoutes(at func(pattern string, a answer)) {
	if p.FourEyes == nil {
		return
	}
	at("GET /approvazioni", staffed((*call).approvals))
	at("POST /approvazioni/{id}", staffed((*call).decide))
	at("POST /sportello/tessera/{numero}/ristampa/approvazione", atCounter((*call).askReprint))
	at("GET /sportello/tessera/{numero}/indirizzo/approvazione", atCounter((*call).addressToAsk))
	at("POST /sportello/tessera/{numero}/indirizzo/approvazione", atCounter((*call).askAddress))
	at("GET "+opsRoot+"/parametri", withRole((*call).parameters, staff.RoleOperations, staff.RoleAuditor))
	at("POST "+opsRoot+"/parametri", withRole((*call).propose, staff.RoleOperations))
}

// withRole lets in who has one of the roles, asked again at each request; the
// refusal is recorded.
func withRole(a answer, roles ...staff.Role) answer {
	return staffed(func(c *call) error {
		if !slices.ContainsFunc(roles, c.op.Has) {
			return words.Refuse("CSE-003")
		}
		return a(c)
	})
}

// decides tells who has something to find at /approvazioni.
func decides(op staff.Operator) bool {
	return op.Has(staff.RoleSupervisor) || op.Has(staff.RoleOperations) || op.Has(staff.RoleSecurity)
}

type approvalView struct {
	approval.Request
	What, Text, When, Until string
	// Path leads to what is asked, when there is a page of it.
	Path string
	// Own requests are shown and cannot be decided.
	Own bool
	// Staff are the operators that a proposal would save.
	Staff []staffView
}

func (c *call) approvalView(q approval.Request) approvalView {
	v := approvalView{Request: q, What: c.say("portal.approval.kind." + q.Kind), Text: q.Subject, When: when(q.AskedAt), Until: when(q.Expires), Own: q.AskedBy == c.op.Account}
	if name, value, from, err := parameters.Change(q.Content); err == nil {
		v.Text = c.say("portal.approval.change", c.say("portal.parameter."+name), value, from.Italian())
	}
	if q.Kind == roster.KindSave && c.p.Roster != nil {
		list, err := c.p.Roster.Proposals(c.r.Context(), q)
		if err != nil { // proposed anew since: the decision will say so
			v.Text = c.say("portal.staff.superseded")
		}
		for _, a := range list {
			v.Staff = append(v.Staff, c.accountView(a))
		}
	}
	if _, card, masked, code, err := contacts.ReadRelease(q.Content); err == nil {
		v.Text = c.say("portal.approval.address", card, masked, c.say("portal.approval.address."+code))
	}
	if a, ok := ca.ParseAsking(q.Content); ok {
		v.Text = c.authorityText(a)
	}
	if s, ok := profile.ParseSheet(q.Content); ok {
		v.Text = c.say("portal.approval.profile", s.Authority, s.Organisation, s.Unit, s.Policy, s.Years, s.Notice)
	}
	if t, ok := trustlist.ReadContent(q.Content); ok && q.Kind == trustlist.Kind {
		v.Text, v.Path = c.trustApproval(t), trustPath
	}
	if a, ok := campaign.ParseContent(q.Content); ok {
		v.Text, v.Path = c.say("portal.approval.campaign", v.What, a.Total, a.Sum[:min(8, len(a.Sum))]), campaignsPath+"/"+a.ID
	}
	return v
}

func (c *call) approvals() error { return c.approvalsPage() }

func (c *call) approvalsPage(faults ...*words.Fault) error {
	list, err := c.p.FourEyes.Approvals.Waiting(c.r.Context(), *c.op)
	if err != nil {
		return err
	}
	data := struct {
		List []approvalView
		Done string
	}{}
	for _, q := range list {
		data.List = append(data.List, c.approvalView(q))
	}
	if done := c.r.URL.Query().Get("fatto"); done == "si" || done == "no" || done == "chiesto" {
		data.Done = c.say("portal.approval.done." + done)
	}
	page := c.page("approvazioni", "portal.approval.title")
	c.crumbs(page)
	page.Form = c.newForm(nil, faults...)
	page.Data = data
	status := http.StatusOK
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "approvals", page)
}

func (c *call) decide() error {
	if err := c.form(); err != nil {
		return err
	}
	answer := c.value("decisione")
	if answer != "si" && answer != "no" {
		return words.Refuse("CSE-002")
	}
	err := c.p.FourEyes.Approvals.Decide(c.r.Context(), *c.op, c.r.PathValue("id"), c.value("impronta"), answer == "si")
	return c.opsDone(err, "/approvazioni?fatto="+answer, func(f *words.Fault) error { return c.approvalsPage(at(f, "")) })
}

// askReprint asks for a third reprint and goes back to the card.
func (c *call) askReprint() error {
	if err := c.form(); err != nil {
		return err
	}
	card := c.r.PathValue("numero")
	if err := c.p.FourEyes.AskReprint(c.r.Context(), *c.op, card, c.value("motivo_richiesta")); err != nil {
		return err
	}
	return c.leave("/approvazioni?fatto=chiesto")
}

type parameterView struct {
	parameters.Line
	Title string
	Past  []line
}

func (c *call) parameters() error {
	return c.parametersPage(url.Values{"parametro": {c.r.URL.Query().Get("parametro")}})
}

func (c *call) parametersPage(values url.Values, faults ...*words.Fault) error {
	list, err := c.p.FourEyes.Parameters.List(c.r.Context(), *c.op)
	if err != nil {
		return err
	}
	data := struct {
		List     []parameterView
		Names    []string
		Done     bool
		ReadOnly bool
	}{Names: parameters.Names(), Done: c.r.URL.Query().Get("fatto") != "", ReadOnly: c.readsOnly()}
	for _, l := range list {
		v := parameterView{Line: l, Title: c.say("portal.parameter." + l.Name)}
		for _, x := range l.History {
			v.Past = append(v.Past, line{x.From.Italian(), strconv.Itoa(x.Value)})
		}
		data.List = append(data.List, v)
	}
	page := c.opsPage("portal.parameter.title")
	page.Form = c.newForm(values, faults...)
	page.Data = data
	status := http.StatusOK
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "ops-parameters", page)
}

// propose asks for a change; nothing changes before somebody else agrees.
func (c *call) propose() error {
	if err := c.form(); err != nil {
		return err
	}
	faults := c.empty("parametro", "valore", "dal")
	from := c.date("dal", &faults)
	value, err := strconv.Atoi(compact(c.value("valore")))
	if err != nil && c.value("valore") != "" {
		faults = append(faults, words.Refuse("CSE-559").At("valore").Because(err))
	}
	if len(faults) > 0 {
		return c.parametersPage(c.r.PostForm, faults...)
	}
	_, err = c.p.FourEyes.Parameters.Propose(c.r.Context(), *c.op, c.value("parametro"), value, from, c.value("motivo_richiesta"))
	return c.opsDone(err, opsRoot+"/parametri?fatto=si", func(f *words.Fault) error { return c.parametersPage(c.r.PostForm, f) })
}
