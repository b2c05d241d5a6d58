package campaign_test

import (
	"errors"
	"fmt"
	"testing"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/campaign"
	"cse.example/cse/issuer/lifecycle"
)

// An authority's cards are ended in campaigns of bounded size that go on where a
// kill left them; every card is ended once, and another authority's cards stand.
func TestEndIssuerGoesOnAfterEveryKill(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const cards = 11
		b := newBench(t, db, cards+1, 0)
		ctx, op := t.Context(), b.op(t, 0)
		other := b.cards[0]
		b.issuers = map[string]string{other.ID: "another"}
		b.Bulk = 4
		run := func() error {
			for n := 1; ; n++ {
				c, _, err := b.EndIssuer(ctx, op, "op2", fmt.Sprintf("autorità issuing %d", n), "own")
				if errors.Is(err, words.Refuse("CSE-633")) {
					return nil
				}
				if err != nil {
					return err
				}
				if _, err := b.Work(ctx); err != nil {
					return err
				}
				if c.ApprovedBy != "op2" || c.Total > 4 {
					t.Errorf("%+v", c)
				}
			}
		}
		kills := 0
		for b.die = b.acts + 1; ; b.die = b.acts + 1 + kills%7 {
			err := run()
			if err == nil {
				break
			}
			if !errors.Is(err, errUp) {
				t.Fatal(err)
			}
			if kills++; kills > 200 {
				t.Fatal("it does not end")
			}
		}
		if kills < 5 {
			t.Errorf("killed %d times only", kills)
		}
		for _, c := range b.cards {
			now, err := db.Cards().Get(ctx, c.ID)
			check(t, err)
			if c.ID == other.ID {
				if now.State != lifecycle.Active {
					t.Error("another authority's card was ended")
				}
				continue
			}
			if now.State != lifecycle.Revoked || now.Reason != lifecycle.KeyCompromise || b.recalled[c.ID] < 1 {
				t.Errorf("card %s: %s %s, %d times", c.ID, now.State, now.Reason, b.recalled[c.ID])
			}
		}
		list, err := b.List(ctx, op, campaign.Revocation)
		check(t, err)
		done := 0
		for _, v := range list {
			if v.State != campaign.Ended || !v.Balanced() {
				t.Errorf("%s is %s: %v", v.Name, v.State, v.Counts)
			}
			done += v.Counts[campaign.Done]
		}
		if done != cards || len(list) != 3 {
			t.Errorf("%d done in %d campaigns, want %d in 3", done, len(list), cards)
		}
		if _, _, err := b.EndIssuer(ctx, b.op(t, 3), "op2", "autorità issuing 9", "own"); !errors.Is(err, words.Refuse("CSE-003")) {
			t.Errorf("a supervisor: %v", err)
		}
	})
}
