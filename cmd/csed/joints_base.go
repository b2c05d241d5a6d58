package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"cse.example/cse/ground/effect"
	"cse.example/cse/issuer/cardbase"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/login/door"
	"cse.example/cse/login/identity"
)

// Cards of an existing base were certified by somebody else: that issuer's list
// says what the certificate is worth, our record what the card is, and whoever
// wants in needs both.

// foreign is the imported card with a certificate; empty for one of ours.
func (c certificates) foreign(ctx context.Context, serial string) (lifecycle.Card, error) {
	card, err := c.p.db.Cards().ByCertificate(ctx, serial)
	if errors.Is(err, lifecycle.ErrUnknown) || err == nil && !card.Foreign() {
		return lifecycle.Card{}, nil
	}
	return card, err
}

// ask leaves a request for the card's issuer, in the act of ctx: we cannot move
// its certificates. Our record, and so the door, has moved already.
func (c certificates) ask(ctx context.Context, card lifecycle.Card, act string, reason int) error {
	if card.ID == "" {
		return nil
	}
	b, err := json.Marshal(cardbase.Request{
		Issuer: card.Issuer, Serial: card.CertSerial, Card: card.ID, Act: act, Reason: reason, At: c.p.Clock.Now().UTC(),
	})
	if err != nil {
		return err
	}
	key := cardbase.KindRequest + "/" + card.ID + "/" + strconv.FormatInt(card.Version, 10)
	if err := c.p.queue.Enqueue(ctx, effect.Effect{Key: key, Kind: cardbase.KindRequest, Card: card.ID, Body: b}); err != nil {
		return err
	}
	if c.p.login == nil || act == "release" {
		return nil
	}
	_, err = c.p.login.EndFor(ctx, card.ID)
	return err
}

// requestsDir is where requests to issuers wait for operations to send them.
func (c *Config) requestsDir() string { return c.under("issuer-requests") }

// askIssuer writes a request as a file of its own, signed; written again, it is
// the same.
func (p *Platform) askIssuer(_ context.Context, e effect.Effect, _ int) error {
	var r cardbase.Request
	if err := json.Unmarshal(e.Body, &r); err != nil {
		return errors.Join(effect.ErrPermanent, err)
	}
	if err := os.MkdirAll(p.Config.requestsDir(), 0o700); err != nil {
		return err
	}
	name := strings.ReplaceAll(strings.TrimPrefix(e.Key, cardbase.KindRequest+"/"), "/", "-") + ".json"
	path := filepath.Join(p.Config.requestsDir(), name)
	if _, err := os.Stat(filepath.Join(issuers{p}.sent(), name)); err == nil {
		return nil // it has gone already
	}
	if err := os.WriteFile(path+".part", append(e.Body, '\n'), 0o600); err != nil {
		return err
	}
	if err := p.signRequest(name, append(e.Body, '\n')); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

// baseStanding adds our record to the word of another issuer's list.
func (p *Platform) baseStanding(ctx context.Context, ref identity.CardRef) (door.CertStatus, error) {
	c, err := p.db.Cards().Get(ctx, ref.ID)
	if errors.Is(err, lifecycle.ErrUnknown) || err == nil && !c.Foreign() {
		return door.CertStatus{State: door.Good}, nil // another Region's card
	}
	if err != nil {
		return door.CertStatus{}, err
	}
	card, err := p.doorCard(ctx, ref.ID)
	if err != nil {
		return door.CertStatus{}, err
	}
	switch {
	case serialOf(ref.SerialNumber()) != c.CertSerial:
		return door.CertStatus{State: door.NeverIssued}, nil // not the certificate on record
	case card.State == door.Active && !card.Deceased && !card.NotAssisted:
		return door.CertStatus{State: door.Good}, nil
	case card.State == door.Suspended, card.State == door.NotActivated:
		return door.CertStatus{State: door.Held, At: c.SuspendedAt}, nil
	}
	return door.CertStatus{State: door.Revoked, At: c.EndedAt}, nil
}

// baseRef is how login knows a card of the base.
func baseRef(c lifecycle.Card) identity.CardRef {
	serial := "0"
	if n, ok := new(big.Int).SetString(c.CertSerial, 16); ok {
		serial = n.Text(16)
	}
	return identity.CardRef{
		ID: c.ID, Issuer: c.Issuer, Serial: serial, NotBefore: c.Issued.Start(), NotAfter: c.CertUntil().End(),
	}
}

func serialOf(n *big.Int) string {
	s := n.Text(16)
	return strings.Repeat("0", max(0, 32-len(s))) + s
}

// ImportBase brings in the cards that an authority of the trust list certified.
func (p *Platform) ImportBase(ctx context.Context, authority []byte, r io.Reader, progress func(int)) (cardbase.Report, error) {
	by, err := p.baseIssuer(authority)
	if err != nil {
		return cardbase.Report{}, err
	}
	i, err := cardbase.New(cardbase.Importer{
		Cards: p.db.Cards(), People: p.db.People(), Issuer: by, Reserve: p.clerk().Reserve,
		Atomically: p.db.Atomically, Record: p.trail.Record, Clock: p.Clock, Progress: progress,
	})
	if err != nil {
		return cardbase.Report{}, err
	}
	return i.Import(ctx, r)
}

// difference is a card whose record and whose issuer's list do not agree.
type difference struct {
	Card       string
	Here, List string
}

// reconcileBase holds every imported card against its issuer's list. The error
// of a list that is missing or too old ends it: silence is no consent.
func (p *Platform) reconcileBase(ctx context.Context) (looked int, out []difference, err error) {
	err = walk(ctx, p.db.Cards().Each, func(c lifecycle.Card) string { return c.ID }, func(ctx context.Context, c lifecycle.Card) error {
		if !c.Foreign() || c.CertSerial == "" || c.State == lifecycle.Expired || p.Clock.Now().After(c.CertUntil().End()) {
			return nil // lists forget an expired certificate
		}
		ref, now := baseRef(c), p.Clock.Now()
		st, err := p.neighbour.judge(ref, func(x *neighbour) (door.CertStatus, error) {
			if x.crl != "" { // one list for all of them; a responder is asked where there is none
				return x.listed(ref, now)
			}
			return x.standing(ctx, ref, now)
		})
		if err != nil {
			return err
		}
		looked++
		list, fits := "good", !c.State.Final() && c.State != lifecycle.Suspended
		switch st.State {
		case door.Held:
			list, fits = "held", c.State == lifecycle.Suspended
		case door.Revoked:
			list, fits = "revoked", c.State.Final()
		}
		if !fits {
			out = append(out, difference{c.ID, string(c.State), list})
		}
		return nil
	})
	return looked, out, err
}
