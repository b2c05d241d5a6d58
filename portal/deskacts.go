package portal

import (
	"maps"
	"net/http"
	"net/url"
	"strings"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/desk"
	"cse.example/cse/person/codicefiscale"
)

// The acts at a counter that are one form: /sportello/tessera/{numero}/{atto}.

// actWords are the last parts of the addresses.
var actWords = map[string]counter.ActKind{
	"ristampa": counter.KindReprint, "nuovi-codici": counter.KindNewCodes, "email": counter.KindEmail, "altro-genitore": counter.KindJoin, "sospendi": counter.KindSuspend, "riattiva": counter.KindReactivate,
	"revoca": counter.KindRevoke, "smarrimento": counter.KindLoss, "non-ricevuta": counter.KindNotReceived, "chip-guasto": counter.KindChipFault,
	"correzione": counter.KindCorrection, "dove-andare": counter.KindReferral, "ritiro": counter.KindWithdrawal,
}

func wordOf(kind counter.ActKind) string {
	for w, k := range actWords {
		if k == kind {
			return w
		}
	}
	return ""
}

// deskRoutes are the acts' pages.
func (p *Portal) deskRoutes(at func(pattern string, a answer)) {
	at("GET /sportello/tessera/{numero}/{atto}", atCounter((*call).deskAct))
	at("POST /sportello/tessera/{numero}/{atto}", atCounter((*call).doDeskAct))
}

// offerView is one button of the sheet, or why it is not one.
type offerView struct {
	Name, Path string
	// Refusal says who does it instead; empty when it may be done here.
	Refusal string
}

func (c *call) offers(card Card) []offerView {
	var out []offerView
	for _, o := range c.p.Acts.Offers(*c.op, card.Card, c.asl) {
		if needs, _ := counter.FormOf(o.Kind); needs.Title && !c.dependent {
			continue // an adult who speaks for himself
		}
		v := offerView{Name: c.say("portal.desk.act." + string(o.Kind)), Path: cardPath(card.ID) + "/" + wordOf(o.Kind)}
		if o.Refusal != nil {
			v.Refusal = strings.TrimSpace(o.Refusal.Sentence(c.tongue.lang) + " " + o.Refusal.Next(c.tongue.lang))
		}
		out = append(out, v)
	}
	return append(out, c.phoneOffer(card)...)
}

// actData is what the page of an act receives.
type actData struct {
	Panel   panel
	Kind    string
	Word    string
	Request string
	Needs   counter.Needs
	NoEmail bool
	// Reading is the job that read the card, Desks are the readers here.
	Reading string
	Desks   []desk.Desk
	// Lights are what the reader found of a chip; nil: it was not asked.
	Lights  *lightsView
	Kinds   []string
	Address string
}

func (c *call) deskAct() error { return c.deskActPage(nil) }

func (c *call) deskActPage(values url.Values, faults ...*words.Fault) error {
	kind, ok := actWords[c.r.PathValue("atto")]
	if !ok {
		return words.Refuse("CSE-002")
	}
	needs, _ := counter.FormOf(kind)
	card, err := c.card(c.r.PathValue("numero"))
	if err != nil {
		return err
	}
	if err := c.p.Acts.May(c.r.Context(), *c.op, kind, card.ID); err != nil {
		return err // no form for an act that is somebody else's
	}
	// The desk is asked for the sheet, so that the look is allowed and journaled.
	sheet, err := c.p.Desk.Sheet(c.r.Context(), *c.op, card.CF)
	if err != nil {
		return err
	}
	p, err := c.panelOf(card.ID)
	if err != nil {
		return err
	}
	data := actData{
		Panel: p, Kind: string(kind), Word: c.r.PathValue("atto"), Needs: needs, NoEmail: c.p.Config.NoEmail && kind == counter.KindReprint,
		Address: strings.TrimSpace(sheet.Person.Address + " " + sheet.Person.PostCode),
	}
	data.Desks = c.desks()
	for _, k := range counter.DocumentKinds() {
		data.Kinds = append(data.Kinds, string(k))
	}
	if values == nil {
		values = url.Values{"presente": {string(counter.PresentHolder)}, "lingua": {string(words.Italian)}, "denuncia_tipo": {"smarrimento"}, "provata": {"no"}, "lettura": {c.r.URL.Query().Get("lettura")}}
	}
	if needs.Title && values.Get("presente") == string(counter.PresentHolder) {
		values.Set("presente", string(counter.PresentParent))
	}
	if data.Reading = c.readingOf(values.Get("lettura"), card.ID); len(faults) > 0 && faults[0].Code == "CSE-474" {
		data.Reading = "" // too old: read again, or type
	}
	if needs.Lights {
		if data.Lights, err = c.lights(data.Reading, card.ID); err != nil {
			return err
		}
		if data.Lights == nil {
			data.Reading = ""
		}
	}
	if data.Request = values.Get("richiesta"); data.Request == "" {
		if data.Request, err = c.p.Acts.NewRequest(); err != nil {
			return err
		}
	}
	page := c.page("sportello", "portal.desk.do."+string(kind))
	c.crumbs(page, "look.menu.counter", "/sportello")
	page.Form = c.newForm(values, faults...)
	if needs.Title { // another's address than the holder's
		page.Form.Labels = maps.Clone(page.Form.Labels)
		page.Form.Labels["email"] = "portal.desk.join.email"
	}
	page.Data = data
	status := http.StatusOK
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "deskact", page)
}

