package main

import (
	"context"
	"errors"
	"fmt"

	"cse.example/cse/engine/queue"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/pki/ca"
)

// checkCards walks through every card and reconciles it with its codes, its
// certificate and its activation's effects.
func (p *Platform) checkCards(ctx context.Context) ([]string, error) {
	var wrong []string
	for _, s := range lifecycle.States() {
		after := ""
		for {
			cards, err := p.db.Cards().ByState(ctx, s, after, 500)
			if err != nil {
				return nil, err
			}
			for _, c := range cards {
				after = c.ID
				w, err := p.checkCard(ctx, c)
				if err != nil {
					return nil, err
				}
				for _, x := range w {
					wrong = append(wrong, fmt.Sprintf("card %s (%s): %s", c.ID, c.State, x))
				}
			}
			if len(cards) < 500 {
				break
			}
		}
	}
	return wrong, nil
}

func (p *Platform) checkCard(ctx context.Context, c lifecycle.Card) ([]string, error) {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	has, err := p.cips.Has(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	made := c.State != lifecycle.Ordered && c.State != lifecycle.InProduction
	switch {
	case c.HasChip() && made && !c.State.Final() && !has:
		say("has no codes")
	case (c.State.Final() || !c.HasChip()) && has:
		say("still has codes")
	}
	if !c.HasChip() {
		if c.CertSerial != "" {
			say("has no chip but a certificate")
		}
		return wrong, nil
	}
	w, err := p.checkCertificate(ctx, c, made)
	if err != nil {
		return nil, err
	}
	wrong = append(wrong, w...)
	if c.State == lifecycle.Active {
		w, err := p.checkActivation(ctx, c)
		return append(wrong, w...), err
	}
	return wrong, nil
}

func (p *Platform) checkCertificate(ctx context.Context, c lifecycle.Card, made bool) ([]string, error) {
	if c.CertSerial == "" {
		if made && !c.State.Final() {
			return []string{"has no certificate"}, nil
		}
		return nil, nil
	}
	r, err := p.authority.Get(ctx, c.CertSerial)
	if errors.Is(err, ca.ErrUnknown) {
		return []string{"its certificate is not on record"}, nil
	}
	if err != nil {
		return nil, err
	}
	want := map[lifecycle.State]ca.State{lifecycle.Active: ca.Good, lifecycle.Suspended: ca.Held, lifecycle.Revoked: ca.Revoked, lifecycle.Replaced: ca.Revoked}[c.State]
	if want == "" && c.State != lifecycle.Expired {
		want = ca.Pending
	}
	var wrong []string
	if want != "" && r.State != want {
		wrong = append(wrong, fmt.Sprintf("its certificate is %s, not %s", r.State, want))
	}
	if r.Card != c.ID {
		wrong = append(wrong, "its certificate is another card's")
	}
	return wrong, nil
}

// checkActivation: an active card was activated once, and its form and letter
// were asked for.
func (p *Platform) checkActivation(ctx context.Context, c lifecycle.Card) ([]string, error) {
	rows, err := p.db.Activations().ByCard(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	if len(rows) != 1 {
		return []string{fmt.Sprintf("was activated %d times", len(rows))}, nil
	}
	var wrong []string
	for _, key := range []string{counter.PrintKey(rows[0].Protocol), counter.MailKey(rows[0].Protocol)} {
		if _, err := p.queue.Get(ctx, key); errors.Is(err, queue.ErrUnknown) {
			wrong = append(wrong, "its activation did not ask for "+key)
		} else if err != nil {
			return nil, err
		}
	}
	return wrong, nil
}
