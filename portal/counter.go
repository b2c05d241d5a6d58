package portal

import (
	"net/http"
	"net/url"
	"strings"

	"cse.example/cse/issuer/staff"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/portal/look"
)

type hitView struct {
	registry.Person
	HasCard bool
	Badge   look.Badge
	Path    string
}

func (c *call) hits(found []counter.Hit) ([]hitView, error) {
	out := make([]hitView, len(found))
	for i, h := range found {
		path, err := c.holderPath(h.Person.CF, h.Card.ID)
		if err != nil {
			return nil, err
		}
		if m := c.r.PostForm.Get("motivo"); m != "" {
			path += "?motivo=" + url.QueryEscape(m)
		}
		out[i] = hitView{h.Person, h.Card.ID != "", c.stateBadge(h.Card.State), path}
	}
	return out, nil
}

// fileLink leads to an activation done at this counter.
type fileLink struct{ Protocol, Path string }

type taskView struct{ When, What, Card, Path string }

// desk is the counter's home: search box and tasks.
func (c *call) desk() error { return c.deskPage(http.StatusOK, "", nil) }

func (c *call) deskPage(status int, query string, found []counter.Hit, faults ...*words.Fault) error {
	page := c.page("sportello", "portal.desk.title")
	c.crumbs(page)
	motive := c.r.PostForm.Get("motivo")
	if motive == "" {
		motive = string(counter.MotiveCounter)
	}
	page.Form = c.newForm(url.Values{"q": {query}, "motivo": {motive}}, faults...)
	data := struct {
		Role string
		// Motives are why a sheet is opened.
		Motives []string
		Asked   bool
		Hits    []hitView
		Tasks   []taskView
	}{Asked: query != "" && len(faults) == 0}
	for i, r := range c.op.Roles {
		if i > 0 {
			data.Role += ", "
		}
		data.Role += c.say("portal.role." + string(r))
	}
	for _, m := range counter.Motives() {
		data.Motives = append(data.Motives, string(m))
	}
	var err error
	if data.Hits, err = c.hits(found); err != nil {
		return err
	}
	if c.p.Tasks != nil {
		tasks, err := c.p.Tasks(c.r.Context(), *c.op)
		if err != nil {
			return err
		}
		for _, t := range tasks {
			data.Tasks = append(data.Tasks, taskView{when(t.At), c.say("portal.task." + t.Kind), t.Card, t.Path})
		}
	}
	page.Data = data
	if len(faults) > 0 {
		page.Fault = faults[0]
	}
	return c.show(status, "desk", page)
}

// search finds a holder by codice fiscale, TEAM number, card number or name.
// One holder found opens his sheet at once. A bar code scanner adds asterisks.
// It is a POST: what is searched never becomes part of an address.
func (c *call) search() error {
	if err := c.form(); err != nil {
		return err
	}
	q := strings.TrimSpace(strings.ReplaceAll(c.value("q"), "*", ""))
	if q == "" {
		return c.deskPage(http.StatusUnprocessableEntity, "", nil, words.Refuse("CSE-358").At("q"))
	}
	found, err := c.p.Desk.Search(c.r.Context(), *c.op, q)
	if f := words.FaultOf(err); f != nil {
		return c.deskPage(http.StatusUnprocessableEntity, q, nil, at(f, "q"))
	}
	if err != nil {
		return err
	}
	if len(found) == 1 {
		path, err := c.holderPath(found[0].Person.CF, found[0].Card.ID)
		if err != nil {
			return err
		}
		return c.leave(path + "?motivo=" + url.QueryEscape(c.value("motivo")))
	}
	return c.deskPage(http.StatusOK, q, found)
}

// at is f at another field: a room's Fault may be shared, so it is copied.
func at(f *words.Fault, field string) *words.Fault {
	g := *f
	g.Field = field
	return &g
}

func (c *call) deskHelp() error {
	page := c.page("sportello", "portal.deskhelp.title")
	c.crumbs(page, "look.menu.counter", "/sportello")
	return c.show(http.StatusOK, "deskhelp", page)
}

// sheet is the holder's sheet (scheda titolare).
func (c *call) sheet(cf codicefiscale.Code) error {
	w, err := c.p.Desk.Sheet(counter.WithMotive(c.r.Context(), counter.Motive(c.r.URL.Query().Get("motivo"))), *c.op, cf)
	if err != nil {
		return err
	}
	history, err := c.history(w.Person.CF)
	if err != nil {
		return err
	}
	x := w.Person
	page := c.page("sportello", "portal.sheet.title", strings.TrimSpace(x.Surname+" "+x.Name))
	c.crumbs(page, "look.menu.counter", "/sportello")
	data := struct {
		registry.Person
		Place          string
		Views          []cardView
		History        []activityView
		Assistance     look.Badge
		Minor, Guarded bool
		Files          []fileLink
	}{
		Person: x, Place: place(x), History: history, Assistance: c.assistance(x),
		Minor: x.MinorOn(c.p.today()), Guarded: x.UnderGuardianship,
	}
	c.asl, c.dependent = x.ASL, data.Minor || data.Guarded
	for i, l := range w.Cards {
		v := c.view(Card{Card: l.Card, Functions: l.Functions}, i == 0)
		v.Activable, v.CodesToChange = l.CanActivate && w.May(staff.ActivateAdult), l.CodesToChange
		v.Faces = c.faces(x, l.Card)
		v.Offers = c.offers(Card{Card: l.Card})
		data.Views = append(data.Views, v)
	}
	for _, protocol := range w.Protocols {
		data.Files = append(data.Files, fileLink{protocol, FilePath(protocol)})
	}
	page.Data = data
	return c.show(http.StatusOK, "sheet", page)
}

func (c *call) assistance(x registry.Person) look.Badge {
	switch {
	case !x.Died.IsZero():
		return look.Badge{Tone: look.Bad, Word: c.say("portal.sheet.dead", x.Died.Italian())}
	case !x.AssistedOn(c.p.today()):
		return look.Badge{Tone: look.Bad, Word: c.say("portal.sheet.notassisted")}
	}
	return look.Badge{Tone: look.Good, Word: c.say("portal.sheet.assisted", x.ASL)}
}
