package main

import (
	"context"
	"time"

	"cse.example/cse/ground/lane"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/campaign"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/parameters"
	"cse.example/cse/issuer/production"
	"cse.example/cse/portal"
)

// The joints of work on many cards.

// openCampaigns makes the room; the counter, which it calls, is opened later.
func (p *Platform) openCampaigns() (err error) {
	p.campaigns, err = campaign.New(campaign.Deps{
		Store: p.db.Campaigns(), Items: p.db.CampaignItems(), Cards: p.db.Cards(), Person: p.db.People().Get,
		Longer: func(ctx context.Context, old lifecycle.Card) (bool, error) { return p.clerk().Longer(ctx, old) },
		Renew: func(ctx context.Context, old lifecycle.Card, chip production.Chip) (lifecycle.Card, bool, error) {
			return p.clerk().Renew(ctx, old, chip)
		},
		Recall: func(ctx context.Context, card string, why lifecycle.Reason, crl int) (string, bool, error) {
			return p.counter.Recall(ctx, card, why, crl)
		},
		Correct: p.correct, IssuerOf: p.issuerOf, Free: p.freeOf,
		Atomically: p.db.Atomically, Record: p.trail.Record, Clock: p.Clock,
	})
	return err
}

// campaignKinds are what needs a second person.
func (p *Platform) campaignKinds() []approval.Kind { return p.campaigns.ApprovalKinds() }

// freeOf is how many cards of a kind one person may begin with.
func (p *Platform) freeOf(ctx context.Context, k campaign.Kind) (int, error) {
	name := parameters.CampaignFree
	if k == campaign.Correction {
		name = parameters.CorrectionsFree
	}
	return p.parameters.Int(ctx, name, p.Clock.Now())
}

// correctionDays is the rule in force today (R30).
func (p *Platform) correctionDays(ctx context.Context) (int, error) {
	return p.parameters.Int(ctx, parameters.CorrectionDays, p.Clock.Now())
}

// campaignTurn is how soon a campaign that was approved begins.
const campaignTurn = 5 * time.Second

// campaign works on what runs, until ctx ends.
func (p *Platform) campaign(ctx context.Context) error {
	ctx = lane.Batch(ctx)
	every := time.NewTicker(campaignTurn)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		if _, err := p.campaigns.Work(ctx); err != nil && ctx.Err() == nil {
			p.Log.Error("campaigns", "err", err)
		}
	}
}

// campaignPages are the pages of it.
func (p *Platform) campaignPages() *portal.Campaigns {
	return &portal.Campaigns{Make: p.campaigns, Desk: p.campaigns, Issuers: p.issuerChoices}
}
