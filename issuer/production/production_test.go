package production_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cse.example/cse/demo/bureau/bureautest"
	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/production/exchange"
	"cse.example/cse/person/registry"
	"cse.example/cse/pki/ca/catest"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run drives the line to the end: everybody's card posted.
func run(t *testing.T, w *bureautest.World, b *paperBureau) error {
	t.Helper()
	p, ctx := w.Plant(t), t.Context()
	if _, err := p.OrderMissing(ctx); err != nil {
		return err
	}
	for range 20 {
		open, err := p.AdvanceAll(ctx)
		if err != nil {
			return err
		}
		if len(open) == 0 {
			return nil
		}
		for _, x := range open {
			if x.State == production.Received {
				if _, err := p.Ship(ctx, x.ID); err != nil {
					return err
				}
			}
		}
		b.work(t)
	}
	return errors.New("the line does not come to an end")
}

// audit checks that the counts reconcile: one posted card a person, codes and
// certificate for each chip, nothing left in the exchange folder or the items.
func audit(t *testing.T, w *bureautest.World, people, chipless int) {
	t.Helper()
	ctx := t.Context()
	cards, err := w.DB.Cards().Each(ctx, "", 1000)
	check(t, err)
	holders := map[string]bool{}
	chips := 0
	for _, c := range cards {
		holders[string(c.CF)] = true
		if c.State != lifecycle.Shipped {
			t.Errorf("card %s is %s", c.ID, c.State)
		}
		records, err := w.DB.PKI().OfCard(ctx, c.ID)
		check(t, err)
		live := 0
		for _, r := range records {
			if r.State == "pending" {
				live++
				if r.Serial != c.CertSerial || !r.NotAfter.Equal(c.Expires.End()) {
					t.Errorf("card %s: certificate %s until %s, card %s until %s", c.ID, r.Serial, r.NotAfter, c.CertSerial, c.Expires)
				}
			} else if r.State != "revoked" {
				t.Errorf("card %s: a certificate is %s", c.ID, r.State)
			}
		}
		if c.HasChip() {
			chips++
		}
		if (live == 1) != c.HasChip() {
			t.Errorf("card %s (%s): %d live certificates", c.ID, c.Model, live)
		}
	}
	if len(cards) != people || len(holders) != people || chips != people-chipless {
		t.Errorf("%d cards, %d holders, %d chips; want %d people, %d without chip", len(cards), len(holders), chips, people, chipless)
	}
	if n, err := w.DB.Codes().Count(ctx); int(n) != chips || err != nil {
		t.Errorf("%d sets of codes for %d chips (%v)", n, chips, err)
	}
	batches, err := w.DB.Batches().List(ctx, false)
	check(t, err)
	made := 0
	for _, b := range batches {
		made += b.Made
		if b.State != production.Sent || b.Made+b.Spoiled != b.Cards {
			t.Errorf("batch %+v", b)
		}
		items, err := w.DB.Batches().Items(ctx, b.ID, "", 1000)
		check(t, err)
		for _, i := range items {
			if i.Job != nil || i.Certificate != nil || i.Personal != nil || i.SPKI != nil {
				t.Errorf("card %s: the batch still keeps its data", i.Card)
			}
		}
	}
	if made != people {
		t.Errorf("%d cards made, %d people", made, people)
	}
	if left, err := os.ReadDir(w.Exchange); len(left) != 0 || err != nil {
		t.Errorf("left in the exchange folder: %v %v", left, err)
	}
}

func TestLine(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := bureautest.New(t, db)
		w.Config.BatchSize, w.Config.ChiplessEvery = 30, 8
		w.Import(t, 40, 1)
		check(t, run(t, w, newPaperBureau(w)))
		audit(t, w, 40, 5)
		p := w.Plant(t)
		if got, err := p.OrderMissing(t.Context()); err != nil || got != (production.Ordering{}) {
			t.Errorf("the second night: %+v %v", got, err)
		}
		batches, err := db.Batches().List(t.Context(), false)
		check(t, err)
		if len(batches) != 2 {
			t.Errorf("%d batches, want 2", len(batches))
		}
		for _, b := range batches {
			if n, err := p.Ship(t.Context(), b.ID); n != 0 || err != nil {
				t.Errorf("shipped twice: %d %v", n, err)
			}
			if n, err := p.Deliver(t.Context(), b.ID); n != b.Made || err != nil {
				t.Errorf("delivered %d of %d: %v", n, b.Made, err)
			}
		}
	})
}

