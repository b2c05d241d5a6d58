// Package helpdesk is the call centre's room (rules R31, R33): the check of a
// caller, the first diagnosis of a card that does not work, and the ticket that
// the counter sees.
//
// A caller is checked by facts that nobody reads off the codice fiscale or the
// card: the month of the activation, the end of the e-mail address's first part,
// the comune of residence. The agent types what the caller says; the room says
// how many match and never what is right. Wrong answers slow down per card.
//
// The diagnosis asks in the order of an experienced colleague and ends in one
// outcome. It never asks for a PIN, a PUK or a CIP, and no health data are in a
// ticket. It refuses a ticket for a caller who was not checked.
package helpdesk

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"cse.example/cse/card/diagnosis"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/issuer/throttle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// Outcome is what the diagnosis found.
type Outcome string

// The outcomes (R31).
const (
	Installation Outcome = "installation" // no reader, no service, no driver
	Browser      Outcome = "browser"      // the card works, the browser does not see it
	NotActive    Outcome = "not-active"   // never activated, suspended, ended: no fault at all
	PINBlocked   Outcome = "pin-blocked"
	PUKBlocked   Outcome = "puk-blocked"
	ChipFault    Outcome = "chip-fault"
	Works        Outcome = "works"
	// Fraud is no diagnosis: the holder says that somebody else uses his card.
	Fraud Outcome = "fraud"
)

// Findings are the answers of the guided questions, in order.
type Findings struct {
	// Reader: the reader is connected and its light is on, on another computer too
	// if there is one.
	Reader bool `json:"reader"`
	// Answers: the card answers (ATR) in this reader, another card does as well.
	Answers bool `json:"answers"`
	// OtherCard: another chip card works in this reader.
	OtherCard bool `json:"other_card"`
	// Certificate: the software shows the certificate.
	Certificate bool `json:"certificate"`
	// PIN and PUK: the software shows tries left.
	PIN bool `json:"pin"`
	PUK bool `json:"puk"`
	// Browser: the login page asks for the PIN.
	Browser bool `json:"browser"`
}

// Conclude is the outcome for a card in a state. A card that does not answer is
// at fault only when another one answers in the same reader.
func Conclude(card lifecycle.Card, f Findings) Outcome {
	switch {
	case card.State != lifecycle.Active:
		return NotActive
	case !f.Reader:
		return Installation
	case !f.Answers && !f.OtherCard:
		return Installation
	case !f.Answers || !f.Certificate:
		return ChipFault
	case !f.PUK && !f.PIN:
		return PUKBlocked
	case !f.PIN:
		return PINBlocked
	case !f.Browser:
		return Browser
	}
	return Works
}

// Facts are what the caller says.
type Facts struct {
	// Month of the activation, mm/yyyy.
	Month string
	// EmailEnd are the last three characters before the @.
	EmailEnd string
	// Comune of residence, its name.
	Comune string
}

// enough matches make a caller the holder.
const enough = 2

// Known are the right answers, empty where nothing is known.
type Known struct{ Month, EmailEnd, Comune string }

// Ticket is one call.
type Ticket struct {
	ID, Card string
	At       time.Time
	Agent    string
	Matches  int
	Outcome  Outcome
	Findings Findings
	Note     string
	// Reference is the six letters of the holder's own diagnosis, if he has one.
	Reference string
}

// Row is a ticket as it is kept: Body is sealed.
type Row struct {
	ID, Card, Agent string
	Outcome         Outcome
	At              time.Time
	Body            []byte
}

// Tickets keeps them. Writes happen inside an act.
type Tickets interface {
	PutTicket(ctx context.Context, r Row) error
	TicketsOf(ctx context.Context, card string) ([]Row, error) // newest first
}

// AEAD seals what a ticket says.
type AEAD interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// Deps are what the room stands on; all are needed.
type Deps struct {
	Tickets Tickets
	Cards   lifecycle.Store
	// Known answers the facts about a card's holder.
	Known      func(ctx context.Context, card lifecycle.Card) (Known, error)
	Directory  *staff.Directory
	People     People
	Brake      throttle.Brake
	Seal       AEAD
	Rand       io.Reader
	Clock      civil.Clock
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Record     journal.Recorder
}

