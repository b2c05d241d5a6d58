package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// Children are there until midnight in Rome of the eighteenth birthday; wards
// for as long as they are under guardianship.
func TestWardsEndAtEighteen(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	me := o.patient(t, 1)
	today := civil.Today(o.hand)
	born := map[string]civil.Date{
		"child": today.AddYears(-10), "almost": today.AddYears(-18).AddDays(1), "grown": today.AddYears(-18), "ward": today.AddYears(-40),
	}
	names := map[string]string{}
	for role, d := range born {
		x := registry.Person{
			Surname: "GALLO", Name: strings.ToUpper(role), Born: d, Sex: "F", BirthPlace: "D612", Citizenship: "IT", Residence: "D612", ASL: "101",
			AssistedFrom: d, AbroadRight: true, UnderGuardianship: role == "ward",
		}
		var err error
		x.CF, err = codicefiscale.Compute(codicefiscale.Person{Surname: x.Surname, Name: x.Name, Born: x.Born, Sex: "F", Belfiore: "D612"})
		check(t, err)
		names[string(x.CF)] = role
		kind := counter.PresentParent
		if role == "ward" {
			kind = counter.PresentGuardian
		}
		check(t, o.db.Atomically(t.Context(), func(ctx context.Context) error {
			if _, err := o.db.People().Put(ctx, x); err != nil {
				return err
			}
			return o.db.Links().AddLink(ctx, counter.Link{Holder: x.CF, Representative: me.CF, Kind: kind, Since: o.hand.Now(), Protocol: "2026/1"})
		}))
	}
	expect := func(want ...string) {
		t.Helper()
		list, err := o.wards(t.Context(), me.CF)
		check(t, err)
		got := map[string]bool{}
		for _, w := range list {
			got[names[string(w.CF)]] = true
			if role := names[string(w.CF)]; (role == "ward") != w.Until.IsZero() {
				t.Errorf("%s until %s", role, w.Until)
			}
		}
		if len(got) != len(want) {
			t.Errorf("wards %v, want %v", got, want)
		}
		for _, w := range want {
			if !got[w] {
				t.Errorf("%s is missing", w)
			}
		}
	}
	expect("child", "almost", "ward")
	o.hand.Set(today.AddDays(1).Start().Add(-time.Second))
	expect("child", "almost", "ward")
	o.hand.Set(today.AddDays(1).Start())
	expect("child", "ward")
	stranger, err := o.wards(t.Context(), o.patient(t, 2).CF)
	check(t, err)
	if len(stranger) != 0 {
		t.Errorf("a stranger sees %v", stranger)
	}
}

