package cardbase_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/cardbase"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/login/logintest"
	"cse.example/cse/person/registry"
)

var noon = time.Date(2026, 10, 3, 11, 0, 0, 0, time.UTC)

// base is a file of n good rows, the people in it and their issuer.
type base struct {
	db     *store.DB
	issuer *logintest.Authority
	people []registry.Person
	rows   [][]string
}

func newBase(t testing.TB, n int) *base {
	t.Helper()
	return newBaseOn(t, storetest.SQLite(t), n)
}

func newBaseOn(t testing.TB, db *store.DB, n int) *base {
	t.Helper()
	b := &base{db: db, issuer: logintest.NewAuthority(t, "CA di prima", noon)}
	b.people = people(t, b.db, n)
	for i, p := range b.people {
		id, err := cns.NewCardID("6090", uint64(500+i), 0)
		check(t, err)
		b.rows = append(b.rows, []string{
			string(id), id.TEAM(), string(p.CF), "TS-CNS", "active", "", "2023-05-02", "2028-05-02",
			"2023-05-10", "2023-06-01", "", "", "", fmt.Sprintf("%x", 1000+i), "2028-05-02", "",
		})
	}
	return b
}

func people(t testing.TB, db *store.DB, n int) []registry.Person {
	t.Helper()
	var file bytes.Buffer
	today := civil.DayOf(noon)
	check(t, registry.Generate(&file, n, 7, today))
	rows, err := csv.NewReader(&file).ReadAll()
	check(t, err)
	var out []registry.Person
	check(t, db.Atomically(t.Context(), func(ctx context.Context) error {
		for _, r := range rows[1:] {
			p, faults := registry.ParseRow(r, today)
			if len(faults) > 0 {
				return faults[0]
			}
			if _, err := db.People().Put(ctx, p); err != nil {
				return err
			}
			out = append(out, p)
		}
		return nil
	}))
	return out
}

func (b *base) file() string {
	var out strings.Builder
	w := csv.NewWriter(&out)
	_ = w.Write(cardbase.Columns)
	_ = w.WriteAll(b.rows) // a Builder does not fail
	return out.String()
}

func (b *base) by() cardbase.Issuer { return cardbase.Issuer{ID: "prima", Certificate: b.issuer.Cert} }

// load imports the file; die, when positive, is the act at which it is killed.
func (b *base) load(t testing.TB, die int) (cardbase.Report, error) {
	t.Helper()
	acts := 0
	i, err := cardbase.New(cardbase.Importer{
		Cards: b.db.Cards(), People: b.db.People(), Issuer: b.by(), Batch: 3, Clock: civil.NewHand(noon),
		Reserve: func(context.Context, []string) error { return nil },
		Record:  func(context.Context, journal.Entry) error { return nil },
		Atomically: func(ctx context.Context, act func(context.Context) error) error {
			acts++
			return b.db.Atomically(ctx, func(ctx context.Context) error {
				if err := act(ctx); err != nil || acts != die {
					return err
				}
				return errors.New("killed")
			})
		},
	})
	check(t, err)
	return i.Import(t.Context(), strings.NewReader(b.file()))
}

