package counter

import (
	"context"
	"errors"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// Book keeps where each person is written to; issuer/contacts is one. Every act
// that takes an address writes it there, and every notice reads it there, so
// that a change made from home counts here too.
type Book interface {
	// Set writes an address in the act of ctx. represented: it is that of a parent or
	// guardian, by, and counts only while he stands for the holder; where nobody is
	// named, while the holder needs somebody.
	Set(ctx context.Context, cf codicefiscale.Code, email string, lang words.Lang, represented bool, by codicefiscale.Code) error
	// Of is the address, the one before the last act that took one, and the language.
	Of(ctx context.Context, cf codicefiscale.Code) (email, before string, lang words.Lang, err error)
	// Drop forgets an address that was never the holder's to give, also as the one
	// before, in the act of ctx; instead, the representative by's, takes its place, or
	// nobody's if it is empty.
	Drop(ctx context.Context, cf codicefiscale.Code, email, instead string, by codicefiscale.Code) error
}

// note writes the address that an act took into the book.
func (c *Counter) note(ctx context.Context, f found, e Evidence) error {
	if c.d.Book == nil || e.Contact.Email == "" {
		return nil
	}
	represented, by := false, codicefiscale.Code("")
	if p := e.Identity.Present; p == PresentParent || p == PresentGuardian {
		represented, by = true, e.Identity.Representative.CF
	}
	return c.d.Book.Set(ctx, f.Person.CF, e.Contact.Email, e.Contact.Lang, represented, by)
}

// KnownAddress is what acts at counters and the registry know of somebody whom
// the book does not: the address of his newest card that took one, or else the
// registry's.
func (c *Counter) KnownAddress(ctx context.Context, cf codicefiscale.Code) (string, words.Lang, error) {
	cards, err := c.d.Cards.ByPerson(ctx, cf)
	if err != nil {
		return "", words.Italian, err
	}
	if current, ok := lifecycle.Current(cards); ok {
		cards = append([]lifecycle.Card{current}, cards...)
	}
	for _, x := range cards {
		email, lang, err := c.toldAtActs(ctx, x)
		if err != nil || email != "" {
			return email, lang, err
		}
	}
	p, err := c.d.People.Get(ctx, cf)
	if errors.Is(err, registry.ErrUnknown) {
		return "", words.Italian, nil
	}
	if err != nil || !validEmail(p.Email) {
		return "", words.Italian, err
	}
	return p.Email, words.Italian, nil
}

// CheckEmail is the address typed twice, or CSE-130 and CSE-131.
func CheckEmail(first, again string) (string, error) { return checkEmail(first, again) }
