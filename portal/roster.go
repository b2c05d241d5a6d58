package portal

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/roster"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/portal/look"
)

// The pages of who works at the counters: /gestione/operatori and
// /gestione/uffici, an operator's first access (/primo-accesso) and the choice of
// the counter for who has several (/sportello/ufficio).

// Roster is who works at the counters; a *roster.Room is one.
type Roster interface {
	List(ctx context.Context, op staff.Operator) ([]roster.Line, error)
	Find(ctx context.Context, op staff.Operator, account string) (roster.Line, error)
	Propose(ctx context.Context, op staff.Operator, a staff.Account, note string) (approval.Request, error)
	Proposals(ctx context.Context, q approval.Request) ([]staff.Account, error)
	Disable(ctx context.Context, op staff.Operator, account, note string) error
	Review(ctx context.Context, op staff.Operator, account string) error
	AskReset(ctx context.Context, op staff.Operator, account, note string) (approval.Request, error)
	Half(ctx context.Context, op staff.Operator, account string) (secret.Text, error)
	Enrol(ctx context.Context, account, one, two string, password secret.Text, source string) (roster.Enrolment, error)
	Confirm(ctx context.Context, account, proof string, code secret.Text, source string) error
	ListOffices(ctx context.Context, op staff.Operator) ([]roster.OfficeLine, error)
	SaveOffice(ctx context.Context, op staff.Operator, o staff.Office) error
	ImportOffices(ctx context.Context, op staff.Operator, in io.Reader) (roster.Report, error)
	ImportOperators(ctx context.Context, op staff.Operator, in io.Reader, note string) (roster.Report, approval.Request, error)
}

const (
	staffRoot   = "/gestione/operatori"
	officesRoot = "/gestione/uffici"
)

func (p *Portal) rosterRoutes(at func(pattern string, a answer)) {
	at("GET /sportello/ufficio", staffed((*call).chooseOffice))
	at("POST /sportello/ufficio", staffed((*call).takeOffice))
	if p.Roster == nil {
		return
	}
	read := func(a answer) answer {
		return withRole(a, staff.RoleSecurity, staff.RoleSupervisor, staff.RoleAuditor)
	}
	keep := func(a answer) answer { return withRole(a, staff.RoleSecurity, staff.RoleSupervisor) }
	only := func(a answer) answer { return withRole(a, staff.RoleSecurity) }
	at("GET "+staffRoot, read((*call).operators))
	at("POST "+staffRoot, keep((*call).proposeOperator))
	at("GET "+staffRoot+"/nuovo", keep((*call).newOperator))
	at("POST "+staffRoot+"/importa", keep((*call).importOperators))
	at("GET "+staffRoot+"/{account}", read((*call).oneOperator))
	at("POST "+staffRoot+"/{account}/{passo}", keep((*call).operatorStep))
	at("GET "+officesRoot, read((*call).officeList))
	at("POST "+officesRoot, only((*call).saveOffice))
	at("GET "+officesRoot+"/nuovo", only((*call).newOffice))
	at("POST "+officesRoot+"/importa", only((*call).importOffices))
	at("GET "+officesRoot+"/{id}", read((*call).oneOffice))
	at("GET /primo-accesso", (*call).firstAccess)
	at("POST /primo-accesso", (*call).enrol)
	at("POST /primo-accesso/codice", (*call).confirmEnrolment)
}

// staffPage begins a page of the roster.
func (c *call) staffPage(key string, args ...any) *look.Page {
	page := c.page("gestione", key, args...)
	c.crumbs(page, "portal.staff.title", staffRoot)
	return page
}

func (c *call) keepsStaff() bool {
	return c.op.Has(staff.RoleSecurity) || c.op.Has(staff.RoleSupervisor)
}

// staffView is an operator in the page's language.
type staffView struct {
	Account, Name, CF, Roles, Offices, Until, State string
	Badge                                           look.Badge
	Waits, Due, Configured                          bool
	Reviewed                                        string
}

func (c *call) accountView(a staff.Account) staffView {
	v := staffView{Account: a.Account, Name: a.Name, CF: a.CF, Until: a.ContractEnd.Italian()}
	var roles, offices []string
	for _, r := range a.Roles {
		roles = append(roles, c.say("portal.staff.role."+string(r)))
	}
	for _, id := range a.Offices {
		if end := a.OfficeEnd[id]; !end.IsZero() {
			id = c.say("portal.staff.office.until", id, end.Italian())
		}
		offices = append(offices, id)
	}
	v.Roles, v.Offices = strings.Join(roles, ", "), strings.Join(offices, ", ")
	return v
}

