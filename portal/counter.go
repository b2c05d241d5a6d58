package portal

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/portal/look"
)

// stepFields are the fields of each step, in the order of the page. What is not
// listed is not read.
var stepFields = [4][]string{
	1: {"numero"},
	2: {"presente", "documento", "numero_documento", "ente", "rilascio", "scadenza"},
	3: {"email", "email2", "lingua", "consenso"},
}

type hitView struct {
	Hit
	Badge look.Badge
}

type taskView struct{ When, What, Card, Activation string }

// desk is the counter's home: search box and tasks.
func (c *call) desk() error { return c.deskPage(http.StatusOK, "", nil) }

func (c *call) deskPage(status int, query string, hits []Hit, faults ...*words.Fault) error {
	tasks, err := c.p.Desk.Tasks(c.r.Context(), *c.op)
	if err != nil {
		return err
	}
	page := c.page("sportello", "portal.desk.title")
	c.crumbs(page)
	page.Form = look.NewForm(c.tongue.lang, url.Values{"q": {query}}, faults...)
	data := struct {
		Role  string
		Asked bool
		Hits  []hitView
		Tasks []taskView
	}{Role: c.say("portal.role." + c.op.Role), Asked: query != "" && len(faults) == 0}
	for _, h := range hits {
		data.Hits = append(data.Hits, hitView{h, c.stateBadge(h.State)})
	}
	for _, t := range tasks {
		data.Tasks = append(data.Tasks, taskView{when(t.At), c.say("portal.task." + t.Kind), t.Card, t.Activity})
	}
	page.Data = data
	if len(faults) > 0 {
		page.Fault = faults[0]
	}
	return c.show(status, "desk", page)
}

// search finds a holder by codice fiscale, TEAM number, card number or name.
// One holder found opens his sheet at once.
func (c *call) search() error {
	q := strings.TrimSpace(strings.ReplaceAll(c.r.URL.Query().Get("q"), "*", ""))
	if q == "" {
		return c.deskPage(http.StatusUnprocessableEntity, "", nil, words.Refuse("CSE-358").At("q"))
	}
	hits, err := c.p.Desk.Search(c.r.Context(), *c.op, q)
	if f := words.FaultOf(err); f != nil {
		return c.deskPage(http.StatusUnprocessableEntity, q, nil, f.At("q"))
	}
	if err != nil {
		return err
	}
	if len(hits) == 1 {
		return c.leave("/sportello/titolare/" + url.PathEscape(hits[0].CF))
	}
	return c.deskPage(http.StatusOK, q, hits)
}

func (c *call) deskHelp() error {
	page := c.page("sportello", "portal.deskhelp.title")
	c.crumbs(page, "look.menu.counter", "/sportello")
	return c.show(http.StatusOK, "deskhelp", page)
}

// sheet is the holder's sheet.
func (c *call) sheet() error { return c.sheetPage(http.StatusOK, c.r.PathValue("cf")) }

func (c *call) sheetPage(status int, cf string, faults ...*words.Fault) error {
	s, err := c.p.Desk.Sheet(c.r.Context(), *c.op, cf)
	if err != nil {
		return err
	}
	page := c.page("sportello", "portal.sheet.title", strings.TrimSpace(s.Surname+" "+s.Name))
	c.crumbs(page, "look.menu.counter", "/sportello")
	page.Form = look.NewForm(c.tongue.lang, nil, faults...)
	if len(faults) > 0 {
		page.Fault = faults[0]
	}
	data := struct {
		Sheet
		Views      []cardView
		History    []activityView
		Assistance look.Badge
		MayBegin   bool
	}{Sheet: s, History: c.activities(s.Activities), Assistance: c.assistance(s), MayBegin: c.op.May["activate"]}
	for i, card := range s.Cards {
		data.Views = append(data.Views, c.view(card, i == 0))
	}
	page.Data = data
	return c.show(status, "sheet", page)
}

func (c *call) assistance(s Sheet) look.Badge {
	today := civil.Today(c.p.Clock)
	switch {
	case !s.Died.IsZero():
		return look.Badge{Tone: look.Bad, Word: c.say("portal.sheet.dead", s.Died.Italian())}
	case s.AssistedFrom.IsZero() || today.Before(s.AssistedFrom) || (!s.AssistedUntil.IsZero() && today.After(s.AssistedUntil)):
		return look.Badge{Tone: look.Bad, Word: c.say("portal.sheet.notassisted")}
	}
	return look.Badge{Tone: look.Good, Word: c.say("portal.sheet.assisted", s.ASL)}
}

// begin opens the activation of a card; a refusal shows on the sheet.
func (c *call) begin() error {
	if err := c.form(); err != nil {
		return err
	}
	d, err := c.p.Desk.Begin(c.r.Context(), *c.op, c.value("tessera"))
	if f := words.FaultOf(err); f != nil && c.value("titolare") != "" {
		f.Field = ""
		return c.sheetPage(http.StatusUnprocessableEntity, c.value("titolare"), f)
	}
	if err != nil {
		return err
	}
	return c.leave(stepPath(d))
}

