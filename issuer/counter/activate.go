package counter

import (
	"context"
	"errors"
	"time"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
)

// Activation is an activation that happened.
type Activation struct {
	// Protocol is AAAA/NNNNNNN.
	Protocol            string
	Card                string
	Operator            string
	Office              string
	At                  time.Time
	PrintedAt, HandedAt time.Time
	Form                Form
}

// evidence is what an activation leaves in the archive, sealed.
type evidence struct {
	Identity IdentityStep `json:"identity"`
	Contact  ContactStep  `json:"contact"`
	Form     Form         `json:"form"`
}

// Activate is the act: everything is checked again on this day, then card and
// certificate become active, the codes form and the mail with the second
// halves are asked for, the holder is told and the journal is written. The same
// draft activates once: a second call answers the first activation.
func (c *Counter) Activate(ctx context.Context, op staff.Operator, draft string, version int64) (Activation, error) {
	if a, err := c.already(ctx, op, draft); err == nil || !errors.Is(err, ErrNotFound) {
		return a, err
	}
	d, err := c.step(ctx, op, draft, version)
	if err != nil {
		return Activation{}, err
	}
	if d.Done < 3 {
		return Activation{}, words.Refuse("CSE-148")
	}
	var out Activation
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

// already finds what this draft has done.
func (c *Counter) already(ctx context.Context, op staff.Operator, draft string) (Activation, error) {
	r, err := c.d.Activations.Find(ctx, "", draft)
	if err != nil {
		return Activation{}, err
	}
	return c.activation(op, r)
}

func (c *Counter) activate(ctx context.Context, op staff.Operator, d Draft) (Activation, error) {
	f, err := c.checkCard(ctx, op, d.Card)
	if err != nil {
		return Activation{}, err
	}
	if err := c.checkIdentity(f, d.Identity); err != nil {
		return Activation{}, err
	}
	contact, err := checkContact(d.Contact)
	if err != nil {
		return Activation{}, err
	}
	now := c.d.Clock.Now()
	card, err := lifecycle.Move(f.Card, lifecycle.Activate, "", now)
	if err != nil {
		return Activation{}, err
	}
	if _, err := c.d.Cards.Put(ctx, card); err != nil {
		return Activation{}, err
	}
	if err := c.d.Certificates.Activate(ctx, card.CertSerial); err != nil {
		return Activation{}, err
	}
	number, err := c.protocol(ctx, now)
	if err != nil {
		return Activation{}, err
	}
	f.Card = card
	return c.write(ctx, op, d, f, evidence{d.Identity, contact, form(number, now, op, f, d.Identity, contact)})
}

// write keeps the activation, asks for its effects and ends the draft.
func (c *Counter) write(ctx context.Context, op staff.Operator, d Draft, f found, e evidence) (Activation, error) {
	row := ActivationRow{
		Protocol: e.Form.Protocol, Draft: d.ID, Card: f.Card.ID, Operator: op.Account, Office: op.Office.ID, At: e.Form.At,
	}
	var err error
	if row.Body, err = c.seal("activation", row.Protocol, e); err != nil {
		return Activation{}, err
	}
	added, err := c.d.Activations.Add(ctx, row)
	if err == nil && !added {
		err = ErrStale // the draft was used a moment ago by another act
	}
	if err != nil {
		return Activation{}, err
	}
	if err := c.enqueueActivation(ctx, f, e); err != nil {
		return Activation{}, err
	}
	err = c.d.Record(ctx, journal.Entry{
		Act: "card.activated", Actor: op.Account, Office: op.Office.ID, Card: f.Card.ID, Person: string(f.Person.CF),
		Detail: map[string]string{"protocol": row.Protocol, "document": string(e.Identity.Document.Kind), "present": string(e.Identity.Present)},
	})
	if err != nil {
		return Activation{}, err
	}
	if err := c.d.Drafts.Delete(ctx, d.ID); err != nil {
		return Activation{}, err
	}
	return c.activation(op, row)
}

// activation opens r for op, who must work at the counter where it was done.
func (c *Counter) activation(op staff.Operator, r ActivationRow) (Activation, error) {
	if r.Office != op.Office.ID {
		return Activation{}, words.Refuse("CSE-145")
	}
	var e evidence
	if err := c.open("activation", r.Protocol, r.Body, &e); err != nil {
		return Activation{}, err
	}
	return Activation{
		Protocol: r.Protocol, Card: r.Card, Operator: r.Operator, Office: r.Office, At: r.At,
		PrintedAt: r.PrintedAt, HandedAt: r.HandedAt, Form: e.Form,
	}, nil
}

// Activation reads one by protocol number; CSE-145 when it is not op's
// counter's.
func (c *Counter) Activation(ctx context.Context, op staff.Operator, protocol string) (Activation, error) {
	r, err := c.d.Activations.Find(ctx, protocol, "")
	if errors.Is(err, ErrNotFound) || protocol == "" {
		return Activation{}, words.Refuse("CSE-145")
	}
	if err != nil {
		return Activation{}, err
	}
	return c.activation(op, r)
}

// ToPrint answers what the form says, once: CSE-150 when it was printed or
// handed over. The printing process adds the first halves, makes the page, and
// calls Printed before the page leaves.
func (c *Counter) ToPrint(ctx context.Context, op staff.Operator, protocol string) (Form, error) {
	a, err := c.Activation(ctx, op, protocol)
	if err != nil {
		return Form{}, err
	}
	if !a.PrintedAt.IsZero() || !a.HandedAt.IsZero() {
		return Form{}, words.Refuse("CSE-150")
	}
	return a.Form, nil
}

// Printed marks the form as printed; CSE-150 when it was already, so that of
// two windows one prints.
func (c *Counter) Printed(ctx context.Context, op staff.Operator, protocol string) error {
	a, err := c.Activation(ctx, op, protocol)
	if err != nil {
		return err
	}
	return c.d.Atomically(ctx, func(ctx context.Context) error {
		first, err := c.d.Activations.Mark(ctx, protocol, StepPrinted, c.d.Clock.Now())
		if err != nil {
			return err
		}
		if !first {
			return words.Refuse("CSE-150")
		}
		return c.d.Record(ctx, journal.Entry{
			Act: "codes.printed", Actor: op.Account, Office: op.Office.ID, Card: a.Card,
			Detail: map[string]string{"protocol": protocol},
		})
	})
}

// HandOver is the operator's tick «Consegnato e firmato»: whatever is left of
// the print is destroyed. A form that was not printed cannot have been handed
// over (CSE-146); ticking twice is no error.
func (c *Counter) HandOver(ctx context.Context, op staff.Operator, protocol string) error {
	a, err := c.Activation(ctx, op, protocol)
	if err != nil {
		return err
	}
	if a.PrintedAt.IsZero() {
		return words.Refuse("CSE-146")
	}
	return c.d.Atomically(ctx, func(ctx context.Context) error {
		first, err := c.d.Activations.Mark(ctx, protocol, StepHandedOver, c.d.Clock.Now())
		if err != nil || !first {
			return err
		}
		if err := c.d.DropPrint(ctx, PrintKey(protocol)); err != nil {
			return err
		}
		return c.d.Record(ctx, journal.Entry{
			Act: "codes.handed-over", Actor: op.Account, Office: op.Office.ID, Card: a.Card,
			Detail: map[string]string{"protocol": protocol},
		})
	})
}
