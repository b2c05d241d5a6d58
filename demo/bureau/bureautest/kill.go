package bureautest

import (
	"context"
	"errors"
	"sync"

	"cse.example/cse/engine/store"
	"cse.example/cse/issuer/production/exchange"
)

// ErrKilled is what everything answers once the process is dead.
var ErrKilled = errors.New("killed")

// Killer kills a process at a chosen step. A step is an act of the store or a
// write to the exchange folder; each can be the last thing before or after which
// the process dies, so the n-th step has the numbers 2n and 2n+1.
type Killer struct {
	mu    sync.Mutex
	armed bool
	at, n int
	dead  bool
}

// Arm makes the process die at point at, counted from 0.
func (k *Killer) Arm(at int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.armed, k.at, k.n, k.dead = true, at, 0, false
}

// Disarm lets the next process live. It tells whether this one died.
func (k *Killer) Disarm() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	died := k.dead
	k.armed, k.dead = false, false
	return died
}

// point is passed before and after each step.
func (k *Killer) point() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.armed {
		return nil
	}
	if k.n == k.at {
		k.dead = true
	}
	k.n++
	if k.dead {
		return ErrKilled
	}
	return nil
}

func (k *Killer) step(do func() error) error {
	if err := k.point(); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return k.point()
}

type inAct struct{}

// Atomically is db's, with a chance to die on either side of each act.
func (k *Killer) Atomically(db *store.DB) func(ctx context.Context, act func(ctx context.Context) error) error {
	return func(ctx context.Context, act func(ctx context.Context) error) error {
		if ctx.Value(inAct{}) != nil {
			return act(ctx) // joins the outer act: no step of its own
		}
		return k.step(func() error { return db.Atomically(context.WithValue(ctx, inAct{}, true), act) })
	}
}

// Files is f, with a chance to die on either side of each change.
func (k *Killer) Files(f exchange.Folder) Files { return Files{k, f} }

// Files is an exchange folder whose owner may be killed.
type Files struct {
	k *Killer
	f exchange.Folder
}

// Write is exchange.Folder's.
func (f Files) Write(name string, b []byte) error {
	return f.k.step(func() error { return f.f.Write(name, b) })
}

// Remove is exchange.Folder's.
func (f Files) Remove(name string) error { return f.k.step(func() error { return f.f.Remove(name) }) }

// Read is exchange.Folder's.
func (f Files) Read(name string) ([]byte, error) { return f.f.Read(name) }

// List is exchange.Folder's.
func (f Files) List(kind exchange.Kind) ([]string, error) { return f.f.List(kind) }
