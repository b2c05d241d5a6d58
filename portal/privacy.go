package portal

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/privacy"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/portal/look"
)

// Privacy is what a person may ask about his data; a *privacy.Room is one.
type Privacy interface {
	Ask(ctx context.Context, cf codicefiscale.Code, kind privacy.Kind, text string) (privacy.Request, error)
	Of(ctx context.Context, cf codicefiscale.Code) ([]privacy.Request, error)
	Export(ctx context.Context, cf codicefiscale.Code) (privacy.Export, error)
}

// PrivacyDesk is the security officer's side; a *privacy.Room is one.
type PrivacyDesk interface {
	Waiting(ctx context.Context) ([]privacy.Request, error)
	Answer(ctx context.Context, account, id, text string, refuse bool) error
	Alerts(ctx context.Context) ([]privacy.Alert, error)
	See(ctx context.Context, account, id, note string) error
	Retention(ctx context.Context) ([]privacy.Report, error)
}

// PrintExport makes the PDF of what is held about a person.
type PrintExport func(ctx context.Context, e privacy.Export, lang words.Lang) ([]byte, error)

// privacyRoutes are /tessera/dati and /gestione/privacy.
func (p *Portal) privacyRoutes(at func(pattern string, a answer)) {
	at("GET /tessera/dati", citizen((*call).myData))
	at("POST /tessera/dati", citizen((*call).askData))
	at("POST /tessera/dati/copia", citizen((*call).copyData))
	at("GET /gestione/privacy", atSecurity((*call).privacyDesk))
	at("POST /gestione/privacy/richiesta", atSecurity((*call).answerRequest))
	at("POST /gestione/privacy/avviso", atSecurity((*call).seeAlert))
}

// atSecurity lets in the security officer, asked again at each request.
func atSecurity(a answer) answer { return withRole(a, staff.RoleSecurity) }

// requestView is a request in the page's language.
type requestView struct {
	ID, Kind, State, At, Due, Text, Answer, Who string
	Late                                        bool
}

func (c *call) requestViews(list []privacy.Request, who bool) []requestView {
	now := c.p.Clock.Now()
	out := make([]requestView, len(list))
	for i, q := range list {
		out[i] = requestView{
			ID: q.ID, Kind: c.say("portal.data.kind." + string(q.Kind)), State: c.say("portal.data.state." + string(q.State)), At: when(q.At),
			Due: civil.DayOf(q.Due).AddDays(-1).Italian(), Text: q.Text, Answer: q.Answer, Late: q.Late(now),
		}
		if who {
			out[i].Who = string(q.CF)
		}
	}
	return out
}

func (c *call) myData() error { return c.myDataPage(http.StatusOK, nil) }

func (c *call) myDataPage(status int, values url.Values, faults ...*words.Fault) error {
	cf, err := c.myCF()
	if err != nil {
		return err
	}
	list, err := c.p.Privacy.Of(c.r.Context(), cf)
	if err != nil {
		return err
	}
	given, err := c.given()
	if err != nil {
		return err
	}
	copies, papers, err := c.copies(cf)
	if err != nil {
		return err
	}
	page := c.page("tessera", "portal.data.title")
	c.crumbs(page, "portal.card.title", "/tessera")
	page.Form = c.newForm(values, faults...)
	var kinds []string
	for _, k := range privacy.Kinds() {
		kinds = append(kinds, string(k))
	}
	page.Data = struct {
		Requests []requestView
		Kinds    []string
		Given    []givenView
		Copies   []copyView
		Papers   int
	}{c.requestViews(list, false), kinds, given, copies, papers}
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "mydata", page)
}

func (c *call) askData() error {
	if err := c.form(); err != nil {
		return err
	}
	cf, err := c.myCF()
	if err != nil {
		return err
	}
	_, err = c.p.Privacy.Ask(c.r.Context(), cf, privacy.Kind(c.value("richiesta")), c.value("testo"))
	if f := words.FaultOf(err); f != nil {
		return c.myDataPage(http.StatusUnprocessableEntity, c.r.PostForm, f)
	}
	if err != nil {
		return err
	}
	return c.leave("/tessera/dati")
}

// copyData sends everything that is held, as JSON, as PDF, or with the scans of
// papers as ZIP. It is a POST, so that no prefetch of a browser takes the copy.
func (c *call) copyData() error {
	if err := c.form(); err != nil {
		return err
	}
	cf, err := c.myCF()
	if err != nil {
		return err
	}
	if c.value("parte") != "" {
		return c.copyFile(cf)
	}
	e, err := c.p.Privacy.Export(c.r.Context(), cf)
	if err != nil {
		return err
	}
	var body []byte
	kind, name := "application/json", "dati.json"
	if c.value("formato") == "pdf" {
		kind, name = "application/pdf", "dati.pdf"
		body, err = c.p.PrintExport(c.r.Context(), e, c.tongue.lang)
	} else {
		body, err = json.MarshalIndent(e, "", "  ")
	}
	if err != nil {
		return err
	}
	h := c.w.Header()
	look.SecureHeaders(h)
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = c.w.Write(body) // the asker may be gone
	return nil
}

// lineView is what the last night destroyed of a kind.
type lineView struct {
	Kind      string
	Days      int
	Destroyed int64
}

// alertView is an alert in the page's language.
type alertView struct{ ID, What, Operator, Office, Day, Card string }

func (c *call) privacyDesk() error { return c.privacyDeskPage(nil) }

func (c *call) privacyDeskPage(values url.Values, faults ...*words.Fault) error {
	ctx := c.r.Context()
	waiting, err := c.p.PrivacyDesk.Waiting(ctx)
	if err != nil {
		return err
	}
	alerts, err := c.p.PrivacyDesk.Alerts(ctx)
	if err != nil {
		return err
	}
	reports, err := c.p.PrivacyDesk.Retention(ctx)
	if err != nil {
		return err
	}
	data := struct {
		Requests []requestView
		Alerts   []alertView
		Day      string
		Lines    []lineView
	}{Requests: c.requestViews(waiting, true)}
	for _, a := range alerts {
		data.Alerts = append(data.Alerts, alertView{a.ID, c.say("portal.privacy.alert."+string(a.Kind), a.Count), a.Operator, a.Office, a.Day, a.Card})
	}
	if len(reports) > 0 {
		data.Day = reports[0].Day
		for _, l := range reports[0].Lines {
			data.Lines = append(data.Lines, lineView{c.say("privacy.keep." + l.Kind), l.Days, l.Destroyed})
		}
	}
	page := c.page("sportello", "portal.privacy.desk.title")
	c.crumbs(page, "look.menu.counter", "/sportello")
	page.Form, page.Data = c.newForm(values, faults...), data
	status := http.StatusOK
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "privacydesk", page)
}

func (c *call) answerRequest() error {
	return c.privacyDo(func() error {
		return c.p.PrivacyDesk.Answer(c.r.Context(), c.op.Account, c.value("id"), c.value("risposta"), c.value("esito") == "rifiuta")
	})
}

func (c *call) seeAlert() error {
	return c.privacyDo(func() error {
		return c.p.PrivacyDesk.See(c.r.Context(), c.op.Account, c.value("id"), strings.TrimSpace(c.value("esito")))
	})
}

func (c *call) privacyDo(do func() error) error {
	if err := c.form(); err != nil {
		return err
	}
	err := do()
	if f := words.FaultOf(err); f != nil {
		return c.privacyDeskPage(c.r.PostForm, f)
	}
	if err != nil {
		return err
	}
	return c.leave("/gestione/privacy")
}
