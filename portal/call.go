package portal

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"

	"cse.example/cse/issuer/staff"

	"cse.example/cse/ground/words"
	"cse.example/cse/portal/look"
)

// call is one request being answered.
type call struct {
	p       *Portal
	w       http.ResponseWriter
	r       *http.Request
	tongue  tongue
	session *Session        // nil: nobody has entered
	locked  *Session        // an operator's that was idle: it shows nothing
	op      *staff.Operator // nil: not at the counter
	// recorded tells that this request's refusal has been written down.
	recorded bool
	asl      string // the health unit of the holder whose sheet is shown
	// dependent tells that he is a minor or under guardianship.
	dependent bool
}

// page begins a page: title and section by catalogue key.
func (c *call) page(section, titleKey string, args ...any) *look.Page {
	p := &look.Page{
		Lang: c.tongue.lang, Prefix: c.tongue.prefix, Path: c.tongue.path, Section: section,
		Title: c.say(titleKey, args...), FormAction: append([]string{c.p.loginURL}, c.p.Config.FormOrigins...),
	}
	if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		p.Path = "" // the answer to a form has no address of its own
	}
	if c.session != nil {
		p.Entered, p.Who = true, c.session.Name()
	}
	if c.op != nil {
		p.Who, p.Office, p.OfficeChoice = c.op.Name, c.op.Office.Name, len(c.op.Offices) > 1
		if c.op.AtCounter() {
			p.Work = append(p.Work, look.Entry{ID: "sportello", Key: "look.menu.counter", Path: "/sportello"})
		}
		if c.seesChecks() {
			p.Work = append(p.Work, look.Entry{ID: "controlli", Key: "look.menu.checks", Path: checksPath})
		}
		if c.p.Operations != nil && (c.op.Has(staff.RoleOperations) || c.op.Has(staff.RoleAuditor)) {
			p.Work = append(p.Work, look.Entry{ID: "operazioni", Key: "look.menu.operations", Path: opsRoot})
		}
		if c.p.Roster != nil && (c.op.Has(staff.RoleSecurity) || c.op.Has(staff.RoleSupervisor) || c.op.Has(staff.RoleAuditor)) {
			p.Work = append(p.Work, look.Entry{ID: "gestione", Key: "look.menu.staff", Path: staffRoot})
		}
		if c.p.Campaigns != nil && c.op.Has(staff.RoleSecurity) && !c.op.Has(staff.RoleOperations) {
			p.Work = append(p.Work, look.Entry{ID: "revoche", Key: "portal.campaign.title.revocation", Path: revocationsPath})
		}
		if c.p.FourEyes != nil && decides(*c.op) {
			p.Work = append(p.Work, look.Entry{ID: "approvazioni", Key: "look.menu.approvals", Path: "/approvazioni"})
		}
	}
	return p
}

func (c *call) say(key string, args ...any) string { return words.Say(c.tongue.lang, key, args...) }

// crumbs sets the way to the page: pairs of catalogue key and path.
func (c *call) crumbs(page *look.Page, pairs ...string) {
	page.Crumbs = []look.Crumb{{Name: c.say("look.menu.home"), Path: "/"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		page.Crumbs = append(page.Crumbs, look.Crumb{Name: c.say(pairs[i]), Path: pairs[i+1]})
	}
}

// show answers with a page.
func (c *call) show(status int, name string, page *look.Page) error {
	if err := c.recordRefusal(page.Fault); err != nil {
		return err
	}
	return c.p.look.Render(c.w, status, name, page)
}

// leave redirects to a path of ours, in the page's language.
func (c *call) leave(path string) error {
	c.w.Header().Set("Cache-Control", "no-store")
	http.Redirect(c.w, c.r, c.tongue.prefix+path, http.StatusSeeOther)
	return nil
}

// form parses the posted form, at most 64 KiB of it.
func (c *call) form() error {
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, 64<<10)
	if err := c.r.ParseForm(); err != nil {
		return words.Refuse("CSE-357").Because(err)
	}
	return nil
}

// value is a posted field without the spaces that a paste brings.
func (c *call) value(name string) string { return strings.TrimSpace(c.r.PostForm.Get(name)) }