// TestKilledAnywhere kills the plant before and after each of its steps, then
// lets a new one go on.
func TestKilledAnywhere(t *testing.T) {
	people, chipless := 6, 1
	points := 0
	for at := 0; ; at++ {
		died := false
		ok := t.Run(fmt.Sprint(at), func(t *testing.T) {
			w := bureautest.New(t, storetest.SQLite(t))
			w.Config.ChiplessEvery, w.Config.BatchSize = 5, 4
			w.Import(t, people, 3)
			b := newPaperBureau(w)
			w.Killer.Arm(at)
			err := run(t, w, b)
			died = w.Killer.Disarm()
			if died != (err != nil) || err != nil && !errors.Is(err, bureautest.ErrKilled) {
				t.Fatalf("died %v, error %v", died, err)
			}
			check(t, run(t, w, b))
			audit(t, w, people, chipless)
		})
		if !ok || !died {
			break
		}
		points++
	}
	if points < 40 {
		t.Errorf("only %d points were tried", points)
	}
}

func TestSpoiledCardsAreMadeAgain(t *testing.T) {
	w := bureautest.New(t, storetest.SQLite(t))
	w.Import(t, 4, 1)
	p := w.Plant(t)
	_, err := p.OrderMissing(t.Context())
	check(t, err)
	b := newPaperBureau(w)
	cards, err := w.DB.Cards().ByState(t.Context(), lifecycle.Ordered, "", 10)
	check(t, err)
	spoiled := cards[1].ID
	b.spoil[spoiled] = true
	batch, _, err := p.Fill(t.Context())
	check(t, err)
	first, err := w.DB.Codes().Get(t.Context(), spoiled)
	check(t, err)
	for range 2 {
		batch, err = p.Advance(t.Context(), batch.ID)
		check(t, err)
		b.work(t)
	}
	batch, err = p.Advance(t.Context(), batch.ID)
	check(t, err)
	if batch.State != production.Received || batch.Made != 3 || batch.Spoiled != 1 {
		t.Fatalf("batch %+v", batch)
	}
	if _, err := w.DB.Codes().Get(t.Context(), spoiled); err == nil {
		t.Error("the spoiled card keeps its codes")
	}
	delete(b.spoil, spoiled)
	check(t, run(t, w, b))
	audit(t, w, 4, 0)
	again, err := w.DB.Codes().Get(t.Context(), spoiled)
	check(t, err)
	if bytes.Equal(first.CIPMark, again.CIPMark) {
		t.Error("the card made again has its old codes")
	}
}

func TestOrderMissing(t *testing.T) {
	today := civil.DayOf(catest.Start)
	base := registry.Person{
		CF: "RSSMRA80A01D612Y", Surname: "Rossi", Name: "Mario", Born: civil.Date{Year: 1980, Month: 1, Day: 1}, Sex: "M",
		BirthPlace: "D612", Citizenship: "IT", Residence: "D612", AssistedFrom: today.AddDays(-100), AbroadRight: true,
	}
	tests := []struct {
		name      string
		edit      func(*registry.Person)
		ordered   int
		exception string
		expires   civil.Date
	}{
		{"citizen", func(*registry.Person) {}, 1, "", today.AddYears(6)},
		{"not assisted", func(p *registry.Person) { p.AssistedFrom = civil.Date{} }, 0, "", civil.Date{}},
		{"dead", func(p *registry.Person) { p.Died = today }, 0, "", civil.Date{}},
		{"permit", func(p *registry.Person) {
			p.Citizenship, p.Permit = "AL", registry.Permit{Kind: registry.PermitUntil, Until: today.AddDays(400)}
		}, 1, "", today.AddDays(400)},
		{"no datum", func(p *registry.Person) { p.Citizenship = "AL" }, 0, lifecycle.ExceptionNoPermit, civil.Date{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := bureautest.New(t, storetest.SQLite(t))
			who := base
			tt.edit(&who)
			w.Put(t, who)
			p := w.Plant(t)
			for night, want := range []int{tt.ordered, 0} {
				got, err := p.OrderMissing(t.Context())
				if err != nil || got.Ordered != want {
					t.Errorf("night %d: %+v %v, want %d orders", night+1, got, err, want)
				}
			}
			list, err := w.DB.Orders().Exceptions(t.Context(), "", 10)
			check(t, err)
			if got := len(list) == 1; got != (tt.exception != "") || got && list[0].Reason != tt.exception {
				t.Errorf("exceptions %+v, want %q", list, tt.exception)
			}
			cards, err := w.DB.Cards().ByPerson(t.Context(), who.CF)
			check(t, err)
			if len(cards) == 1 && cards[0].Expires != tt.expires {
				t.Errorf("expires %s, want %s", cards[0].Expires, tt.expires)
			}
			if tt.exception == "" {
				return
			}
			who.Permit = registry.Permit{Kind: registry.PermitUnlimited} // somebody settles the datum
			w.Put(t, who)
			got, err := p.OrderMissing(t.Context())
			if err != nil || got.Ordered != 1 || got.Exceptions != 0 {
				t.Errorf("after the datum: %+v %v", got, err)
			}
		})
	}
}

