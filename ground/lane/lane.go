// Package lane tells work that a person waits for from work on many things that
// nobody waits for. The mark travels in the context: who orders many things sets
// it once (Batch), and whatever shares something out, the turn of acts in
// engine/store, the processors in pki/ca, lets people go first.
//
// People go first, and not for ever: after Fair of them in a row, somebody of a
// batch who waits has a turn.
package lane

import "context"

// Fair is how many people pass a batch that waits before it has a turn.
const Fair = 16

type key struct{}

// Batch marks the work of ctx as one of many that nobody waits for.
func Batch(ctx context.Context) context.Context {
	if IsBatch(ctx) {
		return ctx
	}
	return context.WithValue(ctx, key{}, true)
}

// IsBatch tells whether it is marked so.
func IsBatch(ctx context.Context) bool { return ctx.Value(key{}) != nil }
