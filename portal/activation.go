package portal

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/desk"
	"cse.example/cse/person/registry"
	"cse.example/cse/portal/look"
)

// panel is whose card lies on the counter.
type panel struct {
	registry.Person
	Card  Card
	Badge look.Badge
}

// stepData is what the pages of the four steps receive.
type stepData struct {
	Panel   panel
	Steps   look.Steps
	ID      string // of the draft
	Version int64
	NoEmail bool
	Kinds   []string
	// Reading is the job that read the card, Desks are the readers here.
	Reading  string
	Desks    []desk.Desk
	Email    string // masked
	Protocol string
	Path     string // of the activation done
	Printed  bool
	Handed   bool
	// Kept is what stays with the act, Shown how the card was shown.
	Kept    keptView
	Shown   *counter.Shown
	Archive archiveView
	// Lists is by when other administrations know of the activation.
	Lists *listsView
}

// listsView is an instant and in how many hours it comes.
type listsView struct {
	By    string
	Hours int
}

// lists is when others know of an act that makes a card work; nil where pages say
// nothing of it.
func (c *call) lists(at time.Time) *listsView {
	life := c.p.Config.Lists
	if life <= 0 {
		return nil
	}
	return &listsView{when(counter.PublishedBy(at, life)), int(life / time.Hour)}
}

func (c *call) steps(current int) look.Steps {
	s := look.Steps{Current: current}
	for i := 1; i <= 4; i++ {
		s.Names = append(s.Names, c.say("portal.activation.step"+strconv.Itoa(i)))
	}
	return s
}

// panelOf is the card with that number and its holder.
func (c *call) panelOf(id string) (panel, error) {
	card, err := c.card(id)
	if err != nil {
		return panel{}, err
	}
	w, err := c.p.wallet(c.r.Context(), card.CF)
	if err != nil {
		return panel{}, err
	}
	for _, x := range w.Cards {
		if x.ID == id {
			return panel{w.Person, x, c.stateBadge(x.State)}, nil
		}
	}
	return panel{}, words.Refuse("CSE-139")
}

// stepShow draws step n; faults are the refusals of what was typed.
func (c *call) stepShow(n int, data stepData, values url.Values, faults ...*words.Fault) error {
	page := c.page("sportello", "portal.activation.title"+strconv.Itoa(n))
	c.crumbs(page, "look.menu.counter", "/sportello")
	page.Form = c.newForm(values, faults...)
	data.Steps = c.steps(n - 1)
	page.Data = data
	status := http.StatusOK
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "step"+strconv.Itoa(n), page)
}

// begin shows step 1: GET /sportello/attivazione?tessera=….
func (c *call) begin() error {
	q := c.r.URL.Query()
	return c.stepOne(q.Get("tessera"), url.Values{"lettura": {q.Get("lettura")}, "motivo": {c.noReader()}})
}

// stepOne reads the card through the desk, which asks for the right to look and
// journals it: a card number alone shows nobody's name unnoticed.
func (c *call) stepOne(id string, values url.Values, faults ...*words.Fault) error {
	card, err := c.card(id)
	if err != nil {
		return err
	}
	w, err := c.p.Desk.Sheet(c.r.Context(), *c.op, card.CF)
	if err != nil {
		return err
	}
	for _, l := range w.Cards {
		if l.Card.ID == id {
			p := panel{w.Person, Card{Card: l.Card, Functions: l.Functions}, c.stateBadge(l.Card.State)}
			data := stepData{Panel: p, Reading: c.readingOf(values.Get("lettura"), id), Desks: c.desks()}
			if len(faults) > 0 && faults[0].Code == "CSE-474" {
				data.Reading = "" // too old: read again, or type
			}
			return c.stepShow(1, data, values, faults...)
		}
	}
	return words.Refuse("CSE-139")
}

// start takes step 1 and opens the draft.
func (c *call) start() error {
	if err := c.form(); err != nil {
		return err
	}
	d, err := c.p.Drafts.StartDraft(c.r.Context(), *c.op, counter.CardStep{
		Card: c.value("tessera"), LastFive: compact(c.value("tessera_ultime_cinque")), NoReader: c.value("motivo"), Reading: c.value("lettura"),
	})
	if f := words.FaultOf(err); f != nil {
		return c.stepOne(c.value("tessera"), c.r.PostForm, f)
	}
	if err != nil {
		return err
	}
	return c.leave(stepPath(d.ID, 2))
}

func stepPath(id string, n int) string {
	return fmt.Sprintf("/sportello/attivazione/%s/%d", url.PathEscape(id), n)
}

// draft reads the draft of the address and whose it is.
func (c *call) draft() (counter.Draft, stepData, error) {
	d, err := c.p.Drafts.Draft(c.r.Context(), *c.op, c.r.PathValue("id"))
	if err != nil {
		return d, stepData{}, err
	}
	p, err := c.panelOf(d.Card.Card)
	data := stepData{Panel: p, ID: d.ID, Version: d.Version, Email: d.Contact.Email, NoEmail: c.p.Config.NoEmail}
	if d.Contact.NoEmail {
		data.Email = c.say("portal.activation.bypost")
	}
	for _, k := range counter.DocumentKinds() {
		data.Kinds = append(data.Kinds, string(k))
	}
	return d, data, err
}

