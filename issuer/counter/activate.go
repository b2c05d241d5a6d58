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
	c = c.still()
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
	if err := c.who(ctx, op, f, d.Identity); err != nil {
		return Act{}, err
	}
	contact, err := checkContact(d.Contact)
	if err != nil {
		return Act{}, err
	}
	if contact.NoEmail {
		if err := c.byLetter(op.Office.ID); err != nil {
			return Act{}, err
		}
	}
	if err := c.notTheDelegates(ctx, d.Identity, contact.Email); err != nil {
		return Act{}, err
	}
	if c.d.Address != nil && !contact.NoEmail {
		if err := c.d.Address(ctx, f.Person, contact.Email); err != nil {
			return Act{}, err
		}
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
	if p := d.Identity.Present; p == PresentParent || p == PresentGuardian {
		e.Form.Papers = append(e.Form.Papers, PaperDeclaration)
	}
	e.Shown = shownBy(d.Card)
	entry := journal.Entry{Act: "card.activated", Detail: activationDetail(d.Identity)}
	entry.Detail["shown"] = e.Shown.By
	a, err := c.keep(ctx, op, d.ID, f, e, entry)
	if err != nil {
		return a, err
	}
	if err := c.link(ctx, f, e); err != nil {
		return a, err
	}
	if err := c.mailActivation(ctx, f, e); err != nil {
		return a, err
	}
	return a, c.d.Drafts.Delete(ctx, d.ID)
}

// activationDetail is what the journal keeps of who stood there. The holder is
// identified in person only when it was he (R96).
func activationDetail(s IdentityStep) map[string]string {
	d := map[string]string{"document": string(s.Document.Kind), "present": string(s.Present), "holder_identified": "no"}
	if s.Present == PresentHolder {
		d["holder_identified"] = "yes"
	}
	if r := s.Representative; r != nil && r.Card == "" && r.NoCard != "" {
		d["without_card"] = "yes" // the reason is in the sealed evidence
	}
	if r := s.Representative; r != nil {
		d["representative"] = "registry"
		if r.OnPaper {
			d["representative"] = "document" // nobody else says who he is
		}
	}
	return d
}
