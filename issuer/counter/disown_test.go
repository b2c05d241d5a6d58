package counter_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// chipWriter gives new codes and says whether the chip has them.
type chipWriter struct{ pending bool }

func (w *chipWriter) New(context.Context, string, civil.Date) error { w.pending = true; return nil }
func (w *chipWriter) Pending(context.Context, string) (bool, error) { return w.pending, nil }
func (w *chipWriter) Renewed(context.Context, string) (first bool, _ error) {
	w.pending = false
	return true, nil
}

// sampling is a bench that hears which acts are offered to the sample.
func sampling(t *testing.T, db *store.DB) (b *bench, offered *[]string) {
	t.Helper()
	b, offered = newBench(t, db), &[]string{}
	b.deps.Renew = &chipWriter{}
	b.deps.Sample = func(_ context.Context, r counter.ActRow, asl string) error {
		if asl != "201" {
			return errors.New("the holder's health unit is " + asl)
		}
		*offered = append(*offered, r.Protocol)
		return nil
	}
	var err error
	if b.Counter, err = counter.New(b.deps); err != nil {
		t.Fatal(err)
	}
	return b, offered
}

// disown is what a check that does not confirm does.
func (b *bench) disown(t *testing.T, protocol string) int {
	t.Helper()
	held := 0
	err := b.atomically(t.Context(), func(ctx context.Context) error {
		d, err := b.Declaration(ctx, b.operator(t, "op2", "com"), protocol)
		if err != nil {
			return err
		}
		held, err = b.Disown(ctx, d)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return held
}

// Every self-declaration of a title is offered to the sample in its act, and
// nothing else is.
func TestR69_WhatIsOfferedToTheSample(t *testing.T) {
	b, offered := sampling(t, storetest.SQLite(t))
	_, father, _ := b.father(t)
	a, err := b.Join(t.Context(), b.operator(t, "op1", "asl1"), b.joining(t, father))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(*offered); n != 2 || (*offered)[1] != a.Protocol {
		t.Errorf("offered: %v", *offered)
	}
	o := b.order(t)
	o.Identity = forWard(t, b.people["VRDLCU85B42D612X"])
	if _, err := b.Suspend(t.Context(), b.operator(t, "op1", "asl1"), o); err != nil {
		t.Fatal(err)
	}
	if len(*offered) != 2 {
		t.Errorf("an act that declares nothing is offered: %v", *offered)
	}
	op2 := b.operator(t, "op2", "com")
	for protocol, code := range map[string]string{"2026/0000099": "CSE-760", "2026/0000003": "CSE-760", "": "CSE-760"} {
		_, err := b.Declaration(t.Context(), op2, protocol)
		refused(t, "the act "+protocol, err, code)
	}
	d, err := b.Declaration(t.Context(), op2, a.Protocol)
	if err != nil || d.Holder.Name != "LUCA" || d.Form.Representative.CF != father.CF || d.Named {
		t.Errorf("the declaration: %+v, %v", d, err)
	}
	op2.CF = father.CF
	_, err = b.Declaration(t.Context(), op2, a.Protocol)
	refused(t, "his own declaration", err, "CSE-140")
}

// Not confirmed: the title ends now, the CNS is held with its own reason until the
// other parent has new codes on the chip; both are told; the same word is not taken
// again unless the registry knows; everything is kept.
func TestR69_ATitleThatIsNotConfirmed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b, offered := sampling(t, db)
		mother, father, child := b.father(t)
		if _, err := b.Join(t.Context(), b.operator(t, "op1", "asl1"), b.joining(t, father)); err != nil {
			t.Fatal(err)
		}
		b.clock.Set(b.clock.Now().Add(time.Hour))
		if held := b.disown(t, (*offered)[0]); held != 1 { // the mother's: she had the codes
			t.Errorf("%d cards are held", held)
		}
		c := b.card(t, number)
		if c.State != lifecycle.Suspended || c.Reason != lifecycle.Unconfirmed || b.certs[c.CertSerial] != "held" {
			t.Errorf("the card is %s (%s), its certificate %s", c.State, c.Reason, b.certs[c.CertSerial])
		}
		cards, err := b.db.Cards().ByPerson(t.Context(), child.CF)
		if err != nil {
			t.Fatal(err)
		}
		f := lifecycle.Functions(c, lifecycle.FactsOf(child, c, cards), b.clock.Now())
		if !words.Has(words.Italian, f[3].Reason) || f[3].Reason != "lifecycle.why.unconfirmed" {
			t.Errorf("why the CNS is on hold: %s", f[3].Reason)
		}
		if got := b.told(t, counter.Unconfirmed); !slices.Equal(got, []string{"Mario.Rossi@posta.example"}) {
			t.Errorf("who declared is told at %v", got)
		}
		if got := b.told(t, counter.HeldUnconfirmed); !slices.Equal(got, []string{"pietro@posta.example"}) {
			t.Errorf("the other parent is told at %v", got)
		}
		if to, err := b.AddressOf(t.Context(), c); err != nil || to != "" {
			t.Errorf("the card is still written to at %q, %v", to, err)
		}
		if wards, err := b.Wards(t.Context(), mother.CF); err != nil || len(wards) != 0 {
			t.Errorf("she still has %+v, %v", wards, err)
		}
		links, err := b.db.Links().LinksOf(t.Context(), child.CF)
		if err != nil || len(links) != 2 || links[0].Why != counter.WhyUnconfirmed || links[0].EndedAt.IsZero() || !links[1].EndedAt.IsZero() {
			t.Errorf("the titles: %+v, %v", links, err)
		}
		if held := b.disown(t, (*offered)[0]); held != 0 {
			t.Errorf("a second time %d cards are held", held)
		}

		op, hers := b.operator(t, "op1", "asl1"), b.order(t)
		hers.Identity = forWard(t, mother)
		_, err = b.Reactivate(t.Context(), op, hers)
		refused(t, "she reactivates", err, "CSE-447")
		hers.Identity.Representative.Declared = true
		_, err = b.Join(t.Context(), op, hers)
		refused(t, "she declares it again", err, "CSE-759")
		_, err = b.ReactivateWithCIP(t.Context(), number, b.codes[number].CIP, "192.0.2.7", words.Italian)
		refused(t, "she reactivates with the CIP that she knows", err, "CSE-753")

		_, err = b.RevokeWithCIP(t.Context(), number, b.codes[number].CIP, "192.0.2.8", words.Italian)
		refused(t, "she revokes with the CIP that she knows", err, "CSE-753")
		his := func() counter.Order {
			o := b.order(t)
			o.Identity, o.Email, o.EmailAgain = b.joining(t, father).Identity, "pietro@posta.example", "pietro@posta.example"
			return o
		}
		_, err = b.Reactivate(t.Context(), op, his())
		refused(t, "he reactivates with her codes about", err, "CSE-753")
		a, err := b.NewCodes(t.Context(), op, his())
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Reactivate(t.Context(), op, his())
		refused(t, "before the chip has the new codes", err, "CSE-753")
		if err := b.atomically(t.Context(), func(ctx context.Context) error { return b.Written(ctx, a.Protocol) }); err != nil {
			t.Fatal(err)
		}
		if c := b.card(t, number); c.State != lifecycle.Active || c.Reason != "" {
			t.Errorf("the card is %s (%s)", c.State, c.Reason)
		}

		child = b.people[child.CF] // the registry learns of it
		child.Guardians = []registry.Guardian{{CF: mother.CF, Kind: registry.Parent, From: child.Born}}
		b.enrol(child)
		s := b.order(t)
		s.Identity = forWard(t, mother)
		if _, err := b.Suspend(t.Context(), op, s); err != nil {
			t.Errorf("what the registry says is not refused: %v", err)
		}
	})
}