// People is the registry, read only.
type People interface {
	Get(ctx context.Context, cf codicefiscale.Code) (registry.Person, error)
}

// Room does it. Make one with New; it is safe for concurrent use.
type Room struct{ d Deps }

// New refuses a missing part.
func New(d Deps) (*Room, error) {
	if d.Tickets == nil || d.Cards == nil || d.Known == nil || d.Directory == nil || d.People == nil || d.Brake.Tries == nil || d.Brake.Clock == nil ||
		d.Seal == nil || d.Rand == nil || d.Clock == nil || d.Atomically == nil || d.Record == nil {
		return nil, errors.New("helpdesk: a part is missing")
	}
	return &Room{d}, nil
}

// Call is a caller being helped: who he says he is and what was found.
type Call struct {
	Card      string
	Facts     Facts
	Findings  Findings
	Note      string
	Reference string
	// Fraud: somebody else uses the card, says the holder; Note tells what he saw.
	Fraud bool
}

// Open checks the caller and writes the ticket, in one act. CSE-561: too few
// facts match, and the next try waits (CSE-562 while it lasts); CSE-563: the
// reference is none; CSE-560: the note is too long, CSE-358: a fraud without one.
func (r *Room) Open(ctx context.Context, op staff.Operator, c Call) (Ticket, error) {
	ref, notReference := diagnosis.ParseReference(c.Reference)
	if c.Reference = strings.TrimSpace(c.Reference); c.Reference != "" && notReference == nil {
		c.Reference = string(ref)
	}
	switch {
	case c.Fraud && strings.TrimSpace(c.Note) == "":
		return Ticket{}, words.Refuse("CSE-358").At("nota")
	case len([]rune(c.Note)) > 500:
		return Ticket{}, words.Refuse("CSE-560").At("nota")
	case c.Reference != "" && notReference != nil:
		return Ticket{}, words.Refuse("CSE-563").At("riferimento")
	}
	card, err := r.d.Cards.Get(ctx, c.Card)
	if errors.Is(err, lifecycle.ErrUnknown) {
		return Ticket{}, words.Refuse("CSE-139")
	}
	if err != nil {
		return Ticket{}, err
	}
	p, err := r.d.People.Get(ctx, card.CF)
	if err != nil {
		return Ticket{}, err
	}
	if op.CF.Base() == card.CF.Base() {
		return Ticket{}, words.Refuse("CSE-140")
	}
	if err := r.d.Directory.Allowed(op, staff.View, p.ASL); err != nil {
		return Ticket{}, err
	}
	known, err := r.d.Known(ctx, card)
	if err != nil {
		return Ticket{}, err
	}
	return r.write(ctx, op, card, known, c)
}

