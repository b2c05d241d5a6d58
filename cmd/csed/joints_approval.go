package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/parameters"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/portal"
)

// The joints of what needs two people, and of the rules that change by it.

// reprintLife is how long a request for a third reprint, and then its approval,
// may be used: the holder is waiting at the counter.
const reprintLife = 24 * time.Hour

func (p *Platform) openApprovals() (err error) {
	p.parameters = &parameters.Room{Store: p.db.Parameters(), Clock: p.Clock, Defaults: p.Config.parameterDefaults()}
	if err = p.openCampaigns(); err != nil {
		return err
	}
	p.approvals, err = approval.New(approval.Deps{
		Store: p.db.Approvals(), Directory: p.directory, Atomically: p.db.Atomically, Record: p.trail.Record, Clock: p.Clock,
		Kinds: append(slices.Concat(p.campaignKinds(), p.roster.Kinds(), p.escrowKinds(), auditKinds(), p.trustKinds(), authorityKinds(), profileKinds()), p.parameters.Kind(), p.addressKind(), approval.Kind{
			Name: counter.ApprovalThirdReprint, Asks: []staff.Role{staff.RoleOperator, staff.RoleSupervisor}, Decides: []staff.Role{staff.RoleSupervisor}, Life: reprintLife,
		}),
	})
	if err == nil {
		p.parameters.Ask, p.campaigns.Approvals = p.approvals.Ask, p.approvals
		p.roster.Asks(p.approvals.Ask)
		if p.trusted != nil {
			p.trusted.Ask = p.approvals.Ask
		}
	}
	return err
}

// approved spends an approval for the counter; without one the act says what to do.
func (p *Platform) approved(ctx context.Context, kind, subject string, content []byte) error {
	err := p.approvals.Spend(ctx, kind, subject, content)
	if errors.Is(err, approval.ErrNone) {
		return words.Refuse("CSE-452").Because(err)
	}
	return err
}

// freeReprints is how many need no supervisor today.
func (p *Platform) freeReprints(ctx context.Context) (int, error) {
	return p.parameters.Int(ctx, parameters.Reprints, p.Clock.Now())
}

// askReprint asks a supervisor for a card's next reprint.
func (p *Platform) askReprint(ctx context.Context, op staff.Operator, card, why string) error {
	content, err := p.counter.ReprintToApprove(ctx, card)
	if err != nil || content == nil {
		return err
	}
	_, err = p.approvals.Ask(ctx, op, counter.ApprovalThirdReprint, card, content, why)
	return err
}

// fourEyes are the pages of it.
func (p *Platform) fourEyes() *portal.FourEyes {
	return &portal.FourEyes{Approvals: p.approvals, Parameters: p.parameters, AskReprint: p.askReprint, AskAddress: p.askAddress}
}
