package portal

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/campaign"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/portal/look"
)

// The pages of work on many cards: /operazioni/campagne (renewals),
// /operazioni/revoche (bulk revocations) and /operazioni/correzioni (corrections
// that wait). The list is chosen and shown first; it begins when the room says
// so, often after a second person has approved it.

// CampaignMaker chooses cards; a *campaign.Room is one.
type CampaignMaker interface {
	NewRenewal(ctx context.Context, op staff.Operator, name string, c campaign.Criteria) (campaign.Campaign, error)
	NewRevocation(ctx context.Context, op staff.Operator, name string, c campaign.Criteria) (campaign.Campaign, error)
	NewRevocationOf(ctx context.Context, op staff.Operator, name, list string) (campaign.Campaign, error)
}

// CampaignDesk shows and moves what was chosen; a *campaign.Room is one.
type CampaignDesk interface {
	List(ctx context.Context, op staff.Operator, k campaign.Kind) ([]campaign.View, error)
	View(ctx context.Context, op staff.Operator, id string) (campaign.View, error)
	Start(ctx context.Context, op staff.Operator, id, note string) (campaign.Campaign, error)
	Stop(ctx context.Context, op staff.Operator, id string) error
	Drop(ctx context.Context, op staff.Operator, id string) error
}

// IssuerChoice is an authority whose certificates can be revoked as a whole.
type IssuerChoice struct{ ID, Name string }

// Campaigns are the rooms behind the pages.
type Campaigns struct {
	Make CampaignMaker
	Desk CampaignDesk
	// Issuers are our own authorities and those of an imported base, as they are now.
	Issuers func() []IssuerChoice
}

const (
	campaignsPath   = opsRoot + "/campagne"
	revocationsPath = opsRoot + "/revoche"
	correctionsPath = opsRoot + "/correzioni"
)

// kindPaths are the lists by kind.
var kindPaths = map[campaign.Kind]string{campaign.Renewal: campaignsPath, campaign.Revocation: revocationsPath, campaign.Correction: correctionsPath}

// campaignRoutes are there when the rooms are.
func (p *Portal) campaignRoutes(at func(pattern string, a answer)) {
	if p.Campaigns == nil {
		return
	}
	ops, sec, aud := staff.RoleOperations, staff.RoleSecurity, staff.RoleAuditor
	at("GET "+campaignsPath, withRole(func(c *call) error { return c.campaignList(campaign.Renewal, nil) }, ops, aud))
	at("POST "+campaignsPath, withRole((*call).newRenewal, ops))
	at("GET "+campaignsPath+"/{id}", withRole(func(c *call) error { return c.campaignPage() }, ops, sec, aud))
	at("POST "+campaignsPath+"/{id}/{passo}", withRole((*call).campaignStep, ops, sec))
	at("GET "+revocationsPath, withRole(func(c *call) error { return c.campaignList(campaign.Revocation, nil) }, ops, sec, aud))
	at("POST "+revocationsPath, withRole((*call).newRevocation, ops, sec))
	at("POST "+revocationsPath+"/elenco", withRole((*call).newRevocationOf, ops, sec))
	at("GET "+correctionsPath, withRole(func(c *call) error { return c.campaignList(campaign.Correction, nil) }, ops, sec, aud))
}

// campaignView is a campaign on a page.
type campaignView struct {
	campaign.View
	Badge                        look.Badge
	Path, Created, Begun, Closed string
}

var campaignTones = map[campaign.State]look.Tone{
	campaign.Draft: look.None, campaign.Choosing: look.None, campaign.Asked: look.Wait, campaign.Running: look.Wait, campaign.Stopped: look.Bad,
	campaign.Ended: look.Good, campaign.Dropped: look.None,
}

func (c *call) campaignView(v campaign.View) campaignView {
	out := campaignView{
		View: v, Badge: look.Badge{Tone: campaignTones[v.State], Word: c.say("portal.campaign.state." + string(v.State))},
		Path: campaignsPath + "/" + v.ID, Created: when(v.CreatedAt),
	}
	if !v.StartedAt.IsZero() {
		out.Begun = when(v.StartedAt)
	}
	if !v.EndedAt.IsZero() {
		out.Closed = when(v.EndedAt)
	}
	return out
}

