package staff

import (
	"context"
	"fmt"
	"runtime"
)

// turns are places for work that costs memory and a processor: an argon2id hash
// takes 19 MiB, and two hundred logins at one instant would take four gigabytes.
// Half of the processors may do it, so that the other half serve the holders.
type turns chan struct{}

func newTurns() turns { return make(turns, max(1, runtime.GOMAXPROCS(0)/2)) }

// take waits for a place, or for the end of ctx; leave gives it back.
func (t turns) take(ctx context.Context) (leave func(), err error) {
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("staff: wait for a turn: %w", ctx.Err())
	}
}
