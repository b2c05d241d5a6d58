package counter

import (
	"context"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/registry"
)

// The acts on codes that are already there.
const (
	// KindReprint prints the first halves again and mails the second ones: the
	// same codes (R51-R53, R82).
	KindReprint ActKind = "reprint"
	// KindEmail corrects the address and mails the second halves again; no form
	// is printed, so it is no reprint.
	KindEmail ActKind = "correct-email"
)

// KindApproval of a third reprint, for issuer/approval.
const ApprovalThirdReprint = "reprint.third"

// Reprints without a second person: so many in so many days.
const (
	freeReprints  = 2
	reprintWindow = 30 * 24 * time.Hour
)

// Approved spends an approval that a second person gave to exactly this content
// (issuer/approval), in the act of ctx: nil, or the fault that says what to do.
type Approved func(ctx context.Context, kind, subject string, content []byte) error

// Reprint is the codes again, for whoever lost them or never used them: the
// holder or who represents him, with document and card (R51, R52); never a
// delegate. The halves are those of the first time: a PIN that the holder
// changed is not the printed one, and the sheet says so. Codes that a
// representative or a delegate has had are not reprinted to a holder who speaks
// for himself (CSE-453): he needs new ones. The third reprint in thirty days
// needs a supervisor (CSE-452).
func (c *Counter) Reprint(ctx context.Context, op staff.Operator, o Order) (Act, error) {
	c = c.still()
	var out Act
	err := c.d.Atomically(ctx, func(ctx context.Context) error {
		a, err := c.once(ctx, op, KindReprint, staff.ReprintCodes, o, func(ctx context.Context, f found, e *Evidence) (outcome, error) {
			if err := c.present(ctx, op, f, o.Identity); err != nil {
				return outcome{}, err
			}
			if err := c.coded(ctx, f.Card); err != nil {
				return outcome{}, err
			}
			if err := c.lies(ctx, op, f, &o, e); err != nil {
				return outcome{}, err
			}
			if err := c.direct(ctx, f, o.Identity); err != nil {
				return outcome{}, err
			}
			if err := c.fewReprints(ctx, f.Card); err != nil {
				return outcome{}, err
			}
			detail := map[string]string{"shown": e.Shown.By}
			e.Form.Papers = []PaperKind{PaperCodes}
			if o.NoEmail {
				e.Contact.NoEmail = true
				return outcome{card: f.Card, detail: detail}, c.byLetter(op.Office.ID)
			}
			return outcome{card: f.Card, detail: detail}, c.newAddress(ctx, f, o, e)
		})
		if err != nil {
			return err
		}
		out = a
		if err := c.dropEarlierPrints(ctx, a); err != nil {
			return err
		}
		return c.sendAgain(ctx, a, o)
	})
	return out, err
}

// dropEarlierPrints destroys what is left of the first halves that earlier acts
// asked to print: the paper was spoilt, or nobody ever printed it.
func (c *Counter) dropEarlierPrints(ctx context.Context, a Act) error {
	rows, err := c.d.Acts.ByCard(ctx, a.Card)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Protocol >= a.Protocol || !r.HandedAt.IsZero() || r.Kind != KindActivation && r.Kind != KindReprint && r.Kind != KindNewCodes {
			continue
		}
		if err := c.d.DropPrint(ctx, PrintKey(r.Protocol)); err != nil {
			return err
		}
	}
	return nil
}

// CorrectEmail takes another address and sends the second halves there; the
// previous one is told (R75).
func (c *Counter) CorrectEmail(ctx context.Context, op staff.Operator, o Order) (Act, error) {
	c = c.still()
	var out Act
	err := c.d.Atomically(ctx, func(ctx context.Context) error {
		a, err := c.once(ctx, op, KindEmail, staff.CorrectEmail, o, func(ctx context.Context, f found, e *Evidence) (outcome, error) {
			if err := c.present(ctx, op, f, o.Identity); err != nil {
				return outcome{}, err
			}
			if err := c.coded(ctx, f.Card); err != nil {
				return outcome{}, err
			}
			return outcome{card: f.Card}, c.newAddress(ctx, f, o, e)
		})
		if err != nil {
			return err
		}
		out = a
		return c.sendAgain(ctx, a, o)
	})
	return out, err
}

