package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/audit"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/portal"
)

// side says whose a route is: "counter" for whoever works here, "citizen" for a
// holder by his card, empty for everybody.
func side(pattern string) string {
	_, path, _ := strings.Cut(pattern, " ")
	if pattern == "GET /sportello/cerca" {
		return "" // leads back to the desk, which asks
	}
	under := func(roots ...string) bool {
		return slices.ContainsFunc(roots, func(r string) bool { return path == r || strings.HasPrefix(path, r+"/") })
	}
	switch {
	case under("/sportello", "/operazioni", "/gestione", "/approvazioni", "/sblocca"):
		return "counter"
	case under("/tessera"):
		return "citizen"
	}
	return ""
}

// outsider is a browser that no operator has.
type outsider struct {
	t      *testing.T
	p      *Platform
	card   string
	cookie string // empty: no session
	tries  int
}

// ask goes to a route and answers the code and the way on.
func (o *outsider) ask(pattern string) (code, to string) {
	o.t.Helper()
	o.tries++
	method, path, found := strings.Cut(pattern, " ")
	if !found {
		method, path = http.MethodGet, pattern
	}
	for _, x := range [][2]string{{"/tessera/{numero}", "/tessera/" + o.card}, {"{atto}", "sospendi"}, {"{anno}", "2026"}, {"{numero}", "0000001"}, {"{$}", ""}} {
		path = strings.ReplaceAll(path, x[0], x[1])
	}
	for strings.Contains(path, "{") {
		i, j := strings.Index(path, "{"), strings.Index(path, "}")
		path = path[:i] + "x" + path[j+1:]
	}
	rq := httptest.NewRequestWithContext(o.t.Context(), method, o.p.Config.Public.Portal+path, strings.NewReader(url.Values{"tessera": {o.card}}.Encode()))
	rq.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rq.Header.Set("Sec-Fetch-Site", "same-origin")
	if o.cookie != "" {
		rq.AddCookie(&http.Cookie{Name: portal.SessionCookie, Value: o.cookie})
	}
	w := httptest.NewRecorder()
	o.p.portal.ServeHTTP(w, rq)
	return w.Header().Get("CSE-Error"), w.Header().Get("Location")
}

// newest is the last refusal recorded of an actor.
func (o *outsider) newest(actor string) audit.Record {
	o.t.Helper()
	list, err := o.p.trail.Search(o.t.Context(), audit.Search{Actor: actor, Act: "access.refused", Limit: 1})
	check(o.t, err)
	if len(list) == 0 {
		return audit.Record{}
	}
	return list[0]
}

