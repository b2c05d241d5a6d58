package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"cse.example/cse/engine/queue"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
)

// cardActivation: a card was activated once if it ever was, and not otherwise.
func (i *inspector) cardActivation(ctx context.Context, c lifecycle.Card) error {
	rows, err := i.db.Acts().ByCard(ctx, c.ID)
	if err != nil {
		return err
	}
	n := 0
	for _, r := range rows {
		if r.Kind == counter.KindActivation || r.Kind == counter.KindSuccessor {
			n++
		}
	}
	want := 0
	if !c.ActivatedAt.IsZero() {
		want = 1
	}
	if (c.State == lifecycle.Active || c.State == lifecycle.Suspended) && want == 0 {
		i.say("card.never-activated", c.ID, string(c.State))
	}
	if n != want {
		i.say("card.activations", c.ID, n, want)
	}
	return nil
}

// noticeKey is the key of the notice that an activation sends.
func noticeKey(protocol string) string {
	return counter.KindMailNotice + "/" + string(counter.Activated) + "/" + protocol
}

// activations walks through the acts at counters: a card, and one journal entry;
// of an activation also what was asked for: the form, the letter with the second
// halves, the notice.
func (i *inspector) activations(ctx context.Context) error {
	return walk(ctx, i.db.Acts().Each, func(a counter.ActRow) string { return a.Protocol }, i.activation)
}

func (i *inspector) activation(ctx context.Context, a counter.ActRow) error {
	_, err := i.db.Cards().Get(ctx, a.Card)
	if errors.Is(err, lifecycle.ErrUnknown) {
		i.say("activation.orphan", a.Protocol, a.Card)
	} else if err != nil {
		return err
	}
	n, err := i.journalled(ctx, a)
	if err != nil {
		return err
	}
	if n != 1 && !a.At.Before(i.since) {
		i.say("activation.journal", a.Protocol, a.Card, n)
	}
	if a.PrintedAt.IsZero() && !a.HandedAt.IsZero() {
		i.say("activation.unprinted", a.Protocol, a.Card)
	}
	if a.Kind != counter.KindActivation {
		return nil
	}
	keys := []string{counter.PrintKey(a.Protocol), counter.MailKey(a.Protocol), noticeKey(a.Protocol)}
	if _, err := i.queue.Get(ctx, counter.LetterKey(a.Protocol)); err == nil {
		keys = []string{counter.PrintKey(a.Protocol), counter.LetterKey(a.Protocol)} // no address: by post
	}
	for _, key := range keys {
		item, err := i.queue.Get(ctx, key)
		switch {
		case errors.Is(err, queue.ErrUnknown):
			i.say("activation.effect", a.Protocol, a.Card, key)
		case err != nil:
			return err
		case item.Card != a.Card:
			i.say("activation.effect-card", a.Protocol, a.Card, key, item.Card)
		case key == counter.PrintKey(a.Protocol) && !a.HandedAt.IsZero() && (item.Held || item.State != queue.Done && item.State != queue.Dropped):
			i.say("activation.form", a.Protocol, a.Card)
		}
	}
	return nil
}

// afterwards are the acts of the journal that follow an act at a counter.
var afterwards = []string{
	"codes.printed", "codes.shown", "codes.handed-over", "papers.printed", "papers.copied", "papers.handed-over", "codes.undelivered",
	"paper.archived", "paper.seen", "codes.to-reader", "codes.written", "card.read-at-desk", "card.tested-at-desk", "desk.failed",
	"declaration.confirmed", "declaration.not-confirmed", "card.held",
}

// journalled counts the trail's entries for an act, those of its papers apart.
func (i *inspector) journalled(ctx context.Context, a counter.ActRow) (int, error) {
	n := 0
	for after := int64(0); ; {
		recs, err := i.trail.ByCard(ctx, a.Card, after, pageSize)
		if err != nil || len(recs) == 0 {
			return n, err
		}
		for _, r := range recs {
			after = r.Index
			if !slices.Contains(afterwards, r.Act) && r.Detail["protocol"] == a.Protocol {
				n++
			}
		}
	}
}

// effects walks through forms and letters: each belongs to an activation.
func (i *inspector) effects(ctx context.Context) error {
	for _, kind := range []string{counter.KindPrintCodes, counter.KindMailCodes} {
		page := func(ctx context.Context, after string, limit int) ([]queue.Item, error) {
			return i.queue.List(ctx, queue.Filter{Kind: kind, After: after, Limit: limit})
		}
		err := walk(ctx, page, func(x queue.Item) string { return x.Key }, func(ctx context.Context, x queue.Item) error {
			_, err := i.db.Acts().Find(ctx, strings.TrimPrefix(x.Key, kind+"/"), "")
			if errors.Is(err, counter.ErrNotFound) {
				i.say("effect.orphan", x.Key)
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