// coded refuses a card whose codes cannot be given again: not activated yet
// (CSE-454: activate it instead), ended, or with codes that were never ours
// (CSE-620).
func (c *Counter) coded(ctx context.Context, card lifecycle.Card) error {
	switch {
	case card.State.Final() || !card.HasChip():
		return nothingToRevoke(card)
	case card.State != lifecycle.Active && card.State != lifecycle.Suspended:
		return words.Refuse("CSE-454")
	}
	has, err := c.d.Codes.Has(ctx, card.ID)
	if err == nil && !has {
		err = words.Refuse("CSE-620")
	}
	return err
}

// lies proves that the card lies on the counter: read in the reader by a job of
// op's own, or as shown says; how it was is kept with the act.
func (c *Counter) lies(ctx context.Context, op staff.Operator, f found, o *Order, e *Evidence) error {
	o.Shown.Card, o.Shown.Reading, o.Shown.NoReader = f.Card.ID, o.Reading, o.NoReader
	if err := c.readBy(ctx, op, &o.Shown); err != nil {
		return err
	}
	e.Shown = shownBy(o.Shown)
	return shown(f, o.Shown, o.NoReader)
}

// shown proves that the card lies there: read in the reader, or its last five
// digits typed with a reason why it could not be read (R52).
func shown(f found, s CardStep, why string) error {
	switch {
	case s.ReadCF != "" && s.ReadCF != f.Person.CF:
		return words.Refuse("CSE-111")
	case s.ReadID != "" && s.ReadID != f.Card.ID:
		return words.Refuse("CSE-112", f.Card.Issued.Italian())
	case s.ReadID != "":
		return nil
	}
	return typed(f, s, why)
}

// direct refuses to print again for the holder what somebody else has had: codes
// that were handed to a representative or a delegate, or to a representative whose
// title has ended since.
func (c *Counter) direct(ctx context.Context, f found, s IdentityStep) error {
	rows, err := c.d.Acts.ByCard(ctx, f.Card.ID)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Kind != KindActivation && r.Kind != KindReprint && r.Kind != KindNewCodes {
			continue
		}
		e, err := c.evidence(r)
		if err != nil {
			return err
		}
		if by := e.Identity.Present; by != "" && by != PresentHolder {
			if by != s.Present {
				return words.Refuse("CSE-453")
			}
			stands, err := c.Stands(ctx, f.Person, e.Identity.Representative.CF)
			if err != nil {
				return err
			}
			if !stands { // a guardian before this one
				return words.Refuse("CSE-453")
			}
		}
		if r.Kind == KindNewCodes {
			return nil // whatever was handed out before counts no more
		}
	}
	return nil
}

// fewReprints counts those of the last thirty days; from the third on somebody
// else's approval is spent.
func (c *Counter) fewReprints(ctx context.Context, card lifecycle.Card) error {
	rows, err := c.d.Acts.ByCard(ctx, card.ID)
	if err != nil {
		return err
	}
	n, since := 0, c.d.Clock.Now().Add(-reprintWindow)
	for _, r := range rows {
		if (r.Kind == KindReprint || r.Kind == KindNewCodes) && r.At.After(since) {
			n++
		}
	}
	free, err := c.freeReprints(ctx)
	if err != nil || n < free {
		return err
	}
	if c.d.Approved == nil {
		return words.Refuse("CSE-452")
	}
	return c.d.Approved(ctx, ApprovalThirdReprint, card.ID, reprintContent(card, n+1))
}

func (c *Counter) freeReprints(ctx context.Context) (int, error) {
	if c.d.FreeReprints == nil {
		return freeReprints, nil
	}
	return c.d.FreeReprints(ctx)
}

// reprintContent is what a supervisor approves: this card, this reprint.
func reprintContent(card lifecycle.Card, n int) []byte {
	return []byte("cse.reprint/1|" + card.ID + "|" + string(rune('0'+min(n, 9))))
}

