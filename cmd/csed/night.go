package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/lane"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/parameters"
	"cse.example/cse/issuer/production"
)

// Night is what one night's work did.
type Night struct {
	// Ended cards: expired, overtaken by their successor, or their holder's
	// right has come to an end.
	Ended int
	// Plant tells whether there is a bureau to work with; the rest is its.
	Plant   bool
	Ordered production.Ordering
	// Renewed are the successors of cards about to expire (R23).
	Renewed production.Renewal
	// Open batches, as they stand now.
	Open []production.Batch
}

// night ends what is due, orders what is missing (R7) and takes every batch as
// far as it goes without the bureau. Done twice, it does nothing more. Without
// the bureau's public file there is no production. The caller holds
// dutyProduction.
func (p *Platform) night(ctx context.Context) (Night, error) {
	ctx = lane.Batch(ctx) // who waits for an act of his own goes first
	var n Night
	lapsed, err := p.closeLapsed(ctx)
	n.Ended = lapsed
	if err != nil {
		return n, err
	}
	swept, err := p.counter.Sweep(ctx)
	n.Ended += swept
	if err != nil {
		return n, err
	}
	if _, err := p.counter.ComeOfAge(ctx, counter.AtMajority(p.Config.Minors.At18)); err != nil {
		return n, err
	}
	if err := p.tellAtNight(ctx); err != nil {
		return n, err
	}
	if _, err := p.privacy.Retain(ctx, p.keepers()); err != nil {
		return n, err
	}
	if _, err := os.Stat(p.Config.under(p.Config.Issue.BureauFile)); errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	plant, err := p.factory(ctx)
	if err != nil {
		return n, err
	}
	n.Plant = true
	days, err := p.parameters.Int(ctx, parameters.RenewalDays, p.Clock.Now())
	if err != nil {
		return n, err
	}
	if n.Renewed, err = plant.Renew(ctx, days); err != nil {
		return n, err
	}
	if n.Ordered, err = plant.OrderMissing(ctx); err != nil {
		return n, err
	}
	n.Open, err = plant.AdvanceAll(ctx)
	return n, err
}

// The night begins at two in Rome: every day of the year has that hour or the
// next one.
const nightHour = 2

// noteNight is the store's note of the last day whose night is done.
const noteNight = "csed.night"

// watchman sees to it that the night's work is done once a day.
type watchman struct {
	p *Platform
	// notBefore is the instant of the next try after a failure.
	notBefore time.Time
}

// retryNight is the pause after a night that failed.
const retryNight = 10 * time.Minute

// turn does the night's work if it is due: after two o'clock in Rome, and not
// done today by any process. A process that was down at two does it when it is
// back. While another process has the plant, the turn waits for the next one.
func (w *watchman) turn(ctx context.Context) error {
	if err := w.midnight(ctx); err != nil {
		return err
	}
	worked, err := w.work(ctx)
	if err == nil && worked {
		_, err = w.p.sweepKeys(ctx) // it may take long, and needs no plant
	}
	return err
}

// work does the night's work if it is due, and tells whether it did.
func (w *watchman) work(ctx context.Context) (bool, error) {
	now := w.p.Clock.Now()
	today := civil.DayOf(now).String()
	if now.In(civil.Rome).Hour() < nightHour || now.Before(w.notBefore) {
		return false, nil
	}
	done, err := w.p.db.Noted(ctx, noteNight)
	if err != nil || done == today {
		return false, err
	}
	lock, err := w.p.Config.hold(dutyProduction)
	if errors.Is(err, words.Refuse("CSE-386")) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer lock.Close()
	w.notBefore = now.Add(retryNight)
	n, err := w.p.night(ctx)
	if err != nil {
		return false, err
	}
	return true, w.p.db.Atomically(ctx, func(ctx context.Context) error {
		if err := w.p.db.Note(ctx, noteNight, today); err != nil {
			return err
		}
		return w.p.trail.Record(ctx, journal.Entry{Act: "night.done", Actor: "system:night", Detail: map[string]string{
			"day": today, "ended": strconv.Itoa(n.Ended), "ordered": strconv.Itoa(n.Ordered.Ordered), "renewed": strconv.Itoa(n.Renewed.Ordered),
			"exceptions": strconv.Itoa(n.Ordered.Exceptions), "open": strconv.Itoa(len(n.Open)),
		}})
	})
}
