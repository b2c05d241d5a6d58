package counter_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/registry"
)

func TestActivation(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		op, p, a := b.activated(t)
		if a.Protocol != "2026/0000001" || a.Card != number || !a.At.Equal(monday) {
			t.Errorf("activation %+v", a)
		}
		if c := b.card(t, number); c.State != lifecycle.Active || !c.ActivatedAt.Equal(monday) {
			t.Errorf("the card is %s since %s", c.State, c.ActivatedAt)
		}
		if b.certs["ab"+number] != "active" {
			t.Errorf("the certificate: %v", b.certs)
		}
		if got := b.acts(); !slices.Equal(got, []string{"card.activated"}) {
			t.Errorf("journal %v", got)
		}
		e := b.entries[0]
		if e.Actor != "op1" || e.Office != "asl1" || e.Card != number || e.Person != string(p.CF) || e.Detail["protocol"] != a.Protocol {
			t.Errorf("entry %+v", e)
		}
		b.checkEffects(t, a)
		if _, err := b.Draft(t.Context(), op, "x"); !errors.Is(err, words.Refuse("CSE-145")) {
			t.Errorf("a draft that is not there: %v", err)
		}
		f := lifecycle.Functions(b.card(t, number), lifecycle.FactsOf(p, b.card(t, number), nil), monday)
		if f[3].State != lifecycle.Valid { // R61: usable at once
			t.Errorf("the CNS right after the activation: %+v", f[3])
		}
	})
}

// checkEffects: one print, one mail with the codes, one notice; the address in
// the mails only; nothing that looks like a code anywhere.
func (b *bench) checkEffects(t *testing.T, a counter.Activation) {
	t.Helper()
	if len(b.effects) != 3 {
		t.Fatalf("%d effects: %v", len(b.effects), b.effects)
	}
	var form counter.Form
	var mail counter.CodesMail
	var note counter.Notice
	for key, into := range map[string]any{
		counter.PrintKey(a.Protocol): &form, counter.MailKey(a.Protocol): &mail, "mail.notice/activated/" + a.Protocol: &note,
	} {
		if err := json.Unmarshal(b.effects[key].Body, into); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
	}
	if form.EmailMasked != "M•••@p•••.example" || form.Surname != "ROSSI" || form.Card != number || form.Protocol != a.Protocol {
		t.Errorf("form %+v", form)
	}
	if mail.To != "Mario.Rossi@posta.example" || mail.FirstName != "Mario" || mail.Card != number {
		t.Errorf("mail %+v", mail)
	}
	if note.To != mail.To || note.Event != counter.Activated {
		t.Errorf("notice %+v", note)
	}
	if strings.Contains(string(b.effects[counter.PrintKey(a.Protocol)].Body), mail.To) {
		t.Error("the form's body names the address")
	}
	for key, e := range b.effects {
		set := b.codes[number]
		for _, code := range [][]byte{set.PIN.Reveal(), set.PUK.Reveal(), set.CIP.Reveal()} {
			if strings.Contains(string(e.Body), string(code)) {
				t.Errorf("%s holds a code", key)
			}
		}
	}
}

func TestCodesMailSaysSecondHalvesOnly(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	_, p, a := b.activated(t)
	second, err := b.second.SecondHalves(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	m := counter.CodesMail{Protocol: a.Protocol, Card: number, To: "m@x.example", FirstName: "Mario", Lang: words.Italian}
	for _, l := range []words.Lang{words.Italian, words.English} {
		m.Lang = l
		subject, text := m.Text(second)
		want := "\nPIN: " + string(second.PIN.Reveal()) + "\nPUK: " + string(second.PUK.Reveal()) + "\nCIP: " + string(second.CIP.Reveal()) + "\n"
		if !strings.Contains(text, want) || subject == "" || strings.Contains(subject+text, "⟦") || strings.Contains(text, "%!") {
			t.Errorf("%s: %s\n%s", l, subject, text)
		}
		before, _, _ := strings.Cut(text, "PIN: ")
		if strings.ContainsAny(before, "0123456789") && strings.Contains(before, "PIN") {
			t.Errorf("%s: a digit follows the word before its line", l)
		}
		if strings.Contains(text, string(p.CF)) || strings.Contains(strings.ToUpper(text), p.Surname) {
			t.Errorf("%s: the mail names the holder", l)
		}
		for _, n := range []counter.Event{counter.Activated, counter.Revoked} {
			s, x := counter.Notice{Event: n, Protocol: a.Protocol, Card: number, FirstName: "Mario", At: monday, Lang: l}.Text()
			if strings.Contains(s+x, "⟦") || strings.Contains(x, "%!") || !strings.Contains(x, "0123") || !strings.Contains(x, "23/11/2026 10:30") {
				t.Errorf("%s notice: %s\n%s", n, s, x)
			}
		}
	}
}

// A double click, a second window and a crash before the answer: one activation.
func TestActivationHappensOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		op, p := b.operator(t, "op1", "asl1"), b.mario(t)
		b.issue(t, p, number, nil)
		d := b.fill(t, op, p)
		var wg sync.WaitGroup
		got := make([]counter.Activation, 6)
		for i := range got {
			wg.Go(func() {
				a, err := b.Activate(t.Context(), op, d.ID, d.Version)
				if err != nil && !errors.Is(err, words.Refuse("CSE-145")) { // the draft went between two reads
					t.Errorf("click %d: %v", i, err)
				}
				got[i] = a
			})
		}
		wg.Wait()
		again, err := b.Activate(t.Context(), op, d.ID, d.Version)
		if err != nil || again.Protocol != "2026/0000001" {
			t.Errorf("a late click: %v, %v", again.Protocol, err)
		}
		for i, a := range got {
			if a.Protocol != "" && a.Protocol != again.Protocol {
				t.Errorf("click %d made %s", i, a.Protocol)
			}
		}
		if rows, err := db.Activations().ByCard(t.Context(), number); err != nil || len(rows) != 1 {
			t.Errorf("%d activations, %v", len(rows), err)
		}
		if len(b.effects) != 3 {
			t.Errorf("%d effects", len(b.effects))
		}
	})
}

