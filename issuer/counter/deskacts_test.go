package counter_test

import (
	"context"
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
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// order is a good form for the card `number`, with everything that any act asks.
func (b *bench) order(t *testing.T) counter.Order {
	t.Helper()
	r, err := b.NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	return counter.Order{
		Request: r, Card: number, Identity: goodIdentity(t), Lang: words.Italian, Address: true,
		Report: counter.Report{Authority: "Carabinieri di Prato", Number: "AB/77", Date: day(t, "2026-11-22")},
		Lights: &counter.Lights{PIN: true, PUK: true}, Text: "il nome è Maria e non Mario",
		Shown: counter.CardStep{LastFive: number[11:]}, NoReader: "lettore guasto",
		Email: "mario@posta.example", EmailAgain: "mario@posta.example",
	}
}

// put writes a card as it is given.
func (b *bench) put(t *testing.T, c lifecycle.Card) {
	t.Helper()
	err := b.db.Atomically(t.Context(), func(ctx context.Context) error {
		_, err := b.db.Cards().Put(ctx, c)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// functions are the four functions of a card now.
func (b *bench) functions(t *testing.T, p registry.Person, id string) (out [4]lifecycle.FunctionState) {
	t.Helper()
	cards, err := b.db.Cards().ByPerson(t.Context(), p.CF)
	if err != nil {
		t.Fatal(err)
	}
	c := b.card(t, id)
	for i, f := range lifecycle.Functions(c, lifecycle.FactsOf(p, c, cards), b.clock.Now()) {
		out[i] = f.State
	}
	return out
}

// successor is the card that took the place of id.
func (b *bench) successor(t *testing.T, id string) lifecycle.Card {
	t.Helper()
	next := b.card(t, id).ReplacedBy
	if next == "" {
		t.Fatalf("nothing follows %s", id)
	}
	c := b.card(t, next)
	if c.Replaces != id || c.State != lifecycle.Ordered {
		t.Errorf("the successor: %+v", c)
	}
	return c
}

// The matrix of the rules for the acts of one form, over the acts themselves:
// who may do each, and what everybody else is told (R26, R29, R33, R35, R82).
func TestR26_R29_R33_R35_R82_WhoMayDoWhichAct(t *testing.T) {
	offices := []string{"asl1", "asl2", "ade", "com", "urp", "far", "no", "cc"}
	const y = ""
	for kind, want := range map[counter.ActKind][8]string{
		counter.KindReprint:     {y, y, "CSE-122", y, y, "CSE-122", "CSE-123", "CSE-122"},
		counter.KindEmail:       {y, y, "CSE-122", y, y, "CSE-122", "CSE-123", "CSE-122"},
		counter.KindSuspend:     {y, y, y, y, y, y, "CSE-123", "CSE-126"}, // by telephone: phone.go
		counter.KindReactivate:  {y, y, "CSE-122", y, y, "CSE-122", "CSE-122", "CSE-122"},
		counter.KindRevoke:      {y, y, y, y, y, "CSE-126", "CSE-126", "CSE-126"},
		counter.KindLoss:        {y, "CSE-124", y, "CSE-124", "CSE-124", "CSE-124", "CSE-124", "CSE-124"},
		counter.KindNotReceived: {y, "CSE-124", y, "CSE-124", "CSE-124", "CSE-124", "CSE-124", "CSE-124"},
		counter.KindChipFault:   {y, "CSE-124", y, "CSE-124", "CSE-124", "CSE-124", "CSE-124", "CSE-124"},
		counter.KindCorrection:  {"CSE-125", "CSE-125", y, "CSE-125", "CSE-125", "CSE-125", "CSE-125", "CSE-125"},
		counter.KindReferral:    {y, y, y, y, y, y, y, y},
	} {
		for i, office := range offices {
			b := newBench(t, storetest.SQLite(t))
			_, _, _ = b.activated(t)
			switch kind {
			case counter.KindNotReceived:
				c := b.card(t, number)
				c.State, c.ActivatedAt = lifecycle.Delivered, time.Time{}
				b.put(t, c)
			case counter.KindReactivate:
				if _, err := b.Suspend(t.Context(), b.operator(t, "op1", "asl1"), b.order(t)); err != nil {
					t.Fatal(err)
				}
			}
			_, err := b.Do(t.Context(), b.operator(t, "op1", office), kind, b.order(t))
			if code := want[i]; code != "" {
				refused(t, string(kind)+" at "+office, err, code)
			} else if err != nil {
				t.Errorf("%s at %s: %v", kind, office, err)
			}
		}
	}
}

// R37: first the report, then the counter; what needs no report is offered.
func TestR34_R37_ReportComesFirst(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	op, _, _ := b.activated(t)
	for name, c := range map[string]struct {
		with  func(*counter.Report)
		code  string
		field string
	}{
		"nothing":   {func(r *counter.Report) { *r = counter.Report{} }, "CSE-430", "denuncia_autorita"},
		"no number": {func(r *counter.Report) { r.Number = "" }, "CSE-430", "denuncia_numero"},
		"no date":   {func(r *counter.Report) { r.Date = civil.Date{} }, "CSE-430", "denuncia_data"},
		"tomorrow":  {func(r *counter.Report) { r.Date = day(t, "2026-11-24") }, "CSE-431", "denuncia_data"},
	} {
		o := b.order(t)
		c.with(&o.Report)
		_, err := b.LossOrTheft(t.Context(), op, o)
		refused(t, name, err, c.code)
		if f := words.FaultOf(err); f != nil && f.Field != c.field {
			t.Errorf("%s: at %s", name, f.Field)
		}
	}
	if c := b.card(t, number); c.State != lifecycle.Active || b.certs["ab"+number] != "active" {
		t.Fatalf("a refusal moved the card: %s, %s", c.State, b.certs["ab"+number])
	}
	if f := words.Refuse("CSE-430"); !strings.Contains(f.Next(words.Italian), "Sospendi subito") {
		t.Errorf("the refusal does not offer the suspension: %s", f.Next(words.Italian))
	}
	// The suspension needs none, and becomes revocation and duplicate when the report arrives.
	if _, err := b.Suspend(t.Context(), b.operator(t, "op1", "far"), b.order(t)); err != nil {
		t.Fatal(err)
	}
	o := b.order(t)
	o.Report.Theft = true
	a, err := b.LossOrTheft(t.Context(), op, o)
	if err != nil {
		t.Fatal(err)
	}
	if c := b.card(t, number); c.State != lifecycle.Revoked || c.Reason != lifecycle.Theft || a.Form.Next == "" {
		t.Errorf("after the report: %s, %s, next %q", c.State, c.Reason, a.Form.Next)
	}
}

func TestR35_R36_LossRevokesAndOrdersInOneAct(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		op, p, _ := b.activated(t)
		before := len(b.entries)
		b.broken = errors.New("the journal is full")
		if _, err := b.LossOrTheft(t.Context(), op, b.order(t)); !errors.Is(err, b.broken) {
			t.Fatalf("without a journal: %v", err)
		}
		if c := b.card(t, number); c.State != lifecycle.Active || c.ReplacedBy != "" {
			t.Fatalf("half an act was kept: %+v", c)
		}
		b.broken, b.certs["ab"+number] = nil, "active"
		o := b.order(t)
		a, err := b.LossOrTheft(t.Context(), op, o)
		if err != nil {
			t.Fatal(err)
		}
		again, err := b.LossOrTheft(t.Context(), op, o)
		if err != nil || again.Protocol != a.Protocol {
			t.Errorf("pressed twice: %+v, %v", again, err)
		}
		next := b.successor(t, number)
		old := b.card(t, number)
		if old.State != lifecycle.Revoked || old.Reason != lifecycle.Loss || b.certs["ab"+number] != "revoked 1" {
			t.Errorf("the old card: %s, %s, %s", old.State, old.Reason, b.certs["ab"+number])
		}
		if next.ID == number || next.TEAM == old.TEAM || next.CF != p.CF {
			t.Errorf("the duplicate: %+v", next)
		}
		if has, err := b.deps.Codes.Has(t.Context(), number); err != nil || has {
			t.Errorf("the old codes are still there: %v, %v", has, err)
		}
		if got := b.functions(t, p, number); got != [4]lifecycle.FunctionState{lifecycle.FunctionEnded, lifecycle.Valid, lifecycle.FunctionEnded, lifecycle.Withdrawn} {
			t.Errorf("functions of a lost card: %v", got)
		}
		var acts []string
		for _, e := range b.entries[before:] {
			acts = append(acts, e.Act)
		}
		if !slices.Equal(acts, []string{"card.ordered", "card.lost"}) {
			t.Errorf("journal: %v", acts)
		}
		if _, ok := b.effects["mail.notice/lost/"+a.Protocol]; !ok {
			t.Error("the holder is not told")
		}
		if a.Form.Papers[0] != counter.PaperReceipt || a.Form.Report.Number != "AB/77" || a.Form.Next != next.ID {
			t.Errorf("the receipt: %+v", a.Form)
		}
	})
}

func TestR26_NotReceived(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	op, p := b.operator(t, "op1", "asl1"), b.mario(t)
	b.issue(t, p, number, func(c *lifecycle.Card) { c.State, c.DeliveredAt = lifecycle.Shipped, time.Time{} })
	o := b.order(t)
	o.Address = false
	_, err := b.NotReceived(t.Context(), op, o)
	refused(t, "an address nobody confirmed", err, "CSE-443")
	if _, err := b.NotReceived(t.Context(), op, b.order(t)); err != nil {
		t.Fatal(err)
	}
	b.successor(t, number)
	if got := b.certs["ab"+number]; got != "revoked 5" {
		t.Errorf("certificate: %s", got)
	}
	_, err = b.StartDraft(t.Context(), op, counter.CardStep{Card: number, CF: p.CF, LastFive: number[11:], NoReader: "lettore guasto"})
	refused(t, "the void card arrives and is brought for activation", err, "CSE-114")
	if _, err := b.Withdraw(t.Context(), op, b.order(t)); err != nil {
		t.Errorf("withdrawing it: %v", err)
	}
	_, err = b.Withdraw(t.Context(), op, b.order(t))
	refused(t, "withdrawn already", err, "CSE-440")
	if got := b.functions(t, p, number); got[0] != lifecycle.FunctionEnded || got[1] != lifecycle.Valid && got[1] != lifecycle.Pending {
		t.Errorf("functions of the void card: %v", got)
	}
	for state, code := range map[lifecycle.State]string{
		lifecycle.Produced: "CSE-434", lifecycle.InProduction: "CSE-434", lifecycle.Active: "CSE-435", lifecycle.Suspended: "CSE-435",
	} {
		b := newBench(t, storetest.SQLite(t))
		b.issue(t, b.mario(t), number, func(c *lifecycle.Card) { c.State, c.ActivatedAt = state, monday })
		_, err := b.NotReceived(t.Context(), b.operator(t, "op1", "asl1"), b.order(t))
		refused(t, string(state), err, code)
	}
}

func TestR33_ChipFaultNeedsADiagnosis(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	op, p, _ := b.activated(t)
	for name, l := range map[string]*counter.Lights{
		"no test":         nil,
		"all is well":     {ATR: true, Files: true, Certificate: true, PIN: true, PUK: true},
		"the PIN is shut": {ATR: true, Files: true, Certificate: true, PUK: true},
	} {
		o := b.order(t)
		o.Lights = l
		_, err := b.ChipFault(t.Context(), op, o)
		refused(t, name, err, "CSE-436")
	}
	a, err := b.ChipFault(t.Context(), op, b.order(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := b.certs["ab"+number]; got != "revoked 0" {
		t.Errorf("certificate: %s", got)
	}
	next := b.successor(t, number)
	want := [4]lifecycle.FunctionState{lifecycle.Valid, lifecycle.Valid, lifecycle.Valid, lifecycle.Withdrawn}
	if got := b.functions(t, p, number); got != want {
		t.Errorf("until the new card comes: %v, want %v", got, want)
	}
	next.State, next.DeliveredAt = lifecycle.Delivered, b.clock.Now()
	b.put(t, next)
	want = [4]lifecycle.FunctionState{lifecycle.FunctionEnded, lifecycle.Valid, lifecycle.FunctionEnded, lifecycle.Withdrawn}
	if got := b.functions(t, p, number); got != want {
		t.Errorf("when it has come: %v, want %v", got, want)
	}
	if e := b.entries[len(b.entries)-1]; e.Detail["diagnosis"] != "counter" || e.Detail["protocol"] != a.Protocol {
		t.Errorf("journal: %+v", e)
	}
}

// R27, R29: nobody edits printed data here; the Revenue Agency opens a
// correction, everybody else prints the slip.
func TestR27_R29_NoCounterEditsPrintedData(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	op, p, _ := b.activated(t)
	_, err := b.Correct(t.Context(), op, b.order(t))
	refused(t, "an ASL", err, "CSE-125")
	a, err := b.Refer(t.Context(), op, b.order(t))
	if err != nil || !slices.Equal(a.Form.Papers, []counter.PaperKind{counter.PaperReferral}) {
		t.Errorf("the slip: %+v, %v", a.Form, err)
	}
	ade := b.operator(t, "op1", "ade")
	o := b.order(t)
	o.Text = ""
	_, err = b.Correct(t.Context(), ade, o)
	refused(t, "without a word", err, "CSE-439")
	if _, err := b.Correct(t.Context(), ade, b.order(t)); err != nil {
		t.Errorf("the Revenue Agency: %v", err)
	}
	if after, err := b.people.Get(t.Context(), p.CF); err != nil || after.Name != p.Name || b.card(t, number).State != lifecycle.Active {
		t.Errorf("something was changed: %+v, %v", after, err)
	}
}

func TestSuspendReactivateRevoke(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	op, p, _ := b.activated(t)
	do := func(kind counter.ActKind, code string) {
		t.Helper()
		_, err := b.Do(t.Context(), op, kind, b.order(t))
		if code == "" && err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if code != "" {
			refused(t, string(kind), err, code)
		}
	}
	do(counter.KindReactivate, "CSE-445")
	do(counter.KindSuspend, "")
	if got := b.functions(t, p, number); got != [4]lifecycle.FunctionState{lifecycle.Valid, lifecycle.Valid, lifecycle.Valid, lifecycle.OnHold} || b.certs["ab"+number] != "held" {
		t.Errorf("suspended: %v, %s", got, b.certs["ab"+number])
	}
	do(counter.KindSuspend, "CSE-444")
	do(counter.KindReactivate, "")
	if got := b.functions(t, p, number)[3]; got != lifecycle.Valid || b.certs["ab"+number] != "active" {
		t.Errorf("reactivated: %v, %s", got, b.certs["ab"+number])
	}
	do(counter.KindRevoke, "")
	if c := b.card(t, number); c.State != lifecycle.Revoked || c.ReplacedBy != "" || b.certs["ab"+number] != "revoked 5" {
		t.Errorf("revoked: %+v", c)
	}
	do(counter.KindSuspend, "CSE-405")
	do(counter.KindReactivate, "CSE-405")
	do(counter.KindRevoke, "CSE-405")
	// A suspension that a loss is behind of does not end by a word.
	c := b.issue(t, b.people[p.CF], "6090000000000016", func(c *lifecycle.Card) {
		c.State, c.Reason, c.SuspendedAt, c.ActivatedAt = lifecycle.Suspended, lifecycle.Loss, monday, monday
	})
	o := b.order(t)
	o.Card = c.ID
	_, err := b.Reactivate(t.Context(), op, o)
	refused(t, "a loss is on file", err, "CSE-432")
}

// Who stands there: an expired document, a delegate, a stranger for a minor, an
// operator's own card and his child's.
func TestWhoMayAsk(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	op, _, _ := b.activated(t)
	o := b.order(t)
	o.Identity.Document.Expires = day(t, "2026-11-22")
	_, err := b.Suspend(t.Context(), op, o)
	refused(t, "an expired document", err, "CSE-110")
	o = b.order(t)
	o.Identity.Document.Kind = counter.HealthCard
	_, err = b.Suspend(t.Context(), op, o)
	refused(t, "the TS is no identity document (R40)", err, "CSE-134")
	o = b.order(t)
	o.Identity.Present = counter.PresentDelegate
	_, err = b.Suspend(t.Context(), op, o)
	refused(t, "a delegate", err, "CSE-438")
	o = b.order(t)
	o.Identity.Present, o.Identity.Representative = counter.PresentParent, &counter.Representative{CF: op.CF}
	_, err = b.Suspend(t.Context(), op, o)
	refused(t, "a parent of an adult", err, "CSE-437")
	o = b.order(t)
	o.Request = ""
	_, err = b.Suspend(t.Context(), op, o)
	refused(t, "no token", err, "CSE-442")

	mother := b.enrol(somebody(t, "Verdi", "Lucia", "1985-02-02", codicefiscale.Female))
	child := somebody(t, "Rossi", "Luca", "2015-06-06", codicefiscale.Male)
	child.Guardians = []registry.Guardian{{CF: mother.CF, Kind: registry.Parent, From: child.Born}, {CF: op.CF, Kind: registry.Parent, From: child.Born}}
	b.enrol(child)
	const his = "6090000000000016"
	b.issue(t, child, his, func(c *lifecycle.Card) { c.State, c.ActivatedAt = lifecycle.Active, monday })
	o = b.order(t)
	o.Card = his
	_, err = b.Suspend(t.Context(), op, o)
	refused(t, "the operator's own child", err, "CSE-140")
	other := b.operator(t, "op2", "asl1")
	_, err = b.Suspend(t.Context(), other, o)
	refused(t, "a minor asks for himself", err, "CSE-120")
	o.Identity.Present = counter.PresentParent
	_, err = b.Suspend(t.Context(), other, o)
	refused(t, "a parent without a name", err, "CSE-446")
	o.Identity.Representative = &counter.Representative{CF: b.mario(t).CF}
	_, err = b.Suspend(t.Context(), other, o)
	refused(t, "a stranger", err, "CSE-447")
	o.Identity.Representative = &counter.Representative{CF: mother.CF}
	if _, err := b.Suspend(t.Context(), other, o); err != nil {
		t.Errorf("the mother: %v", err)
	}
}

// Two operators act on one card at once: one act happens, the other is told.
func TestTwoOperatorsOneCard(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		_, _, _ = b.activated(t)
		ops := []staff.Operator{b.operator(t, "op1", "asl1"), b.operator(t, "op2", "ade")}
		orders := []counter.Order{b.order(t), b.order(t)}
		errs := make([]error, 2)
		var wg sync.WaitGroup
		for i := range ops {
			wg.Go(func() { _, errs[i] = b.LossOrTheft(t.Context(), ops[i], orders[i]) })
		}
		wg.Wait()
		good := 0
		for _, err := range errs {
			switch {
			case err == nil:
				good++
			case !errors.Is(err, words.Refuse("CSE-405")) && !errors.Is(err, words.Refuse("CSE-149")):
				t.Errorf("the slower one is told: %v", err)
			}
		}
		cards, err := db.Cards().ByPerson(t.Context(), b.mario(t).CF)
		if err != nil || good != 1 || len(cards) != 2 {
			t.Errorf("%d acts, %d cards, %v", good, len(cards), err)
		}
	})
}

func TestR51_R52_R53_Reprint(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	op, _, first := b.activated(t)
	o := b.order(t)
	o.Shown.LastFive = ""
	_, err := b.Reprint(t.Context(), op, o)
	refused(t, "without the card (R52)", err, "CSE-133")
	o = b.order(t)
	o.NoReader = ""
	_, err = b.Reprint(t.Context(), op, o)
	refused(t, "typed without a reason", err, "CSE-441")
	o = b.order(t)
	o.Shown = counter.CardStep{ReadID: "6090000000000016"}
	_, err = b.Reprint(t.Context(), op, o)
	refused(t, "another card in the reader", err, "CSE-112")
	o = b.order(t)
	o.EmailAgain = "x@posta.example"
	_, err = b.Reprint(t.Context(), op, o)
	refused(t, "addresses that differ", err, "CSE-131")

	a, err := b.Reprint(t.Context(), op, b.order(t))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a.Form.Papers, []counter.PaperKind{counter.PaperCodes}) {
		t.Errorf("papers %v", a.Form.Papers)
	}
	for _, key := range []string{
		counter.PrintKey(a.Protocol), counter.MailKey(a.Protocol), "mail.notice/reprinted/" + a.Protocol, "mail.notice/reprinted/" + a.Protocol + "/before",
	} {
		if _, ok := b.effects[key]; !ok {
			t.Errorf("no effect %s", key)
		}
	}
	if e := b.entries[len(b.entries)-1]; e.Act != "codes.reprinted" || e.Actor != "op1" || e.Office != "asl1" || e.Detail["shown"] != "typed" {
		t.Errorf("journal: %+v", e)
	}
	if h, err := b.second.SecondHalves(t.Context(), number); err != nil || string(h.PIN.Reveal()) != string(b.codes[number].PIN.Reveal()[2:]) {
		t.Errorf("the halves are not those of %s: %v", first.Protocol, err)
	}
	// The third in thirty days needs somebody else; a day later than that it does not.
	if _, err := b.Reprint(t.Context(), op, b.order(t)); err != nil {
		t.Fatal(err)
	}
	_, err = b.Reprint(t.Context(), op, b.order(t))
	refused(t, "the third", err, "CSE-452")
	if need, err := b.ReprintToApprove(t.Context(), number); err != nil || len(need) == 0 {
		t.Errorf("what to approve: %q, %v", need, err)
	}
	b.clock.Advance(31 * 24 * time.Hour)
	if _, err := b.Reprint(t.Context(), op, b.order(t)); err != nil {
		t.Errorf("thirty-one days later: %v", err)
	}
}

// R82: all three codes in one act, never for a card that was not activated or
// whose codes are not ours; a correction of the address is no reprint.
func TestR82_R75_CodesAgain(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	op, p := b.operator(t, "op1", "asl1"), b.mario(t)
	b.issue(t, p, number, nil)
	_, err := b.Reprint(t.Context(), op, b.order(t))
	refused(t, "not activated", err, "CSE-454")
	d := b.fill(t, op, p)
	if _, err := b.Activate(t.Context(), op, d.ID, d.Version); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		a, err := b.CorrectEmail(t.Context(), op, b.order(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := b.effects[counter.PrintKey(a.Protocol)]; ok {
			t.Error("a correction prints the first halves")
		}
		if _, ok := b.effects[counter.MailKey(a.Protocol)]; !ok {
			t.Error("the second halves do not leave again")
		}
	}
	if err := b.db.Atomically(t.Context(), func(ctx context.Context) error { return b.deps.Codes.Destroy(ctx, number) }); err != nil {
		t.Fatal(err)
	}
	_, err = b.Reprint(t.Context(), op, b.order(t))
	refused(t, "codes of another system", err, "CSE-620")
}

func TestR84_R37_SuspendAndRevokeWithTheCIP(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	_, p, _ := b.activated(t)
	wrong, right := secretOf("0000000000"), b.codes[number].CIP
	_, err := b.SuspendWithCIP(t.Context(), string(p.CF), wrong, "192.0.2.1", words.Italian)
	refused(t, "wrong", err, "CSE-401")
	warned := 0
	for key := range b.effects {
		if strings.HasPrefix(key, "mail.notice/wrong-cip/") {
			warned++
		}
	}
	if warned != 1 {
		t.Errorf("the holder was told of a wrong CIP %d times", warned)
	}
	b.clock.Advance(time.Minute)
	if _, err := b.SuspendWithCIP(t.Context(), string(p.CF), right, "192.0.2.1", words.Italian); err != nil {
		t.Fatal(err)
	}
	if c := b.card(t, number); c.State != lifecycle.Suspended || b.certs["ab"+number] != "held" {
		t.Errorf("%s, %s", c.State, b.certs["ab"+number])
	}
	_, err = b.SuspendWithCIP(t.Context(), string(p.CF), right, "192.0.2.1", words.Italian)
	refused(t, "twice", err, "CSE-444")
	if _, err := b.ReactivateWithCIP(t.Context(), number, right, "192.0.2.1", words.Italian); err != nil {
		t.Fatal(err)
	}
	if c := b.card(t, number); c.State != lifecycle.Active {
		t.Errorf("reactivated: %s", c.State)
	}
	if _, err := b.RevokeWithCIP(t.Context(), string(p.CF), right, "192.0.2.1", words.Italian); err != nil {
		t.Fatal(err)
	}
	_, err = b.ReactivateWithCIP(t.Context(), number, right, "192.0.2.1", words.Italian)
	refused(t, "final", err, "CSE-405")
}

// Every kind of notice has its words in both languages.
func TestNoticesSayIt(t *testing.T) {
	for _, e := range []counter.Event{
		counter.Activated, counter.Revoked, counter.Suspended, counter.Reactivated, counter.Lost, counter.Ordered, counter.Reprinted, counter.Readdressed, counter.Renewed, counter.WrongCIP,
	} {
		for _, l := range []words.Lang{words.Italian, words.English} {
			s, x := counter.Notice{Event: e, Protocol: "2026/0000009", Card: number, FirstName: "Mario", At: monday, Lang: l}.Text()
			if s == "" || strings.Contains(s+x, "⟦") || strings.Contains(x, "%!") || !strings.Contains(x, "0123") {
				t.Errorf("%s in %s: %q %q", e, l, s, x)
			}
		}
	}
}
