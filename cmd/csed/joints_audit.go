package main

import (
	"context"

	"cse.example/cse/engine/audit"
	"cse.example/cse/ground/secret"
)

// The joints of the audit log.

// openTrail opens the log; one process at a time makes leaves of a chain of before.
func (p *Platform) openTrail(ctx context.Context, key secret.Text) (err error) {
	p.trail, err = audit.New(audit.Config{
		Conn: func(ctx context.Context) audit.DBTX { return p.db.Conn(ctx) }, Atomically: p.db.Atomically, Clock: p.Clock, Key: key,
	})
	if err != nil {
		return err
	}
	l, err := p.Config.wait(dutySchema)
	if err != nil {
		return err
	}
	defer l.Close()
	_, err = p.trail.Upgrade(ctx)
	return err
}
