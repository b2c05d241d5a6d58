package counter_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/staff"
)

// Two operators do two different acts on one card at once, on each engine: what
// went well is written down, what did not left nothing, and whoever was slower is
// told by a fault of ours. The same over the whole platform is
// cmd/csed.TestFaultTwoOperatorsOneCard.
func TestTwoOperatorsTwoActsOneCard(t *testing.T) {
	type do = func(*counter.Counter, ctx, staff.Operator, counter.Order) (counter.Act, error)
	acts := map[string]do{
		"suspension": (*counter.Counter).Suspend, "revocation": (*counter.Counter).Revoke, "loss": (*counter.Counter).LossOrTheft,
		"chip fault": (*counter.Counter).ChipFault, "reprint": (*counter.Counter).Reprint, "email": (*counter.Counter).CorrectEmail,
	}
	for _, pair := range [][2]string{
		{"loss", "suspension"},
		{"loss", "revocation"},
		{"loss", "chip fault"},
		{"loss", "reprint"},
		{"suspension", "suspension"},
		{"suspension", "revocation"},
		{"reprint", "reprint"},
		{"reprint", "revocation"},
		{"reprint", "email"},
		{"email", "email"},
	} {
		t.Run(pair[0]+" and "+pair[1], func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				b := newBench(t, db)
				_, p, _ := b.activated(t)
				ops := []staff.Operator{b.operator(t, "op1", "asl1"), b.operator(t, "op2", "asl1")}
				entries := len(b.entries)
				var errs [2]error
				var wg sync.WaitGroup
				start := make(chan struct{})
				for i, name := range pair {
					o := b.order(t)
					o.Email, o.EmailAgain = fmt.Sprintf("n%d@posta.example", i), fmt.Sprintf("n%d@posta.example", i)
					wg.Go(func() { <-start; _, errs[i] = acts[name](b.Counter, t.Context(), ops[i], o) })
				}
				close(start)
				wg.Wait()
				good := 0
				for i, err := range errs {
					if err == nil {
						good++
					} else if words.FaultOf(err) == nil {
						t.Errorf("the %s: %v", pair[i], err)
					}
				}
				rows, err := db.Acts().ByCard(t.Context(), number)
				card := b.card(t, number)
				cards, cerr := db.Cards().ByPerson(t.Context(), p.CF)
				has, herr := b.deps.Codes.Has(t.Context(), number)
				if err := errors.Join(err, cerr, herr); err != nil {
					t.Fatal(err)
				}
				if good == 0 || len(rows) != 1+good {
					t.Errorf("%d went well, %d are written down: %v", good, len(rows)-1, errs)
				}
				if has == card.State.Final() || len(cards) > 2 || (card.ReplacedBy != "") != (len(cards) == 2) {
					t.Errorf("the card is %s, codes %t, %d cards", card.State, has, len(cards))
				}
				if len(b.entries)-entries < good {
					t.Errorf("%d entries for %d acts", len(b.entries)-entries, good)
				}
			})
		})
	}
}
