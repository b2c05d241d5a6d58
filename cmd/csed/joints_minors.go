package main

import (
	"context"
	"errors"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/login/door"
)

// qualityOf is what somebody says he is towards the holder, in the language of the
// papers: of a guardian his title, and until when.
func qualityOf(f counter.Form) string {
	r := f.Representative
	if f.Present != counter.PresentGuardian || r == nil || r.Title == "" {
		return words.Say(f.Lang, "counter.present."+string(f.Present))
	}
	title := words.Say(f.Lang, "counter.title."+string(r.Title))
	if r.Until.IsZero() {
		return words.Say(f.Lang, "counter.title.revoked", title)
	}
	return words.Say(f.Lang, "counter.title.until", title, r.Until.Italian())
}

// noteMidnight is the store's note of the last day at whose beginning the titles
// were looked at.
const noteMidnight = "csed.midnight"

// midnight ends the titles that are over as soon as the day has changed in Rome,
// and does not wait for the night's work; once a day, by any process. While another
// one has the plant it waits for the next turn.
func (w *watchman) midnight(ctx context.Context) error {
	today := civil.Today(w.p.Clock).String()
	done, err := w.p.db.Noted(ctx, noteMidnight)
	if err != nil || done == today {
		return err
	}
	lock, err := w.p.Config.hold(dutyProduction)
	if errors.Is(err, words.Refuse("CSE-386")) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	if _, err := w.p.counter.ComeOfAge(ctx, counter.AtMajority(w.p.Config.Minors.At18)); err != nil {
		return err
	}
	return w.p.db.Atomically(ctx, func(ctx context.Context) error { return w.p.db.Note(ctx, noteMidnight, today) })
}

// waiting is the state of a card at the door: one that will be on hold for new
// codes is so from midnight on, though nobody has looked yet.
func (p *Platform) waiting(ctx context.Context, c lifecycle.Card, s door.State) (door.State, error) {
	if s != door.Active || p.Config.Minors.At18 != string(counter.MajorityHold) {
		return s, nil
	}
	due, err := p.counter.HoldDue(ctx, c)
	if err != nil || !due {
		return s, err
	}
	return door.Waiting, nil
}