func (b *base) cards(t testing.TB) []lifecycle.Card {
	t.Helper()
	list, err := b.db.Cards().Each(t.Context(), "", 1000)
	check(t, err)
	return list
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// R44: a card of five years, made by somebody else, is on record as it is.
func TestR44_ABaseOfFiveYearCards(t *testing.T) {
	b := newBase(t, 4)
	rep, err := b.load(t, 0)
	check(t, err)
	if want := (cardbase.Count{Rows: 4, Kept: 4}); rep.Total != want || !rep.Balanced() {
		t.Fatalf("%+v %v", rep.Total, rep.Errors)
	}
	for _, c := range b.cards(t) {
		if c.Expires != c.Issued.AddYears(5) || c.State != lifecycle.Active || !c.Foreign() || c.ActivatedAt.IsZero() {
			t.Errorf("%+v", c)
		}
	}
}

// Whenever it is killed, the same file goes on, and the result is the same; once
// more changes nothing, not even a card that a counter changed meanwhile.
func TestImportKilledAndContinued(t *testing.T) {
	whole := newBase(t, 10)
	_, err := whole.load(t, 0)
	check(t, err)
	want := whole.cards(t)
	for die := 1; die <= 4; die++ {
		b := newBase(t, 10)
		if _, err := b.load(t, die); err == nil {
			t.Fatal("it was not killed")
		}
		rep, err := b.load(t, 0)
		check(t, err)
		if !slices.Equal(b.cards(t), want) || rep.Total.Already != (die-1)*3 || !rep.Balanced() {
			t.Errorf("killed in act %d: %+v", die, rep.Total)
		}
		c := b.cards(t)[0]
		c.State, c.Reason, c.SuspendedAt = lifecycle.Suspended, lifecycle.ByHolder, noon
		check(t, b.db.Atomically(t.Context(), func(ctx context.Context) error { _, err := b.db.Cards().Put(ctx, c); return err }))
		before := b.cards(t)
		rep, err = b.load(t, 0)
		check(t, err)
		if rep.Total.Already != 10 || !slices.Equal(b.cards(t), before) {
			t.Errorf("a second time: %+v", rep.Total)
		}
	}
}

// On either engine: killed, continued, once more, with a chipless successor and a
// row refused among them; the counts balance each time.
func TestR44_R107_ABaseOnEitherEngine(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBaseOn(t, db, 10)
		id, err := cns.NewCardID("6090", 900, 0)
		check(t, err)
		b.rows = append(b.rows, []string{string(id), "", b.rows[0][2], "TS", "delivered", "", "2026-05-02", "2032-05-02", "", "", "", "", "", "", "", b.rows[0][0]})
		second := slices.Clone(b.rows[1])
		second[0], second[1] = "6090000009010008", ""
		b.rows = append(b.rows, second)
		if _, err := b.load(t, 3); err == nil {
			t.Fatal("it was not killed")
		}
		rep, err := b.load(t, 0)
		check(t, err)
		if want := (cardbase.Count{Rows: 12, Kept: 5, Already: 6, Refused: 1}); rep.Total != want || !rep.Balanced() {
			t.Fatalf("%+v %v", rep.Total, rep.Errors)
		}
		if rep, err = b.load(t, 0); err != nil || rep.Total.Already != 11 || len(b.cards(t)) != 11 {
			t.Errorf("once more: %+v, %v", rep.Total, err)
		}
	})
}

// R107: a chipless successor in the base leaves the old CNS alive.
func TestR107_AChiplessSuccessorInTheBase(t *testing.T) {
	b := newBase(t, 1)
	id, err := cns.NewCardID("6090", 900, 0)
	check(t, err)
	b.rows = append(b.rows, []string{
		string(id), "", b.rows[0][2], "TS", "delivered", "", "2026-05-02", "2032-05-02", "", "", "", "", "", "", "", b.rows[0][0],
	})
	rep, err := b.load(t, 0)
	check(t, err)
	cards := b.cards(t)
	if rep.Total.Kept != 2 || cards[0].ReplacedBy != cards[1].ID || cards[1].Replaces != cards[0].ID {
		t.Fatalf("%+v %v", rep.Total, rep.Errors)
	}
	if f := lifecycle.Functions(cards[0], lifecycle.FactsOf(b.people[0], cards[0], cards), noon)[3]; f.State != lifecycle.Valid {
		t.Errorf("the old CNS: %+v", f)
	}
}