func (c *call) staffView(l roster.Line) staffView {
	v := c.accountView(l.Account)
	tone := map[roster.State]look.Tone{roster.Active: look.Good, roster.Proposed: look.Wait}[l.State]
	if tone == "" {
		tone = look.Bad
	}
	v.State = string(l.State)
	v.Badge = look.Badge{Tone: tone, Word: c.say("portal.staff.state." + string(l.State))}
	v.Waits, v.Due, v.Configured = l.Waits != nil, l.Due, l.Configured
	if !l.Reviewed.IsZero() {
		v.Reviewed = when(l.Reviewed)
	}
	return v
}

func (c *call) operators() error { return c.operatorsPage(nil, nil) }

func (c *call) operatorsPage(rep *roster.Report, values url.Values, faults ...*words.Fault) error {
	list, err := c.p.Roster.List(c.r.Context(), *c.op)
	if err != nil {
		return err
	}
	filter := c.r.URL.Query().Get("stato")
	data := struct {
		List          []staffView
		Total, Due    int
		Filter, Done  string
		States, Lines []line
		Keep          bool
		Columns       string
	}{Total: len(list), Filter: filter, Keep: c.keepsStaff(), Columns: strings.Join(roster.OperatorColumns, ";")}
	for _, l := range list {
		if l.Due {
			data.Due++
		}
		if filter == "" || filter == string(l.State) || filter == "due" && l.Due {
			data.List = append(data.List, c.staffView(l))
		}
	}
	for _, s := range []string{"", "active", "due", "proposed", "disabled", "ended"} {
		key := "portal.staff.state." + s
		if s == "" {
			key = "portal.staff.all"
		}
		data.States = append(data.States, line{c.say(key), s})
	}
	data.Lines = c.reportLines(rep)
	if done := c.r.URL.Query().Get("fatto"); done == "chiesto" || done == "importato" {
		data.Done = c.say("portal.staff.done." + done)
	}
	page := c.staffPage("portal.staff.title")
	page.Form = c.newForm(values, faults...)
	page.Data = data
	status := http.StatusOK
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "staff", page)
}

// reportLines are the faulty lines of a file, each with its reason.
func (c *call) reportLines(rep *roster.Report) []line {
	if rep == nil {
		return nil
	}
	var out []line
	for _, e := range rep.Errors {
		text := e.Reason.Sentence(c.tongue.lang)
		if e.Reason.Field != "" {
			text = e.Reason.Field + ": " + text
		}
		out = append(out, line{c.say("portal.staff.line", e.Line), text + " (" + e.Reason.Code + ")"})
	}
	return out
}

// maxUpload is the largest file of offices or operators.
const maxUpload = 1 << 20

// upload opens the posted file; CSE-514 when there is none.
func (c *call) upload() (io.ReadCloser, error) {
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, maxUpload)
	if err := c.r.ParseMultipartForm(maxUpload); err != nil {
		return nil, words.Refuse("CSE-357").Because(err)
	}
	c.r.PostForm = url.Values(c.r.MultipartForm.Value)
	f, _, err := c.r.FormFile("file")
	if err != nil {
		return nil, words.Refuse("CSE-514").At("file").Because(err)
	}
	return f, nil
}

