package portal

import (
	"context"
	"errors"
	"time"

	"cse.example/cse/issuer/staff"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/person/team"
)

// People is the registry, read only; a registry.Store is one.
type People interface {
	Get(ctx context.Context, cf codicefiscale.Code) (registry.Person, error)
}

// Cards is the issuer's record of cards, read only; a lifecycle.Store is one.
type Cards interface {
	// Get answers lifecycle.ErrUnknown for a number that no card has.
	Get(ctx context.Context, id string) (lifecycle.Card, error)
	ByPerson(ctx context.Context, cf codicefiscale.Code) ([]lifecycle.Card, error)
}

// Operators knows who works at a counter now; a *staff.Directory is one.
type Operators interface {
	OperatorByAccount(account string) (staff.Operator, error)
	OperatorByCF(cf codicefiscale.Code) (staff.Operator, error)
}

// Desk is what a counter looks up; a *counter.Counter is one.
type Desk interface {
	Search(ctx context.Context, op staff.Operator, text string) ([]counter.Hit, error)
	Sheet(ctx context.Context, op staff.Operator, cf codicefiscale.Code) (counter.Sheet, error)
}

// Drafts is the activation while it is filled in; a *counter.Counter is one.
type Drafts interface {
	StartDraft(ctx context.Context, op staff.Operator, s counter.CardStep) (counter.Draft, error)
	Draft(ctx context.Context, op staff.Operator, id string) (counter.Draft, error)
	Identify(ctx context.Context, op staff.Operator, id string, version int64, s counter.IdentityStep) (counter.Draft, error)
	Contacts(ctx context.Context, op staff.Operator, id string, version int64, s counter.ContactStep) (counter.Draft, error)
	Activate(ctx context.Context, op staff.Operator, draft string, version int64) (counter.Act, error)
}

// Papers is the activation once done; a *counter.Counter is one.
type Papers interface {
	Act(ctx context.Context, op staff.Operator, protocol string) (counter.Act, error)
	ToPrint(ctx context.Context, op staff.Operator, protocol string) (counter.Form, error)
	Printed(ctx context.Context, op staff.Operator, protocol string) error
	HandOver(ctx context.Context, op staff.Operator, protocol string) error
}

// Refusal is what somebody asked for that is not his: who (an account name,
// "holder" with his codice fiscale, or "nobody"), on which route, which card if the
// address names one, with which code he was sent away. Others is how many of nobody
// were not written down before this one.
type Refusal struct {
	Actor, Office, Person, Route, Card, Code string
	Others                                   int
}

// Refused writes a refusal down.
type Refused func(ctx context.Context, r Refusal) error

// Acts are the acts of one form; a *counter.Counter is one.
type Acts interface {
	NewRequest() (string, error)
	Do(ctx context.Context, op staff.Operator, kind counter.ActKind, o counter.Order) (counter.Act, error)
	// May tells whether op may do the act for the card's holder.
	May(ctx context.Context, op staff.Operator, kind counter.ActKind, card string) error
	Offers(op staff.Operator, card lifecycle.Card, asl string) []counter.Offer
}

// Print makes the PDF of a form with the first halves of its card's codes. It
// is called between ToPrint and Printed and keeps no copy.
type Print func(ctx context.Context, f counter.Form) ([]byte, error)

// RevokeWithCIP is the holder's own revocation; (*counter.Counter).RevokeWithCIP
// is one. which is a codice fiscale or a card number, source the caller's
// network address, for the limit.
type RevokeWithCIP func(ctx context.Context, which string, cip secret.Text, source string, lang words.Lang) (counter.Receipt, error)

// Activity is one line of somebody's history: an act of the journal.
type Activity struct {
	At time.Time
	// Act is the journal's name of it ("card.activated").
	Act string
	// Office is the counter's name, or the body that asked; empty elsewhere.
	Office string
	// Role tells who did it when it was not the holder: "operator", "provider";
	// Motive is why in somebody's own words, Purpose a provider's code.
	Role, Motive, Purpose string
	// Index is its number in the log of acts; 0 where there is no proof of it.
	Index int64
}

// Task is one line of the counter's queue ("da completare").
type Task struct {
	At   time.Time
	Kind string // text: portal.task.KIND
	Card string
	// Path leads to the page where it is done, "/sportello/…"; may be empty.
	Path string
}

// Card is a card as its holder and the counter see it.
type Card struct {
	lifecycle.Card
	Functions [4]lifecycle.Function
	// Back is the European health insurance card, nil when it cannot be made.
	Back *team.Back
}

// Wallet is a person and his cards, the current one first.
type Wallet struct {
	// Person is zero, CF apart, for somebody the registry does not know: the
	// holder of another Region's card.
	Person registry.Person
	Cards  []Card
}

// wallet reads somebody's cards with their functions today.
func (p *Portal) wallet(ctx context.Context, cf codicefiscale.Code) (Wallet, error) {
	person, err := p.People.Get(ctx, cf)
	if errors.Is(err, registry.ErrUnknown) {
		return Wallet{Person: registry.Person{CF: cf}}, nil
	}
	if err != nil {
		return Wallet{}, err
	}
	cards, err := p.Cards.ByPerson(ctx, person.CF)
	if err != nil {
		return Wallet{}, err
	}
	w := Wallet{Person: person}
	current, _ := lifecycle.Current(cards)
	now := p.Clock.Now()
	for _, c := range cards {
		x := Card{Card: c, Functions: lifecycle.Functions(c, lifecycle.FactsOf(person, c, cards), now)}
		if b, err := team.New(person, team.Number(c.TEAM), c.Expires); err == nil {
			x.Back = &b
		}
		if c.ID == current.ID {
			w.Cards = append([]Card{x}, w.Cards...)
		} else {
			w.Cards = append(w.Cards, x)
		}
	}
	return w, nil
}

// operator is who s is at the counter now, or why he is nobody there.
func (p *Portal) operator(s Session) (staff.Operator, error) {
	op, err := p.works(s)
	if err != nil || s.Office == "" {
		return op, err
	}
	if at, err := op.At(s.Office); err == nil { // his place there may have ended
		return at, nil
	}
	return op, nil
}

func (p *Portal) works(s Session) (staff.Operator, error) {
	if s.Account != "" {
		return p.Operators.OperatorByAccount(s.Account)
	}
	cf, err := codicefiscale.Parse(s.CF)
	if err != nil || !s.byCard() {
		return staff.Operator{}, words.Refuse("CSE-356").Because(err)
	}
	return p.Operators.OperatorByCF(cf)
}

// place is the name of a birthplace on the day of birth.
func place(p registry.Person) string {
	if x, ok := codicefiscale.Belfiore(p.BirthPlace, p.Born); ok {
		if x.Province != "" {
			return x.Name + " (" + x.Province + ")"
		}
		return x.Name
	}
	return p.BirthPlace
}

// today is the day in Rome.
func (p *Portal) today() civil.Date { return civil.Today(p.Clock) }