func stepPath(d Draft) string {
	return fmt.Sprintf("/sportello/attivazione/%s/%d", url.PathEscape(d.ID), min(max(d.Step, 1), 4))
}

func (c *call) draft() (Draft, error) {
	return c.p.Desk.Draft(c.r.Context(), *c.op, c.r.PathValue("id"))
}

// resumeDraft leads to the first step that is not complete.
func (c *call) resumeDraft() error {
	d, err := c.draft()
	if err != nil {
		return err
	}
	return c.leave(stepPath(d))
}

// step shows one of the four steps; a later one than is due leads back.
func (c *call) step() error {
	d, err := c.draft()
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(c.r.PathValue("step"))
	if err != nil || n < 1 || n > 4 {
		return words.Refuse("CSE-002")
	}
	if n > d.Step || (d.Protocol != "" && n < 4) {
		return c.leave(stepPath(d))
	}
	values := url.Values{}
	for k, v := range d.Values {
		values.Set(k, v)
	}
	return c.stepPage(http.StatusOK, d, n, values)
}

func (c *call) stepPage(status int, d Draft, n int, values url.Values, faults ...*words.Fault) error {
	page := c.page("sportello", "portal.activation.title"+strconv.Itoa(n))
	if d.Protocol != "" {
		page.Title = c.say("portal.activation.donetitle")
	}
	if d.HandedOver {
		page.Title = c.say("portal.activation.closedtitle")
	}
	c.crumbs(page, "look.menu.counter", "/sportello")
	page.Form = look.NewForm(c.tongue.lang, values, faults...)
	if len(faults) > 0 {
		page.Fault = faults[0]
	}
	steps := look.Steps{Current: n - 1}
	for i := 1; i <= 4; i++ {
		steps.Names = append(steps.Names, c.say("portal.activation.step"+strconv.Itoa(i)))
	}
	if d.HandedOver {
		steps.Current = 4
	}
	page.Data = struct {
		Draft
		N     int
		Steps look.Steps
		Badge look.Badge
		Last5 string
	}{d, n, steps, c.stateBadge(d.Card.State), tail(d.Card.ID, 5)}
	return c.show(status, "step"+strconv.Itoa(n), page)
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// fill takes the values of a step (1 to 3), or confirms the act (4).
func (c *call) fill() error {
	if err := c.form(); err != nil {
		return err
	}
	n, err := strconv.Atoi(c.r.PathValue("step"))
	if err != nil || n < 1 || n > 4 {
		return words.Refuse("CSE-002")
	}
	if n == 4 {
		return c.confirm()
	}
	values := map[string]string{}
	for _, name := range stepFields[n] {
		values[name] = c.value(name)
	}
	id := c.r.PathValue("id")
	faults, err := c.p.Desk.Fill(c.r.Context(), *c.op, id, n, values)
	if err != nil {
		return err
	}
	if len(faults) > 0 {
		d, err := c.draft()
		if err != nil {
			return err
		}
		return c.stepPage(http.StatusUnprocessableEntity, d, n, c.r.PostForm, faults...)
	}
	return c.leave(fmt.Sprintf("/sportello/attivazione/%s/%d", url.PathEscape(id), n+1))
}

// confirm does the act; the page of step 4 then offers the form.
func (c *call) confirm() error {
	d, err := c.p.Desk.Confirm(c.r.Context(), *c.op, c.r.PathValue("id"))
	if f := words.FaultOf(err); f != nil {
		return c.stepFour(f)
	}
	if err != nil {
		return err
	}
	return c.leave(stepPath(d))
}

// stepFour shows step 4 with a refusal that no field explains.
func (c *call) stepFour(f *words.Fault) error {
	d, err := c.draft()
	if err != nil {
		return err
	}
	return c.stepPage(http.StatusUnprocessableEntity, d, 4, c.r.PostForm, f)
}

// printForm sends the PDF with the first halves, once. It is a POST, so that
// no prefetch and no reload of history spends it.
func (c *call) printForm() error {
	pdf, err := c.p.Desk.Form(c.r.Context(), *c.op, c.r.PathValue("id"))
	if f := words.FaultOf(err); f != nil {
		return c.stepFour(f)
	}
	if err != nil {
		return err
	}
	h := c.w.Header()
	look.SecureHeaders(h)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/pdf")
	h.Set("Content-Disposition", `attachment; filename="modulo-attivazione.pdf"`)
	h.Set("Content-Length", strconv.Itoa(len(pdf)))
	_, _ = c.w.Write(pdf) // sent or not, the form is spent: the reprint is an act of its own
	clear(pdf)
	return nil
}

// handOver records "consegnato e firmato".
func (c *call) handOver() error {
	if err := c.form(); err != nil {
		return err
	}
	if c.value("consegnato") == "" {
		return c.stepFour(words.Refuse("CSE-360").At("consegnato"))
	}
	d, err := c.p.Desk.HandOver(c.r.Context(), *c.op, c.r.PathValue("id"))
	if f := words.FaultOf(err); f != nil {
		return c.stepFour(f)
	}
	if err != nil {
		return err
	}
	return c.leave(stepPath(d))
}
