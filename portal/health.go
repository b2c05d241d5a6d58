package portal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/contacts"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/operations"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/portal/look"
)

// The machine on the dashboard, the requests to other issuers, and the models of
// the letters (O1, O9).

// OpsHealth is the machine and what goes to other issuers; an *operations.Room is one.
type OpsHealth interface {
	Health(ctx context.Context, op staff.Operator) (operations.Health, error)
	Requests(ctx context.Context, op staff.Operator) ([]operations.Asked, error)
	RequestSent(ctx context.Context, op staff.Operator, name string) error
	// Letters tells whether op may read the models of the letters.
	Letters(ctx context.Context, op staff.Operator) error
}

func (p *Portal) healthRoutes(at func(pattern string, a answer)) {
	at("GET "+opsRoot+"/richieste", staffed((*call).opsRequests))
	at("POST "+opsRoot+"/richieste", staffed((*call).opsRequestSent))
	at("GET "+opsRoot+"/modelli", staffed((*call).opsLetters))
	at("GET "+opsRoot+"/modelli/{modello}", staffed((*call).opsLetter))
}

type keyView struct {
	Name, Until string
	Badge       look.Badge
}

type healthView struct {
	operations.Health
	Latency string
	Badge   look.Badge
	Keys    []keyView
	// Odd tells that many logins were refused today.
	Odd look.Badge
}

func (c *call) health() (healthView, error) {
	h, err := c.p.Operations.Health.Health(c.r.Context(), *c.op)
	v := healthView{Health: h, Badge: look.Badge{Tone: look.Good, Word: c.say("portal.ops.fast")}, Odd: look.Badge{Tone: look.Good, Word: c.say("portal.ops.logins.usual")}}
	if err != nil {
		return v, err
	}
	switch {
	case h.OCSP.Answers == 0:
		v.Badge = look.Badge{Tone: look.None, Word: c.say("portal.ops.noanswers")}
	case h.OCSP.P95 >= operations.TooSlow:
		v.Badge = look.Badge{Tone: look.Bad, Word: c.say("portal.ops.tooslow")}
	case h.OCSP.P95 >= operations.Slow:
		v.Badge = look.Badge{Tone: look.Wait, Word: c.say("portal.ops.slow")}
	}
	v.Latency = c.say("portal.ops.ocsp.text", c.milliseconds(h.OCSP.P50), c.milliseconds(h.OCSP.P95), h.OCSP.Answers, h.OCSP.Failed, when(h.OCSP.Since))
	if h.Day.Cards+h.Day.Operators >= operations.ManyFailed {
		v.Odd = look.Badge{Tone: look.Wait, Word: c.say("portal.ops.logins.many")}
	}
	for _, k := range h.Keys {
		v.Keys = append(v.Keys, c.keyView(k))
	}
	return v, nil
}

// milliseconds has one decimal, after a comma in Italian.
func (c *call) milliseconds(d time.Duration) string {
	s := strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 1, 64)
	if c.tongue.lang == words.Italian {
		s = strings.Replace(s, ".", ",", 1)
	}
	return s
}

// keyView warns when a tenth of a certificate's life is left.
func (c *call) keyView(k operations.Key) keyView {
	v := keyView{Name: c.say("portal.ops.key."+k.Name, k.Args...), Badge: look.Badge{Tone: look.Good, Word: c.say("portal.ops.key.open")}}
	if !k.Here {
		v.Badge = look.Badge{Tone: look.None, Word: c.say("portal.ops.key.elsewhere")}
	}
	if !k.Until.IsZero() {
		v.Until = when(k.Until)
	}
	if b, odd := c.authorityBadge(k, c.p.Clock.Now()); odd {
		v.Badge = b
		return v
	}
	if k.Until.IsZero() {
		return v
	}
	switch left := k.Until.Sub(c.p.Clock.Now()); {
	case left <= 0:
		v.Badge = look.Badge{Tone: look.Bad, Word: c.say("portal.ops.crl.over")}
	case left < k.Until.Sub(k.From)/10:
		v.Badge = look.Badge{Tone: look.Wait, Word: c.say("portal.ops.key.soon")}
	}
	return v
}

type askedView struct {
	operations.Asked
	What, When, Sent string
	Badge            look.Badge
}

func (c *call) opsRequests() error { return c.opsRequestsPage() }

