package main

import (
	"context"
	"crypto/rand"

	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/helpdesk"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/throttle"
	"cse.example/cse/person/codicefiscale"
)

// openHelpdesk is the call centre's room.
func (p *Platform) openHelpdesk() (*helpdesk.Room, error) {
	seal, err := p.web.aead(aeadDesk)
	if err != nil {
		return nil, err
	}
	return helpdesk.New(helpdesk.Deps{
		Tickets: p.db.Tickets(), Cards: p.db.Cards(), Known: p.knownOf, Directory: p.directory, People: p.db.People(),
		Brake: throttle.Brake{Tries: p.db.Tries(), Clock: p.Clock}, Seal: seal, Rand: rand.Reader, Clock: p.Clock, Atomically: p.db.Atomically,
		Record: p.trail.Record,
	})
}

// openInbox takes the diagnoses that holders send.
func (p *Platform) openInbox() (*helpdesk.Inbox, error) {
	seal, err := p.web.aead(aeadDesk)
	if err != nil {
		return nil, err
	}
	return helpdesk.NewInbox(helpdesk.InboxDeps{
		Reports: p.db.Reports(), Brake: throttle.Brake{Tries: p.db.Tries(), Clock: p.Clock, Free: helpdesk.FreeReports}, Seal: seal, Rand: rand.Reader,
		Clock: p.Clock, Days: p.Config.Privacy.DiagnosesDays, Atomically: p.db.Atomically,
	})
}

// knownOf are the facts by which a caller is checked.
func (p *Platform) knownOf(ctx context.Context, card lifecycle.Card) (helpdesk.Known, error) {
	who, err := p.db.People().Get(ctx, card.CF)
	if err != nil {
		return helpdesk.Known{}, err
	}
	var k helpdesk.Known
	if !card.ActivatedAt.IsZero() {
		k.Month = card.ActivatedAt.In(civil.Rome).Format("01/2006")
	}
	address, err := p.counter.AddressOf(ctx, card)
	if err != nil {
		return k, err
	}
	if address == "" {
		address = who.Email
	}
	k.EmailEnd = helpdesk.EmailEnd(address)
	if place, ok := codicefiscale.Belfiore(who.Residence, civil.Today(p.Clock)); ok {
		k.Comune = place.Name
	}
	return k, nil
}
