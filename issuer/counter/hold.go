package counter

import (
	"context"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// The hold for new codes (minors.at18: hold, decision 0767). Whoever stood for the
// holder still knows the codes; so the CNS waits, by a reason of its own, until
// new codes have been given, in person, to who may have them today, and are in the
// chip. The old CIP does not lift it, nor does a counter without new codes, nor the
// card's own signature; and while it lasts the old CIP does nothing else either: a
// revocation is final, and would be somebody's whose rights have ended.

// holdFor puts on hold the cards of a holder whose codes one of those had whose
// titles are over. Cards that ended, never were active, or are suspended for a
// loss stay as they are.
func (c *Counter) holdFor(ctx context.Context, p registry.Person, over []Link) (held bool, err error) {
	cards, err := c.d.Cards.ByPerson(ctx, p.CF)
	if err != nil {
		return false, err
	}
	for _, card := range cards {
		had, err := c.toHold(ctx, card, over)
		if err != nil {
			return held, err
		}
		if !had {
			continue
		}
		was := card.State
		card, err = lifecycle.Move(card, lifecycle.Suspend, lifecycle.RepresentationEnded, c.d.Clock.Now())
		if err != nil {
			return held, err
		}
		if card, err = c.d.Cards.Put(ctx, card); err != nil {
			return held, err
		}
		if was == lifecycle.Active {
			if err := c.d.Certificates.Hold(ctx, card.CertSerial); err != nil {
				return held, err
			}
		}
		held = true
		err = c.d.Record(ctx, journal.Entry{
			Act: "card.held", Actor: "system:night", Card: card.ID, Person: string(p.CF),
			Detail: map[string]string{"reason": string(lifecycle.RepresentationEnded), "protocol": over[0].Protocol},
		})
		if err != nil {
			return held, err
		}
	}
	return held, nil
}

// toHold tells whether a card is one to put on hold.
func (c *Counter) toHold(ctx context.Context, card lifecycle.Card, over []Link) (bool, error) {
	usable := card.State == lifecycle.Active || card.State == lifecycle.Suspended &&
		(card.Reason == lifecycle.ByHolder || card.Reason == lifecycle.Unconfirmed)
	if !usable || !card.HasChip() {
		return false, nil
	}
	return c.givenTo(ctx, card.ID, func(cf codicefiscale.Code) (bool, error) {
		for _, l := range over {
			if l.Representative.Base() == cf.Base() {
				return true, nil
			}
		}
		return false, nil
	})
}

// givenTo tells whether the codes that a card has now were given to a
// representative of whom who says so. New codes count from the moment they are in
// the chip: until then the PIN of the former ones opens it.
func (c *Counter) givenTo(ctx context.Context, card string, who func(cf codicefiscale.Code) (bool, error)) (bool, error) {
	rows, err := c.d.Acts.ByCard(ctx, card) // newest first
	if err != nil {
		return false, err
	}
	for _, r := range rows {
		if r.Kind != KindActivation && r.Kind != KindReprint && r.Kind != KindNewCodes {
			continue
		}
		e, err := c.evidence(r)
		if err != nil {
			return false, err
		}
		x := e.Identity.Representative
		if x != nil && (e.Identity.Present == PresentParent || e.Identity.Present == PresentGuardian) {
			if had, err := who(x.CF); err != nil || had {
				return had, err
			}
		}
		if r.Kind != KindNewCodes {
			continue
		}
		waiting := false
		if c.d.Renew != nil {
			if waiting, err = c.d.Renew.Pending(ctx, card); err != nil {
				return false, err
			}
		}
		if !waiting {
			return false, nil // whatever was handed out before counts no more
		}
	}
	return false, nil
}

// CodesToChange tells whether somebody had a card's codes who stands for the
// holder no more: new ones are offered.
func (c *Counter) CodesToChange(ctx context.Context, card lifecycle.Card) (bool, error) {
	if !card.HasChip() || card.State != lifecycle.Active && card.State != lifecycle.Suspended {
		return false, nil
	}
	p, err := c.person(ctx, card.CF)
	if err != nil {
		return false, err
	}
	return c.givenTo(ctx, card.ID, func(cf codicefiscale.Code) (bool, error) {
		stands, err := c.Stands(ctx, p, cf)
		return !stands, err
	})
}

// HoldDue tells, from midnight on and before anybody has looked, that a card will
// be on hold: the door asks it where MajorityHold is configured.
func (c *Counter) HoldDue(ctx context.Context, card lifecycle.Card) (bool, error) {
	if card.State != lifecycle.Active || !card.HasChip() {
		return false, nil
	}
	p, over, err := c.over(ctx, card.CF)
	if err != nil || len(over) == 0 {
		return false, err
	}
	gone, err := c.gone(ctx, p, over)
	if err != nil {
		return false, err
	}
	return c.toHold(ctx, card, gone)
}

// waitsForCodes refuses what only new codes can undo: CSE-765, and CSE-753 where a
// title was not confirmed (disown.go).
func waitsForCodes(card lifecycle.Card) error {
	switch {
	case card.State != lifecycle.Suspended:
	case card.Reason == lifecycle.RepresentationEnded:
		return words.Refuse("CSE-765")
	case card.Reason == lifecycle.Unconfirmed:
		return words.Refuse("CSE-753")
	}
	return nil
}

// lift ends the hold, in the act of ctx: the new codes of act r are in the chip. It
// does nothing for codes that were given to somebody who meanwhile stands for the
// holder no more.
func (c *Counter) lift(ctx context.Context, r ActRow) error {
	card, err := c.d.Cards.Get(ctx, r.Card)
	if err != nil || waitsForCodes(card) == nil {
		return err
	}
	e, err := c.evidence(r)
	if err != nil {
		return err
	}
	if x := e.Identity.Representative; x != nil {
		p, err := c.person(ctx, card.CF)
		if err != nil {
			return err
		}
		if stands, err := c.Stands(ctx, p, x.CF); err != nil || !stands {
			return err
		}
	}
	if card, err = c.release(ctx, card); err != nil {
		return err
	}
	now := c.d.Clock.Now()
	err = c.d.Record(ctx, journal.Entry{
		Act: "card.reactivated", Actor: r.Operator, Office: r.Office, Card: card.ID, Person: string(card.CF),
		Detail: map[string]string{"file": r.Protocol, "with": "new-codes"},
	})
	if err != nil {
		return err
	}
	return c.tell(ctx, Reactivated, Receipt{Protocol: r.Protocol, Card: card.ID, At: now}, "")
}
