package counter_test

import (
	"strings"
	"testing"

	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/registry"
)

// Step 1: what an operator may put on the counter.
func TestCardStep(t *testing.T) {
	state := func(s lifecycle.State) func(*lifecycle.Card) {
		return func(c *lifecycle.Card) { c.State, c.EndedAt, c.ActivatedAt = s, monday, monday }
	}
	type step = counter.CardStep
	for _, c := range []struct {
		name   string
		card   func(*lifecycle.Card)
		person func(*registry.Person)
		step   func(*step)
		code   string // empty: accepted
		says   string // in the Italian sentence
	}{
		{"good", nil, nil, nil, "", ""},
		{"shipped, not known as delivered", state(lifecycle.Shipped), nil, nil, "", ""},
		{"chip read", nil, nil, func(s *step) { s.LastFive, s.ReadCF, s.ReadID = "", s.CF, number }, "", ""},
		{"by card number", nil, nil, func(s *step) { s.CF, s.Card = "", number }, "", ""},
		{"another person's chip", nil, nil, func(s *step) { s.ReadCF, s.ReadID = "BNCGLI85D52D612X", number }, "CSE-111", ""},
		{"a card of another Region", nil, nil, func(s *step) { s.LastFive, s.ReadCF, s.ReadID = "", s.CF, "6030000000000128" }, "CSE-141", ""},
		{"no card shown", nil, nil, func(s *step) { s.LastFive = "" }, "CSE-133", ""},
		{"other digits", nil, nil, func(s *step) { s.LastFive = "99999" }, "CSE-132", ""},
		{"typed without a reason", nil, nil, func(s *step) { s.NoReader = "" }, "CSE-441", ""},
		{"typed for no reason worth the name", nil, nil, func(s *step) { s.NoReader = "boh" }, "CSE-441", ""},
		{"fewer digits", nil, nil, func(s *step) { s.LastFive = "3" }, "CSE-132", ""},
		{"unknown person", nil, nil, func(s *step) { s.CF = "BNCGLI85D52D612X" }, "CSE-102", ""},
		{"unknown number", nil, nil, func(s *step) { s.CF, s.Card = "", "6090000000009999" }, "CSE-139", ""},
		{"number of somebody else", nil, nil, func(s *step) { s.CF, s.Card = "BNCGLI85D52D612X", number }, "CSE-139", ""},
		{"already active", state(lifecycle.Active), nil, nil, "CSE-113", "23/11/2026"},
		{"suspended", state(lifecycle.Suspended), nil, nil, "CSE-113", ""},
		{"revoked", state(lifecycle.Revoked), nil, nil, "CSE-114", "23/11/2026"},
		{"expired", state(lifecycle.Expired), nil, nil, "CSE-115", "01/11/2032"},
		{"its day has passed", func(c *lifecycle.Card) { c.Expires = civil.Date{Year: 2026, Month: 11, Day: 22} }, nil, nil, "CSE-115", "22/11/2026"},
		{"replaced", state(lifecycle.Replaced), nil, nil, "CSE-112", "23/11/2026"},
		{"in production", state(lifecycle.InProduction), nil, nil, "CSE-116", ""},
		{"returned", state(lifecycle.Returned), nil, nil, "CSE-116", ""},
		{"without chip", func(c *lifecycle.Card) { c.Model, c.CertSerial = lifecycle.TS, "" }, nil, nil, "CSE-117", ""},
		{"dead", nil, func(p *registry.Person) { p.Died = civil.Date{Year: 2026, Month: 11, Day: 20} }, nil, "CSE-118", ""},
		{"no longer assisted", nil, func(p *registry.Person) { p.AssistedUntil = civil.Date{Year: 2026, Month: 11, Day: 22} }, nil, "CSE-119", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, storetest.SQLite(t))
			p := b.mario(t)
			b.issue(t, p, number, c.card)
			if c.person != nil {
				c.person(&p)
				b.enrol(p)
			}
			s := goodCard(p)
			if c.step != nil {
				c.step(&s)
			}
			d, err := b.StartDraft(t.Context(), b.operator(t, "op1", "asl1"), s)
			if c.code == "" {
				if err != nil || d.Done != 1 {
					t.Errorf("step %d, %v", d.Done, err)
				}
				return
			}
			refused(t, c.name, err, c.code)
			if f := words.FaultOf(err); f != nil && !strings.Contains(f.Sentence(words.Italian), c.says) {
				t.Errorf("it says %q, not %s", f.Sentence(words.Italian), c.says)
			}
		})
	}
}

