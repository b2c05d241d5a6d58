package archive

import (
	"context"
	"slices"
	"time"

	"cse.example/cse/issuer/staff"
)

// Expect waits for the papers of an act, in that act's transaction; nothing when
// none are required.
func (r *Room) Expect(ctx context.Context, f File, kinds ...Kind) error {
	if !r.d.Required {
		return nil
	}
	for _, k := range kinds {
		if err := r.d.Store.Expect(ctx, Due{f.Protocol, f.Office, f.Card, k, r.d.Clock.Now()}); err != nil {
			return err
		}
	}
	return nil
}

// maxDue is how many a list shows.
const maxDue = 50

// Waiting lists what op's office waits for.
func (r *Room) Waiting(ctx context.Context, op staff.Operator) ([]Due, error) {
	return r.d.Store.Open(ctx, op.Office.ID, maxDue)
}

// Missing lists the papers of an act that nobody has scanned yet, for who may see
// the act, in the order of the menu.
func (r *Room) Missing(ctx context.Context, op staff.Operator, protocol string) ([]Kind, error) {
	if _, err := r.d.File(ctx, op, protocol); err != nil {
		return nil, err
	}
	list, err := r.d.Store.OpenOf(ctx, protocol)
	var out []Kind
	for _, k := range Kinds() {
		if slices.ContainsFunc(list, func(d Due) bool { return d.Kind == k }) {
			out = append(out, k)
		}
	}
	return out, err
}

// MissingIn counts, act by act, the papers that acts of op's office between two
// instants wait for. It names nobody.
func (r *Room) MissingIn(ctx context.Context, op staff.Operator, from, to time.Time) (map[string]int, error) {
	list, err := r.d.Store.OpenIn(ctx, op.Office.ID, from, to)
	out := map[string]int{}
	for _, d := range list {
		out[d.Protocol]++
	}
	return out, err
}
