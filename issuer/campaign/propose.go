package campaign

import (
	"context"

	"cse.example/cse/ground/journal"
)

// Propose keeps a list of cards (as NewRevocationOf takes it) as the draft of a
// bulk revocation that the platform itself proposes: operations see it, start it,
// which asks a second person, or drop it. Proposed again it is the same draft.
func (r *Room) Propose(ctx context.Context, by, name, list string) (Campaign, error) {
	return r.revocationOf(ctx, journal.Entry{Actor: by}, name, list)
}
