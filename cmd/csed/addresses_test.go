package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/parameters"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/portal"
)

// An operator's own address, and one that six other adults have, are stopped at
// the counter and at home; a seventh letter box of one's own is not.
func TestAddressesThatAreStopped(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	set := func(cf codicefiscale.Code, email string) {
		t.Helper()
		check(t, o.db.Atomically(t.Context(), func(ctx context.Context) error { return o.book.Set(ctx, cf, email, words.Italian, false, "") }))
	}
	most, err := o.parameters.Int(t.Context(), parameters.AdultsAddress, o.hand.Now())
	check(t, err)
	const many, theirs = "tutti@posta.example", "anna@posta.example"
	for n := range most {
		set(o.patient(t, 10+n).CF, many)
	}
	me := o.patient(t, 1)
	stopped := func(email, want string) {
		t.Helper()
		err := o.stopAddress(t.Context(), me.Person, email)
		if f := words.FaultOf(err); err != nil && (f == nil || f.Code != want) || err == nil && want != "" {
			t.Errorf("%s: %v, want %q", email, err, want)
		}
	}
	set(me.CF, many)
	stopped(many, "")
	set(o.patient(t, 20).CF, many)
	stopped(many, "CSE-607")
	stopped(strings.ToUpper(many), "CSE-607")
	set("VRDLGU85M41F205T", theirs)
	stopped(theirs, "CSE-606")
	_, err = o.book.Ask(t.Context(), me.CF, theirs, theirs, false)
	if f := words.FaultOf(err); f == nil || f.Code != "CSE-606" {
		t.Errorf("from home: %v", err)
	}
	check(t, o.act(t, me)())
	anna := me.Person
	anna.CF = "VRDLGU85M41F205T"
	check(t, o.stopAddress(t.Context(), anna, theirs))
}

