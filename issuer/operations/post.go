package operations

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
)

// PageSize is how many lines a page of a list has.
const PageSize = 50

func number(n int) string { return strconv.Itoa(n) }

// Returns are the reasons that the post gives for bringing a card back.
func Returns() []string {
	return []string{"sconosciuto", "trasferito", "indirizzo", "rifiutata", "giacenza", "deceduto"}
}

// Returned lists the cards that came back, by number, after a number.
func (r *Room) Returned(ctx context.Context, op staff.Operator, after string) ([]lifecycle.Card, error) {
	if err := r.reads(ctx, op, "returns"); err != nil {
		return nil, err
	}
	return r.d.Cards.ByState(ctx, lifecycle.Returned, after, PageSize)
}

// Return notes that the post brought a card back. Refused: an unknown number
// (CSE-139), no reason (CSE-542), a card that is not on its way (CSE-543).
func (r *Room) Return(ctx context.Context, op staff.Operator, card, why string) error {
	if err := r.acts(ctx, op, "returns"); err != nil {
		return err
	}
	if !slices.Contains(Returns(), why) {
		return words.Refuse("CSE-542").At("motivo_ritorno")
	}
	return r.move(ctx, op, card, lifecycle.Return, func(lifecycle.Card) error { return nil }, journal.Entry{
		Act: "card.returned", Detail: map[string]string{"reason": why},
	})
}

// PostAgain posts a card that came back. Refused for a holder who died or has no
// right to a card any more (CSE-544).
func (r *Room) PostAgain(ctx context.Context, op staff.Operator, card string) error {
	if err := r.acts(ctx, op, "returns"); err != nil {
		return err
	}
	return r.move(ctx, op, card, lifecycle.Ship, func(c lifecycle.Card) error {
		if c.State != lifecycle.Returned {
			return &lifecycle.MoveError{Card: c.ID, From: c.State, Event: lifecycle.Ship}
		}
		who, err := r.d.Person(ctx, c.CF)
		if err != nil {
			return err
		}
		if today := civil.Today(r.d.Clock); !who.AliveOn(today) || !who.AssistedOn(today) {
			return words.Refuse("CSE-544")
		}
		return nil
	}, journal.Entry{Act: "card.shipped", Detail: map[string]string{"again": "yes"}})
}

// move moves a card by the post's word.
func (r *Room) move(ctx context.Context, op staff.Operator, card string, e lifecycle.Event, may func(lifecycle.Card) error, entry journal.Entry) error {
	card = strings.Map(func(x rune) rune {
		if x == ' ' || x == '*' {
			return -1 // a bar code scanner's, a paste's
		}
		return x
	}, card)
	return r.d.Atomically(ctx, func(ctx context.Context) error {
		c, err := r.d.Cards.Get(ctx, card)
		if errors.Is(err, lifecycle.ErrUnknown) {
			return words.Refuse("CSE-139").At("tessera").Because(err)
		}
		if err != nil {
			return err
		}
		if err = may(c); err == nil {
			c, err = lifecycle.Move(c, e, "", r.d.Clock.Now())
		}
		var wrong *lifecycle.MoveError
		if errors.As(err, &wrong) {
			return words.Refuse("CSE-543").At("tessera").Because(err)
		}
		if err != nil {
			return err
		}
		if c, err = r.d.Cards.Put(ctx, c); err != nil {
			return err
		}
		entry.Card, entry.Person = c.ID, string(c.CF)
		return r.note(ctx, op, entry)
	})
}
