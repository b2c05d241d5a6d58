package main

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"time"

	"cse.example/cse/engine/paper"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/contacts"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/entitlement"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/portal"
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
		Store: s, Changes: s, Releases: s, Sent: s, People: p.db.People(), Tries: p.db.Tries(), Key: key, Seal: seal, Check: counter.CheckEmail,
		Known: func(ctx context.Context, cf codicefiscale.Code) (string, words.Lang, error) {
			return p.counter.KnownAddress(ctx, cf)
		},
		Stands: func(ctx context.Context, holder registry.Person, by codicefiscale.Code) (bool, error) {
			return p.counter.Stands(ctx, holder, by)
		},
		Stop:  p.stopAddress,
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

// openCertificates makes the room of the certificates that stand in for the TEAM.
func (p *Platform) openCertificates() error {
	key, err := p.derived("cse.entitlement/1")
	if err != nil {
		return err
	}
	seal, err := p.web.aead(aeadDesk)
	if err != nil {
		return err
	}
	p.certificates, err = entitlement.New(entitlement.Deps{
		Store: p.db.TEAMCertificates(), People: p.db.People(), Cards: p.db.Cards(), Tries: p.db.Tries(), Key: key, Seal: seal,
		Clock: p.Clock, Rand: rand.Reader, Atomically: p.db.Atomically, Record: p.trail.Record, Days: p.Config.Citizen.settled().CertificateDays,
		Represents: p.represents,
	})
	return err
}

// area is the citizen's, beyond the cards.
func (p *Platform) area(ribbon string) *portal.Area {
	return &portal.Area{
		Book: p.book, Changes: p.book, Certificates: p.certificates, ForWards: p.certificates, Check: p.certificates, Wards: p.wardsShown, CodesToChange: p.counter.CodesToChange,
		Proofs: p.proveActs, Given: p.given, Entered: p.entered, Paper: p.teamPaper(ribbon), PaperSays: p.teamSays,
	}
}

// entered tells the holder of the first login with a card of ours.
func (p *Platform) entered(ctx context.Context, card string) error {
	c, err := p.db.Cards().Get(ctx, card)
	if errors.Is(err, lifecycle.ErrUnknown) {
		return nil // another issuer's
	}
	if err != nil {
		return err
	}
	return p.book.FirstLogin(ctx, c)
}

// teamPaper prints a certificate; no key is needed, so that the web process does it.
func (p *Platform) teamPaper(ribbon string) func(context.Context, words.Lang, entitlement.Certificate, string) ([]byte, error) {
	return func(_ context.Context, lang words.Lang, c entitlement.Certificate, address string) ([]byte, error) {
		press, err := paper.New(paper.Options{
			Issuer: p.Config.Region.Name, Helpline: p.Config.Region.Phone, Banner: ribbon, Clock: p.Clock, Fonts: fonts(),
		})
		if err != nil {
			return nil, err
		}
		return press.TEAMCertificate(lang, teamOf(c, address))
	}
}

// teamSays is what it says.
func (p *Platform) teamSays(lang words.Lang, c entitlement.Certificate, address string) ([]portal.PaperBlock, error) {
	press, err := paper.New(paper.Options{Issuer: p.Config.Region.Name, Helpline: p.Config.Region.Phone, Clock: p.Clock})
	if err != nil {
		return nil, err
	}
	blocks, err := press.TEAMTwin(lang, teamOf(c, address))
	return blocksOf(blocks), err
}

// teamOf is a certificate in the printer's words.
func teamOf(c entitlement.Certificate, address string) paper.TEAMCertificate {
	b := c.Back
	return paper.TEAMCertificate{
		State: b.State, Surname: b.Surname, Names: b.Names, Born: b.Born, PersonalID: b.PersonalID, Institution: b.Institution,
		Card: b.Number.Grouped(), Expires: b.Expires, From: c.From, To: c.To, Issued: civil.DayOf(c.At), Number: c.ID, Address: address,
	}
}

// lastAsMinor is the day before the eighteenth birthday, also of whoever was born
// on 29 February.
func lastAsMinor(x registry.Person) civil.Date {
	d := x.Born.AddYears(18).AddDays(-1)
	for x.MinorOn(d.AddDays(1)) {
		d = d.AddDays(1)
	}
	return d
}

// tellAtNight makes waiting changes of address effective, tells whose card comes
// to its end, and ends certificates whose right is over.
func (p *Platform) tellAtNight(ctx context.Context) error {
	if _, err := p.book.Ripen(ctx); err != nil {
		return err
	}
	if _, err := p.book.Expiring(ctx, p.db.Cards()); err != nil {
		return err
	}
	if _, err := p.certificates.Sweep(ctx); err != nil {
		return err
	}
	_, err := p.extension.Sweep(ctx)
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
