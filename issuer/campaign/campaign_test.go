package campaign_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/campaign"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

var (
	noon  = time.Date(2026, 10, 3, 11, 0, 0, 0, time.UTC)
	today = civil.DayOf(noon)
	errUp = errors.New("killed")
)

// bench is a room on a real store, with a clerk and a counter that only count.
type bench struct {
	*campaign.Room
	db        *store.DB
	clock     *civil.Hand
	approvals *approval.Room
	eyes      *staff.Directory
	cards     []lifecycle.Card
	idle      map[string]bool   // cards that a new one would not outlast
	issuers   map[string]string // of those that are not "own"
	// renewed and recalled count what was done to each card; failing answers a
	// fault; die is the act at which the machine is killed.
	renewed, recalled map[string]int
	failing           string
	acts, die         int
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newBench has n cards of as many people, which expire one day after another.
func newBench(t *testing.T, db *store.DB, n, free int) *bench {
	t.Helper()
	b := &bench{db: db, clock: civil.NewHand(noon), renewed: map[string]int{}, recalled: map[string]int{}}
	check(t, db.Atomically(t.Context(), func(ctx context.Context) error {
		for i := range n {
			if err := b.add(ctx, i); err != nil {
				return err
			}
		}
		return nil
	}))
	directory(t, b)
	atomically := func(ctx context.Context, act func(context.Context) error) error {
		b.acts++
		return db.Atomically(ctx, func(ctx context.Context) error {
			if err := act(ctx); err != nil || b.acts != b.die {
				return err
			}
			return errUp
		})
	}
	var err error
	b.Room, err = campaign.New(campaign.Deps{
		Store: db.Campaigns(), Items: db.CampaignItems(), Cards: db.Cards(), Person: db.People().Get, Renew: b.renew,
		Longer:  func(_ context.Context, c lifecycle.Card) (bool, error) { return !b.idle[c.ID], nil },
		Recall:  b.recall,
		Correct: func(_ context.Context, _ campaign.Campaign, i campaign.Item) (campaign.Item, error) { return i, nil },
		IssuerOf: func(_ context.Context, c lifecycle.Card) (string, error) {
			return cmp.Or(c.Issuer, b.issuers[c.ID], "own"), nil
		},
		Free:       func(context.Context, campaign.Kind) (int, error) { return free, nil },
		Atomically: atomically, Record: func(context.Context, journal.Entry) error { return nil }, Clock: b.clock,
	})
	check(t, err)
	b.approvals, err = approval.New(approval.Deps{
		Store: db.Approvals(), Kinds: b.ApprovalKinds(), Directory: b.eyes, Atomically: db.Atomically,
		Record: func(context.Context, journal.Entry) error { return nil }, Clock: b.clock,
	})
	check(t, err)
	b.Approvals = b.approvals
	return b
}

func directory(t *testing.T, b *bench) {
	t.Helper()
	c := staff.Config{Offices: []staff.Office{{ID: "x", Type: staff.URP, Name: "x", Comune: "D612"}}}
	for i, role := range []staff.Role{staff.RoleOperations, staff.RoleOperations, staff.RoleSecurity, staff.RoleSupervisor} {
		cf, err := codicefiscale.Compute(codicefiscale.Person{Surname: "Prove", Name: "Uno", Born: civil.Date{Year: 1970 + i, Month: 4, Day: 1}, Sex: "M", Belfiore: "D612"})
		check(t, err)
		c.Operators = append(c.Operators, staff.Account{Account: fmt.Sprintf("op%d", i), Name: "x", CF: string(cf), Roles: []staff.Role{role}, Offices: []string{"x"}, OwnCNS: true})
	}
	var err error
	b.eyes, err = staff.NewDirectory(c)
	check(t, err)
}

func (b *bench) op(t *testing.T, n int) staff.Operator {
	t.Helper()
	op, err := b.eyes.OperatorByAccount(fmt.Sprintf("op%d", n))
	check(t, err)
	return op
}

func (b *bench) add(ctx context.Context, i int) error {
	p := registry.Person{
		Surname: "ROSSI", Name: "MARIO", Born: civil.Date{Year: 1950 + i, Month: 3, Day: 1}, Sex: "M", BirthPlace: "D612", Citizenship: "IT",
		Residence: []string{"D612", "G999"}[i%2], ASL: []string{"201", "203"}[i%2], AssistedFrom: today.AddYears(-10),
	}
	var err error
	if p.CF, err = codicefiscale.Compute(codicefiscale.Person{Surname: p.Surname, Name: p.Name, Born: p.Born, Sex: "M", Belfiore: "D612"}); err != nil {
		return err
	}
	if _, err := b.db.People().Put(ctx, p); err != nil {
		return err
	}
	id, err := cns.NewCardID("6090", uint64(i+1), 0)
	if err != nil {
		return err
	}
	c, err := b.db.Cards().Put(ctx, lifecycle.Card{
		ID: string(id), TEAM: id.TEAM(), CF: p.CF, Model: lifecycle.TSCNS, State: lifecycle.Active, Batch: fmt.Sprintf("lot%d", i%3), CertSerial: fmt.Sprintf("%032x", i+1),
		Issued: today.AddYears(-6).AddDays(i), Expires: today.AddDays(i), OrderedAt: noon.AddDate(-6, 0, 0), ShippedAt: noon.AddDate(-6, 0, 1),
	})
	b.cards = append(b.cards, c)
	return err
}

func (b *bench) renew(ctx context.Context, old lifecycle.Card, _ production.Chip) (lifecycle.Card, bool, error) {
	if old.ID == b.failing {
		return lifecycle.Card{}, false, words.Refuse("CSE-139")
	}
	if old.ReplacedBy != "" {
		return lifecycle.Card{ID: old.ReplacedBy}, false, nil
	}
	old.ReplacedBy = "next" + old.ID
	_, err := b.db.Cards().Put(ctx, old)
	b.renewed[old.ID]++
	return lifecycle.Card{ID: old.ReplacedBy}, true, err
}

func (b *bench) recall(ctx context.Context, id string, why lifecycle.Reason, _ int) (string, bool, error) {
	c, err := b.db.Cards().Get(ctx, id)
	if err != nil || c.State.Final() {
		return "", false, err
	}
	if c, err = lifecycle.Move(c, lifecycle.Revoke, why, noon); err != nil {
		return "", false, err
	}
	_, err = b.db.Cards().Put(ctx, c)
	b.recalled[id]++
	return "next", true, err
}

func (b *bench) counts(t *testing.T, id string) map[campaign.ItemState]int {
	t.Helper()
	v, err := b.View(t.Context(), b.op(t, 0), id)
	check(t, err)
	if !v.Balanced() {
		t.Errorf("the counts %v do not make %d", v.Counts, v.Total)
	}
	return v.Counts
}

func is(t *testing.T, what string, err error, code string) {
	t.Helper()
	if code == "" && err != nil || code != "" && !errors.Is(err, words.Refuse(code)) {
		t.Errorf("%s: %v, want %q", what, err, code)
	}
}

// R22, R23: a campaign by name and criteria; the preview says how the list came
// about, and the same name with the same criteria is the same campaign.
func TestR22_R23_CriteriaPreviewAndName(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db, 12, 100)
		ctx, op := t.Context(), b.op(t, 0)
		c, err := b.NewRenewal(ctx, op, " Rinnovo  2021-22 ", campaign.Criteria{From: today.AddDays(2), Until: today.AddDays(9), ASL: "203"})
		check(t, err)
		if c.Name != "Rinnovo 2021-22" || c.Total != 4 || c.Preview.Looked != 8 || c.Preview.Elsewhere != 4 || c.Preview.Left() != c.Total || c.Preview.ASL["203"] != 4 {
			t.Errorf("%+v", c)
		}
		// A card that a new one would not outlast is counted, and left out.
		cards, err := db.Cards().ByState(ctx, lifecycle.Active, "", 100)
		check(t, err)
		b.idle = map[string]bool{}
		for _, x := range cards {
			b.idle[x.ID] = true
		}
		other, err := b.NewRenewal(ctx, op, "Nessuna", campaign.Criteria{Until: today.AddDays(400)})
		if words.FaultOf(err) == nil && (other.Preview.NotLonger == 0 || other.Preview.Left() != other.Total) || err != nil && words.FaultOf(err).Code != "CSE-633" {
			t.Errorf("%+v, %v", other.Preview, err)
		}
		b.idle = nil
		again, err := b.NewRenewal(ctx, op, "Rinnovo 2021-22", campaign.Criteria{From: today.AddDays(2), Until: today.AddDays(9), ASL: "203"})
		if err != nil || again.ID != c.ID {
			t.Errorf("again: %+v, %v", again, err)
		}
		for what, x := range map[string]struct {
			name string
			c    campaign.Criteria
			code string
			by   int
		}{
			"another list":   {"Rinnovo 2021-22", campaign.Criteria{Until: today.AddDays(9)}, "CSE-632", 0},
			"no name":        {"x", campaign.Criteria{Until: today.AddDays(9)}, "CSE-631", 0},
			"past":           {"Ieri", campaign.Criteria{Until: today.AddDays(-1)}, "CSE-634", 0},
			"order":          {"Ordine", campaign.Criteria{From: today.AddDays(5), Until: today.AddDays(4)}, "CSE-634", 0},
			"nobody":         {"Nessuno", campaign.Criteria{Until: today.AddDays(9), ASL: "999"}, "CSE-633", 0},
			"not operations": {"Suo", campaign.Criteria{Until: today.AddDays(9)}, "CSE-003", 2},
		} {
			_, err := b.NewRenewal(ctx, b.op(t, x.by), x.name, x.c)
			is(t, what, err, x.code)
		}
		// Small enough: no second person; done once, and the counts make the total.
		c, err = b.Start(ctx, op, c.ID, "")
		if err != nil || c.State != campaign.Running {
			t.Fatalf("%+v, %v", c, err)
		}
		b.failing = b.cards[3].ID
		for range 2 {
			_, err = b.Work(ctx)
			check(t, err)
		}
		if got := b.counts(t, c.ID); got[campaign.Done] != 3 || got[campaign.Failed] != 1 || len(b.renewed) != 3 {
			t.Errorf("%v, %v", got, b.renewed)
		}
		if v, err := b.View(ctx, op, c.ID); err != nil || v.State != campaign.Ended || v.Items[0].Outcome != "CSE-139" {
			t.Errorf("%+v, %v", v, err)
		}
		_, err = b.Start(ctx, op, c.ID, "")
		is(t, "again", err, "CSE-635")
	})
}

