package main

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/production/exchange"
)

// cardBatch: a card that is or was made says in which batch, and the batch
// knows it.
func (i *inspector) cardBatch(ctx context.Context, c lifecycle.Card) error {
	if c.Batch == "" {
		if c.State != lifecycle.Ordered && !c.State.Final() {
			i.say("card.no-batch", c.ID, string(c.State))
		}
		return nil
	}
	if c.State == lifecycle.Ordered {
		i.say("card.batch-early", c.ID, c.Batch)
	}
	_, err := i.db.Batches().Get(ctx, c.Batch)
	if errors.Is(err, production.ErrUnknown) {
		i.say("card.batch-unknown", c.ID, c.Batch)
		return nil
	}
	return err
}

// finished tells whether nothing is expected from the bureau any more.
func finished(s production.State) bool { return s == production.Received || s == production.Sent }

// batches walks through the batches: counts, and every card of each.
func (i *inspector) batches(ctx context.Context) error {
	all, err := i.db.Batches().List(ctx, false)
	if err != nil {
		return err
	}
	for _, b := range all {
		if err := i.batch(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

func (i *inspector) batch(ctx context.Context, b production.Batch) error {
	known, chips := map[string]bool{}, 0
	page := func(ctx context.Context, after string, limit int) ([]production.Item, error) {
		return i.db.Batches().Items(ctx, b.ID, after, limit)
	}
	err := walk(ctx, page, func(x production.Item) string { return x.Card }, func(ctx context.Context, x production.Item) error {
		known[x.Card] = true
		if x.Chip {
			chips++
		}
		return i.item(ctx, b, x)
	})
	if err != nil {
		return err
	}
	if len(known) != b.Cards || chips != b.Chips {
		i.say("batch.count", b.ID, b.Cards, b.Chips, len(known), chips)
	}
	if finished(b.State) && b.Made+b.Spoiled != b.Cards {
		i.say("batch.receipt", b.ID, b.Made, b.Spoiled, b.Cards)
	}
	members := func(ctx context.Context, after string, limit int) ([]lifecycle.Card, error) {
		return i.db.Cards().ByBatch(ctx, b.ID, after, limit)
	}
	return walk(ctx, members, func(c lifecycle.Card) string { return c.ID }, func(_ context.Context, c lifecycle.Card) error {
		if !known[c.ID] {
			i.say("batch.outsider", b.ID, c.ID)
		}
		return nil
	})
}

// item is one card of a batch. A spoiled one is ordered again and goes its own
// way; one that has ended stays as it is.
func (i *inspector) item(ctx context.Context, b production.Batch, x production.Item) error {
	c, err := i.db.Cards().Get(ctx, x.Card)
	if errors.Is(err, lifecycle.ErrUnknown) {
		i.say("batch.card-unknown", b.ID, x.Card)
		return nil
	}
	if err != nil {
		return err
	}
	if x.Chip != c.HasChip() {
		i.say("batch.chip", b.ID, c.ID)
	}
	if finished(b.State) {
		if x.Outcome != exchange.Made && x.Outcome != exchange.Spoiled {
			i.say("batch.outcome", b.ID, c.ID)
		}
		if len(x.Job)+len(x.Certificate)+len(x.Personal)+len(x.SPKI) > 0 {
			i.say("batch.kept", b.ID, c.ID)
		}
	}
	if x.Outcome == exchange.Spoiled || c.State.Final() {
		return nil
	}
	if c.Batch != b.ID {
		i.say("batch.elsewhere", b.ID, c.ID, c.Batch)
		return nil
	}
	if made := x.Outcome == exchange.Made; made != produced(c.State) || b.State == production.Sent && c.State == lifecycle.Produced {
		i.say("batch.state", b.ID, c.ID, string(b.State), string(c.State))
	}
	return nil
}

// batchFiles: nothing lies in the exchange folder for a batch that is posted or
// that nobody knows. (A kill during reconciliation leaves files of a batch that
// is received: the next step removes them.)
func (i *inspector) batchFiles(ctx context.Context) error {
	folder := exchange.Folder(i.Config.under(i.Config.Issue.Exchange))
	for _, kind := range []exchange.Kind{exchange.Order, exchange.Keys, exchange.Certificates, exchange.Receipt} {
		batches, err := folder.List(kind)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, id := range batches {
			b, err := i.db.Batches().Get(ctx, id)
			if err != nil && !errors.Is(err, production.ErrUnknown) {
				return err
			}
			if err != nil || b.State == production.Sent {
				i.say("batch.file", id, strings.ToUpper(string(kind)))
			}
		}
	}
	return nil
}
