package counter_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// family is a mother with her card and a child of ten, whose card is `number`.
func (b *bench) family(t *testing.T) (mother, child registry.Person) {
	t.Helper()
	mother = b.enrol(somebody(t, "Verdi", "Lucia", "1985-02-02", codicefiscale.Female))
	b.issue(t, mother, "6090000000000016", func(c *lifecycle.Card) { c.State, c.ActivatedAt = lifecycle.Active, monday })
	child = b.enrol(somebody(t, "Rossi", "Luca", "2016-06-06", codicefiscale.Male))
	b.issue(t, child, number, nil)
	return mother, child
}

// forWard is a good step 2 by mother.
func forWard(t *testing.T, mother registry.Person) counter.IdentityStep {
	s := goodIdentity(t)
	s.Present = counter.PresentParent
	s.Representative = &counter.Representative{CF: mother.CF, Surname: mother.Surname, Name: mother.Name, Card: "6090000000000016", Declared: true}
	return s
}

// foreigner makes r somebody whom the registry does not know, without a card.
func foreigner(t *testing.T, r *counter.Representative) *counter.Representative {
	r.CF, r.Surname, r.Name, r.Born, r.Card = "RSSMRA85T50A562Z", "ROSSI", "MARIA", day(t, "1985-12-10"), ""
	return r
}

// byDelegate is a good step 2 by who.
func byDelegate(t *testing.T, who registry.Person) counter.IdentityStep {
	s := goodIdentity(t)
	s.Present = counter.PresentDelegate
	s.Representative = &counter.Representative{CF: who.CF, Surname: who.Surname, Name: who.Name, Health: true, Delegation: true, Copy: true}
	return s
}

// identify goes to step 2 at an office and answers its refusal, if any.
func (b *bench) identify(t *testing.T, office string, p registry.Person, s counter.IdentityStep) (counter.Draft, error) {
	t.Helper()
	op := b.operator(t, "op1", office)
	d, err := b.StartDraft(t.Context(), op, goodCard(p))
	if err != nil {
		return d, err
	}
	return b.Identify(t.Context(), op, d.ID, d.Version, s)
}

func (b *bench) activateAs(t *testing.T, p registry.Person, s counter.IdentityStep) (counter.Act, error) {
	t.Helper()
	op := b.operator(t, "op1", "asl1")
	d, err := b.identify(t, "asl1", p, s)
	if err != nil {
		return counter.Act{}, err
	}
	if d, err = b.Contacts(t.Context(), op, d.ID, d.Version, goodContact()); err != nil {
		return counter.Act{}, err
	}
	return b.Activate(t.Context(), op, d.ID, d.Version)
}

