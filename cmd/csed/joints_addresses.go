package main

import (
	"context"
	"slices"
	"time"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/contacts"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/parameters"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// The joints of addresses that are stopped, and of the supervisor who lets one
// through (docs/decisions/0593).

// stopAddress refuses an address that is an operator's own, or that more other
// adults have than the rule of today says: whoever reads it would hold their
// second halves. One that a supervisor let through for this person passes.
func (p *Platform) stopAddress(ctx context.Context, holder registry.Person, address string) error {
	err := p.whyStopped(ctx, holder, address)
	if words.FaultOf(err) == nil {
		return err
	}
	free, ferr := p.book.Freed(ctx, holder.CF, address)
	if ferr != nil {
		return ferr
	}
	if free {
		return nil
	}
	return err
}

func (p *Platform) whyStopped(ctx context.Context, holder registry.Person, address string) error {
	at, err := p.book.At(ctx, address)
	if err != nil {
		return err
	}
	for _, cf := range at {
		if p.directory.Works(cf) && cf.Base() != holder.CF.Base() {
			return words.Refuse("CSE-606").At("email")
		}
	}
	most, err := p.parameters.Int(ctx, parameters.AdultsAddress, p.Clock.Now())
	if err != nil {
		return err
	}
	n, err := p.book.Adults(ctx, address, holder.CF)
	if err == nil && n > most {
		err = words.Refuse("CSE-607", most).At("email")
	}
	return err
}

// addressLife is how long a request to let an address through may be decided:
// the holder is waiting at the counter.
const addressLife = 24 * time.Hour

// addressKind is the approval of it. The approval lets the address through at
// once, for that person and that address only, and for good.
func (p *Platform) addressKind() approval.Kind {
	return approval.Kind{
		Name: counter.ApprovalAddress, Asks: []staff.Role{staff.RoleOperator, staff.RoleSupervisor}, Decides: []staff.Role{staff.RoleSupervisor},
		Life: addressLife, Done: p.releaseAddress,
	}
}

// askAddress asks a supervisor to let a stopped address through for a card's
// holder. Whose address it is asks nothing (CSE-647).
func (p *Platform) askAddress(ctx context.Context, op staff.Operator, card, email, why string) error {
	s, err := p.counter.Stopped(ctx, op, card, email)
	if err != nil {
		return err
	}
	marks := p.book.Marks(s.CF, s.Email)
	if err := p.notHis(ctx, marks, op.CF); err != nil {
		return err
	}
	_, err = p.approvals.Ask(ctx, op, counter.ApprovalAddress, card, marks.Content(card, s.Masked, s.Code), why)
	return err
}

// notHis refuses an operator who reads the address himself.
func (p *Platform) notHis(ctx context.Context, marks contacts.Release, cf codicefiscale.Code) error {
	owners, err := p.book.OwnersOf(ctx, marks)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(owners, func(x codicefiscale.Code) bool { return x.Base() == cf.Base() }) {
		return words.Refuse("CSE-647")
	}
	return nil
}

// releaseAddress is what the approval does; the holder finds it among his
// activities.
func (p *Platform) releaseAddress(ctx context.Context, q approval.Request) error {
	marks, card, _, code, err := contacts.ReadRelease(q.Content)
	if err != nil {
		return err
	}
	op, err := p.directory.OperatorByAccount(q.DecidedBy)
	if err != nil {
		return err
	}
	if err := p.notHis(ctx, marks, op.CF); err != nil {
		return err
	}
	c, err := p.db.Cards().Get(ctx, card)
	if err != nil {
		return err
	}
	marks.Approval = q.ID
	if err := p.book.Free(ctx, marks); err != nil {
		return err
	}
	return p.trail.Record(ctx, journal.Entry{
		Act: "contact.released", Actor: q.DecidedBy, Office: op.Office.ID, Card: card, Person: string(c.CF),
		Detail: map[string]string{"approval": q.ID, "code": code, "motive": q.Note},
	})
}
