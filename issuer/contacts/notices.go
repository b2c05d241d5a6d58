package contacts

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/registry"
)

// KindMail is the effect of a letter of this room; its body is a Letter.
const KindMail = "mail.contact"

// Letter is a mail about addresses and dates. It never carries a code of a card
// nor a health datum; the six digits of a change are its only secret.
type Letter struct {
	Event string     `json:"event"`
	To    string     `json:"to"`
	Lang  words.Lang `json:"lang"`
	Args  []string   `json:"args"`
}

// Text is the subject and the plain text of the letter.
func (l Letter) Text() (subject, text string) {
	args := make([]any, len(l.Args))
	for i, a := range l.Args {
		args[i] = a
	}
	key := "contacts.mail." + l.Event
	return words.Say(l.Lang, key+".subject"), words.Say(l.Lang, key+".text", args...)
}

// mail asks for a letter of a change, once for each event and address.
func (b *Book) mail(ctx context.Context, s sealed, event, to string, lang words.Lang, args ...string) error {
	p, err := b.d.People.Get(ctx, s.CF)
	if err != nil {
		return err
	}
	key := fmt.Sprintf("%s/%s/%s/%s", KindMail, event, s.ID, b.address(to))
	return b.enqueue(ctx, key, "", Letter{Event: event, To: to, Lang: lang, Args: append([]string{registry.FirstName(p.Name)}, args...)})
}

func (b *Book) enqueue(ctx context.Context, key, card string, l Letter) error {
	body, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("contacts: %s: %w", key, err)
	}
	return b.d.Enqueue(ctx, effect.Effect{Key: key, Kind: KindMail, Card: card, Body: body})
}

// Sent remembers which notice a card has had. Writes happen inside an act.
type Sent interface {
	// AddNotice answers false when the card has had it.
	AddNotice(ctx context.Context, card, notice string, at time.Time) (bool, error)
}

// Cards are the cards, by number and by state in pages.
type Cards interface {
	Get(ctx context.Context, id string) (lifecycle.Card, error)
	ByState(ctx context.Context, s lifecycle.State, after string, limit int) ([]lifecycle.Card, error)
}

// thresholds are the days before the end at which the holder is told, nearest first.
var thresholds = []int{7, 30, 60, 90}

// Due is the threshold that a card has come to, zero for none: the nearest one,
// so that nights that were skipped are not made up for in a heap of letters.
func Due(today, expires civil.Date) int {
	for _, t := range thresholds {
		if !today.After(expires) && !today.AddDays(t).Before(expires) {
			return t
		}
	}
	return 0
}

// Expiring tells each holder, once for each card and threshold, that the card
// comes to its end: those with an address who want notices, alive and assisted,
// whom no next card has reached yet. Nightly; it answers how many letters it asked for.
func (b *Book) Expiring(ctx context.Context, cards Cards) (int, error) {
	today, n := civil.Today(b.d.Clock), 0
	for _, state := range []lifecycle.State{lifecycle.Shipped, lifecycle.Delivered, lifecycle.Active, lifecycle.Suspended} {
		for after := ""; ; {
			page, err := cards.ByState(ctx, state, after, 500)
			if err != nil || len(page) == 0 {
				if err != nil {
					return n, err
				}
				break
			}
			for _, c := range page {
				t := Due(today, c.Expires)
				if t == 0 {
					continue
				}
				sent, err := b.expiring(ctx, cards, c, t, today)
				if err != nil {
					return n, err
				}
				if sent {
					n++
				}
			}
			after = page[len(page)-1].ID
		}
	}
	return n, nil
}

func (b *Book) expiring(ctx context.Context, cards Cards, c lifecycle.Card, threshold int, today civil.Date) (bool, error) {
	if c.ReplacedBy != "" {
		next, err := cards.Get(ctx, c.ReplacedBy)
		if err != nil || next.State == lifecycle.Delivered || next.State == lifecycle.Active || next.State == lifecycle.Suspended {
			return false, err
		}
	}
	p, err := b.d.People.Get(ctx, c.CF)
	if err != nil || !p.AssistedOn(today) {
		return false, err
	}
	return b.tellOnce(ctx, c, "expiry-"+strconv.Itoa(threshold), "expiry", false, c.Expires.Italian())
}

// FirstLogin tells the holder, once for each card, that somebody entered with it.
func (b *Book) FirstLogin(ctx context.Context, c lifecycle.Card) error {
	when := b.d.Clock.Now().In(civil.Rome).Format("02/01/2006 15:04")
	_, err := b.tellOnce(ctx, c, "first-login", "first-login", true, when)
	return err
}

// Extended tells the holder that the certificate of an old card lasts longer now, in
// the act of ctx.
func (b *Book) Extended(ctx context.Context, c lifecycle.Card, until civil.Date) error {
	_, err := b.tellOnce(ctx, c, "extended-"+until.String(), "extended", true, until.Italian())
	return err
}

// tellOnce asks for a notice unless the card has had it. must is for what
// concerns security: it is told whatever the holder prefers.
func (b *Book) tellOnce(ctx context.Context, c lifecycle.Card, notice, event string, must bool, args ...string) (bool, error) {
	sent := false
	err := b.d.Atomically(ctx, func(ctx context.Context) error {
		sent = false
		to, err := b.Of(ctx, c.CF)
		if err != nil || to.Email == "" || !must && !to.Notices {
			return err
		}
		if sent, err = b.d.Sent.AddNotice(ctx, c.ID, notice, b.d.Clock.Now()); err != nil || !sent {
			return err
		}
		p, err := b.d.People.Get(ctx, c.CF)
		if err != nil {
			return err
		}
		return b.enqueue(ctx, KindMail+"/"+notice+"/"+c.ID, c.ID, Letter{
			Event: event, To: to.Email, Lang: to.Lang, Args: append([]string{registry.FirstName(p.Name), c.ID[max(0, len(c.ID)-4):]}, args...),
		})
	})
	return sent && err == nil, err
}
