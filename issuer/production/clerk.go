package production

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// Clerk writes orders: of a first card, of a successor, of a card that takes
// another's place. It needs no bureau and no key, so that a counter's act can
// order inside its own transaction; the Plant makes what is ordered. All fields
// are needed.
type Clerk struct {
	Config Config
	Cards  lifecycle.Store
	People People
	Orders Orders
	Record journal.Recorder
	Clock  civil.Clock
	// Chip says whether the cards it orders have a chip; empty: as the
	// configuration says (ChiplessEvery, ChiplessFor).
	Chip Chip
}

// Chip is whether a card has a chip: a choice of whoever orders it (R106, R107).
type Chip string

// The choices.
const (
	ChipAsConfigured Chip = ""
	WithChip         Chip = "chip"
	WithoutChip      Chip = "none"
)

// Chips lists the choices.
func Chips() []Chip { return []Chip{ChipAsConfigured, WithChip, WithoutChip} }

func (p *Plant) clerk() *Clerk {
	return &Clerk{Config: p.Config, Cards: p.Cards, People: p.People, Orders: p.Orders, Record: p.Record, Clock: p.Clock}
}

// ErrNotLonger tells that a renewal would gain nothing.
var ErrNotLonger = errors.New("production: a new card would not last longer")

// Reissue orders the card that takes the place of old, which has ended or is
// ending, in the act of ctx (R26, R30, R33, R36). Exactly one card follows
// another: when a living one does already, that one is answered and nothing is
// ordered. A person for whom no card can be made goes to the exceptions; then
// the card answered is empty.
func (k *Clerk) Reissue(ctx context.Context, old lifecycle.Card) (lifecycle.Card, error) {
	c, _, err := k.next(ctx, old)
	return c, err
}

// Renew orders the successor of old, with or without a chip, in the act of ctx; it
// tells whether it was ordered now. An empty card: its holder has no right to one
// any more, or is among the exceptions. ErrNotLonger: a card made today would not
// outlast the old one.
func (k *Clerk) Renew(ctx context.Context, old lifecycle.Card, chip Chip) (c lifecycle.Card, ordered bool, err error) {
	longer, err := k.Longer(ctx, old)
	if err != nil {
		return c, false, err
	}
	if !longer {
		return c, false, ErrNotLonger
	}
	x := *k
	x.Chip = chip
	return x.next(ctx, old)
}

// ReissueFor orders the card of cf that takes the place of old, whose codice
// fiscale the Revenue Agency replaced by cf, in the act of ctx (R30). A living
// card that cf has already is tied to old instead.
func (k *Clerk) ReissueFor(ctx context.Context, old lifecycle.Card, cf codicefiscale.Code) (lifecycle.Card, error) {
	cards, err := k.Cards.ByPerson(ctx, cf)
	if err != nil {
		return lifecycle.Card{}, err
	}
	if now, ok := lifecycle.Current(cards); ok && !now.State.Final() {
		if now.Replaces != "" || old.ReplacedBy != "" {
			return now, nil
		}
		if err := k.follow(ctx, &now, old); err != nil {
			return now, err
		}
		return k.Cards.Put(ctx, now)
	}
	who, err := k.People.Get(ctx, cf)
	if err != nil {
		return lifecycle.Card{}, fmt.Errorf("production: next card: %w", err)
	}
	today := civil.Today(k.Clock)
	if !who.AssistedOn(today) {
		return lifecycle.Card{}, nil
	}
	return k.order(ctx, who, cards, old, today)
}

// next is the card that follows old, and whether it was ordered now.
func (k *Clerk) next(ctx context.Context, old lifecycle.Card) (c lifecycle.Card, ordered bool, err error) {
	cards, err := k.Cards.ByPerson(ctx, old.CF)
	if err != nil {
		return lifecycle.Card{}, false, err
	}
	for _, x := range cards {
		if x.ID != old.ID && !x.State.Final() && follows(cards, x, old) {
			return x, false, nil
		}
	}
	who, err := k.People.Get(ctx, old.CF)
	if err != nil {
		return lifecycle.Card{}, false, fmt.Errorf("production: next card: %w", err)
	}
	today := civil.Today(k.Clock)
	if !who.AssistedOn(today) {
		return lifecycle.Card{}, false, nil
	}
	c, err = k.order(ctx, who, cards, end(cards, old), today)
	return c, c.ID != "", err
}