func (c *call) importOperators() error {
	f, err := c.upload()
	if fault := words.FaultOf(err); fault != nil && fault.Code == "CSE-514" {
		return c.operatorsPage(nil, c.r.PostForm, fault)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	rep, _, err := c.p.Roster.ImportOperators(c.r.Context(), *c.op, f, c.value("motivo_richiesta"))
	if err == nil && len(rep.Errors) > 0 {
		err = words.Refuse("CSE-511", len(rep.Errors)).At("file")
	}
	return c.opsDone(err, staffRoot+"?fatto=chiesto", func(f *words.Fault) error { return c.operatorsPage(&rep, c.r.PostForm, f) })
}

func (c *call) newOperator() error { return c.operatorForm(nil, nil) }

// accountValues are an account as the form writes it.
func accountValues(a staff.Account) url.Values {
	v := url.Values{"account": {a.Account}, "nome": {a.Name}, "codice_fiscale": {a.CF}, "contratto_fino_al": {a.ContractEnd.Italian()}}
	for _, r := range a.Roles {
		v.Add("ruoli", string(r))
	}
	var offices []string
	for _, id := range a.Offices {
		if end := a.OfficeEnd[id]; !end.IsZero() {
			id += "@" + end.Italian()
		}
		offices = append(offices, id)
	}
	v.Set("uffici", strings.Join(offices, " | "))
	if a.OwnCNS {
		v.Set("propria_cns", "si")
	}
	return v
}

// operatorForm is the form of a new operator, or of a change (l).
func (c *call) operatorForm(l *roster.Line, values url.Values, faults ...*words.Fault) error {
	page := c.staffPage("portal.staff.new")
	data := struct {
		View  *staffView
		Line  *roster.Line
		Roles []look.Option
		// Wait is what was proposed and not yet approved.
		Wait        *staffView
		Keep, Own   bool
		Half        string
		Done        string
		OfficesHint []line
	}{Keep: c.keepsStaff()}
	if l != nil {
		page.Title = c.say("portal.staff.one", l.Name)
		v := c.staffView(*l)
		data.View, data.Line, data.Own = &v, l, l.Account.Account == c.op.Account
		if l.Waits != nil {
			w := c.accountView(*l.Waits)
			data.Wait = &w
		}
		if values == nil {
			values = accountValues(l.Account)
		}
	}
	for _, r := range staff.Roles() {
		data.Roles = append(data.Roles, look.Option{Value: string(r), Label: c.say("portal.staff.role." + string(r)), Chosen: slices.Contains(values["ruoli"], string(r))})
	}
	if done := c.r.URL.Query().Get("fatto"); slices.Contains([]string{"disattiva", "rivedi", "azzera"}, done) {
		data.Done = c.say("portal.staff.done." + done)
	}
	page.Form = c.newForm(values, faults...)
	page.Data = data
	status := http.StatusOK
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "staffone", page)
}

func (c *call) oneOperator() error {
	l, err := c.p.Roster.Find(c.r.Context(), *c.op, c.r.PathValue("account"))
	if err != nil {
		return err
	}
	return c.operatorForm(&l, nil)
}

func (c *call) proposeOperator() error {
	if err := c.form(); err != nil {
		return err
	}
	known := func() *roster.Line {
		if l, err := c.p.Roster.Find(c.r.Context(), *c.op, c.value("account")); err == nil && c.value("cambio") != "" {
			return &l
		}
		return nil
	}
	f := map[string]string{"ruoli": strings.Join(c.r.PostForm["ruoli"], "|")}
	for _, name := range []string{"account", "nome", "codice_fiscale", "uffici", "contratto_fino_al", "propria_cns"} {
		f[name] = c.value(name)
	}
	if faults := c.empty("account", "nome", "codice_fiscale", "uffici"); len(faults) > 0 {
		return c.operatorForm(known(), c.r.PostForm, faults...)
	}
	f["codice_fiscale"] = compact(f["codice_fiscale"])
	a, err := roster.AccountOf(f)
	if err == nil {
		_, err = c.p.Roster.Propose(c.r.Context(), *c.op, a, c.value("motivo_richiesta"))
	}
	return c.opsDone(err, staffRoot+"?fatto=chiesto", func(f *words.Fault) error { return c.operatorForm(known(), c.r.PostForm, f) })
}

// operatorStep ends, reviews or resets an account, or shows one's half of its
// first access.
func (c *call) operatorStep() error {
	if err := c.form(); err != nil {
		return err
	}
	ctx, account, step := c.r.Context(), c.r.PathValue("account"), c.r.PathValue("passo")
	var err error
	switch step {
	case "disattiva":
		err = c.p.Roster.Disable(ctx, *c.op, account, c.value("motivo_richiesta"))
	case "rivedi":
		err = c.p.Roster.Review(ctx, *c.op, account)
	case "azzera":
		_, err = c.p.Roster.AskReset(ctx, *c.op, account, c.value("motivo_richiesta"))
	case "meta":
		return c.showHalf(account)
	default:
		return words.Refuse("CSE-002")
	}
	path := staffRoot + "/" + url.PathEscape(account) + "?fatto=" + step
	return c.opsDone(err, path, func(f *words.Fault) error {
		l, err := c.p.Roster.Find(ctx, *c.op, account)
		if err != nil {
			return errors.Join(f, err)
		}
		return c.operatorForm(&l, nil, f)
	})
}

// showHalf is the one page with one half of a first access; nothing keeps it.
func (c *call) showHalf(account string) error {
	half, err := c.p.Roster.Half(c.r.Context(), *c.op, account)
	if err != nil {
		return err
	}
	text := half.Reveal()
	defer clear(text)
	page := c.staffPage("portal.staff.half.title")
	page.Data = struct{ Account, Half string }{account, string(text[:5]) + " " + string(text[5:])}
	return c.show(http.StatusOK, "staffhalf", page)
}
