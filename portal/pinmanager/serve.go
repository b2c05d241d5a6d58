package pinmanager

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"cse.example/cse/card/reader"
	"cse.example/cse/ground/words"
	"cse.example/cse/portal/look"
)

// routes lists every page. Whatever is not here is CSE-865.
func (m *Manager) routes() {
	at := func(pattern string, answer func(c *call) error) {
		m.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			c, ok := w.(*call)
			if !ok {
				panic("pinmanager: a page outside of ServeHTTP")
			}
			c.r = r
			if err := answer(c); err != nil {
				c.fail(err)
			}
		})
	}
	at("GET /{$}", (*call).home)
	at("GET /lettori", (*call).readers)
	at("POST /lettori", (*call).choose)
	at("GET /pin", (*call).pinPage)
	at("POST /pin", (*call).changePIN)
	at("GET /sblocca", (*call).unblockReady)
	at("GET /sblocca/codici", (*call).unblockCodes)
	at("POST /sblocca/codici", (*call).unblock)
	at("GET /firma", (*call).signPage)
	at("POST /firma", (*call).bring)
	at("GET /firma/pin", (*call).signPIN)
	at("POST /firma/pin", (*call).sign)
	at("GET /firma/fatto", (*call).signedPage)
	at("GET /firma/file", (*call).signedFile)
	at("GET /verifica", (*call).verifyPage)
	at("POST /verifica", (*call).verify)
	at("GET /verifica/esito", (*call).verified)
	at("GET /verifica/rapporto/{kind}", (*call).reportFile)
	at("GET /estendi", (*call).extendPage)
	at("POST /estendi", (*call).extend)
	at("GET /diagnosi", (*call).diagnosisPage)
	at("GET /fatto", (*call).donePage)
	at("POST /chiudi", (*call).leave)
	at("/", func(c *call) error { return c.refuse(http.StatusNotFound, words.Refuse("CSE-865")) })
}

// call is one request and its answer.
type call struct {
	http.ResponseWriter
	m      *Manager
	w      http.ResponseWriter
	r      *http.Request
	lang   words.Lang
	prefix string // of the language in the address, kept by links
	in     bool   // the cookie is there
	sealed bool
}

