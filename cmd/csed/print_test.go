package main

import (
	"context"
	"errors"
	"testing"

	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
)

// Two windows press "print" at once: the second is told so, and gets no page.
func TestPrintInTwoWindows(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	key := counter.PrintKey("2026/0000001")
	check(t, o.db.Atomically(t.Context(), func(ctx context.Context) error {
		return o.queue.Enqueue(ctx, effect.Effect{Key: key, Kind: counter.KindPrintCodes, Body: []byte("{}")})
	}))
	err := o.queue.Do(t.Context(), key, func(ctx context.Context, _ effect.Effect, _ int) error {
		pdf, err := o.print(ctx, counter.Form{Protocol: "2026/0000001", Papers: []counter.PaperKind{counter.PaperCodes}})
		if !errors.Is(err, words.Refuse("CSE-150")) || len(pdf) != 0 {
			t.Errorf("while the first window prints: %d bytes, %v", len(pdf), err)
		}
		return nil
	})
	check(t, err)
}