// fail shows an error as a page: a Fault with its own words, anything else as
// CSE-001 with a reference that the log has too.
func (c *call) fail(err error) {
	f := words.FaultOf(err)
	if f == nil {
		ref := rand.Text()[:6]
		c.p.Log.ErrorContext(c.r.Context(), "page failed", "reference", ref, "path", c.r.URL.Path, "err", err)
		f = words.Refuse("CSE-001", ref)
	}
	page := c.page("", "portal.error.title")
	page.Fault = f
	page.Data = look.NoticeOf(c.tongue.lang, f)
	if err := c.show(statusOf(f), "error", page); err != nil {
		c.p.Log.ErrorContext(c.r.Context(), "error page failed", "err", err)
		http.Error(c.w, f.Code, http.StatusInternalServerError)
	}
}

// statusOf is the HTTP status of a refusal shown as a page of its own.
func statusOf(f *words.Fault) int {
	switch f.Code {
	case "CSE-402":
		return http.StatusTooManyRequests
	case "CSE-001":
		return http.StatusInternalServerError
	case "CSE-002":
		return http.StatusNotFound
	case "CSE-352", "CSE-354", "CSE-981":
		return http.StatusServiceUnavailable
	case "CSE-357":
		return http.StatusBadRequest
	}
	return http.StatusForbidden
}

// labels are the fields' names in the summary of errors.
var labels = map[string]string{
	"foglio":          "portal.archive.kind",
	"motivo":          "portal.desk.noreader",
	"esito_controllo": "portal.check.outcome", "nota_controllo": "portal.check.note",
	"rappresentante_cognome": "portal.activation.rep.surname", "rappresentante_nome": "portal.activation.rep.name", "rappresentante_cf": "portal.activation.rep.cf",
	"rappresentante_nascita": "portal.activation.rep.born", "rappresentante_tessera": "portal.activation.rep.card",
	"titolo": "portal.activation.rep.title", "titolo_fino_al": "portal.activation.rep.until",
	"chi": "portal.revoke.who", "cip": "portal.revoke.cip", "capito": "portal.revoke.tick", "q": "portal.desk.search",
	"tessera_ultime_cinque": "portal.activation.number", "presente": "portal.activation.present", "documento_tipo": "portal.activation.doc",
	"documento_numero": "portal.activation.docno", "documento_ente": "portal.activation.docby", "documento_rilascio": "portal.activation.docfrom",
	"documento_scadenza": "portal.activation.docuntil", "email": "portal.activation.email", "email_ripetuta": "portal.activation.email2",
	"periodo_dal": "portal.team.from", "periodo_al": "portal.team.to", "codice_nuovo": "portal.contacts2.codes.new", "codice_attuale": "portal.contacts2.codes.old",
	"codice_fiscale": "portal.status.cf", "ultime_cinque": "portal.status.five", "lingua": "portal.activation.lang", "consenso": "portal.activation.consent", "consegnato": "portal.activation.handed",
	"account": "portal.staff.account", "nome": "portal.staff.name", "ruoli": "portal.staff.roles", "uffici": "portal.staff.at", "contratto_fino_al": "portal.staff.contract",
	"id": "portal.staff.office.id", "tipo": "portal.staff.kind", "orari": "portal.staff.office.hours", "servizi": "portal.staff.office.services", "fino_al": "portal.staff.office.until",
	"comune": "portal.staff.office.comune", "asl": "portal.staff.office.asl", "file": "portal.staff.file", "meta_uno": "portal.enrol.one", "meta_due": "portal.enrol.two",
	"diagnosi": "portal.help.reference", "riferimento": "portal.help.reference",
	"password": "portal.enrol.password", "password_ripetuta": "portal.enrol.again", "totp": "login.operator.totp",
	"firmato": "portal.signature.file", "documento": "portal.signature.content", "per": "portal.signature.for", "rapporto": "portal.signature.as",
	"cifre": "portal.phone.digits", "tessera_nuova": "portal.successor.number",
	"tessera": "portal.ops.returns.card", "motivo_ritorno": "portal.ops.returns.why", "motivo_ricerca": "portal.ops.audit.motive", "motivo_richiesta": "portal.approval.reason", "parametro": "portal.parameter", "valore": "portal.parameter.value", "dal": "portal.ops.audit.from", "motivo_rinuncia": "portal.ops.drop.why", "al": "portal.ops.audit.until",
}

// newForm makes a page's form, with the names of its fields.
func (c *call) newForm(values url.Values, faults ...*words.Fault) *look.Form {
	f := look.NewForm(c.tongue.lang, values, faults...)
	f.Labels = labels
	return f
}
