package portaltest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"cse.example/cse/issuer/staff"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// Memory keeps sessions in memory.
type Memory struct {
	mu   sync.Mutex
	rows map[string]row
	held map[string]row // seen: until
}

type row struct {
	body        []byte
	began, seen time.Time
}

// NewMemory makes an empty store of sessions.
func NewMemory() *Memory { return &Memory{rows: map[string]row{}, held: map[string]row{}} }

// Len is the number of sessions.
func (m *Memory) Len() int { m.mu.Lock(); defer m.mu.Unlock(); return len(m.rows) }

// PutSession implements portal.Sessions.
func (m *Memory) PutSession(_ context.Context, key, sealed []byte, began, seen time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows[string(key)] = row{sealed, began, seen}
	return nil
}

// GetSession implements portal.Sessions.
func (m *Memory) GetSession(_ context.Context, key []byte) (sealed []byte, began, seen time.Time, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rows[string(key)]
	return r.body, r.began, r.seen, nil
}

// TouchSession implements portal.Sessions.
func (m *Memory) TouchSession(_ context.Context, key []byte, seen time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rows[string(key)]
	r.seen = seen
	m.rows[string(key)] = r
	return nil
}

// DeleteSession implements portal.Sessions.
func (m *Memory) DeleteSession(_ context.Context, key []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.rows, string(key))
	return nil
}

// DeleteSessionsBefore implements portal.Sessions.
func (m *Memory) DeleteSessionsBefore(_ context.Context, began time.Time) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var n int64
	for k, r := range m.rows {
		if r.began.Before(began) {
			delete(m.rows, k)
			n++
		}
	}
	return n, nil
}

// Sealer is AES-GCM under a fixed key and nonce: for tests only.
type Sealer struct{ aead cipher.AEAD }

// NewSealer makes one.
func NewSealer() (Sealer, error) {
	b, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		return Sealer{}, err
	}
	a, err := cipher.NewGCM(b)
	return Sealer{a}, err
}

// Encrypt implements portal.Sealer.
func (s Sealer) Encrypt(p, ad []byte) ([]byte, error) {
	return s.aead.Seal(nil, make([]byte, s.aead.NonceSize()), p, ad), nil
}

// Decrypt implements portal.Sealer.
func (s Sealer) Decrypt(c, ad []byte) ([]byte, error) {
	return s.aead.Open(nil, make([]byte, s.aead.NonceSize()), c, ad)
}

// people is a registry of a few.
type people map[codicefiscale.Code]registry.Person

func (p people) Get(_ context.Context, cf codicefiscale.Code) (registry.Person, error) {
	x, ok := p[cf]
	if !ok {
		return x, registry.ErrUnknown
	}
	return x, nil
}

// cards is a few cards.
type cards []lifecycle.Card

func (c cards) Get(_ context.Context, id string) (lifecycle.Card, error) {
	for _, x := range c {
		if x.ID == id {
			return x, nil
		}
	}
	return lifecycle.Card{}, lifecycle.ErrUnknown
}

func (c cards) ByPerson(_ context.Context, cf codicefiscale.Code) ([]lifecycle.Card, error) {
	var out []lifecycle.Card
	for _, x := range c {
		if x.CF == cf {
			out = append(out, x)
		}
	}
	return out, nil
}

// desk plays issuer/counter: drafts and activations set beforehand, and
// refusals chosen by what is typed.
type desk struct {
	people people
	cards  cards

	mu          sync.Mutex
	drafts      map[string]counter.Draft
	activations map[string]counter.Act
}

func (d *desk) Search(ctx context.Context, _ staff.Operator, text string) ([]counter.Hit, error) {
	var out []counter.Hit
	for _, x := range d.people {
		if strings.HasPrefix(strings.ToUpper(x.Surname+" "+x.Name), strings.ToUpper(text)) || string(x.CF) == text || strings.EqualFold(text, "tutti") {
			h := counter.Hit{Person: x}
			if mine, err := d.cards.ByPerson(ctx, x.CF); err == nil {
				h.Card, _ = lifecycle.Current(mine)
			}
			out = append(out, h)
		}
	}
	slices.SortFunc(out, func(a, b counter.Hit) int { return strings.Compare(a.Person.Surname, b.Person.Surname) })
	if len(out) == 0 && len(text) == 16 {
		return nil, words.Refuse("CSE-101").At("ricerca")
	}
	return out, nil
}

func (d *desk) Sheet(ctx context.Context, _ staff.Operator, cf codicefiscale.Code) (counter.Sheet, error) {
	p, ok := d.people[cf]
	if !ok {
		return counter.Sheet{}, words.Refuse("CSE-102")
	}
	mine, err := d.cards.ByPerson(ctx, cf)
	s := counter.Sheet{Person: p, Actions: staff.Actions()}
	for _, c := range mine {
		s.Cards = append(s.Cards, counter.CardLine{
			Card: c, Functions: lifecycle.Functions(c, lifecycle.FactsOf(p, c, mine), Now), CanActivate: c.State == lifecycle.Shipped,
			CodesToChange: c.Reason == lifecycle.RepresentationEnded,
		})
		if c.State == lifecycle.Active {
			s.Protocols = append(s.Protocols, "2026/0000002")
		}
	}
	return s, err
}