// WriteHeader sets what our pages need beside look's headers: with no-referrer a
// browser would send "Origin: null" with our own forms, and HSTS means nothing here.
func (c *call) WriteHeader(status int) {
	if !c.sealed {
		c.sealed = true
		h := c.ResponseWriter.Header()
		h.Set("Referrer-Policy", "same-origin")
		h.Del("Strict-Transport-Security")
	}
	c.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (c *call) Write(b []byte) (int, error) {
	if !c.sealed {
		c.WriteHeader(http.StatusOK)
	}
	return c.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController through.
func (c *call) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// ServeHTTP implements http.Handler.
func (m *Manager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{ResponseWriter: w, m: m, r: r}
	c.w = c
	look.SecureHeaders(c.Header())
	c.lang, c.prefix, r.URL.Path = tongue(r)
	if f := m.fromOutside(r); f != nil {
		c.fail(f)
		return
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		switch {
		case strings.HasPrefix(r.URL.Path, look.Prefix):
			m.assets.ServeHTTP(c, r)
			return
		case r.Method == http.MethodGet && r.URL.Path == "/entra":
			c.settle(c.enter())
			return
		case r.URL.Path == "/benvenuto":
			c.settle(c.welcome())
			return
		}
	}
	if c.in = m.inside(r); !c.in {
		c.fail(words.Refuse("CSE-862"))
		return
	}
	defer m.use()()
	m.mux.ServeHTTP(c, r)
}

func (c *call) settle(err error) {
	if err != nil {
		c.fail(err)
	}
}

// tongue is the language of a request: that of its address (/it/…, /en/…), else
// the browser's; and the address without it.
func tongue(r *http.Request) (words.Lang, string, string) {
	for _, lang := range []words.Lang{words.Italian, words.English} {
		prefix := "/" + string(lang)
		if rest, ok := strings.CutPrefix(r.URL.Path, prefix); ok && (rest == "" || rest[0] == '/') {
			return lang, prefix, "/" + strings.TrimPrefix(rest, "/")
		}
	}
	return look.Preferred(r.Header.Get("Accept-Language")), "", r.URL.Path
}

// view is what every page gets: Until and Token belong to the frame, X to the page.
type view struct {
	Inside       bool
	Until, Token string
	X            any
}

// Form is a form's hidden part; card is the mark of the card that the page shows.
func (v view) Form(card string) any { return map[string]string{"Token": v.Token, "Card": card} }

func (c *call) say(key string, args ...any) string { return words.Say(c.lang, key, args...) }

// menu are the sections.
var menu = []look.Entry{
	{ID: "card", Key: "manager.menu.card", Path: "/"},
	{ID: "pin", Key: "manager.menu.pin", Path: "/pin"},
	{ID: "unblock", Key: "manager.menu.puk", Path: "/sblocca"},
	{ID: "sign", Key: "manager.menu.sign", Path: "/firma"},
	{ID: "verify", Key: "manager.menu.verify", Path: "/verifica"},
	{ID: "extend", Key: "manager.menu.extend", Path: "/estendi"},
	{ID: "diagnosis", Key: "manager.menu.diagnosis", Path: "/diagnosi"},
}

// page begins one; section is its entry in the menu, empty for none.
func (c *call) page(section, title string, args ...any) *look.Page {
	p := &look.Page{Lang: c.lang, Prefix: c.prefix, Section: section, Title: c.say(title, args...), Own: []look.Entry{}}
	if c.in {
		p.Own = menu
	}
	if c.r.Method == http.MethodGet {
		p.Path = c.r.URL.Path
	}
	return p
}

// show answers with a page.
func (c *call) show(status int, name string, p *look.Page, x any) error {
	v := view{Inside: c.in, X: x}
	if c.in {
		v.Token, v.Until = c.m.token(), c.m.again().In(c.m.Zone).Format("15:04")
	}
	p.Data = v
	return c.m.look.Render(c.w, status, name, p)
}

// redirect leads to another page of ours, after a form too.
func (c *call) redirect(path string) {
	c.Header().Set("Location", c.prefix+path)
	c.WriteHeader(http.StatusSeeOther)
}

// refuse answers with a fault's own page.
func (c *call) refuse(status int, f *words.Fault) error {
	p := c.page("", "manager.problem.title")
	p.Fault = f
	return c.show(status, "problem", p, problemView{Again: c.again(), Card: ofCard(f), Unblock: f.Code == "CSE-212"})
}

// problemView is what the page of a fault offers beside the fault.
type problemView struct {
	// Again is the page to try again, empty when that is no use.
	Again string
	// Card: it has to do with card or reader, and the diagnosis may tell more.
	Card bool
	// Unblock: the PUK helps.
	Unblock bool
}

// again is the page where the person was.
func (c *call) again() string {
	if !c.in || c.r.Method != http.MethodGet && c.r.Method != http.MethodPost {
		return ""
	}
	return c.r.URL.Path
}

// ofCard tells the faults of card and reader.
func ofCard(f *words.Fault) bool { return strings.HasPrefix(f.Code, "CSE-2") }

// statuses are those of faults that have one of their own.
var statuses = map[string]int{
	"CSE-855": http.StatusForbidden, "CSE-856": http.StatusForbidden, "CSE-862": http.StatusForbidden,
	"CSE-857": http.StatusConflict, "CSE-858": http.StatusConflict, "CSE-859": http.StatusConflict,
	"CSE-864": http.StatusRequestEntityTooLarge, "CSE-869": http.StatusServiceUnavailable, "CSE-865": http.StatusNotFound, "CSE-866": http.StatusBadRequest,
	"CSE-259": http.StatusInternalServerError,
}

// fail answers with the page of an error.
func (c *call) fail(err error) {
	f := faultOf(err)
	if f.Code == "CSE-859" {
		if err = c.readersPage(http.StatusConflict, f); err == nil {
			return
		}
		f = faultOf(err)
	}
	status := statuses[f.Code]
	if status == 0 {
		status = http.StatusConflict
	}
	if err := c.refuse(status, f); err != nil {
		http.Error(c.w, f.Code, http.StatusInternalServerError)
	}
}

// faultOf finds the fault in err or makes one. Nothing that a person typed is in it.
func faultOf(err error) *words.Fault {
	if errors.Is(err, reader.ErrRemoved) && words.FaultOf(err) == nil {
		return words.Refuse(reader.CodeNoCard).Because(err)
	}
	if f := words.FaultOf(err); f != nil {
		return f
	}
	return words.Refuse("CSE-259", err.Error()).Because(err)
}

// form gives a page its form, with what was wrong with it.
func (c *call) form(p *look.Page, labels map[string]string, values url.Values, faults ...*words.Fault) {
	p.Form = look.NewForm(c.lang, values, faults...)
	p.Form.Labels = labels
	if len(faults) > 0 {
		p.Fault = faults[0]
	}
}

// leave ends the manager by its button.
func (c *call) leave() error {
	if _, err := c.read(); err != nil {
		return err
	}
	c.in = false
	err := c.show(http.StatusOK, "closed", c.page("", "manager.closed.title"), nil)
	c.m.end()
	return err
}

// count is a number of tries in words.
func (c *call) count(n int) string {
	if n == 1 {
		return c.say("manager.tries.one")
	}
	return c.say("manager.tries.many", strconv.Itoa(n))
}
