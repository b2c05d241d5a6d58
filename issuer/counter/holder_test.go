package counter_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cse.example/cse/issuer/throttle"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/registry"
)

func (b *bench) revoke(t *testing.T, which string, cip secret.Text, source string) (counter.Receipt, error) {
	t.Helper()
	return b.RevokeWithCIP(t.Context(), which, cip, source, words.Italian)
}

func TestRevokeWithCIP(t *testing.T) {
	for name, which := range map[string]func(p registry.Person) string{
		"by card number":       func(registry.Person) string { return number },
		"by codice fiscale":    func(p registry.Person) string { return string(p.CF) },
		"as people type":       func(p registry.Person) string { return " " + strings.ToLower(string(p.CF)) },
		"in groups of four":    func(registry.Person) string { return "6090 0000 0000 0123" },
		"as a scanner does it": func(p registry.Person) string { return "*" + string(p.CF) + "*" },
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				b := newBench(t, db)
				_, p, _ := b.activated(t)
				r, err := b.revoke(t, which(p), b.codes[number].CIP, "192.0.2.1")
				if err != nil {
					t.Fatal(err)
				}
				b.checkRevoked(t, r)
				b.clock.Advance(time.Hour)
				_, err = b.revoke(t, number, b.codes[number].CIP, "192.0.2.1")
				refused(t, "a second time", err, "CSE-405")
			})
		})
	}
}

// checkRevoked: card, certificate, codes, journal and notice all say it.
func (b *bench) checkRevoked(t *testing.T, r counter.Receipt) {
	t.Helper()
	if r.Protocol != "2026/0000002" || r.Card != number || !r.At.Equal(monday) {
		t.Errorf("receipt %+v", r)
	}
	if c := b.card(t, number); c.State != lifecycle.Revoked || c.Reason != lifecycle.ByHolder {
		t.Errorf("the card is %s because %s", c.State, c.Reason)
	}
	if b.certs["ab"+number] != "revoked 5" {
		t.Errorf("the certificate: %v", b.certs)
	}
	if _, err := b.first.FirstHalves(t.Context(), number); !errors.Is(err, codes.ErrNone) {
		t.Errorf("the codes are still there: %v", err)
	}
	e := b.entries[len(b.entries)-1]
	if e.Act != "card.revoked" || e.Actor != "holder" || e.Card != number || e.Detail["reason"] != "holder" {
		t.Errorf("entry %+v", e)
	}
	var n counter.Notice
	if err := json.Unmarshal(b.effects["mail.notice/revoked/"+r.Protocol].Body, &n); err != nil || n.To != "Mario.Rossi@posta.example" {
		t.Errorf("notice %+v, %v", n, err)
	}
}

// A revocation does not depend on the registry: somebody who left it meanwhile
// can still end his card, and is told at the address he gave.
func TestRevokeWithoutRegistry(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	_, p, _ := b.activated(t)
	delete(b.people, p.CF)
	r, err := b.revoke(t, number, b.codes[number].CIP, "x")
	if err != nil {
		t.Fatal(err)
	}
	if e := b.effects["mail.notice/revoked/"+r.Protocol]; !strings.Contains(string(e.Body), "Mario.Rossi@posta.example") {
		t.Errorf("the notice: %s", e.Body)
	}
}

// Half a CIP, halves in the wrong order, another card's: all wrong.
func TestWrongCIPs(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	b.activated(t)
	other := b.enrol(somebody(t, "Verdi", "Luca", "1970-07-07", "M"))
	b.issue(t, other, "6090000000000016", func(c *lifecycle.Card) { c.State = lifecycle.Active })
	cip := b.codes[number].CIP.Reveal()
	for name, wrong := range map[string][]byte{
		"first half": cip[:5], "second half": cip[5:], "another card's": b.codes["6090000000000016"].CIP.Reveal(), "none": nil,
		"longer": append(slices.Clone(cip), '0'), "PIN": b.codes[number].PIN.Reveal(),
	} {
		b.clock.Advance(25 * time.Hour) // no waiting between these
		_, err := b.revoke(t, number, secret.New(wrong), "192.0.2.1")
		refused(t, name, err, "CSE-401")
	}
	if c := b.card(t, number); c.State != lifecycle.Active {
		t.Errorf("the card is %s", c.State)
	}
	if has, err := b.deps.Codes.Has(t.Context(), number); !has || err != nil {
		t.Errorf("the codes: %v, %v", has, err)
	}
}

