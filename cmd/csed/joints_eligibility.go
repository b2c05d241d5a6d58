package main

import (
	"net/http"
	"strings"

	"cse.example/cse/issuer/eligibility"
	"cse.example/cse/portal/api"
)

// providers is the interface for those who deliver care, on its own host.
func (p *Platform) providers() (http.Handler, error) {
	clients, err := eligibility.NewClients(p.Config.Providers)
	if err != nil {
		return nil, err
	}
	room, err := p.eligibility()
	if err != nil {
		return nil, err
	}
	return api.NewEligibility(api.EligibilityDeps{
		URL: p.Config.Public.API, Portal: p.Config.Public.Portal, Body: p.Config.Region.Name, Clients: p.knownClients(clients), Ask: room.Ask, Clock: p.Clock, Log: p.Log,
	})
}

// eligibility is the room that answers them.
func (p *Platform) eligibility() (*eligibility.Room, error) {
	return eligibility.New(eligibility.Deps{
		People: p.db.People(), Cards: p.db.Cards(), Count: p.db.Privacy().CountQuestion, Clock: p.Clock, Atomically: p.db.Atomically, Record: p.trail.Record,
	})
}

// provider is the name of the machine that an actor of the journal was, for the
// person whom it asked about.
func (p *Platform) provider(actor string) string {
	id, ok := strings.CutPrefix(actor, "client:")
	if !ok {
		return ""
	}
	for _, c := range p.Config.Providers {
		if c.ID == id {
			return c.Name
		}
	}
	return id
}