func TestRowsRefused(t *testing.T) {
	other := logintest.NewAuthority(t, "CA altrui", noon)
	for _, c := range []struct {
		name, field, code string
		change            func(b *base, r []string) []string
	}{
		{"check digit", "numero_tessera", "CSE-622", set(0, "6090000005000001")},
		{"TEAM", "numero_team", "CSE-623", set(1, "80380000900000000001")},
		{"unknown holder", "codice_fiscale", "CSE-625", set(2, string(logintest.OtherCF))},
		{"model", "modello", "CSE-626", set(3, "CIE")},
		{"not posted yet", "stato", "CSE-626", set(4, "ordered")},
		{"reason without need", "motivo", "CSE-626", set(5, "loss")},
		{"no day", "emessa_il", "CSE-106", set(6, "2023-02-30")},
		{"expired before issued", "scade_il", "CSE-629", set(7, "2023-05-01")},
		{"activated before posted", "attivata_il", "CSE-629", set(9, "2023-05-09")},
		{"activated tomorrow", "attivata_il", "CSE-629", set(9, "2026-10-04")},
		{"active, never activated", "attivata_il", "CSE-105", set(9, "")},
		{"no certificate", "certificato", "CSE-105", set(13, "")},
		{"serial", "seriale_certificato", "CSE-628", set(13, "xyz")},
		{"base64", "certificato", "CSE-628", set(12, "§")},
		{"another issuer's certificate", "certificato", "CSE-628", func(_ *base, r []string) []string {
			leaf := other.Issue(t, r[2], cns.CardID(r[0]), noon, logintest.CardKey(), nil).Leaf
			r[12], r[13], r[14] = base64.StdEncoding.EncodeToString(leaf.Raw), "", ""
			return r
		}},
		{"another card's certificate", "certificato", "CSE-628", func(b *base, r []string) []string {
			leaf := b.issuer.Issue(t, r[2], cns.CardID(b.rows[1][0]), noon, logintest.CardKey(), nil).Leaf
			r[12], r[13], r[14] = base64.StdEncoding.EncodeToString(leaf.Raw), "", ""
			return r
		}},
		{"no predecessor", "sostituisce", "CSE-630", func(b *base, r []string) []string { r[15] = b.rows[1][0]; return r }},
		{"columns", "", "CSE-169", func(_ *base, r []string) []string { return r[:15] }},
	} {
		b := newBase(t, 2)
		b.rows[0] = c.change(b, slices.Clone(b.rows[0]))
		rep, err := b.load(t, 0)
		check(t, err)
		found := false
		for _, e := range rep.Errors {
			found = found || e.Line == 2 && e.Field == c.field && e.Reason.Code == c.code
		}
		if !found || rep.Total.Refused != 1 || rep.Total.Kept != 1 || !rep.Balanced() {
			t.Errorf("%s: %+v %v", c.name, rep.Total, rep.Errors)
		}
	}
	// A second living card of one person, and a number given twice.
	b := newBase(t, 2)
	id, err := cns.NewCardID("6090", 901, 0)
	check(t, err)
	second, twice := slices.Clone(b.rows[0]), slices.Clone(b.rows[1])
	second[0], second[1], twice[6] = string(id), "", "2023-05-01"
	b.rows = append(b.rows, second, twice)
	rep, err := b.load(t, 0)
	check(t, err)
	if len(rep.Errors) != 2 || rep.Errors[0].Reason.Code != "CSE-627" || rep.Errors[1].Reason.Code != "CSE-624" {
		t.Errorf("%v", rep.Errors)
	}
	// A whole certificate of the right issuer is kept.
	b = newBase(t, 1)
	leaf := b.issuer.Issue(t, b.rows[0][2], cns.CardID(b.rows[0][0]), noon, logintest.CardKey(), nil).Leaf
	b.rows[0][12], b.rows[0][13], b.rows[0][14] = base64.StdEncoding.EncodeToString(leaf.Raw), "", ""
	if rep, err := b.load(t, 0); err != nil || rep.Total.Kept != 1 {
		t.Errorf("%v %v", rep, err)
	}
	b.rows = nil
	i, _ := cardbase.New(cardbase.Importer{})
	if i != nil {
		t.Error("an importer of nothing")
	}
}

func set(n int, s string) func(*base, []string) []string {
	return func(_ *base, r []string) []string { r[n] = s; return r }
}

// Whatever stands in a row, it is read or refused, and what is read can be kept.
func FuzzParseRow(f *testing.F) {
	by := cardbase.Issuer{ID: "prima", Certificate: logintest.NewAuthority(f, "CA", noon).Cert}
	f.Add("6090000005000002;;RSSMRA85C07D612K;TS;delivered;;2023-05-02;2028-05-02;;;;;;;;")
	f.Add("6090000005000002;;RSSMRA85C07D612K;TS-CNS;revoked;loss;2023-05-02;2028-05-02;;;;2024-01-01;;0a;;")
	f.Fuzz(func(t *testing.T, s string) {
		c, faults := cardbase.ParseRow(strings.Split(s, ";"), by, civil.DayOf(noon))
		for _, x := range faults {
			if x.Sentence(words.Italian) == "" {
				t.Errorf("%s has no sentence", x.Code)
			}
		}
		if len(faults) == 0 && (c.ID == "" || c.CF == "" || c.Expires.Before(c.Issued) || c.Model == lifecycle.TS && c.CertSerial != "" ||
			c.State.Final() == c.EndedAt.IsZero()) {
			t.Errorf("%q is read as %+v", s, c)
		}
	})
}
