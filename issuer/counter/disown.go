package counter

import (
	"context"
	"errors"
	"slices"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// WhyUnconfirmed is why a title ended before its day: a check of its
// self-declaration did not confirm it (issuer/declarations, decision 0752).
const WhyUnconfirmed = "unconfirmed"

// The notices of it: to who declared, and to who stands for the holder besides.
const (
	Unconfirmed     Event = "unconfirmed"
	HeldUnconfirmed Event = "held-unconfirmed"
)

// Declaration is a self-declaration as it was given with an act.
type Declaration struct {
	Act
	Holder registry.Person
	// Named tells that the registry names him as guardian today.
	Named bool
}

// Declaration opens the act with protocol number protocol for a check. Refused: an
// act without a self-declaration (CSE-760), an operator's own family, or himself
// who declared (CSE-140). Whether op may check it at all is his room's question.
func (c *Counter) Declaration(ctx context.Context, op staff.Operator, protocol string) (Declaration, error) {
	r, err := c.d.Acts.Find(ctx, protocol, "")
	if errors.Is(err, ErrNotFound) || protocol == "" {
		return Declaration{}, words.Refuse("CSE-760")
	}
	if err != nil {
		return Declaration{}, err
	}
	e, err := c.evidence(r)
	if err != nil {
		return Declaration{}, err
	}
	if r.Destroyed() {
		return Declaration{}, words.Refuse("CSE-646")
	}
	if !declares(e) {
		return Declaration{}, words.Refuse("CSE-760")
	}
	p, err := c.person(ctx, codicefiscale.Code(e.Form.CF))
	if err != nil {
		return Declaration{}, err
	}
	rep := e.Identity.Representative.CF
	if rep.Base() == op.CF.Base() {
		return Declaration{}, words.Refuse("CSE-140")
	}
	d := Declaration{Holder: p, Act: Act{Protocol: r.Protocol, Kind: r.Kind, Card: r.Card, Operator: r.Operator, Office: r.Office, At: r.At, Form: e.Form}}
	d.Named = slices.ContainsFunc(p.GuardiansOn(c.today()), func(g registry.Guardian) bool { return g.CF.Base() == rep.Base() })
	return d, c.ownFamily(ctx, op, p)
}

// declares tells whether an act took a self-declaration of a title.
func declares(e Evidence) bool {
	return e.Form.has(PaperDeclaration) && e.Identity.Representative != nil && e.Identity.Representative.Declared
}

// sample offers an act with a self-declaration to whoever draws the sample.
func (c *Counter) sample(ctx context.Context, f found, e Evidence, r ActRow) error {
	if c.d.Sample == nil || !declares(e) {
		return nil
	}
	return c.d.Sample(ctx, r, f.Person.ASL)
}

// Disown is what follows in the act of ctx when a check did not confirm the
// self-declaration of an act. The title ends now; where its owner was given codes
// of the holder's cards, their CNS is held until somebody with a title has new ones
// (hold.go); his address is not the cards' any more. He is told, and whoever
// stands for the holder besides. It answers how many cards are held.
func (c *Counter) Disown(ctx context.Context, d Declaration) (held int, err error) {
	c = c.still()
	now, rep := c.d.Clock.Now(), *d.Form.Representative
	links, err := c.d.Links.LinksOf(ctx, d.Holder.CF)
	if err != nil {
		return 0, err
	}
	for _, l := range links {
		if l.Representative.Base() != rep.CF.Base() || l.Protocol != d.Protocol || !l.EndedAt.IsZero() {
			continue // ended by date already, or declared anew since
		}
		l.Why = WhyUnconfirmed
		if err := c.d.Links.EndLink(ctx, l, now); err != nil {
			return 0, err
		}
	}
	his, err := c.declarant(ctx, Link{Representative: rep.CF, Protocol: d.Protocol})
	if err != nil {
		return 0, err
	}
	cards, err := c.d.Cards.ByPerson(ctx, d.Holder.CF)
	if err != nil {
		return 0, err
	}
	for _, card := range cards {
		did, err := c.holdUnconfirmed(ctx, card, rep.CF)
		if err != nil {
			return held, err
		}
		if did {
			held++
		}
	}
	return held, c.tellDisowned(ctx, d, his)
}

// holdUnconfirmed holds a card whose codes cf was given; one that is on hold at the
// holder's wish gets the graver reason.
func (c *Counter) holdUnconfirmed(ctx context.Context, card lifecycle.Card, cf codicefiscale.Code) (bool, error) {
	if !card.HasChip() || card.State != lifecycle.Active && (card.State != lifecycle.Suspended || card.Reason != lifecycle.ByHolder) {
		return false, nil
	}
	had, err := c.givenTo(ctx, card.ID, func(x codicefiscale.Code) (bool, error) { return x.Base() == cf.Base(), nil })
	if err != nil || !had {
		return false, err
	}
	was := card.State
	if card, err = lifecycle.Move(card, lifecycle.Suspend, lifecycle.Unconfirmed, c.d.Clock.Now()); err != nil {
		return false, err
	}
	if card, err = c.d.Cards.Put(ctx, card); err != nil || was != lifecycle.Active {
		return err == nil, err
	}
	return true, c.d.Certificates.Hold(ctx, card.CertSerial)
}

// tellDisowned tells who declared, and everybody who stands for the holder now; the
// holder's address in the book is theirs from now on, or nobody's.
func (c *Counter) tellDisowned(ctx context.Context, d Declaration, his Stander) error {
	others, err := c.Standers(ctx, d.Holder.CF)
	if err != nil {
		return err
	}
	others = slices.DeleteFunc(others, func(s Stander) bool { return s.CF.Base() == his.CF.Base() || !validEmail(s.Email) })
	told := []string{}
	if validEmail(his.Email) {
		told = append(told, his.Email)
		if err := c.notify(ctx, Unconfirmed, d.Act, reached{his.Email, firstName(d.Form.Representative.Name), his.Lang}, ""); err != nil {
			return err
		}
	}
	var instead Stander
	for i, s := range others {
		if instead.Email == "" && !sameAddress(s.Email, his.Email) {
			instead = s
		}
		if among(told, s.Email) {
			continue
		}
		told = append(told, s.Email)
		if s.Lang == "" {
			s.Lang = words.Italian
		}
		if err := c.notify(ctx, HeldUnconfirmed, d.Act, reached{s.Email, firstName(s.Name), s.Lang}, ordinal(i)); err != nil {
			return err
		}
	}
	if c.d.Book == nil || his.Email == "" {
		return nil
	}
	return c.d.Book.Drop(ctx, d.Holder.CF, his.Email, instead.Email, instead.CF)
}

// refusedBefore refuses who declared this title before, and was not confirmed: the
// registry must know it first (CSE-759).
func (c *Counter) refusedBefore(ctx context.Context, f found, rep codicefiscale.Code) error {
	named := func(g registry.Guardian) bool { return g.CF.Base() == rep.Base() }
	if slices.ContainsFunc(f.Person.GuardiansOn(c.today()), named) {
		return nil
	}
	no, err := c.disowned(ctx, f.Person.CF, rep)
	if err == nil && no {
		err = words.Refuse("CSE-759").At("rappresentante_cf")
	}
	return err
}

// disowned tells whether a title that somebody declared was not confirmed.
func (c *Counter) disowned(ctx context.Context, holder, rep codicefiscale.Code) (bool, error) {
	links, err := c.d.Links.LinksOf(ctx, holder)
	return slices.ContainsFunc(links, func(l Link) bool { return l.Why == WhyUnconfirmed && l.Representative.Base() == rep.Base() }), err
}
