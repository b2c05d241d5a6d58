package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/secret"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/desk"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/portal"
	"cse.example/cse/portal/api"
)

// The joints of the counters' readers.

func (p *Platform) openDesk() (err error) {
	p.desk, err = desk.New(desk.Deps{
		Desks: p.Config.Desks, Store: p.db.Desk(), Clock: p.Clock, Atomically: p.db.Atomically, Enqueue: p.queue.Enqueue, Record: p.trail.Record,
		Written: func(ctx context.Context, protocol string) error { return p.counter.Written(ctx, protocol) },
	})
	if err != nil {
		return errors.Join(errUsage, err)
	}
	return nil
}

// renewer gives cards new codes; nobody does where no desk has a reader.
func (p *Platform) renewer() (codes.Renewer, error) {
	s, err := codes.LoadSealer(p.Config.under("keys"), p.Config.Issue.Codes, p.cips)
	if err != nil {
		return codes.Renewer{}, err
	}
	return codes.Renewer{Renewals: p.db.Codes(), Maker: &codes.Maker{Sealer: s, Store: p.db.Codes(), Rand: rand.Reader}}, nil
}

// seen tells the counter that its reader read a card.
func (p *Platform) seen(ctx context.Context, op staff.Operator, job, card string) error {
	return p.desk.Seen(ctx, op, job, card)
}

// tested are the lights that the counter's reader found.
func (p *Platform) tested(ctx context.Context, op staff.Operator, job, card string) (counter.Lights, error) {
	f, err := p.desk.Tested(ctx, op, job, card)
	if err != nil {
		return counter.Lights{}, err
	}
	return counter.Lights{
		ATR: f.ATR != "", Files: f.Files, Certificate: f.Certificate, PIN: !f.PINShut, PUK: !f.PUKShut, Number: f.Card != "", Answer: f.ATR,
	}, nil
}

func (p *Platform) readers() *portal.Readers {
	return &portal.Readers{Reader: p.desk, ToWrite: p.counter.ToWrite, MayActivate: p.counter.MayActivate, Tested: p.tested}
}

// withDesks puts the readers' interface before the providers', on their host.
func (p *Platform) withDesks(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(api.DeskPrefix, api.NewDesk(knownDesks{p.desk, p}, p.Log))
	mux.Handle("/", next)
	return mux
}

// chipOpener opens one process's halves of what a chip holds.
type chipOpener interface {
	ChipHalves(ctx context.Context, card string) (pin, puk secret.Text, err error)
}

// forReader seals one process's halves to the program at a reader: those of the
// new codes, and of the PUK that the chip still holds.
func (p *Platform) forReader(half int, now, before chipOpener) effect.Handler {
	return func(ctx context.Context, e effect.Effect, _ int) error {
		var w desk.Wanted
		if err := json.Unmarshal(e.Body, &w); err != nil {
			return fmt.Errorf("read what a reader wants: %w", err)
		}
		pin, puk, err := now.ChipHalves(ctx, w.Card)
		if err != nil {
			return err
		}
		oldPIN, old, err := before.ChipHalves(ctx, w.Card)
		if errors.Is(err, codes.ErrNone) {
			return nil // written meanwhile: nobody needs them
		}
		if err != nil {
			return err
		}
		oldPIN.Wipe()
		sealed, err := desk.Seal(w, half, pin, puk, old)
		if err != nil {
			return err
		}
		return p.db.Atomically(ctx, func(ctx context.Context) error { return p.db.Desk().SetPiece(ctx, w.Job, half, sealed) })
	}
}
