// Package handover carries a proved identity from the place where it was proved
// (the card's host, the operator form) to the browser that asked for it, and to
// no other (spec: login.md 5.7).
//
// A Flow is one login begun by one browser: its name travels in the link to the
// card's host and says nothing by itself. A Ticket is the answer: 256 random
// bits, kept only as a hash, good for 60 seconds, taken once by compare-and-set,
// and only by the browser whose cookie began the flow. A ticket shown by another
// browser is destroyed: it has leaked. No identity ever stands in an address.
//
// Whoever proves the identity need not be the browser: a card in a kiosk, or the
// demo's virtual card, may fetch the ticket for a visitor's flow; the ticket
// still opens only in the visitor's browser.
package handover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/login/identity"
)

// Lifetimes. A flow lasts as long as the page that offers the choices.
const (
	FlowLifetime   = 15 * time.Minute
	TicketLifetime = 60 * time.Second
)

// ErrUnknown is returned by a Store that has no such record.
var ErrUnknown = errors.New("handover: unknown")

// Flow is one login in progress.
type Flow struct {
	// Hash is the fingerprint of the flow's name.
	Hash string
	// Browser is the fingerprint of the cookie of the browser that began it.
	Browser string
	// Session is the OpenID authorization session to resume.
	Session string
	// Client is the relying party, ACR the acr_values it asked for.
	Client, ACR string
	Expires     time.Time
	// Ended is when the flow brought somebody in, zero before.
	Ended time.Time
}

// Ticket is one proved identity waiting to be taken.
type Ticket struct {
	Hash, Flow string
	// Identity is sealed under the ticket's hash.
	Identity []byte
	Expires  time.Time
	Taken    time.Time
}

// Flows keeps flows.
type Flows interface {
	SaveFlow(ctx context.Context, f Flow) error
	Flow(ctx context.Context, hash string) (Flow, error)
	// EndFlow ends an unended flow; false when somebody was faster.
	EndFlow(ctx context.Context, hash string, at time.Time) (bool, error)
}

// Tickets keeps tickets.
type Tickets interface {
	SaveTicket(ctx context.Context, t Ticket) error
	Ticket(ctx context.Context, hash string) (Ticket, error)
	// TakeTicket marks an untaken ticket taken and forgets its identity; false
	// when somebody was faster.
	TakeTicket(ctx context.Context, hash string, at time.Time) (bool, error)
}

// Desk is the hand-over desk. All fields are needed.
type Desk struct {
	Flows      Flows
	Tickets    Tickets
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Clock      civil.Clock
	Random     identity.Random
	Seal       identity.Sealer
}

// Begin opens a flow for the browser that holds the cookie value browser, and
// returns the flow's name.
func (d *Desk) Begin(ctx context.Context, browser, session, client, acr string) (string, error) {
	name := d.Random.Text()
	f := Flow{
		Hash: identity.Fingerprint(name), Browser: identity.Fingerprint(browser), Session: session,
		Client: client, ACR: acr, Expires: d.Clock.Now().Add(FlowLifetime),
	}
	err := d.Atomically(ctx, func(ctx context.Context) error { return d.Flows.SaveFlow(ctx, f) })
	if err != nil {
		return "", fmt.Errorf("begin flow: %w", err)
	}
	return name, nil
}

// Flow finds an open flow by its name. A flow that is unknown, ended or expired
// is refused with CSE-323.
func (d *Desk) Flow(ctx context.Context, name string) (Flow, error) {
	f, err := d.Flows.Flow(ctx, identity.Fingerprint(name))
	switch {
	case errors.Is(err, ErrUnknown):
		return Flow{}, words.Refuse("CSE-323").Because(err)
	case err != nil:
		return Flow{}, fmt.Errorf("read flow: %w", err)
	case !f.Ended.IsZero() || !d.Clock.Now().Before(f.Expires):
		return Flow{}, words.Refuse("CSE-323")
	}
	return f, nil
}

// Held tells whether the browser with this cookie began f.
func (f Flow) Held(browser string) bool {
	return browser != "" && identity.Same(f.Browser, identity.Fingerprint(browser))
}

// Issue makes a ticket that brings id into the flow. It joins the act in ctx.
func (d *Desk) Issue(ctx context.Context, f Flow, id identity.Identity) (string, error) {
	name := d.Random.Text()
	hash := identity.Fingerprint(name)
	sealed, err := identity.Seal(d.Seal, "ticket/"+hash, id)
	if err != nil {
		return "", err
	}
	t := Ticket{Hash: hash, Flow: f.Hash, Identity: sealed, Expires: d.Clock.Now().Add(TicketLifetime)}
	err = d.Atomically(ctx, func(ctx context.Context) error { return d.Tickets.SaveTicket(ctx, t) })
	if err != nil {
		return "", fmt.Errorf("issue ticket: %w", err)
	}
	return name, nil
}

// Session tells which authorization session a ticket would resume, without
// taking it. An unknown ticket is refused with CSE-324.
func (d *Desk) Session(ctx context.Context, ticket string) (string, error) {
	t, f, err := d.find(ctx, ticket)
	if err != nil {
		return "", err
	}
	if t.Taken.IsZero() && f.Ended.IsZero() {
		return f.Session, nil
	}
	return "", words.Refuse("CSE-324")
}

func (d *Desk) find(ctx context.Context, ticket string) (Ticket, Flow, error) {
	t, err := d.Tickets.Ticket(ctx, identity.Fingerprint(ticket))
	if errors.Is(err, ErrUnknown) {
		return Ticket{}, Flow{}, words.Refuse("CSE-324").Because(err)
	}
	if err != nil {
		return Ticket{}, Flow{}, fmt.Errorf("read ticket: %w", err)
	}
	f, err := d.Flows.Flow(ctx, t.Flow)
	if errors.Is(err, ErrUnknown) {
		return Ticket{}, Flow{}, words.Refuse("CSE-323").Because(err)
	}
	if err != nil {
		return Ticket{}, Flow{}, fmt.Errorf("read flow: %w", err)
	}
	return t, f, nil
}

// Take consumes a ticket for the browser that holds the cookie value browser,
// in the authorization session given, and ends its flow. Refusals: CSE-324 (used
// or expired), CSE-325 (another browser or another flow; the ticket is
// destroyed), CSE-323 (the flow is over).
func (d *Desk) Take(ctx context.Context, ticket, browser, session string) (identity.Identity, error) {
	t, f, err := d.find(ctx, ticket)
	if err != nil {
		return identity.Identity{}, err
	}
	now := d.Clock.Now()
	var refused error // a refusal still burns the ticket: the act commits
	err = d.Atomically(ctx, func(ctx context.Context) error {
		refused = nil
		won, err := d.Tickets.TakeTicket(ctx, t.Hash, now)
		switch {
		case err != nil:
			return err
		case !won || !now.Before(t.Expires):
			refused = words.Refuse("CSE-324")
			return nil
		case !f.Held(browser) || !identity.Same(f.Session, session):
			refused = words.Refuse("CSE-325")
			return nil
		}
		won, err = d.Flows.EndFlow(ctx, f.Hash, now)
		if err == nil && (!won || !now.Before(f.Expires)) {
			refused = words.Refuse("CSE-323")
		}
		return err
	})
	if err != nil {
		return identity.Identity{}, fmt.Errorf("take ticket: %w", err)
	}
	if refused != nil {
		return identity.Identity{}, refused
	}
	var id identity.Identity
	if err := identity.Open(d.Seal, "ticket/"+t.Hash, t.Identity, &id); err != nil {
		return identity.Identity{}, fmt.Errorf("take ticket: %w", err)
	}
	return id, nil
}
