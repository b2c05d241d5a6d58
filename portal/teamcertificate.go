package portal

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/entitlement"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/portal/look"
)

// certificateView is a certificate in the page's language.
type certificateView struct {
	ID, Period, Issued string
	Badge              look.Badge
	Back               []line
	Address            string
}

// myTEAM is where one's own certificates are.
const myTEAM = "/tessera/certificato-team"

// wardTEAM is where those of a child or ward are, by the number of a card of his.
func wardTEAM(card string) string { return "/tessera/figli/" + card + "/certificato-team" }

// bearer is for whom a certificate is made: the holder himself, or a child or
// ward named by a card in the address, for whom he stands at this request.
type bearer struct {
	me, cf codicefiscale.Code
	// name is empty for oneself; root is where the certificates are.
	name, root string
}

func (c *call) bearer() (bearer, error) {
	me, err := c.myCF()
	b := bearer{me: me, cf: me, root: myTEAM}
	number := c.r.PathValue("tessera")
	if err != nil || number == "" {
		return b, err
	}
	card, err := c.p.Cards.Get(c.r.Context(), number)
	if errors.Is(err, lifecycle.ErrUnknown) {
		return b, words.Refuse("CSE-002").Because(err)
	}
	if err != nil {
		return b, err
	}
	wards, err := c.p.Area.Wards(c.r.Context(), me)
	if err != nil {
		return b, err
	}
	if !slices.ContainsFunc(wards, func(w Ward) bool { return w.CF == card.CF }) {
		return b, words.Refuse("CSE-608")
	}
	p, err := c.p.People.Get(c.r.Context(), card.CF)
	b.cf, b.root, b.name = card.CF, wardTEAM(number), strings.TrimSpace(p.Name+" "+p.Surname)
	return b, err
}

// bearerCrumbs lead back from a page of certificates.
func (c *call) bearerCrumbs(page *look.Page, b bearer, list bool) {
	steps := []string{"look.menu.card", "/tessera"}
	if b.name != "" {
		steps = append(steps, "portal.wards.title", "/tessera/figli")
	}
	if list {
		steps = append(steps, "portal.team.title", b.root)
	}
	c.crumbs(page, steps...)
}

func (c *call) certificates() error { return c.certificatesPage(http.StatusOK) }

// certificatesPage offers a certificate and lists those made; who may have none
// reads why, and no form.
func (c *call) certificatesPage(status int, faults ...*words.Fault) error {
	who, err := c.bearer()
	if err != nil {
		return err
	}
	ctx, room := c.r.Context(), c.p.Area.Certificates
	mine, err := room.Of(ctx, who.cf)
	if err != nil {
		return err
	}
	var views []certificateView
	for _, x := range mine {
		v, err := c.certificateView(x)
		if err != nil {
			return err
		}
		views = append(views, v)
	}
	data := map[string]any{"Mine": views, "Root": who.root, "Name": who.name}
	page := c.areaPage("portal.team.title", data)
	c.bearerCrumbs(page, who, false)
	offer, err := room.Offer(ctx, who.cf)
	if f := words.FaultOf(err); f != nil {
		n := look.NoticeOf(c.tongue.lang, f)
		n.Tone = "warn"
		data["No"] = n
		return c.show(status, "teamcertificates", page)
	}
	if err != nil {
		return err
	}
	values := cloned(c.r.PostForm)
	if len(values) == 0 {
		values.Set("periodo_dal", offer.From.Italian())
		values.Set("periodo_al", offer.To.Italian())
	}
	request := values.Get("richiesta")
	if request == "" {
		if request, err = room.NewRequest(); err != nil {
			return err
		}
	}
	data["Request"], data["Longest"] = request, c.say("portal.team.longest", offer.To.Italian())
	if len(faults) > 0 {
		page.Fault = faults[0]
	}
	page.Form = c.newForm(values, faults...)
	return c.show(status, "teamcertificates", page)
}

func cloned(v url.Values) url.Values {
	out := url.Values{}
	for k, x := range v {
		out[k] = x
	}
	return out
}