func TestOldCardInTheReader(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	p := b.mario(t)
	const older = "6090000000000016"
	b.issue(t, p, older, func(c *lifecycle.Card) { c.ReplacedBy, c.OrderedAt = number, monday.AddDate(-5, 0, 0) })
	b.issue(t, p, number, func(c *lifecycle.Card) { c.Replaces = older })
	op := b.operator(t, "op1", "asl1")
	_, err := b.StartDraft(t.Context(), op, counter.CardStep{CF: p.CF, ReadCF: p.CF, ReadID: older})
	refused(t, "the old card", err, "CSE-112")
	if f := words.FaultOf(err); f != nil && !strings.Contains(f.Sentence(words.Italian), "13/11/2026") {
		t.Errorf("it says %q", f.Sentence(words.Italian))
	}
	if _, err := b.StartDraft(t.Context(), op, counter.CardStep{CF: p.CF, ReadCF: p.CF, ReadID: number}); err != nil {
		t.Errorf("the new card: %v", err)
	}
}

func TestCardWithoutCodes(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	p := b.mario(t)
	b.issue(t, p, number, nil)
	if err := b.db.Atomically(t.Context(), func(ctx ctx) error { return b.db.Codes().Destroy(ctx, number) }); err != nil {
		t.Fatal(err)
	}
	_, err := b.StartDraft(t.Context(), b.operator(t, "op1", "asl1"), goodCard(p))
	refused(t, "no codes", err, "CSE-138")
}

// Steps 2 and 3: documents, who is present, addresses.
func TestIdentityStep(t *testing.T) {
	d := func(s string) civil.Date { return day(t, s) }
	for _, c := range []struct {
		name        string
		with        func(*counter.IdentityStep)
		person      func(*registry.Person)
		code, field string
	}{
		{"good", nil, nil, "", ""},
		{"expires today", func(s *counter.IdentityStep) { s.Document.Expires = d("2026-11-23") }, nil, "", ""},
		{"expired yesterday", func(s *counter.IdentityStep) { s.Document.Expires = d("2026-11-22") }, nil, "CSE-110", "documento_scadenza"},
		{"issued tomorrow", func(s *counter.IdentityStep) { s.Document.Issued = d("2026-11-24") }, nil, "CSE-136", "documento_rilascio"},
		{"expires before it was issued", func(s *counter.IdentityStep) { s.Document.Expires = d("2019-01-01") }, nil, "CSE-136", "documento_scadenza"},
		{"no expiry", func(s *counter.IdentityStep) { s.Document.Expires = civil.Date{} }, nil, "CSE-136", "documento_scadenza"},
		{"the TS (R40)", func(s *counter.IdentityStep) { s.Document.Kind = counter.HealthCard }, nil, "CSE-134", "documento_tipo"},
		{"the TS-CNS (R40)", func(s *counter.IdentityStep) { s.Document.Kind = counter.HealthServiceCard }, nil, "CSE-134", "documento_tipo"},
		{"a library card", func(s *counter.IdentityStep) { s.Document.Kind = "BIBLIOTECA" }, nil, "CSE-135", "documento_tipo"},
		{"no number", func(s *counter.IdentityStep) { s.Document.Number = "" }, nil, "CSE-135", "documento_numero"},
		{"a number of control characters", func(s *counter.IdentityStep) { s.Document.Number = "AB\x001234" }, nil, "CSE-135", "documento_numero"},
		{"no issuer", func(s *counter.IdentityStep) { s.Document.Issuer = "" }, nil, "CSE-135", "documento_ente"},
		{"nobody present", func(s *counter.IdentityStep) { s.Present = "" }, nil, "CSE-148", "presente"},
		{"a parent", func(s *counter.IdentityStep) { s.Present = counter.PresentParent }, nil, "CSE-413", "presente"},
		{"a delegate", func(s *counter.IdentityStep) { s.Present = counter.PresentDelegate }, nil, "CSE-121", "salute"},
		{"18 today", nil, func(p *registry.Person) { p.Born = d("2008-11-23") }, "", ""},
		{"18 tomorrow (R64)", nil, func(p *registry.Person) { p.Born = d("2008-11-24") }, "CSE-120", "presente"},
		{"ward (R64)", nil, func(p *registry.Person) { p.UnderGuardianship = true }, "CSE-128", "presente"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, storetest.SQLite(t))
			op, p := b.operator(t, "op1", "asl1"), b.mario(t)
			b.issue(t, p, number, nil)
			draft, err := b.StartDraft(t.Context(), op, goodCard(p))
			if err != nil {
				t.Fatal(err)
			}
			if c.person != nil {
				c.person(&p)
				b.enrol(p)
			}
			s := goodIdentity(t)
			if c.with != nil {
				c.with(&s)
			}
			_, err = b.Identify(t.Context(), op, draft.ID, draft.Version, s)
			if c.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			refused(t, c.name, err, c.code)
			if f := words.FaultOf(err); f != nil && f.Field != c.field {
				t.Errorf("the field is %q, want %q", f.Field, c.field)
			}
		})
	}
}