// doDeskAct does the act; a refusal shows the form again with what was typed.
func (c *call) doDeskAct() error {
	if err := c.form(); err != nil {
		return err
	}
	kind, ok := actWords[c.r.PathValue("atto")]
	if !ok {
		return words.Refuse("CSE-002")
	}
	if err := c.p.Acts.May(c.r.Context(), *c.op, kind, c.r.PathValue("numero")); err != nil {
		return err // before the form is read
	}
	o, faults := c.order(kind)
	if len(faults) > 0 {
		return c.deskActPage(c.r.PostForm, faults...)
	}
	a, err := c.p.Acts.Do(c.r.Context(), *c.op, kind, o)
	if faults := faultsOf(err); len(faults) > 0 {
		return c.deskActPage(c.r.PostForm, faults...)
	}
	if err != nil {
		return err
	}
	return c.leave(FilePath(a.Protocol))
}

// order reads the form of an act.
func (c *call) order(kind counter.ActKind) (counter.Order, []*words.Fault) {
	needs, _ := counter.FormOf(kind)
	o := counter.Order{
		Request: c.value("richiesta"), Card: c.r.PathValue("numero"), Lang: words.Lang(c.value("lingua")), Text: c.value("testo"),
		Address: c.value("indirizzo") != "", Email: c.value("email"), EmailAgain: c.value("email_ripetuta"),
		NoEmail: c.p.Config.NoEmail && kind == counter.KindReprint && c.value("senza_email") != "",
		Shown:   counter.CardStep{LastFive: compact(c.value("tessera_ultime_cinque"))}, NoReader: c.value("motivo"), Reading: c.value("lettura"),
	}
	var faults []*words.Fault
	if needs.Identity {
		o.Identity, faults = c.identity()
		o.Identity.Representative, faults = c.representative(o.Identity.Present, faults)
	}
	if needs.Report {
		o.Report = counter.Report{
			Theft: c.value("denuncia_tipo") == "furto", Authority: c.value("denuncia_autorita"), Number: c.value("denuncia_numero"),
			Date: c.date("denuncia_data", &faults),
		}
	}
	if needs.Lights && c.value("provata") == "si" && c.value("conclusione") != "" { // what nobody ticked is no diagnosis
		on := func(name string) bool { return c.value(name) != "" }
		o.Lights = &counter.Lights{ATR: on("luce_atr"), Files: on("luce_file"), Certificate: on("luce_certificato"), PIN: on("luce_pin"), PUK: on("luce_puk")}
	}
	return o, faults
}

// identity reads who stands there and his document.
func (c *call) identity() (counter.IdentityStep, []*words.Fault) {
	var faults []*words.Fault
	if c.value("presente") == "" {
		faults = append(faults, words.Refuse("CSE-361").At("presente"))
	}
	faults = append(faults, c.empty("documento_tipo", "documento_numero", "documento_ente", "documento_rilascio", "documento_scadenza")...)
	return counter.IdentityStep{Present: counter.Present(c.value("presente")), Document: counter.Document{
		Kind: counter.DocumentKind(c.value("documento_tipo")), Number: strings.ToUpper(c.value("documento_numero")), Issuer: c.value("documento_ente"),
		Issued: c.date("documento_rilascio", &faults), Expires: c.date("documento_scadenza", &faults),
	}}, faults
}

// representative reads who stands there for the holder, when somebody does.
func (c *call) representative(who counter.Present, faults []*words.Fault) (*counter.Representative, []*words.Fault) {
	if who == counter.PresentHolder || who == "" {
		return nil, faults
	}
	r := &counter.Representative{
		Surname: strings.ToUpper(c.value("rappresentante_cognome")), Name: strings.ToUpper(c.value("rappresentante_nome")),
		Card: compact(c.value("rappresentante_tessera")), NoCard: c.value("senza_tessera"), Declared: c.value("autocertificazione") != "",
		Health: c.value("salute") != "", Delegation: c.value("delega") != "", Copy: c.value("copia") != "",
	}
	r.Born = c.date("rappresentante_nascita", &faults)
	if who == counter.PresentGuardian {
		r.Title, r.Until, r.UntilRevoked = counter.Title(c.value("titolo")), c.date("titolo_fino_al", &faults), c.value("fino_a_revoca") != ""
	}
	text := strings.ToUpper(compact(c.value("rappresentante_cf")))
	if text == "" {
		return r, faults // the room says which field is missing
	}
	cf, err := codicefiscale.Parse(text)
	if f := words.FaultOf(err); f != nil {
		return r, append(faults, at(f, "rappresentante_cf"))
	}
	r.CF = cf
	return r, faults
}
