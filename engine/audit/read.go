package audit

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"cse.example/cse/engine/audit/internal/auditdb"
	"cse.example/cse/ground/merkle"
)

// page is how many records are read at a time.
const page = 1000

// Record is one act of the trail, as it is shown.
type Record struct {
	Index  int64     `json:"index"`
	At     time.Time `json:"at"` // UTC, to the microsecond
	Act    string    `json:"act"`
	Actor  string    `json:"actor"`
	Office string    `json:"office,omitempty"`
	// Card is the number; empty when the act concerns none, or its subject's key was
	// erased.
	Card   string            `json:"card,omitempty"`
	Person string            `json:"person,omitempty"` // mark, 32 hexadecimal digits
	Detail map[string]string `json:"detail,omitempty"`
	// Hash of the leaf, hexadecimal.
	Hash string `json:"hash"`
	// Erased: the key of whom it concerns is gone, and card and details with it.
	Erased bool `json:"erased,omitempty"`
}

// row is a record with the key of its owner: the person, or the card when there is
// no person.
type row = auditdb.PageRow

// stored is a record as it lies in the store.
type stored = auditdb.WriteParams

func instant(us int64) string { return time.UnixMicro(us).UTC().Format(merkle.Instant) }

// bare is the record without the key.
func bare(r row) stored {
	return stored{
		Idx: r.Idx, At: r.At, Act: r.Act, Actor: r.Actor, Office: r.Office, Card: r.Card, Person: r.Person,
		Detail: r.Detail, Sealed: r.Sealed, Chain: r.Chain, Hash: r.Hash,
	}
}

// ownerOf is whose key closes a record's details; nobody's for an open one.
func ownerOf(r stored) string {
	if r.Person != "" {
		return r.Person
	}
	return r.Card
}

func (t *Trail) shown(r row) (Record, error) {
	out := Record{
		Index: r.Idx, At: time.UnixMicro(r.At).UTC(), Act: r.Act, Actor: r.Actor, Office: r.Office, Person: r.Person, Hash: hex.EncodeToString(r.Hash),
	}
	if r.Detail != "" {
		if err := json.Unmarshal([]byte(r.Detail), &out.Detail); err != nil {
			return out, fmt.Errorf("audit: record %d: details: %w", r.Idx, err)
		}
	}
	owner := ownerOf(bare(r))
	if owner == "" {
		return out, nil
	}
	if !r.Finder.Valid {
		out.Erased = true
		return out, nil
	}
	s, err := t.marked(owner, finder(r.Finder.String), r.Wrapped)
	if err != nil || len(r.Sealed) == 0 {
		return out, err
	}
	f, err := merkle.Unseal(s.record(r.Idx), r.Idx, r.Sealed)
	out.Card, out.Detail = f.Card, f.Detail
	return out, err
}

// all shows rows; as makes them of one type.
func all[T any](t *Trail, rows []T, err error, as func(T) row) ([]Record, error) {
	if err != nil {
		return nil, fmt.Errorf("audit: read records: %w", err)
	}
	out := make([]Record, 0, len(rows))
	for _, r := range rows {
		x, err := t.shown(as(r))
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// Page is the trail from the record after index on, oldest first, at most
// limit records (0 means 1000).
func (t *Trail) Page(ctx context.Context, after int64, limit int) ([]Record, error) {
	rows, err := t.db(ctx).Page(ctx, auditdb.PageParams{After: after, N: size(limit)})
	return all(t, rows, err, func(r auditdb.PageRow) row { return r })
}

// ByCard is what happened to one card, oldest first.
func (t *Trail) ByCard(ctx context.Context, number string, after int64, limit int) ([]Record, error) {
	mark, err := t.markBy(ctx, card, number)
	if err != nil || mark == "" {
		return nil, err
	}
	rows, err := t.db(ctx).ByCard(ctx, auditdb.ByCardParams{Card: mark, After: after, N: size(limit)})
	return all(t, rows, err, func(r auditdb.ByCardRow) row { return row(r) })
}

// ByPerson is what happened to one person (codice fiscale), oldest first.
func (t *Trail) ByPerson(ctx context.Context, cf string, after int64, limit int) ([]Record, error) {
	mark, err := t.markBy(ctx, person, cf)
	if err != nil || mark == "" {
		return nil, err // nobody: not "all acts that concern nobody"
	}
	rows, err := t.db(ctx).ByPerson(ctx, auditdb.ByPersonParams{Person: mark, After: after, N: size(limit)})
	return all(t, rows, err, func(r auditdb.ByPersonRow) row { return row(r) })
}

// LastByCard is what happened to one card last, newest first.
func (t *Trail) LastByCard(ctx context.Context, number string, limit int) ([]Record, error) {
	mark, err := t.markBy(ctx, card, number)
	if err != nil || mark == "" {
		return nil, err
	}
	rows, err := t.db(ctx).LastByCard(ctx, auditdb.LastByCardParams{Card: mark, N: size(limit)})
	return all(t, rows, err, func(r auditdb.LastByCardRow) row { return row(r) })
}

// LastByPerson is what happened to one person (codice fiscale) last, newest first.
func (t *Trail) LastByPerson(ctx context.Context, cf string, limit int) ([]Record, error) {
	mark, err := t.markBy(ctx, person, cf)
	if err != nil || mark == "" {
		return nil, err
	}
	rows, err := t.db(ctx).LastByPerson(ctx, auditdb.LastByPersonParams{Person: mark, N: size(limit)})
	return all(t, rows, err, func(r auditdb.LastByPersonRow) row { return row(r) })
}

func size(limit int) int32 {
	if limit <= 0 || limit > page {
		return page
	}
	return int32(limit)
}

// Search selects records; empty fields select all.
type Search struct {
	// Person is a codice fiscale, Card a card number.
	Person                   string
	Card, Actor, Office, Act string
	Since, Until             time.Time // Until is excluded; zero: to the end
	// Before is the index of the oldest record of the page before; 0: none.
	Before int64
	// Limit is at most most; 0 means 1000.
	Limit int
}

// most records are read at once by Search.
const most = 20_000

// Search is what matches, newest first.
func (t *Trail) Search(ctx context.Context, s Search) ([]Record, error) {
	p := auditdb.SearchParams{
		Before: s.Before, Actor: s.Actor, Office: s.Office, Act: s.Act,
		Since: math.MinInt64, Until: math.MaxInt64, N: size(0),
	}
	for _, x := range []struct {
		kind kind
		name string
		into *string
	}{{person, s.Person, &p.Person}, {card, s.Card, &p.Card}} {
		mark, err := t.markBy(ctx, x.kind, x.name)
		if err != nil {
			return nil, err
		}
		if x.name != "" && mark == "" {
			return nil, nil
		}
		*x.into = mark
	}
	if s.Before <= 0 {
		p.Before = math.MaxInt64
	}
	if !s.Since.IsZero() {
		p.Since = s.Since.UnixMicro()
	}
	if !s.Until.IsZero() {
		p.Until = s.Until.UnixMicro()
	}
	if s.Limit > 0 {
		p.N = int32(min(s.Limit, most))
	}
	rows, err := t.db(ctx).Search(ctx, p)
	return all(t, rows, err, func(r auditdb.SearchRow) row { return row(r) })
}
