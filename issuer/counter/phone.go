package counter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/issuer/throttle"
)

// The suspension by telephone: the agent asks four digits of the CIP, at places
// that the system drew; nobody asks, types or sees the whole. It only suspends:
// nothing final is done on the word of a voice.

// Places is how many digits are asked.
const Places = 4

// A question lives ten minutes and ends at the third wrong answer. Until then
// every agent gets the same one: whoever overheard four digits cannot draw until
// they are asked again.
const (
	questionLife  = 10 * time.Minute
	questionTries = 3
)

// Question is what the agent asks: the digits at Places, which count from 1.
type Question struct {
	ID     string
	Card   string
	Places [Places]int
}

// question is a Question as it is kept, sealed, among the drafts.
type question struct {
	Card   string      `json:"card"`
	Places [Places]int `json:"places"`
	Until  time.Time   `json:"until"`
	Wrong  int         `json:"wrong"`
}

func (q question) over(now time.Time) bool { return !now.Before(q.Until) }

func questionID(card string) string {
	h := sha256.Sum256([]byte("cse.question/1|" + card))
	return "phone-" + hex.EncodeToString(h[:13])
}

// byPhone refuses who is not the call centre (CSE-450), and an agent's own card.
func (c *Counter) byPhone(ctx context.Context, op staff.Operator, card string) (found, error) {
	if !op.Has(staff.RoleCallCentre) {
		return found{}, words.Refuse("CSE-450")
	}
	f, err := c.searched(ctx, CardStep{Card: card})
	if err != nil {
		return f, err
	}
	if err := c.ownFamily(ctx, op, f.Person); err != nil {
		return f, err
	}
	if err := c.d.Directory.Allowed(op, staff.SuspendNow, f.Person.ASL); err != nil {
		return f, err
	}
	if f.Card.State != lifecycle.Active || !f.Card.HasChip() {
		return f, notSuspendable(f.Card)
	}
	return f, nil
}