// Who joined was given no codes: his title ends, and the card stays as it is. One on
// hold at the holder's wish gets the graver reason.
func TestR69_WhatIsHeld(t *testing.T) {
	b, offered := sampling(t, storetest.SQLite(t))
	mother, father, _ := b.father(t)
	if _, err := b.Join(t.Context(), b.operator(t, "op1", "asl1"), b.joining(t, father)); err != nil {
		t.Fatal(err)
	}
	if held := b.disown(t, (*offered)[1]); held != 0 {
		t.Errorf("%d cards are held", held)
	}
	if c := b.card(t, number); c.State != lifecycle.Active {
		t.Errorf("the card is %s", c.State)
	}
	if got := b.told(t, counter.HeldUnconfirmed); !slices.Equal(got, []string{"Mario.Rossi@posta.example"}) {
		t.Errorf("the mother is told at %v", got)
	}
	if wards, err := b.Wards(t.Context(), father.CF); err != nil || len(wards) != 0 {
		t.Errorf("he still has %+v, %v", wards, err)
	}
	o := b.order(t)
	o.Identity = forWard(t, mother)
	if _, err := b.Suspend(t.Context(), b.operator(t, "op1", "asl1"), o); err != nil {
		t.Fatal(err)
	}
	if held := b.disown(t, (*offered)[0]); held != 1 {
		t.Errorf("%d cards are held", held)
	}
	if c := b.card(t, number); c.State != lifecycle.Suspended || c.Reason != lifecycle.Unconfirmed {
		t.Errorf("the card is %s (%s)", c.State, c.Reason)
	}
}

// A title that is over is not ended twice, and neither is one that a stranger has.
func TestR69_ATitleThatIsOverAlready(t *testing.T) {
	b, offered := sampling(t, storetest.SQLite(t))
	_, child := b.family(t)
	child = b.people[child.CF]
	child.Born = day(t, "2008-11-25")
	b.enrol(child)
	mother := b.people[codicefiscale.Code("VRDLCU85B42D612X")]
	if _, err := b.activateAs(t, child, forWard(t, mother)); err != nil {
		t.Fatal(err)
	}
	b.clock.Set(time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC))
	if n, err := b.ComeOfAge(t.Context(), counter.MajorityNotify); err != nil || n != 1 {
		t.Fatalf("%d, %v", n, err)
	}
	b.disown(t, (*offered)[0])
	links, err := b.db.Links().LinksOf(t.Context(), child.CF)
	if err != nil || len(links) != 1 || links[0].Why != "" {
		t.Errorf("%+v, %v", links, err)
	}
}