// Whenever the machine is killed, choosing and working go on where they were, and
// every card is done exactly once.
func TestR22_R35_KilledAndContinued(t *testing.T) {
	for _, kind := range []campaign.Kind{campaign.Renewal, campaign.Revocation} {
		for die := 1; die <= 14; die++ {
			b := newBench(t, storetest.SQLite(t), 6, 100)
			b.die = die
			ctx := context.WithoutCancel(t.Context())
			step := func(f func() error) {
				for {
					if err := f(); !errors.Is(err, errUp) {
						check(t, err)
						return
					}
				}
			}
			var c campaign.Campaign
			step(func() (err error) {
				if kind == campaign.Renewal {
					c, err = b.NewRenewal(ctx, b.op(t, 0), "Tutte", campaign.Criteria{Until: today.AddDays(30)})
				} else {
					c, err = b.NewRevocation(ctx, b.op(t, 0), "Tutte", campaign.Criteria{IssuedFrom: today.AddYears(-7), Motive: campaign.WeakKey})
				}
				return err
			})
			step(func() error {
				now, err := db(b).Get(ctx, c.ID)
				if err != nil || now.State != campaign.Draft {
					return err
				}
				_, err = b.Start(ctx, b.op(t, 0), c.ID, "avviso del produttore")
				return err
			})
			if kind == campaign.Revocation {
				b.agree(t, 2, c.ID)
			}
			step(func() error { _, err := b.Work(ctx); return err })
			done, n := b.renewed, 0
			if kind == campaign.Revocation {
				done = b.recalled
			}
			for _, x := range b.cards {
				now, err := b.db.Cards().Get(ctx, x.ID)
				check(t, err)
				if (kind == campaign.Renewal) == (now.ReplacedBy == "") || (kind == campaign.Revocation) != now.State.Final() {
					t.Errorf("%s killed in act %d: %+v", kind, die, now)
				}
				n += done[x.ID] // a killed act counts here and is undone there
			}
			if n < len(b.cards) || n > len(b.cards)+1 {
				t.Errorf("%s killed in act %d: %d cards were worked on", kind, die, n)
			}
			if got := b.counts(t, c.ID); got[campaign.Done] != len(b.cards) {
				t.Errorf("%s killed in act %d: %v", kind, die, got)
			}
		}
	}
}