// A name that the plastic cannot hold keeps the card out of the batch, and its
// holder among the exceptions.
func TestMissingDatumBlocksPrinting(t *testing.T) {
	w := bureautest.New(t, storetest.SQLite(t))
	w.Import(t, 2, 1)
	p := w.Plant(t)
	_, err := p.OrderMissing(t.Context())
	check(t, err)
	people, err := w.DB.People().Each(t.Context(), "", 1)
	check(t, err)
	who := people[0]
	who.Surname = ""
	w.Put(t, who)
	batch, ok, err := p.Fill(t.Context())
	if err != nil || !ok || batch.Cards != 1 {
		t.Fatalf("%+v %v %v", batch, ok, err)
	}
	list, err := w.DB.Orders().Exceptions(t.Context(), "", 10)
	check(t, err)
	if len(list) != 1 || list[0].CF != who.CF || list[0].Reason != "CSE-167" || list[0].Field != "team_3" {
		t.Errorf("exceptions %+v", list)
	}
	if _, ok, err := p.Fill(t.Context()); ok || err != nil {
		t.Errorf("filled again: %v %v", ok, err)
	}
}

func TestBadAnswers(t *testing.T) {
	tests := []struct {
		name string
		code string
		bad  func(t *testing.T, w *bureautest.World, b *paperBureau, batch string)
	}{
		{"tampered", "CSE-170", func(t *testing.T, w *bureautest.World, b *paperBureau, batch string) {
			b.work(t)
			path := filepath.Join(w.Exchange, exchange.Name(batch, exchange.Keys))
			raw, err := os.ReadFile(path)
			check(t, err)
			check(t, os.WriteFile(path, bytes.Replace(raw, []byte(`"card":"6`), []byte(`"card":"5`), 1), 0o600))
		}},
		{"cut short", "CSE-177", func(t *testing.T, w *bureautest.World, b *paperBureau, batch string) {
			b.work(t)
			path := filepath.Join(w.Exchange, exchange.Name(batch, exchange.Keys))
			raw, err := os.ReadFile(path)
			check(t, err)
			check(t, os.WriteFile(path, raw[:len(raw)/2], 0o600))
		}},
		{"foreign", "CSE-170", func(t *testing.T, w *bureautest.World, b *paperBureau, batch string) {
			b.w = bureautest.New(t, storetest.SQLite(t)) // another bureau's keys
			b.send(t, exchange.Keys, batch, nil)
			raw, err := os.ReadFile(filepath.Join(b.w.Exchange, exchange.Name(batch, exchange.Keys)))
			check(t, err)
			check(t, os.WriteFile(filepath.Join(w.Exchange, exchange.Name(batch, exchange.Keys)), raw, 0o600))
		}},
		{"of another batch", "CSE-171", func(t *testing.T, _ *bureautest.World, b *paperBureau, _ string) {
			b.answer = func(h *exchange.Header, r []exchange.Record) []exchange.Record { h.Batch = "x"; return r }
			b.work(t)
		}},
		{"of another kind", "CSE-171", func(t *testing.T, _ *bureautest.World, b *paperBureau, _ string) {
			b.answer = func(h *exchange.Header, r []exchange.Record) []exchange.Record { h.Kind = exchange.Receipt; return r }
			b.work(t)
		}},
		{"a card missing", "CSE-173", func(t *testing.T, _ *bureautest.World, b *paperBureau, _ string) {
			b.answer = func(_ *exchange.Header, r []exchange.Record) []exchange.Record { return r[1:] }
			b.work(t)
		}},
		{"a card twice", "CSE-173", func(t *testing.T, _ *bureautest.World, b *paperBureau, _ string) {
			b.answer = func(_ *exchange.Header, r []exchange.Record) []exchange.Record { r[0] = r[1]; return r }
			b.work(t)
		}},
		{"a card not ordered", "CSE-179", func(t *testing.T, _ *bureautest.World, b *paperBureau, _ string) {
			b.answer = func(_ *exchange.Header, r []exchange.Record) []exchange.Record {
				r[0].Card = "6090000009990999"
				return r
			}
			b.work(t)
		}},
		{"a key missing", "CSE-173", func(t *testing.T, _ *bureautest.World, b *paperBureau, _ string) {
			b.answer = func(_ *exchange.Header, r []exchange.Record) []exchange.Record { r[0].SPKI = nil; return r }
			b.work(t)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := bureautest.New(t, storetest.SQLite(t))
			w.Import(t, 3, 1)
			p := w.Plant(t)
			_, err := p.OrderMissing(t.Context())
			check(t, err)
			batch, _, err := p.Fill(t.Context())
			check(t, err)
			batch, err = p.Advance(t.Context(), batch.ID)
			check(t, err)
			tt.bad(t, w, newPaperBureau(w), batch.ID)
			for range 2 { // a refusal changes nothing, so it is repeated
				after, err := p.Advance(t.Context(), batch.ID)
				if f := words.FaultOf(err); f == nil || f.Code != tt.code {
					t.Fatalf("got %v, want %s", err, tt.code)
				}
				if after.State != production.Filled || after.KeysSum != nil {
					t.Errorf("the batch moved: %+v", after)
				}
			}
			good := newPaperBureau(w)
			check(t, os.Remove(filepath.Join(w.Exchange, exchange.Name(batch.ID, exchange.Keys))))
			check(t, run(t, w, good))
			audit(t, w, 3, 0)
		})
	}
}

