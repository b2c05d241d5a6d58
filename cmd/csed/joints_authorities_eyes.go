package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/campaign"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/pki/ca"
)

// The joints of what two people do with an authority: give it its turn, and
// declare its key unsafe.

// How long a request, and then its approval, may be used. A lost key does not wait.
const (
	rotationLife   = 72 * time.Hour
	revocationLife = 24 * time.Hour
)

// authorityKinds are what needs a second person.
func authorityKinds() []approval.Kind {
	who := []staff.Role{staff.RoleSecurity, staff.RoleOperations}
	return []approval.Kind{
		{Name: ca.AskRotation, Asks: who, Decides: who, Life: rotationLife},
		{Name: ca.AskRevocation, Asks: who, Decides: who, Life: revocationLife},
	}
}

// officer is the account in whose name a command asks (CSE-555).
func (p *Platform) officer(account string) (staff.Operator, error) {
	op, err := p.directory.OperatorByAccount(account)
	if err != nil || !op.Has(staff.RoleSecurity) && !op.Has(staff.RoleOperations) {
		return staff.Operator{}, words.Refuse("CSE-555").Because(errors.Join(errUsage, err))
	}
	return op, nil
}

// twoPeople does act if a second person approved exactly what a says, and asks for
// it otherwise (CSE-928). Approval and act are one transaction.
func (p *Platform) twoPeople(ctx context.Context, op staff.Operator, a ca.Asking, why string, act func(ctx context.Context) error) error {
	err := p.db.Atomically(ctx, func(ctx context.Context) error {
		if err := p.approvals.Spend(ctx, a.Act, a.Label, a.Content()); err != nil {
			return err
		}
		return act(ctx)
	})
	if !errors.Is(err, approval.ErrNone) {
		return err
	}
	if _, err := p.approvals.AskFor(ctx, op.Account, a.Act, a.Label, a.Content(), why); err != nil {
		return err
	}
	return words.Refuse("CSE-928", a.Label, a.Fingerprint)
}

// rotateAuthority gives the turn to an authority (two people).
func (p *Platform) rotateAuthority(ctx context.Context, op staff.Operator, label, why string) error {
	e, err := p.authority.Ready(ctx, label)
	if err != nil {
		return err
	}
	a := ca.Asking{Act: ca.AskRotation, Label: label, Fingerprint: e.Fingerprint()}
	return p.twoPeople(ctx, op, a, why, func(ctx context.Context) error { return p.authority.Rotate(ctx, op.Account, label) })
}

// Ended is what the revocation of an authority came to.
type Ended struct {
	// Cards were ended with their holders told, Failed could not be; Certificates
	// were what was left: waiting to take another's place, or never signed.
	Cards, Failed, Certificates int
}

// revokeAuthority declares an authority's key unsafe (two people) and ends
// everything that it issued. Called again it goes on where it was.
func (p *Platform) revokeAuthority(ctx context.Context, op staff.Operator, label, next, why string) (Ended, error) {
	e, err := p.authority.Find(ctx, label)
	if err != nil {
		return Ended{}, err
	}
	if !e.Revoked() {
		if err := p.declareUnsafe(ctx, op, e, next, why); err != nil {
			return Ended{}, err
		}
	}
	return p.endAuthority(ctx, op, e)
}

func (p *Platform) declareUnsafe(ctx context.Context, op staff.Operator, e ca.Entry, next, why string) error {
	a := ca.Asking{Act: ca.AskRevocation, Label: e.Label, Fingerprint: e.Fingerprint()}
	switch now, err := p.authority.Current(); {
	case err == nil && now.ID() == e.ID && (next == "" || next == e.Label):
		return words.Refuse("CSE-931", e.Label)
	case err == nil && now.ID() == e.ID:
		to, err := p.authority.Ready(ctx, next)
		if err != nil {
			return err
		}
		a.Next, a.NextFingerprint = next, to.Fingerprint()
	default:
		next = ""
	}
	return p.twoPeople(ctx, op, a, why, func(ctx context.Context) error {
		return p.authority.Compromise(ctx, op.Account, e.Label, next, ca.KeyCompromise)
	})
}

// endAuthority ends, card by card, what an unsafe authority certified: each card
// with its notice and its successor in one act (a bulk revocation, approved with
// the authority's), then what is left of its certificates.
func (p *Platform) endAuthority(ctx context.Context, op staff.Operator, e ca.Entry) (Ended, error) {
	var sum Ended
	cert, err := e.Certificate()
	if err != nil {
		return sum, err
	}
	issuer := issuerID(cert.RawSubject, cert.SubjectKeyId)
	q, err := p.approvals.Last(ctx, ca.AskRevocation, e.Label)
	if err != nil {
		return sum, err
	}
	for n := 1; ; n++ {
		c, fresh, err := p.campaigns.EndIssuer(ctx, op, q.DecidedBy, fmt.Sprintf("autorità %s %d", e.Label, n), issuer)
		if errors.Is(err, words.Refuse("CSE-633")) {
			break // no card is left
		}
		if err != nil {
			return sum, err
		}
		if _, err := p.campaigns.Work(ctx); err != nil {
			return sum, err
		}
		counts, err := p.db.CampaignItems().Counts(ctx, c.ID)
		if err != nil {
			return sum, err
		}
		sum.Cards += counts[campaign.Done]
		sum.Failed = counts[campaign.Failed]
		if fresh && counts[campaign.Done] == 0 {
			break // what is left cannot be ended so: the campaign's page says why
		}
	}
	sum.Certificates, err = p.authority.Leftovers(ctx, e.ID, func(ctx context.Context, r ca.Record) error {
		return certificates{p}.Revoke(ctx, r.Serial, ca.CACompromise)
	})
	return sum, err
}
