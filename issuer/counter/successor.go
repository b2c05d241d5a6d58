package counter

import (
	"context"
	"errors"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/issuer/throttle"
	"cse.example/cse/person/codicefiscale"
)

// KindSuccessor is the activation of a new card from home, by who entered with
// the old one: no operator, no paper.
const KindSuccessor ActKind = "successor"

// atHome stands for the operator in acts that a holder does himself.
var atHome = staff.Operator{Account: "holder"}

// SuccessorOrder is what the holder fills in at home. Old and CF are those of
// the session that his old card opened.
type SuccessorOrder struct {
	Request string
	Old     string
	CF      codicefiscale.Code
	// Number is the new card's, as typed: 16 digits, or the 20 of its back.
	Number            string
	Email, EmailAgain string
	Lang              words.Lang
}

// Successor is the card that may be activated with old from home, or why not:
// CSE-460 where it is not allowed, CSE-461 for who cannot consent alone, CSE-462
// when old was not activated by its holder in person here, CSE-463 without a new
// card with a chip. Where the new card stands in its way is told as at a counter.
func (c *Counter) Successor(ctx context.Context, cf codicefiscale.Code, old string) (lifecycle.Card, error) {
	f, err := c.successor(ctx, cf, old)
	return f.Card, err
}

func (c *Counter) successor(ctx context.Context, cf codicefiscale.Code, old string) (found, error) {
	if !c.d.FromHome {
		return found{}, words.Refuse("CSE-460")
	}
	f, err := c.searched(ctx, CardStep{CF: cf, Card: old})
	if err != nil {
		return f, err
	}
	today := c.today()
	switch {
	case !f.Person.AliveOn(today):
		return f, words.Refuse("CSE-118")
	case !f.Person.AssistedOn(today):
		return f, words.Refuse("CSE-119")
	case needsSomebody(f.Person, today):
		return f, words.Refuse("CSE-461")
	case f.Card.State != lifecycle.Active:
		return f, words.Refuse("CSE-462")
	}
	if direct, err := c.activatedByHolder(ctx, old); err != nil || !direct {
		if err == nil {
			err = words.Refuse("CSE-462")
		}
		return f, err
	}
	next, ok := lifecycle.SuccessorOf(f.Card, f.Cards)
	if !ok || !next.HasChip() {
		return f, words.Refuse("CSE-463")
	}
	f.Card = next
	return f, activatable(f, today)
}

// activatedByHolder tells whether the holder himself stood at a counter when the
// card was activated, or activated it from home as somebody who had.
func (c *Counter) activatedByHolder(ctx context.Context, card string) (bool, error) {
	rows, err := c.d.Acts.ByCard(ctx, card)
	if err != nil {
		return false, err
	}
	for _, r := range rows {
		switch r.Kind {
		case KindSuccessor:
			return true, nil
		case KindActivation:
			e, err := c.evidence(r)
			return err == nil && e.Identity.Present == PresentHolder, err
		}
	}
	return false, nil
}

// ActivateSuccessor activates the new card from home. He proves the old one by
// his session, the new one by its number: wrong ones slow down (CSE-465). The
// first halves are shown once (ShowHalves), the second ones mailed. The old CNS
// ends thirty days later (Sweep).
func (c *Counter) ActivateSuccessor(ctx context.Context, o SuccessorOrder) (Act, error) {
	c = c.still()
	if len(o.Request) != 32 {
		return Act{}, words.Refuse("CSE-442")
	}
	address, err := checkEmail(o.Email, o.EmailAgain)
	if err != nil {
		return Act{}, err
	}
	var out Act
	var refusal *words.Fault
	err = c.d.Atomically(ctx, func(ctx context.Context) error {
		refusal = nil
		a, err := c.already(ctx, atHome, o.Request)
		if err == nil || !errors.Is(err, ErrNotFound) {
			out = a
			return err
		}
		f, err := c.successor(ctx, o.CF, o.Old)
		if err != nil {
			return err
		}
		subject := throttle.Subject("successor", o.Old)
		wait, err := c.brake.Wait(ctx, subject)
		if err != nil {
			return err
		}
		if wait > 0 {
			refusal = throttle.Refuse("CSE-402", wait)
			return nil
		}
		if number := clean(o.Number); number != f.Card.ID && number != f.Card.TEAM {
			wait, err := c.brake.Failed(ctx, subject)
			refusal = throttle.Refuse("CSE-465", wait).At("tessera_nuova")
			return err
		}
		out, err = c.succeed(ctx, f, o, address)
		return err
	})
	switch {
	case errors.Is(err, lifecycle.ErrStale) || errors.Is(err, ErrStale):
		return Act{}, words.Refuse("CSE-149").Because(err)
	case err != nil:
		return Act{}, err
	case refusal != nil:
		return Act{}, refusal
	}
	return out, nil
}

