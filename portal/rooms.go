package portal

import (
	"context"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
)

// Card is a card as its holder and the counter see it.
type Card struct {
	lifecycle.Card
	Functions [4]lifecycle.Function
	// Back are the fields 3 to 9 of the European health insurance card, as
	// printed on the back (asterisks without a right abroad); empty strings
	// when the registry does not know them.
	Back [7]string
}

// Activity is one line of somebody's history: an act of the journal.
type Activity struct {
	At time.Time
	// Act is the journal's name of it ("card.activated").
	Act string
	// Office is the counter's name, empty elsewhere.
	Office string
}

// Holder is what a citizen may do and see. The wiring implements it over issuer.
type Holder interface {
	// Cards lists somebody's cards, the current one first.
	Cards(ctx context.Context, cf string) ([]Card, error)
	// Activities lists what happened to his cards, newest first.
	Activities(ctx context.Context, cf string) ([]Activity, error)
	// RevokeWithCIP ends the certificate for ever. who is a codice fiscale or a
	// card number; source is the caller's network address, for the limit.
	// Refusals are Faults; a limit's technical cause may have RetryAfter() int
	// (seconds). The answer is the protocol number.
	RevokeWithCIP(ctx context.Context, who string, cip secret.Text, source string) (protocol string, err error)
}

// Operator is who acts at a counter, as issuer/counter knows him now.
type Operator struct {
	Account    string
	CF         string
	Name       string
	Role       string // key of the words catalogue is portal.role.ROLE
	Office     string
	OfficeName string
	// May lists the acts of the counter ("activate", …); others are not shown.
	May map[string]bool
}

// Hit is one line of a search.
type Hit struct {
	CF, Surname, Name string
	Born              civil.Date
	Card              string // the current card, may be empty
	State             lifecycle.State
}

// Sheet is the holder's sheet (scheda titolare).
type Sheet struct {
	CF, Surname, Name, Sex, BirthPlace string
	Born, Died                         civil.Date
	Address, ASL                       string
	AssistedFrom, AssistedUntil        civil.Date
	Minor, Guarded                     bool
	Cards                              []Card // the current one first
	Activities                         []Activity
}

// Task is one line of the counter's queue ("da completare").
type Task struct {
	At       time.Time
	Kind     string // text: portal.task.KIND
	Card     string
	Activity string // identifier of an activation to take up again, may be empty
}

// Draft is an activation under way, kept by the server.
type Draft struct {
	ID   string
	Card Card
	// Surname, Name and CF are the holder's.
	Surname, Name, CF string
	// Step is the first step not yet complete, from 1 to 4.
	Step int
	// Values are what was typed, by field name; codes are never among them.
	Values map[string]string
	// Protocol is the act's number once it is done, AAAA/NNNNNNN.
	Protocol string
	// Printed and HandedOver are what step 4 has seen.
	Printed, HandedOver bool
	// MaskedEmail is where the second half goes, as g•••@e•••.it.
	MaskedEmail string
}

// Desk is the counter. Each method checks the operator's role again and
// answers a Fault when it refuses.
type Desk interface {
	// Operator finds who the person logged in is at the counter now.
	Operator(ctx context.Context, s Session) (Operator, error)
	Search(ctx context.Context, op Operator, query string) ([]Hit, error)
	Sheet(ctx context.Context, op Operator, cf string) (Sheet, error)
	Tasks(ctx context.Context, op Operator) ([]Task, error)
	Activations
}

// Activations is the act of four steps (ux.md 4.1). Faults name the field.
type Activations interface {
	// Begin opens a draft for a card, or gives the open one back.
	Begin(ctx context.Context, op Operator, card string) (Draft, error)
	Draft(ctx context.Context, op Operator, id string) (Draft, error)
	// Fill checks the values of a step (1 to 3) and keeps them; every fault is
	// told at once, none means that the step is complete.
	Fill(ctx context.Context, op Operator, id string, step int, values map[string]string) ([]*words.Fault, error)
	// Confirm does the act.
	Confirm(ctx context.Context, op Operator, id string) (Draft, error)
	Papers
}

// Papers are the printed form and its end.
type Papers interface {
	// Form is the PDF with the first halves, once (then CSE-150).
	Form(ctx context.Context, op Operator, id string) ([]byte, error)
	// HandOver records "consegnato e firmato" and destroys the print.
	HandOver(ctx context.Context, op Operator, id string) (Draft, error)
}
