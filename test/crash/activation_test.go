package crash

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"cse.example/cse/demo/inbox"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/registry"
)

// cardholder is somebody whose card is to be activated.
type cardholder struct {
	person registry.Person
	card   lifecycle.Card
	email  string
}

// TestActivation kills csed during and after the act of activation.
func TestActivation(t *testing.T) {
	want := kills(t)
	t.Parallel()
	c := newCounter(t)
	// The first one goes undisturbed: it tells how long an activation takes.
	holders := c.adults()
	var whole time.Duration
	func() {
		c.start()
		defer c.stop()
		c.login()
		c.prepare(holders[0])
		whole = stopwatch(func() {
			if err := c.act(); err != nil {
				t.Fatal(err)
			}
		})
		c.arrived(holders[0])
	}()
	done, next := 0, 1
	for done < want {
		if next == len(holders) {
			holders = append(holders, c.more()...)
		}
		done += c.activateKilled(holders[next], whole, want-done)
		next++
	}
	t.Logf("%d kills, %d activations, %s each undisturbed", done, next, whole)
	c.settled()
	c.sound("activation")
	c.reconcileActivations(holders[:next], done)
}

// lettersLeave is how long the letters take to be on their way after the act:
// the queue looks four times a second.
const lettersLeave = 400 * time.Millisecond

// activateKilled activates one card while csed is killed at random, and started
// again. It answers the number of kills.
func (c *counterSite) activateKilled(h cardholder, whole time.Duration, left int) (n int) {
	c.t.Helper()
	c.start()
	c.refresh()
	c.prepare(h)
	for {
		at := c.moment(whole)
		if n == left {
			at = time.Hour
		}
		died, err := c.actKilled(at)
		if err != nil {
			c.t.Fatal(err)
		}
		if !died {
			c.arrived(h)
			c.stop()
			return n
		}
		n++
		c.sound("a kill after " + at.String())
		c.start()
	}
}

// moment chooses when to kill: while the operator works, later, when the letters
// are leaving, or never, so that the activation comes to its end.
func (c *counterSite) moment(whole time.Duration) time.Duration {
	within := whole * 6 / 5
	switch c.dice.IntN(3) {
	case 0:
		within = whole + lettersLeave
	case 1:
		return time.Hour
	}
	return time.Duration(c.dice.Float64() * float64(within))
}

// actKilled does what is left of the activation; csed is killed after at, even
// if the operator is done before.
func (c *counterSite) actKilled(at time.Duration) (died bool, err error) {
	c.t.Helper()
	begin := time.Now()
	killer := time.AfterFunc(at, func() { _ = c.server.Process.Kill() }) // gone waits for it
	err = c.act()
	if err == nil && at < time.Hour {
		time.Sleep(time.Until(begin.Add(at + 10*time.Millisecond)))
	}
	if killer.Stop() {
		return false, err // csed lives: an error is the page's own
	}
	c.gone()
	return true, nil
}

// reconcileActivations counts what there is: one activation each, one form at
// most, two letters each, of one Message-ID each.
func (c *counterSite) reconcileActivations(holders []cardholder, kills int) {
	c.t.Helper()
	db, ctx := c.store(), context.Background()
	letters := c.letters()
	repeated := 0
	for _, h := range holders {
		rows, err := db.Acts().ByCard(ctx, h.card.ID)
		if err != nil {
			c.t.Fatal(err)
		}
		if len(rows) != 1 || rows[0].PrintedAt.IsZero() || rows[0].HandedAt.IsZero() {
			c.t.Errorf("card %s: %d activations: %+v", h.card.ID, len(rows), rows)
			continue
		}
		if n := c.forms[rows[0].Protocol]; n > 1 {
			c.t.Errorf("card %s: its form left %d times", h.card.ID, n)
		}
		card, err := db.Cards().Get(ctx, h.card.ID)
		if err != nil || card.State != lifecycle.Active {
			c.t.Errorf("card %s is %s, %v", h.card.ID, card.State, err)
		}
		codes, notices := letters.of(h.email)
		if codes.distinct() != 1 || notices.distinct() != 1 {
			c.t.Errorf("card %s: %d letters with codes, %d notices", h.card.ID, codes.distinct(), notices.distinct())
		}
		repeated += codes.copies() + notices.copies() - 2
		if err := codes.same(); err != nil {
			c.t.Errorf("card %s: %v", h.card.ID, err)
		}
	}
	c.t.Logf("%d letters were sent again after %d kills", repeated, kills)
}

// adults are holders who may activate their own card, with a card that lies at
// home.
func (c *counterSite) adults() []cardholder {
	c.t.Helper()
	db, ctx := c.store(), context.Background()
	defer db.Close()
	cards, err := db.Cards().ByState(ctx, lifecycle.Delivered, "", 10_000)
	if err != nil {
		c.t.Fatal(err)
	}
	today := civil.Today(civil.System{})
	var out []cardholder
	for _, card := range cards {
		p, err := db.People().Get(ctx, card.CF)
		if err != nil {
			c.t.Fatal(err)
		}
		if card.HasChip() && !p.MinorOn(today) && !p.NeedsPermit() && !p.UnderGuardianship && !p.CF.Provisional() {
			out = append(out, cardholder{p, card, fmt.Sprintf("h%s@example.org", card.ID)})
		}
	}
	if len(out) < 2 {
		c.t.Fatalf("only %d adults with a card", len(out))
	}
	return out
}

// more brings another cohort in, and makes their cards.
func (c *counterSite) more() []cardholder {
	c.t.Helper()
	c.cohorts++
	c.produceKilled(c.cohorts, 0)
	return c.adults()
}

// letters are the messages in the box.
type letters []inbox.Letter

func (c *counterSite) letters() letters {
	c.t.Helper()
	list, err := c.inbox.List()
	if err != nil {
		c.t.Fatal(err)
	}
	return list
}

// pile are copies of letters of one kind to one person.
type pile []inbox.Letter

// of sorts a person's letters into those with codes and those without.
func (l letters) of(email string) (codes, notices pile) {
	for _, x := range l {
		switch {
		case x.To != email && x.To != "<"+email+">":
		case withCodes.MatchString(x.Text):
			codes = append(codes, x)
		default:
			notices = append(notices, x)
		}
	}
	return codes, notices
}

func (p pile) distinct() int {
	ids := map[string]bool{}
	for _, x := range p {
		ids[x.ID] = true
	}
	return len(ids)
}

func (p pile) copies() int { return len(p) }

// same refuses copies that differ in their text.
func (p pile) same() error {
	for _, x := range p[1:] {
		if x.Text != p[0].Text {
			return fmt.Errorf("%s and %s differ", filepath.Base(p[0].File), filepath.Base(x.File))
		}
	}
	return nil
}
