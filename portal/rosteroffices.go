package portal

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/roster"
	"cse.example/cse/issuer/staff"
)

// The offices: /gestione/uffici, and the choice of one for who works at several.

func (c *call) officeList() error { return c.officesPage(nil, nil) }

func (c *call) officesPage(rep *roster.Report, values url.Values, faults ...*words.Fault) error {
	list, err := c.p.Roster.ListOffices(c.r.Context(), *c.op)
	if err != nil {
		return err
	}
	type view struct {
		roster.OfficeLine
		Kind, Open, End string
	}
	data := struct {
		List    []view
		Done    string
		Lines   []line
		Keep    bool
		Columns string
	}{Keep: c.op.Has(staff.RoleSecurity), Columns: strings.Join(roster.OfficeColumns, ";"), Lines: c.reportLines(rep)}
	for _, o := range list {
		data.List = append(data.List, view{o, c.say("portal.staff.kind." + string(o.Type)), o.Hours.String(), o.Until.Italian()})
	}
	if done := c.r.URL.Query().Get("fatto"); done == "salvato" || done == "importato" {
		data.Done = c.say("portal.staff.done." + done)
	}
	page := c.page("gestione", "portal.staff.offices")
	c.crumbs(page, "portal.staff.title", staffRoot)
	page.Form = c.newForm(values, faults...)
	page.Data = data
	status := http.StatusOK
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "staffoffices", page)
}

func (c *call) newOffice() error { return c.officeForm(nil) }

func (c *call) oneOffice() error {
	list, err := c.p.Roster.ListOffices(c.r.Context(), *c.op)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(o roster.OfficeLine) bool { return o.ID == c.r.PathValue("id") })
	if i < 0 {
		return words.Refuse("CSE-002")
	}
	o := list[i].Office
	v := url.Values{
		"id": {o.ID}, "tipo": {string(o.Type)}, "nome": {o.Name}, "comune": {o.Comune}, "asl": {o.ASL}, "indirizzo": {o.Address},
		"telefono": {o.Phone}, "orari": {o.Hours.String()}, "fino_al": {o.Until.Italian()},
	}
	var services []string
	for _, s := range o.Services {
		services = append(services, string(s))
	}
	v.Set("servizi", strings.Join(services, " | "))
	for name, set := range map[string]bool{"aderisce": o.TakesPart, "accessibile": o.Accessible} {
		if set {
			v.Set(name, "si")
		}
	}
	return c.officeForm(v)
}

func (c *call) officeForm(values url.Values, faults ...*words.Fault) error {
	page := c.page("gestione", "portal.staff.office.title")
	c.crumbs(page, "portal.staff.title", staffRoot, "portal.staff.offices", officesRoot)
	page.Form = c.newForm(values, faults...)
	var types []string
	for _, t := range roster.OfficeTypes() {
		types = append(types, string(t))
	}
	page.Data = struct {
		Types []string
		Keep  bool
	}{types, c.op.Has(staff.RoleSecurity)}
	status := http.StatusOK
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "staffoffice", page)
}

func (c *call) saveOffice() error {
	if err := c.form(); err != nil {
		return err
	}
	f := map[string]string{}
	for _, name := range roster.OfficeColumns {
		f[name] = c.value(name)
	}
	if faults := c.empty("id", "tipo", "nome"); len(faults) > 0 {
		return c.officeForm(c.r.PostForm, faults...)
	}
	o, err := roster.OfficeOf(f)
	if err == nil {
		err = c.p.Roster.SaveOffice(c.r.Context(), *c.op, o)
	}
	return c.opsDone(err, officesRoot+"?fatto=salvato", func(f *words.Fault) error { return c.officeForm(c.r.PostForm, f) })
}

func (c *call) importOffices() error {
	f, err := c.upload()
	if fault := words.FaultOf(err); fault != nil && fault.Code == "CSE-514" {
		return c.officesPage(nil, c.r.PostForm, fault)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	rep, err := c.p.Roster.ImportOffices(c.r.Context(), *c.op, f)
	if err == nil && len(rep.Errors) > 0 {
		err = words.Refuse("CSE-511", len(rep.Errors)).At("file")
	}
	return c.opsDone(err, officesRoot+"?fatto=importato", func(f *words.Fault) error { return c.officesPage(&rep, c.r.PostForm, f) })
}

// chooseOffice offers an operator's counters.
func (c *call) chooseOffice() error {
	page := c.page("sportello", "portal.office.choose")
	page.Data = struct {
		Offices []staff.Office
		Now     string
	}{c.op.Offices, c.op.Office.ID}
	return c.show(http.StatusOK, "chooseoffice", page)
}

// takeOffice goes to work at one of his counters; CSE-147 for any other.
func (c *call) takeOffice() error {
	if err := c.form(); err != nil {
		return err
	}
	op, err := c.op.At(c.value("ufficio"))
	if err != nil {
		return err
	}
	c.session.Office = op.Office.ID
	err = c.p.Atomically(c.r.Context(), func(ctx context.Context) error {
		if err := c.p.Sessions.DeleteSession(ctx, c.session.Key); err != nil {
			return err
		}
		return c.p.putSession(ctx, *c.session)
	})
	if err != nil {
		return err
	}
	return c.leave("/sportello")
}
