package counter

import (
	"context"
	"errors"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
)

// Activate is the act: everything is checked again on this day, then card and
// certificate become active, the codes form and the mail with the second
// halves are asked for, the holder is told and the journal is written. The same
// draft activates once: a second call answers the first activation.
func (c *Counter) Activate(ctx context.Context, op staff.Operator, draft string, version int64) (Act, error) {
	if a, err := c.already(ctx, op, draft); err == nil || !errors.Is(err, ErrNotFound) {
		return a, err
	}
	d, err := c.step(ctx, op, draft, version)
	if err != nil {
		return Act{}, err
	}
	if d.Done < 3 {
		return Act{}, words.Refuse("CSE-148")
	}
	var out Act
	err = c.d.Atomically(ctx, func(ctx context.Context) error {
		a, err := c.already(ctx, op, draft)
		if errors.Is(err, ErrNotFound) {
			a, err = c.activate(ctx, op, d)
		}
		out = a
		return err
	})
	if errors.Is(err, lifecycle.ErrStale) {
		return out, words.Refuse("CSE-149").Because(err)
	}
	return out, err
}

func (c *Counter) activate(ctx context.Context, op staff.Operator, d Draft) (Act, error) {
	f, err := c.checkCard(ctx, op, d.Card)
	if err != nil {
		return Act{}, err
	}
	if err := c.checkIdentity(f, d.Identity); err != nil {
		return Act{}, err
	}
	contact, err := checkContact(d.Contact)
	if err != nil {
		return Act{}, err
	}
	now := c.d.Clock.Now()
	card, err := lifecycle.Move(f.Card, lifecycle.Activate, "", now)
	if err != nil {
		return Act{}, err
	}
	if _, err := c.d.Cards.Put(ctx, card); err != nil {
		return Act{}, err
	}
	if err := c.d.Certificates.Activate(ctx, card.CertSerial); err != nil {
		return Act{}, err
	}
	number, err := c.protocol(ctx, now)
	if err != nil {
		return Act{}, err
	}
	f.Card = card
	e := Evidence{Identity: d.Identity, Contact: contact, Form: form(number, now, op, f, d.Identity, contact)}
	e.Form.Kind, e.Form.Papers = KindActivation, []PaperKind{PaperCodes, PaperRequest}
	a, err := c.keep(ctx, op, d.ID, f, e, journal.Entry{
		Act: "card.activated", Detail: map[string]string{"document": string(d.Identity.Document.Kind), "present": string(d.Identity.Present)},
	})
	if err != nil {
		return a, err
	}
	if err := c.mailActivation(ctx, f, e); err != nil {
		return a, err
	}
	return a, c.d.Drafts.Delete(ctx, d.ID)
}
