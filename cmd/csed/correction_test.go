package main

import (
	"context"
	"testing"
	"time"

	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/pki/ca"
)

// R30, R28: a correction of printed data in the registry leads to a new card in
// the same act; the old CNS lasts until the new card is in use, and at the
// latest sixty days after its posting.
func TestR30_R28_CorrectionLeadsToANewCard(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after func(next *lifecycle.Card, now time.Time)
		wait  time.Duration
		want  lifecycle.State
	}{
		"nothing posted yet":            {func(*lifecycle.Card, time.Time) {}, 100 * 24 * time.Hour, lifecycle.Active},
		"fifty-nine days after posting": {func(n *lifecycle.Card, now time.Time) { n.State, n.ShippedAt = lifecycle.Shipped, now }, 59 * 24 * time.Hour, lifecycle.Active},
		"sixty-one days after posting":  {func(n *lifecycle.Card, now time.Time) { n.State, n.ShippedAt = lifecycle.Shipped, now }, 61 * 24 * time.Hour, lifecycle.Replaced},
		"the new card is in use": {func(n *lifecycle.Card, now time.Time) {
			n.State, n.ShippedAt, n.ActivatedAt = lifecycle.Active, now, now
		}, time.Minute, lifecycle.Replaced},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRegion(t)
			p := r.open(t, Options{}, "web")
			before := card(t, p, r.active)
			if rep := imported(t, p, r.row(t, before.CF, map[string]string{"email": "altro@posta.example"})); rep.Changed != 1 {
				t.Fatalf("%+v", rep)
			}
			if got := card(t, p, r.active); got.ReplacedBy != "" {
				t.Fatal("another address is no correction")
			}
			row := r.row(t, before.CF, map[string]string{"nome": "GIUSTO"})
			if rep := imported(t, p, row); rep.Changed != 1 {
				t.Fatalf("%+v", rep)
			}
			old := card(t, p, r.active)
			if old.State != lifecycle.Active || old.ReplacedBy == "" || old.CorrectedAt.IsZero() {
				t.Fatalf("after the correction: %+v", old)
			}
			if imported(t, p, row); card(t, p, r.active).Version != old.Version {
				t.Error("told twice")
			}
			recs, err := p.trail.ByCard(t.Context(), r.active, 0, 100)
			if err != nil || recs[len(recs)-1].Act != "card.corrected" || recs[len(recs)-1].Detail["owner"] != "MEF" {
				t.Errorf("journal %+v, %v", recs[len(recs)-1], err)
			}
			next := card(t, p, old.ReplacedBy)
			c.after(&next, r.clock.Now())
			put(t, p, next)
			r.clock.Advance(c.wait)
			if _, err := p.counter.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := card(t, p, r.active); got.State != c.want {
				t.Errorf("the old card is %s, want %s", got.State, c.want)
			}
			cert, err := p.authority.Get(t.Context(), before.CertSerial)
			if err != nil || (c.want == lifecycle.Replaced) != (cert.State == ca.Revoked) || cert.State == ca.Revoked && cert.Reason != 3 {
				t.Errorf("the certificate is %s (%d), %v", cert.State, cert.Reason, err)
			}
		})
	}
}

// put writes a card as it is given.
func put(t *testing.T, p *Platform, c lifecycle.Card) {
	t.Helper()
	check(t, p.db.Atomically(t.Context(), func(ctx context.Context) error {
		_, err := p.db.Cards().Put(ctx, c)
		return err
	}))
}

// A card that is being made with the old data never leaves: it is scrapped, and
// the right one is ordered.
func TestR30_CorrectionWhileTheNextCardIsMade(t *testing.T) {
	t.Parallel()
	for _, state := range []lifecycle.State{lifecycle.InProduction, lifecycle.Produced, lifecycle.Ordered} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			r := newRegion(t)
			p := r.open(t, Options{}, "web")
			old := card(t, p, r.active)
			check(t, p.db.Atomically(t.Context(), func(ctx context.Context) error {
				_, err := p.clerk().Reissue(ctx, old)
				return err
			}))
			next := card(t, p, card(t, p, r.active).ReplacedBy)
			next.State = state
			put(t, p, next)
			imported(t, p, r.row(t, old.CF, map[string]string{"nome": "GIUSTO"}))
			made := card(t, p, next.ID)
			if state == lifecycle.Ordered {
				if made.State != state || made.ReplacedBy != "" {
					t.Errorf("an order that is not printed yet: %+v", made)
				}
				return
			}
			if made.State != lifecycle.Revoked || made.Reason != lifecycle.WrongData || made.ReplacedBy == "" {
				t.Fatalf("the card in the making: %+v", made)
			}
			if right := card(t, p, made.ReplacedBy); right.State != lifecycle.Ordered {
				t.Errorf("the right one: %+v", right)
			}
		})
	}
}
