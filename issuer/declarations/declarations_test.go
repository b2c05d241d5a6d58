package declarations_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/declarations"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
)

var monday = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

const holder = codicefiscale.Code("RSSDAA80A41D612X")

// bench is the room on a real store; acts are made up.
type bench struct {
	*declarations.Room
	db        *store.DB
	directory *staff.Directory
	percent   int
	mu        sync.Mutex
	entries   []journal.Entry
	disowned  []string
	broken    error // what Disown answers
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
	c := staff.Config{Offices: []staff.Office{
		{ID: "asl1", Type: staff.ASL, Name: "ASL 1", ASL: "201"},
		{ID: "asl1b", Type: staff.ASL, Name: "ASL 1, another", ASL: "201"},
		{ID: "asl2", Type: staff.ASL, Name: "ASL 2", ASL: "202"},
		{ID: "com", Type: staff.Comune, Name: "Comune"},
		{ID: "com2", Type: staff.Comune, Name: "Another Comune"},
		{ID: "ade", Type: staff.ADE, Name: "Agenzia delle Entrate"},
	}}
	all := []string{"asl1", "asl1b", "asl2", "com", "com2", "ade"}
	for account, who := range map[string]struct {
		cf   string
		role staff.Role
	}{
		"ada": {"BRNDAA80E45D612X", staff.RoleOperator}, "capo": {"CNTBPP79C03D612X", staff.RoleSupervisor}, "vice": {"GLLGNN75A01D612X", staff.RoleSupervisor},
	} {
		if cf, err := codicefiscale.Parse(who.cf); err != nil {
			who.cf = string(fix(t, who.cf))
		} else {
			who.cf = string(cf)
		}
		c.Operators = append(c.Operators, staff.Account{Account: account, Name: account, CF: who.cf, Roles: []staff.Role{who.role}, Offices: all})
	}
	b := &bench{db: db, percent: 100}
	if b.directory, err = staff.NewDirectory(c); err != nil {
		t.Fatal(err)
	}
	b.Room, err = declarations.New(declarations.Deps{
		Store: db.Declarations(), Directory: b.directory, Key: secret.FromString(strings.Repeat("k", 32)), Seal: seal, Clock: civil.NewHand(monday),
		Atomically: db.Atomically, Percent: func(context.Context, time.Time) (int, error) { return b.percent, nil },
		Record: func(_ context.Context, e journal.Entry) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.entries = append(b.entries, e)
			return nil
		},
		Read: func(_ context.Context, op staff.Operator, protocol string) (declarations.Declared, error) {
			if op.Account == "vice" && protocol == "2026/0000009" {
				return declarations.Declared{}, words.Refuse("CSE-140")
			}
			return declarations.Declared{Protocol: protocol, Holder: declarations.Party{CF: holder}}, nil
		},
		Disown: func(_ context.Context, _ staff.Operator, protocol string) (int, error) {
			b.disowned = append(b.disowned, protocol)
			return 1, b.broken
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fix writes the right last letter of an invented code.
func fix(t *testing.T, cf string) codicefiscale.Code {
	t.Helper()
	for x := 'A'; x <= 'Z'; x++ {
		if c, err := codicefiscale.Parse(cf[:15] + string(x)); err == nil {
			return c
		}
	}
	t.Fatalf("%s is no codice fiscale", cf)
	return ""
}

func (b *bench) at(t *testing.T, account, office string) staff.Operator {
	t.Helper()
	op, err := b.directory.OperatorByAccount(account)
	if err == nil {
		op, err = op.At(office)
	}
	if err != nil {
		t.Fatal(err)
	}
	return op
}

// draw offers an act done at an office by somebody, for a holder of ASL 201.
func (b *bench) draw(t *testing.T, n int, office, by string) string {
	t.Helper()
	protocol := fmt.Sprintf("2026/%07d", n)
	err := b.db.Atomically(t.Context(), func(ctx context.Context) error {
		return b.Sample(ctx, declarations.Row{
			Protocol: protocol, Kind: "activation", Card: "6090000000000016", Office: office, ASL: "201", Operator: by, At: monday.Add(time.Duration(n) * time.Minute),
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return protocol
}

func (b *bench) acts() (out []string) {
	for _, e := range b.entries {
		out = append(out, e.Act)
	}
	return out
}

func refused(t *testing.T, what string, err error, code string) {
	t.Helper()
	f := words.FaultOf(err)
	if f == nil || f.Code != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// The sample is a function of protocol number, percentage and key: the same answer
// each time, near the percentage over many numbers, a smaller sample within a
// larger one, none and all at the ends, and another one under another key.
func TestR69_TheSampleIsNearItsPercentage(t *testing.T) {
	key, other := secret.FromString(strings.Repeat("a", 32)), secret.FromString(strings.Repeat("b", 32))
	const n = 20_000
	same := 0
	for _, percent := range []int{0, 1, 10, 50, 99, 100} {
		drawn := 0
		for i := range n {
			protocol := fmt.Sprintf("2026/%07d", i)
			is := declarations.Drawn(key, protocol, percent)
			if is != declarations.Drawn(key, protocol, percent) {
				t.Fatalf("%s: two answers", protocol)
			}
			if is {
				drawn++
			}
			if is && !declarations.Drawn(key, protocol, percent+1) {
				t.Errorf("%s is in %d of a hundred and not in one more", protocol, percent)
			}
			if percent == 50 && is == declarations.Drawn(other, protocol, percent) {
				same++
			}
		}
		// Four standard deviations of a fair draw, none at the ends.
		want, p := n*percent/100, float64(percent)/100
		if most := int(4 * math.Sqrt(n*p*(1-p))); drawn < want-most || drawn > want+most {
			t.Errorf("%d of a hundred: %d of %d, want %d within %d", percent, drawn, n, want, most)
		}
	}
	if same < n/2-283 || same > n/2+283 {
		t.Errorf("another key agrees on %d of %d", same, n)
	}
}

func TestR69_WhatIsDrawnWaits(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	b.percent = 0
	b.draw(t, 1, "asl1", "ada")
	b.percent = 100
	b.draw(t, 2, "asl1", "ada")
	b.draw(t, 2, "asl1", "ada") // the same act again
	b.draw(t, 3, "com", "capo")
	b.draw(t, 4, "com2", "ada")
	for _, c := range []struct {
		account, office string
		want            []string
	}{
		{"capo", "asl1", []string{"2026/0000002", "2026/0000003 own", "2026/0000004"}}, // all holders of its own ASL
		{"vice", "asl1b", []string{"2026/0000002", "2026/0000003", "2026/0000004"}},
		{"vice", "com", []string{"2026/0000003"}},
		{"capo", "com", []string{"2026/0000003 own"}},
		{"vice", "asl2", nil},
		{"vice", "ade", nil},
	} {
		list, err := b.Waiting(t.Context(), b.at(t, c.account, c.office))
		var got []string
		for _, x := range list {
			s := x.Protocol
			if x.Own {
				s += " own"
			}
			got = append(got, s)
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s at %s: %v, %v; want %v", c.account, c.office, got, err, c.want)
		}
	}
	_, err := b.Waiting(t.Context(), b.at(t, "ada", "asl1"))
	refused(t, "an operator", err, "CSE-003")
}

// Who may not check is refused at every door, and where the case itself is what he
// may not see, that is written down; nothing is decided.
func TestR92_R69_WhoChecks(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	b.draw(t, 1, "com", "capo")
	b.draw(t, 9, "com", "ada")
	const one, family = "2026/0000001", "2026/0000009"
	for _, c := range []struct {
		what, account, office, protocol, code string
		recorded                              bool
	}{
		{"an operator", "ada", "com", one, "CSE-003", false},
		{"his own act", "capo", "com", one, "CSE-755", true},
		{"his own act, at the holder's ASL", "capo", "asl1", one, "CSE-755", true},
		{"another Comune", "vice", "com2", one, "CSE-754", true},
		{"another ASL", "vice", "asl2", one, "CSE-754", true},
		{"an office that activates nobody", "vice", "ade", one, "CSE-122", false},
		{"an act that was not drawn", "vice", "com", "2026/0000007", "CSE-760", false},
		{"his own family", "vice", "com", family, "CSE-140", false},
	} {
		op := b.at(t, c.account, c.office)
		doors := map[string]func() error{
			"case":   func() error { _, err := b.Case(t.Context(), op, c.protocol); return err },
			"decide": func() error { return b.Decide(t.Context(), op, c.protocol, false, "ANPR del 12 marzo") },
		}
		if c.code != "CSE-140" { // whose family it is says the archive's own question
			doors["papers"] = func() error { return b.May(t.Context(), op, c.protocol) }
		}
		for door, try := range doors {
			before := len(b.entries)
			refused(t, c.what+", "+door, try(), c.code)
			switch n := len(b.entries) - before; {
			case c.recorded && (n != 1 || b.entries[before].Act != "declaration.refused" || b.entries[before].Actor != c.account || b.entries[before].Detail["code"] != c.code):
				t.Errorf("%s, %s: recorded %+v", c.what, door, b.entries[before:])
			case !c.recorded && n != 0:
				t.Errorf("%s, %s: recorded %+v", c.what, door, b.entries[before:])
			}
		}
	}
	if x, err := b.db.Declarations().Get(t.Context(), one); err != nil || x.State != declarations.Open || len(b.disowned) != 0 {
		t.Errorf("decided: %+v, %v, %v", x, b.disowned, err)
	}
}

// Each outcome is one act, once; what was checked is kept sealed; a look is written
// down with its motive; the counts are those of the outcomes.
func TestR69_EachOutcome(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		yes, no, open := b.draw(t, 1, "com", "ada"), b.draw(t, 2, "com", "ada"), b.draw(t, 3, "com", "ada")
		op := b.at(t, "vice", "com")
		if c, err := b.Case(t.Context(), op, yes); err != nil || c.What.Holder.CF != holder || c.State != declarations.Open {
			t.Fatalf("%+v, %v", c, err)
		}
		if e := b.entries[0]; e.Act != "holder.viewed" || e.Person != string(holder) || e.Detail["motive"] != "check" {
			t.Errorf("the look: %+v", e)
		}
		for _, note := range []string{"", "  ok ", strings.Repeat("x", 501)} {
			refused(t, "the note "+note, b.Decide(t.Context(), op, yes, true, note), "CSE-756")
		}
		if err := b.Decide(t.Context(), op, yes, true, "ANPR del Comune, 12 marzo"); err != nil {
			t.Fatal(err)
		}
		b.broken = errors.New("the disk is full")
		if err := b.Decide(t.Context(), op, no, false, "il giudice ha nominato un altro"); err == nil {
			t.Error("half an act is done")
		}
		b.broken = nil
		if err := b.Decide(t.Context(), op, no, false, "il giudice ha nominato un altro"); err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{yes, no} {
			refused(t, p+" again", b.Decide(t.Context(), b.at(t, "capo", "asl1"), p, true, "altro parere"), "CSE-758")
			refused(t, "papers of "+p, b.May(t.Context(), op, p), "CSE-758")
		}
		if got, want := b.acts(), []string{"holder.viewed", "declaration.confirmed", "declaration.not-confirmed"}; !slices.Equal(got, want) {
			t.Errorf("recorded: %v", got)
		}
		if e := b.entries[2]; e.Card != "6090000000000016" || e.Detail["protocol"] != no || e.Detail["held"] != "1" {
			t.Errorf("recorded: %+v", e)
		}
		if !slices.Equal(b.disowned, []string{no, no}) { // once in vain
			t.Errorf("titles ended: %v", b.disowned)
		}
		row, err := db.Declarations().Get(t.Context(), no)
		if err != nil || bytes.Contains(row.Note, []byte("giudice")) || row.DecidedBy != "vice" || row.DecidedIn != "com" || !row.DecidedAt.Equal(monday) {
			t.Errorf("kept: %+v, %v", row, err)
		}
		if c, err := b.Case(t.Context(), op, no); err != nil || c.Text != "il giudice ha nominato un altro" || c.State != declarations.NotConfirmed {
			t.Errorf("%+v, %v", c, err)
		}
		list, err := b.Waiting(t.Context(), op)
		if err != nil || len(list) != 1 || list[0].Protocol != open {
			t.Errorf("waiting: %+v, %v", list, err)
		}
		n, all, err := db.Declarations().Counts(t.Context())
		if err != nil || all != 3 || n[declarations.Open] != 1 || n[declarations.Confirmed] != 1 || n[declarations.NotConfirmed] != 1 {
			t.Errorf("counts: %v of %d, %v", n, all, err)
		}
		for _, c := range []struct {
			before time.Time
			want   int64
		}{{monday, 0}, {monday.Add(time.Microsecond), 2}, {monday.AddDate(9, 0, 0), 0}} { // what is open stays
			err := db.Atomically(t.Context(), func(ctx context.Context) error {
				gone, err := db.Declarations().Purge(ctx, c.before)
				if gone != c.want {
					t.Errorf("before %s %d went", c.before, gone)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}
