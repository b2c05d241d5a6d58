package counter

import (
	"context"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
)

// ApprovalAddress is the approval by which a supervisor lets one stopped address
// through for one person.
const ApprovalAddress = "address.release"

// Stopped is an address that is stopped for the holder of a card.
type Stopped struct {
	Card  string
	CF    codicefiscale.Code
	Email string
	// Masked is what a supervisor reads; Code says why it is stopped.
	Masked, Code string
}

// Stopped tells why an address is stopped for a card's holder, for whoever wants
// to ask a supervisor. Refused: one's own card and children's (CSE-140), what is
// no address (CSE-130), an address that is not stopped (CSE-648).
func (c *Counter) Stopped(ctx context.Context, op staff.Operator, card, email string) (Stopped, error) {
	f, err := c.searched(ctx, CardStep{Card: card})
	if err != nil {
		return Stopped{}, err
	}
	if err := c.mayServe(ctx, op, staff.View, f); err != nil {
		return Stopped{}, err
	}
	address, err := checkEmail(email, email)
	if err != nil {
		return Stopped{}, err
	}
	out := Stopped{Card: card, CF: f.Person.CF, Email: address, Masked: maskEmail(address)}
	if c.d.Address != nil {
		err = c.d.Address(ctx, f.Person, address)
	}
	fault := words.FaultOf(err)
	switch {
	case err == nil:
		return Stopped{}, words.Refuse("CSE-648").At("email")
	case fault == nil:
		return Stopped{}, err
	}
	out.Code = fault.Code
	return out, nil
}
