package pinmanager

import (
	"encoding/json"
	"net/http"
	"slices"

	"cse.example/cse/ground/words"
	shown "cse.example/cse/portal/signed"
	"cse.example/cse/signature"
)

// reported is a verification: it has no card and no PIN.
type reported struct {
	signature.Report
	who signature.Recipient
}

var verifyLabels = map[string]string{
	"firmato": "manager.verify.file", "documento": "portal.signature.content", "per": "portal.signature.for",
}

// verifyPage asks for a signed file.
func (c *call) verifyPage() error {
	return c.verifyForm(http.StatusOK, upload{Values: map[string][]string{"per": {string(signature.PublicAdministration)}}})
}

func (c *call) verifyForm(status int, u upload, faults ...*words.Fault) error {
	p := c.page("verify", "portal.signature.title")
	p.Path = "/verifica"
	c.form(p, verifyLabels, u.Values, faults...)
	return c.show(status, "verify", p, struct {
		Recipients []string
		Max        int
	}{names(signature.Recipients), maxDocument >> 20})
}

// verify reads the file, keeps the report and forgets the file.
func (c *call) verify() error {
	u, err := c.upload("firmato", "documento")
	if f := words.FaultOf(err); f != nil && f.Field != "" {
		return c.verifyForm(status(f), u, f)
	} else if err != nil {
		return err
	}
	who := signature.Recipient(u.Get("per"))
	if !slices.Contains(signature.Recipients, who) {
		who = signature.PublicAdministration
	}
	file := u.files["firmato"]
	r, err := c.m.Verify(c.r.Context(), file.data, u.files["documento"].data)
	if f := words.FaultOf(err); f != nil {
		switch {
		case f.Code == "CSE-727":
			f.Field = "documento"
		case f.Field == "":
			f.Field = "firmato"
		}
		return c.verifyForm(http.StatusUnprocessableEntity, u, f)
	} else if err != nil {
		return err
	}
	r.File, r.Content = file.name, nil
	c.m.put(func(d *desk) { d.report = &reported{r, who} })
	c.redirect("/verifica/esito")
	return nil
}

// verified shows the report.
func (c *call) verified() error {
	r := c.m.onDesk().report
	if r == nil {
		c.redirect("/verifica")
		return nil
	}
	v, fault := shown.Of(c.lang, r.Report, r.who)
	p := c.page("verify", "manager.verify.done")
	if fault != nil {
		c.Header().Set("CSE-Error", fault.Code)
	}
	return c.show(http.StatusOK, "verified", p, v)
}

// reportFile sends the report as PDF or JSON.
func (c *call) reportFile() error {
	r := c.m.onDesk().report
	if r == nil {
		return words.Refuse("CSE-865")
	}
	if c.r.PathValue("kind") == "json" {
		b, err := json.MarshalIndent(r.Report, "", "  ")
		if err != nil {
			return err
		}
		return c.send("application/json", "verifica.json", b)
	}
	b, err := c.m.Print(r.Report, c.lang)
	if err != nil {
		return err
	}
	return c.send("application/pdf", "verifica.pdf", b)
}
