package portal

import (
	"net"
	"net/http"
	"strconv"
	"strings"

	"cse.example/cse/issuer/throttle"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// public is a page made of texts only.
func public(name string) answer {
	section := map[string]string{"hub": "cartasanitaria", "contacts": "contatti", "station": "cartasanitaria"}[name]
	return func(c *call) error {
		page := c.page(section, "portal."+name+".title")
		switch name {
		case "hub":
			page.Data = c.p.Signatures != nil
			c.crumbs(page)
		case "station":
			c.crumbs(page, "look.menu.hub", "/cartasanitaria")
		default:
			c.crumbs(page)
		}
		return c.show(http.StatusOK, name, page)
	}
}

func (c *call) home() error {
	return c.show(http.StatusOK, "home", c.page("home", "portal.home.title"))
}

// accedi explains the ways in; the button leads to login.
func (c *call) accedi() error {
	page := c.page("", "portal.login.title")
	c.crumbs(page)
	page.Data = ourPath(c.r.URL.Query().Get("a"))
	return c.show(http.StatusOK, "login", page)
}

// serviceView is a Service in the page's language.
type serviceView struct{ Name, About, URL string }

// in is a configured text in the page's language, else in Italian.
func (c *call) in(m map[words.Lang]string) string {
	if s := m[c.tongue.lang]; s != "" {
		return s
	}
	return m[words.Italian]
}

// services is the catalogue of the three levels (R54, R55).
func (c *call) services() error {
	page := c.page("servizi", "portal.services.title")
	c.crumbs(page)
	groups := map[string][]serviceView{}
	for _, s := range c.p.Config.Services {
		groups[s.Level] = append(groups[s.Level], serviceView{c.in(s.Name), c.in(s.About), s.URL})
	}
	type group struct {
		Key      string
		Services []serviceView
	}
	var data []group
	for _, level := range []string{"central", "regional", "municipal"} {
		if len(groups[level]) > 0 {
			data = append(data, group{"portal.services." + level, groups[level]})
		}
	}
	page.Data = data
	return c.show(http.StatusOK, "services", page)
}

func (c *call) logout() error {
	if err := c.end(); err != nil {
		return err
	}
	c.w.Header().Set("Clear-Site-Data", `"cache", "cookies", "storage"`)
	return c.leave("/uscita")
}

func (c *call) left() error {
	page := c.page("", "portal.logout.title")
	return c.show(http.StatusOK, "logout", page)
}

func (c *call) revokeForm() error {
	page := c.page("", "portal.revoke.title")
	c.crumbs(page, "look.menu.hub", "/cartasanitaria")
	page.Form = c.newForm(nil)
	return c.show(http.StatusOK, "revoke", page)
}

// revoke ends a certificate with the CIP: no login, no operator (R84). The CIP
// never goes back to the page.
func (c *call) revoke() error {
	if err := c.form(); err != nil {
		return err
	}
	who := strings.ToUpper(compact(c.value("chi")))
	cip := compact(c.value("cip"))
	var faults []*words.Fault
	if who == "" {
		faults = append(faults, words.Refuse("CSE-358").At("chi"))
	}
	if cip == "" {
		faults = append(faults, words.Refuse("CSE-358").At("cip"))
	}
	if c.value("capito") == "" {
		faults = append(faults, words.Refuse("CSE-360").At("capito"))
	}
	if len(faults) > 0 {
		return c.revokeAgain(http.StatusUnprocessableEntity, faults...)
	}
	receipt, err := c.p.Revoke(c.r.Context(), who, secret.FromString(cip), sourceOf(c.r), c.tongue.lang)
	if wait := throttle.WaitOf(err); wait > 0 {
		c.w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
	}
	if f := words.FaultOf(err); f != nil {
		status := statusOf(f)
		if status == http.StatusForbidden {
			status = http.StatusUnprocessableEntity
		}
		return c.revokeAgain(status, f)
	}
	if err != nil {
		return err
	}
	page := c.page("", "portal.revoked.title")
	page.Data = receipt.Protocol
	return c.show(http.StatusOK, "revoked", page)
}

func (c *call) revokeAgain(status int, faults ...*words.Fault) error {
	page := c.page("", "portal.revoke.title")
	c.crumbs(page, "look.menu.hub", "/cartasanitaria")
	c.r.PostForm.Del("cip")
	page.Fault = faults[0]
	page.Form = c.newForm(c.r.PostForm, faults...)
	return c.show(status, "revoke", page)
}

// compact drops the spaces, dots and asterisks that people and bar code
// scanners add to a number.
func compact(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\u00a0', '.', '*', '-', '\t':
			return -1
		}
		return r
	}, s)
}

// sourceOf is the caller's network address, without the port.
func sourceOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
