package lifecycle

import (
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/person/registry"
)

// change makes a card or facts differ from the usual: an active card of
// somebody assisted without end.
type change func(*Card, *Facts)

func TestFunctions(t *testing.T) {
	d := func(s string) civil.Date { return day(t, s) }
	state := func(s State, why Reason) change {
		return func(c *Card, _ *Facts) {
			c.State, c.Reason, c.EndedAt, c.SuspendedAt, c.ShippedAt = s, why, noon, noon, noon
		}
	}
	both := func(a, b change) change { return func(c *Card, f *Facts) { a(c, f); b(c, f) } }
	successor := func(m Model, delivered, activated string) change {
		return func(_ *Card, f *Facts) {
			f.Successor = &Successor{Model: m}
			if delivered != "" {
				f.Successor.DeliveredAt = d(delivered).Start()
			}
			if activated != "" {
				f.Successor.ActivatedAt = d(activated).Start()
			}
		}
	}
	chipless := func(c *Card, _ *Facts) { c.Model, c.State, c.CertSerial = TS, Delivered, "" }
	for _, c := range []struct {
		name  string
		with  change
		today string
		want  [4]FunctionState // TS, CF, TEAM, CNS
		why   [4]string        // reasons, empty: not looked at
	}{
		{"active", nil, "2026-11-23", [4]FunctionState{Valid, Valid, Valid, Valid}, [4]string{"assisted", "always", "abroad", "activated"}},
		{"never activated keeps the rest (R77)", state(Delivered, ""), "2026-11-23", [4]FunctionState{Valid, Valid, Valid, NotActivated}, [4]string{3: "not-activated"}},
		{"in production", state(InProduction, ""), "2026-11-23", [4]FunctionState{Pending, Pending, Pending, Pending}, [4]string{"on-its-way", "on-its-way", "on-its-way", "on-its-way"}},
		{"ended before it was posted: nobody has it", func(c *Card, _ *Facts) {
			c.State, c.Reason, c.EndedAt, c.ShippedAt = Revoked, ByHolder, noon, time.Time{}
		}, "2026-11-23", [4]FunctionState{FunctionEnded, FunctionEnded, FunctionEnded, Withdrawn}, [4]string{"holder", "holder", "holder", "holder"}},
		{"returned", state(Returned, ""), "2026-11-23", [4]FunctionState{Pending, Pending, Pending, Pending}, [4]string{0: "returned", 3: "returned"}},
		{"chipless (R106)", chipless, "2026-11-23", [4]FunctionState{Valid, Valid, Valid, Absent}, [4]string{3: "no-chip"}},
		{"suspended: TS and TEAM unchanged", state(Suspended, ByHolder), "2026-11-23", [4]FunctionState{Valid, Valid, Valid, OnHold}, [4]string{3: "suspended"}},
		{"suspended for a loss: the same", state(Suspended, Loss), "2026-11-23", [4]FunctionState{Valid, Valid, Valid, OnHold}, [4]string{}},
		{"revoked with the CIP: only the CNS", state(Revoked, ByHolder), "2026-11-23", [4]FunctionState{Valid, Valid, Valid, Withdrawn}, [4]string{3: "holder"}},
		{"lost and reported: all but the CF", state(Revoked, Loss), "2026-11-23", [4]FunctionState{FunctionEnded, Valid, FunctionEnded, Withdrawn}, [4]string{"loss", "always", "loss", "loss"}},
		{"stolen", state(Revoked, Theft), "2026-11-23", [4]FunctionState{FunctionEnded, Valid, FunctionEnded, Withdrawn}, [4]string{0: "theft"}},
		{"not received: void", state(Revoked, NotReceived), "2026-11-23", [4]FunctionState{FunctionEnded, Valid, FunctionEnded, Withdrawn}, [4]string{0: "not-received"}},
		{"chip fault, the new card not there yet", both(state(Revoked, ChipFault), successor(TSCNS, "", "")), "2026-11-23", [4]FunctionState{Valid, Valid, Valid, Withdrawn}, [4]string{3: "chip-fault"}},
		{"chip fault, the new card delivered", both(state(Revoked, ChipFault), successor(TSCNS, "2026-11-20", "")), "2026-11-23", [4]FunctionState{FunctionEnded, Valid, FunctionEnded, Withdrawn}, [4]string{0: "replaced"}},
		{"wrong data", state(Revoked, WrongData), "2026-11-23", [4]FunctionState{Valid, Valid, Valid, Withdrawn}, [4]string{3: "wrong-data"}},
		{"codice fiscale replaced: nothing is left", state(Revoked, CFChanged), "2026-11-23", [4]FunctionState{FunctionEnded, FunctionEnded, FunctionEnded, Withdrawn}, [4]string{1: "cf-changed"}},
		{"last day", nil, "2032-01-10", [4]FunctionState{Valid, Valid, Valid, Valid}, [4]string{}},
		{"the day after (R42)", nil, "2032-01-11", [4]FunctionState{FunctionOver, Valid, FunctionOver, FunctionOver}, [4]string{"expired", "always", "expired", "expired"}},
		{"extended certificate (R108)", func(c *Card, _ *Facts) { c.CertExpires = d("2033-12-31") }, "2032-01-11", [4]FunctionState{FunctionOver, Valid, FunctionOver, Valid}, [4]string{}},
		{"died today", func(_ *Card, f *Facts) { f.Died = d("2026-11-23") }, "2026-11-23", [4]FunctionState{FunctionEnded, Valid, FunctionEnded, Withdrawn}, [4]string{"death", "always", "death", "death"}},
		{"dies tomorrow", func(_ *Card, f *Facts) { f.Died = d("2026-11-24") }, "2026-11-23", [4]FunctionState{Valid, Valid, Valid, Valid}, [4]string{}},
		{"assisted until today", func(_ *Card, f *Facts) { f.AssistedUntil = d("2026-11-23") }, "2026-11-23", [4]FunctionState{Valid, Valid, Valid, Valid}, [4]string{}},
		{"assisted until yesterday", func(_ *Card, f *Facts) { f.AssistedUntil = d("2026-11-22") }, "2026-11-23", [4]FunctionState{FunctionEnded, Valid, FunctionEnded, Withdrawn}, [4]string{0: "end-assistance", 3: "end-assistance"}},
		{"never assisted", func(_ *Card, f *Facts) { f.AssistedFrom = civil.Date{} }, "2026-11-23", [4]FunctionState{FunctionEnded, Valid, FunctionEnded, Valid}, [4]string{0: "not-assisted"}},
		{"no right abroad", func(_ *Card, f *Facts) { f.AbroadRight = false }, "2026-11-23", [4]FunctionState{Valid, Valid, Absent, Valid}, [4]string{2: "no-right-abroad"}},
		{"successor with chip never activated", successor(TSCNS, "2026-01-01", ""), "2026-11-23", [4]FunctionState{Valid, Valid, Valid, Valid}, [4]string{}},
		{"30 days after the successor's activation", successor(TSCNS, "", "2026-10-24"), "2026-11-23", [4]FunctionState{Valid, Valid, Valid, Valid}, [4]string{}},
		{"31 days after: to the printed date (R41)", successor(TSCNS, "", "2026-10-23"), "2026-11-23", [4]FunctionState{Valid, Valid, Valid, Withdrawn}, [4]string{3: "replaced"}},
		{"chipless successor (R107)", successor(TS, "2026-01-01", ""), "2026-11-23", [4]FunctionState{Valid, Valid, Valid, Valid}, [4]string{}},
		{"replaced", state(Replaced, Renewal), "2026-11-23", [4]FunctionState{Valid, Valid, Valid, Withdrawn}, [4]string{3: "replaced"}},
	} {
		card, facts := chipCard(Active), Facts{AssistedFrom: d("2020-01-01"), AbroadRight: true}
		card.ActivatedAt = noon
		if c.with != nil {
			c.with(&card, &facts)
		}
		got := Functions(card, facts, d(c.today).Start().Add(time.Hour))
		for i, fn := range got {
			if fn.State != c.want[i] {
				t.Errorf("%s: %s is %s, want %s", c.name, fn.Name, fn.State, c.want[i])
			}
			if c.why[i] != "" && fn.Reason != "lifecycle.why."+c.why[i] {
				t.Errorf("%s: %s because %s, want %s", c.name, fn.Name, fn.Reason, c.why[i])
			}
			for _, key := range []string{fn.Reason, "lifecycle.function." + string(fn.Name), "lifecycle.fstate." + string(fn.State)} {
				if !words.Has(words.Italian, key) || !words.Has(words.English, key) {
					t.Errorf("%s: no text for %s", c.name, key)
				}
			}
			if fn.Until.IsZero() && fn.State == Valid && fn.Name != FunctionCF {
				t.Errorf("%s: %s is valid without a last day", c.name, fn.Name)
			}
		}
	}
}