// C16: a guardian's ward is there to the last day of his decree; what the registry alone
// said is remembered and gives no right; a parent who is a minor himself, or a ward,
// has no children here.
func TestR64_WardsEndWithTheTitle(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	me := o.patient(t, 1)
	today := civil.Today(o.hand)
	ward := relative(t, o.Platform, "ANZIANA", today.AddYears(-70), true)
	told := relative(t, o.Platform, "ALTRA", today.AddYears(-71), true)
	child := relative(t, o.Platform, "BIMBA", today.AddYears(-9), false)
	check(t, o.db.Atomically(t.Context(), func(ctx context.Context) error {
		for i, l := range []counter.Link{
			{Holder: ward.CF, Kind: counter.PresentGuardian, Until: today.AddDays(1)},
			{Holder: told.CF, Kind: counter.PresentGuardian, ByRegistry: true},
			{Holder: child.CF, Kind: counter.PresentParent},
		} {
			l.Representative, l.Since, l.Protocol = me.CF, o.hand.Now(), fmt.Sprintf("2026/000000%d", i)
			if err := o.db.Links().AddLink(ctx, l); err != nil {
				return err
			}
		}
		return nil
	}))
	expect := func(what string, want ...codicefiscale.Code) {
		t.Helper()
		list, err := o.wards(t.Context(), me.CF)
		check(t, err)
		var got []codicefiscale.Code
		for _, w := range list {
			got = append(got, w.CF)
			if w.CF == ward.CF && w.Until != today.AddDays(1) {
				t.Errorf("%s: until %s", what, w.Until)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	expect("today", ward.CF, child.CF)
	o.hand.Set(today.AddDays(2).Start().Add(-time.Second))
	expect("the last second", ward.CF, child.CF)
	o.hand.Set(today.AddDays(2).Start())
	expect("midnight", child.CF)
	for what, change := range map[string]func(p *registry.Person){
		"a minor":            func(p *registry.Person) { p.Born = today.AddYears(-17) },
		"under guardianship": func(p *registry.Person) { p.UnderGuardianship = true },
	} {
		p, err := o.db.People().Get(t.Context(), me.CF)
		check(t, err)
		p.Born, p.UnderGuardianship = today.AddYears(-40), false
		change(&p)
		check(t, o.db.Atomically(t.Context(), func(ctx context.Context) error { _, err := o.db.People().Put(ctx, p); return err }))
		expect(what)
	}
}

// relative puts somebody into the registry who is represented by guardians.
func relative(t *testing.T, p *Platform, name string, born civil.Date, ward bool, guardians ...registry.Guardian) registry.Person {
	t.Helper()
	x := registry.Person{
		Surname: "GALLO", Name: name, Born: born, Sex: "F", BirthPlace: "D612", Citizenship: "IT", Residence: "D612", ASL: "203",
		AssistedFrom: born, AbroadRight: true, UnderGuardianship: ward, Guardians: guardians,
	}
	var err error
	x.CF, err = codicefiscale.Compute(codicefiscale.Person{Surname: x.Surname, Name: x.Name, Born: x.Born, Sex: "F", Belfiore: "D612"})
	check(t, err)
	check(t, p.db.Atomically(t.Context(), func(ctx context.Context) error { _, err := p.db.People().Put(ctx, x); return err }))
	return x
}

// Whom the registry names as guardian sees his children and wards, from the day
// of the title to its last, under any omocodia of his code; no title is needed
// at a counter.
func TestGuardiansOfTheRegistrySeeTheirWards(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	me := o.patient(t, 1).CF
	variant, today := me.Omocodie()[1], civil.Today(o.hand)
	child := relative(t, o.Platform, "BIMBA", today.AddYears(-10), false, registry.Guardian{CF: me, Kind: registry.Parent, From: today.AddYears(-10)})
	ward := relative(t, o.Platform, "ANZIANA", today.AddYears(-70), true, registry.Guardian{CF: variant, Kind: registry.Administrator, From: today, Until: today.AddDays(30)})
	relative(t, o.Platform, "GRANDE", today.AddYears(-18), false, registry.Guardian{CF: me, Kind: registry.Parent, From: today.AddYears(-18)})
	relative(t, o.Platform, "FUTURA", today.AddYears(-9), false, registry.Guardian{CF: me, Kind: registry.Parent, From: today.AddDays(1)})
	relative(t, o.Platform, "ALTRUI", today.AddYears(-8), false, registry.Guardian{CF: "VRDLGU85M41F205T", Kind: registry.Parent, From: today.AddYears(-8)})
	expect := func(want map[codicefiscale.Code]string) {
		t.Helper()
		list, err := o.wards(t.Context(), me)
		check(t, err)
		got := map[codicefiscale.Code]string{}
		for _, w := range list {
			got[w.CF] = w.Kind + " " + w.Until.String()
		}
		for cf, w := range want {
			if got[cf] != w {
				t.Errorf("%s: %q, want %q", cf, got[cf], w)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	both := map[codicefiscale.Code]string{child.CF: "genitore " + today.AddYears(8).AddDays(-1).String(), ward.CF: "ads " + today.AddDays(30).String()}
	expect(both)
	// a title declared at a counter too: once, and the registry's word is shown
	check(t, o.db.Atomically(t.Context(), func(ctx context.Context) error {
		return o.db.Links().AddLink(ctx, counter.Link{Holder: child.CF, Representative: me, Kind: counter.PresentParent, Since: o.hand.Now(), Protocol: "2026/1"})
	}))
	expect(both)
	o.hand.Set(today.AddDays(31).Start())
	list, err := o.wards(t.Context(), me)
	check(t, err)
	if len(list) != 2 { // the ward's title is over, the other child's has begun
		t.Errorf("after the title's end: %+v", list)
	}
	// the registry takes its word back
	child.Guardians = nil
	check(t, o.db.Atomically(t.Context(), func(ctx context.Context) error { _, err := o.db.People().Put(ctx, child); return err }))
	if found, err := o.db.People().ByGuardian(t.Context(), me); err != nil || len(found) != 3 {
		t.Errorf("the index has %d, %v", len(found), err)
	}
}

// C16 over HTTP: a mother makes a certificate for her daughter, whom only the
// registry knows as hers; nobody else does, and when her title is over neither
// does she. No address holds a codice fiscale.
func TestR21_ACertificateForAChild(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	p := r.serve(t, "web", "print", "mail")
	me := card(t, p, r.active)
	today := civil.Today(r.clock)
	child := relative(t, p, "BIMBA", today.AddYears(-18).AddDays(1), false, registry.Guardian{CF: me.CF, Kind: registry.Parent, From: today.AddYears(-17)})
	other := relative(t, p, "ALTRUI", today.AddYears(-8), false)
	number := func(cf codicefiscale.Code, n uint64) string {
		id, err := cns.NewCardID(p.Config.Region.Issuer, n, 0)
		check(t, err)
		check(t, p.db.Atomically(t.Context(), func(ctx context.Context) error {
			_, err := p.db.Cards().Put(ctx, lifecycle.Card{
				ID: string(id), TEAM: id.TEAM(), CF: cf, Model: lifecycle.TS, State: lifecycle.Delivered, Issued: today, Expires: today.AddYears(6), OrderedAt: r.clock.Now(),
			})
			return err
		}))
		return string(id)
	}
	hers, theirs := number(child.CF, 990001), number(other.CF, 990002)
	b := enter(t, p, r.cardOf(t, p))
	home := p.Config.Public.Portal
	check(t, b.Get(t.Context(), home+"/it/tessera/figli"))
	if text := b.Page.Text(); !strings.Contains(text, "BIMBA GALLO") || strings.Contains(text, "ALTRUI") {
		t.Fatalf("the wards: %s", text)
	}
	root := "/tessera/figli/" + hers + "/certificato-team"
	check(t, b.Get(t.Context(), home+"/it"+root))
	check(t, b.Submit(t.Context(), root, map[string]string{"periodo_dal": today.Italian(), "periodo_al": today.AddDays(9).Italian()}))
	if text := b.Page.Text(); b.Page.Status != http.StatusOK || !strings.Contains(text, string(child.CF)) || !strings.Contains(text, "Valido") || strings.Contains(b.Page.URL.String(), string(child.CF)) {
		t.Fatalf("%s: %s", b.Page.Where(), text)
	}
	made := b.Page.URL.Path
	check(t, b.Get(t.Context(), home+made+"/pdf"))
	if b.Page.Header.Get("Content-Type") != "application/pdf" {
		t.Errorf("the PDF: %s", b.Page.Where())
	}
	if list := records(t, p, "team.certificate"); len(list) != 1 || list[0].Actor != "representative" {
		t.Errorf("on record: %+v", list)
	}
	refused := func(path, want string) {
		t.Helper()
		check(t, b.Get(t.Context(), home+path))
		if b.Page.Code() != want {
			t.Errorf("%s: %s %q, want %q", path, b.Page.Where(), b.Page.Code(), want)
		}
	}
	refused("/it/tessera/figli/"+theirs+"/certificato-team", "CSE-608")
	refused("/it/tessera/certificato-team"+made[strings.LastIndex(made, "/"):], "CSE-002")
	child.Guardians[0].Until = today.AddDays(-1)
	check(t, p.db.Atomically(t.Context(), func(ctx context.Context) error { _, err := p.db.People().Put(ctx, child); return err }))
	refused(made, "CSE-608")
	refused("/it"+root, "CSE-608")
}