func TestContactStep(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	op, p := b.operator(t, "op1", "asl1"), b.mario(t)
	b.issue(t, p, number, nil)
	d, err := b.StartDraft(t.Context(), op, goodCard(p))
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Contacts(t.Context(), op, d.ID, d.Version, goodContact())
	refused(t, "step 3 before step 2", err, "CSE-148")
	if d, err = b.Identify(t.Context(), op, d.ID, d.Version, goodIdentity(t)); err != nil {
		t.Fatal(err)
	}
	_, err = b.Activate(t.Context(), op, d.ID, d.Version)
	refused(t, "the act before step 3", err, "CSE-148")
	for _, c := range []struct{ email, again, code string }{
		{"", "", "CSE-130"},
		{"mario", "mario", "CSE-130"},
		{"mario@localhost", "mario@localhost", "CSE-130"},
		{"mario@x..it", "mario@x..it", "CSE-130"},
		{"mario@-x.it", "mario@-x.it", "CSE-130"},
		{"ma rio@x.it", "ma rio@x.it", "CSE-130"},
		{"mario@x.it\r\nBcc: a@b.it", "mario@x.it\r\nBcc: a@b.it", "CSE-130"},
		{"\"mario\"@x.it", "\"mario\"@x.it", "CSE-130"},
		{"<mario@x.it>", "<mario@x.it>", "CSE-130"},
		{"mario@x.it,a@b.it", "mario@x.it,a@b.it", "CSE-130"},
		{strings.Repeat("a", 65) + "@x.it", strings.Repeat("a", 65) + "@x.it", "CSE-130"},
		{"mario@x.it", "mario@y.it", "CSE-131"},
		{"mario@x.it", "Mario@x.it", "CSE-131"},
		{"mario@x.it", "", "CSE-131"},
	} {
		s := goodContact()
		s.Email, s.EmailAgain = c.email, c.again
		_, err := b.Contacts(t.Context(), op, d.ID, d.Version, s)
		refused(t, c.email+" and "+c.again, err, c.code)
	}
	s := goodContact()
	s.Consent = false
	_, err = b.Contacts(t.Context(), op, d.ID, d.Version, s)
	refused(t, "no consent", err, "CSE-137")
	if _, err := b.Contacts(t.Context(), op, d.ID, d.Version, goodContact()); err != nil {
		t.Errorf("a good step 3: %v", err)
	}
}
