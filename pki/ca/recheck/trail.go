package recheck

import (
	"context"
	"errors"
	"slices"

	"cse.example/cse/pki/ca"
)

// step is what an act does to a certificate.
type step struct {
	from []ca.State // empty: the first act
	to   ca.State
}

var steps = map[string]step{
	"certificate.reserved":  {nil, ca.Reserved},
	"certificate.issued":    {[]ca.State{ca.Reserved}, ca.Pending},
	"certificate.voided":    {[]ca.State{ca.Reserved}, ca.Void},
	"certificate.activated": {[]ca.State{ca.Pending}, ca.Good},
	"certificate.held":      {[]ca.State{ca.Good}, ca.Held},
	"certificate.released":  {[]ca.State{ca.Held}, ca.Good},
	"certificate.revoked":   {[]ca.State{ca.Pending, ca.Good, ca.Held}, ca.Revoked},
}

// told compares a record with what the trail says of it. Of a certificate older
// than the trail's beginning the first acts are not asked for.
func (r *run) told(ctx context.Context, f *findings, c ca.Record) error {
	if r.Trail == nil {
		return nil
	}
	acts, err := r.Trail.OfCard(ctx, c.Card)
	if err != nil {
		return err
	}
	var state ca.State
	reason, cut := 0, c.ReservedAt.Before(r.Since)
	for _, a := range acts {
		s, ours := steps[a.Name]
		if a.Serial != c.Serial || !ours {
			continue
		}
		switch {
		case state == "" && len(s.from) > 0 && !cut:
			f.say(TrailMissing, "record %d (%s) is the first, and not a reservation", a.Index, a.Name)
		case state != "" && !slices.Contains(s.from, state):
			f.say(TrailOrder, "record %d (%s) of one that is %s", a.Index, a.Name, state)
		}
		if state = s.to; state == ca.Revoked {
			reason = a.Reason
		}
	}
	switch {
	case state == "" && !cut:
		f.say(TrailMissing, "the trail does not know it")
	case state != "" && state != c.State:
		f.say(TrailState, "it is %s, the trail says %s", c.State, state)
	case state == ca.Revoked && reason != c.Reason:
		f.say(TrailState, "revoked for reason %d, the trail says %d", c.Reason, reason)
	}
	return nil
}

// trail goes over the whole trail: every number that it names has its record.
func (r *run) trail(ctx context.Context) error {
	if r.Trail == nil {
		return nil
	}
	for after := int64(0); ; {
		acts, last, err := r.Trail.Page(ctx, after)
		if err != nil || last == after {
			return err
		}
		after = last
		for _, a := range acts {
			if a.Name != "certificate.reserved" && a.Name != "certificate.issued" {
				continue
			}
			_, err := r.Store.Get(ctx, a.Serial)
			if errors.Is(err, ca.ErrUnknown) {
				err = r.say(NoRecord, a.Serial, "record %d of the trail (%s) names a number that has no record", a.Index, a.Name)
			}
			if err != nil {
				return err
			}
		}
	}
}
