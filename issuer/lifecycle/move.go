package lifecycle

import (
	"fmt"
	"slices"
	"time"

	"cse.example/cse/ground/civil"
)

// Event is what happens to a card.
type Event string

// The events. Revoke, Suspend and Replace want a reason.
const (
	StartProduction Event = "start-production" // put in a batch for the bureau
	Reject          Event = "reject"           // spoiled at the bureau: to be made again
	Produce         Event = "produce"          // the bureau's receipt reconciles
	Ship            Event = "ship"             // also a returned card, posted again
	Deliver         Event = "deliver"
	Return          Event = "return"
	Activate        Event = "activate"
	Suspend         Event = "suspend"
	Reactivate      Event = "reactivate"
	Revoke          Event = "revoke"
	Expire          Event = "expire"
	Replace         Event = "replace"
)

// Reason says why a card was suspended or ended.
type Reason string

// The reasons, after table D.11 of the rules.
const (
	ByHolder        Reason = "holder"         // on the holder's own word, at a counter or with the CIP
	Unconfirmed     Reason = "unconfirmed"    // who had its codes declared a title that a check did not confirm
	Loss            Reason = "loss"           // smarrimento, reported
	Theft           Reason = "theft"          // furto, reported
	NotReceived     Reason = "not-received"   // the posted card is void
	ChipFault       Reason = "chip-fault"     // the printed functions serve until the new card comes
	WrongData       Reason = "wrong-data"     // the same
	KeyCompromise   Reason = "key-compromise" // its key, or its issuer's, is not safe any more; as a chip fault
	CFChanged       Reason = "cf-changed"     // the Revenue Agency replaced the codice fiscale
	Death           Reason = "death"          //
	EndOfAssistance Reason = "end-assistance" //
	Renewal         Reason = "renewal"        // a successor is in use

	// RepresentationEnded holds a card whose codes somebody had who stood for the
	// holder and does no more: it waits for new codes, and nothing else lifts it.
	RepresentationEnded Reason = "representation-ended"
)

// MoveError says that a card cannot do what was asked.
type MoveError struct {
	Card  string
	From  State
	Event Event
	Why   string // empty when the state alone forbids it
}

// Error implements error.
func (e *MoveError) Error() string {
	s := fmt.Sprintf("card %s: %s is impossible for a card that is %s", e.Card, e.Event, e.From)
	if e.Why != "" {
		s += ": " + e.Why
	}
	return s
}

type move struct {
	from []State
	to   State
}

// moves is the whole state machine: what is not here cannot happen.
func moves(e Event) (move, bool) {
	switch e {
	case StartProduction:
		return move{[]State{Ordered}, InProduction}, true
	case Reject:
		return move{[]State{InProduction}, Ordered}, true
	case Produce:
		return move{[]State{InProduction}, Produced}, true
	case Ship:
		return move{[]State{Produced, Returned}, Shipped}, true
	case Deliver:
		return move{[]State{Shipped}, Delivered}, true
	case Return:
		return move{[]State{Shipped, Delivered}, Returned}, true
	case Activate:
		return move{[]State{Shipped, Delivered}, Active}, true
	case Suspend:
		return move{[]State{Active, Suspended}, Suspended}, true // guard: a hold only becomes a stricter one
	case Reactivate:
		return move{[]State{Suspended}, Active}, true
	case Revoke:
		return move{living(), Revoked}, true
	case Expire:
		return move{living(), Expired}, true // in the making too: a card that is past its day is not made
	case Replace:
		return move{[]State{Shipped, Delivered, Returned, Active, Suspended}, Replaced}, true
	}
	return move{}, false
}

// Events lists every event.
func Events() []Event {
	return []Event{StartProduction, Reject, Produce, Ship, Deliver, Return, Activate, Suspend, Reactivate, Revoke, Expire, Replace}
}

func living() []State {
	return slices.DeleteFunc(States(), func(s State) bool { return s.Final() })
}

// Move returns c after event e at instant at, or a *MoveError and c unchanged.
// why is for Suspend, Revoke and Replace, and must be empty for the rest. Move
// does not touch Version: Store.Put does.
func Move(c Card, e Event, why Reason, at time.Time) (Card, error) {
	refuse := func(text string) (Card, error) {
		return c, &MoveError{Card: c.ID, From: c.State, Event: e, Why: text}
	}
	m, ok := moves(e)
	if !ok {
		return refuse("there is no such event")
	}
	if !slices.Contains(m.from, c.State) {
		return refuse("")
	}
	if text := guard(c, e, why, civil.DayOf(at)); text != "" {
		return refuse(text)
	}
	return apply(c, e, m.to, why, at.UTC()), nil
}

// guard is what the state alone does not say.
func guard(c Card, e Event, why Reason, today civil.Date) string {
	wants := e == Suspend || e == Revoke || e == Replace
	chip := e == Activate || e == Suspend || e == Reactivate
	switch {
	case wants && why == "":
		return "a reason is needed"
	case !wants && why != "":
		return "this event has no reason"
	case chip && !c.HasChip():
		return "the card has no chip"
	case e == Suspend && c.State == Suspended && !graver(why, c.Reason):
		return "it is suspended already"
	case e == Produce && c.HasChip() && c.CertSerial == "":
		return "the chip has no certificate"
	case chip && e != Suspend && today.After(c.CertUntil()):
		return "its certificate has expired"
	case e == Reactivate && (c.Reason == Loss || c.Reason == Theft):
		return "a loss is on file"
	case e == Expire && !(today.After(c.Expires) && (!c.HasChip() || today.After(c.CertUntil()))):
		return "it has not expired yet"
	}
	return ""
}

// graver tells whether a hold for why takes the place of one for was: it waits for
// new codes, and the other does not, or it is the last word of the two.
func graver(why, was Reason) bool {
	return why == RepresentationEnded && (was == ByHolder || was == Unconfirmed) || why == Unconfirmed && was == ByHolder
}

func apply(c Card, e Event, to State, why Reason, at time.Time) Card {
	c.State = to
	switch e {
	case Reject:
		c.Batch = ""
	case Ship:
		c.ShippedAt, c.DeliveredAt = at, time.Time{}
	case Deliver:
		c.DeliveredAt = at
	case Return:
		c.DeliveredAt = time.Time{}
	case Activate:
		c.ActivatedAt = at
		if c.DeliveredAt.IsZero() {
			c.DeliveredAt = at // whoever activates it has it in his hand
		}
	case Suspend:
		c.SuspendedAt, c.Reason = at, why
	case Reactivate:
		c.SuspendedAt, c.Reason = time.Time{}, ""
	case Revoke:
		c.RevokedAt, c.EndedAt, c.Reason = at, at, why
	case Replace:
		c.EndedAt, c.Reason = at, why
	case Expire:
		c.EndedAt, c.Reason = at, ""
	}
	return c
}
