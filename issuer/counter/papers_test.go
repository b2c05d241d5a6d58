package counter_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/archive"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
)

// Each act asks for the papers that its rule archives, in its own transaction,
// and for no others: whoever stands there for himself shows his document, and no
// copy of it is asked for.
func TestR34_R69_R97_R98_R99_EachActAsksForItsPapers(t *testing.T) {
	var asked map[string][]archive.Kind
	bare := func(t *testing.T) *bench {
		t.Helper()
		b := newBench(t, storetest.SQLite(t))
		asked = map[string][]archive.Kind{}
		b.deps.Expect = func(_ context.Context, f archive.File, kinds ...archive.Kind) error {
			if f.Card == "" || f.Office == "" || f.Holder == "" {
				t.Errorf("a paper of nobody's: %+v", f)
			}
			asked[f.Protocol] = append(asked[f.Protocol], kinds...)
			return nil
		}
		var err error
		if b.Counter, err = counter.New(b.deps); err != nil {
			t.Fatal(err)
		}
		return b
	}
	desk := func(kind counter.ActKind, change func(*lifecycle.Card)) func(*testing.T, *bench) (counter.Act, error) {
		return func(t *testing.T, b *bench) (counter.Act, error) {
			b.issue(t, b.mario(t), number, change)
			return b.Do(t.Context(), b.operator(t, "op1", "asl1"), kind, b.order(t))
		}
	}
	active := func(c *lifecycle.Card) { c.State, c.ActivatedAt = lifecycle.Active, monday }
	for name, c := range map[string]struct {
		do   func(*testing.T, *bench) (counter.Act, error)
		want []archive.Kind
	}{
		"activation by the holder": {func(t *testing.T, b *bench) (counter.Act, error) { _, _, a := b.activated(t); return a, nil }, nil},
		"activation by a parent (R69)": {func(t *testing.T, b *bench) (counter.Act, error) {
			mother, child := b.family(t)
			return b.activateAs(t, child, forWard(t, mother))
		}, []archive.Kind{archive.Declaration}},
		"activation by delegate (R97-R99)": {func(t *testing.T, b *bench) (counter.Act, error) {
			who, p := b.enrol(somebody(t, "Verdi", "Lucia", "1985-02-02", codicefiscale.Female)), b.mario(t)
			b.issue(t, p, number, nil)
			return b.activateAs(t, p, byDelegate(t, who))
		}, []archive.Kind{archive.Delegation, archive.HolderDocument, archive.Document}},
		"a second parent (R69)": {func(t *testing.T, b *bench) (counter.Act, error) {
			_, father, _ := b.father(t)
			return b.Join(t.Context(), b.operator(t, "op1", "asl1"), b.joining(t, father))
		}, []archive.Kind{archive.Declaration}},
		"loss (R34)": {desk(counter.KindLoss, active), []archive.Kind{archive.Report}},
		"revocation": {desk(counter.KindRevoke, active), []archive.Kind{archive.Signed}},
		"not received": {desk(counter.KindNotReceived, func(c *lifecycle.Card) {
			c.State, c.DeliveredAt = lifecycle.Shipped, time.Time{}
		}), []archive.Kind{archive.Signed}},
		"withdrawal": {desk(counter.KindWithdrawal, func(c *lifecycle.Card) {
			c.State, c.Reason, c.EndedAt = lifecycle.Revoked, lifecycle.NotReceived, monday
		}), []archive.Kind{archive.Signed}},
		"suspension": {desk(counter.KindSuspend, active), nil},
		"chip fault": {desk(counter.KindChipFault, active), nil},
		"referral":   {desk(counter.KindReferral, active), nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := bare(t)
			a, err := c.do(t, b)
			if err != nil {
				t.Fatal(err)
			}
			if got := asked[a.Protocol]; !slices.Equal(got, c.want) {
				t.Errorf("asks for %v, want %v", got, c.want)
			}
			p, err := b.HolderOf(t.Context(), a.Protocol)
			if card := b.card(t, a.Card); err != nil || p != card.CF {
				t.Errorf("the act is %s's, %v, want %s", p, err, card.CF)
			}
		})
	}
	if p, err := bare(t).HolderOf(t.Context(), "1999/0000001"); err != nil || p != "" {
		t.Errorf("the holder of no act: %q, %v", p, err)
	}
}

