package portal

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/portal/look"
)

// answer is one page's handler; an error becomes an error page.
type answer func(c *call) error

// routes is the site's table. Public pages need nobody; citizen pages a session
// that a card opened; counter pages an operator.
func (p *Portal) routes() http.Handler {
	mux := http.NewServeMux()
	at := func(pattern string, a answer) {
		p.patterns = append(p.patterns, pattern)
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, a) })
	}
	for path, name := range map[string]string{
		"/cartasanitaria": "hub", "/verifica-postazione": "station", "/contatti": "contacts",
		"/note-legali": "legal", "/accessibilita": "accessibility",
	} {
		at("GET "+path, public(name))
	}
	at("GET /{$}", (*call).home)
	at("GET /accedi", (*call).accedi)
	at("GET /servizi-online", (*call).services)
	at("GET /sicurezza", (*call).security)
	at("GET /entra", (*call).enter)
	at("GET /ritorno", (*call).back)
	at("POST /uscita", (*call).logout)
	at("GET /uscita", (*call).left)
	at("GET /revoca", (*call).revokeForm)
	at("POST /revoca", (*call).revoke)

	p.PublicRoutes(at)
	p.noticeRoutes(at)
	p.signatureRoutes(at)
	p.extensionRoutes(at)

	at("GET /tessera", citizen((*call).tessera))
	p.areaRoutes(at)

	at("GET /sportello", atCounter((*call).desk))
	at("POST /sportello/cerca", atCounter((*call).search))
	at("GET /sportello/cerca", func(c *call) error { return c.leave("/sportello") }) // a search is not an address
	at("GET /sportello/tessera/{numero}", atCounter((*call).sheetOfCard))
	at("GET /sportello/titolare/{riferimento}", atCounter((*call).sheetOfHolder))
	at("GET /sportello/attivazione", atCounter((*call).begin))
	at("POST /sportello/attivazione", atCounter((*call).start))
	at("GET /sportello/attivazione/{id}", atCounter((*call).resumeDraft))
	at("GET /sportello/attivazione/{id}/{step}", atCounter((*call).step))
	at("POST /sportello/attivazione/{id}/{step}", atCounter((*call).fill))
	p.delegationRoutes(at)
	at("GET /sportello/pratica/{anno}/{numero}", atCounter((*call).file))
	at("POST /sportello/pratica/{anno}/{numero}/modulo", atCounter((*call).printForm))
	at("POST /sportello/pratica/{anno}/{numero}/consegna", atCounter((*call).handOver))
	p.twinRoutes(at)
	p.archiveRoutes(at)
	p.declarationRoutes(at)
	p.shiftRoutes(at)
	p.formRoutes(at)
	p.privacyRoutes(at)
	p.helpdeskRoutes(at)
	p.deskRoutes(at)
	p.holdRoutes(at)
	p.phoneRoutes(at)
	p.successorRoutes(at)
	p.operationsRoutes(at)
	p.approvalRoutes(at)
	p.rosterRoutes(at)
	p.readerRoutes(at)
	p.lockRoutes(at)
	p.campaignRoutes(at)
	p.trustRoutes(at)
	at("GET /sportello/aiuto", atCounter((*call).deskHelp))

	at("/", func(*call) error { return words.Refuse("CSE-002") })
	return p.outer(mux)
}

// Routes lists every route's pattern, in the order of the table.
func (p *Portal) Routes() []string { return slices.Clone(p.patterns) }

// outer is what happens before any page: assets, other sites' forms,
// maintenance, language.
func (p *Portal) outer(mux *http.ServeMux) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(&call{p: p, w: w, r: r, tongue: tongueOf(r)}).fail(words.Refuse("CSE-353"))
	}))
	pages := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := tongueOf(r)
		t.remember(w)
		w.Header().Set("Vary", "Accept-Language, Cookie")
		if p.Maintenance != nil {
			if m, closed := p.Maintenance(); closed {
				p.closed(&call{p: p, w: w, r: r, tongue: t}, m)
				return
			}
		}
		inner := r.Clone(r.Context())
		inner.URL.Path, inner.URL.RawPath = t.path, ""
		mux.ServeHTTP(w, withTongue(inner, t))
	})
	all := http.NewServeMux()
	all.Handle(look.Prefix, p.look.Handler())
	all.Handle("/", guard.Handler(pages))
	return all
}

// serve answers one request: session, page, and whatever goes wrong.
func (p *Portal) serve(w http.ResponseWriter, r *http.Request, a answer) {
	c := &call{p: p, w: w, r: r, tongue: tongueIn(r)}
	defer func() {
		if x := recover(); x != nil {
			if x == http.ErrAbortHandler {
				panic(x)
			}
			c.fail(fmt.Errorf("panic: %v", x))
		}
	}()
	err := c.resume()
	if err == nil && c.session != nil && c.session.Account+c.session.Card != "" {
		c.findOperator()
	}
	switch {
	case err != nil:
	case c.locked != nil:
		err = c.whileLocked(a)
	default:
		err = a(c)
	}
	if err != nil {
		c.fail(err)
	}
}

// findOperator asks the counter who this is, for the menu; the counter's pages
// ask on their own and show the refusal.
func (c *call) findOperator() {
	if op, err := c.p.operator(*c.session); err == nil {
		c.op = &op
	}
}

// citizen lets in a session that a card opened, and sends nobody to login.
func citizen(a answer) answer {
	return func(c *call) error {
		if c.session == nil {
			return c.askLogin()
		}
		if !c.session.byCard() {
			return words.Refuse("CSE-355")
		}
		return a(c)
	}
}

// atCounter lets in an operator, asked again at each request.
func atCounter(a answer) answer {
	return func(c *call) error {
		if c.session == nil {
			return c.askLogin()
		}
		op, err := c.p.operator(*c.session)
		if err != nil {
			return err
		}
		c.op = &op
		if !op.AtCounter() && c.tongue.path == "/sportello" {
			if op.Has(staff.RoleSecurity) {
				return c.leave("/gestione/privacy")
			}
			return c.leave(opsRoot)
		}
		if !op.AtCounter() {
			return words.Refuse("CSE-003")
		}
		if len(op.Offices) > 1 && c.session.Office != op.Office.ID {
			return c.leave("/sportello/ufficio") // he says first where he works
		}
		return a(c)
	}
}

// askLogin sends to login and back here; a form posted without a session goes
// to the login page instead, since its content is lost.
func (c *call) askLogin() error {
	if c.r.Method == http.MethodGet {
		return c.leave("/entra?" + url.Values{"a": {c.tongue.path}}.Encode())
	}
	return c.stranger()
}

// closed is the maintenance page: reason and end, 503 with Retry-After (R2).
func (p *Portal) closed(c *call, m Maintenance) {
	until := m.Until.In(civil.Rome)
	seconds := int(m.Until.Sub(p.Clock.Now()) / time.Second)
	c.w.Header().Set("Retry-After", fmt.Sprint(max(seconds, 1)))
	page := c.page("", "portal.maintenance.title")
	page.Fault = words.Refuse("CSE-352", until.Format("02/01/2006"), until.Format("15:04"))
	reason := m.Reason[c.tongue.lang]
	if reason == "" {
		reason = m.Reason[words.Italian]
	}
	n := look.NoticeOf(c.tongue.lang, page.Fault)
	n.Tone = "warn"
	page.Data = map[string]any{"Notice": n, "Reason": strings.TrimSpace(reason)}
	if err := c.show(http.StatusServiceUnavailable, "maintenance", page); err != nil {
		c.fail(err)
	}
}
