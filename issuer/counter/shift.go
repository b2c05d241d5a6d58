package counter

import (
	"context"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/staff"
)

// ShiftLine is an act of an operator's day. It names nobody.
type ShiftLine struct {
	Protocol, Card      string
	Kind                ActKind
	At                  time.Time
	PrintedAt, HandedAt time.Time
	// Scans is how many papers of the act wait to be archived.
	Scans int
}

// Unsigned tells that nobody ticked "consegnato e firmato" yet.
func (l ShiftLine) Unsigned() bool { return l.HandedAt.IsZero() }

// maxShift is how many acts a day's report lists: more than anybody does.
const maxShift = 2000

// Shift lists what op did at his office on a day (in Rome), oldest first: his own
// report at the end of a shift.
func (w *Worklist) Shift(ctx context.Context, op staff.Operator, day civil.Date) ([]ShiftLine, error) {
	if err := w.d.Directory.Allowed(op, staff.View, ""); err != nil {
		return nil, err
	}
	rows, err := w.d.Of(ctx, op.Account, op.Office.ID, day.Start(), day.AddDays(1).Start(), maxShift)
	out := make([]ShiftLine, len(rows))
	for i, r := range rows {
		out[i] = ShiftLine{Protocol: r.Protocol, Card: r.Card, Kind: r.Kind, At: r.At, PrintedAt: r.PrintedAt, HandedAt: r.HandedAt}
	}
	return out, err
}
