package counter

import (
	"context"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/registry"
)

// Delegation is what the form of a delegation says, filled in from a draft, for
// the holder to sign (R98).
type Delegation struct {
	Holder registry.Person
	Card   lifecycle.Card
	// Identity is the delegate, with the document he showed.
	Identity   IdentityStep
	OfficeName string
	// Email is the holder's as the delegate told it; empty: the holder writes it.
	Email string
	Lang  words.Lang
}

// Delegate keeps in the draft whom the holder is going to delegate, so that the
// form can be printed for him to sign. It checks what an activation by delegate
// checks (R95-R97), save the papers that do not exist yet, and it is no step:
// the draft goes back to step 2, where delegation and copy are asked for. The
// holder's e-mail may be missing; the delegate's own is refused (CSE-419).
func (c *Counter) Delegate(ctx context.Context, op staff.Operator, id string, version int64, s IdentityStep, to ContactStep) (Draft, error) {
	d, err := c.step(ctx, op, id, version)
	if err != nil {
		return d, err
	}
	f, err := c.checkCard(ctx, op, d.Card)
	if err != nil {
		return d, err
	}
	s.Present = PresentDelegate
	if err := c.delegated(ctx, op, f, s); err != nil {
		return d, err
	}
	if to.Email != "" {
		if to.Email, err = checkEmail(to.Email, to.Email); err != nil {
			return d, err
		}
		if err := c.notTheDelegates(ctx, s, to.Email); err != nil {
			return d, err
		}
		if c.d.Address != nil {
			if err := c.d.Address(ctx, f.Person, to.Email); err != nil {
				return d, err
			}
		}
	}
	if to.Lang != words.English {
		to.Lang = words.Italian
	}
	r := *s.Representative
	r.Delegation, r.Copy = false, false
	s.Representative = &r
	d.Identity, d.Contact, d.Done = s, ContactStep{Email: to.Email, Lang: to.Lang}, 1
	return c.save(ctx, op, d)
}

// DelegationOf answers the form of a draft; CSE-780 when nobody is delegated in
// it.
func (c *Counter) DelegationOf(ctx context.Context, op staff.Operator, id string) (Delegation, error) {
	d, err := c.Draft(ctx, op, id)
	if err != nil {
		return Delegation{}, err
	}
	if d.Identity.Present != PresentDelegate || d.Identity.Representative == nil {
		return Delegation{}, words.Refuse("CSE-780").At("rappresentante_cf")
	}
	f, err := c.checkCard(ctx, op, d.Card)
	return Delegation{
		Holder: f.Person, Card: f.Card, Identity: d.Identity, OfficeName: op.Office.Name, Email: d.Contact.Email, Lang: d.Contact.Lang,
	}, err
}

// DelegationPrinted writes down, before the form leaves, that it was made: the
// holder reads it among his activities, and calls if he delegates nobody.
func (c *Counter) DelegationPrinted(ctx context.Context, op staff.Operator, x Delegation) error {
	return c.d.Atomically(ctx, func(ctx context.Context) error {
		return c.d.Record(ctx, journal.Entry{
			Act: "delegation.prepared", Actor: op.Account, Office: op.Office.ID, Card: x.Card.ID, Person: string(x.Holder.CF),
		})
	})
}
