package main

import (
	"context"
	"errors"

	"cse.example/cse/issuer/counter"
	"cse.example/cse/person/registry"
	"cse.example/cse/portal"
)

// unitOf is the health unit of a card's holder; empty for somebody whom the
// registry does not know any more.
func (p *Platform) unitOf(ctx context.Context, card string) (string, error) {
	c, err := p.db.Cards().Get(ctx, card)
	if err != nil {
		return "", err
	}
	x, err := p.db.People().Get(ctx, c.CF)
	if errors.Is(err, registry.ErrUnknown) {
		return "", nil
	}
	return x.ASL, err
}

// taskPath leads to where a task is done: the page of its act, or, when no counter
// did that, the holder's sheet.
func taskPath(t counter.Task) string {
	if t.Kind == counter.TaskHome {
		return portal.SheetPath(t.Card)
	}
	return portal.FilePath(t.Protocol)
}
