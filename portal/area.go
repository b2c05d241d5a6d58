package portal

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/contacts"
	"cse.example/cse/issuer/entitlement"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/portal/look"
)

// Area is what the personal area needs beyond the cards. All parts are there, or
// Deps.Area is nil and the area is the card alone.
type Area struct {
	Book    Book
	Changes Changes
	// Certificates stand in for the TEAM; Check is for whoever is handed one.
	Certificates Certificates
	Check        Check
	ForWards     WardCertificates
	// Paper prints a certificate; address is where it is checked.
	Paper func(ctx context.Context, lang words.Lang, c entitlement.Certificate, address string) ([]byte, error)
	// PaperSays is what it says, for the page that is its twin.
	PaperSays func(lang words.Lang, c entitlement.Certificate, address string) ([]PaperBlock, error)
	// Wards are those for whom somebody stands today.
	Wards func(ctx context.Context, cf codicefiscale.Code) ([]Ward, error)
	// CodesToChange tells that somebody had a card's codes who stands for its holder
	// no more; nil: nobody knows.
	CodesToChange func(ctx context.Context, card lifecycle.Card) (bool, error)
	// Given are the privacy notices that somebody was handed with acts.
	Given func(ctx context.Context, cf codicefiscale.Code) ([]GivenNotice, error)
	// Proofs are of acts about somebody, by their numbers in the log, or without numbers
	// of all; nil: there is no log that proves anything.
	Proofs Proofs
	// Entered is told of each login with a card.
	Entered func(ctx context.Context, card string) error
}

// Book is where somebody is written to; *contacts.Book is one.
type Book interface {
	Of(ctx context.Context, cf codicefiscale.Code) (contacts.Contact, error)
	Prefer(ctx context.Context, cf codicefiscale.Code, lang words.Lang, notices bool) error
}

// Changes of address, by codes; *contacts.Book is one.
type Changes interface {
	Pending(ctx context.Context, cf codicefiscale.Code) (*contacts.Change, error)
	Ask(ctx context.Context, cf codicefiscale.Code, email, again string, lost bool) (contacts.Change, error)
	Confirm(ctx context.Context, cf codicefiscale.Code, codeNew, codeOld string) (contacts.Change, error)
	Cancel(ctx context.Context, cf codicefiscale.Code) error
}

// Certificates stand in for the TEAM; *entitlement.Room is one.
type Certificates interface {
	NewRequest() (string, error)
	Offer(ctx context.Context, cf codicefiscale.Code) (entitlement.Offer, error)
	Issue(ctx context.Context, cf codicefiscale.Code, request string, from, to civil.Date) (entitlement.Certificate, error)
	Of(ctx context.Context, cf codicefiscale.Code) ([]entitlement.Certificate, error)
	Get(ctx context.Context, cf codicefiscale.Code, id string) (entitlement.Certificate, error)
}

// WardCertificates are made for children and wards; *entitlement.Room is one.
type WardCertificates interface {
	// IssueFor answers CSE-608 when by does not stand for cf today.
	IssueFor(ctx context.Context, by, cf codicefiscale.Code, request string, from, to civil.Date) (entitlement.Certificate, error)
}

// Check tells what a certificate is worth; *entitlement.Room is one.
type Check interface {
	Verify(ctx context.Context, id, source string) (entitlement.Shown, error)
	Standing(ctx context.Context, c entitlement.Certificate) (entitlement.Standing, error)
}

// Ward is a minor or somebody under guardianship. Kind is "genitore", "tutore",
// "curatore" or "ads"; Until is the last day, zero without end.
type Ward struct {
	CF    codicefiscale.Code
	Kind  string
	Until civil.Date
	// With are the names of the others who stand for him.
	With []string
}

func (p *Portal) areaRoutes(at func(pattern string, a answer)) {
	at("GET /tessera/attivita", citizen((*call).activity))
	at("GET /tessera/attivita/prova", citizen((*call).proof))
	at("GET /tessera/non-riconosco", citizen((*call).notMe))
	at("GET /tessera/codici", citizen((*call).codesHelp))
	if p.Area == nil {
		return
	}
	at("GET /tessera/figli", citizen((*call).wards))
	at("GET /tessera/contatti", citizen((*call).myContacts))
	at("POST /tessera/contatti", citizen((*call).askChange))
	at("POST /tessera/contatti/preferenze", citizen((*call).prefer))
	at("POST /tessera/contatti/annulla", citizen((*call).cancelChange))
	at("GET /tessera/contatti/codici", citizen((*call).changeCodes))
	at("POST /tessera/contatti/codici", citizen((*call).confirmChange))
	for _, root := range []string{myTEAM, "/tessera/figli/{tessera}/certificato-team"} {
		at("GET "+root, citizen((*call).certificates))
		at("POST "+root, citizen((*call).issueCertificate))
		at("GET "+root+"/{id}", citizen((*call).certificate))
		at("GET "+root+"/{id}/pdf", citizen((*call).certificatePDF))
	}
	at("GET /verifica-team/{id}", (*call).verifyCertificate)
}

// areaLinks are the pages of the area.
var areaLinks = []struct{ Key, Path string }{
	{"portal.area.card", "/tessera"},
	{"portal.area.wards", "/tessera/figli"},
	{"portal.area.contacts", "/tessera/contatti"},
	{"portal.area.team", myTEAM},
	{"portal.area.codes", "/tessera/codici"},
	{"portal.area.activity", "/tessera/attivita"},
	{"portal.area.data", "/tessera/dati"},
}

