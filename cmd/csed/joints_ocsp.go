package main

import (
	"context"

	"cse.example/cse/engine/store"
	"cse.example/cse/pki/status"
)

// followChanges makes what keeps the responders up with the changes that any
// process commits, and tells them at once of those of this one.
func (p *Platform) followChanges() {
	p.follower = status.NewFollower(p.db.PKI(), p.Clock)
	p.db.PKI().OnMove(func(list []store.Moved) {
		for _, m := range list {
			p.follower.Moved(m.Issuer, m.Serial, m.Version)
		}
	})
}

// follow runs as long as the listeners do.
func (p *Platform) follow(ctx context.Context) error {
	p.follower.Run(ctx, func(err error) { p.Log.Error("OCSP: changes of certificates", "err", err) })
	return p.follower.Keep(context.WithoutCancel(ctx))
}
