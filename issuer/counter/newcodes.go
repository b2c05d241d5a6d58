package counter

import (
	"context"
	"errors"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/staff"
)

// KindNewCodes gives a card new codes: the CIP at once, PIN and PUK when the
// counter's reader has written them to the chip (R52, R72).
const KindNewCodes ActKind = "new-codes"

// NewCodes is for whoever asks for codes that nobody has had, and for a holder
// whose codes a representative or a delegate was given. The former CIP is gone with
// this act. The form is printed, and the second halves leave, when the chip has the
// new codes (Written): until then the chip's own PIN and PUK go on, and the page of
// the act asks for the reader. Refused besides what Reprint refuses: CSE-471, new
// codes wait to be written already; CSE-453, nobody writes chips here.
func (c *Counter) NewCodes(ctx context.Context, op staff.Operator, o Order) (Act, error) {
	if c.d.Renew == nil {
		return Act{}, words.Refuse("CSE-453")
	}
	var out Act
	err := c.d.Atomically(ctx, func(ctx context.Context) error {
		a, err := c.once(ctx, op, KindNewCodes, staff.ReprintCodes, o, func(ctx context.Context, f found, e *Evidence) (outcome, error) {
			if err := c.present(ctx, op, f, o.Identity); err != nil {
				return outcome{}, err
			}
			if err := c.coded(ctx, f.Card); err != nil {
				return outcome{}, err
			}
			if err := c.lies(ctx, op, f, &o, e); err != nil {
				return outcome{}, err
			}
			if err := c.fewReprints(ctx, f.Card); err != nil {
				return outcome{}, err
			}
			err := c.d.Renew.New(ctx, f.Card.ID, f.Person.Born)
			if errors.Is(err, codes.ErrPending) {
				return outcome{}, words.Refuse("CSE-471")
			}
			if err != nil {
				return outcome{}, err
			}
			detail := map[string]string{"shown": e.Shown.By}
			e.Form.Papers = []PaperKind{PaperCodes}
			return outcome{card: f.Card, detail: detail}, c.newAddress(ctx, f, o, e)
		})
		if err != nil {
			return err
		}
		out = a
		return c.dropEarlierPrints(ctx, a)
	})
	return out, err
}

// ToWrite tells whether an act's codes still wait for the chip.
func (c *Counter) ToWrite(ctx context.Context, a Act) (bool, error) {
	if a.Kind != KindNewCodes || c.d.Renew == nil || !a.PrintedAt.IsZero() {
		return false, nil
	}
	return c.d.Renew.Pending(ctx, a.Card)
}

// Written ends the wait of an act, in the act of ctx: the chip has the new codes.
// The former ones are destroyed and the second halves go out, once; a hold that
// waited for them ends.
func (c *Counter) Written(ctx context.Context, protocol string) error {
	r, err := c.d.Acts.Find(ctx, protocol, "")
	if err != nil {
		return err
	}
	first, err := c.d.Renew.Renewed(ctx, r.Card)
	if err != nil || !first {
		return err
	}
	if err := c.lift(ctx, r); err != nil {
		return err
	}
	return c.sendAgain(ctx, Act{Protocol: r.Protocol, Kind: r.Kind, Card: r.Card, Office: r.Office, At: r.At}, Order{})
}
