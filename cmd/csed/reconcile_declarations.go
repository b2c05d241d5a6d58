package main

import (
	"context"
	"errors"

	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/declarations"
)

// declarations walks through the checks of self-declarations: each is of an act on
// the same card, and a decision stands in the trail once.
func (i *inspector) declarations(ctx context.Context) error {
	return walk(ctx, i.db.Declarations().Each, func(r declarations.Row) string { return r.Protocol }, i.declaration)
}

func (i *inspector) declaration(ctx context.Context, r declarations.Row) error {
	a, err := i.db.Acts().Find(ctx, r.Protocol, "")
	if errors.Is(err, counter.ErrNotFound) || err == nil && a.Card != r.Card {
		i.say("declaration.orphan", r.Protocol, r.Card)
		return nil
	}
	if err != nil || r.State == declarations.Open || r.DecidedAt.Before(i.since) {
		return err
	}
	n := 0
	for after := int64(0); ; {
		recs, err := i.trail.ByCard(ctx, r.Card, after, pageSize)
		if err != nil {
			return err
		}
		if len(recs) == 0 {
			break
		}
		for _, x := range recs {
			if after = x.Index; x.Act == "declaration."+string(r.State) && x.Detail["protocol"] == r.Protocol {
				n++
			}
		}
	}
	if n != 1 {
		i.say("declaration.journal", r.Protocol, n)
	}
	return nil
}