// The four requirements of an activation for a minor, each missing once.
func TestR64_R66_R67_R68_R69_WhatAParentBrings(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	mother, child := b.family(t)
	b.issue(t, mother, "6090000000000032", func(c *lifecycle.Card) { c.State, c.Reason, c.EndedAt = lifecycle.Revoked, lifecycle.Loss, monday })
	for name, c := range map[string]struct {
		with func(*counter.IdentityStep)
		code string
	}{
		"the minor alone (R64)":      {func(s *counter.IdentityStep) { *s = goodIdentity(t) }, "CSE-120"},
		"nobody named":               {func(s *counter.IdentityStep) { s.Representative = nil }, "CSE-446"},
		"without a name":             {func(s *counter.IdentityStep) { s.Representative.Name = "" }, "CSE-415"},
		"without his own card (R66)": {func(s *counter.IdentityStep) { s.Representative.Card = "" }, "CSE-410"},
		"somebody else's card":       {func(s *counter.IdentityStep) { s.Representative.Card = number }, "CSE-411"},
		"his lost card":              {func(s *counter.IdentityStep) { s.Representative.Card = "6090000000000032" }, "CSE-411"},
		"a card that is not there":   {func(s *counter.IdentityStep) { s.Representative.Card = "6090000000000099" }, "CSE-411"},
		"an expired document (R68)":  {func(s *counter.IdentityStep) { s.Document.Expires = day(t, "2026-11-22") }, "CSE-110"},
		"the TS as a document (R40)": {func(s *counter.IdentityStep) { s.Document.Kind = counter.HealthServiceCard }, "CSE-134"},
		"no self-declaration (R69)":  {func(s *counter.IdentityStep) { s.Representative.Declared = false }, "CSE-412"},
		"the child for himself":      {func(s *counter.IdentityStep) { s.Representative.CF = child.CF }, "CSE-414"},
		"the operator as the parent": {func(s *counter.IdentityStep) { s.Representative.CF = b.operator(t, "op1", "asl1").CF }, "CSE-140"},
		"a delegate for a minor":     {func(s *counter.IdentityStep) { s.Present, s.Representative.Health = counter.PresentDelegate, true }, "CSE-120"},
		"a guardian will do for one": {func(s *counter.IdentityStep) {
			s.Present, s.Representative.Title, s.Representative.UntilRevoked = counter.PresentGuardian, counter.TitleTutor, true
		}, ""},
		"a TEAM number names a card": {func(s *counter.IdentityStep) { s.Representative.Card = "80386090000000000016" }, ""},
		"a card of hers is in use, and a reason why not": {func(s *counter.IdentityStep) {
			s.Representative.Card, s.Representative.NoCard = "", "lasciata a casa"
		}, "CSE-410"},
		"no TS, with a reason why": {func(s *counter.IdentityStep) {
			foreigner(t, s.Representative).NoCard = "cittadina straniera"
		}, ""},
		"no TS, without a reason":     {func(s *counter.IdentityStep) { foreigner(t, s.Representative) }, "CSE-410"},
		"no court paper is asked for": {func(*counter.IdentityStep) {}, ""},
	} {
		s := forWard(t, mother)
		c.with(&s)
		_, err := b.identify(t, "asl1", child, s)
		switch {
		case c.code != "":
			refused(t, name, err, c.code)
		case err != nil:
			t.Errorf("%s: %v", name, err)
		}
	}
	// R67: the card of the minor lies there.
	_, err := b.StartDraft(t.Context(), b.operator(t, "op1", "asl1"), counter.CardStep{CF: child.CF})
	refused(t, "without the minor's card", err, "CSE-133")
	if f := words.FaultOf(err); f != nil && !strings.Contains(f.Cause(words.Italian), "HOLDER_CARD_MISSING") {
		t.Errorf("the cause: %s", f.Cause(words.Italian))
	}
	if f := words.Refuse("CSE-410"); !strings.Contains(f.Sentence(words.Italian), "REP_CARD_MISSING") {
		t.Errorf("the sentence: %s", f.Sentence(words.Italian))
	}
}

// R65: only at a counter that may, with an operator; a pharmacy only if it is
// configured.
func TestR64_R65_OnlyAtACounter(t *testing.T) {
	for office, code := range map[string]string{
		"asl1": "", "asl2": "", "com": "", "urp": "", "far": "CSE-122", "no": "CSE-123", "ade": "CSE-122", "cc": "CSE-122",
	} {
		b := newBench(t, storetest.SQLite(t))
		mother, child := b.family(t)
		_, err := b.identify(t, office, child, forWard(t, mother))
		if code == "" && err != nil {
			t.Errorf("%s: %v", office, err)
		}
		if code != "" {
			refused(t, office, err, code)
		}
	}
}