// A second, different keys file is refused while the first is being worked on.
func TestReplayIsRefused(t *testing.T) {
	w := bureautest.New(t, storetest.SQLite(t))
	w.Import(t, 2, 1)
	p := w.Plant(t)
	_, err := p.OrderMissing(t.Context())
	check(t, err)
	batch, _, err := p.Fill(t.Context())
	check(t, err)
	_, err = p.Advance(t.Context(), batch.ID)
	check(t, err)
	b := newPaperBureau(w)
	b.work(t)
	w.Killer.Arm(2) // dies after the file was pinned, before its keys are kept
	if _, err := p.Advance(t.Context(), batch.ID); !errors.Is(err, bureautest.ErrKilled) {
		t.Fatalf("got %v", err)
	}
	w.Killer.Disarm()
	check(t, os.Remove(filepath.Join(w.Exchange, exchange.Name(batch.ID, exchange.Keys))))
	other := newPaperBureau(w)
	other.work(t)
	_, err = w.Plant(t).Advance(t.Context(), batch.ID)
	if f := words.FaultOf(err); f == nil || f.Code != "CSE-172" {
		t.Fatalf("got %v, want CSE-172", err)
	}
	check(t, os.Remove(filepath.Join(w.Exchange, exchange.Name(batch.ID, exchange.Keys))))
	b.work(t) // the first one again: the same content, another signature
	check(t, run(t, w, b))
	audit(t, w, 2, 0)
}

// The order file is written again byte for byte.
func TestOrderFileIsTheSameAgain(t *testing.T) {
	w := bureautest.New(t, storetest.SQLite(t))
	w.Import(t, 3, 1)
	p := w.Plant(t)
	_, err := p.OrderMissing(t.Context())
	check(t, err)
	batch, _, err := p.Fill(t.Context())
	check(t, err)
	_, err = p.Advance(t.Context(), batch.ID)
	check(t, err)
	path := filepath.Join(w.Exchange, exchange.Name(batch.ID, exchange.Order))
	first, err := os.ReadFile(path)
	check(t, err)
	check(t, os.Remove(path))
	_, err = w.Plant(t).Advance(t.Context(), batch.ID)
	check(t, err)
	second, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("the file differs (%v)", err)
	}
	people, err := w.DB.People().Each(t.Context(), "", 10)
	check(t, err)
	for _, who := range people {
		if bytes.Contains(first, []byte(who.CF)) || bytes.Contains(first, []byte(who.Surname)) {
			t.Errorf("%s stands in the order file in clear", who.CF)
		}
	}
	if f := words.FaultOf(func() error { _, err := p.Advance(t.Context(), "none"); return err }()); f == nil || f.Code != "CSE-175" {
		t.Errorf("a batch that does not exist: %v", f)
	}
	if _, err := p.Ship(context.Background(), batch.ID); words.FaultOf(err) == nil {
		t.Errorf("shipped before it was made: %v", err)
	}
}

// A chip whose key the authority refuses is thrown away and the card is made
// again; the others do not wait for it.
func TestRefusedKeyIsMadeAgain(t *testing.T) {
	w := bureautest.New(t, storetest.SQLite(t))
	w.Import(t, 3, 1)
	b := newPaperBureau(w)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	check(t, err)
	der, err := x509.MarshalPKIXPublicKey(&small.PublicKey)
	check(t, err)
	bad := [][]byte{der, []byte("no key")}
	b.answer = func(h *exchange.Header, r []exchange.Record) []exchange.Record {
		if h.Kind == exchange.Keys && len(bad) > 0 {
			r[0].SPKI, bad = bad[0], bad[1:]
		}
		return r
	}
	check(t, run(t, w, b))
	audit(t, w, 3, 0)
	batches, err := w.DB.Batches().List(t.Context(), false)
	check(t, err)
	var spoiled []int
	for _, x := range batches {
		spoiled = append(spoiled, x.Spoiled)
	}
	if diff := cmp.Diff([]int{1, 1, 0}, spoiled); diff != "" {
		t.Error(diff)
	}
}
