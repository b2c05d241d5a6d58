package counter

import (
	"context"
	"encoding/json"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
)

// KindJoin is another holder of parental responsibility, or another guardian, who
// joins the one that stands for a minor or a ward already // altro genitore.
const KindJoin ActKind = "join"

// The notices of it: to who joined, and to who stood for the holder before.
const (
	Joined        Event = "joined"
	AnotherJoined Event = "another-joined"
)

// joined is what the act remembers: where its representative is written to. It is
// not the holder's address, which stays the one of his codes.
type joined struct {
	Email string     `json:"email"`
	Lang  words.Lang `json:"lang"`
}

// Join gives a second parent or guardian a title of his own (decision 0750). He
// comes in person, with what an activation for a ward asks: his own card or the
// reason why he has none, his own document, the self-declaration. The card is one
// that somebody has activated. He gets no codes: from now on he finds the holder in
// his area, speaks for him at counters, and is told; so is everybody who stood for
// the holder before. Refused: the holder himself (CSE-750), a delegate (CSE-438),
// at eighteen and over (CSE-413), who has the title already (CSE-751), a card that
// nobody has activated (CSE-752).
func (c *Counter) Join(ctx context.Context, op staff.Operator, o Order) (Act, error) {
	c = c.still()
	return c.once(ctx, op, KindJoin, staff.ActivateRepresented, o, func(ctx context.Context, f found, e *Evidence) (outcome, error) {
		if err := c.mayJoin(ctx, op, f, o.Identity); err != nil {
			return outcome{}, err
		}
		to, err := c.ownAddress(ctx, f, o)
		if err != nil {
			return outcome{}, err
		}
		if e.Extra, err = json.Marshal(to); err != nil {
			return outcome{}, err
		}
		e.Contact.Lang, e.Form.Papers = to.Lang, []PaperKind{PaperDeclaration, PaperReceipt}
		before, err := c.standing(ctx, f)
		if err != nil {
			return outcome{}, err
		}
		return outcome{card: f.Card, detail: stoodThere(o.Identity), after: func(ctx context.Context, a Act) error {
			if err := c.link(ctx, f, Evidence{Identity: o.Identity, Form: a.Form}); err != nil {
				return err
			}
			return c.tellJoined(ctx, f, a, to, before)
		}}, nil
	})
}

// mayJoin is who stands there and what he brings.
func (c *Counter) mayJoin(ctx context.Context, op staff.Operator, f found, s IdentityStep) error {
	switch s.Present {
	case PresentParent, PresentGuardian:
	case PresentDelegate:
		return words.Refuse("CSE-438").At("presente")
	default:
		return words.Refuse("CSE-750").At("presente")
	}
	switch {
	case f.Card.State.Final() || !f.Card.HasChip():
		return nothingToRevoke(f.Card)
	case f.Card.State != lifecycle.Active && f.Card.State != lifecycle.Suspended:
		return words.Refuse("CSE-752")
	}
	if err := c.activatesForWard(ctx, op, f, s); err != nil {
		return err
	}
	has, err := c.Stands(ctx, f.Person, s.Representative.CF)
	if err == nil && has {
		err = words.Refuse("CSE-751").At("rappresentante_cf")
	}
	return err
}

// ownAddress is the address typed twice, which the rules of stopped addresses let
// through.
func (c *Counter) ownAddress(ctx context.Context, f found, o Order) (joined, error) {
	address, err := checkEmail(o.Email, o.EmailAgain)
	if err == nil && c.d.Address != nil {
		err = c.d.Address(ctx, f.Person, address)
	}
	lang := o.Lang
	if lang != words.English {
		lang = words.Italian
	}
	return joined{address, lang}, err
}

// stoodThere is what the journal keeps of who stood there for the holder.
func stoodThere(s IdentityStep) map[string]string {
	d := activationDetail(s)
	delete(d, "holder_identified") // he need not be there
	return d
}

// tellJoined tells him, and each of those who stood for the holder before, at the
// addresses that are known. An address that both have is told once.
func (c *Counter) tellJoined(ctx context.Context, f found, a Act, to joined, before []reached) error {
	err := c.notify(ctx, Joined, a, reached{to.Email, firstName(a.Form.Representative.Name), to.Lang}, "")
	told := []string{to.Email}
	for i, x := range before {
		if err != nil {
			return err
		}
		if !validEmail(x.Email) || among(told, x.Email) {
			continue
		}
		told = append(told, x.Email)
		err = c.notify(ctx, AnotherJoined, a, x, ordinal(i))
	}
	return err
}

// reached is somebody and where he is written to.
type reached struct {
	Email, Name string
	Lang        words.Lang
}

func among(told []string, address string) bool {
	for _, x := range told {
		if sameAddress(x, address) {
			return true
		}
	}
	return false
}

func ordinal(i int) string {
	if i == 0 {
		return ""
	}
	return "/" + string(rune('0'+min(i, 9)))
}

func (c *Counter) notify(ctx context.Context, e Event, a Act, to reached, more string) error {
	return c.enqueue(ctx, KindMailNotice+"/"+string(e)+"/"+a.Protocol+more, KindMailNotice, a.Card, Notice{
		Event: e, Protocol: a.Protocol, Card: a.Card, To: to.Email, FirstName: to.Name, At: a.At, Lang: to.Lang,
	})
}

// standing are those who stand for a holder now, as they are written to: at the
// address of the card, at those of the titles declared at counters, and at those
// that the registry knows of the guardians it names.
func (c *Counter) standing(ctx context.Context, f found) ([]reached, error) {
	var out []reached
	to, lang, err := c.address(ctx, f.Card)
	if err != nil {
		return nil, err
	}
	if e, ok, err := c.given(ctx, f.Card.ID); err != nil {
		return nil, err
	} else if to != "" {
		name := f.Person.Name
		if ok && sameAddress(e.Contact.Email, to) {
			name = e.Form.representativeName()
		}
		out = append(out, reached{to, firstName(name), lang})
	}
	list, err := c.Standers(ctx, f.Person.CF)
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		x := reached{s.Email, firstName(s.Name), s.Lang}
		if x.Lang == "" {
			x.Lang = lang
		}
		if x.Email != "" {
			out = append(out, x)
		}
	}
	return out, nil
}

// Stander is who stands for a holder, by the registry or by a title declared at a
// counter. Names are the registry's, or those of the act; Email is empty when
// nobody knows it.
type Stander struct {
	CF            codicefiscale.Code
	Surname, Name string
	Kind          Present
	Email         string
	Lang          words.Lang
}