// An address that is stopped passes for one person when a supervisor, who is not
// who asked and does not read it himself, lets it through with a reason: over
// HTTP, and for nobody else.
func TestASupervisorReleasesOneAddressForOnePerson(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	luca, sara := r.employ(t, "luca", 1, staff.RoleOperator, staff.RoleSupervisor), r.employ(t, "sara", 2, staff.RoleSupervisor)
	r.employ(t, "piero", 3, staff.RoleSupervisor)
	r.employ(t, "nadia", 4, staff.RoleOperator)
	p := r.serve(t, "web")
	as := func(account string) staff.Operator {
		op, err := p.directory.OperatorByAccount(account)
		check(t, err)
		return op
	}
	const theirs = "piero@posta.example"
	check(t, p.db.Atomically(t.Context(), func(ctx context.Context) error {
		return p.book.Set(ctx, as("piero").CF, theirs, words.Italian, false, "")
	}))
	holder, other := card(t, p, r.active), card(t, p, r.waiting)
	stopped := func(cf codicefiscale.Code, want string) {
		t.Helper()
		who, err := p.db.People().Get(t.Context(), cf)
		check(t, err)
		err = p.stopAddress(t.Context(), who, theirs)
		if f := words.FaultOf(err); err != nil && (f == nil || f.Code != want) || err == nil && want != "" {
			t.Errorf("%v, want %q", err, want)
		}
	}
	stopped(holder.CF, "CSE-606")

	path := "/sportello/tessera/" + r.active + "/indirizzo/approvazione"
	b := atWork(t, p, "luca", luca, path)
	ask := func(email, why, code string) {
		t.Helper()
		check(t, b.Get(t.Context(), p.Config.Public.Portal+path))
		check(t, b.Submit(t.Context(), "/indirizzo/approvazione", map[string]string{"email": email, "motivo_richiesta": why}))
		if b.Page.Code() != code {
			t.Fatalf("%s: %s %q, want %q", email, b.Page.Where(), b.Page.Code(), code)
		}
	}
	ask("libero@posta.example", "prova", "CSE-648")
	ask(theirs, "", "CSE-358")
	ask(theirs, "è la moglie di chi lavora qui", "")
	if !strings.Contains(b.Page.Text(), "L'hai chiesta tu") {
		t.Errorf("who asked: %s", b.Page.Text())
	}
	if err := p.askAddress(t.Context(), as("piero"), r.active, theirs, "la mia"); words.FaultOf(err) == nil || words.FaultOf(err).Code != "CSE-647" {
		t.Errorf("the owner asks: %v", err)
	}
	list, err := p.approvals.Waiting(t.Context(), as("sara"))
	check(t, err)
	if len(list) != 1 {
		t.Fatalf("%d requests wait", len(list))
	}
	q := list[0]
	if strings.Contains(string(q.Content), theirs) || strings.Contains(string(q.Content), string(holder.CF)) {
		t.Errorf("the content names somebody: %s", q.Content)
	}
	for account, want := range map[string]string{"luca": "CSE-552", "piero": "CSE-647", "nadia": "CSE-555"} {
		if f := words.FaultOf(p.approvals.Decide(t.Context(), as(account), q.ID, q.Sum(), true)); f == nil || f.Code != want {
			t.Errorf("%s decides: %v, want %s", account, f, want)
		}
	}
	stopped(holder.CF, "CSE-606")
	s := atWork(t, p, "sara", sara, "/approvazioni")
	if !strings.Contains(s.Page.Text(), "p•••@p•••.example") || !strings.Contains(s.Page.Text(), "chi lavora a uno sportello") {
		t.Errorf("the supervisor reads %s", s.Page.Text())
	}
	check(t, s.Submit(t.Context(), "/approvazioni/"+q.ID, map[string]string{"decisione": "si"}))
	stopped(holder.CF, "")
	stopped(other.CF, "CSE-606")
	today := civil.Today(r.clock)
	_, err = p.counter.Do(t.Context(), as("luca"), counter.KindReprint, counter.Order{
		Request: fmt.Sprintf("%032d", 1), Card: r.active, Lang: words.Italian, Email: theirs, EmailAgain: theirs,
		Shown: counter.CardStep{LastFive: r.active[len(r.active)-5:]}, NoReader: "lettore guasto",
		Identity: counter.IdentityStep{Present: counter.PresentHolder, Document: counter.Document{
			Kind: counter.ElectronicCard, Number: "CA00000AA", Issuer: "COMUNE DI FIRENZE", Issued: today.AddYears(-1), Expires: today.AddYears(5),
		}},
	})
	check(t, err)
	if got := records(t, p, "contact.released"); len(got) != 1 || got[0].Actor != "sara" || got[0].Detail["motive"] != "è la moglie di chi lavora qui" {
		t.Errorf("on record: %+v", got)
	}
	mine, err := p.activities(t.Context(), holder.CF)
	check(t, err)
	if !slices.ContainsFunc(mine, func(a portal.Activity) bool { return a.Act == "contact.released" }) {
		t.Error("the holder does not find it among his activities")
	}
	clean(t, p)
}

// The number of adults is a rule like the others: from its day on, by four eyes.
func TestAdultsPerAddressIsAParameter(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	const many = "tutti@posta.example"
	for n := range 3 {
		x := o.patient(t, 10+n)
		check(t, o.db.Atomically(t.Context(), func(ctx context.Context) error {
			return o.book.Set(ctx, x.CF, many, words.Italian, false, "")
		}))
	}
	me := o.patient(t, 1)
	check(t, o.stopAddress(t.Context(), me.Person, many))
	from := civil.Today(o.hand).AddDays(1)
	check(t, o.db.Atomically(t.Context(), func(ctx context.Context) error {
		return o.parameters.Apply(ctx, approval.Request{ID: "a", Content: parameters.Content(parameters.AdultsAddress, 2, from)})
	}))
	check(t, o.stopAddress(t.Context(), me.Person, many))
	o.hand.Set(from.Start())
	if f := words.FaultOf(o.stopAddress(t.Context(), me.Person, many)); f == nil || f.Code != "CSE-607" {
		t.Errorf("three adults where two may be: %v", f)
	}
}