func TestR64_R66_R69_ActivationForAMinor(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		mother, child := b.family(t)
		a, err := b.activateAs(t, child, forWard(t, mother))
		if err != nil {
			t.Fatal(err)
		}
		if c := b.card(t, number); c.State != lifecycle.Active {
			t.Errorf("the card is %s", c.State)
		}
		want := []counter.PaperKind{counter.PaperCodes, counter.PaperRequest, counter.PaperDeclaration}
		if !slices.Equal(a.Form.Papers, want) || a.Form.Representative == nil || a.Form.Representative.CF != mother.CF || a.Form.Representative.Card == "" {
			t.Errorf("the papers: %v, %+v", a.Form.Papers, a.Form.Representative)
		}
		e := b.entries[len(b.entries)-1]
		if e.Act != "card.activated" || e.Detail["present"] != "genitore" || e.Detail["holder_identified"] != "no" || e.Person != string(child.CF) {
			t.Errorf("journal: %+v", e)
		}
		wards, err := b.Wards(t.Context(), mother.CF)
		if err != nil || len(wards) != 1 || wards[0].Person.CF != child.CF || wards[0].Kind != counter.PresentParent {
			t.Errorf("figli e tutelati: %+v, %v", wards, err)
		}
		// Whoever stands for the child by a title declared here serves him nowhere as an operator.
		err = db.Atomically(t.Context(), func(ctx context.Context) error {
			op := b.operator(t, "op1", "asl1")
			return db.Links().AddLink(ctx, counter.Link{Holder: child.CF, Representative: op.CF, Kind: counter.PresentParent, Since: monday, Protocol: "2026/0000009"})
		})
		if err != nil {
			t.Fatal(err)
		}
		own := b.order(t)
		own.Identity = forWard(t, mother)
		_, err = b.Suspend(t.Context(), b.operator(t, "op1", "asl1"), own)
		refused(t, "an operator who declared himself the father", err, "CSE-140")
		// What was declared once counts from then on: she may suspend.
		o := b.order(t)
		o.Identity = forWard(t, mother)
		if _, err := b.Suspend(t.Context(), b.operator(t, "op2", "com"), o); err != nil {
			t.Errorf("the mother suspends: %v", err)
		}
	})
}

// At eighteen, at midnight in Rome, whoever stood for the holder stands no more;
// both are told once. Born on 29 February, of age on 1 March.
func TestR64_RightsEndAtEighteen(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	mother, child := b.family(t)
	child = b.people[child.CF]
	child.Born, child.Email = day(t, "2008-02-29"), "luca@posta.example"
	b.enrol(child)
	b.clock.Set(time.Date(2026, 2, 1, 10, 0, 0, 0, time.UTC))
	c := b.card(t, number)
	c.Issued = day(t, "2026-01-01")
	b.put(t, c)
	if _, err := b.activateAs(t, child, forWard(t, mother)); err != nil {
		t.Fatal(err)
	}
	midnight := time.Date(2026, 2, 28, 23, 0, 0, 0, time.UTC) // 1 March in Rome
	for _, x := range []struct {
		at    time.Time
		wards int
		code  string
	}{{midnight.Add(-time.Second), 1, ""}, {midnight, 0, "CSE-437"}} {
		b.clock.Set(x.at)
		wards, err := b.Wards(t.Context(), mother.CF)
		if err != nil || len(wards) != x.wards {
			t.Errorf("at %s: %d wards, %v", x.at, len(wards), err)
		}
		o := b.order(t)
		o.Identity = forWard(t, mother)
		o.Identity.Document.Expires = day(t, "2030-01-01")
		_, err = b.Reactivate(t.Context(), b.operator(t, "op2", "com"), o)
		if x.code == "" {
			x.code = "CSE-445" // she may; the card is not suspended
		}
		refused(t, x.at.String(), err, x.code)
	}
	for night := range 2 {
		n, err := b.ComeOfAge(t.Context(), counter.MajorityHold)
		if err != nil || n != 1-night {
			t.Errorf("night %d: %d, %v", night, n, err)
		}
	}
	if c := b.card(t, number); c.State != lifecycle.Suspended {
		t.Errorf("with hold the card is %s", c.State)
	}
	told := map[string]bool{}
	for key := range b.effects {
		for _, e := range []counter.Event{counter.RightsEnded, counter.OfAgeHeld} {
			if strings.HasPrefix(key, "mail.notice/"+string(e)+"/") {
				told[string(e)] = true
			}
		}
	}
	if len(told) != 2 {
		t.Errorf("told: %v", told)
	}
}