// 2 s, 4 s, 8 s … 15 minutes; the right CIP too must wait; after the wait it
// works; another source waits for the card, another card for the source.
func TestWrongCIPsSlowDown(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		_, p, _ := b.activated(t)
		wrong, right := secret.FromString("0000000000"), b.codes[number].CIP
		for i, want := range []time.Duration{2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900} {
			_, err := b.revoke(t, number, wrong, "192.0.2.1")
			refused(t, fmt.Sprintf("wrong CIP %d", i+1), err, "CSE-401")
			if got := throttle.WaitOf(err); got != want*time.Second {
				t.Errorf("wait %d = %s, want %s", i+1, got, want*time.Second)
			}
			b.clock.Advance(want*time.Second - time.Second)
			_, err = b.revoke(t, string(p.CF), right, "198.51.100.9") // by another name, from elsewhere
			refused(t, "a second too early", err, "CSE-402")
			if got := throttle.WaitOf(err); got != time.Second {
				t.Errorf("one second before the end the wait is %s", got)
			}
			b.clock.Advance(time.Second)
		}
		if _, err := b.revoke(t, string(p.CF), right, "198.51.100.9"); err != nil {
			t.Errorf("after the wait: %v", err)
		}
		if got := throttle.WaitOf(errors.New("no fault")); got != 0 {
			t.Errorf("WaitOf another error = %s", got)
		}
	})
}

func TestSourcesSlowDown(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	b.activated(t)
	_, err := b.revoke(t, "6090000000000016", secret.FromString("1"), "192.0.2.1")
	refused(t, "a card that does not exist", err, "CSE-401")
	_, err = b.revoke(t, number, b.codes[number].CIP, "192.0.2.1")
	refused(t, "the same source, another card", err, "CSE-402")
	if _, err := b.revoke(t, number, b.codes[number].CIP, "192.0.2.2"); err != nil {
		t.Errorf("another source: %v", err)
	}
}

func TestTriesAreForgottenAfterADay(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	b.activated(t)
	for range 3 {
		_, err := b.revoke(t, number, secret.FromString("1"), "x")
		refused(t, "wrong", err, "CSE-401")
		b.clock.Advance(time.Minute)
	}
	b.clock.Advance(24 * time.Hour)
	_, err := b.revoke(t, number, secret.FromString("1"), "x")
	if got := throttle.WaitOf(err); got != 2*time.Second {
		t.Errorf("a day later the wait is %s", got)
	}
}

// Tries made at the same instant count each: nobody guesses twice in one wait.
func TestTriesAtTheSameInstant(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		b.activated(t)
		var mu sync.Mutex
		n := map[string]int{}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				_, err := b.RevokeWithCIP(t.Context(), number, secret.FromString("1"), "x", words.Italian)
				mu.Lock()
				defer mu.Unlock()
				if f := words.FaultOf(err); f != nil {
					n[f.Code]++
				} else {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n["CSE-401"] != 1 || n["CSE-402"] != 7 {
			t.Errorf("answers %v: one try should have been looked at", n)
		}
	})
}

func TestNothingToRevoke(t *testing.T) {
	for _, c := range []struct {
		name string
		with func(*lifecycle.Card)
		code string
	}{
		{"chipless", func(c *lifecycle.Card) { c.Model, c.CertSerial = lifecycle.TS, "" }, "CSE-403"},
		{"never activated", nil, "CSE-404"},
		{"in production", func(c *lifecycle.Card) { c.State = lifecycle.InProduction }, "CSE-404"},
		{"revoked", func(c *lifecycle.Card) { c.State, c.EndedAt = lifecycle.Revoked, monday }, "CSE-405"},
		{"expired", func(c *lifecycle.Card) { c.State, c.EndedAt = lifecycle.Expired, monday }, "CSE-406"},
	} {
		b := newBench(t, storetest.SQLite(t))
		p := b.mario(t)
		before := b.issue(t, p, number, c.with)
		_, err := b.revoke(t, string(p.CF), b.codes[number].CIP, "x")
		refused(t, c.name, err, c.code)
		if got := b.card(t, number); got != before {
			t.Errorf("%s: the card became %+v", c.name, got)
		}
		_, err = b.revoke(t, string(p.CF), b.codes[number].CIP, "x")
		refused(t, c.name+", asked again at once", err, "CSE-402") // or else an oracle without a brake
	}
	b := newBench(t, storetest.SQLite(t))
	_, err := b.revoke(t, "RSSMRA85T10A562X", secret.FromString("1"), "x")
	refused(t, "a wrong codice fiscale", err, "CSE-101")
}

