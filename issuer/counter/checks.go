package counter

import (
	"context"
	"errors"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// found is a card on the counter and its holder.
type found struct {
	Person registry.Person
	Card   lifecycle.Card
	Cards  []lifecycle.Card
}

// checkCard is everything about step 1, asked again at the act.
func (c *Counter) checkCard(ctx context.Context, op staff.Operator, s CardStep) (found, error) {
	f, err := c.onTheCounter(ctx, s)
	if err != nil {
		return f, err
	}
	if err := c.mayActivate(ctx, op, f); err != nil {
		return f, err
	}
	if s.ReadID == "" && !plain(s.NoReader, 5, 200) {
		return f, words.Refuse("CSE-441").At("motivo")
	}
	return f, nil
}

// MayActivate tells whether op may activate a card that lies in front of him, for
// whoever asks the reader for it first.
func (c *Counter) MayActivate(ctx context.Context, op staff.Operator, card string) error {
	f, err := c.searched(ctx, CardStep{Card: card})
	if err != nil {
		return err
	}
	return c.mayActivate(ctx, op, f)
}

// mayActivate is everything about step 1 but the card's presence.
func (c *Counter) mayActivate(ctx context.Context, op staff.Operator, f found) error {
	if op.CF.Base() == f.Person.CF.Base() {
		return words.Refuse("CSE-140")
	}
	action := staff.ActivateAdult
	if needsSomebody(f.Person, civil.Today(c.d.Clock)) {
		action = staff.ActivateRepresented
	}
	if err := c.d.Directory.Allowed(op, action, f.Person.ASL); err != nil {
		return err
	}
	if err := c.ownFamily(ctx, op, f.Person); err != nil {
		return err
	}
	today := civil.Today(c.d.Clock)
	if err := activatable(f, today); err != nil {
		return err
	}
	if !f.Person.AliveOn(today) {
		return words.Refuse("CSE-118")
	}
	if !f.Person.AssistedOn(today) {
		return words.Refuse("CSE-119")
	}
	has, err := c.d.Codes.Has(ctx, f.Card.ID)
	if err == nil && !has {
		err = words.Refuse("CSE-138")
	}
	return err
}

// onTheCounter finds the card that was searched and proves that it is the one
// lying there.
func (c *Counter) onTheCounter(ctx context.Context, s CardStep) (found, error) {
	f, err := c.searched(ctx, s)
	if err != nil {
		return f, err
	}
	switch {
	case s.ReadCF != "" && s.ReadCF != f.Person.CF:
		return f, words.Refuse("CSE-111").At("codice_fiscale")
	case s.ReadID != "":
		return f.read(s.ReadID)
	}
	return f, printed(f, s)
}

// read takes the card that the reader saw instead of the one searched for: an
// old card of the same holder must be told apart by its own state.
func (f found) read(id string) (found, error) {
	for _, x := range f.Cards {
		if x.ID == id {
			f.Card = x
			return f, nil
		}
	}
	return f, words.Refuse("CSE-141")
}

func (c *Counter) searched(ctx context.Context, s CardStep) (found, error) {
	var f found
	if s.Card != "" {
		card, err := c.d.Cards.Get(ctx, s.Card)
		if errors.Is(err, lifecycle.ErrUnknown) || (err == nil && s.CF != "" && card.CF != s.CF) {
			return f, words.Refuse("CSE-139").At("tessera")
		}
		if err != nil {
			return f, err
		}
		f.Card, s.CF = card, card.CF
	}
	p, err := c.person(ctx, s.CF)
	if err != nil {
		return f, err
	}
	f.Person = p
	if f.Cards, err = c.d.Cards.ByPerson(ctx, p.CF); err != nil {
		return f, err
	}
	if f.Card.ID == "" {
		card, ok := lifecycle.Current(f.Cards)
		if !ok {
			return f, words.Refuse("CSE-102").At("codice_fiscale")
		}
		f.Card = card
	}
	return f, nil
}

func (c *Counter) person(ctx context.Context, cf codicefiscale.Code) (registry.Person, error) {
	p, err := c.d.People.Get(ctx, cf)
	if errors.Is(err, registry.ErrUnknown) {
		return p, words.Refuse("CSE-102").At("codice_fiscale").Because(err)
	}
	return p, err
}

// activatable refuses a card that cannot become active, each state with its own
// message and date.
func activatable(f found, today civil.Date) error {
	card := f.Card
	if on, ok := superseded(f); ok {
		return words.Refuse("CSE-112", on.Italian())
	}
	switch {
	case card.State == lifecycle.Revoked:
		return words.Refuse("CSE-114", civil.DayOf(card.EndedAt).Italian())
	case card.State == lifecycle.Expired || today.After(card.Expires):
		return words.Refuse("CSE-115", card.Expires.Italian())
	case !card.HasChip():
		return words.Refuse("CSE-117")
	case card.State == lifecycle.Active || card.State == lifecycle.Suspended:
		return words.Refuse("CSE-113", civil.DayOf(card.ActivatedAt).Italian())
	case card.State != lifecycle.Shipped && card.State != lifecycle.Delivered:
		return words.Refuse("CSE-116")
	}
	return nil
}

// superseded tells the day on which a later card took this one's place: its own
// end, or the successor's posting when that has a chip (a chipless successor
// leaves the old CNS alone, R107).
func superseded(f found) (civil.Date, bool) {
	if f.Card.State == lifecycle.Replaced {
		return civil.DayOf(f.Card.EndedAt), true
	}
	for _, x := range f.Cards {
		if x.ID == f.Card.ReplacedBy && x.HasChip() && !x.ShippedAt.IsZero() && !x.State.Final() && f.Card.State != lifecycle.Active {
			return civil.DayOf(x.ShippedAt), true
		}
	}
	return civil.Date{}, false
}

// checkIdentity is the holder himself: adult, not under guardianship, with a
// document that is good today.
func (c *Counter) checkIdentity(f found, s IdentityStep) error {
	today := civil.Today(c.d.Clock)
	switch s.Present {
	case PresentHolder:
	default:
		return words.Refuse("CSE-148").At("presente")
	}
	if f.Person.MinorOn(today) {
		return words.Refuse("CSE-120").At("presente")
	}
	if f.Person.UnderGuardianship {
		return words.Refuse("CSE-128").At("presente")
	}
	return s.Document.check(today)
}

// checkRepresentative is a parent or guardian who stands there for a minor or a
// ward: he has the title today (registry, or a link made at a counter), shows a
// document of his own, and does not work at this counter's other side.
func (c *Counter) checkRepresentative(ctx context.Context, op staff.Operator, f found, s IdentityStep) error {
	today := civil.Today(c.d.Clock)
	if !f.Person.MinorOn(today) && !f.Person.UnderGuardianship {
		return words.Refuse("CSE-437").At("presente") // an adult speaks for himself
	}
	r := s.Representative
	if r == nil || r.CF == "" {
		return words.Refuse("CSE-446").At("rappresentante_cf")
	}
	if op.CF.Base() == r.CF.Base() {
		return words.Refuse("CSE-140")
	}
	ok, err := c.Stands(ctx, f.Person, r.CF)
	if err != nil {
		return err
	}
	if !ok {
		return c.noTitle(ctx, f.Person, r.CF)
	}
	if err := c.able(ctx, r.CF); err != nil {
		return err
	}
	return s.Document.check(today)
}
