package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"cse.example/cse/ground/words"
)

// fsck reads everything and says what does not agree: the trail's chain, the
// effects, cards against codes, certificates, batches and activations, and each
// of these against the cards. It changes nothing. It takes every duty: what it
// looks at must stand still.
func (a *app) fsck() *cobra.Command {
	return &cobra.Command{
		Use: "fsck", Short: a.say("csed.fsck.short"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), tool{duties: allDuties(), reads: true}, func(p *Platform) error {
				wrong, err := p.check(cmd.Context())
				if err != nil {
					return err
				}
				for _, w := range wrong {
					fmt.Fprintln(a.stdout, a.say(w.key, w.args...))
				}
				if len(wrong) > 0 {
					return words.Refuse("CSE-391", len(wrong))
				}
				fmt.Fprintln(a.stdout, a.say("csed.fsck.clean"))
				return nil
			})
		},
	}
}

// finding is one thing that does not agree: a key of the catalogue, and what
// fills it; the first argument is whatever is at fault.
type finding struct {
	key  string
	args []any
}

// inspector collects findings. It needs the store, the queue and the trail, and
// no key but theirs.
type inspector struct {
	*Platform
	wrong []finding
	// since is from when on the trail is kept; zero: from its beginning.
	since time.Time
}

func (i *inspector) say(key string, args ...any) {
	i.wrong = append(i.wrong, finding{"fsck." + key, args})
}

// check is the whole inspection. The error is a failure to read, not a finding.
func (p *Platform) check(ctx context.Context) ([]finding, error) {
	i := &inspector{Platform: p}
	if _, err := p.trail.Verify(ctx); err != nil {
		i.say("trail", err.Error())
	}
	var err error
	if i.since, err = p.trailSince(ctx); err != nil {
		return nil, err
	}
	effects, err := p.queue.Check(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range effects {
		i.say("effect", e)
	}
	for _, step := range []func(context.Context) error{
		i.cards, i.codes, i.certificates, i.extensions, i.batches, i.batchFiles, i.activations, i.effects, i.declarations,
	} {
		if err := step(ctx); err != nil {
			return i.wrong, err
		}
	}
	return i.wrong, nil
}

// trailSince is from when on the trail is kept; zero: from its beginning.
func (p *Platform) trailSince(ctx context.Context) (time.Time, error) {
	foot, err := p.trail.Foot(ctx)
	if err != nil || foot.Index == 0 {
		return time.Time{}, err
	}
	first, err := p.trail.Page(ctx, foot.Index, 1)
	if err != nil || len(first) == 0 {
		return time.Time{}, err
	}
	return first[0].At, nil
}

// pageSize is how many rows a walk reads at a time.
const pageSize = 500

// walk reads pages until one is empty, and looks at each row.
func walk[T any](ctx context.Context, page func(ctx context.Context, after string, limit int) ([]T, error), name func(T) string, look func(context.Context, T) error) error {
	for after := ""; ; {
		rows, err := page(ctx, after, pageSize)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return nil
		}
		for _, r := range rows {
			after = name(r)
			if err := look(ctx, r); err != nil {
				return err
			}
		}
	}
}
