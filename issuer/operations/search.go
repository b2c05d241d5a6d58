package operations

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
)

// Entry is one record of the audit trail.
type Entry struct {
	Index                    int64
	At                       time.Time
	Act, Actor, Office, Card string
	// Person is a pseudonym: who has the codice fiscale finds it, not the other way.
	Person string
	Detail map[string]string
}

// Wanted selects records, newest first; empty fields select all.
type Wanted struct {
	Person                   codicefiscale.Code
	Card, Actor, Office, Act string
	Since, Until             time.Time // Until is excluded; zero: open
	Before                   int64     // index; 0: from the newest
	Limit                    int
}

// Trail is the audit trail, read.
type Trail interface {
	Search(ctx context.Context, w Wanted) ([]Entry, error)
	// Verify reads all of it: the last record's number and hash, or a *Broken.
	Verify(ctx context.Context) (index int64, hash string, err error)
}

// Broken is a trail that was changed: the first record at fault, and why.
type Broken struct {
	Index int64
	Why   string
}

// Error implements error.
func (b *Broken) Error() string { return fmt.Sprintf("operations: record %d: %s", b.Index, b.Why) }

// Query is what somebody searches the trail for.
type Query struct {
	Person                      codicefiscale.Code
	Card, Operator, Office, Act string
	From, Until                 civil.Date // days in Rome, both included; zero: open
	// Motive is why; it is kept with the record of the search.
	Motive string
	Before int64
	// Export asks for everything at once.
	Export bool
}

// Bounds of a search.
const (
	// MostExported records leave in one file.
	MostExported = 10_000
	minMotive    = 8
	maxMotive    = 200
)

// Enter lets in who may search.
func (r *Room) Enter(ctx context.Context, op staff.Operator) error { return r.reads(ctx, op, "audit") }

// Search looks into the trail, and records that it did: what was searched, why,
// and how many records were found. Refused: no motive (CSE-547), nothing to
// search for (CSE-548), days in the wrong order (CSE-549), a file of more than
// MostExported records (CSE-550).
func (r *Room) Search(ctx context.Context, op staff.Operator, q Query) ([]Entry, error) {
	if err := r.reads(ctx, op, "audit"); err != nil {
		return nil, err
	}
	if err := q.check(); err != nil {
		return nil, err
	}
	var found []Entry
	err := r.d.Atomically(ctx, func(ctx context.Context) error {
		var err error
		if found, err = r.d.Trail.Search(ctx, q.wanted()); err != nil {
			return err
		}
		if q.Export && len(found) > MostExported {
			return words.Refuse("CSE-550", MostExported)
		}
		return r.note(ctx, op, journal.Entry{Act: "audit.searched", Card: q.Card, Person: string(q.Person), Detail: q.detail(len(found))})
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func (q *Query) check() error {
	q.Motive = strings.TrimSpace(q.Motive)
	if n := len([]rune(q.Motive)); n < minMotive || n > maxMotive {
		return words.Refuse("CSE-547", minMotive, maxMotive).At("motivo_ricerca")
	}
	if q.Person == "" && q.Card == "" && q.Operator == "" && q.Office == "" && q.Act == "" && q.From.IsZero() && q.Until.IsZero() {
		return words.Refuse("CSE-548").At("codice_fiscale")
	}
	if !q.From.IsZero() && !q.Until.IsZero() && q.Until.Before(q.From) {
		return words.Refuse("CSE-549").At("al")
	}
	return nil
}

func (q Query) wanted() Wanted {
	w := Wanted{
		Person: q.Person, Card: q.Card, Actor: q.Operator, Office: q.Office, Act: q.Act, Before: q.Before, Limit: PageSize + 1,
	}
	if q.Export {
		w.Before, w.Limit = 0, MostExported+1
	}
	if !q.From.IsZero() {
		w.Since = q.From.Start()
	}
	if !q.Until.IsZero() {
		w.Until = q.Until.AddDays(1).Start()
	}
	return w
}

// detail is what the record of a search keeps; the person and the card have
// places of their own.
func (q Query) detail(found int) map[string]string {
	d := map[string]string{"motive": q.Motive, "found": number(min(found, PageSize))}
	if q.Export {
		d["found"], d["export"] = number(found), "csv"
	}
	for k, v := range map[string]string{"operator": q.Operator, "office": q.Office, "act": q.Act} {
		if v != "" {
			d[k] = v
		}
	}
	if !q.From.IsZero() {
		d["from"] = q.From.String()
	}
	if !q.Until.IsZero() {
		d["until"] = q.Until.String()
	}
	return d
}

// Verified is the outcome of reading the whole chain.
type Verified struct {
	Index int64
	Hash  string
	// Broken is the first record at fault; nil: the chain holds.
	Broken *Broken
}

// Verify reads the whole chain of records, and records that and the outcome.
func (r *Room) Verify(ctx context.Context, op staff.Operator) (Verified, error) {
	var v Verified
	if err := r.reads(ctx, op, "audit"); err != nil {
		return v, err
	}
	var err error
	v.Index, v.Hash, err = r.d.Trail.Verify(ctx)
	outcome := "sound"
	if errors.As(err, &v.Broken) {
		outcome, err = "broken", nil
	}
	if err != nil {
		return v, err
	}
	return v, r.d.Atomically(ctx, func(ctx context.Context) error {
		return r.note(ctx, op, journal.Entry{Act: "audit.verified", Detail: map[string]string{"outcome": outcome, "last": fmt.Sprint(v.Index)}})
	})
}