// mayCampaign tells whether the operator may make or move campaigns of a kind.
func (c *call) mayCampaign(k campaign.Kind) bool {
	return c.op.Has(staff.RoleOperations) || k != campaign.Renewal && c.op.Has(staff.RoleSecurity)
}

// campaignForm is the form with the labels of its own fields.
func (c *call) campaignForm(values url.Values, faults ...*words.Fault) *look.Form {
	f := c.newForm(values, faults...)
	f.Labels = maps.Clone(f.Labels)
	for _, name := range []string{
		"nome", "scadono_dal", "scadono_al", "asl", "comune", "modello", "chip", "lotto", "emittente", "emesse_dal", "emesse_al", "motivo_revoca", "elenco",
	} {
		f.Labels[name] = "portal.campaign.f." + name
	}
	return f
}

func (c *call) campaignList(k campaign.Kind, values url.Values, faults ...*words.Fault) error {
	list, err := c.p.Campaigns.Desk.List(c.r.Context(), *c.op, k)
	if err != nil {
		return err
	}
	data := struct {
		Kind    campaign.Kind
		List    []campaignView
		May     bool
		Motives []string
		Codes   []campaign.Motive
		Issuer  look.Field
		Path    string
	}{Kind: k, May: c.mayCampaign(k), Codes: campaign.Motives(), Path: kindPaths[k]}
	for _, v := range list {
		data.List = append(data.List, c.campaignView(v))
	}
	for _, m := range campaign.Motives() {
		data.Motives = append(data.Motives, string(m))
	}
	page := c.campaignTop("portal.campaign.title." + string(k))
	page.Form = c.campaignForm(values, faults...)
	data.Issuer = page.Form.Any("emittente", "portal.campaign.f.emittente")
	for _, x := range c.p.Campaigns.Issuers() {
		data.Issuer.Options = append(data.Issuer.Options, look.Option{Value: x.ID, Label: x.Name, Chosen: x.ID == data.Issuer.Value})
	}
	page.Data = data
	status := http.StatusOK
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "ops-campaigns", page)
}

// campaignTop begins a page; the security officer has no dashboard of operations
// above it.
func (c *call) campaignTop(key string, args ...any) *look.Page {
	if c.op.Has(staff.RoleOperations) || c.op.Has(staff.RoleAuditor) {
		return c.opsPage(key, args...)
	}
	page := c.page("revoche", key, args...)
	c.crumbs(page)
	return page
}

func (c *call) newRenewal() error {
	if err := c.form(); err != nil {
		return err
	}
	faults := c.empty("nome", "scadono_al")
	x := campaign.Criteria{
		From: c.date("scadono_dal", &faults), Until: c.date("scadono_al", &faults), ASL: c.value("asl"), Comune: strings.ToUpper(c.value("comune")),
		Model: lifecycle.Model(c.value("modello")), Chip: production.Chip(c.value("chip")),
	}
	if _, known := codicefiscale.Belfiore(x.Comune, civil.Date{}); x.Comune != "" && !known {
		faults = append(faults, words.Refuse("CSE-107", x.Comune).At("comune"))
	}
	if len(faults) > 0 {
		return c.campaignList(campaign.Renewal, c.r.PostForm, faults...)
	}
	made, err := c.p.Campaigns.Make.NewRenewal(c.r.Context(), *c.op, c.value("nome"), x)
	return c.opsDone(err, campaignsPath+"/"+made.ID, func(f *words.Fault) error { return c.campaignList(campaign.Renewal, c.r.PostForm, f) })
}