// end is the last card of the chain that begins with old, as it is now.
func end(cards []lifecycle.Card, old lifecycle.Card) lifecycle.Card {
	at := func(id string) (lifecycle.Card, bool) {
		for _, x := range cards {
			if x.ID == id && id != "" {
				return x, true
			}
		}
		return lifecycle.Card{}, false
	}
	last, _ := at(old.ID)
	for range cards {
		x, ok := at(last.ReplacedBy)
		if !ok {
			break
		}
		last = x
	}
	return last
}

// follows tells whether x came after old, however many cards lie between.
func follows(cards []lifecycle.Card, x, old lifecycle.Card) bool {
	for range cards {
		if x.Replaces == old.ID {
			return true
		}
		before := x.Replaces
		if before == "" {
			return false
		}
		for _, c := range cards {
			if c.ID == before {
				x = c
			}
		}
	}
	return false
}

// order writes one order, which follows old (zero: nothing), or the exception;
// then the card is empty.
func (k *Clerk) order(ctx context.Context, who registry.Person, cards []lifecycle.Card, old lifecycle.Card, today civil.Date) (lifecycle.Card, error) {
	expires, why, err := lifecycle.ExpiryFor(lifecycle.ApplicantOf(who, cards), today, k.Config.Terms)
	var none *lifecycle.NoExpiryError
	if errors.As(err, &none) {
		return lifecycle.Card{}, k.except(ctx, who.CF, none.Key, "")
	}
	if err != nil {
		return lifecycle.Card{}, err
	}
	serial, err := k.Orders.Serials(ctx, cardSeries, 1)
	if err != nil {
		return lifecycle.Card{}, err
	}
	id, err := cns.NewCardID(k.Config.Issuer, serial, 0)
	if err != nil {
		return lifecycle.Card{}, fmt.Errorf("production: the series of card numbers is spent: %w", err)
	}
	c := lifecycle.Card{
		ID: string(id), TEAM: id.TEAM(), CF: who.CF, Model: k.model(who.CF, serial, today), State: lifecycle.Ordered,
		Issued: today, Expires: expires, ExpiryReason: why, OrderedAt: k.Clock.Now().UTC(),
	}
	if err := k.follow(ctx, &c, old); err != nil {
		return c, err
	}
	if c, err = k.Cards.Put(ctx, c); err != nil {
		return c, err
	}
	if err := k.Orders.DropException(ctx, who.CF); err != nil {
		return c, err
	}
	return c, k.note(ctx, c, why)
}

// follow ties the new card to old, if nothing followed that yet.
func (k *Clerk) follow(ctx context.Context, c *lifecycle.Card, old lifecycle.Card) error {
	if old.ID == "" || old.ReplacedBy != "" {
		return nil
	}
	c.Replaces, old.ReplacedBy = old.ID, c.ID
	_, err := k.Cards.Put(ctx, old)
	return err
}

func (k *Clerk) model(cf codicefiscale.Code, serial uint64, today civil.Date) lifecycle.Model {
	every := k.Config.ChiplessEvery
	chipless := k.Config.ChiplessFor[cf] || every > 0 && serial%every == 0
	if k.Chip != ChipAsConfigured {
		chipless = k.Chip == WithoutChip
	}
	if chipless && !today.Before(chiplessFrom) {
		return lifecycle.TS
	}
	return lifecycle.TSCNS
}

func (k *Clerk) except(ctx context.Context, cf codicefiscale.Code, reason, field string) error {
	return k.Orders.PutException(ctx, Exception{CF: cf, Reason: reason, Field: field, Since: k.Clock.Now().UTC()})
}

func (k *Clerk) note(ctx context.Context, c lifecycle.Card, why string) error {
	return k.Record(ctx, journal.Entry{
		Act: "card.ordered", Actor: actor, Card: c.ID, Person: string(c.CF), Detail: map[string]string{"model": string(c.Model), "expiry": why},
	})
}

// Reserve keeps the series of card numbers beyond the numbers of cards that
// others made under our issuer's code (an imported base), in the act of ctx.
func (k *Clerk) Reserve(ctx context.Context, cards []string) error {
	var most uint64
	for _, id := range cards {
		body, ours := strings.CutPrefix(id, k.Config.Issuer)
		if !ours || len(body) < 4 {
			continue
		}
		n, err := strconv.ParseUint(body[:len(body)-3], 10, 64) // without duplicate and check digit
		if err != nil {
			return fmt.Errorf("production: card number: %w", err)
		}
		most = max(most, n)
	}
	if most == 0 {
		return nil
	}
	next, err := k.Orders.Serials(ctx, cardSeries, 1)
	if err != nil || next >= most {
		return err
	}
	_, err = k.Orders.Serials(ctx, cardSeries, int(most-next))
	return err
}
