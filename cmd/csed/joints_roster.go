package main

import (
	"context"
	"crypto/rand"

	"cse.example/cse/issuer/parameters"
	"cse.example/cse/issuer/roster"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/portal"
)

// The joints of who works at the counters.

func (p *Platform) openRoster(desk staff.AEAD) (err error) {
	p.roster, err = roster.New(roster.Deps{
		Store: p.db.Roster(), Directory: p.directory, Seal: desk, Tries: p.db.Tries(), Atomically: p.db.Atomically,
		Record: p.trail.Record, Clock: p.Clock, Rand: rand.Reader, Log: p.Log,
		ReviewDays: func(ctx context.Context) (int, error) {
			return p.parameters.Int(ctx, parameters.StaffReview, p.Clock.Now())
		},
	})
	if err != nil {
		return err
	}
	return p.roster.Fresh(context.Background())
}

// working answers who works here, after a look at what changed: an account that
// somebody ended in another process ends here too, within the request.
type working struct{ p *Platform }

var _ portal.Operators = working{}

func (w working) OperatorByAccount(account string) (staff.Operator, error) {
	if err := w.p.roster.Fresh(context.Background()); err != nil {
		return staff.Operator{}, err
	}
	return w.p.directory.OperatorByAccount(account)
}

func (w working) OperatorByCF(cf codicefiscale.Code) (staff.Operator, error) {
	if err := w.p.roster.Fresh(context.Background()); err != nil {
		return staff.Operator{}, err
	}
	return w.p.directory.OperatorByCF(cf)
}