func db(b *bench) *store.CampaignStore { return b.db.Campaigns() }

// agree lets an operator approve the campaign.
func (b *bench) agree(t *testing.T, who int, id string) {
	t.Helper()
	q, err := b.approvals.Last(t.Context(), campaign.ApprovalKind(campaign.Revocation), id)
	check(t, err)
	check(t, b.approvals.Decide(context.WithoutCancel(t.Context()), b.op(t, who), q.ID, q.Sum(), true))
}

// A bulk revocation needs a second person whatever its size, who approves exactly
// the list that was asked, in time; a changed list, the asker, another role and a
// request that ran out are refused.
func TestBulkRevocationNeedsFourEyes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db, 6, 100)
		ctx := context.WithoutCancel(t.Context())
		list := "numero_tessera;motivo\n" + b.cards[0].ID + ";weak-key\n" + b.cards[1].ID + ";lost-shipment\n" + string(mustID(t, 900)) + ";weak-key\n"
		c, err := b.NewRevocationOf(ctx, b.op(t, 0), "Due tessere", list)
		check(t, err)
		if c.Total != 2 || c.Preview.Unknown != 1 || c.Preview.Looked != 3 {
			t.Errorf("%+v", c.Preview)
		}
		c, err = b.Start(ctx, b.op(t, 0), c.ID, "avviso del produttore")
		if err != nil || c.State != campaign.Asked {
			t.Fatalf("%+v, %v", c, err)
		}
		if n, err := b.Work(ctx); n != 0 || err != nil || len(b.recalled) != 0 {
			t.Fatal("it began without a second person")
		}
		last := func() approval.Request {
			q, err := b.approvals.Last(ctx, campaign.ApprovalKind(campaign.Revocation), c.ID)
			check(t, err)
			return q
		}
		q := last()
		is(t, "who asked", b.approvals.Decide(ctx, b.op(t, 0), q.ID, q.Sum(), true), "CSE-552")
		is(t, "a supervisor", b.approvals.Decide(ctx, b.op(t, 3), q.ID, q.Sum(), true), "CSE-555")
		is(t, "another content", b.approvals.Decide(ctx, b.op(t, 2), q.ID, "00", true), "CSE-554")
		// Somebody slips a card into the list after it was asked.
		slip := campaign.Item{Campaign: c.ID, Key: b.cards[5].ID, Motive: "weak-key", State: campaign.Waiting}
		check(t, db.Atomically(ctx, func(ctx context.Context) error { return db.CampaignItems().Add(ctx, slip) }))
		is(t, "a changed list", b.approvals.Decide(ctx, b.op(t, 2), q.ID, q.Sum(), true), "CSE-636")
		// Run out: asked again, approved, done.
		d, err := b.NewRevocationOf(ctx, b.op(t, 0), "Altre due", list)
		check(t, err)
		c = d
		_, err = b.Start(ctx, b.op(t, 0), c.ID, "avviso del produttore")
		check(t, err)
		q = last()
		b.clock.Advance(73 * time.Hour)
		is(t, "run out", b.approvals.Decide(ctx, b.op(t, 2), q.ID, q.Sum(), true), "CSE-553")
		if v, err := b.View(ctx, b.op(t, 2), c.ID); err != nil || !v.Lapsed {
			t.Errorf("%+v, %v", v, err)
		}
		_, err = b.Start(ctx, b.op(t, 0), c.ID, "avviso del produttore")
		check(t, err)
		q = last()
		check(t, b.approvals.Decide(ctx, b.op(t, 2), q.ID, q.Sum(), true))
		// Stopped, nothing happens; on again, it is done.
		check(t, b.Stop(ctx, b.op(t, 1), c.ID))
		if n, err := b.Work(ctx); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		_, err = b.Start(ctx, b.op(t, 1), c.ID, "")
		check(t, err)
		_, err = b.Work(ctx)
		check(t, err)
		if got := b.counts(t, c.ID); got[campaign.Done] != 2 || len(b.recalled) != 2 {
			t.Errorf("%v %v", got, b.recalled)
		}
		one, err := db.Cards().Get(ctx, b.cards[0].ID)
		check(t, err)
		two, err := db.Cards().Get(ctx, b.cards[1].ID)
		if err != nil || one.Reason != lifecycle.KeyCompromise || two.Reason != lifecycle.NotReceived {
			t.Errorf("%s %s, %v", one.Reason, two.Reason, err)
		}
	})
}

