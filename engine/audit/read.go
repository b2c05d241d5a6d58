package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"

	"cse.example/cse/engine/audit/internal/auditdb"
)

// Record is one line of the trail, as it is shown and exported.
type Record struct {
	Index  int64             `json:"index"`
	At     time.Time         `json:"at"` // UTC, to the microsecond
	Act    string            `json:"act"`
	Actor  string            `json:"actor"`
	Office string            `json:"office,omitempty"`
	Card   string            `json:"card,omitempty"`
	Person string            `json:"person,omitempty"` // pseudonym, 32 hexadecimal digits
	Detail map[string]string `json:"detail,omitempty"`
	Prev   string            `json:"prev"`
	Hash   string            `json:"hash"`
}

func shown(r auditdb.AuditRecord) (Record, error) {
	out := Record{
		Index: r.Idx, At: time.UnixMicro(r.At).UTC(), Act: r.Act, Actor: r.Actor, Office: r.Office,
		Card: r.Card, Person: r.Person, Prev: r.Prev, Hash: r.Hash,
	}
	if r.Detail != "" {
		if err := json.Unmarshal([]byte(r.Detail), &out.Detail); err != nil {
			return out, fmt.Errorf("audit: record %d: details: %w", r.Idx, err)
		}
	}
	return out, nil
}

func all(rows []auditdb.AuditRecord, err error) ([]Record, error) {
	if err != nil {
		return nil, fmt.Errorf("audit: read records: %w", err)
	}
	out := make([]Record, 0, len(rows))
	for _, r := range rows {
		x, err := shown(r)
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
	return all(t.db(ctx).Page(ctx, auditdb.PageParams{After: after, N: size(limit)}))
}

// ByCard is what happened to one card, oldest first.
func (t *Trail) ByCard(ctx context.Context, card string, after int64, limit int) ([]Record, error) {
	return all(t.db(ctx).ByCard(ctx, auditdb.ByCardParams{Card: card, After: after, N: size(limit)}))
}

// ByPerson is what happened to one person (codice fiscale), oldest first.
func (t *Trail) ByPerson(ctx context.Context, person string, after int64, limit int) ([]Record, error) {
	if person == "" {
		return nil, nil // nobody: not "all acts that concern nobody"
	}
	return all(t.db(ctx).ByPerson(ctx, auditdb.ByPersonParams{Person: t.pseudonym(person), After: after, N: size(limit)}))
}

// LastByCard is what happened to one card last, newest first.
func (t *Trail) LastByCard(ctx context.Context, card string, limit int) ([]Record, error) {
	return all(t.db(ctx).LastByCard(ctx, auditdb.LastByCardParams{Card: card, N: size(limit)}))
}

// LastByPerson is what happened to one person (codice fiscale) last, newest first.
func (t *Trail) LastByPerson(ctx context.Context, person string, limit int) ([]Record, error) {
	if person == "" {
		return nil, nil
	}
	return all(t.db(ctx).LastByPerson(ctx, auditdb.LastByPersonParams{Person: t.pseudonym(person), N: size(limit)}))
}

func size(limit int) int32 {
	if limit <= 0 || limit > page {
		return page
	}
	return int32(limit)
}

// Export writes the trail as JSON Lines, one Record each, oldest first. The
// hashes let whoever has the file repeat Verify (see canonical; detail is
// hashed as the compact JSON object with sorted keys).
func (t *Trail) Export(ctx context.Context, w io.Writer) error {
	buf := bufio.NewWriter(w)
	enc := json.NewEncoder(buf)
	for after := int64(0); ; {
		rows, err := t.Page(ctx, after, page)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return buf.Flush()
		}
		for _, r := range rows {
			if err := enc.Encode(r); err != nil {
				return fmt.Errorf("audit: export: %w", err)
			}
		}
		after = rows[len(rows)-1].Index
	}
}

// Search selects records; empty fields select all.
type Search struct {
	// Person is a codice fiscale.
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
		Before: s.Before, Person: t.pseudonym(s.Person), Card: s.Card, Actor: s.Actor, Office: s.Office, Act: s.Act,
		Since: math.MinInt64, Until: math.MaxInt64, N: size(0),
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
	return all(t.db(ctx).Search(ctx, p))
}
