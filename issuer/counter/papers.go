package counter

import (
	"context"
	"errors"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/archive"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
)

// Expect waits for the signed papers of an act, in its transaction.
type Expect func(ctx context.Context, f archive.File, kinds ...archive.Kind) error

// needed are the papers that an act leaves at the counter to be scanned
// (decision 0781). By who stood there: the self-declaration of a parent or
// guardian (R69); the delegation with the copies of both documents (R97-R99). By
// the act: the report of a loss (R34), and the signed receipt of an act that ends
// a card for good on somebody's word. An identity document is shown and written
// down, not copied, when its owner stands there for himself (R52, R68).
func needed(e Evidence) []archive.Kind {
	var out []archive.Kind
	switch r := e.Identity.Representative; {
	case r == nil:
	case e.Identity.Present == PresentDelegate:
		out = []archive.Kind{archive.Delegation, archive.HolderDocument, archive.Document}
	case r.Declared:
		out = []archive.Kind{archive.Declaration}
	}
	switch e.Form.Kind {
	case KindLoss:
		out = append(out, archive.Report)
	case KindRevoke, KindNotReceived, KindWithdrawal:
		out = append(out, archive.Signed)
	}
	return out
}

func (c *Counter) expect(ctx context.Context, op staff.Operator, f found, e Evidence) error {
	if kinds := needed(e); c.d.Expect != nil && len(kinds) > 0 {
		return c.d.Expect(ctx, archive.File{Protocol: e.Form.Protocol, Card: f.Card.ID, Office: op.Office.ID, Holder: f.Person.CF}, kinds...)
	}
	return nil
}

// HolderOf answers whose act it is, for the trail of the night; empty when the
// act or its card is not known any more.
func (c *Counter) HolderOf(ctx context.Context, protocol string) (codicefiscale.Code, error) {
	r, err := c.d.Acts.Find(ctx, protocol, "")
	if errors.Is(err, ErrNotFound) || protocol == "" {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	card, err := c.d.Cards.Get(ctx, r.Card)
	if errors.Is(err, lifecycle.ErrUnknown) {
		return "", nil
	}
	return card.CF, err
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
