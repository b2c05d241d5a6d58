package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/parameters"
	"cse.example/cse/issuer/staff"
)

// The third reprint in thirty days needs a supervisor, of any office, who is not
// who asked; his word is for that reprint and serves once.
func TestThirdReprintNeedsASecondPerson(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.config.Operators[0].Roles = []staff.Role{staff.RoleOperator, staff.RoleSupervisor}
	r.employ(t, "luca", 1, staff.RoleSupervisor)
	r.employ(t, "piero", 2, staff.RoleOperator)
	p := r.open(t, Options{}, "web")
	as := func(account string) staff.Operator {
		op, err := p.directory.OperatorByAccount(account)
		check(t, err)
		return op
	}
	ctx, today, n := t.Context(), civil.Today(r.clock), 0
	reprint := func() error {
		n++
		_, err := p.counter.Do(ctx, as("anna"), counter.KindReprint, counter.Order{
			Request: fmt.Sprintf("%032d", n), Card: r.active, Lang: words.Italian, Email: "nuovo@example.org", EmailAgain: "nuovo@example.org",
			Shown: counter.CardStep{LastFive: r.active[len(r.active)-5:]}, NoReader: "lettore guasto",
			Identity: counter.IdentityStep{Present: counter.PresentHolder, Document: counter.Document{
				Kind: counter.ElectronicCard, Number: "CA00000AA", Issuer: "COMUNE DI FIRENZE", Issued: today.AddYears(-1), Expires: today.AddYears(5),
			}},
		})
		return err
	}
	waiting := func(account string) []approval.Request {
		list, err := p.approvals.Waiting(ctx, as(account))
		check(t, err)
		return list
	}
	is := func(what string, err error, code string) {
		t.Helper()
		if code == "" && err != nil || code != "" && !errors.Is(err, words.Refuse(code)) {
			t.Fatalf("%s: %v, want %q", what, err, code)
		}
	}
	is("first", reprint(), "")
	is("second", reprint(), "")
	is("third", reprint(), "CSE-452")
	is("without a reason", p.askReprint(ctx, as("anna"), r.active, " "), "CSE-546")
	is("asked", p.askReprint(ctx, as("anna"), r.active, "foglio perso di nuovo"), "")
	is("asked again", p.askReprint(ctx, as("anna"), r.active, "foglio perso di nuovo"), "")
	if got := waiting("luca"); len(got) != 1 || len(waiting("piero")) != 0 {
		t.Fatalf("%d requests wait for the supervisor, %d for an operator", len(got), len(waiting("piero")))
	}
	q := waiting("luca")[0]
	is("who asked", p.approvals.Decide(ctx, as("anna"), q.ID, q.Sum(), true), "CSE-552")
	is("an operator", p.approvals.Decide(ctx, as("piero"), q.ID, q.Sum(), true), "CSE-555")
	is("another content", p.approvals.Decide(ctx, as("luca"), q.ID, "0011", true), "CSE-554")
	is("still not", reprint(), "CSE-452")
	is("the supervisor", p.approvals.Decide(ctx, as("luca"), q.ID, q.Sum(), true), "")
	is("twice", p.approvals.Decide(ctx, as("luca"), q.ID, q.Sum(), true), "CSE-553")
	is("third, approved", reprint(), "")
	is("fourth", reprint(), "CSE-452")

	// A request runs out, and so does an approval.
	is("asked", p.askReprint(ctx, as("anna"), r.active, "foglio perso di nuovo"), "")
	q = waiting("luca")[0]
	r.clock.Advance(reprintLife + time.Second)
	is("run out", p.approvals.Decide(ctx, as("luca"), q.ID, q.Sum(), true), "CSE-553")
	is("asked once more", p.askReprint(ctx, as("anna"), r.active, "foglio perso di nuovo"), "")
	q = waiting("luca")[0]
	is("approved", p.approvals.Decide(ctx, as("luca"), q.ID, q.Sum(), true), "")
	r.clock.Advance(reprintLife + time.Second)
	is("too late", reprint(), "CSE-452")
	if got := len(records(t, p, "approval.denied")); got != 5 {
		t.Errorf("%d refusals are on record, want 5", got)
	}
	if given := records(t, p, "approval.given"); len(given) != 2 || given[0].Actor != "luca" {
		t.Errorf("the approvals on record: %+v", given)
	}
	clean(t, p)
}