// The delegation prepared in a draft asks for what an activation by delegate
// asks, save the papers that do not exist yet; it is no step, and what was ticked
// before it counts no more. A form is of one's own draft, and with a delegate.
func TestR95_R97_R98_TheDelegationIsPreparedInTheDraft(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	who := somebody(t, "Verdi", "Lucia", "1985-02-02", codicefiscale.Female)
	who.Email = "lucia@posta.example"
	b.enrol(who)
	p := b.mario(t)
	p.Email = "noto@posta.example"
	b.enrol(p)
	b.issue(t, p, number, nil)
	op := b.operator(t, "op1", "asl1")
	d, err := b.identify(t, "asl1", p, byDelegate(t, who)) // everything ticked: step 3 is due
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		with  func(*counter.IdentityStep)
		email string
		code  string
	}{
		"no health impediment (R95)": {func(s *counter.IdentityStep) { s.Representative.Health = false }, "", "CSE-121"},
		"an expired document (R97)":  {func(s *counter.IdentityStep) { s.Document.Expires = day(t, "2026-11-22") }, "", "CSE-110"},
		"the holder for himself":     {func(s *counter.IdentityStep) { s.Representative.CF = p.CF }, "", "CSE-414"},
		"an operator's own":          {func(s *counter.IdentityStep) { s.Representative.CF = op.CF }, "", "CSE-140"},
		"nobody":                     {func(s *counter.IdentityStep) { s.Representative = nil }, "", "CSE-121"},
		"no address":                 {func(*counter.IdentityStep) {}, "mario", "CSE-130"},
		"the delegate's (R98)":       {func(*counter.IdentityStep) {}, "Lucia@Posta.example", "CSE-419"},
	} {
		s := byDelegate(t, who)
		c.with(&s)
		_, err := b.Delegate(t.Context(), op, d.ID, d.Version, s, counter.ContactStep{Email: c.email})
		refused(t, name, err, c.code)
	}
	s := byDelegate(t, who)
	before := d.Version
	d, err = b.Delegate(t.Context(), op, d.ID, d.Version, s, counter.ContactStep{Email: "mario@posta.example", Lang: words.English})
	if err != nil || d.Done != 1 || d.Identity.Representative.Delegation || d.Identity.Representative.Copy || d.Contact.EmailAgain != "" || d.Contact.Consent {
		t.Fatalf("%+v, %v", d, err)
	}
	_, err = b.Delegate(t.Context(), op, d.ID, before, s, counter.ContactStep{})
	refused(t, "an older window", err, "CSE-149")
	x, err := b.DelegationOf(t.Context(), op, d.ID)
	if err != nil || x.Holder.CF != p.CF || x.Card.ID != number || x.Identity.Representative.CF != who.CF || x.Email != "mario@posta.example" || x.Lang != words.English {
		t.Errorf("%+v, %v", x, err)
	}
	if d, err = b.Delegate(t.Context(), op, d.ID, d.Version, s, counter.ContactStep{}); err != nil {
		t.Fatal(err)
	}
	if x, err := b.DelegationOf(t.Context(), op, d.ID); err != nil || x.Email != "" {
		t.Errorf("an address that nobody told: %q, %v", x.Email, err)
	}
	_, err = b.Contacts(t.Context(), op, d.ID, d.Version, goodContact())
	refused(t, "the form is no step", err, "CSE-148")
	b.entries = nil
	if err := b.DelegationPrinted(t.Context(), op, x); err != nil || len(b.entries) != 1 || b.entries[0].Act != "delegation.prepared" || b.entries[0].Person != string(p.CF) {
		t.Errorf("the trail says %+v, %v", b.entries, err)
	}
	_, err = b.DelegationOf(t.Context(), b.operator(t, "op2", "asl1"), d.ID)
	refused(t, "somebody else's draft", err, "CSE-145")
	if d, err = b.Identify(t.Context(), op, d.ID, d.Version, goodIdentity(t)); err != nil {
		t.Fatal(err)
	}
	_, err = b.DelegationOf(t.Context(), op, d.ID)
	refused(t, "the holder himself is there", err, "CSE-780")
}
