package portal

import (
	"net/http"
	"strconv"
	"strings"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/throttle"
)

// myContacts is where the holder is written to, and how it changes (C15).
func (c *call) myContacts() error { return c.contactsPage(http.StatusOK) }

func (c *call) contactsPage(status int, faults ...*words.Fault) error {
	me, err := c.myCF()
	if err != nil {
		return err
	}
	now, err := c.p.Area.Book.Of(c.r.Context(), me)
	if err != nil {
		return err
	}
	change, err := c.p.Area.Changes.Pending(c.r.Context(), me)
	if err != nil {
		return err
	}
	data := map[string]any{"Email": now.Email}
	if change != nil && !change.Effective.IsZero() {
		data["Waiting"] = c.say("portal.contacts2.waiting.text", when(change.Effective), change.New)
	} else if change != nil {
		data["Asked"] = true
	}
	data["Done"] = c.r.URL.Query().Has("fatto")
	data["Saved"] = c.r.URL.Query().Has("salvato")
	page := c.areaPage("portal.contacts2.title", data)
	if len(faults) > 0 {
		page.Fault = faults[0]
	}
	form := c.newForm(c.r.PostForm, faults...)
	if c.r.PostForm.Get("lingua") == "" { // the page as it stands, not what was typed into the other form
		form.Values = cloned(c.r.PostForm)
		form.Values.Set("lingua", string(now.Lang))
		if now.Notices {
			form.Values.Set("avvisi", "si")
		}
	}
	page.Form = form
	return c.show(status, "mycontacts", page)
}

// refusal shows a fault on a page; too many tries also say how long to wait.
func (c *call) refusal(err error, show func(status int, faults ...*words.Fault) error) error {
	f := words.FaultOf(err)
	if f == nil {
		return err
	}
	status := http.StatusUnprocessableEntity
	if wait := throttle.WaitOf(err); wait > 0 {
		c.w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
		status = http.StatusTooManyRequests
	}
	return show(status, f)
}

func (c *call) askChange() error {
	if err := c.form(); err != nil {
		return err
	}
	me, err := c.myCF()
	if err != nil {
		return err
	}
	_, err = c.p.Area.Changes.Ask(c.r.Context(), me, c.value("email"), c.value("email_ripetuta"), c.value("perso") != "")
	if err != nil {
		return c.refusal(err, c.contactsPage)
	}
	return c.leave("/tessera/contatti/codici")
}

func (c *call) changeCodes() error { return c.codesPage(http.StatusOK) }

func (c *call) codesPage(status int, faults ...*words.Fault) error {
	me, err := c.myCF()
	if err != nil {
		return err
	}
	change, err := c.p.Area.Changes.Pending(c.r.Context(), me)
	if err != nil {
		return err
	}
	if change == nil || !change.Effective.IsZero() {
		if len(faults) > 0 {
			return c.contactsPage(status, faults...)
		}
		return c.leave("/tessera/contatti")
	}
	data := map[string]any{
		"Sent": c.say("portal.contacts2.codes.text", change.New, change.Until.In(civil.Rome).Format("15:04")), "NeedsOld": change.NeedsOld(),
	}
	if change.NeedsOld() {
		data["Both"] = c.say("portal.contacts2.codes.both", masked(change.Old))
	}
	page := c.areaPage("portal.contacts2.codes", data)
	c.crumbs(page, "look.menu.card", "/tessera", "portal.contacts2.title", "/tessera/contatti")
	if len(faults) > 0 {
		page.Fault = faults[0]
	}
	page.Form = c.newForm(nil, faults...)
	return c.show(status, "mycodes", page)
}

// masked shows enough of an address for its owner.
func masked(email string) string {
	name, domain, _ := strings.Cut(email, "@")
	if name == "" {
		return "•••"
	}
	return string([]rune(name)[0]) + "•••@" + domain
}

func (c *call) confirmChange() error {
	if err := c.form(); err != nil {
		return err
	}
	me, err := c.myCF()
	if err != nil {
		return err
	}
	change, err := c.p.Area.Changes.Pending(c.r.Context(), me)
	if err != nil {
		return err
	}
	one, two := compact(c.value("codice_nuovo")), compact(c.value("codice_attuale"))
	var faults []*words.Fault
	if len(one) != 6 {
		faults = append(faults, words.Refuse("CSE-595").At("codice_nuovo"))
	}
	if change != nil && change.NeedsOld() && len(two) != 6 {
		faults = append(faults, words.Refuse("CSE-595").At("codice_attuale"))
	}
	if len(faults) > 0 { // no try is spent
		return c.codesPage(http.StatusUnprocessableEntity, faults...)
	}
	done, err := c.p.Area.Changes.Confirm(c.r.Context(), me, one, two)
	if err != nil {
		return c.refusal(err, c.codesPage)
	}
	if done.Effective.IsZero() {
		return c.leave("/tessera/contatti?fatto")
	}
	return c.leave("/tessera/contatti")
}

func (c *call) cancelChange() error {
	me, err := c.myCF()
	if err != nil {
		return err
	}
	if err := c.p.Area.Changes.Cancel(c.r.Context(), me); err != nil {
		return err
	}
	return c.leave("/tessera/contatti")
}

func (c *call) prefer() error {
	if err := c.form(); err != nil {
		return err
	}
	me, err := c.myCF()
	if err != nil {
		return err
	}
	lang := words.Lang(c.value("lingua"))
	if lang != words.Italian && lang != words.English {
		return c.contactsPage(http.StatusUnprocessableEntity, words.Refuse("CSE-358").At("lingua"))
	}
	if err := c.p.Area.Book.Prefer(c.r.Context(), me, lang, c.value("avvisi") != ""); err != nil {
		return err
	}
	return c.leave("/tessera/contatti?salvato")
}
