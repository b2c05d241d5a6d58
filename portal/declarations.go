package portal

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/declarations"
	"cse.example/cse/issuer/operations"
	"cse.example/cse/issuer/staff"
)

// The checks of self-declarations, for supervisors: /sportello/autocertificazioni.

// Declarations is the room behind the pages; a *declarations.Room is one.
type Declarations interface {
	Waiting(ctx context.Context, op staff.Operator) ([]declarations.Line, error)
	Case(ctx context.Context, op staff.Operator, protocol string) (declarations.Case, error)
	Decide(ctx context.Context, op staff.Operator, protocol string, confirmed bool, note string) error
}

const checksPath = "/sportello/autocertificazioni"

// CheckPath is the address of a case, by the protocol number of its act.
func CheckPath(protocol string) string { return checksPath + "/" + protocol }

func (p *Portal) declarationRoutes(at func(pattern string, a answer)) {
	if p.Declarations == nil {
		return
	}
	one := checksPath + "/{anno}/{numero}"
	at("GET "+checksPath, supervised((*call).checkList))
	at("GET "+one, supervised(func(c *call) error { return c.checkPage() }))
	at("POST "+one, supervised((*call).check))
	at("POST "+one+"/carte/{carta}", supervised((*call).seeCheckedPaper))
}

// supervised is a counter's page for its supervisor.
func supervised(a answer) answer {
	return atCounter(func(c *call) error {
		if !c.op.Has(staff.RoleSupervisor) {
			return words.Refuse("CSE-003")
		}
		return a(c)
	})
}

// seesChecks tells who finds the list in his menu.
func (c *call) seesChecks() bool {
	return c.p.Declarations != nil && c.op.AtCounter() && c.op.Has(staff.RoleSupervisor)
}

type declarationView struct {
	Protocol, Path, When, Kind string
	// Own: who did the act does not decide.
	Own bool
}

func (c *call) checkList() error {
	list, err := c.p.Declarations.Waiting(c.r.Context(), *c.op)
	if err != nil {
		return err
	}
	data := struct {
		List []declarationView
		Done string
	}{}
	for _, x := range list {
		data.List = append(data.List, declarationView{x.Protocol, CheckPath(x.Protocol), when(x.At), c.say("portal.check.kind." + x.Kind), x.Own})
	}
	if done := c.r.URL.Query().Get("fatto"); done == string(declarations.Confirmed) || done == string(declarations.NotConfirmed) {
		data.Done = c.say("portal.check.done." + done)
	}
	page := c.page("controlli", "portal.check.title")
	c.crumbs(page, "look.menu.counter", "/sportello")
	page.Data = data
	return c.show(http.StatusOK, "checks", page)
}

// checkedCase is what the page of a case shows.
type checkedCase struct {
	declarations.Case
	Path, When, Kind, Quality, Document string
	Decided, Outcome                    string
	Holder, Declarant                   string
	Archive                             archiveView
}

func (c *call) checkPage(faults ...*words.Fault) error {
	x, err := c.p.Declarations.Case(c.r.Context(), *c.op, c.protocol())
	if err != nil {
		return err
	}
	w := x.What
	data := checkedCase{
		Case: x, Path: CheckPath(x.Protocol), When: when(x.At), Kind: c.say("portal.check.kind." + x.Kind), Quality: c.say("counter.present." + w.Quality),
		Document: c.say("counter.document."+w.DocumentKind) + " " + w.DocumentNumber + ", " + w.DocumentIssuer,
		Holder:   strings.TrimSpace(w.Holder.Surname + " " + w.Holder.Name), Declarant: strings.TrimSpace(w.Declarant.Surname + " " + w.Declarant.Name),
	}
	if x.State != declarations.Open {
		data.Outcome, data.Decided = c.say("portal.check.state."+string(x.State)), c.say("portal.check.by", x.DecidedBy, when(x.DecidedAt))
	} else if data.Archive, err = c.archived(counter.Act{Protocol: x.Protocol}); err != nil {
		return err
	}
	for i, p := range data.Archive.Papers {
		data.Archive.Papers[i].Path = data.Path + "/carte/" + p.ID
	}
	page := c.page("controlli", "portal.check.one", x.Protocol)
	c.crumbs(page, "look.menu.counter", "/sportello", "portal.check.title", checksPath)
	values := c.r.PostForm
	if values == nil {
		values = url.Values{}
	}
	page.Form = c.newForm(values, faults...)
	page.Data = data
	status := http.StatusOK
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "check", page)
}

// check decides a case.
func (c *call) check() error {
	if err := c.form(); err != nil {
		return err
	}
	outcome := declarations.State(c.value("esito_controllo"))
	if outcome != declarations.Confirmed && outcome != declarations.NotConfirmed {
		return c.checkPage(words.Refuse("CSE-757").At("esito_controllo"))
	}
	err := c.p.Declarations.Decide(c.r.Context(), *c.op, c.protocol(), outcome == declarations.Confirmed, c.value("nota_controllo"))
	if f := words.FaultOf(err); f != nil && (f.Code == "CSE-756" || f.Code == "CSE-758") {
		return c.checkPage(f)
	}
	if err != nil {
		return err
	}
	return c.leave(checksPath + "?fatto=" + string(outcome))
}

// seeCheckedPaper sends a scan to who checks; the motive is the check.
func (c *call) seeCheckedPaper() error {
	if err := c.form(); err != nil {
		return err
	}
	motive := ""
	if c.value("motivo") == string(counter.MotiveCheck) {
		motive = string(counter.MotiveCheck)
	}
	return c.sendPaper(motive, c.checkPage)
}

// drawn are the counts on the dashboard.
func (c *call) drawn(n *operations.Declarations) []line {
	if n == nil {
		return nil
	}
	return []line{
		{c.say("portal.ops.declarations.all"), strconv.Itoa(n.All)},
		{c.say("portal.ops.declarations.open"), strconv.Itoa(n.Open)},
		{c.say("portal.ops.declarations.confirmed"), strconv.Itoa(n.Confirmed)},
		{c.say("portal.ops.declarations.not-confirmed"), strconv.Itoa(n.NotConfirmed)},
	}
}