// O10 over HTTP: a rule changes from a day to come, when a second person agrees.
func TestARuleChangesByFourEyes(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	carlo, marta := r.employ(t, "carlo", 1, staff.RoleOperations), r.employ(t, "marta", 2, staff.RoleOperations)
	p := r.serve(t, "web")
	ctx, home := t.Context(), p.Config.Public.Portal
	today := civil.Today(r.clock)
	day := today.AddDays(3)

	b := atWork(t, p, "carlo", carlo, "/operazioni/parametri")
	if got := b.Page.Pairs("data-parameter", "data-now"); got[parameters.Reprints] != "2" || got[parameters.RenewalDays] != "90" {
		t.Errorf("the rules are %v", got)
	}
	ask := func(value string, from civil.Date, code string) {
		t.Helper()
		check(t, b.Get(ctx, home+"/operazioni/parametri"))
		check(t, b.Submit(ctx, "/parametri", map[string]string{"parametro": parameters.Reprints, "valore": value, "dal": from.Italian(), "motivo_richiesta": "delibera 7"}))
		if b.Page.Code() != code {
			t.Errorf("%s from %s: %s %q, want %q", value, from, b.Page.Where(), b.Page.Code(), code)
		}
	}
	ask("99", day, "CSE-556")
	ask("3", today, "CSE-557")
	ask("3", day, "")
	check(t, b.Get(ctx, home+"/approvazioni"))
	if b.Page.HasForm("") && strings.Contains(b.Page.Text(), "Approva ") || !strings.Contains(b.Page.Text(), "L'hai chiesta tu") {
		t.Error("who asked is offered to approve: ", b.Page.Text())
	}
	value := func(on civil.Date) int {
		n, err := p.parameters.Int(ctx, parameters.Reprints, on.Start())
		check(t, err)
		return n
	}
	if value(day) != 2 {
		t.Error("the rule changed before anybody agreed")
	}
	other := atWork(t, p, "marta", marta, "/approvazioni")
	list, err := p.approvals.Waiting(ctx, staff.Operator{Account: "marta", Roles: []staff.Role{staff.RoleOperations}})
	check(t, err)
	if len(list) != 1 {
		t.Fatalf("%d requests wait", len(list))
	}
	check(t, other.Submit(ctx, "/approvazioni/"+list[0].ID, map[string]string{"decisione": "si"}))
	if other.Page.Status != http.StatusOK || !strings.Contains(other.Page.Text(), "Richiesta approvata") {
		t.Fatal(other.Page.Where(), other.Page.Code())
	}
	if value(day.AddDays(-1)) != 2 || value(day) != 3 || value(day.AddDays(100)) != 3 {
		t.Errorf("the day before %d, on the day %d, later %d", value(day.AddDays(-1)), value(day), value(day.AddDays(100)))
	}
	check(t, b.Get(ctx, home+"/operazioni/parametri"))
	if !strings.Contains(b.Page.Text(), "dal "+day.Italian()+": 3") {
		t.Error("the history does not show it: ", b.Page.Text())
	}

	// A change whose day comes before anybody agrees is refused: no rule counts backwards.
	ask("4", day, "")
	list, err = p.approvals.Waiting(ctx, staff.Operator{Account: "marta", Roles: []staff.Role{staff.RoleOperations}})
	check(t, err)
	r.clock.Advance(3 * 24 * time.Hour)
	op, err := p.directory.OperatorByAccount("marta")
	check(t, err)
	if err := p.approvals.Decide(context.WithoutCancel(ctx), op, list[0].ID, list[0].Sum(), true); !errors.Is(err, words.Refuse("CSE-557")) {
		t.Errorf("approved too late: %v", err)
	}
	if value(day) != 3 {
		t.Errorf("the rule counts backwards: %d", value(day))
	}
}
