package counter

import (
	"context"
	"errors"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/throttle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// Receipt tells what a revocation did.
type Receipt struct {
	Protocol string
	Card     string
	At       time.Time
}

// RevokeWithCIP is the holder's own, final revocation (R84), without login:
// which is a codice fiscale or a 16-digit card number; source is where the
// request comes from (an address), for slowing down only. A wrong CIP, an
// unknown card and an unknown person look the same (CSE-401) and cost a wait
// that doubles for the card and for the source (CSE-402 while it lasts). A card
// without chip (CSE-403), never activated (CSE-404) or already revoked
// (CSE-405) has nothing to revoke, and its own message; one on hold for new codes
// (CSE-765) is revoked in person.
func (c *Counter) RevokeWithCIP(ctx context.Context, which string, cip secret.Text, source string, lang words.Lang) (Receipt, error) {
	c = c.still()
	return c.withCIP(ctx, which, cip, source, func(ctx context.Context, card lifecycle.Card) (Receipt, error) {
		if err := waitsForCodes(card); err != nil {
			return Receipt{}, err
		}
		return c.revokeByHolder(ctx, card, lang)
	})
}

// SuspendWithCIP is the holder's own, reversible suspension, without login, as
// RevokeWithCIP; a card already on hold is CSE-444.
func (c *Counter) SuspendWithCIP(ctx context.Context, which string, cip secret.Text, source string, lang words.Lang) (Receipt, error) {
	c = c.still()
	return c.withCIP(ctx, which, cip, source, func(ctx context.Context, card lifecycle.Card) (Receipt, error) {
		card, err := c.suspend(ctx, card, lifecycle.ByHolder)
		if err != nil {
			return Receipt{}, err
		}
		return c.byHolder(ctx, card, "card.suspended", Suspended, lang)
	})
}

// ReactivateWithCIP takes the hold away: the CIP, and a signature that the card
// itself made a moment ago (card is its number, proved by the door). Never once
// a loss is on file (CSE-432).
func (c *Counter) ReactivateWithCIP(ctx context.Context, signed string, cip secret.Text, source string, lang words.Lang) (Receipt, error) {
	c = c.still()
	return c.withCIP(ctx, signed, cip, source, func(ctx context.Context, card lifecycle.Card) (Receipt, error) {
		if card.ID != signed {
			return Receipt{}, words.Refuse("CSE-111")
		}
		card, err := c.reactivate(ctx, card)
		if err != nil {
			return Receipt{}, err
		}
		return c.byHolder(ctx, card, "card.reactivated", Reactivated, lang)
	})
}

// byHolder writes down what the holder did with his CIP, and tells him.
func (c *Counter) byHolder(ctx context.Context, card lifecycle.Card, act string, e Event, lang words.Lang) (Receipt, error) {
	now := c.d.Clock.Now()
	number, err := c.protocol(ctx, now)
	if err != nil {
		return Receipt{}, err
	}
	r := Receipt{Protocol: number, Card: card.ID, At: now}
	err = c.d.Record(ctx, journal.Entry{Act: act, Actor: "holder", Card: card.ID, Person: string(card.CF), Detail: map[string]string{"protocol": number}})
	if err != nil {
		return r, err
	}
	return r, c.tell(ctx, e, r, lang)
}

// withCIP does an act of the holder if the CIP is right; wrong ones are counted
// and told to him, at most once a day.
func (c *Counter) withCIP(ctx context.Context, which string, cip secret.Text, source string,
	act func(ctx context.Context, card lifecycle.Card) (Receipt, error),
) (Receipt, error) {
	candidates, why, err := c.candidates(ctx, which)
	if err != nil {
		return Receipt{}, err
	}
	who := triers(candidates, which, source)
	var out Receipt
	var refusal *words.Fault
	err = c.d.Atomically(ctx, func(ctx context.Context) error {
		refusal, out = nil, Receipt{}
		wait, err := c.brake.Wait(ctx, who...)
		if err != nil {
			return err
		}
		if wait > 0 {
			refusal = throttle.Refuse("CSE-402", wait)
			return nil
		}
		card, ok, err := c.matching(ctx, candidates, cip)
		if err != nil {
			return err
		}
		if !ok { // the count must be written: the act ends well, the caller is refused
			wait, err := c.brake.Failed(ctx, who...)
			if refusal = why; refusal == nil {
				refusal = throttle.Refuse("CSE-401", wait).At("cip")
			}
			if err != nil {
				return err
			}
			return c.warn(ctx, candidates)
		}
		if out, err = act(ctx, card); err != nil {
			return err
		}
		return c.brake.Clear(ctx, throttle.Subject("cip.card", card.ID))
	})
	switch {
	case errors.Is(err, lifecycle.ErrStale):
		return Receipt{}, words.Refuse("CSE-149").Because(err)
	case err != nil:
		return Receipt{}, err
	case refusal != nil:
		return Receipt{}, refusal
	}
	return out, nil
}

// warn tells the holders of cards that somebody tried a wrong CIP on, once a day
// for each card: the key of the letter is the card and the day.
func (c *Counter) warn(ctx context.Context, cards []lifecycle.Card) error {
	now := c.d.Clock.Now()
	for _, x := range cards {
		r := Receipt{Protocol: x.ID + "/" + civil.DayOf(now).String(), Card: x.ID, At: now}
		if err := c.tell(ctx, WrongCIP, r, ""); err != nil {
			return err
		}
	}
	return nil
}

// triers are who a wrong CIP is counted against: the cards it may have meant,
// however they were named, and the source.
func triers(cards []lifecycle.Card, which, source string) []string {
	who := []string{throttle.Subject("cip.source", source)}
	for _, x := range cards {
		who = append(who, throttle.Subject("cip.card", x.ID))
	}
	if len(cards) == 0 {
		who = append(who, throttle.Subject("cip.card", clean(which)))
	}
	return who
}

// candidates are the cards that a CIP can revoke. Without any, refusal says why
// when the person has a card at all; otherwise a wrong CIP and an unknown card
// must look the same.
func (c *Counter) candidates(ctx context.Context, which string) (cards []lifecycle.Card, refusal *words.Fault, err error) {
	all, err := c.cardsOf(ctx, which)
	if err != nil {
		return nil, nil, err
	}
	for _, x := range all {
		if x.HasChip() && (x.State == lifecycle.Active || x.State == lifecycle.Suspended) {
			cards = append(cards, x)
		}
	}
	current, ok := lifecycle.Current(all)
	if len(cards) > 0 || !ok {
		return cards, nil, nil
	}
	return nil, nothingToRevoke(current), nil
}

func nothingToRevoke(card lifecycle.Card) *words.Fault {
	switch {
	case !card.HasChip():
		return words.Refuse("CSE-403")
	case card.State == lifecycle.Revoked || card.State == lifecycle.Replaced:
		return words.Refuse("CSE-405", civil.DayOf(card.EndedAt).Italian())
	case card.State == lifecycle.Expired:
		return words.Refuse("CSE-406", card.Expires.Italian())
	default:
		return words.Refuse("CSE-404")
	}
}

func (c *Counter) cardsOf(ctx context.Context, which string) ([]lifecycle.Card, error) {
	which = clean(which)
	if cardNumber(which) {
		card, err := c.d.Cards.Get(ctx, which)
		if errors.Is(err, lifecycle.ErrUnknown) {
			return nil, nil
		}
		return []lifecycle.Card{card}, err
	}
	cf, err := codicefiscale.Parse(which)
	if err != nil {
		return nil, err
	}
	return c.d.Cards.ByPerson(ctx, cf)
}

// matching finds the card that cip belongs to. Every candidate is compared, so
// that the time says nothing.
func (c *Counter) matching(ctx context.Context, cards []lifecycle.Card, cip secret.Text) (lifecycle.Card, bool, error) {
	var hit lifecycle.Card
	found := false
	for _, x := range cards {
		now, err := c.d.Cards.Get(ctx, x.ID) // as it is inside the act
		if err != nil {
			return hit, false, err
		}
		if now.State != lifecycle.Active && now.State != lifecycle.Suspended {
			continue
		}
		has, err := c.d.Codes.Has(ctx, now.ID)
		if err != nil {
			return hit, false, err
		}
		if !has {
			continue
		}
		same, err := c.d.Codes.Check(ctx, now.ID, cip)
		if err != nil {
			return hit, false, err
		}
		if same {
			hit, found = now, true
		}
	}
	return hit, found, nil
}

func (c *Counter) revokeByHolder(ctx context.Context, card lifecycle.Card, lang words.Lang) (Receipt, error) {
	r, err := c.end(ctx, card, ending{
		event: lifecycle.Revoke, why: lifecycle.ByHolder, crl: cessation, actor: "holder", act: "card.revoked",
	})
	if err != nil {
		return r, err
	}
	return r, c.tell(ctx, Revoked, r, lang)
}

// tell sends a notice to the address given at activation, or else to the one
// the registry knows; without any there is nobody to tell.
func (c *Counter) tell(ctx context.Context, e Event, r Receipt, lang words.Lang) error {
	card, err := c.d.Cards.Get(ctx, r.Card)
	if err != nil {
		return err
	}
	to, known, err := c.address(ctx, card)
	if err != nil {
		return err
	}
	if lang == "" {
		lang = known
	}
	p, err := c.d.People.Get(ctx, card.CF)
	if err != nil && !errors.Is(err, registry.ErrUnknown) { // a revocation does not depend on the registry
		return err
	}
	if to == "" {
		to = p.Email
	}
	if !validEmail(to) {
		return nil
	}
	return c.enqueue(ctx, KindMailNotice+"/"+string(e)+"/"+r.Protocol, KindMailNotice, r.Card, Notice{
		Event: e, Protocol: r.Protocol, Card: r.Card, To: to, FirstName: firstName(p.Name), At: r.At, Lang: lang, Lists: c.lists(e),
	})
}

// address is the book's, or what the holder told at the last act that took an
// address, and his language.
func (c *Counter) address(ctx context.Context, card lifecycle.Card) (string, words.Lang, error) {
	if c.d.Book == nil {
		return c.toldAtActs(ctx, card)
	}
	email, _, lang, err := c.d.Book.Of(ctx, card.CF)
	return email, lang, err
}

// toldAtActs is what the holder told at the last act that took an address.
func (c *Counter) toldAtActs(ctx context.Context, card lifecycle.Card) (string, words.Lang, error) {
	e, ok, err := c.given(ctx, card.ID)
	if err != nil || !ok {
		return "", words.Italian, err
	}
	who, err := c.d.People.Get(ctx, card.CF)
	if errors.Is(err, registry.ErrUnknown) {
		return e.Contact.Email, e.Contact.Lang, nil
	}
	if err != nil {
		return "", words.Italian, err
	}
	to, err := c.stillTold(ctx, who, e)
	return to, e.Contact.Lang, err
}

// AddressOf is the address that a card's holder gave last, empty for none: for
// the check of a caller, which never shows it.
func (c *Counter) AddressOf(ctx context.Context, card lifecycle.Card) (string, error) {
	to, _, err := c.address(ctx, card)
	return to, err
}