func (c *call) issueCertificate() error {
	if err := c.form(); err != nil {
		return err
	}
	who, err := c.bearer()
	if err != nil {
		return err
	}
	var faults []*words.Fault
	from, to := c.date("periodo_dal", &faults), c.date("periodo_al", &faults)
	faults = append(faults, c.empty("periodo_dal", "periodo_al")...)
	if len(faults) > 0 {
		return c.certificatesPage(http.StatusUnprocessableEntity, faults...)
	}
	var x entitlement.Certificate
	if who.name == "" {
		x, err = c.p.Area.Certificates.Issue(c.r.Context(), who.cf, c.value("richiesta"), from, to)
	} else {
		x, err = c.p.Area.ForWards.IssueFor(c.r.Context(), who.me, who.cf, c.value("richiesta"), from, to)
	}
	if err != nil {
		return c.refusal(err, c.certificatesPage)
	}
	return c.leave(who.root + "/" + x.ID)
}

// mine finds the certificate of the address; another's is not there.
func (c *call) mine() (bearer, entitlement.Certificate, error) {
	who, err := c.bearer()
	if err != nil {
		return who, entitlement.Certificate{}, err
	}
	x, err := c.p.Area.Certificates.Get(c.r.Context(), who.cf, c.r.PathValue("id"))
	return who, x, err
}

func (c *call) certificateView(x entitlement.Certificate) (certificateView, error) {
	s, err := c.p.Area.Check.Standing(c.r.Context(), x)
	v := certificateView{
		ID: x.ID, Period: c.say("portal.team.period", x.From.Italian(), x.To.Italian()), Back: c.back7(x.Back), Badge: c.standing(s), Address: c.checkAt(x.ID), Issued: when(x.At),
	}
	return v, err
}

func (c *call) standing(s entitlement.Standing) look.Badge {
	tone := map[entitlement.Standing]look.Tone{entitlement.Good: look.Good, entitlement.NotYet: look.Wait, entitlement.Over: look.None}[s]
	if tone == "" {
		tone = look.Bad
	}
	return look.Badge{Tone: tone, Word: c.say("portal.team.standing." + string(s))}
}

// checkAt is where anybody checks a certificate.
func (c *call) checkAt(id string) string { return c.p.Config.URL + "/verifica-team/" + id }

// certificate is the certificate as a page: the PDF's twin for screen readers.
func (c *call) certificate() error {
	who, x, err := c.mine()
	if err != nil {
		return err
	}
	v, err := c.certificateView(x)
	if err != nil {
		return err
	}
	says, err := c.p.Area.PaperSays(c.tongue.lang, x, v.Address)
	if err != nil {
		return err
	}
	page := c.areaPage("portal.team.one", map[string]any{"One": v, "Root": who.root, "Says": says}, x.From.Italian(), x.To.Italian())
	c.bearerCrumbs(page, who, true)
	return c.show(http.StatusOK, "teamcertificate", page)
}

func (c *call) certificatePDF() error {
	_, x, err := c.mine()
	if err != nil {
		return err
	}
	pdf, err := c.p.Area.Paper(c.r.Context(), c.tongue.lang, x, c.checkAt(x.ID))
	if err != nil {
		return err
	}
	h := c.w.Header()
	look.SecureHeaders(h)
	h.Set("Content-Type", "application/pdf")
	h.Set("Content-Disposition", `attachment; filename="certificato-team.pdf"`)
	h.Set("Content-Length", strconv.Itoa(len(pdf)))
	_, _ = c.w.Write(pdf) // the asker may be gone
	return nil
}

// verifyCertificate answers whoever was handed a certificate: no login, few data.
func (c *call) verifyCertificate() error {
	s, err := c.p.Area.Check.Verify(c.r.Context(), c.r.PathValue("id"), sourceOf(c.r))
	page := c.page("", "portal.verify.title")
	c.crumbs(page)
	if f := words.FaultOf(err); f != nil {
		return c.refusal(err, func(status int, faults ...*words.Fault) error {
			if f.Code == "CSE-604" {
				status = http.StatusNotFound
			}
			page.Fault, page.Data = f, map[string]any{"Notice": look.NoticeOf(c.tongue.lang, f)}
			return c.show(status, "teamverify", page)
		})
	}
	if err != nil {
		return err
	}
	page.Data = map[string]any{
		"Badge": c.standing(s.Standing), "Text": c.say("portal.verify." + string(s.Standing) + ".text"),
		"Facts": []line{
			{c.say("portal.verify.state"), s.CountryOfIssue},
			{c.say("portal.verify.initials"), s.Initials},
			{c.say("portal.verify.born"), strconv.Itoa(s.Born)},
			{c.say("portal.verify.four"), s.LastFour},
			{c.say("portal.verify.from"), s.From.Italian()},
			{c.say("portal.verify.to"), s.To.Italian()},
			{c.say("portal.verify.issued"), when(s.Issued)},
		},
	}
	return c.show(http.StatusOK, "teamverify", page)
}
