package counter_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cse.example/cse/issuer/staff"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
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
func (b *bench) checkEffects(t *testing.T, a counter.Act) {
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
		// Others may see a card that works later, by as much as a list lasts; of a card
		// that works no more nothing is promised so late.
		var note counter.Notice
		if err := json.Unmarshal(b.effects["mail.notice/activated/"+a.Protocol].Body, &note); err != nil {
			t.Fatal(err)
		}
		note.Lang = l
		if _, text := note.Text(); note.Lists != 6 || !strings.Contains(text, "23/11/2026 16:30 ") || !strings.Contains(text, "(6 h)") {
			t.Errorf("%s: the notice does not say by when others know: %d\n%s", l, note.Lists, text)
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
		got := make([]counter.Act, 6)
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
		if rows, err := db.Acts().ByCard(t.Context(), number); err != nil || len(rows) != 1 {
			t.Errorf("%d activations, %v", len(rows), err)
		}
		if len(b.effects) != 3 {
			t.Errorf("%d effects", len(b.effects))
		}
		if _, err := db.Drafts().Get(t.Context(), d.ID); !errors.Is(err, counter.ErrNotFound) {
			t.Errorf("the draft outlived the act: %v", err)
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
		if rows, err := db.Acts().ByCard(t.Context(), number); err != nil || len(rows) != 0 || len(b.effects) != 0 {
			t.Errorf("%d activations, %d effects, %v", len(rows), len(b.effects), err)
		}
		b.broken = nil
		a, err := b.Activate(t.Context(), op, d.ID, d.Version)
		if err != nil || a.Protocol != "2026/0000001" {
			t.Errorf("once it works again: %v, %v", a.Protocol, err)
		}
	})
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
	_, err = b.StartDraft(t.Context(), op, counter.CardStep{CF: twin.CF, LastFive: "00016", NoReader: "lettore guasto"})
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
	for _, other := range []staff.Operator{b.operator(t, "op2", "asl1"), b.operator(t, "op1", "com")} {
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
		for _, e := range b.entries { // each is found under the person whom it concerns
			if e.Person != a.Form.CF {
				t.Errorf("%s names %q, want the holder", e.Act, e.Person)
			}
		}
		refused(t, "no such protocol", b.HandOver(t.Context(), op, "2026/9999999"), "CSE-145")
		refused(t, "no protocol", b.HandOver(t.Context(), op, ""), "CSE-145")
	})
}
