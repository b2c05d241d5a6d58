package main

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"time"

	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/contacts"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/person/codicefiscale"
)

// The joints of the citizen's area.

// derived is a key of its own purpose, from the web ring's secret of pseudonyms.
func (p *Platform) derived(purpose string) (secret.Text, error) {
	raw, err := p.web.raw(rawSubject)
	if err != nil {
		return secret.Text{}, err
	}
	k, err := hkdf.Key(sha256.New, raw.Reveal(), nil, purpose, 32)
	return secret.New(k), err
}

// openBook makes the book of addresses; the counter writes into it.
func (p *Platform) openBook() error {
	key, err := p.derived("cse.contacts/1")
	if err != nil {
		return err
	}
	seal, err := p.web.aead(aeadDesk)
	if err != nil {
		return err
	}
	s := p.db.Contacts()
	p.book, err = contacts.New(contacts.Deps{
		Store: s, Changes: s, Sent: s, People: p.db.People(), Tries: p.db.Tries(), Key: key, Seal: seal, Check: counter.CheckEmail,
		Known: func(ctx context.Context, cf codicefiscale.Code) (string, words.Lang, error) {
			return p.counter.KnownAddress(ctx, cf)
		},
		Clock: p.Clock, Rand: rand.Reader, Atomically: p.db.Atomically, Enqueue: p.queue.Enqueue, Record: p.trail.Record,
		Policy: p.Config.Citizen.contacts(),
	})
	return err
}

// deskBook is the book as the counter sees it.
type deskBook struct{ *contacts.Book }

func (b deskBook) Of(ctx context.Context, cf codicefiscale.Code) (email, before string, lang words.Lang, err error) {
	c, err := b.Book.Of(ctx, cf)
	return c.Email, c.Before, c.Lang, err
}

// tellAtNight makes waiting changes of address effective and tells whose card
// comes to its end.
func (p *Platform) tellAtNight(ctx context.Context) error {
	if _, err := p.book.Ripen(ctx); err != nil {
		return err
	}
	_, err := p.book.Expiring(ctx, p.db.Cards())
	return err
}

// mailContact sends a letter about addresses and dates.
func (p *Platform) mailContact(ctx context.Context, e effect.Effect, _ int) error {
	var l contacts.Letter
	if err := json.Unmarshal(e.Body, &l); err != nil {
		return errors.Join(effect.ErrPermanent, err)
	}
	subject, text := l.Text()
	return p.send(ctx, e, l.To, subject, text)
}

// Citizen are the terms of the citizen's area.
type Citizen struct {
	// CodeMinutes is how long the codes of a change of address are good; WaitHours
	// how long a change waits whose old address nobody reads any more.
	CodeMinutes int `yaml:"code_minutes"`
	WaitHours   int `yaml:"wait_hours"`
	// CertificateDays is the longest period of a certificate that stands in for the TEAM.
	CertificateDays int `yaml:"certificate_days"`
}

// settled has the default for each term that nobody set.
func (c Citizen) settled() Citizen {
	for _, x := range []struct {
		term     *int
		standard int
	}{{&c.CodeMinutes, 30}, {&c.WaitHours, 72}, {&c.CertificateDays, 90}} {
		if *x.term == 0 {
			*x.term = x.standard
		}
	}
	return c
}

func (c Citizen) contacts() contacts.Policy {
	c = c.settled()
	out := contacts.DefaultPolicy()
	out.Life, out.Wait = time.Duration(c.CodeMinutes)*time.Minute, time.Duration(c.WaitHours)*time.Hour
	return out
}
