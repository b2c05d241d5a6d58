package counter

import (
	"context"
	"errors"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/archive"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
)

// Expect waits for the signed papers of an act, in its transaction.
type Expect func(ctx context.Context, f archive.File, kinds ...archive.Kind) error

// signed are the papers that an act leaves at the counter, signed, by who stood
// there: the self-declaration of a parent or guardian (R69), the delegation (R98).
func signed(e Evidence) []archive.Kind {
	switch {
	case e.Identity.Representative == nil:
		return nil
	case e.Identity.Present == PresentDelegate:
		return []archive.Kind{archive.Delegation}
	case e.Identity.Representative.Declared:
		return []archive.Kind{archive.Declaration}
	}
	return nil
}

func (c *Counter) expect(ctx context.Context, op staff.Operator, f found, e Evidence) error {
	if kinds := signed(e); c.d.Expect != nil && len(kinds) > 0 {
		return c.d.Expect(ctx, archive.File{Protocol: e.Form.Protocol, Card: f.Card.ID, Office: op.Office.ID, Holder: f.Person.CF}, kinds...)
	}
	return nil
}

// File is an act as the archive of papers knows it, for who works where it was
// done; not for an operator whose own it is, or who stood there (CSE-140).
func (c *Counter) File(ctx context.Context, op staff.Operator, protocol string) (archive.File, error) {
	r, err := c.d.Acts.Find(ctx, protocol, "")
	if errors.Is(err, ErrNotFound) || protocol == "" {
		return archive.File{}, words.Refuse("CSE-145")
	}
	if err != nil {
		return archive.File{}, err
	}
	a, err := c.actOf(op, r)
	if err != nil {
		return archive.File{}, err
	}
	p, err := c.person(ctx, codicefiscale.Code(a.Form.CF))
	if err != nil {
		return archive.File{}, err
	}
	if x := a.Form.Representative; x != nil && x.CF.Base() == op.CF.Base() {
		return archive.File{}, words.Refuse("CSE-140")
	}
	return archive.File{Protocol: r.Protocol, Card: r.Card, Office: r.Office, Holder: p.CF}, c.ownFamily(ctx, op, p)
}
