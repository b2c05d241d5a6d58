package helpdesk_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/helpdesk"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/issuer/throttle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

var monday = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

const number = "6090000000000123"

type people map[codicefiscale.Code]registry.Person

func (p people) Get(_ context.Context, cf codicefiscale.Code) (registry.Person, error) {
	x, ok := p[cf]
	if !ok {
		return x, registry.ErrUnknown
	}
	return x, nil
}

type bench struct {
	*helpdesk.Room
	clock   *civil.Hand
	op      staff.Operator
	entries []journal.Entry
}

func newBench(t *testing.T, db *store.DB) *bench {
	t.Helper()
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	seal, err := aead.New(h)
	if err != nil {
		t.Fatal(err)
	}
	d, err := staff.NewDirectory(staff.Config{
		Offices:   []staff.Office{{ID: "cc", Type: staff.CallCentre, Name: "Call center"}},
		Operators: []staff.Account{{Account: "cc1", Name: "Carla", CF: "VRDLGU85M41F205T", Roles: []staff.Role{staff.RoleCallCentre}, Offices: []string{"cc"}, OwnCNS: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{clock: civil.NewHand(monday)}
	if b.op, err = d.OperatorByAccount("cc1"); err != nil {
		t.Fatal(err)
	}
	cf := codicefiscale.Code("RSSMRA85T10A562S")
	err = db.Atomically(t.Context(), func(ctx context.Context) error {
		_, err := db.Cards().Put(ctx, lifecycle.Card{
			ID: number, TEAM: "8038" + number, CF: cf, Model: lifecycle.TSCNS, State: lifecycle.Active, Issued: civil.Date{Year: 2026, Month: 1, Day: 1},
			Expires: civil.Date{Year: 2032, Month: 1, Day: 1}, CertSerial: "ab", OrderedAt: monday, ActivatedAt: monday,
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Room, err = helpdesk.New(helpdesk.Deps{
		Tickets: db.Tickets(), Cards: db.Cards(), Directory: d, People: people{cf: {CF: cf, ASL: "201"}},
		Known: func(context.Context, lifecycle.Card) (helpdesk.Known, error) {
			return helpdesk.Known{Month: "11/2026", EmailEnd: "ssi", Comune: "Prato"}, nil
		},
		Brake: throttle.Brake{Tries: db.Tries(), Clock: b.clock}, Seal: seal, Rand: rand.Reader, Clock: b.clock, Atomically: db.Atomically,
		Record: func(_ context.Context, e journal.Entry) error { b.entries = append(b.entries, e); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func good() helpdesk.Call {
	return helpdesk.Call{
		Card: number, Facts: helpdesk.Facts{Month: "11/2026", EmailEnd: "SSI", Comune: " prato "},
		Findings: helpdesk.Findings{Reader: true, OtherCard: true}, Reference: "ntltcv",
	}
}

// Every outcome of the guided diagnosis (R31).
func TestR31_Outcomes(t *testing.T) {
	active := lifecycle.Card{State: lifecycle.Active}
	all := helpdesk.Findings{Reader: true, Answers: true, OtherCard: true, Certificate: true, PIN: true, PUK: true, Browser: true}
	for name, c := range map[string]struct {
		card lifecycle.Card
		with func(*helpdesk.Findings)
		want helpdesk.Outcome
	}{
		"all is well":             {active, func(*helpdesk.Findings) {}, helpdesk.Works},
		"no reader":               {active, func(f *helpdesk.Findings) { f.Reader = false }, helpdesk.Installation},
		"no card answers":         {active, func(f *helpdesk.Findings) { f.Answers, f.OtherCard = false, false }, helpdesk.Installation},
		"only this one does not":  {active, func(f *helpdesk.Findings) { f.Answers = false }, helpdesk.ChipFault},
		"no certificate":          {active, func(f *helpdesk.Findings) { f.Certificate = false }, helpdesk.ChipFault},
		"PIN blocked":             {active, func(f *helpdesk.Findings) { f.PIN = false }, helpdesk.PINBlocked},
		"PUK blocked":             {active, func(f *helpdesk.Findings) { f.PIN, f.PUK = false, false }, helpdesk.PUKBlocked},
		"the browser is blind":    {active, func(f *helpdesk.Findings) { f.Browser = false }, helpdesk.Browser},
		"not activated, no fault": {lifecycle.Card{State: lifecycle.Delivered}, func(f *helpdesk.Findings) { f.Answers = false }, helpdesk.NotActive},
		"suspended, no fault":     {lifecycle.Card{State: lifecycle.Suspended}, func(*helpdesk.Findings) {}, helpdesk.NotActive},
	} {
		f := all
		c.with(&f)
		if got := helpdesk.Conclude(c.card, f); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		for _, l := range []words.Lang{words.Italian, words.English} {
			if !words.Has(l, "portal.help.outcome."+string(c.want)) || !words.Has(l, "portal.help.advice."+string(c.want)) {
				t.Errorf("%s has no words in %s", c.want, l)
			}
		}
	}
}

// Two of three facts make the caller the holder; less than that slows down, and
// leaves no ticket.
func TestR31_TheCallerIsChecked(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		for name, f := range map[string]helpdesk.Facts{
			"nothing": {}, "one": {Comune: "Prato"}, "all wrong": {Month: "10/2026", EmailEnd: "abc", Comune: "Firenze"},
		} {
			c := good()
			c.Facts = f
			if _, err := b.Open(t.Context(), b.op, c); !errors.Is(err, words.Refuse("CSE-561")) {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := b.Open(t.Context(), b.op, good()); !errors.Is(err, words.Refuse("CSE-562")) || throttle.WaitOf(err) == 0 {
				t.Errorf("%s, at once again: %v", name, err)
			}
			b.clock.Advance(15 * time.Minute)
		}
		if list, err := b.Of(t.Context(), number); err != nil || len(list) != 0 {
			t.Fatalf("tickets of strangers: %v, %v", list, err)
		}
		x, err := b.Open(t.Context(), b.op, good())
		if err != nil || x.Matches != 3 || x.Outcome != helpdesk.ChipFault || x.Reference != "NTLTCV" || !strings.HasPrefix(x.ID, "T") {
			t.Fatalf("%+v, %v", x, err)
		}
		list, err := b.Of(t.Context(), number)
		if err != nil || len(list) != 1 || list[0].ID != x.ID || list[0].Agent != "cc1" {
			t.Errorf("%+v, %v", list, err)
		}
		e := b.entries[len(b.entries)-1]
		if e.Act != "ticket.opened" || e.Detail["outcome"] != "chip-fault" || e.Card != number {
			t.Errorf("journal %+v", e)
		}
		if b.entries[0].Act != "caller.refused" {
			t.Errorf("a refusal leaves no trace: %+v", b.entries[0])
		}
	})
}

// R33: the ticket is what the counter asks for, for thirty days, and the newest
// one decides.
func TestR33_TheTicketIsTheDiagnosis(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	ask := func(want string) {
		t.Helper()
		if got, err := b.Diagnosis(t.Context(), number); err != nil || got != want {
			t.Errorf("diagnosis %q, %v; want %q", got, err, want)
		}
	}
	ask("")
	x, err := b.Open(t.Context(), b.op, good())
	if err != nil {
		t.Fatal(err)
	}
	ask(x.ID)
	b.clock.Advance(29 * 24 * time.Hour)
	ask(x.ID)
	b.clock.Advance(2 * 24 * time.Hour)
	ask("")
	if x, err = b.Open(t.Context(), b.op, good()); err != nil {
		t.Fatal(err)
	}
	ask(x.ID)
	b.clock.Advance(time.Hour)
	c := good()
	c.Findings.Answers, c.Findings.Certificate = true, true
	if _, err := b.Open(t.Context(), b.op, c); err != nil {
		t.Fatal(err)
	}
	ask("")
}

func TestOpenRefuses(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	for name, c := range map[string]struct {
		with func(*helpdesk.Call)
		code string
	}{
		"a long note":          {func(c *helpdesk.Call) { c.Note = strings.Repeat("x", 501) }, "CSE-560"},
		"a strange reference":  {func(c *helpdesk.Call) { c.Reference = "abc" }, "CSE-563"},
		"a misheard reference": {func(c *helpdesk.Call) { c.Reference = "NTLTCZ" }, "CSE-563"},
		"no such card":         {func(c *helpdesk.Call) { c.Card = "6090000000000999" }, "CSE-139"},
	} {
		x := good()
		c.with(&x)
		if _, err := b.Open(t.Context(), b.op, x); !errors.Is(err, words.Refuse(c.code)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for address, want := range map[string]string{"mario.rossi@posta.example": "ssi", "ab@x.example": "", "": "", "senza": ""} {
		if got := helpdesk.EmailEnd(address); got != want {
			t.Errorf("%q ends with %q", address, got)
		}
	}
}