func mustID(t *testing.T, n uint64) cns.CardID {
	t.Helper()
	id, err := cns.NewCardID("6090", n, 0)
	check(t, err)
	return id
}

// By lot, by authority and by days of issue.
func TestBulkRevocationByCriteria(t *testing.T) {
	b := newBench(t, storetest.SQLite(t), 9, 0)
	ctx := t.Context()
	for n, x := range []struct {
		c    campaign.Criteria
		want int
		code string
	}{
		{campaign.Criteria{Batch: "lot1", Motive: campaign.FaultyLot}, 3, ""},
		{campaign.Criteria{Issuer: "own", Motive: campaign.IssuerKey}, 9, ""},
		{campaign.Criteria{Issuer: "another", Motive: campaign.IssuerKey}, 0, "CSE-633"},
		{campaign.Criteria{IssuedFrom: today.AddYears(-6), IssuedUntil: today.AddYears(-6).AddDays(4), Motive: campaign.WeakKey}, 5, ""},
		{campaign.Criteria{Batch: "lot2", IssuedFrom: today.AddYears(-6).AddDays(5), Motive: campaign.WeakKey}, 2, ""},
		{campaign.Criteria{Motive: campaign.WeakKey}, 0, "CSE-688"},
		{campaign.Criteria{Batch: "lot1", Motive: "because"}, 0, "CSE-638"},
		{campaign.Criteria{IssuedFrom: today, IssuedUntil: today.AddDays(-1), Motive: campaign.WeakKey}, 0, "CSE-634"},
	} {
		c, err := b.NewRevocation(ctx, b.op(t, 2), fmt.Sprintf("Prova %d", n), x.c)
		is(t, c.Name, err, x.code)
		if c.Total != x.want && x.code == "" {
			t.Errorf("%+v: %d cards, want %d", x.c, c.Total, x.want)
		}
	}
}

// A list with one wrong line chooses nothing.
func TestListsRefused(t *testing.T) {
	id := string(mustID(t, 7))
	for what, list := range map[string]string{
		"no header":      id + ";weak-key\n",
		"check digit":    "numero_tessera;motivo\n" + id[:15] + "x;weak-key\n",
		"motive":         "numero_tessera;motivo\n" + id + ";perché\n",
		"twice":          "numero_tessera;motivo\n" + id + ";weak-key\n" + id + ";weak-key\n",
		"three columns":  "numero_tessera;motivo\n" + id + ";weak-key;x\n",
		"quotes":         "numero_tessera;motivo\n\"" + id + ";weak-key\n",
		"nothing at all": "",
	} {
		if _, err := campaign.ParseList(list); !errors.Is(err, words.Refuse("CSE-637")) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, list := range []string{"numero_tessera,motivo\n" + id + ",weak-key", "\uFEFFnumero_tessera;motivo\r\n" + id[:8] + " " + id[8:] + "; weak-key\r\n"} {
		if got, err := campaign.ParseList(list); err != nil || len(got) != 1 || got[0].Card != id {
			t.Errorf("%q: %v, %v", list, got, err)
		}
	}
}
