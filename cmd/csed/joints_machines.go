package main

import (
	"context"
	"crypto/x509"
	"strconv"
	"time"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/desk"
	"cse.example/cse/issuer/eligibility"
)

// Programs that are refused are written down as people are (R92): which address,
// which code, and the beginning of the key's hash; some sixty an hour, and then how
// many more there were (docs/decisions/0484).

// knownClients asks the list, and records who is not on it.
func (p *Platform) knownClients(list *eligibility.Clients) func([]*x509.Certificate, time.Time) (eligibility.Client, error) {
	return func(chain []*x509.Certificate, now time.Time) (eligibility.Client, error) {
		c, err := list.Of(chain, now)
		if err != nil {
			p.refusedMachine("POST /v1/eligibility", chain, err)
		}
		return c, err
	}
}

// knownDesks are the readers, likewise.
type knownDesks struct {
	*desk.Room
	p *Platform
}

// Of implements api.Desks.
func (d knownDesks) Of(chain []*x509.Certificate) (desk.Desk, error) {
	x, err := d.Room.Of(chain)
	if err != nil {
		d.p.refusedMachine("POST /v1/desk/", chain, err)
	}
	return x, err
}

// refusedMachine writes a refusal in an act of its own. That it could not be written
// is logged: the program is refused all the same.
func (p *Platform) refusedMachine(route string, chain []*x509.Certificate, err error) {
	f := words.FaultOf(err)
	if f == nil {
		return
	}
	others, write := p.machines.Note(p.Clock.Now())
	if !write {
		return
	}
	detail := map[string]string{"route": route, "code": f.Code}
	if len(chain) > 0 {
		detail["key"] = eligibility.KeyOf(chain[0])[:16]
	}
	if others > 0 {
		detail["others"] = strconv.Itoa(others)
	}
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	err = p.db.Atomically(ctx, func(ctx context.Context) error {
		return p.trail.Record(ctx, journal.Entry{Act: "access.refused", Actor: "machine", Detail: detail})
	})
	if err != nil {
		p.Log.Error("a refusal was not recorded", "route", route, "code", f.Code, "err", err)
	}
}