// With two living cards the CIP says which one ends.
func TestTheCIPChoosesTheCard(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	p := b.mario(t)
	const other = "6090000000000016"
	for _, id := range []string{number, other} {
		b.issue(t, p, id, func(c *lifecycle.Card) { c.State = lifecycle.Active })
	}
	if _, err := b.revoke(t, string(p.CF), b.codes[other].CIP, "x"); err != nil {
		t.Fatal(err)
	}
	if a, z := b.card(t, number).State, b.card(t, other).State; a != lifecycle.Active || z != lifecycle.Revoked {
		t.Errorf("the cards are %s and %s", a, z)
	}
}

func TestCloseFor(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		p := b.mario(t)
		b.issue(t, p, number, func(c *lifecycle.Card) { c.State = lifecycle.Active })
		b.issue(t, p, "6090000000000016", nil)
		b.issue(t, p, "6090000000000024", func(c *lifecycle.Card) { c.State, c.EndedAt, c.Reason = lifecycle.Revoked, monday, lifecycle.Theft })
		if _, err := b.CloseFor(t.Context(), p.CF, lifecycle.Renewal); err == nil {
			t.Error("closed for a renewal")
		}
		n, err := b.CloseFor(t.Context(), p.CF, lifecycle.Death)
		if err != nil || n != 2 {
			t.Fatalf("%d cards closed, %v", n, err)
		}
		for _, id := range []string{number, "6090000000000016"} {
			if c := b.card(t, id); c.State != lifecycle.Revoked || c.Reason != lifecycle.Death || b.certs["ab"+id] != "revoked 5" {
				t.Errorf("card %s: %s, %s, certificate %s", id, c.State, c.Reason, b.certs["ab"+id])
			}
			if has, err := b.deps.Codes.Has(t.Context(), id); has || err != nil {
				t.Errorf("card %s has codes: %v, %v", id, has, err)
			}
		}
		if c := b.card(t, "6090000000000024"); c.Reason != lifecycle.Theft {
			t.Errorf("a stolen card became %s", c.Reason)
		}
		if n, err := b.CloseFor(t.Context(), p.CF, lifecycle.Death); n != 0 || err != nil {
			t.Errorf("the second time: %d, %v", n, err)
		}
	})
}

func TestSweep(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		p := b.mario(t)
		at := func(n int) time.Time { return monday.AddDate(0, 0, n) }
		active := func(f func(*lifecycle.Card)) func(*lifecycle.Card) {
			return func(c *lifecycle.Card) { c.State = lifecycle.Active; f(c) }
		}
		const good, over, never, old, next, old2, next2 = "6090000000000016", "6090000000000024", "6090000000000032", "6090000000000040",
			"6090000000000057", "6090000000000065", "6090000000000073"
		b.issue(t, p, good, active(func(c *lifecycle.Card) { c.Expires = day(t, "2026-11-23") }))
		b.issue(t, p, over, active(func(c *lifecycle.Card) { c.Expires = day(t, "2026-11-22") }))
		b.issue(t, p, never, func(c *lifecycle.Card) { c.Expires = day(t, "2026-11-22") })
		b.issue(t, p, old, active(func(c *lifecycle.Card) { c.ReplacedBy = next }))
		b.issue(t, p, next, active(func(c *lifecycle.Card) { c.ActivatedAt = at(-31) }))
		b.issue(t, p, old2, active(func(c *lifecycle.Card) { c.ReplacedBy = next2 }))
		b.issue(t, p, next2, active(func(c *lifecycle.Card) { c.ActivatedAt = at(-30) }))
		n, err := b.Sweep(t.Context())
		if err != nil || n != 3 {
			t.Fatalf("%d ended, %v", n, err)
		}
		for id, want := range map[string]lifecycle.State{
			good: lifecycle.Active, over: lifecycle.Expired, never: lifecycle.Expired, old: lifecycle.Replaced, old2: lifecycle.Active,
		} {
			if got := b.card(t, id).State; got != want {
				t.Errorf("card %s is %s, want %s", id, got, want)
			}
			if has, err := b.deps.Codes.Has(t.Context(), id); err != nil || has != (want == lifecycle.Active) {
				t.Errorf("card %s, %s: codes %v, %v", id, want, has, err)
			}
		}
		if b.certs["ab"+old] != "revoked 4" || b.certs["ab"+over] != "" {
			t.Errorf("certificates %v: superseded is revoked, expired needs nothing", b.certs)
		}
		if n, err := b.Sweep(t.Context()); n != 0 || err != nil {
			t.Errorf("the second night: %d, %v", n, err)
		}
	})
}
