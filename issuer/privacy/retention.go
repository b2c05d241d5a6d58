package privacy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
)

// Keeper is a kind of datum with its term: Purge destroys what ended before a
// day and answers how many.
type Keeper struct {
	// Kind names it in the catalogue (privacy.keep.KIND) and in the report.
	Kind string
	// Days is how long it is kept after it has ended; Least what law or another
	// rule forbids to go below.
	Days, Least int
	Purge       func(ctx context.Context, before time.Time) (int64, error)
}

// Line is what one kind's purge did.
type Line struct {
	Kind      string `json:"kind"`
	Days      int    `json:"days"`
	Before    string `json:"before"`
	Destroyed int64  `json:"destroyed"`
}

// Report is one night's retention.
type Report struct {
	Day   string `json:"day"`
	Lines []Line `json:"lines"`
}

// CheckKeepers refuses terms below what is allowed, before anything runs.
func CheckKeepers(keepers []Keeper) error {
	var errs []error
	for _, k := range keepers {
		if k.Days < max(k.Least, 1) {
			errs = append(errs, fmt.Errorf("retention.%s: %d days are fewer than the %d that it must be kept", k.Kind, k.Days, max(k.Least, 1)))
		}
	}
	return errors.Join(errs...)
}

// Retain runs every keeper once and keeps the report. Each kind is an act of its
// own, so that a night cut short has done whole kinds; run again, it finds
// nothing more to do and the report keeps its greatest numbers' sum of the day.
func (r *Room) Retain(ctx context.Context, keepers []Keeper) (Report, error) {
	if err := CheckKeepers(keepers); err != nil {
		return Report{}, err
	}
	today := civil.Today(r.d.Clock)
	out := Report{Day: today.String()}
	earlier, err := r.retention(ctx, out.Day)
	if err != nil {
		return out, err
	}
	for _, k := range keepers {
		before := today.AddDays(-k.Days).Start()
		line := Line{Kind: k.Kind, Days: k.Days, Before: civil.DayOf(before).String()}
		err := r.d.Atomically(ctx, func(ctx context.Context) error {
			n, err := k.Purge(ctx, before)
			line.Destroyed = n
			return err
		})
		if err != nil {
			return out, fmt.Errorf("privacy: retention of %s: %w", k.Kind, err)
		}
		line.Destroyed += earlier[k.Kind]
		out.Lines = append(out.Lines, line)
	}
	text, err := json.Marshal(out)
	if err != nil {
		return out, err
	}
	return out, r.d.Atomically(ctx, func(ctx context.Context) error {
		if err := r.d.Reports.PutRetention(ctx, out.Day, string(text)); err != nil {
			return err
		}
		detail := map[string]string{"day": out.Day}
		for _, l := range out.Lines {
			detail[l.Kind] = fmt.Sprint(l.Destroyed)
		}
		return r.d.Record(ctx, journal.Entry{Act: "privacy.retention", Actor: "system:night", Detail: detail})
	})
}

// retention is what this day's earlier runs destroyed.
func (r *Room) retention(ctx context.Context, day string) (map[string]int64, error) {
	reports, err := r.Retention(ctx)
	out := map[string]int64{}
	for _, x := range reports {
		if x.Day != day {
			continue
		}
		for _, l := range x.Lines {
			out[l.Kind] = l.Destroyed
		}
	}
	return out, err
}

// Retention lists the last reports, newest first.
func (r *Room) Retention(ctx context.Context) ([]Report, error) {
	texts, err := r.d.Reports.Retention(ctx, 30)
	if err != nil {
		return nil, err
	}
	out := make([]Report, len(texts))
	for i, t := range texts {
		if err := json.Unmarshal([]byte(t), &out[i]); err != nil {
			return nil, fmt.Errorf("privacy: read a report: %w", err)
		}
	}
	return out, nil
}