func (c *call) newRevocation() error {
	if err := c.form(); err != nil {
		return err
	}
	faults := c.empty("nome", "motivo_revoca")
	x := campaign.Criteria{
		Batch: c.value("lotto"), Issuer: c.value("emittente"), IssuedFrom: c.date("emesse_dal", &faults), IssuedUntil: c.date("emesse_al", &faults),
		Motive: campaign.Motive(c.value("motivo_revoca")),
	}
	if len(faults) > 0 {
		return c.campaignList(campaign.Revocation, c.r.PostForm, faults...)
	}
	made, err := c.p.Campaigns.Make.NewRevocation(c.r.Context(), *c.op, c.value("nome"), x)
	return c.opsDone(err, campaignsPath+"/"+made.ID, func(f *words.Fault) error { return c.campaignList(campaign.Revocation, c.r.PostForm, f) })
}

// mostList bounds an uploaded list: two hundred thousand lines of forty bytes.
const mostList = 8 << 20

// newRevocationOf reads a list from a file, or from the field below it.
func (c *call) newRevocationOf() error {
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, mostList)
	if err := c.r.ParseMultipartForm(mostList); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return words.Refuse("CSE-357").Because(err)
	}
	list := c.r.PostForm.Get("elenco_testo")
	if f, _, err := c.r.FormFile("elenco"); err == nil {
		b, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return words.Refuse("CSE-357").Because(err)
		}
		if len(b) > 0 {
			list = string(b)
		}
	}
	faults := c.empty("nome_elenco")
	if strings.TrimSpace(list) == "" {
		faults = append(faults, words.Refuse("CSE-358").At("elenco"))
	}
	again := func(faults ...*words.Fault) error {
		for i, f := range faults {
			if f.Field == "nome" {
				faults[i] = at(f, "nome_elenco")
			}
		}
		return c.campaignList(campaign.Revocation, c.r.PostForm, faults...)
	}
	if len(faults) > 0 {
		return again(faults...)
	}
	made, err := c.p.Campaigns.Make.NewRevocationOf(c.r.Context(), *c.op, c.value("nome_elenco"), list)
	return c.opsDone(err, campaignsPath+"/"+made.ID, func(f *words.Fault) error { return again(f) })
}

// campaignPage is one campaign: what was chosen, how far it is, what can be done.
func (c *call) campaignPage(faults ...*words.Fault) error {
	v, err := c.p.Campaigns.Desk.View(c.r.Context(), *c.op, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	type itemView struct {
		campaign.Item
		Badge look.Badge
		What  string
	}
	data := struct {
		View              campaignView
		Criteria, Preview []line
		Counts            []countLine
		Items             []itemView
		Standing          string
		May, Start, Ask   bool
		Stop, Drop        bool
		Balanced, Person  bool
	}{View: c.campaignView(v), Criteria: c.criteria(v.Criteria), Preview: c.preview(v), May: c.mayCampaign(v.Kind), Balanced: v.Balanced(), Person: v.Kind == campaign.Correction}
	for _, s := range campaign.ItemStates() {
		if n := v.Counts[s]; n > 0 || s == campaign.Waiting || s == campaign.Done {
			data.Counts = append(data.Counts, countLine{string(s), c.say("portal.campaign.item." + string(s)), n})
		}
	}
	for _, i := range v.Items {
		x := itemView{Item: i, Badge: look.Badge{Tone: look.Wait, Word: c.say("portal.campaign.item." + string(i.State))}}
		if i.State == campaign.Failed {
			x.Badge.Tone = look.Bad
			if slices.Contains(words.Codes(), i.Outcome) {
				x.What = words.Refuse(i.Outcome).Cause(c.tongue.lang)
			}
		}
		data.Items = append(data.Items, x)
	}
	switch {
	case v.Refused:
		data.Standing = c.say("portal.campaign.refused")
	case v.Lapsed:
		data.Standing = c.say("portal.campaign.lapsed")
	case v.State == campaign.Asked:
		data.Standing = c.say("portal.campaign.asked", v.AskedBy)
	}
	waits := v.State == campaign.Draft || v.State == campaign.Asked && (v.Refused || v.Lapsed) || v.State == campaign.Stopped
	if data.May {
		resume := v.State == campaign.Stopped && v.ApprovedBy != ""
		data.Start = waits && (v.Alone || resume)
		data.Ask = waits && !data.Start
		data.Stop = v.State == campaign.Running
		data.Drop = v.State == campaign.Draft || v.State == campaign.Asked || v.State == campaign.Stopped
	}
	page := c.campaignTop("portal.campaign.one", v.Name)
	page.Crumbs = append(page.Crumbs, look.Crumb{Name: c.say("portal.campaign.title." + string(v.Kind)), Path: kindPaths[v.Kind]})
	page.Form = c.campaignForm(c.r.PostForm, faults...)
	page.Data = data
	status := http.StatusOK
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "ops-campaign", page)
}

