package counter_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/person/registry"
)

// lettered is a bench whose letters are printed at the office named.
func lettered(t *testing.T, office string) (*bench, registry.Person) {
	t.Helper()
	b := newBench(t, storetest.SQLite(t))
	b.deps.LetterOffice = office
	var err error
	if b.Counter, err = counter.New(b.deps); err != nil {
		t.Fatal(err)
	}
	p := b.mario(t)
	p.Address, p.PostCode, p.Residence = "VIA DEI TEST 1", "50100", "D612"
	b.enrol(p)
	b.issue(t, p, number, nil)
	return b, p
}

// withoutEmail fills an activation in without an address.
func (b *bench) withoutEmail(t *testing.T, p registry.Person) (counter.Act, error) {
	t.Helper()
	op := b.operator(t, "op1", "asl1")
	d, err := b.StartDraft(t.Context(), op, goodCard(p))
	if err != nil {
		t.Fatal(err)
	}
	if d, err = b.Identify(t.Context(), op, d.ID, d.Version, goodIdentity(t)); err != nil {
		t.Fatal(err)
	}
	if d, err = b.Contacts(t.Context(), op, d.ID, d.Version, counter.ContactStep{NoEmail: true, Lang: words.Italian, Consent: true}); err != nil {
		return counter.Act{}, err
	}
	return b.Activate(t.Context(), op, d.ID, d.Version)
}

// R74, R75 for who has no e-mail address: first halves here, second ones by post
// from another office, and never both in one place.
func TestR75_WithoutAnAddressALetterFromAnotherOffice(t *testing.T) {
	b, p := lettered(t, "comune")
	a, err := b.withoutEmail(t, p)
	if err != nil {
		t.Fatal(err)
	}
	if !a.Form.Letter || !slices.Contains(a.Form.Papers, counter.PaperCodes) {
		t.Errorf("the papers: %+v", a.Form)
	}
	var l counter.Letter
	if err := json.Unmarshal(b.effects[counter.LetterKey(a.Protocol)].Body, &l); err != nil {
		t.Fatal(err)
	}
	if l.Office != "comune" || l.Address != "VIA DEI TEST 1" || l.Card != number || !strings.Contains(l.To, p.Surname) {
		t.Errorf("the letter: %+v", l)
	}
	for key := range b.effects {
		if strings.HasPrefix(key, "mail.") {
			t.Errorf("a mail to nobody: %s", key)
		}
	}
	b.noHalves(t)
	b.clock.Advance(time.Hour)
	o := b.order(t)
	o.NoEmail, o.Shown.ReadID = true, number
	again, err := b.Reprint(t.Context(), b.operator(t, "op1", "asl1"), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := b.effects[counter.LetterKey(again.Protocol)]; !ok {
		t.Error("the reprint sends no letter")
	}
	b.noHalves(t)
}

// noHalves: no effect and no journal entry has any half of a code.
func (b *bench) noHalves(t *testing.T) {
	t.Helper()
	f, err := b.first.FirstHalves(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.second.SecondHalves(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, e := range b.effects {
		all.Write(e.Body)
	}
	for _, e := range b.entries {
		for _, v := range e.Detail {
			all.WriteString(v + "\n")
		}
	}
	for _, half := range []string{string(f.CIP.Reveal()), string(s.CIP.Reveal()), string(s.PUK.Reveal())} {
		if strings.Contains(all.String(), half) {
			t.Error("a half in an effect or in the journal")
		}
	}
}

func TestR75_WithoutAnAddressNotEverywhere(t *testing.T) {
	b, p := lettered(t, "")
	_, err := b.withoutEmail(t, p)
	refused(t, "not configured", err, "CSE-466")
	b, p = lettered(t, "asl1")
	_, err = b.withoutEmail(t, p)
	refused(t, "at the office that prints the letters", err, "CSE-467")
	b, p = lettered(t, "comune")
	p.Address = ""
	b.enrol(p)
	_, err = b.withoutEmail(t, p)
	refused(t, "without a registered address", err, "CSE-468")
	if got := b.card(t, number).State; got != "delivered" {
		t.Errorf("the card is %s all the same", got)
	}
}
