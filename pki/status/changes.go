package status

import (
	"context"
	"time"
)

// Change is one certificate and where it stands since its last move.
type Change struct {
	// Place is that of the move in the order of changes; several moves of one act
	// may share it.
	Place          int64
	Issuer, Serial string
	Standing       Standing
	NotAfter       time.Time
}

// Changes is the order in which certificates moved, as every process on the same
// records sees it.
type Changes interface {
	// Place is where the order stands: whatever commits later stands there or behind.
	Place(ctx context.Context) (int64, error)
	// Since lists up to limit changes, by place and serial number: those at place
	// whose serial number is greater, and all behind it.
	Since(ctx context.Context, place int64, serial string, limit int) ([]Change, error)
	// Known lists up to limit certificates of an issuer, by serial number after one,
	// that were issued and do not end before alive.
	Known(ctx context.Context, issuer, after string, alive time.Time, limit int) ([]Change, error)
	// Mark is the latest thisUpdate that any process kept for an issuer's answers,
	// zero for none; Raise keeps a later one, in an act of its own.
	Mark(ctx context.Context, issuer string) (time.Time, error)
	Raise(ctx context.Context, issuer string, at time.Time) error
}
