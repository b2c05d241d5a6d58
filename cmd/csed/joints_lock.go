package main

import "context"

// forgetHeld destroys the forms that waited too long behind a locked screen.
func (p *Platform) forgetHeld(ctx context.Context) error {
	return p.db.Atomically(ctx, func(ctx context.Context) error {
		_, err := p.db.Held().PruneHeld(ctx, p.Clock.Now())
		return err
	})
}
