package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"cse.example/cse/engine/queue"
	"cse.example/cse/engine/store"
	"cse.example/cse/ground/civil"
)

// noon is when these tests begin.
var noon = time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)

// bench is a queue on a store, with a clock moved by hand.
type bench struct {
	*queue.Queue
	db    *store.DB
	clock *civil.Hand
}

// open joins a queue to db exactly as the wiring does.
func open(t *testing.T, db *store.DB, policies map[string]queue.Policy) bench {
	t.Helper()
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	seal, err := aead.New(h)
	if err != nil {
		t.Fatal(err)
	}
	return with(t, db, policies, seal)
}

func with(t *testing.T, db *store.DB, policies map[string]queue.Policy, seal queue.AEAD) bench {
	t.Helper()
	clock := civil.NewHand(noon)
	q, err := queue.New(queue.Config{
		Conn:       func(ctx context.Context) queue.DBTX { return db.Conn(ctx) },
		Atomically: db.Atomically,
		Seal:       seal,
		Clock:      clock,
		Policies:   policies,
		Poll:       5 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return bench{q, db, clock}
}