func (c *call) opsRequestsPage(faults ...*words.Fault) error {
	list, err := c.p.Operations.Health.Requests(c.r.Context(), *c.op)
	if err != nil {
		return err
	}
	data := struct {
		List     []askedView
		Done     string
		ReadOnly bool
	}{ReadOnly: c.readsOnly()}
	if c.r.URL.Query().Get("fatto") != "" {
		data.Done = c.say("portal.ops.requests.done")
	}
	for _, x := range list {
		v := askedView{Asked: x, When: when(x.At), Sent: when(x.SentAt), Badge: look.Badge{Tone: look.Wait, Word: c.say("portal.ops.requests.waits")}}
		if x.Act != "" {
			v.What = c.say("portal.ops.requests.act." + x.Act)
		}
		switch {
		case x.Name == "":
			v.Badge.Word = c.say("portal.ops.requests.queued")
		case !x.SentAt.IsZero():
			v.Badge = look.Badge{Tone: look.Good, Word: c.say("portal.ops.requests.sent")}
		}
		data.List = append(data.List, v)
	}
	page := c.opsPage("portal.ops.requests")
	page.Form = c.newForm(nil, faults...)
	page.Data = data
	status := http.StatusOK
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "ops-requests", page)
}

func (c *call) opsRequestSent() error {
	if err := c.form(); err != nil {
		return err
	}
	err := c.p.Operations.Health.RequestSent(c.r.Context(), *c.op, c.value("richiesta"))
	return c.opsDone(err, opsRoot+"/richieste?fatto=si", func(f *words.Fault) error { return c.opsRequestsPage(at(f, "")) })
}

// letterView is a letter as somebody who does not exist would get it. Version is
// the beginning of the hash of both languages: it changes with any letter of it.
type letterView struct {
	ID, Path, Version, Subject, Text string
	Lang                             words.Lang
}

// model is a letter's text in a language, with invented data.
type model struct {
	id   string
	text func(lang words.Lang) (subject, text string)
}

// models lists every letter of counters and of the citizen's area. The halves of
// codes are points: no letter of codes is ever shown.
func (c *call) models() []model {
	const card, protocol, name = "6090000000001234", "2026/0000123", "Mario"
	at := c.p.Clock.Now()
	out := []model{{"codici", func(l words.Lang) (string, string) {
		points := secret.FromString("•••")
		return counter.CodesMail{Protocol: protocol, Card: card, FirstName: name, Lang: l}.Text(codes.Second{PIN: points, PUK: points, CIP: points})
	}}}
	for _, e := range counter.Events() {
		out = append(out, model{string(e), func(l words.Lang) (string, string) {
			return counter.Notice{Event: e, Protocol: protocol, Card: card, FirstName: name, At: at, Lang: l}.Text()
		}})
	}
	for _, x := range []struct {
		event string
		args  []string
	}{
		{"code-new", []string{name, "••••••", when(at)}},
		{"code-old", []string{name, "••••••", when(at)}},
		{"announced", []string{name, when(at)}},
		{"changed", []string{name, when(at)}},
		{"expiry", []string{name, "1234", c.p.today().Italian()}},
		{"first-login", []string{name, "1234", when(at)}},
	} {
		out = append(out, model{x.event, func(l words.Lang) (string, string) {
			return contacts.Letter{Event: x.event, Lang: l, Args: x.args}.Text()
		}})
	}
	return out
}

func (c *call) letterOf(m model, lang words.Lang) letterView {
	v := letterView{ID: m.id, Path: opsRoot + "/modelli/" + m.id, Lang: lang}
	v.Subject, v.Text = m.text(lang)
	return v
}

// letterVersion is of the texts as they are kept, without the invented data.
func letterVersion(id string) string {
	var parts []string
	for _, l := range []words.Lang{words.Italian, words.English} {
		for _, key := range []string{"counter.notice." + id, "contacts.mail." + id} {
			for _, end := range []string{".subject", ".text"} {
				if words.Has(l, key+end) {
					parts = append(parts, words.Say(l, key+end))
				}
			}
		}
		if id == "codici" {
			parts = append(parts, words.Say(l, "counter.codes.subject"), words.Say(l, "counter.codes.before"), words.Say(l, "counter.codes.after"))
		}
	}
	h := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(h[:4])
}

func (c *call) opsLetters() error {
	if err := c.p.Operations.Health.Letters(c.r.Context(), *c.op); err != nil {
		return err
	}
	var list []letterView
	for _, m := range c.models() {
		v := c.letterOf(m, c.tongue.lang)
		v.Version = letterVersion(m.id)
		list = append(list, v)
	}
	page := c.opsPage("portal.ops.letters")
	page.Data = list
	return c.show(http.StatusOK, "ops-letters", page)
}

func (c *call) opsLetter() error {
	if err := c.p.Operations.Health.Letters(c.r.Context(), *c.op); err != nil {
		return err
	}
	for _, m := range c.models() {
		if m.id != c.r.PathValue("modello") {
			continue
		}
		page := c.opsPage("portal.ops.letters")
		own := c.letterOf(m, c.tongue.lang)
		page.Title = own.Subject
		c.crumbs(page, "look.menu.operations", opsRoot, "portal.ops.letters", opsRoot+"/modelli")
		page.Data = struct {
			Version string
			Texts   []letterView
		}{letterVersion(m.id), []letterView{c.letterOf(m, words.Italian), c.letterOf(m, words.English)}}
		return c.show(http.StatusOK, "ops-letter", page)
	}
	return words.Refuse("CSE-002")
}
