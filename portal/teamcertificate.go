package portal

import (
	"net/http"
	"net/url"
	"strconv"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/entitlement"
	"cse.example/cse/portal/look"
)

// certificateView is a certificate in the page's language.
type certificateView struct {
	ID, Period, Issued string
	Badge              look.Badge
	Back               []line
	Address            string
}

func (c *call) certificates() error { return c.certificatesPage(http.StatusOK) }

// certificatesPage offers a certificate and lists those made; who may have none
// reads why, and no form.
func (c *call) certificatesPage(status int, faults ...*words.Fault) error {
	me, err := c.myCF()
	if err != nil {
		return err
	}
	ctx, room := c.r.Context(), c.p.Area.Certificates
	mine, err := room.Of(ctx, me)
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
	data := map[string]any{"Mine": views}
	page := c.areaPage("portal.team.title", data)
	offer, err := room.Offer(ctx, me)
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
	me, err := c.myCF()
	if err != nil {
		return err
	}
	var faults []*words.Fault
	from, to := c.date("periodo_dal", &faults), c.date("periodo_al", &faults)
	faults = append(faults, c.empty("periodo_dal", "periodo_al")...)
	if len(faults) > 0 {
		return c.certificatesPage(http.StatusUnprocessableEntity, faults...)
	}
	x, err := c.p.Area.Certificates.Issue(c.r.Context(), me, c.value("richiesta"), from, to)
	if err != nil {
		return c.refusal(err, c.certificatesPage)
	}
	return c.leave("/tessera/certificato-team/" + x.ID)
}

// mine finds the certificate of the address; another's is not there.
func (c *call) mine() (entitlement.Certificate, error) {
	me, err := c.myCF()
	if err != nil {
		return entitlement.Certificate{}, err
	}
	return c.p.Area.Certificates.Get(c.r.Context(), me, c.r.PathValue("id"))
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
	x, err := c.mine()
	if err != nil {
		return err
	}
	v, err := c.certificateView(x)
	if err != nil {
		return err
	}
	page := c.areaPage("portal.team.one", map[string]any{"One": v}, x.From.Italian(), x.To.Italian())
	c.crumbs(page, "look.menu.card", "/tessera", "portal.team.title", "/tessera/certificato-team")
	return c.show(http.StatusOK, "teamcertificate", page)
}

func (c *call) certificatePDF() error {
	x, err := c.mine()
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
