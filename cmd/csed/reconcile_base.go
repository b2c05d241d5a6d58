package main

import (
	"context"
	"errors"

	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/lifecycle"
)

// cardSuccession: who follows whom is written on both cards.
func (i *inspector) cardSuccession(ctx context.Context, c lifecycle.Card) error {
	for _, x := range []struct {
		id   string
		back func(lifecycle.Card) string
	}{
		{c.ReplacedBy, func(o lifecycle.Card) string { return o.Replaces }},
		{c.Replaces, func(o lifecycle.Card) string { return o.ReplacedBy }},
	} {
		if x.id == "" {
			continue
		}
		o, err := i.db.Cards().Get(ctx, x.id)
		if errors.Is(err, lifecycle.ErrUnknown) || err == nil && (x.back(o) != c.ID || !i.samePerson(c, o)) {
			i.say("card.succession", c.ID, x.id)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// samePerson: a card follows another of the same codice fiscale, or of the one
// that the Revenue Agency replaced.
func (i *inspector) samePerson(a, b lifecycle.Card) bool {
	return a.CF.Base() == b.CF.Base() || a.Reason == lifecycle.CFChanged || b.Reason == lifecycle.CFChanged
}

// cardForeign: a card of an existing base has a holder, an issuer of the trust
// list, and neither codes nor a certificate of ours.
func (i *inspector) cardForeign(ctx context.Context, c lifecycle.Card) error {
	if i.neighbour != nil {
		known := false
		for _, x := range i.neighbour.each() {
			known = known || x.signed(baseRef(c))
		}
		if !known {
			i.say("card.issuer-unknown", c.ID, c.Issuer)
		}
	}
	if _, err := i.db.Codes().Get(ctx, c.ID); err == nil {
		i.say("card.codes-left", c.ID, string(c.State))
	} else if !errors.Is(err, codes.ErrNone) {
		return err
	}
	list, err := i.db.PKI().OfCard(ctx, c.ID)
	if err != nil {
		return err
	}
	for _, r := range list {
		i.say("card.certificate-more", c.ID, r.Serial, string(r.State))
	}
	return i.cardHolder(ctx, c)
}