// ReprintToApprove is what has to be approved before the next reprint of a card;
// nil when none is needed.
func (c *Counter) ReprintToApprove(ctx context.Context, card string) ([]byte, error) {
	x, err := c.d.Cards.Get(ctx, card)
	if err != nil {
		return nil, err
	}
	rows, err := c.d.Acts.ByCard(ctx, card)
	if err != nil {
		return nil, err
	}
	n, since := 0, c.d.Clock.Now().Add(-reprintWindow)
	for _, r := range rows {
		if (r.Kind == KindReprint || r.Kind == KindNewCodes) && r.At.After(since) {
			n++
		}
	}
	free, err := c.freeReprints(ctx)
	if err != nil || n < free {
		return nil, err
	}
	return reprintContent(x, n+1), nil
}

// newAddress takes the address typed twice into the evidence.
func (c *Counter) newAddress(ctx context.Context, f found, o Order, e *Evidence) error {
	address, err := checkEmail(o.Email, o.EmailAgain)
	if err != nil {
		return err
	}
	if c.d.Address != nil {
		if err := c.d.Address(ctx, f.Person, address); err != nil {
			return err
		}
	}
	e.Contact = ContactStep{Email: address, EmailAgain: address, Lang: o.Lang, Consent: true}
	e.Form.EmailMasked = maskEmail(address)
	return nil
}

// sendAgain asks for the letter with the second halves, and tells the holder:
// at the new address, and at the previous one when that was another.
func (c *Counter) sendAgain(ctx context.Context, a Act, o Order) error {
	rows, err := c.d.Acts.ByCard(ctx, a.Card)
	if err != nil {
		return err
	}
	card, err := c.d.Cards.Get(ctx, a.Card)
	if err != nil {
		return err
	}
	p, err := c.person(ctx, card.CF)
	if err != nil {
		return err
	}
	var e Evidence
	before := ""
	for _, r := range rows { // newest first: this act, then the one before
		x, err := c.evidence(r)
		if err != nil {
			return err
		}
		switch {
		case r.Protocol == a.Protocol:
			e = x
		case before == "" && x.Contact.Email != "":
			if before, err = c.stillTold(ctx, p, x); err != nil {
				return err
			}
		}
	}
	if c.d.Book != nil {
		if _, before, _, err = c.d.Book.Of(ctx, card.CF); err != nil {
			return err
		}
	}
	name, lang := firstName(p.Name), e.Form.Lang
	event := Reprinted
	if a.Kind == KindEmail {
		event = Readdressed
	}
	if a.Kind == KindNewCodes {
		event = Renewed
	}
	if e.Contact.NoEmail {
		err = c.sendLetter(ctx, a.Protocol, p, a.Card, e.Identity.Representative, lang)
	} else {
		err = c.enqueue(ctx, MailKey(a.Protocol), KindMailCodes, a.Card, CodesMail{a.Protocol, a.Card, e.Contact.Email, name, lang})
	}
	if err != nil {
		return err
	}
	for n, to := range []string{e.Contact.Email, before} {
		if to == "" || n == 1 && to == e.Contact.Email {
			continue
		}
		key := KindMailNotice + "/" + string(event) + "/" + a.Protocol
		if n == 1 {
			key += "/before"
		}
		if err := c.enqueue(ctx, key, KindMailNotice, a.Card, Notice{event, a.Protocol, a.Card, to, name, a.At, lang, c.lists(event)}); err != nil {
			return err
		}
	}
	return nil
}

// stillTold is the address of an earlier act, empty when it is a representative's
// who stands for the holder no more.
func (c *Counter) stillTold(ctx context.Context, p registry.Person, e Evidence) (string, error) {
	if by := e.Identity.Present; by == PresentParent || by == PresentGuardian {
		stands, err := c.Stands(ctx, p, e.Identity.Representative.CF)
		if err != nil || !stands {
			return "", err
		}
	}
	return e.Contact.Email, nil
}

// today is the day in Rome.
func (c *Counter) today() civil.Date { return civil.Today(c.d.Clock) }
