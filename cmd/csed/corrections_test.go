package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/campaign"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/pki/ca"
)

// decided is what account says to the only request that waits.
func decided(t *testing.T, p *Platform, account string, yes bool) error {
	t.Helper()
	op, err := p.directory.OperatorByAccount(account)
	check(t, err)
	list, err := p.approvals.Waiting(t.Context(), op)
	check(t, err)
	if len(list) != 1 {
		t.Fatalf("%d requests wait, want one", len(list))
	}
	return p.approvals.Decide(t.Context(), op, list[0].ID, list[0].Sum(), yes)
}

// R30: more corrections in one import than the rule allows wait for a second
// person: nothing of them is written before, everything else of the file is, and
// who ran the import does not approve them.
func TestR30_ManyCorrectionsWaitForASecondPerson(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.config.Correction.Alone = 2
	r.employ(t, "carlo", 1, staff.RoleOperations)
	r.employ(t, "marta", 2, staff.RoleSecurity)
	p := r.open(t, Options{}, "web")
	ctx := t.Context()
	var rows [][]string
	var who []codicefiscale.Code
	for _, row := range r.people[:4] {
		cf := codicefiscale.Code(row[0])
		who = append(who, cf)
		change := map[string]string{"cognome": "GIUSTO"}
		if len(who) == 4 {
			change = map[string]string{"email": "nuovo@posta.example"}
		}
		rows = append(rows, r.row(t, cf, change))
	}
	surname := func(n int) string {
		x, err := p.db.People().Get(ctx, who[n])
		check(t, err)
		return x.Surname
	}
	if _, _, err := p.importPeople(ctx, csvOf(t, rows...), "anna"); !errors.Is(err, words.Refuse("CSE-686")) {
		t.Errorf("by an operator of a counter: %v", err)
	}
	for n := range 2 { // the same file again asks nothing new
		_, found, err := p.importPeople(ctx, csvOf(t, rows...), "carlo")
		check(t, err)
		if found != (Corrections{Found: 3, Waiting: 3}) {
			t.Fatalf("import %d: %+v", n, found)
		}
	}
	if surname(0) == "GIUSTO" {
		t.Fatal("a correction was written before anybody approved it")
	}
	if x, err := p.db.People().Get(ctx, who[3]); err != nil || x.Email != "nuovo@posta.example" {
		t.Errorf("what is no correction waits too: %+v, %v", x, err)
	}
	if err := decided(t, p, "carlo", true); !errors.Is(err, words.Refuse("CSE-552")) {
		t.Errorf("approved by who imported: %v", err)
	}
	// A later file says otherwise about the third: what waited of him is void.
	rows[2] = r.row(t, who[2], nil)
	_, found, err := p.importPeople(ctx, csvOf(t, rows[2]), "carlo")
	check(t, err)
	if found.Found != 0 {
		t.Fatalf("%+v", found)
	}
	check(t, decided(t, p, "marta", true))
	if _, err := p.campaigns.Work(ctx); err != nil {
		t.Fatal(err)
	}
	if surname(0) != "GIUSTO" || surname(1) != "GIUSTO" || surname(2) == "GIUSTO" {
		t.Errorf("after the approval: %s %s %s", surname(0), surname(1), surname(2))
	}
	list, err := p.db.Campaigns().List(ctx, campaign.Correction, 10)
	check(t, err)
	counts, err := p.db.CampaignItems().Counts(ctx, list[0].ID)
	check(t, err)
	if len(list) != 1 || list[0].State != campaign.Ended || counts[campaign.Done] != 2 || counts[campaign.Superseded] != 1 {
		t.Errorf("%d campaigns, %+v %v", len(list), list[0], counts)
	}
	items, err := p.db.CampaignItems().Page(ctx, list[0].ID, "", "", 10)
	check(t, err)
	for _, i := range items {
		if len(i.Body) > 0 || strings.Contains(i.Key+i.Motive, string(who[0])) {
			t.Errorf("an item that is settled names somebody: %+v", i)
		}
	}
	// Few enough need nobody.
	if _, found, err := p.importPeople(ctx, csvOf(t, r.row(t, who[2], map[string]string{"nome": "SUBITO"})), ""); err != nil || found.Waiting != 0 {
		t.Errorf("%+v, %v", found, err)
	}
	if x, err := p.db.People().Get(ctx, who[2]); err != nil || x.Name != "SUBITO" {
		t.Errorf("%+v, %v", x, err)
	}
	clean(t, p)
}

// R30: the sixty days are a rule that can be set; a card keeps the one that was in
// force at its correction.
func TestR30_TheDaysOfTheOldCNSAreARule(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.config.Correction.CNSDays = 10
	p := r.open(t, Options{}, "web")
	before := card(t, p, r.active)
	imported(t, p, r.row(t, before.CF, map[string]string{"nome": "GIUSTO"}))
	next := card(t, p, card(t, p, r.active).ReplacedBy)
	next.State, next.ShippedAt = lifecycle.Shipped, r.clock.Now()
	put(t, p, next)
	for _, c := range []struct {
		days int
		want lifecycle.State
	}{{9, lifecycle.Active}, {2, lifecycle.Replaced}} {
		r.clock.Advance(time.Duration(c.days) * 24 * time.Hour)
		_, err := p.counter.Sweep(t.Context())
		check(t, err)
		if got := card(t, p, r.active); got.State != c.want || got.CorrectionDays != 10 {
			t.Errorf("%d days later: %s, %d", c.days, got.State, got.CorrectionDays)
		}
	}
}

