package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/audit"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/privacy"
)

// Every kind of datum goes when its term is over and not a day before; the trail
// goes from its beginning and still verifies up to its head.
func TestRetentionCoversEveryKind(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	x := o.patient(t, 1)
	check(t, o.act(t, x)())
	ctx, start := t.Context(), civil.Today(o.hand)
	check(t, o.db.Atomically(ctx, func(ctx context.Context) error {
		return o.book.Set(ctx, x.CF, "dopo@posta.example", words.Italian, false, "")
	}))
	made, err := o.certificates.Issue(ctx, x.CF, "una", start, start.AddDays(9))
	check(t, err)
	list, err := o.db.Acts().ByCard(ctx, x.card.ID)
	check(t, err)
	protocol := list[0].Protocol
	op, err := o.directory.OperatorByAccount("anna")
	check(t, err)

	// the card ends after a year
	ended := start.AddDays(365)
	o.hand.Set(ended.Start().Add(12 * time.Hour))
	c, err := o.db.Cards().Get(ctx, x.card.ID)
	check(t, err)
	check(t, o.db.Atomically(ctx, func(ctx context.Context) error {
		c, err := lifecycle.Move(c, lifecycle.Revoke, lifecycle.ByHolder, o.hand.Now())
		if err != nil {
			return err
		}
		_, err = o.db.Cards().Put(ctx, c)
		return errors.Join(err, o.authority.Revoke(ctx, c.CertSerial, 5), o.cips.Destroy(ctx, c.ID))
	}))
	head, err := o.trail.Head(ctx)
	check(t, err)

	night := func(on civil.Date) map[string]int64 {
		t.Helper()
		o.hand.Set(on.Start().Add(3 * time.Hour))
		r, err := o.privacy.Retain(ctx, o.keepers())
		check(t, err)
		out := map[string]int64{}
		for _, l := range r.Lines {
			out[l.Kind] = l.Destroyed
		}
		return out
	}
	is := func(on civil.Date, kind string, want int64) {
		t.Helper()
		if got := night(on)[kind]; got != want {
			t.Errorf("%s on %s: %d went, want %d", kind, on, got, want)
		}
	}
	terms := o.Config.Privacy
	day := func(from civil.Date, days, more int) civil.Date { return from.AddDays(days + more) }

	is(day(start, terms.ReplacedDays, 0), "addresses", 0)
	is(day(start, terms.ReplacedDays, 1), "addresses", 1)
	now, err := o.book.Of(ctx, x.CF)
	check(t, err)
	if now.Email != "dopo@posta.example" || now.Before != "" {
		t.Errorf("after the term the book says %+v", now)
	}
	last := start.AddDays(9)
	is(day(last, terms.TEAMDays, 0), "team", 0)
	is(day(last, terms.TEAMDays, 1), "team", 1)
	if _, err := o.certificates.Verify(ctx, made.ID, "x"); words.FaultOf(err) == nil {
		t.Errorf("the certificate is still known: %v", err)
	}
	is(day(ended, terms.EvidenceDays, 0), "evidence", 0)
	if _, err := o.counter.ToPrint(ctx, op, protocol); errors.Is(err, words.Refuse("CSE-646")) {
		t.Error("the papers went too early")
	}
	is(day(ended, terms.EvidenceDays, 1), "evidence", 1)
	if _, err := o.counter.ToPrint(ctx, op, protocol); !errors.Is(err, words.Refuse("CSE-646")) {
		t.Errorf("the papers of a card that ended long ago: %v", err)
	}
	if a, err := o.counter.Act(ctx, op, protocol); err != nil || !a.Destroyed || a.Kind != counter.KindActivation || a.Form.Surname != "" {
		t.Errorf("the act itself: %+v, %v", a, err)
	}
	if got, err := o.trail.Verify(ctx, head); err != nil || got.Index <= head.Index {
		t.Fatalf("the trail: %+v, %v", got, err)
	}
	before, err := o.trail.LastByPerson(ctx, string(x.CF), 100)
	check(t, err)
	if len(before) == 0 {
		t.Fatal("the person is in no record")
	}
	is(day(start, terms.TrailDays, -1), "trail", 0)
	if n := night(day(ended, terms.TrailDays, 2))["trail"]; n < int64(len(before)) {
		t.Errorf("%d records went, the person had %d", n, len(before))
	}
	if after, err := o.trail.LastByPerson(ctx, string(x.CF), 100); err != nil || len(after) != 0 {
		t.Errorf("%d records of the person are left, %v", len(after), err)
	}
	foot, err := o.trail.Foot(ctx)
	check(t, err)
	if got, err := o.trail.Verify(ctx, audit.Head{Index: foot.Index, Hash: foot.Hash}, head); err != nil || got.Index <= foot.Index {
		t.Errorf("after the cut: %+v, %v", got, err)
	}
	clean(t, o.Platform)
}

