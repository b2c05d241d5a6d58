package counter

import (
	"context"
	"errors"
	"slices"
	"strings"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// Hit is one person found, with the card that stands for him (zero: none).
type Hit struct {
	Person registry.Person
	Card   lifecycle.Card
}

// maxHits is how many people a search by name answers.
const maxHits = 20

// Search finds people by codice fiscale, card number (16 digits), TEAM number
// (20 digits), protocol number of op's own counter, or the beginning of a name.
// Nobody found by a number or code is CSE-102; by a name, no hits.
func (c *Counter) Search(ctx context.Context, op staff.Operator, text string) ([]Hit, error) {
	if err := c.d.Directory.Allowed(op, staff.View, ""); err != nil {
		return nil, err
	}
	cf, byCode, err := c.holderOf(ctx, op, clean(text))
	if err != nil {
		return nil, err
	}
	if byCode {
		p, err := c.person(ctx, cf)
		if err != nil {
			return nil, err
		}
		return c.hits(ctx, []registry.Person{p})
	}
	name := strings.TrimSpace(text)
	if len([]rune(name)) < 2 {
		return nil, words.Refuse("CSE-151").At("ricerca")
	}
	ps, err := c.d.People.Search(ctx, registry.Query{Name: name, Limit: maxHits})
	if err != nil {
		return nil, err
	}
	return c.hits(ctx, ps)
}

// holderOf reads text as a number or a code; ok is false when it looks like a
// name.
func (c *Counter) holderOf(ctx context.Context, op staff.Operator, text string) (cf codicefiscale.Code, ok bool, err error) {
	var card lifecycle.Card
	switch {
	case cardNumber(text):
		card, err = c.d.Cards.Get(ctx, text)
	case digits(text, 20):
		card, err = c.d.Cards.ByTEAM(ctx, text)
	case len(text) == 12 && text[4] == '/' && digits(text[:4]+text[5:], 11):
		var a Act
		if a, err = c.Act(ctx, op, text); err == nil {
			card, err = c.d.Cards.Get(ctx, a.Card)
		}
	case looksLikeCF(text):
		cf, err = codicefiscale.Parse(text)
		return cf, true, err
	default:
		return "", false, nil
	}
	if errors.Is(err, lifecycle.ErrUnknown) {
		return "", true, words.Refuse("CSE-139").At("ricerca")
	}
	return card.CF, true, err
}

func (c *Counter) hits(ctx context.Context, ps []registry.Person) ([]Hit, error) {
	out := make([]Hit, len(ps))
	for i, p := range ps {
		cards, err := c.d.Cards.ByPerson(ctx, p.CF)
		if err != nil {
			return nil, err
		}
		out[i].Person = p
		out[i].Card, _ = lifecycle.Current(cards)
	}
	return out, nil
}

// CardLine is a card on the holder's sheet.
type CardLine struct {
	Card      lifecycle.Card
	Functions [4]lifecycle.Function
	// CanActivate tells that step 1 of an activation would pass the card's state.
	CanActivate bool
	// CodesToChange tells that somebody had its codes who stands for the holder no
	// more: new ones are offered. Filled on the sheet only.
	CodesToChange bool
}

// Sheet is the holder's sheet (scheda titolare).
type Sheet struct {
	Person registry.Person
	Cards  []CardLine // newest first
	// Actions are what op may do for this person at his counter.
	Actions []staff.Action
	// Protocols are the activations made at op's counter, newest first.
	Protocols []string
}

// May tells whether the sheet offers a.
func (s Sheet) May(a staff.Action) bool { return slices.Contains(s.Actions, a) }

// Sheet reads everything a counter shows of a person, and journals that op
// looked.
func (c *Counter) Sheet(ctx context.Context, op staff.Operator, cf codicefiscale.Code) (Sheet, error) {
	if err := c.d.Directory.Allowed(op, staff.View, ""); err != nil {
		return Sheet{}, err
	}
	p, err := c.person(ctx, cf)
	if err != nil {
		return Sheet{}, err
	}
	s := Sheet{Person: p}
	if s.Cards, err = c.Lines(ctx, p); err != nil {
		return s, err
	}
	for i, x := range s.Cards {
		if s.Cards[i].CodesToChange, err = c.CodesToChange(ctx, x.Card); err != nil {
			return s, err
		}
		rows, err := c.d.Acts.ByCard(ctx, x.Card.ID)
		if err != nil {
			return s, err
		}
		for _, r := range rows {
			if r.Office == op.Office.ID {
				s.Protocols = append(s.Protocols, r.Protocol)
			}
		}
	}
	for _, a := range staff.Actions() {
		if c.d.Directory.Allowed(op, a, p.ASL) == nil {
			s.Actions = append(s.Actions, a)
		}
	}
	return s, c.d.Atomically(ctx, func(ctx context.Context) error {
		return c.d.Record(ctx, journal.Entry{
			Act: "holder.viewed", Actor: op.Account, Office: op.Office.ID, Person: string(p.CF), Detail: map[string]string{"motive": string(motiveOf(ctx))},
		})
	})
}

// Lines are somebody's cards, newest first, with their four functions now.
func (c *Counter) Lines(ctx context.Context, p registry.Person) ([]CardLine, error) {
	cards, err := c.d.Cards.ByPerson(ctx, p.CF)
	if err != nil {
		return nil, err
	}
	now := c.d.Clock.Now()
	out := make([]CardLine, len(cards))
	for i, x := range cards {
		out[i] = CardLine{
			Card: x, Functions: lifecycle.Functions(x, lifecycle.FactsOf(p, x, cards), now),
			CanActivate: activatable(found{p, x, cards}, civil.DayOf(now)) == nil,
		}
	}
	return out, nil
}

// clean takes away what a keyboard-wedge scanner adds (the stars of Code 39)
// and the spaces in which people group digits.
func clean(s string) string {
	s = strings.Trim(strings.TrimSpace(s), "*")
	if d := strings.ReplaceAll(s, " ", ""); digits(d, len(d)) {
		return d
	}
	return strings.ToUpper(s)
}

func cardNumber(s string) bool { return digits(s, 16) }

func digits(s string, n int) bool {
	return len(s) == n && n > 0 && strings.Trim(s, "0123456789") == ""
}

// looksLikeCF: 11 digits, or 16 letters and digits with at least one digit at
// work in it; a name has none.
func looksLikeCF(s string) bool {
	return digits(s, 11) || (len(s) == 16 && !strings.ContainsAny(s, " '") && strings.ContainsAny(s, "0123456789"))
}
