package ca_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/status"
)

// Who issues changes while others issue: nothing fails, every certificate verifies
// with the authority that it names, and after the change the new one's come.
func TestRotationWhileIssuing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		p := catest.Several(t, db, db.PKI(), "due")
		ctx := t.Context()
		var wg sync.WaitGroup
		results := make([][]ca.Result, 4)
		requests := make([][]ca.Request, 4)
		for i := range requests {
			for n := range 8 {
				requests[i] = append(requests[i], catest.Request(t, 100*i+n))
			}
		}
		for i := range results {
			wg.Go(func() {
				for _, q := range requests[i] {
					results[i] = append(results[i], p.IssueBatch(ctx, []ca.Request{q})...)
				}
			})
		}
		check(t, p.Rotate(ctx, "test", "due"))
		after, err := p.Issue(ctx, catest.Request(t, 999))
		check(t, err)
		check(t, after.CheckSignatureFrom(p.Materials[1].Issuing))
		wg.Wait()
		for _, r := range slices.Concat(results...) {
			check(t, r.Err)
			of := p.Materials[0]
			if r.Certificate.Issuer.String() == p.Materials[1].Issuing.Subject.String() {
				of = p.Materials[1]
			}
			check(t, r.Certificate.CheckSignatureFrom(of.Issuing))
			rec, err := p.Get(ctx, ca.SerialOf(r.Certificate))
			if err != nil || rec.Issuer != ca.IssuerID(of.Issuing) {
				t.Errorf("%s is on record as issued by %s (%v)", rec.Serial, rec.Issuer, err)
			}
		}
		if got := p.Journal.Acts(""); !slices.Contains(got, "authority.rotated") {
			t.Errorf("journal of no card: %v", got)
		}
	})
}

// An authority takes its turn only if it is known, here with its key, safe, and
// lasts as long as a certificate may have to.
func TestRotateRefuses(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	p := catest.Several(t, db, db.PKI(), "due", "tre")
	ctx := t.Context()
	is := func(label, want string) {
		t.Helper()
		if err := p.Rotate(ctx, "test", label); code(err) != want {
			t.Errorf("rotate to %s: %v, want %q", label, err, want)
		}
	}
	is("nessuna", "CSE-925")
	check(t, p.Join(ca.Member{Label: "tre", Certificate: p.Materials[2].Issuing}))
	is("tre", "CSE-929")
	is("issuing", "")
	check(t, p.Compromise(ctx, "test", "due", "", ca.KeyCompromise))
	is("due", "CSE-926")
	other := catest.Several(t, storetest.SQLite(t), db.PKI())
	if m, _ := other.Current(); other.Know(ctx, ca.Member{Label: "due", Certificate: m.Certificate}) == nil {
		t.Error("a label that another key has was kept")
	}

	// Twelve years last for a six-year certificate during six of them.
	db2 := storetest.SQLite(t)
	y := catest.Several(t, db2, db2.PKI(), "due")
	y.Hand.Set(y.Materials[1].Issuing.NotAfter.AddDate(-6, 0, 1))
	if err := y.Rotate(ctx, "test", "due"); code(err) != "CSE-929" {
		t.Errorf("an authority with less than six years left: %v", err)
	}
	y.Hand.Set(y.Materials[1].Issuing.NotAfter.AddDate(-6, 0, -1))
	check(t, y.Rotate(ctx, "test", "due"))
}