// A kind of datum that nobody gave a name, or a term below what is allowed, does
// not start.
func TestEveryKeeperHasANameAndATerm(t *testing.T) {
	o := newOffice(t)
	for _, k := range o.keepers() {
		for _, lang := range []words.Lang{words.Italian, words.English} {
			if !words.Has(lang, "privacy.keep."+k.Kind) {
				t.Errorf("%s has no name in %s", k.Kind, lang)
			}
		}
		if k.Days < k.Least {
			t.Errorf("%s: %d days, at least %d", k.Kind, k.Days, k.Least)
		}
	}
	for _, short := range []func(p *Privacy){
		func(p *Privacy) { p.TrailDays = 3000 }, func(p *Privacy) { p.EvidenceDays = 3000 }, func(p *Privacy) { p.ReplacedDays = 0 }, func(p *Privacy) { p.TEAMDays = 100 },
	} {
		kept := o.Config.Privacy
		short(&o.Config.Privacy)
		if err := privacy.CheckKeepers(o.keepers()); err == nil {
			t.Errorf("%+v passes", o.Config.Privacy)
		}
		o.Config.Privacy = kept
	}
}

// The copy of one's data has the addresses, the certificates and what was kept
// with each act, the version of the notice among it; so has the PDF. Whoever is
// somebody else is not in it.
func TestTheCopyHoldsContactsAndActs(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	x, y := o.patient(t, 1), o.patient(t, 2)
	check(t, o.act(t, x)())
	ctx, today := t.Context(), civil.Today(o.hand)
	for who, email := range map[*patient]string{x: "dopo@posta.example", y: "altra@posta.example"} {
		check(t, o.db.Atomically(ctx, func(ctx context.Context) error { return o.book.Set(ctx, who.CF, email, words.English, false, "") }))
	}
	made, err := o.certificates.Issue(ctx, x.CF, "una", today, today.AddDays(9))
	check(t, err)
	check(t, o.db.Atomically(ctx, func(ctx context.Context) error {
		return o.db.Links().AddLink(ctx, counter.Link{Holder: y.CF, Representative: x.CF, Kind: counter.PresentGuardian, Since: o.hand.Now(), Protocol: "2026/0000099"})
	}))
	_, err = o.privacy.Ask(ctx, x.CF, privacy.Rectification, "il telefono è sbagliato")
	check(t, err)
	e, err := o.privacy.Export(ctx, x.CF)
	check(t, err)
	b, err := json.Marshal(e)
	check(t, err)
	pdf, err := o.printExport(ctx, e, words.Italian)
	check(t, err)
	file := filepath.Join(t.TempDir(), "dati.pdf")
	check(t, os.WriteFile(file, pdf, 0o600))
	out, err := exec.CommandContext(ctx, "pdftotext", "-layout", "-enc", "UTF-8", file, "-").CombinedOutput()
	check(t, err)
	// the paper breaks long lines and words
	flat := func(s string) string { return strings.Join(strings.Fields(s), "") }
	printed := flat(string(out))
	version := o.notice(o.hand.Now())
	for _, want := range []string{"dopo@posta.example", "mario@posta.example", made.ID, "CA00000AA", version, "2026/0000099", "il telefono è sbagliato"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the JSON lacks %s", want)
		}
		if !strings.Contains(printed, flat(want)) {
			t.Errorf("the PDF lacks %s", want)
		}
	}
	for _, never := range []string{"altra@posta.example", string(y.CF)} {
		if strings.Contains(string(b), never) || strings.Contains(printed, never) {
			t.Errorf("somebody else's %s is in the copy", never)
		}
	}
	var keys []string
	for _, s := range e.Sections {
		keys = append(keys, s.Key)
	}
	if want := []string{"registry", "cards", "acts", "contacts", "team", "extensions", "titles", "requests", "papers", "activity"}; !slices.Equal(keys, want) {
		t.Errorf("sections %v, want %v", keys, want)
	}
	given, err := o.given(ctx, x.CF)
	check(t, err)
	if len(given) != 1 || given[0].Version != version || given[0].Office != "ASL di prova" {
		t.Errorf("the notices handed over: %+v", given)
	}
}
