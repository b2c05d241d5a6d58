package eligibility_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/eligibility"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

var monday = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

const number = "6090000000000123"

var rome = eligibility.Client{ID: "asl-roma", Name: "ASL Roma 1", Region: "Lazio", Daily: 100, Purposes: []eligibility.Purpose{eligibility.Care}}

type bench struct {
	*eligibility.Room
	db      *store.DB
	p       registry.Person
	entries []journal.Entry
}

func newBench(t *testing.T, db *store.DB, with func(*registry.Person, *lifecycle.Card)) *bench {
	t.Helper()
	b := &bench{db: db}
	d := func(s string) civil.Date {
		x, err := civil.ParseISO(s)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	b.p = registry.Person{
		Surname: "ROSSI", Name: "MARIO", Born: d("1985-12-10"), Sex: "M", BirthPlace: "D612", Citizenship: "IT", ASL: "201",
		AssistedFrom: d("2010-01-01"), AbroadRight: true,
	}
	var err error
	b.p.CF, err = codicefiscale.Compute(codicefiscale.Person{Surname: "Rossi", Name: "Mario", Born: b.p.Born, Sex: "M", Belfiore: "D612"})
	if err != nil {
		t.Fatal(err)
	}
	c := lifecycle.Card{
		ID: number, TEAM: "8038" + number, CF: b.p.CF, Model: lifecycle.TSCNS, State: lifecycle.Delivered, Issued: d("2026-01-10"), Expires: d("2032-01-10"),
		CertSerial: "ab", OrderedAt: monday, ShippedAt: monday, DeliveredAt: monday,
	}
	if with != nil {
		with(&b.p, &c)
	}
	err = db.Atomically(t.Context(), func(ctx context.Context) error {
		if _, err := db.People().Put(ctx, b.p); err != nil {
			return err
		}
		_, err := db.Cards().Put(ctx, c)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Room, err = eligibility.New(eligibility.Deps{
		People: db.People(), Cards: db.Cards(), Count: db.Privacy().CountQuestion, Clock: civil.NewHand(monday), Atomically: db.Atomically,
		Record: func(_ context.Context, e journal.Entry) error { b.entries = append(b.entries, e); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Who is assisted, from any Region (R47); the four functions each with its state
// (R11); a card never activated as an activated one (R77); TEAM (R48).
func TestR11_R12_R47_R48_R77_TheAnswers(t *testing.T) {
	day := func(y, m, d int) civil.Date { return civil.Date{Year: y, Month: time.Month(m), Day: d} }
	for _, c := range []struct {
		name   string
		with   func(*registry.Person, *lifecycle.Card)
		on     civil.Date
		state  eligibility.State
		asl    string
		valid  bool
		abroad bool
	}{
		{"assisted, card never activated", nil, civil.Date{}, eligibility.Assisted, "201", true, true},
		{"and activated", func(_ *registry.Person, c *lifecycle.Card) { c.State, c.ActivatedAt = lifecycle.Active, monday }, civil.Date{}, eligibility.Assisted, "201", true, true},
		{"no right abroad", func(p *registry.Person, _ *lifecycle.Card) { p.AbroadRight = false }, civil.Date{}, eligibility.Assisted, "201", true, false},
		{"the last day of the card", nil, day(2032, 1, 10), eligibility.Assisted, "201", true, true},
		{"the day after", nil, day(2032, 1, 11), eligibility.Assisted, "201", false, false},
		{"before the assistance", nil, day(2009, 12, 31), eligibility.NotAssisted, "", false, false},
		{"after its end", func(p *registry.Person, _ *lifecycle.Card) { p.AssistedUntil = day(2026, 6, 30) }, civil.Date{}, eligibility.Expired, "", false, false},
		{"on its last day", func(p *registry.Person, _ *lifecycle.Card) { p.AssistedUntil = day(2026, 11, 23) }, civil.Date{}, eligibility.Assisted, "201", true, true},
		{"dead", func(p *registry.Person, _ *lifecycle.Card) { p.Died = day(2026, 11, 1) }, civil.Date{}, eligibility.Expired, "", false, false},
		{"lost card", func(_ *registry.Person, c *lifecycle.Card) {
			c.State, c.Reason, c.EndedAt = lifecycle.Revoked, lifecycle.Loss, monday
		}, civil.Date{}, eligibility.Assisted, "201", false, false},
	} {
		storetest.Each(t, func(t *testing.T, db *store.DB) {
			b := newBench(t, db, c.with)
			for _, who := range []string{string(b.p.CF), strings.ToLower(string(b.p.CF)), number, "8038" + number, "6090 0000 0000 0123"} {
				a, err := b.Ask(t.Context(), rome, eligibility.Question{Who: who, On: c.on, Purpose: eligibility.Care})
				if err != nil || a.State != c.state || a.ASL != c.asl || a.CardValid != c.valid || a.Abroad != c.abroad || a.Card != (c.state == eligibility.Assisted) {
					t.Errorf("%s by %s: %+v, %v", c.name, who, a, err)
				}
				if a.Card && a.Functions[1].State != lifecycle.Valid {
					t.Errorf("%s: the codice fiscale is %s", c.name, a.Functions[1].State)
				}
			}
			if e := b.entries[0]; len(b.entries) != 5 || e.Act != "eligibility.asked" || e.Actor != "client:asl-roma" || e.Person != string(b.p.CF) || e.Detail["purpose"] != "care" {
				t.Errorf("%s: journal %+v", c.name, b.entries)
			}
		})
	}
}

// Somebody unknown and somebody never assisted look the same.
func TestUnknownLooksLikeNotAssisted(t *testing.T) {
	b := newBench(t, storetest.SQLite(t), func(p *registry.Person, _ *lifecycle.Card) { p.AssistedFrom = civil.Date{} })
	known, err := b.Ask(t.Context(), rome, eligibility.Question{Who: string(b.p.CF), Purpose: eligibility.Care})
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"BNCGLI85D52D612X", "6090000000000999", "80380000000000000999"} {
		a, err := b.Ask(t.Context(), rome, eligibility.Question{Who: who, Purpose: eligibility.Care})
		if err != nil || a != known {
			t.Errorf("%s: %+v, %v; want %+v", who, a, err, known)
		}
	}
	for i, e := range b.entries {
		if e.Act != "eligibility.asked" || (e.Person == "") != (i > 0) || (e.Detail["found"] == "no") != (i > 0) {
			t.Errorf("question %d: %+v", i, e)
		}
	}
	if _, err := b.Ask(t.Context(), rome, eligibility.Question{Who: "RSSMRA85T10A562X", Purpose: eligibility.Care}); !errors.Is(err, words.Refuse("CSE-101")) {
		t.Errorf("a code with a wrong check letter: %v", err)
	}
}

func TestCapAndPurpose(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db, nil)
		few := rome
		few.Daily = 2
		for i, want := range []string{"", "", "CSE-670", "CSE-670"} {
			_, err := b.Ask(t.Context(), few, eligibility.Question{Who: string(b.p.CF), Purpose: eligibility.Care})
			if want == "" && err != nil || want != "" && !errors.Is(err, words.Refuse(want)) {
				t.Errorf("question %d: %v", i, err)
			}
		}
		if len(b.entries) != 3 || b.entries[2].Act != "eligibility.capped" || b.entries[2].Person != "" {
			t.Errorf("two answers and the cap, told once: %+v", b.entries)
		}
		if _, err := b.Ask(t.Context(), rome, eligibility.Question{Who: number, Purpose: eligibility.Billing}); !errors.Is(err, words.Refuse("CSE-674")) {
			t.Errorf("a purpose that was not given: %v", err)
		}
	})
}

func TestClientsRefused(t *testing.T) {
	key := strings.Repeat("ab", 32)
	good := eligibility.Client{ID: "a", Name: "A", Key: key, Daily: 1, Purposes: []eligibility.Purpose{eligibility.Care}}
	for name, c := range map[string]struct {
		with func(*eligibility.Client)
		want string
	}{
		"no name":    {func(c *eligibility.Client) { c.Name = "" }, "name are needed"},
		"two words":  {func(c *eligibility.Client) { c.ID = "a b" }, "one word"},
		"short key":  {func(c *eligibility.Client) { c.Key = "ab" }, "64 hexadecimal"},
		"no cap":     {func(c *eligibility.Client) { c.Daily = 0 }, "daily"},
		"no purpose": {func(c *eligibility.Client) { c.Purposes = nil }, "purpose"},
		"a strange one": {func(c *eligibility.Client) {
			c.Purposes = []eligibility.Purpose{"curiosity"}
		}, `no purpose "curiosity"`},
	} {
		x := good
		c.with(&x)
		if _, err := eligibility.NewClients([]eligibility.Client{x}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := eligibility.NewClients([]eligibility.Client{good, good}); err == nil {
		t.Error("twice")
	}
	if c, err := eligibility.NewClients([]eligibility.Client{good}); err != nil || c.Name("a") != "A" {
		t.Errorf("good: %v", err)
	}
}
