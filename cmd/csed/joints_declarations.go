package main

import (
	"context"
	"time"

	"cse.example/cse/issuer/archive"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/declarations"
	"cse.example/cse/issuer/operations"
	"cse.example/cse/issuer/parameters"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/portal"
)

// The joints of the checks of self-declarations.

// openDeclarations makes the room; the counter, which it asks, is there.
func (p *Platform) openDeclarations(seal declarations.AEAD) error {
	key, err := p.derived("cse.declarations/1")
	if err != nil {
		return err
	}
	p.declarations, err = declarations.New(declarations.Deps{
		Store: p.db.Declarations(), Directory: p.directory, Read: p.declared, Key: key, Seal: seal, Clock: p.Clock,
		Disown: func(ctx context.Context, op staff.Operator, protocol string) (int, error) {
			d, err := p.counter.Declaration(ctx, op, protocol)
			if err != nil {
				return 0, err
			}
			return p.counter.Disown(ctx, d)
		},
		Percent: func(ctx context.Context, at time.Time) (int, error) {
			return p.parameters.Int(ctx, parameters.SamplePercent, at)
		},
		Atomically: p.db.Atomically, Record: p.privacy.Watch(p.trail.Record),
	})
	return err
}

// sampled offers an act of the counter to the sample, in its transaction.
func (p *Platform) sampled(ctx context.Context, r counter.ActRow, asl string) error {
	return p.declarations.Sample(ctx, declarations.Row{
		Protocol: r.Protocol, Kind: string(r.Kind), Card: r.Card, Office: r.Office, ASL: asl, Operator: r.Operator, At: r.At,
	})
}

// declared is what an act says, in the room's words.
func (p *Platform) declared(ctx context.Context, op staff.Operator, protocol string) (declarations.Declared, error) {
	d, err := p.counter.Declaration(ctx, op, protocol)
	if err != nil {
		return declarations.Declared{}, err
	}
	r, doc := *d.Form.Representative, d.Form.Document
	out := declarations.Declared{
		Protocol: d.Protocol, Kind: string(d.Kind), Card: d.Card, Office: d.Form.OfficeName, Operator: d.Form.OperatorName, At: d.At,
		Holder:    declarations.Party{CF: d.Holder.CF, Surname: d.Holder.Surname, Name: d.Holder.Name, Born: d.Holder.Born},
		Declarant: declarations.Party{CF: r.CF, Surname: r.Surname, Name: r.Name, Born: r.Born},
		Quality:   string(d.Form.Present), NoCard: r.NoCard, Named: d.Named, OnPaper: r.OnPaper,
		DocumentKind: string(doc.Kind), DocumentNumber: doc.Number, DocumentIssuer: doc.Issuer, DocumentExpires: doc.Expires,
	}
	if r.Card != "" {
		out.NoCard = ""
	}
	return out, nil
}

// fileToCheck lets who checks an open case see the act's papers, with a motive as
// ever, where not is what the counter says to everybody else.
func (p *Platform) fileToCheck(ctx context.Context, op staff.Operator, protocol string, not error) (archive.File, error) {
	if !op.Has(staff.RoleSupervisor) || p.declarations.May(ctx, op, protocol) != nil {
		return archive.File{}, not
	}
	d, err := p.counter.Declaration(ctx, op, protocol)
	return archive.File{Protocol: d.Protocol, Card: d.Card, Office: d.Office, Holder: d.Holder.CF}, err
}

// declarationCounts are for the dashboard.
func (p *Platform) declarationCounts(ctx context.Context) (operations.Declarations, error) {
	n, all, err := p.db.Declarations().Counts(ctx)
	return operations.Declarations{
		All: all, Open: n[declarations.Open], Confirmed: n[declarations.Confirmed], NotConfirmed: n[declarations.NotConfirmed],
	}, err
}

// withChecksDue adds the cases that a supervisor has to check.
func (p *Platform) withChecksDue(ctx context.Context, op staff.Operator, tasks []portal.Task) ([]portal.Task, error) {
	if !op.Has(staff.RoleSupervisor) {
		return tasks, nil
	}
	list, err := p.declarations.Waiting(ctx, op)
	for _, x := range list {
		if !x.Own {
			tasks = append(tasks, portal.Task{At: x.At, Kind: "declaration", Card: x.Card, Path: portal.CheckPath(x.Protocol)})
		}
	}
	return tasks, err
}