// resumeDraft leads to the first step that is not complete.
func (c *call) resumeDraft() error {
	d, _, err := c.draft()
	if err != nil {
		return err
	}
	return c.leave(stepPath(d.ID, d.Done+1))
}

// step shows step 2, 3 or 4 with what was typed before; a step that is not due
// yet leads to the one that is.
func (c *call) step() error {
	d, data, err := c.draft()
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(c.r.PathValue("step"))
	if err != nil || n < 2 || n > 4 {
		return words.Refuse("CSE-002")
	}
	if n > d.Done+1 {
		return c.leave(stepPath(d.ID, d.Done+1))
	}
	return c.stepShow(n, data, typed(d))
}

// typed gives back what the draft holds as form values.
func typed(d counter.Draft) url.Values {
	doc := d.Identity.Document
	v := url.Values{
		"presente": {string(d.Identity.Present)}, "documento_tipo": {string(doc.Kind)}, "documento_numero": {doc.Number},
		"documento_ente": {doc.Issuer}, "documento_rilascio": {doc.Issued.Italian()}, "documento_scadenza": {doc.Expires.Italian()},
		"email": {d.Contact.Email}, "email_ripetuta": {d.Contact.EmailAgain}, "lingua": {string(d.Contact.Lang)},
	}
	if r := d.Identity.Representative; r != nil {
		for name, text := range map[string]string{
			"rappresentante_nascita": r.Born.Italian(), "titolo": string(r.Title), "titolo_fino_al": r.Until.Italian(),
			"rappresentante_cognome": r.Surname, "rappresentante_nome": r.Name, "rappresentante_cf": string(r.CF), "rappresentante_tessera": r.Card, "senza_tessera": r.NoCard,
		} {
			v.Set(name, text)
		}
		for name, on := range map[string]bool{"autocertificazione": r.Declared, "fino_a_revoca": r.UntilRevoked, "salute": r.Health, "delega": r.Delegation, "copia": r.Copy} {
			if on {
				v.Set(name, "si")
			}
		}
	}
	if d.Identity.Present == "" {
		v.Set("presente", string(counter.PresentHolder))
	}
	if d.Contact.Lang == "" {
		v.Set("lingua", string(words.Italian))
	}
	if d.Contact.Consent {
		v.Set("consenso", "si")
	}
	return v
}

// fill takes step 2 or 3, or does the act.
func (c *call) fill() error {
	if err := c.form(); err != nil {
		return err
	}
	version, err := strconv.ParseInt(c.value("versione"), 10, 64)
	if err != nil {
		return words.Refuse("CSE-357").Because(err)
	}
	var take func(id string, version int64) (string, []*words.Fault, error)
	n := 0
	switch c.r.PathValue("step") {
	case "2":
		n, take = 2, c.identify
	case "3":
		n, take = 3, c.contacts
	case "4":
		n, take = 4, c.activate
	default:
		return words.Refuse("CSE-002")
	}
	next, faults, err := take(c.r.PathValue("id"), version)
	if all := faultsOf(err); len(all) > 0 {
		faults, err = append(faults, all...), nil
	}
	if err != nil {
		return err
	}
	if len(faults) == 0 {
		return c.leave(next)
	}
	_, data, err := c.draft()
	if err != nil {
		return err
	}
	return c.stepShow(n, data, c.r.PostForm, faults...)
}

// empty lists the fields that were left empty.
func (c *call) empty(names ...string) []*words.Fault {
	var faults []*words.Fault
	for _, name := range names {
		if c.value(name) == "" {
			faults = append(faults, words.Refuse("CSE-358").At(name))
		}
	}
	return faults
}

// date reads gg/mm/aaaa; dots, dashes and a day or month of one digit are forgiven.
func (c *call) date(name string, faults *[]*words.Fault) civil.Date {
	parts := strings.Split(strings.NewReplacer(".", "/", "-", "/", " ", "").Replace(c.value(name)), "/")
	for i, x := range parts {
		if len(x) == 1 {
			parts[i] = "0" + x
		}
	}
	d, err := civil.ParseItalian(strings.Join(parts, "/"))
	if err != nil && c.value(name) != "" {
		*faults = append(*faults, words.Refuse("CSE-359").At(name).Because(err))
	}
	return d
}

func (c *call) identify(id string, version int64) (string, []*words.Fault, error) {
	s, faults := c.identity()
	s.Representative, faults = c.representative(s.Present, faults)
	if len(faults) > 0 {
		return "", faults, nil
	}
	_, err := c.p.Drafts.Identify(c.r.Context(), *c.op, id, version, s)
	return stepPath(id, 3), nil, err
}

func (c *call) contacts(id string, version int64) (string, []*words.Fault, error) {
	_, err := c.p.Drafts.Contacts(c.r.Context(), *c.op, id, version, counter.ContactStep{
		Email: c.value("email"), EmailAgain: c.value("email_ripetuta"), Lang: words.Lang(c.value("lingua")), Consent: c.value("consenso") != "",
		NoEmail: c.p.Config.NoEmail && c.value("senza_email") != "",
	})
	return stepPath(id, 4), nil, err
}

