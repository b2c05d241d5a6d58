package counter

import (
	"context"
	"errors"
	"slices"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// PaperDeclaration is the self-declaration of a parent or guardian, filled in,
// to be signed (art. 46-47 DPR 445/2000).
const PaperDeclaration PaperKind = "self-declaration"

// Representative is who stands at the counter for somebody else; the document
// of the step is his.
type Representative struct {
	CF      codicefiscale.Code `json:"cf"`
	Surname string             `json:"surname"`
	Name    string             `json:"name"`
	// Born is as his document says; needed of who is not in the registry (vouch.go).
	Born civil.Date `json:"born,omitzero"`
	// OnPaper: the registry does not know him, his document alone says who he is.
	OnPaper bool `json:"on_paper,omitempty"`
	// Card is his own card's number, or NoCard why he has none (a foreign parent
	// without TS); for a parent or guardian.
	Card   string `json:"card,omitempty"`
	NoCard string `json:"no_card,omitempty"`
	// Declared: he signed the self-declaration (R69).
	Declared bool `json:"declared,omitempty"`
	// Title is a guardian's appointment, Until its last day as the decree has it, or
	// UntilRevoked where it has none (title.go).
	Title        Title      `json:"title,omitempty"`
	Until        civil.Date `json:"until,omitzero"`
	UntilRevoked bool       `json:"until_revoked,omitempty"`
	// Of a delegate (R95-R100): the impediment is of health (a tick, never which),
	// the delegation is signed and stays here, the copy of the holder's document.
	Health     bool `json:"health,omitempty"`
	Delegation bool `json:"delegation,omitempty"`
	Copy       bool `json:"copy,omitempty"`
}

// Links keeps titles. Writes happen inside an act.
type Links interface {
	// AddLink keeps a title. The same one again changes nothing, save one that has
	// ended, one declared with another end, and one that was the registry's alone.
	AddLink(ctx context.Context, l Link) error
	LinksOf(ctx context.Context, holder codicefiscale.Code) ([]Link, error)
	// WardsOf lists those for whom somebody stands.
	WardsOf(ctx context.Context, representative codicefiscale.Code) ([]Link, error)
	// OpenLinks lists titles whose end was not told yet, by holder, after one.
	OpenLinks(ctx context.Context, after codicefiscale.Code, limit int) ([]Link, error)
	// EndLink ends an open title, with its Why.
	EndLink(ctx context.Context, l Link, at time.Time) error
}

// needsSomebody tells whether a person cannot consent alone on that day: under
// eighteen, the day counted in Rome, or under guardianship.
func needsSomebody(p registry.Person, today civil.Date) bool {
	return p.MinorOn(today) || p.UnderGuardianship
}

// who is step 2 of an activation: the holder, who represents him, or a delegate.
// An act for somebody else is a right of its own in the matrix.
func (c *Counter) who(ctx context.Context, op staff.Operator, f found, s IdentityStep) error {
	switch s.Present {
	case PresentParent, PresentGuardian:
		return c.activatesForWard(ctx, op, f, s)
	case PresentDelegate:
		return c.activatesByDelegate(ctx, op, f, s)
	}
	return c.checkIdentity(f, s)
}

// standsIn is what both have in common: somebody else than the holder and the
// operator, at a counter that may, who is who he says (vouch.go), with a document
// of his own.
func (c *Counter) standsIn(ctx context.Context, op staff.Operator, f found, s IdentityStep) error {
	r := s.Representative
	switch {
	case r == nil || r.CF == "":
		return words.Refuse("CSE-446").At("rappresentante_cf")
	case r.CF.Base() == f.Person.CF.Base():
		return words.Refuse("CSE-414").At("rappresentante_cf")
	case r.CF.Base() == op.CF.Base():
		return words.Refuse("CSE-140")
	case !plain(r.Surname, 1, 60) || !plain(r.Name, 1, 60):
		return words.Refuse("CSE-415").At("rappresentante_cognome")
	}
	if err := c.d.Directory.Allowed(op, staff.ActivateRepresented, f.Person.ASL); err != nil {
		return err
	}
	if err := c.vouch(ctx, r); err != nil {
		return err
	}
	return s.Document.check(c.today())
}

// activatesForWard is a parent or guardian (R64-R69): for a minor or a ward
// only, with his own card and document; the signed self-declaration is enough.
func (c *Counter) activatesForWard(ctx context.Context, op staff.Operator, f found, s IdentityStep) error {
	today := c.today()
	switch {
	case !needsSomebody(f.Person, today):
		return words.Refuse("CSE-413").At("presente")
	case s.Present == PresentParent && !f.Person.MinorOn(today):
		return words.Refuse("CSE-416").At("presente") // a ward of age has a guardian
	}
	if err := c.standsIn(ctx, op, f, s); err != nil {
		return err
	}
	if err := c.refusedBefore(ctx, f, s.Representative.CF); err != nil {
		return err
	}
	if err := c.ownCard(ctx, *s.Representative); err != nil {
		return err
	}
	if !s.Representative.Declared {
		return words.Refuse("CSE-412").At("autocertificazione")
	}
	return s.Representative.declares(s.Present, today)
}

// ownCard asks for the representative's own card (R66), or the recorded reason
// why somebody without a TS has none: not for who left it at home (decision 0691).
func (c *Counter) ownCard(ctx context.Context, r Representative) error {
	if r.Card == "" {
		his, err := c.d.Cards.ByPerson(ctx, r.CF)
		if err != nil {
			return err
		}
		inUse := func(x lifecycle.Card) bool {
			return x.State == lifecycle.Delivered || x.State == lifecycle.Active || x.State == lifecycle.Suspended
		}
		if plain(r.NoCard, 5, 200) && !slices.ContainsFunc(his, inUse) {
			return nil
		}
		return words.Refuse("CSE-410").At("rappresentante_tessera")
	}
	card, err := c.d.Cards.Get(ctx, r.Card)
	if errors.Is(err, lifecycle.ErrUnknown) {
		card, err = c.d.Cards.ByTEAM(ctx, r.Card)
	}
	if errors.Is(err, lifecycle.ErrUnknown) || err == nil && (card.CF.Base() != r.CF.Base() || card.State.Final()) {
		return words.Refuse("CSE-411").At("rappresentante_tessera")
	}
	return err
}

// ownFamily refuses an operator himself and whoever he stands for: by the
// registry, or by a title declared at a counter (CSE-140).
func (c *Counter) ownFamily(ctx context.Context, op staff.Operator, p registry.Person) error {
	mine := op.CF.Base() == p.CF.Base()
	for _, g := range p.Guardians {
		mine = mine || g.CF.Base() == op.CF.Base()
	}
	links, err := c.d.Links.LinksOf(ctx, p.CF)
	if err != nil {
		return err
	}
	for _, l := range links {
		mine = mine || l.Representative.Base() == op.CF.Base()
	}
	if mine {
		return words.Refuse("CSE-140")
	}
	return nil
}

// activatesByDelegate is somebody sent by an adult whom his health keeps at home
// (R95-R100): identified himself, with the four papers.
func (c *Counter) activatesByDelegate(ctx context.Context, op staff.Operator, f found, s IdentityStep) error {
	if err := c.delegated(ctx, op, f, s); err != nil {
		return err
	}
	switch r := s.Representative; {
	case !r.Delegation:
		return words.Refuse("CSE-417").At("delega")
	case !r.Copy:
		return words.Refuse("CSE-418").At("copia")
	}
	return nil
}

// delegated is who may be a delegate, and for whom; his papers apart.
func (c *Counter) delegated(ctx context.Context, op staff.Operator, f found, s IdentityStep) error {
	if needsSomebody(f.Person, c.today()) {
		return words.Refuse("CSE-120").At("presente")
	}
	if s.Representative == nil || !s.Representative.Health {
		return words.Refuse("CSE-121").At("salute")
	}
	return c.standsIn(ctx, op, f, s)
}

// notTheDelegates refuses an address that the registry or an earlier act knows
// as the delegate's: the holder's own stands on the delegation.
func (c *Counter) notTheDelegates(ctx context.Context, s IdentityStep, address string) error {
	if s.Present != PresentDelegate || s.Representative == nil {
		return nil
	}
	cf := s.Representative.CF
	p, err := c.d.People.Get(ctx, cf)
	if err != nil && !errors.Is(err, registry.ErrUnknown) {
		return err
	}
	known := []string{p.Email}
	cards, err := c.d.Cards.ByPerson(ctx, cf)
	if err != nil {
		return err
	}
	for _, x := range cards {
		to, _, err := c.address(ctx, x)
		if err != nil {
			return err
		}
		known = append(known, to)
	}
	for _, k := range known {
		if k != "" && sameAddress(k, address) {
			return words.Refuse("CSE-419").At("email")
		}
	}
	return nil
}

// link keeps the title that an activation declared.
func (c *Counter) link(ctx context.Context, f found, e Evidence) error {
	s := e.Identity
	if s.Present != PresentParent && s.Present != PresentGuardian {
		return nil
	}
	return c.d.Links.AddLink(ctx, Link{
		Holder: f.Person.CF, Representative: s.Representative.CF, Kind: s.Present, Since: e.Form.At, Protocol: e.Form.Protocol,
		Until: s.Representative.Until,
	})
}

// Stands tells whether rep stands for a holder today: by the registry, or by a
// title declared at a counter; never for an adult who is under no guardianship,
// from the midnight of his birthday on, nor for the dead.
func (c *Counter) Stands(ctx context.Context, holder registry.Person, rep codicefiscale.Code) (bool, error) {
	today := c.today()
	if !needsSomebody(holder, today) || !holder.AliveOn(today) {
		return false, nil
	}
	for _, g := range holder.GuardiansOn(today) {
		if g.CF.Base() == rep.Base() {
			return true, nil
		}
	}
	links, err := c.d.Links.LinksOf(ctx, holder.CF)
	if err != nil {
		return false, err
	}
	for _, l := range links {
		if l.Representative.Base() == rep.Base() && l.Lasts(holder, today) {
			return true, nil
		}
	}
	return false, nil
}

// Ward is somebody for whom a person stands.
type Ward struct {
	Person registry.Person
	Kind   Present
}

// Wards lists those for whom a person stands today, by the titles declared at
// counters.
func (c *Counter) Wards(ctx context.Context, cf codicefiscale.Code) ([]Ward, error) {
	links, err := c.d.Links.WardsOf(ctx, cf)
	if err != nil {
		return nil, err
	}
	var out []Ward
	today := c.today()
	for _, l := range links {
		p, err := c.d.People.Get(ctx, l.Holder)
		if errors.Is(err, registry.ErrUnknown) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if l.Lasts(p, today) {
			out = append(out, Ward{p, l.Kind})
		}
	}
	return out, nil
}