func (r *Room) write(ctx context.Context, op staff.Operator, card lifecycle.Card, known Known, c Call) (Ticket, error) {
	id := make([]byte, 5)
	if _, err := io.ReadFull(r.d.Rand, id); err != nil {
		return Ticket{}, fmt.Errorf("helpdesk: %w", err)
	}
	t := Ticket{
		ID: "T" + strings.ToUpper(hex.EncodeToString(id)), Card: card.ID, At: r.d.Clock.Now(), Agent: op.Account, Matches: known.matches(c.Facts),
		Outcome: Conclude(card, c.Findings), Findings: c.Findings, Note: strings.TrimSpace(c.Note), Reference: c.Reference,
	}
	act := "ticket.opened"
	if c.Fraud {
		t.Outcome, act = Fraud, "fraud.reported"
	}
	who := throttle.Subject("caller", card.ID)
	var refusal *words.Fault
	err := r.d.Atomically(ctx, func(ctx context.Context) error {
		refusal = nil
		wait, err := r.d.Brake.Wait(ctx, who)
		if err != nil {
			return err
		}
		if wait > 0 {
			refusal = throttle.Refuse("CSE-562", wait)
			return nil
		}
		if t.Matches < enough { // the count must be written: the act ends well, the agent is refused
			refusal = words.Refuse("CSE-561")
			if _, err := r.d.Brake.Failed(ctx, who); err != nil {
				return err
			}
			return r.record(ctx, op, card, "caller.refused", nil)
		}
		if err := r.d.Brake.Clear(ctx, who); err != nil {
			return err
		}
		body, err := json.Marshal(t)
		if err != nil {
			return err
		}
		sealed, err := r.d.Seal.Encrypt(body, []byte("cse.helpdesk/1|"+t.ID))
		if err != nil {
			return fmt.Errorf("helpdesk: seal: %w", err)
		}
		if err := r.d.Tickets.PutTicket(ctx, Row{ID: t.ID, Card: t.Card, Agent: t.Agent, Outcome: t.Outcome, At: t.At, Body: sealed}); err != nil {
			return err
		}
		return r.record(ctx, op, card, act, map[string]string{"ticket": t.ID, "outcome": string(t.Outcome)})
	})
	if err != nil {
		return Ticket{}, err
	}
	if refusal != nil {
		return Ticket{}, refusal
	}
	return t, nil
}

func (r *Room) record(ctx context.Context, op staff.Operator, card lifecycle.Card, act string, detail map[string]string) error {
	return r.d.Record(ctx, journal.Entry{Act: act, Actor: op.Account, Office: op.Office.ID, Card: card.ID, Person: string(card.CF), Detail: detail})
}

// Of lists a card's tickets, newest first.
func (r *Room) Of(ctx context.Context, card string) ([]Ticket, error) {
	rows, err := r.d.Tickets.TicketsOf(ctx, card)
	if err != nil {
		return nil, err
	}
	out := make([]Ticket, 0, len(rows))
	for _, x := range rows {
		plain, err := r.d.Seal.Decrypt(x.Body, []byte("cse.helpdesk/1|"+x.ID))
		if err != nil {
			return nil, fmt.Errorf("helpdesk: open ticket %s: %w", x.ID, err)
		}
		var t Ticket
		if err := json.Unmarshal(plain, &t); err != nil {
			return nil, fmt.Errorf("helpdesk: read ticket %s: %w", x.ID, err)
		}
		out = append(out, t)
	}
	return out, nil
}

// fresh is how long a diagnosis counts at the counter.
const fresh = 30 * 24 * time.Hour

// Diagnosis is the ticket that found a card's chip at fault, empty for none: the
// newest ticket decides, and for thirty days (R33).
func (r *Room) Diagnosis(ctx context.Context, card string) (string, error) {
	rows, err := r.d.Tickets.TicketsOf(ctx, card)
	for len(rows) > 0 && rows[0].Outcome == Fraud { // says nothing of the chip
		rows = rows[1:]
	}
	if err != nil || len(rows) == 0 {
		return "", err
	}
	if rows[0].Outcome != ChipFault || r.d.Clock.Now().Sub(rows[0].At) > fresh {
		return "", nil
	}
	return rows[0].ID, nil
}

// matches counts the facts that are right; what is not known matches nothing.
func (k Known) matches(f Facts) int {
	n := 0
	for _, x := range [][2]string{{k.Month, f.Month}, {k.EmailEnd, f.EmailEnd}, {k.Comune, f.Comune}} {
		if x[0] != "" && same(x[0], x[1]) {
			n++
		}
	}
	return n
}

func same(a, b string) bool {
	tidy := func(s string) string { return strings.Join(strings.Fields(strings.ToLower(s)), " ") }
	return tidy(a) == tidy(b)
}

// EmailEnd is the last three characters before an address's @.
func EmailEnd(address string) string {
	local, _, ok := strings.Cut(address, "@")
	if !ok || len(local) < 3 {
		return ""
	}
	return local[len(local)-3:]
}