// activate does the act; the draft ends with it.
func (c *call) activate(id string, version int64) (string, []*words.Fault, error) {
	a, err := c.p.Drafts.Activate(c.r.Context(), *c.op, id, version)
	return FilePath(a.Protocol), nil, err
}

// FilePath is the address of an activation done; a protocol number is AAAA/NNNNNNN.
func FilePath(protocol string) string { return "/sportello/pratica/" + protocol }

func (c *call) protocol() string { return c.r.PathValue("anno") + "/" + c.r.PathValue("numero") }

// file is the page after the act: print, then hand over.
func (c *call) file() error { return c.filePage() }

func (c *call) filePage(faults ...*words.Fault) error {
	a, err := c.p.Papers.Act(c.r.Context(), *c.op, c.protocol())
	if err != nil {
		return err
	}
	p, err := c.panelOf(a.Card)
	if err != nil {
		return err
	}
	if a.Kind != counter.KindActivation {
		return c.deskFile(a, p, faults...)
	}
	title, step := "portal.activation.donetitle", 3
	if !a.HandedAt.IsZero() {
		title, step = "portal.activation.closedtitle", 4
	}
	papers, err := c.archived(a)
	if err != nil {
		return err
	}
	page := c.page("sportello", title)
	c.crumbs(page, "look.menu.counter", "/sportello")
	page.Form = c.newForm(c.r.PostForm, faults...)
	page.Form.Labels = scanLabels
	page.Data = stepData{
		Archive: papers, Panel: p, Steps: c.steps(step), Email: a.Form.EmailMasked, Protocol: a.Protocol, Path: FilePath(a.Protocol),
		Printed: !a.PrintedAt.IsZero(), Handed: !a.HandedAt.IsZero(), Kept: c.keptOf(a), Shown: a.Shown, Lists: c.lists(a.At),
	}
	status := http.StatusOK
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "file", page)
}

// deskFile is the page after an act of one form.
func (c *call) deskFile(a counter.Act, p panel, faults ...*words.Fault) error {
	papers, err := c.archived(a)
	if err != nil {
		return err
	}
	write := false
	if c.p.Readers != nil {
		var err error
		if write, err = c.p.Readers.ToWrite(c.r.Context(), a); err != nil {
			return err
		}
	}
	page := c.page("sportello", "portal.desk.donetitle", c.say("portal.desk.act."+string(a.Kind)))
	c.crumbs(page, "look.menu.counter", "/sportello")
	page.Form = c.newForm(c.r.PostForm, faults...)
	page.Form.Labels = scanLabels
	data := struct {
		Panel                  panel
		Protocol, Path         string
		Codes, Printed, Handed bool
		Kept                   keptView
		Archive                archiveView
		// Write tells that the codes wait for the chip, Desks are the readers here.
		Write bool
		Desks []desk.Desk
		// Shown and Lights are what the act keeps of card and chip.
		Shown  *counter.Shown
		Lights *lightsView
	}{p, a.Protocol, FilePath(a.Protocol), slices.Contains(a.Form.Papers, counter.PaperCodes), !a.PrintedAt.IsZero(), !a.HandedAt.IsZero(), c.keptOf(a), papers, write, c.desks(), a.Shown, nil}
	if a.Lights != nil {
		data.Lights = viewOf(*a.Lights)
	}
	page.Data = data
	status := http.StatusOK
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "deskfile", page)
}

// printForm sends the PDF with the first halves, once. It is a POST, so that
// no prefetch and no reload of history spends it; it counts as printed before
// the first byte leaves.
func (c *call) printForm() error {
	ctx := c.r.Context()
	form, err := c.p.Papers.ToPrint(ctx, *c.op, c.protocol())
	var pdf []byte
	if err == nil {
		pdf, err = c.p.Print(ctx, form)
	}
	if err == nil {
		err = c.p.Papers.Printed(ctx, *c.op, c.protocol())
	}
	defer clear(pdf)
	if f := words.FaultOf(err); f != nil {
		return c.filePage(f)
	}
	if err != nil {
		return err
	}
	h := c.w.Header()
	look.SecureHeaders(h)
	h.Set("Content-Type", "application/pdf")
	h.Set("Content-Disposition", `attachment; filename="pratica.pdf"`)
	h.Set("Content-Length", strconv.Itoa(len(pdf)))
	_, _ = c.w.Write(pdf) // sent or not, the form is spent: the reprint is an act of its own
	return nil
}

// handOver records "consegnato e firmato"; what is left of the print goes.
func (c *call) handOver() error {
	if err := c.form(); err != nil {
		return err
	}
	if c.value("consegnato") == "" {
		return c.filePage(words.Refuse("CSE-360").At("consegnato"))
	}
	err := c.p.Papers.HandOver(c.r.Context(), *c.op, c.protocol())
	if f := words.FaultOf(err); f != nil {
		return c.filePage(f)
	}
	if err != nil {
		return err
	}
	return c.leave(FilePath(c.protocol()))
}