type areaLink struct {
	Name, Path string
	Current    bool
}

// areaNav is the way through the area.
func (c *call) areaNav() []areaLink {
	var out []areaLink
	for _, l := range areaLinks {
		if c.p.Area == nil && !slices.Contains([]string{"/tessera", "/tessera/codici", "/tessera/attivita", "/tessera/dati"}, l.Path) {
			continue
		}
		out = append(out, areaLink{c.say(l.Key), l.Path, l.Path == c.tongue.path})
	}
	return out
}

// areaPage begins a page of the area; data has what the page shows beside the nav.
func (c *call) areaPage(titleKey string, data map[string]any, args ...any) *look.Page {
	page := c.page("tessera", titleKey, args...)
	c.crumbs(page, "look.menu.card", "/tessera")
	if data == nil {
		data = map[string]any{}
	}
	data["Nav"] = c.areaNav()
	page.Data = data
	return page
}

func (c *call) myCF() (codicefiscale.Code, error) { return codicefiscale.Parse(c.session.CF) }

// expiry is the banner of a card near its end: told from ninety days before.
type expiryView struct{ Title, Text string }

func (c *call) expiry(card Card) *expiryView {
	today := c.p.today()
	if contacts.Due(today, card.Expires) == 0 || card.State.Final() || card.ReplacedBy != "" {
		return nil
	}
	left := 0
	for d := today; d.Before(card.Expires); d = d.AddDays(1) {
		left++
	}
	v := &expiryView{c.say("portal.area.expiry.title", card.Expires.Italian()), c.say("portal.area.expiry.text", left)}
	if left == 0 {
		v.Text = c.say("portal.area.expiry.today")
	}
	return v
}

// wardView is one ward with his cards, seen as one's own.
type wardView struct {
	Name, Kind, Until string
	// TEAM is where certificates for him are made, empty without a card.
	TEAM  string
	Cards []cardView
	// With are the others who stand for him.
	With []string
}

func (c *call) wards() error {
	me, err := c.myCF()
	if err != nil {
		return err
	}
	list, err := c.p.Area.Wards(c.r.Context(), me)
	if err != nil {
		return err
	}
	var views []wardView
	for _, x := range list {
		w, err := c.p.wallet(c.r.Context(), x.CF)
		if err != nil {
			return err
		}
		v := wardView{Name: strings.TrimSpace(w.Person.Name + " " + w.Person.Surname), Kind: c.say("portal.wards.kind." + x.Kind), With: x.With}
		if !x.Until.IsZero() {
			v.Until = c.say("portal.wards.until", x.Until.Italian())
		}
		for i, card := range w.Cards {
			if i == 0 {
				v.TEAM = wardTEAM(card.ID)
			}
			if i == 0 || card.State == lifecycle.Active {
				v.Cards = append(v.Cards, c.view(card, i == 0))
			}
		}
		views = append(views, v)
	}
	return c.show(http.StatusOK, "wards", c.areaPage("portal.wards.title", map[string]any{"Wards": views}))
}

func (c *call) codesHelp() error {
	return c.show(http.StatusOK, "codeshelp", c.areaPage("portal.codes.title", nil))
}

func (c *call) notMe() error {
	page := c.areaPage("portal.notme.title", map[string]any{"Phone": c.say("portal.notme.2", c.p.Config.Theme.Phone)})
	return c.show(http.StatusOK, "notme", page)
}

// lookView is one look at somebody's data.
type lookView struct{ When, What, Where, Who, Why, Proof string }

// looks are the acts by which others see somebody's data, with their texts.
var looks = map[string]string{"paper.seen": "portal.activity.paper", "holder.viewed": "portal.activity.viewed", "eligibility.asked": "portal.act.eligibility.asked"}

// activity is who entered, who looked and what happened (C17).
func (c *call) activity() error {
	me, err := c.myCF()
	if err != nil {
		return err
	}
	var logins, acts []activityView
	var seen []lookView
	page := c.areaPage("portal.activity.title", nil)
	if c.p.Activities != nil {
		list, err := c.p.Activities(c.r.Context(), me)
		if err != nil {
			return err
		}
		for _, a := range list {
			key := "portal.act." + a.Act
			switch look, ok := looks[a.Act]; {
			case ok:
				seen = append(seen, c.lookOf(page, a, look))
			case !words.Has(c.tongue.lang, key):
			case strings.HasPrefix(a.Act, "login."):
				logins = append(logins, c.proven(page, a, c.say(key)))
			default:
				acts = append(acts, c.proven(page, a, c.say(key)))
			}
		}
	}
	page.Data = map[string]any{"Nav": c.areaNav(), "Logins": logins, "Looks": seen, "Acts": acts, "Proofs": c.mayProve() && len(logins)+len(seen)+len(acts) > 0}
	return c.show(http.StatusOK, "activity", page)
}

func (c *call) lookOf(page *look.Page, a Activity, key string) lookView {
	v := lookView{When: when(a.At), What: c.say(key), Where: a.Office, Why: a.Motive, Proof: c.proofPath(page, a)}
	role := a.Role
	if role == "" {
		role = "other"
	}
	v.Who = c.say("portal.activity.role." + role)
	if key := "portal.activity.purpose." + a.Purpose; v.Why == "" && words.Has(c.tongue.lang, key) {
		v.Why = c.say(key)
	}
	if key := "portal.desk.motive." + a.Motive; words.Has(c.tongue.lang, key) {
		v.Why = c.say(key)
	}
	if v.Why == "" {
		v.Why = c.say("portal.activity.nowhy")
	}
	return v
}