// Whatever fails inside the act leaves nothing behind, and the draft as it was.
func TestActivationIsAllOrNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		op, p := b.operator(t, "op1", "asl1"), b.mario(t)
		before := b.issue(t, p, number, nil)
		d := b.fill(t, op, p)
		b.broken = errors.New("the audit is full")
		if _, err := b.Activate(t.Context(), op, d.ID, d.Version); !errors.Is(err, b.broken) {
			t.Fatalf("Activate: %v", err)
		}
		if c := b.card(t, number); c != before {
			t.Errorf("the card became %+v", c)
		}
		if rows, err := db.Activations().ByCard(t.Context(), number); err != nil || len(rows) != 0 || len(b.effects) != 0 {
			t.Errorf("%d activations, %d effects, %v", len(rows), len(b.effects), err)
		}
		b.broken = nil
		a, err := b.Activate(t.Context(), op, d.ID, d.Version)
		if err != nil || a.Protocol != "2026/0000001" {
			t.Errorf("once it works again: %v, %v", a.Protocol, err)
		}
	})
}

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
		{"a parent", func(s *counter.IdentityStep) { s.Present = counter.PresentParent }, nil, "CSE-129", "presente"},
		{"a delegate", func(s *counter.IdentityStep) { s.Present = counter.PresentDelegate }, nil, "CSE-129", "presente"},
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

// Everything is asked again at the act: what was good at step 2 may not be now.
func TestTheActChecksAgain(t *testing.T) {
	for _, c := range []struct {
		name string
		then func(t *testing.T, b *bench, p registry.Person)
		code string
	}{
		{"the draft is of yesterday", func(_ *testing.T, b *bench, _ registry.Person) { b.clock.Advance(14 * time.Hour) }, "CSE-145"},
		{"the holder died", func(t *testing.T, b *bench, p registry.Person) { p.Died = day(t, "2026-11-23"); b.enrol(p) }, "CSE-118"},
		{"a colleague activated it", func(t *testing.T, b *bench, p registry.Person) {
			op := b.operator(t, "op2", "asl1")
			d := b.fill(t, op, p)
			if _, err := b.Activate(t.Context(), op, d.ID, d.Version); err != nil {
				t.Fatal(err)
			}
		}, "CSE-113"},
		{"the registry made him a ward", func(_ *testing.T, b *bench, p registry.Person) { p.UnderGuardianship = true; b.enrol(p) }, "CSE-128"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, storetest.SQLite(t))
			op, p := b.operator(t, "op1", "asl1"), b.mario(t)
			b.issue(t, p, number, nil)
			d := b.fill(t, op, p)
			c.then(t, b, p)
			_, err := b.Activate(t.Context(), op, d.ID, d.Version)
			refused(t, c.name, err, c.code)
		})
	}
}

func TestDocumentGoodAtMidnightOnly(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	op, p := b.operator(t, "op1", "asl1"), b.mario(t)
	b.issue(t, p, number, nil)
	b.clock.Set(time.Date(2026, 11, 23, 22, 50, 0, 0, time.UTC)) // 23:50 in Rome
	d, err := b.StartDraft(t.Context(), op, goodCard(p))
	if err != nil {
		t.Fatal(err)
	}
	s := goodIdentity(t)
	s.Document.Expires = day(t, "2026-11-23")
	if d, err = b.Identify(t.Context(), op, d.ID, d.Version, s); err != nil {
		t.Fatal(err)
	}
	if d, err = b.Contacts(t.Context(), op, d.ID, d.Version, goodContact()); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(15 * time.Minute)
	_, err = b.Activate(t.Context(), op, d.ID, d.Version)
	refused(t, "after midnight", err, "CSE-110")
	if c := b.card(t, number); c.State != lifecycle.Delivered {
		t.Errorf("the card is %s", c.State)
	}
}