type countLine struct {
	Key, Label string
	N          int
}

// criteria in the page's language, those that were given.
func (c *call) criteria(x campaign.Criteria) []line {
	var out []line
	add := func(name, value string) {
		if value != "" {
			out = append(out, line{c.say("portal.campaign.f." + name), value})
		}
	}
	day := func(name string, d civil.Date) {
		if !d.IsZero() {
			add(name, d.Italian())
		}
	}
	day("scadono_dal", x.From)
	day("scadono_al", x.Until)
	add("asl", x.ASL)
	add("comune", x.Comune)
	add("modello", string(x.Model))
	if x.Chip != production.ChipAsConfigured {
		add("chip", c.say("portal.campaign.f.chip."+string(x.Chip)))
	}
	add("lotto", x.Batch)
	for _, i := range c.p.Campaigns.Issuers() {
		if i.ID == x.Issuer {
			add("emittente", i.Name)
		}
	}
	day("emesse_dal", x.IssuedFrom)
	day("emesse_al", x.IssuedUntil)
	if x.Motive != "" {
		add("motivo_revoca", c.say("portal.campaign.f.motivo_revoca."+string(x.Motive)))
	}
	if x.List != "" {
		add("elenco", x.List[:min(16, len(x.List))])
	}
	return out
}

// preview is what the choice counted: the first line less the next ones is the
// last.
func (c *call) preview(v campaign.View) []line {
	p := v.Preview
	out := []line{{c.say("portal.campaign.p.looked"), strconv.Itoa(p.Looked)}}
	for _, x := range []struct {
		key string
		n   int
	}{{"elsewhere", p.Elsewhere}, {"followed", p.Followed}, {"notassisted", p.NotAssisted}, {"over", p.Over}, {"unknown", p.Unknown}, {"notlonger", p.NotLonger}} {
		if x.n > 0 {
			out = append(out, line{c.say("portal.campaign.p." + x.key), "− " + strconv.Itoa(x.n)})
		}
	}
	out = append(out, line{c.say("portal.campaign.p.left"), strconv.Itoa(v.Total)})
	for _, g := range []struct {
		key string
		m   map[string]int
	}{{"asl", p.ASL}, {"model", p.Model}, {"state", p.State}, {"motive", p.Motive}} {
		for _, k := range slices.Sorted(maps.Keys(g.m)) {
			name := k
			switch g.key {
			case "state":
				name = c.say("portal.state." + k)
			case "motive":
				name = c.say("portal.campaign.f.motivo_revoca." + k)
			}
			out = append(out, line{c.say("portal.campaign.p."+g.key, name), strconv.Itoa(g.m[k])})
		}
	}
	return out
}

// campaignStep starts, stops or drops a campaign.
func (c *call) campaignStep() error {
	if err := c.form(); err != nil {
		return err
	}
	id, ctx, desk := c.r.PathValue("id"), c.r.Context(), c.p.Campaigns.Desk
	var err error
	switch c.r.PathValue("passo") {
	case "avvia":
		_, err = desk.Start(ctx, *c.op, id, c.value("motivo_richiesta"))
	case "ferma":
		err = desk.Stop(ctx, *c.op, id)
	case "rinuncia":
		err = desk.Drop(ctx, *c.op, id)
	default:
		err = words.Refuse("CSE-002")
	}
	if f := words.FaultOf(err); f != nil && f.Code == "CSE-003" {
		return err
	}
	return c.opsDone(err, campaignsPath+"/"+id, func(f *words.Fault) error { return c.campaignPage(f) })
}
