package main

import (
	"context"
	"errors"

	"cse.example/cse/card/cns"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/registry"
	"cse.example/cse/pki/ca"
)

// cards walks through every card: its number, holder, codes, certificate, batch
// and activation.
func (i *inspector) cards(ctx context.Context) error {
	return walk(ctx, i.db.Cards().Each, func(c lifecycle.Card) string { return c.ID }, i.card)
}

func (i *inspector) card(ctx context.Context, c lifecycle.Card) error {
	if err := i.cardSuccession(ctx, c); err != nil {
		return err
	}
	if c.Foreign() {
		return i.cardForeign(ctx, c)
	}
	if cns.CardID(c.ID).TEAM() != c.TEAM {
		i.say("card.number", c.ID, c.TEAM)
	}
	for _, look := range []func(context.Context, lifecycle.Card) error{
		i.cardHolder, i.cardCodes, i.cardCertificate, i.cardBatch, i.cardActivation,
	} {
		if err := look(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// current tells whether a card is one of which a person has only one.
func current(c lifecycle.Card) bool { return !c.State.Final() && c.ReplacedBy == "" }

func (i *inspector) cardHolder(ctx context.Context, c lifecycle.Card) error {
	_, err := i.db.People().Get(ctx, c.CF)
	if errors.Is(err, registry.ErrUnknown) {
		i.say("card.holder", c.ID)
		return nil
	}
	if err != nil || !current(c) {
		return err
	}
	others, err := i.db.Cards().ByPerson(ctx, c.CF)
	if err != nil {
		return err
	}
	for _, o := range others {
		if o.ID < c.ID && current(o) { // said once for the pair
			i.say("card.twice", c.ID, o.ID)
		}
	}
	return nil
}

// produced tells whether a card has left production, one way or the other.
func produced(s lifecycle.State) bool { return s != lifecycle.Ordered && s != lifecycle.InProduction }

func (i *inspector) cardCodes(ctx context.Context, c lifecycle.Card) error {
	_, err := i.db.Codes().Get(ctx, c.ID)
	if err != nil && !errors.Is(err, codes.ErrNone) {
		return err
	}
	has, wants := err == nil, c.HasChip() && c.State != lifecycle.Ordered && !c.State.Final()
	switch {
	case wants && !has:
		i.say("card.no-codes", c.ID, string(c.State))
	case has && !wants:
		i.say("card.codes-left", c.ID, string(c.State))
	}
	return nil
}

// cardCertificate compares a card with the certificates on record for it. While
// the card is in production, its certificate may be there before the card says so.
func (i *inspector) cardCertificate(ctx context.Context, c lifecycle.Card) error {
	list, err := i.db.PKI().OfCard(ctx, c.ID)
	if err != nil {
		return err
	}
	var own *ca.Record
	for n, r := range list {
		if r.Serial == c.CertSerial {
			own = &list[n]
		} else if r.State != ca.Revoked && c.State != lifecycle.InProduction {
			waits, err := i.waits(ctx, c, r)
			if err != nil {
				return err
			}
			if !waits {
				i.say("card.certificate-more", c.ID, r.Serial, string(r.State))
			}
		}
		if r.Person != string(c.CF) {
			i.say("certificate.holder", r.Serial, c.ID)
		}
	}
	switch {
	case !c.HasChip() && (c.CertSerial != "" || len(list) > 0):
		i.say("card.certificate-chipless", c.ID)
	case c.CertSerial != "" && own == nil:
		i.say("card.certificate-unknown", c.ID, c.CertSerial)
	case c.CertSerial == "" && c.HasChip() && produced(c.State) && !c.State.Final():
		i.say("card.no-certificate", c.ID, string(c.State))
	case own != nil:
		i.standing(c, *own)
	}
	return nil
}

func (i *inspector) standing(c lifecycle.Card, r ca.Record) {
	want := ca.Pending
	switch c.State {
	case lifecycle.Active:
		want = ca.Good
	case lifecycle.Suspended:
		want = ca.Held
	case lifecycle.Revoked, lifecycle.Replaced:
		want = ca.Revoked
	case lifecycle.Expired:
		return // lists forget an expired certificate, whatever it was
	}
	if r.State != want {
		i.say("card.certificate-state", c.ID, string(c.State), string(r.State), string(want))
	}
}

// codes walks through the codes: each belongs to a card.
func (i *inspector) codes(ctx context.Context) error {
	return walk(ctx, i.db.Codes().Each, func(id string) string { return id }, func(ctx context.Context, id string) error {
		_, err := i.db.Cards().Get(ctx, id)
		if errors.Is(err, lifecycle.ErrUnknown) {
			i.say("codes.orphan", id)
			return nil
		}
		return err
	})
}

// certificates walks through the certificates: each belongs to a card. One that
// is reserved and not signed is what a kill leaves; the next production settles
// it, and until then its card is in production.
func (i *inspector) certificates(ctx context.Context) error {
	return walk(ctx, i.db.PKI().Each, func(r ca.Record) string { return r.Serial }, func(ctx context.Context, r ca.Record) error {
		c, err := i.db.Cards().Get(ctx, r.Card)
		if errors.Is(err, lifecycle.ErrUnknown) {
			i.say("certificate.orphan", r.Serial, r.Card)
			return nil
		}
		if err != nil {
			return err
		}
		waits, err := i.waits(ctx, c, r)
		if err != nil {
			return err
		}
		if r.State == ca.Reserved && c.State != lifecycle.InProduction && !waits {
			i.say("certificate.reserved", r.Serial, r.Card, string(c.State))
		}
		if _, err := r.Certificate(); err != nil && r.State != ca.Reserved && r.State != ca.Void {
			i.say("certificate.damaged", r.Serial)
		}
		return nil
	})
}