// A key declared unsafe: nothing it issued is good or can be moved but to its
// revocation, it issues and finishes nothing, and the turn is another's.
func TestCompromise(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		p := catest.Several(t, db, db.PKI(), "due")
		ctx := t.Context()
		var serials []string
		for n := range 3 {
			c, err := p.Issue(ctx, catest.Request(t, n))
			check(t, err)
			serials = append(serials, ca.SerialOf(c))
		}
		check(t, p.Activate(ctx, serials[0]))
		check(t, p.Activate(ctx, serials[1]))
		check(t, p.Hold(ctx, serials[1]))
		if err := p.Compromise(ctx, "test", "issuing", "", ca.KeyCompromise); code(err) != "CSE-931" {
			t.Fatalf("the current authority, and none after it: %v", err)
		}
		before := p.Members()[0].Authority
		check(t, p.Compromise(ctx, "test", "issuing", "due", ca.KeyCompromise))
		check(t, p.Compromise(ctx, "test", "issuing", "due", ca.KeyCompromise)) // again: nothing more
		c, err := p.Issue(ctx, catest.Request(t, 9))
		check(t, err)
		check(t, c.CheckSignatureFrom(p.Materials[1].Issuing))
		if _, err := before.Issue(ctx, catest.Request(t, 10)); code(err) != "CSE-926" {
			t.Errorf("the unsafe authority still issues: %v", err)
		}
		id := ca.IssuerID(p.Materials[0].Issuing)
		for n, s := range serials {
			st, err := db.PKI().Standing(ctx, id, s)
			if err != nil || !st.Known || !st.Revoked || st.Reason != ca.CACompromise {
				t.Errorf("certificate %d: %+v (%v)", n, st, err)
			}
		}
		for name, err := range map[string]error{
			"activate": p.Activate(ctx, serials[2]), "hold": p.Hold(ctx, serials[0]), "release": p.Release(ctx, serials[1]),
		} {
			if code(err) != "CSE-926" {
				t.Errorf("%s: %v", name, err)
			}
		}
		n, err := p.Leftovers(ctx, id, func(ctx context.Context, r ca.Record) error { return p.Revoke(ctx, r.Serial, ca.CACompromise) })
		if err != nil || n != 3 {
			t.Errorf("%d ended (%v)", n, err)
		}
		var listed []status.Entry
		check(t, db.PKI().Listed(ctx, id, 0, catest.Start, func(e status.Entry) error { listed = append(listed, e); return nil }))
		for _, e := range listed {
			if e.Reason != ca.CACompromise {
				t.Errorf("listed with reason %d", e.Reason)
			}
		}
		if len(listed) != 3 {
			t.Errorf("%d listed", len(listed))
		}
		if _, err := p.Leftovers(ctx, ca.IssuerID(p.Materials[1].Issuing), nil); err == nil {
			t.Error("what a safe authority issued was ended")
		}
		if d := cmp.Diff([]string{"authority.known", "authority.rotated", "authority.revoked"}, p.Journal.Acts("")); d != "" {
			t.Error(d)
		}
	})
}

// What was reserved under the unsafe key is never signed.
func TestCompromiseVoidsReservations(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	p := catest.Several(t, db, db.PKI(), "due")
	ctx := t.Context()
	k := &killed{Store: db.PKI(), left: 1}
	dying := catest.New(t, db, k)
	q := catest.Request(t, 1)
	if _, err := dying.Issue(ctx, q); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	check(t, p.Compromise(ctx, "test", "issuing", "due", ca.KeyCompromise))
	if _, err := p.Issue(ctx, q); code(err) != "CSE-926" {
		t.Errorf("a reservation of the unsafe authority: %v", err)
	}
	got, err := p.Recover(ctx)
	if d := cmp.Diff(ca.Recovered{Voided: 1}, got); d != "" || err != nil {
		t.Fatal(d, err)
	}
	c, err := p.Issue(ctx, q)
	check(t, err)
	check(t, c.CheckSignatureFrom(p.Materials[1].Issuing))
}

// No certificate is signed while the clock stands before the newest one, by any
// authority and after a new start; a second or two between machines is no matter.
func TestClockGoesBackwards(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		p := catest.Several(t, db, db.PKI(), "due")
		ctx := t.Context()
		p.Hand.Advance(time.Hour)
		first := catest.Request(t, 1)
		first.Expires = civil.DayOf(catest.Start).AddYears(1)
		old, err := p.Issue(ctx, first)
		check(t, err)
		check(t, p.Activate(ctx, ca.SerialOf(old)))
		k := &killed{Store: db.PKI(), left: 1}
		dying := catest.New(t, db, k)
		dying.Hand.Advance(time.Hour)
		if _, err := dying.Issue(ctx, catest.Request(t, 2)); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		check(t, p.Rotate(ctx, "test", "due"))
		refuses := func(want string) {
			t.Helper()
			again := catest.New(t, db, db.PKI()) // a process that has just begun
			again.Hand.Set(p.Hand.Now())
			_, alone := again.Issue(ctx, catest.Request(t, 3))
			_, issue := p.Issue(ctx, catest.Request(t, 4))
			_, extend := p.Extend(ctx, ca.Extension{Serial: ca.SerialOf(old), Until: civil.DayOf(catest.Start).AddYears(5), Room: 4000})
			_, recover := p.Recover(ctx)
			for name, err := range map[string]error{"issue alone": alone, "issue": issue, "extend": extend, "recover": recover, "readiness": p.Forward(ctx)} {
				if got := code(err); got != want && !(want == "" && err == nil) {
					t.Errorf("%s at %s: %v, want %q", name, p.Hand.Now(), err, want)
				}
			}
		}
		p.Hand.Advance(-ca.ClockTolerance - time.Second)
		refuses("CSE-927")
		n, err := db.PKI().Count(ctx)
		check(t, err)
		if d := cmp.Diff(map[ca.State]int{ca.Good: 1, ca.Reserved: 1}, n); d != "" {
			t.Errorf("something was signed: %s", d)
		}
		p.Hand.Advance(2 * time.Second)
		refuses("")
		if at, err := db.PKI().Signed(ctx); err != nil || !at.Equal(catest.Start.Add(time.Hour)) {
			t.Errorf("newest signature %s (%v): it went back", at, err)
		}
	})
}
