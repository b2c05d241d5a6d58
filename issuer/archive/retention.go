package archive

import (
	"context"
	"fmt"
	"slices"
	"time"

	"cse.example/cse/ground/journal"
	"cse.example/cse/person/codicefiscale"
)

// night is who the trail says destroys papers.
const night = "system:night"

// overdue is how many people the night takes at a time.
const overdue = 500

// Retain is the night's work for one kind of paper: those scanned before an
// instant are destroyed, never younger ones. With a person's last paper his key
// goes too. It answers how many papers went.
func (r *Room) Retain(ctx context.Context, k Kind, before time.Time) (n int64, err error) {
	err = r.d.Atomically(ctx, func(ctx context.Context) error {
		n = 0
		for after := ""; ; {
			people, err := r.d.Store.Overdue(ctx, k, before, after, overdue)
			if err != nil || len(people) == 0 {
				return err
			}
			for _, person := range people {
				after = person
				gone, err := r.retain(ctx, person, k, before)
				if err != nil {
					return err
				}
				n += gone
			}
		}
	})
	return n, err
}

func (r *Room) retain(ctx context.Context, person string, k Kind, before time.Time) (int64, error) {
	rows, err := r.d.Store.PapersFor(ctx, person)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	cf, err := r.d.Holder(ctx, rows[0].Act)
	if err != nil {
		return 0, err
	}
	over := func(x Row) bool { return x.Kind == k && x.At.Before(before) }
	if !slices.ContainsFunc(rows, func(x Row) bool { return !over(x) }) {
		return r.erase(ctx, night, person, cf)
	}
	n, err := r.d.Store.Destroy(ctx, person, k, before)
	if err != nil {
		return 0, err
	}
	return n, r.d.Record(ctx, journal.Entry{
		Act: "papers.destroyed", Actor: night, Person: string(cf), Detail: map[string]string{"paper": string(k), "papers": fmt.Sprint(n)},
	})
}

// Settled forgets waits that ended before an instant.
func (r *Room) Settled(ctx context.Context, before time.Time) (n int64, err error) {
	err = r.d.Atomically(ctx, func(ctx context.Context) error {
		n, err = r.d.Store.DropSettled(ctx, before)
		return err
	})
	return n, err
}

// Erase destroys a person's key, and his papers with it, whatever their terms.
func (r *Room) Erase(ctx context.Context, actor string, cf codicefiscale.Code) (n int64, err error) {
	err = r.d.Atomically(ctx, func(ctx context.Context) error {
		n, err = r.erase(ctx, actor, r.d.Pseudonym(cf), cf)
		return err
	})
	return n, err
}

func (r *Room) erase(ctx context.Context, actor, person string, cf codicefiscale.Code) (int64, error) {
	n, err := r.d.Store.Erase(ctx, person)
	if err != nil {
		return 0, err
	}
	return n, r.d.Record(ctx, journal.Entry{Act: "papers.erased", Actor: actor, Person: string(cf), Detail: map[string]string{"papers": fmt.Sprint(n)}})
}