func TestOwnCard(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	op := b.operator(t, "op1", "asl1")
	b.issue(t, b.people[op.CF], number, nil)
	_, err := b.StartDraft(t.Context(), op, goodCard(b.people[op.CF]))
	refused(t, "his own card", err, "CSE-140")
	// The same person under an omocodia: still his own.
	twin := b.people[op.CF]
	twin.CF = op.CF.Omocodie()[0]
	b.enrol(twin)
	b.issue(t, twin, "6090000000000016", nil)
	_, err = b.StartDraft(t.Context(), op, counter.CardStep{CF: twin.CF, LastFive: "00016"})
	refused(t, "his own card under another code", err, "CSE-140")
	_, err = b.StartDraft(t.Context(), b.operator(t, "op2", "asl1"), goodCard(b.people[op.CF]))
	if err != nil {
		t.Errorf("a colleague: %v", err)
	}
}

func TestDraftsAreTheOperatorsOwn(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	op, p := b.operator(t, "op1", "asl1"), b.mario(t)
	b.issue(t, p, number, nil)
	d := b.fill(t, op, p)
	got, err := b.Draft(t.Context(), op, d.ID)
	if err != nil || got != d || got.Contact.Email != "Mario.Rossi@posta.example" {
		t.Errorf("read back %+v, %v", got, err)
	}
	for _, other := range []counter.Operator{b.operator(t, "op2", "asl1"), b.operator(t, "op1", "com")} {
		_, err := b.Draft(t.Context(), other, d.ID)
		refused(t, other.Account+" at "+other.Office.ID, err, "CSE-145")
		_, err = b.Activate(t.Context(), other, d.ID, d.Version)
		refused(t, other.Account+" at "+other.Office.ID, err, "CSE-145")
	}
	_, err = b.Identify(t.Context(), op, d.ID, d.Version-1, goodIdentity(t))
	refused(t, "an old window", err, "CSE-149")
	row, err := b.db.Drafts().Get(t.Context(), d.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, clear := range []string{string(p.CF), "posta.example", "CA00000AA"} {
		if strings.Contains(string(row.Body), clear) {
			t.Errorf("the draft is kept with %s in clear", clear)
		}
	}
	if err := b.Abort(t.Context(), b.operator(t, "op2", "asl1"), d.ID); err != nil {
		t.Error(err)
	}
	if _, err := b.Draft(t.Context(), op, d.ID); err != nil {
		t.Errorf("a colleague aborted it: %v", err)
	}
	for range 2 {
		if err := b.Abort(t.Context(), op, d.ID); err != nil {
			t.Error(err)
		}
	}
	_, err = b.Activate(t.Context(), op, d.ID, d.Version)
	refused(t, "an aborted draft", err, "CSE-145")
	if c := b.card(t, number); c.State != lifecycle.Delivered {
		t.Errorf("the card is %s", c.State)
	}
}

func TestTidy(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	op, p := b.operator(t, "op1", "asl1"), b.mario(t)
	b.issue(t, p, number, nil)
	d := b.fill(t, op, p)
	b.clock.Advance(counter.DraftLife + time.Second)
	if err := b.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.db.Drafts().Get(t.Context(), d.ID); !errors.Is(err, counter.ErrNotFound) {
		t.Errorf("an old draft: %v", err)
	}
}

func TestPrintAndHandOver(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		op, _, a := b.activated(t)
		refused(t, "handed over before the print", b.HandOver(t.Context(), op, a.Protocol), "CSE-146")
		f, err := b.ToPrint(t.Context(), op, a.Protocol)
		if err != nil || f.Surname != "ROSSI" || f.OfficeName != "ASL 1" {
			t.Errorf("form %+v, %v", f, err)
		}
		_, err = b.ToPrint(t.Context(), b.operator(t, "op2", "com"), a.Protocol)
		refused(t, "another counter", err, "CSE-145")
		if err := b.Printed(t.Context(), op, a.Protocol); err != nil {
			t.Fatal(err)
		}
		refused(t, "a second print", b.Printed(t.Context(), op, a.Protocol), "CSE-150")
		_, err = b.ToPrint(t.Context(), op, a.Protocol)
		refused(t, "a second print", err, "CSE-150")
		for range 2 {
			if err := b.HandOver(t.Context(), op, a.Protocol); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(b.dropped, []string{counter.PrintKey(a.Protocol)}) {
			t.Errorf("destroyed %v", b.dropped)
		}
		if got := b.acts(); !slices.Equal(got, []string{"card.activated", "codes.printed", "codes.handed-over"}) {
			t.Errorf("journal %v", got)
		}
		refused(t, "no such protocol", b.HandOver(t.Context(), op, "2026/9999999"), "CSE-145")
		refused(t, "no protocol", b.HandOver(t.Context(), op, ""), "CSE-145")
	})
}