// succeed is the act itself.
func (c *Counter) succeed(ctx context.Context, f found, o SuccessorOrder, address string) (Act, error) {
	has, err := c.d.Codes.Has(ctx, f.Card.ID)
	if err == nil && !has {
		err = words.Refuse("CSE-138")
	}
	if err != nil {
		return Act{}, err
	}
	if c.d.Address != nil {
		if err := c.d.Address(ctx, f.Person, address); err != nil {
			return Act{}, err
		}
	}
	before, known, err := c.given(ctx, o.Old)
	if err != nil {
		return Act{}, err
	}
	now := c.d.Clock.Now()
	card, err := lifecycle.Move(f.Card, lifecycle.Activate, "", now)
	if err != nil {
		return Act{}, err
	}
	if card, err = c.d.Cards.Put(ctx, card); err != nil {
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
	lang := o.Lang
	if lang != words.English {
		lang = words.Italian
	}
	e := Evidence{
		Identity: IdentityStep{Present: PresentHolder},
		Contact:  ContactStep{Email: address, EmailAgain: address, Lang: lang, Consent: true},
	}
	e.Form = form(number, now, atHome, f, e.Identity, e.Contact)
	e.Form.Kind = KindSuccessor
	a, err := c.keep(ctx, atHome, o.Request, f, e, journal.Entry{
		Act: "card.activated", Detail: map[string]string{"present": string(PresentHolder), "with": o.Old, "holder_identified": "card"},
	})
	if err != nil {
		return a, err
	}
	if err := c.mailActivation(ctx, f, e); err != nil {
		return a, err
	}
	if to := before.Contact.Email; known && !sameAddress(to, address) { // the address of the old card is told
		key := KindMailNotice + "/" + string(Activated) + "/" + number + "/before"
		return a, c.enqueue(ctx, key, KindMailNotice, card.ID, Notice{Activated, number, card.ID, to, firstName(f.Person.Name), now, lang, c.lists(Activated)})
	}
	return a, nil
}

// SuccessorAct is an activation from home, for the person who did it; CSE-145
// for anybody else.
func (c *Counter) SuccessorAct(ctx context.Context, cf codicefiscale.Code, protocol string) (Act, error) {
	a, err := c.Act(ctx, atHome, protocol)
	if err == nil && (a.Kind != KindSuccessor || a.Form.CF != string(cf)) {
		err = words.Refuse("CSE-145")
	}
	return a, err
}

// ShowHalves is asked before the first halves of an activation from home go on
// the page: once, and then never again (CSE-464); it is written down. Who lost
// them asks for a reprint.
func (c *Counter) ShowHalves(ctx context.Context, cf codicefiscale.Code, protocol string) (card string, err error) {
	a, err := c.SuccessorAct(ctx, cf, protocol)
	if err != nil {
		return "", err
	}
	return a.Card, c.d.Atomically(ctx, func(ctx context.Context) error {
		for _, step := range []Step{StepPrinted, StepHandedOver} {
			first, err := c.d.Acts.Mark(ctx, protocol, step, c.d.Clock.Now())
			if err == nil && !first {
				err = words.Refuse("CSE-464")
			}
			if err != nil {
				return err
			}
		}
		return c.d.Record(ctx, journal.Entry{
			Act: "codes.shown", Actor: atHome.Account, Card: a.Card, Person: string(cf), Detail: map[string]string{"protocol": protocol},
		})
	})
}