// The delegate's four papers and the impediment, each missing once (R95-R100).
func TestR95_R97_R98_R99_R100_WhatADelegateBrings(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	who := somebody(t, "Verdi", "Lucia", "1985-02-02", codicefiscale.Female)
	who.Email = "lucia@posta.example"
	b.enrol(who)
	p := b.mario(t)
	b.issue(t, p, number, nil)
	for name, c := range map[string]struct {
		with func(*counter.IdentityStep)
		code string
	}{
		"no health impediment (R95)": {func(s *counter.IdentityStep) { s.Representative.Health = false }, "CSE-121"},
		"an expired document (R97)":  {func(s *counter.IdentityStep) { s.Document.Expires = day(t, "2026-11-22") }, "CSE-110"},
		"no delegation (R98)":        {func(s *counter.IdentityStep) { s.Representative.Delegation = false }, "CSE-417"},
		"no copy (R99)":              {func(s *counter.IdentityStep) { s.Representative.Copy = false }, "CSE-418"},
		"the holder for himself":     {func(s *counter.IdentityStep) { s.Representative.CF = p.CF }, "CSE-414"},
		"all of it":                  {func(*counter.IdentityStep) {}, ""},
	} {
		s := byDelegate(t, who)
		c.with(&s)
		_, err := b.identify(t, "asl1", p, s)
		switch {
		case c.code != "":
			refused(t, name, err, c.code)
		case err != nil:
			t.Errorf("%s: %v", name, err)
		}
	}
	// R100: the holder's card is there.
	_, err := b.StartDraft(t.Context(), b.operator(t, "op1", "asl1"), counter.CardStep{CF: p.CF})
	refused(t, "without the card", err, "CSE-133")
	// The delegate's own address is refused, however it is written.
	op := b.operator(t, "op1", "asl1")
	d, err := b.identify(t, "asl1", p, byDelegate(t, who))
	if err != nil {
		t.Fatal(err)
	}
	contact := goodContact()
	contact.Email, contact.EmailAgain = "Lucia@Posta.example", "Lucia@Posta.example"
	_, err = b.Contacts(t.Context(), op, d.ID, d.Version, contact)
	refused(t, "the delegate's address (R98)", err, "CSE-419")
}

func TestR96_TheDelegateIsTheOneIdentified(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	who := b.enrol(somebody(t, "Verdi", "Lucia", "1985-02-02", codicefiscale.Female))
	p := b.mario(t)
	p.Email = "vecchio@posta.example"
	b.enrol(p)
	b.issue(t, p, number, nil)
	a, err := b.activateAs(t, p, byDelegate(t, who))
	if err != nil {
		t.Fatal(err)
	}
	e := b.entries[len(b.entries)-1]
	if e.Detail["holder_identified"] != "no" || e.Detail["present"] != "delegato" || a.Form.Representative.CF != who.CF {
		t.Errorf("journal %+v, form %+v", e, a.Form.Representative)
	}
	if _, ok := b.effects["mail.notice/by-delegate/"+a.Protocol]; !ok {
		t.Error("the holder's known address is not told")
	}
	// Codes that a delegate carried are not printed again for the holder: they are changed.
	_, err = b.Reprint(t.Context(), b.operator(t, "op1", "asl1"), b.order(t))
	refused(t, "a reprint of what a delegate had", err, "CSE-453")
	// And a delegate may only activate.
	o := b.order(t)
	o.Identity = byDelegate(t, who)
	_, err = b.Revoke(t.Context(), b.operator(t, "op1", "asl1"), o)
	refused(t, "a delegate revokes", err, "CSE-438")
	if wards, err := b.Wards(t.Context(), who.CF); err != nil || len(wards) != 0 {
		t.Errorf("a delegate stands for nobody afterwards: %v, %v", wards, err)
	}
	if errors.Is(err, counter.ErrStale) {
		t.Error(err)
	}
}