func (d *desk) StartDraft(_ context.Context, _ staff.Operator, s counter.CardStep) (counter.Draft, error) {
	if s.Reading == "letta" {
		s.ReadID = s.Card
	} else if s.LastFive == "" {
		return counter.Draft{}, words.Refuse("CSE-133").At("tessera_ultime_cinque")
	}
	if !strings.HasSuffix(s.Card, s.LastFive) {
		return counter.Draft{}, words.Refuse("CSE-132").At("tessera_ultime_cinque")
	}
	if s.Reading == "" && s.NoReader == "" {
		return counter.Draft{}, words.Refuse("CSE-441").At("motivo")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	x := counter.Draft{ID: "nuova", Version: 1, Done: 1, Card: s}
	d.drafts[x.ID] = x
	return x, nil
}

func (d *desk) Draft(_ context.Context, _ staff.Operator, id string) (counter.Draft, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	x, ok := d.drafts[id]
	if !ok {
		return x, words.Refuse("CSE-145")
	}
	return x, nil
}

func (d *desk) Identify(_ context.Context, _ staff.Operator, id string, version int64, s counter.IdentityStep) (counter.Draft, error) {
	switch s.Present {
	case counter.PresentParent, counter.PresentGuardian:
		if s.Present == counter.PresentGuardian && s.Representative.CF != "" { // who does not say until when
			return counter.Draft{}, words.Refuse("CSE-773").At("titolo_fino_al")
		}
		if r := s.Representative; r != nil && r.CF != "" { // somebody whose name is another's
			return counter.Draft{}, errors.Join(words.Refuse("CSE-767").At("rappresentante_cognome"), words.Refuse("CSE-767").At("rappresentante_nome"))
		}
		return counter.Draft{}, words.Refuse("CSE-410").At("rappresentante_tessera")
	case counter.PresentDelegate:
		return counter.Draft{}, words.Refuse("CSE-121").At("salute")
	}
	if s.Document.Expires.Year < 2026 {
		return counter.Draft{}, words.Refuse("CSE-110", s.Document.Expires.Italian()).At("documento_scadenza")
	}
	return d.change(id, version, func(x *counter.Draft) { x.Identity, x.Done = s, 2 })
}

func (d *desk) Contacts(_ context.Context, _ staff.Operator, id string, version int64, s counter.ContactStep) (counter.Draft, error) {
	switch {
	case !strings.Contains(s.Email, "@"):
		return counter.Draft{}, words.Refuse("CSE-130").At("email")
	case s.Email != s.EmailAgain:
		return counter.Draft{}, words.Refuse("CSE-131").At("email_ripetuta")
	case !s.Consent:
		return counter.Draft{}, words.Refuse("CSE-137").At("consenso")
	}
	return d.change(id, version, func(x *counter.Draft) { x.Contact, x.Done = s, 3 })
}

func (d *desk) change(id string, version int64, f func(*counter.Draft)) (counter.Draft, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	x, ok := d.drafts[id]
	if !ok {
		return x, words.Refuse("CSE-145")
	}
	if x.Version != version {
		return x, words.Refuse("CSE-149")
	}
	f(&x)
	x.Version++
	d.drafts[id] = x
	return x, nil
}

func (d *desk) Activate(ctx context.Context, op staff.Operator, id string, _ int64) (counter.Act, error) {
	if _, err := d.Draft(ctx, op, id); err != nil {
		return counter.Act{}, err
	}
	return d.Act(ctx, op, "2026/0000001")
}

func (d *desk) Act(_ context.Context, _ staff.Operator, protocol string) (counter.Act, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, ok := d.activations[protocol]
	if !ok {
		return a, words.Refuse("CSE-145")
	}
	return a, nil
}

func (d *desk) ToPrint(ctx context.Context, op staff.Operator, protocol string) (counter.Form, error) {
	a, err := d.Act(ctx, op, protocol)
	if err == nil && !a.PrintedAt.IsZero() {
		err = words.Refuse("CSE-150")
	}
	return a.Form, err
}

func (d *desk) Printed(_ context.Context, _ staff.Operator, protocol string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.activations[protocol]
	if !a.PrintedAt.IsZero() {
		return words.Refuse("CSE-150")
	}
	a.PrintedAt = a.At.Add(time.Minute)
	d.activations[protocol] = a
	return nil
}

func (d *desk) HandOver(_ context.Context, _ staff.Operator, protocol string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.activations[protocol]
	if a.PrintedAt.IsZero() {
		return words.Refuse("CSE-146")
	}
	a.HandedAt = a.At.Add(2 * time.Minute)
	d.activations[protocol] = a
	return nil
}
