//go:build !linux

package room

import (
	"context"
	"errors"
	"runtime"

	"cse.example/cse/ground/words"
)

func nowhere() error {
	return words.Refuse("CSE-838", runtime.GOOS).Because(errors.New("no network namespaces"))
}

// Start refuses: such rooms exist on Linux only.
func Start(context.Context, string, []string, []Card) (State, error) { return State{}, nowhere() }

// Keep refuses, as Start does.
func Keep(context.Context, string, func(Card, func()) (Chip, error)) error { return nowhere() }

// Running tells that nothing runs.
func Running(string) (State, bool) { return State{}, false }

// Stop has nothing to stop.
func Stop(context.Context, string) error { return words.Refuse("CSE-840") }

// Exposed is not known here.
func Exposed(string) bool { return false }
