package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"cse.example/cse/engine/audit"
	"cse.example/cse/issuer/parameters"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/portal"
)

// R92: who is no operator, or is one no more, is refused and that is written
// down, once, with his name for the trail: an account, or the holder with his card.
func TestR92_RefusalsWithoutAnOperatorAreRecorded(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	p := r.serve(t, "web")
	holder := card(t, p, r.active)
	byCard := portal.Session{Subject: "s", CF: string(holder.CF), Given: "P", Family: "R", Card: holder.ID, AMR: []string{"sc"}}
	gone := portal.Session{Subject: "mara", CF: "RSSMRA85T10A562S", Given: "M", Family: "R", Account: "mara", AMR: []string{"pwd", "otp"}}
	for _, c := range []struct {
		name    string
		session portal.Session
		path    string
		code    string // empty: let in, and nothing to record
		actor   string
		card    string
		person  bool
	}{
		{"a holder at the counter", byCard, "/sportello", "CSE-144", "holder", holder.ID, true},
		{"a holder at another's sheet", byCard, "/sportello/tessera/" + r.waiting, "CSE-144", "holder", r.waiting, true},
		{"a holder at operations", byCard, "/operazioni", "CSE-144", "holder", holder.ID, true},
		{"a holder at the officer's pages", byCard, "/gestione/privacy", "CSE-144", "holder", holder.ID, true},
		{"a holder at home", byCard, "/tessera", "", "", "", false},
		{"an account that was taken away, at the counter", gone, "/sportello", "CSE-144", "mara", "", false},
		{"the same, at a sheet", gone, "/sportello/tessera/" + r.active, "CSE-144", "mara", r.active, false},
		{"the same, at a citizen's page", gone, "/tessera", "CSE-355", "mara", "", false},
		{"the same, at a public page", gone, "/contatti", "", "", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cookie, err := p.portal.OpenSession(t.Context(), c.session, "")
			check(t, err)
			rq := httptest.NewRequestWithContext(t.Context(), http.MethodGet, p.Config.Public.Portal+c.path, nil)
			rq.AddCookie(&http.Cookie{Name: portal.SessionCookie, Value: cookie})
			before := records(t, p, "access.refused")
			w := httptest.NewRecorder()
			p.portal.ServeHTTP(w, rq)
			if got := w.Header().Get("CSE-Error"); got != c.code {
				t.Fatalf("%d %q, want %q", w.Code, got, c.code)
			}
			after := records(t, p, "access.refused")
			if c.code == "" {
				if len(after) != len(before) {
					t.Errorf("recorded though nothing was refused: %+v", after[0])
				}
				return
			}
			if len(after) != len(before)+1 {
				t.Fatalf("%d records more, want 1", len(after)-len(before))
			}
			x := after[0]
			if x.Actor != c.actor || x.Card != c.card || x.Detail["code"] != c.code || (x.Person != "") != c.person {
				t.Errorf("recorded: %+v", x)
			}
		})
	}
	// The holder is found by his codice fiscale, and only by it.
	mine, err := p.trail.Search(t.Context(), audit.Search{Act: "access.refused", Person: string(holder.CF)})
	check(t, err)
	if len(mine) != 4 {
		t.Errorf("%d refusals under the holder's name, want 4", len(mine))
	}
	clean(t, p)
}

// Who may not ask for an approval is refused, and that stays, too.
func TestR92_AskingForAnApprovalOfOthersIsRecorded(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	p := r.open(t, Options{}, "web")
	op := operatorOf(t, p, "anna")
	if op.Has(staff.RoleOperations) {
		t.Fatal("anna may ask")
	}
	_, err := p.approvals.Ask(t.Context(), op, parameters.KindChange, "x", []byte("y"), "perché sì")
	if err == nil {
		t.Fatal("asked")
	}
	got := records(t, p, "approval.denied")
	if len(got) != 1 || got[0].Actor != "anna" || got[0].Detail["code"] != "CSE-555" {
		t.Errorf("recorded: %+v", got)
	}
}