// R30: when the Revenue Agency replaces a codice fiscale, the old CNS ends at
// once, its codice fiscale function with it, and a card with the new code is
// ordered, which follows the old one; twice changes nothing.
func TestR30_ReplacedCodiceFiscaleEndsTheCNSAtOnce(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	p := r.open(t, Options{}, "web")
	ctx := t.Context()
	before := card(t, p, r.active)
	who, err := p.db.People().Get(ctx, before.CF)
	check(t, err)
	now, err := codicefiscale.Compute(codicefiscale.Person{Surname: who.Surname, Name: who.Name, Born: who.Born.AddDays(1), Sex: codicefiscale.Sex(who.Sex), Belfiore: who.BirthPlace})
	check(t, err)
	list := fmt.Sprintf("vecchio;nuovo\n%s;%s\n", before.CF, now)
	for n := range 2 {
		found, err := p.recodePeople(ctx, strings.NewReader(list), "")
		check(t, err)
		if found.Found != 1-n || found.Waiting != 0 {
			t.Fatalf("time %d: %+v", n, found)
		}
	}
	old := card(t, p, r.active)
	if old.State != lifecycle.Revoked || old.Reason != lifecycle.CFChanged || old.ReplacedBy == "" {
		t.Fatalf("the old card: %+v", old)
	}
	next := card(t, p, old.ReplacedBy)
	if next.CF != now || next.Replaces != old.ID || next.State != lifecycle.Ordered {
		t.Errorf("the new card: %+v", next)
	}
	cert, err := p.authority.Get(ctx, before.CertSerial)
	if err != nil || cert.State != ca.Revoked || cert.Reason != 3 {
		t.Errorf("the certificate: %s %d, %v", cert.State, cert.Reason, err)
	}
	gone, err := p.db.People().Get(ctx, before.CF)
	check(t, err)
	fn := lifecycle.Functions(old, lifecycle.FactsOf(gone, old, []lifecycle.Card{old, next}), r.clock.Now())
	for _, f := range fn {
		if f.State == lifecycle.Valid {
			t.Errorf("%s of the old card is still valid", f.Name)
		}
	}
	if gone.AssistedOn(civil.Today(r.clock)) {
		t.Error("the old code is still assisted")
	}
	if heir, err := p.db.People().Get(ctx, now); err != nil || heir.Surname != who.Surname || !heir.AssistedOn(civil.Today(r.clock)) {
		t.Errorf("the new code: %+v, %v", heir, err)
	}
	if _, err := p.night(ctx); err != nil {
		t.Fatal(err)
	}
	if cards, err := p.db.Cards().ByPerson(ctx, now); err != nil || len(cards) != 1 {
		t.Errorf("after a night the new code has %d cards, %v", len(cards), err)
	}
	// The registry's file still has the old code: its row is refused, not obeyed.
	rep, err := p.ImportPeople(ctx, csvOf(t, r.row(t, before.CF, nil)))
	if err != nil || rep.Rejected != 1 || len(rep.Errors) != 1 || rep.Errors[0].Reason.Code != "CSE-682" || rep.Errors[0].Line != 2 {
		t.Errorf("%+v, %v", rep, err)
	}
	for _, bad := range []string{"vecchio;nuovo\n" + string(now) + ";" + string(now), "a;b\n", "vecchio;nuovo\nX;Y", "vecchio,nuovo\n" + string(now) + "," + string(now[:15]) + "?"} {
		if _, err := p.recodePeople(ctx, strings.NewReader(bad), ""); !errors.Is(err, words.Refuse("CSE-684")) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	other, err := codicefiscale.Compute(codicefiscale.Person{Surname: "Ignoto", Name: "Mai", Born: who.Born, Sex: "M", Belfiore: "D612"})
	check(t, err)
	if _, err := p.recodePeople(ctx, strings.NewReader("vecchio;nuovo\n"+string(other)+";"+string(now)), ""); !errors.Is(err, words.Refuse("CSE-681")) {
		t.Errorf("unknown: %v", err)
	}
	clean(t, p)
}

// R30: somebody whom the registry sent with the new code first has one card, not two.
func TestR30_ReplacedCodeThatHasACardAlready(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	p := r.open(t, Options{}, "web")
	ctx := t.Context()
	before := card(t, p, r.active)
	row := r.row(t, before.CF, nil)
	who, err := p.db.People().Get(ctx, before.CF)
	check(t, err)
	now, err := codicefiscale.Compute(codicefiscale.Person{Surname: who.Surname, Name: who.Name, Born: who.Born.AddDays(1), Sex: codicefiscale.Sex(who.Sex), Belfiore: who.BirthPlace})
	check(t, err)
	row[0] = string(now)
	imported(t, p, row)
	if _, err := p.night(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := p.recodePeople(ctx, strings.NewReader(fmt.Sprintf("vecchio;nuovo\n%s;%s\n", before.CF, now)), ""); err != nil {
		t.Fatal(err)
	}
	cards, err := p.db.Cards().ByPerson(ctx, now)
	check(t, err)
	if len(cards) != 1 || cards[0].Replaces != before.ID || card(t, p, before.ID).ReplacedBy != cards[0].ID {
		t.Errorf("%+v", cards)
	}
	clean(t, p)
}