// Every route × every session that is no operator's: a holder, accounts that were
// disabled, whose contract is over, that are gone, and nobody. Who may not is
// refused, and each refusal is in the trail under its name.
func TestR92_EveryRouteEverySessionWithoutAnOperator(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	r.employ(t, "ferma", 21, staff.RoleOperator)
	r.config.Operators[len(r.config.Operators)-1].Disabled = true
	r.employ(t, "finita", 22, staff.RoleSupervisor)
	r.config.Operators[len(r.config.Operators)-1].ContractEnd = civil.Date{Year: 2020, Month: 1, Day: 31}
	p := r.serve(t, knownRoles()...)
	c := card(t, p, r.active)
	account := func(name string) portal.Session {
		return portal.Session{Subject: name, CF: "RSSMRA85T10A562S", Given: "P", Family: "R", Account: name, AMR: []string{"pwd", "otp"}}
	}
	for actor, session := range map[string]portal.Session{
		"holder": {Subject: "s", CF: string(c.CF), Given: "P", Family: "R", Card: c.ID, AMR: []string{"sc"}},
		"ferma":  account("ferma"), "finita": account("finita"), "sparita": account("sparita"),
	} {
		cookie, err := p.portal.OpenSession(t.Context(), session, "")
		check(t, err)
		o, refused := &outsider{t: t, p: p, card: r.waiting, cookie: cookie}, 0
		for i, pattern := range p.portal.Routes() {
			if pattern == "POST /uscita" || i%5 != 0 && (actor == "finita" || actor == "sparita") {
				continue // ends the session; or one route of five: they are out as who is disabled is
			}
			want := map[string]string{"counter": "CSE-144", "citizen": "CSE-355"}[side(pattern)]
			if actor == "holder" && side(pattern) == "citizen" {
				want = ""
			}
			code, to := o.ask(pattern)
			if want == "" {
				if code == "CSE-144" || code == "CSE-355" || code == "CSE-356" || code == "CSE-350" || strings.HasPrefix(to, "/entra?") {
					t.Errorf("%s by %s: %s %s", pattern, actor, code, to)
				}
				continue
			}
			refused++
			if x := o.newest(actor); code != want || x.Detail["route"] != pattern || x.Detail["code"] != want || (x.Person != "") != (actor == "holder") {
				t.Errorf("%s by %s: %q, want %q; recorded: %+v", pattern, actor, code, want, x)
			}
		}
		if o.tries < 30 || refused < 15 || actor == "holder" && refused < 80 {
			t.Errorf("%s: only %d routes, %d refused", actor, o.tries, refused)
		}
	}

	// Nobody is led to the login; a form of his is refused, which is recorded.
	o := &outsider{t: t, p: p, card: r.waiting}
	for _, pattern := range p.portal.Routes() {
		if side(pattern) == "" {
			continue
		}
		r.clock.Advance(time.Minute) // some sixty an hour are written
		code, to := o.ask(pattern)
		if strings.HasPrefix(pattern, "GET ") {
			if !strings.HasPrefix(to, "/entra?a=") || code != "" {
				t.Errorf("%s by nobody: %s to %q", pattern, code, to)
			}
			continue
		}
		if x := o.newest("nobody"); code != "CSE-350" || x.Detail["route"] != pattern || x.Detail["code"] != code {
			t.Errorf("%s by nobody: %q; recorded: %+v", pattern, code, x)
		}
	}
	// Who asks for ever does not write for ever; how often he asked is not lost.
	r.clock.Advance(2 * time.Hour)
	before := len(nobodys(t, p))
	for range 70 {
		o.ask("POST /sportello/cerca")
	}
	if n := len(nobodys(t, p)) - before; n != 60 {
		t.Errorf("%d of 70 were written in an hour", n)
	}
	r.clock.Advance(time.Hour)
	o.ask("POST /sportello/cerca")
	if x := o.newest("nobody"); x.Detail["others"] != "10" {
		t.Errorf("those not written: %+v", x.Detail)
	}

	// A session whose card ended ends, and that was a refusal, too.
	session := portal.Session{Subject: "s", CF: string(c.CF), Given: "P", Family: "R", Card: c.ID, AMR: []string{"sc"}}
	cookie, err := p.portal.OpenSession(t.Context(), session, "")
	check(t, err)
	end(t, p, c)
	o.cookie = cookie
	if code, _ := o.ask("GET /tessera"); code != "CSE-302" {
		t.Errorf("a holder whose card was revoked: %q", code)
	}
	if x := o.newest("holder"); x.Detail["code"] != "CSE-302" || x.Card != c.ID || x.Person == "" {
		t.Errorf("recorded: %+v", x)
	}
	clean(t, p)
}

func nobodys(t *testing.T, p *Platform) []audit.Record {
	t.Helper()
	list, err := p.trail.Search(t.Context(), audit.Search{Actor: "nobody", Act: "access.refused", Limit: 20_000})
	check(t, err)
	return list
}

// end revokes a card by its CIP.
func end(t *testing.T, p *Platform, c lifecycle.Card) {
	t.Helper()
	_, err := p.counter.RevokeWithCIP(t.Context(), c.ID, cipOf(t, p, c.ID), "192.0.2.1", "it")
	check(t, err)
}
