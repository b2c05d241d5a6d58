package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/campaign"
	"cse.example/cse/pki/ca"
)

// The joints of issuance: the nightly comparison of the certified keys.

// noteKeys is the store's note of the instant up to which all keys were compared.
const noteKeys = "csed.keys.compared"

// sweepMargin is how long an act of issue may take from its beginning to its end.
const sweepMargin = time.Hour

// sweepKeys compares the keys certified since the last time with all: two that
// share a prime are named in the trail, and their cards are proposed for a bulk
// revocation, which operations start and a second person approves.
func (p *Platform) sweepKeys(ctx context.Context) ([]ca.Sharing, error) {
	noted, err := p.db.Noted(ctx, noteKeys)
	if err != nil {
		return nil, err
	}
	var since time.Time
	if noted != "" {
		if since, err = time.Parse(time.RFC3339, noted); err != nil {
			return nil, fmt.Errorf("csed: %s: %w", noteKeys, err)
		}
	}
	begin := p.Clock.Now()
	found, err := ca.Sweep{Keys: p.db.PKI(), Atomically: p.db.Atomically, Record: p.trail.Record, Clock: p.Clock}.Run(ctx, since)
	if err != nil {
		return found, err
	}
	if err := p.proposeRevocation(ctx, found); err != nil {
		return found, err
	}
	return found, p.db.Atomically(ctx, func(ctx context.Context) error {
		return p.db.Note(ctx, noteKeys, begin.Add(-sweepMargin).UTC().Format(time.RFC3339))
	})
}

func (p *Platform) proposeRevocation(ctx context.Context, found []ca.Sharing) error {
	var cards []string
	for _, f := range found {
		cards = append(append(cards, f.Card), f.With...)
	}
	if len(cards) == 0 {
		return nil
	}
	slices.Sort(cards)
	cards = slices.Compact(cards)
	list := strings.Join(campaign.ListColumns, ";") + "\n"
	for _, c := range cards {
		list += c + ";" + string(campaign.WeakKey) + "\n"
	}
	name := words.Say(words.Italian, "csed.sharedprimes.campaign", civil.Today(p.Clock).Italian(), found[0].Name()[:6])
	_, err := p.campaigns.Propose(ctx, "system:ca", name, list)
	if errors.Is(err, words.Refuse("CSE-633")) {
		return nil // all have ended already
	}
	return err
}