func TestFunctionDates(t *testing.T) {
	card := chipCard(Active)
	facts := Facts{
		AssistedFrom: day(t, "2020-01-01"), AssistedUntil: day(t, "2027-06-30"), AbroadRight: true,
		Successor: &Successor{Model: TSCNS, ActivatedAt: noon},
	}
	got := Functions(card, facts, noon)
	for i, want := range []string{"2027-06-30", "", "2027-06-30", "2026-12-23"} {
		if got[i].Until.String() != want {
			t.Errorf("%s until %q, want %q", got[i].Name, got[i].Until, want)
		}
	}
	// A card expires at midnight in Rome, not in Greenwich.
	lastSecond := time.Date(2032, 1, 10, 22, 59, 59, 0, time.UTC)
	facts = Facts{AssistedFrom: day(t, "2020-01-01")}
	if s := Functions(card, facts, lastSecond)[0].State; s != Valid {
		t.Errorf("a second before midnight: %s", s)
	}
	after := Functions(card, facts, lastSecond.Add(time.Second))[0]
	if after.State != FunctionOver || after.Until.String() != "2032-01-10" || after.Since.String() != "2032-01-11" {
		t.Errorf("at midnight: %+v", after)
	}
}

func TestFactsOf(t *testing.T) {
	old, next := chipCard(Active), chipCard(Active)
	old.ID, old.ReplacedBy, next.ID, next.ActivatedAt = "1", "2", "2", noon
	p := registry.Person{AssistedFrom: day(t, "2020-01-01"), AssistedUntil: day(t, "2030-01-01"), Died: day(t, "2029-01-01"), AbroadRight: true}
	f := FactsOf(p, old, []Card{next, old})
	if f.Successor == nil || f.Successor.ActivatedAt != noon || f.AssistedFrom != p.AssistedFrom || f.AssistedUntil != p.AssistedUntil || f.Died != p.Died || !f.AbroadRight {
		t.Errorf("FactsOf = %+v", f)
	}
	if f := FactsOf(p, next, []Card{next, old}); f.Successor != nil {
		t.Errorf("the newest card has a successor: %+v", f.Successor)
	}
}

// The printed functions of a faulty card end when the new one is there (table
// D.11), and do not come back when that one is lost before it was ever used.
func TestFactsOfRemembersThatTheNewCardCame(t *testing.T) {
	faulty, lost, third := chipCard(Revoked), chipCard(Revoked), chipCard(Ordered)
	faulty.ID, faulty.ReplacedBy, faulty.Reason, faulty.ShippedAt, faulty.EndedAt = "1", "2", ChipFault, noon, noon
	lost.ID, lost.ReplacedBy, lost.Reason, lost.ShippedAt, lost.DeliveredAt, lost.EndedAt = "2", "3", Loss, noon, noon, noon
	third.ID = "3"
	p := registry.Person{AssistedFrom: day(t, "2020-01-01")}
	ts := func(second Card) FunctionState {
		return Functions(faulty, FactsOf(p, faulty, []Card{third, second, faulty}), noon)[0].State
	}
	if got := ts(lost); got != FunctionEnded {
		t.Errorf("after the new card came and was lost: %s", got)
	}
	lost.Reason = NotReceived // the post was wrong
	if got := ts(lost); got != Valid {
		t.Errorf("while no new card came: %s", got)
	}
}