// AskPositions draws what the agent asks the holder of an active card; CSE-451
// while the last question is over by three wrong answers, CSE-458 for codes that
// cannot be asked so.
func (c *Counter) AskPositions(ctx context.Context, op staff.Operator, card string) (Question, error) {
	if _, err := c.byPhone(ctx, op, card); err != nil {
		return Question{}, err
	}
	n, err := c.d.Codes.Digits(ctx, card)
	if err != nil {
		has, e := c.d.Codes.Has(ctx, card)
		if e == nil && !has {
			err = words.Refuse("CSE-458")
		}
		return Question{}, err
	}
	if n < Places {
		return Question{}, words.Refuse("CSE-458")
	}
	places, err := draw(c.d.Rand, n)
	if err != nil {
		return Question{}, err
	}
	var out Question
	err = c.d.Atomically(ctx, func(ctx context.Context) error {
		now := c.d.Clock.Now()
		q, row, err := c.asked(ctx, card)
		if err == nil && !q.over(now) {
			out = Question{row.ID, card, q.Places}
			if q.Wrong >= questionTries {
				return throttle.Refuse("CSE-451", q.Until.Sub(now))
			}
			return nil
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err == nil {
			if err := c.d.Drafts.Delete(ctx, row.ID); err != nil {
				return err
			}
		}
		out = Question{questionID(card), card, places}
		row = DraftRow{ID: out.ID, Operator: op.Account, Office: op.Office.ID}
		return c.putQuestion(ctx, row, question{Card: card, Places: places, Until: now.Add(questionLife)})
	})
	if err != nil {
		return Question{}, err
	}
	return out, nil
}

// asked is a card's question, ErrNotFound for none.
func (c *Counter) asked(ctx context.Context, card string) (question, DraftRow, error) {
	row, err := c.d.Drafts.Get(ctx, questionID(card))
	if err != nil {
		return question{}, row, err
	}
	var q question
	return q, row, c.open("question", row.ID, row.Body, &q)
}

func (c *Counter) putQuestion(ctx context.Context, row DraftRow, q question) (err error) {
	if row.Body, err = c.seal("question", row.ID, q); err != nil {
		return err
	}
	row.TouchedAt = c.d.Clock.Now()
	_, err = c.d.Drafts.Put(ctx, row)
	return err
}

// SuspendByPhone suspends a card on the four digits asked, and tells its holder.
// A wrong answer is counted (CSE-455), slows the next one down (CSE-402) and is
// told to the holder once a day; the third ends the question (CSE-451). Web and
// counters stay open meanwhile.
func (c *Counter) SuspendByPhone(ctx context.Context, op staff.Operator, card string, digits secret.Text) (Receipt, error) {
	c = c.still()
	f, err := c.byPhone(ctx, op, card)
	if err != nil {
		return Receipt{}, err
	}
	var out Receipt
	var refusal *words.Fault
	err = c.d.Atomically(ctx, func(ctx context.Context) error {
		refusal, out = nil, Receipt{}
		q, row, err := c.asked(ctx, card)
		now := c.d.Clock.Now()
		switch {
		case errors.Is(err, ErrNotFound) || err == nil && q.over(now):
			refusal = words.Refuse("CSE-459")
			return nil
		case err != nil:
			return err
		case q.Wrong >= questionTries:
			refusal = throttle.Refuse("CSE-451", q.Until.Sub(now))
			return nil
		}
		subject := throttle.Subject("cip.phone", card)
		wait, err := c.brake.Wait(ctx, subject)
		if err != nil {
			return err
		}
		if wait > 0 {
			refusal = throttle.Refuse("CSE-402", wait)
			return nil
		}
		right, err := c.d.Codes.CheckDigits(ctx, card, q.Places[:], digits)
		if err != nil {
			return err
		}
		if !right { // the count must be written: the act ends well, the agent is refused
			q.Wrong++
			if refusal = words.Refuse("CSE-455", questionTries-q.Wrong).At("cifre"); q.Wrong >= questionTries {
				refusal = throttle.Refuse("CSE-451", q.Until.Sub(now))
			}
			return c.wrongDigits(ctx, op, f, row, q, subject)
		}
		if err := c.d.Drafts.Delete(ctx, row.ID); err != nil {
			return err
		}
		if out, err = c.suspendFor(ctx, op, card); err != nil {
			return err
		}
		return c.brake.Clear(ctx, subject)
	})
	switch {
	case errors.Is(err, lifecycle.ErrStale) || errors.Is(err, ErrStale):
		return Receipt{}, words.Refuse("CSE-149").Because(err)
	case err != nil:
		return Receipt{}, err
	case refusal != nil:
		return Receipt{}, refusal
	}
	return out, nil
}

// wrongDigits counts a wrong answer, writes it down and tells the holder.
func (c *Counter) wrongDigits(ctx context.Context, op staff.Operator, f found, row DraftRow, q question, subject string) error {
	if err := c.putQuestion(ctx, row, q); err != nil {
		return err
	}
	if _, err := c.brake.Failed(ctx, subject); err != nil {
		return err
	}
	err := c.d.Record(ctx, journal.Entry{
		Act: "cip.wrong-by-phone", Actor: op.Account, Office: op.Office.ID, Card: f.Card.ID, Person: string(f.Person.CF),
	})
	if err != nil {
		return err
	}
	return c.warn(ctx, []lifecycle.Card{f.Card})
}

// suspendFor is the act itself, in the name of the agent.
func (c *Counter) suspendFor(ctx context.Context, op staff.Operator, id string) (Receipt, error) {
	card, err := c.d.Cards.Get(ctx, id) // as it is inside the act
	if err != nil {
		return Receipt{}, err
	}
	if card, err = c.suspend(ctx, card, lifecycle.ByHolder); err != nil {
		return Receipt{}, err
	}
	now := c.d.Clock.Now()
	number, err := c.protocol(ctx, now)
	if err != nil {
		return Receipt{}, err
	}
	r := Receipt{Protocol: number, Card: card.ID, At: now}
	err = c.d.Record(ctx, journal.Entry{
		Act: "card.suspended", Actor: op.Account, Office: op.Office.ID, Card: card.ID, Person: string(card.CF),
		Detail: map[string]string{"protocol": number, "by": "phone"},
	})
	if err != nil {
		return r, err
	}
	return r, c.tell(ctx, Suspended, r, "")
}

// draw picks Places different places out of 1…n, in order, each choice as
// likely as any other.
func draw(rand io.Reader, n int) (out [Places]int, err error) {
	var picked []int
	var b [1]byte
	for len(picked) < Places {
		if _, err := io.ReadFull(rand, b[:]); err != nil {
			return out, fmt.Errorf("counter: %w", err)
		}
		// Bytes that would favour low places are thrown away.
		if place := int(b[0])%n + 1; int(b[0]) < 256/n*n && !slices.Contains(picked, place) {
			picked = append(picked, place)
		}
	}
	slices.Sort(picked)
	copy(out[:], picked)
	return out, nil
}
