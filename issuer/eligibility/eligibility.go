// Package eligibility answers a provider of care who asks whether somebody is
// assisted, whether his card is good, and what his TEAM covers (rules R11, R12,
// R47, R48, R77). The provider may be of any Region: the TS is good on the whole
// national territory.
//
// A machine client is known by its certificate's key, says for which purpose it
// asks, and may ask so many times a day. Every question is in the journal under
// the person, who sees it among his activities. It refuses a purpose that the
// client was not given, and more questions than its cap.
//
// It tells no more than is asked: somebody whom the registry does not know and
// somebody who is not assisted look the same (docs/decisions/0590). A card that
// was never activated answers as an activated one: eligibility has nothing to do
// with the CNS.
package eligibility

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// Purpose is why a client asks; it is shown to the person.
type Purpose string

// The purposes.
const (
	Care      Purpose = "care"      // delivery of care
	Pharmacy  Purpose = "pharmacy"  // delivery of medicines
	Admission Purpose = "admission" // admission to a hospital
	Billing   Purpose = "billing"   // compensation between Regions
)

// Purposes lists them.
func Purposes() []Purpose { return []Purpose{Care, Pharmacy, Admission, Billing} }

// Client is a machine that may ask, as configuration writes it.
type Client struct {
	ID   string `yaml:"id"`
	Name string `yaml:"name"`
	// Region is the ISTAT code or name of its Region, for people.
	Region string `yaml:"region"`
	// Key is the SHA-256 of the certificate's public key (SubjectPublicKeyInfo),
	// hexadecimal.
	Key      string    `yaml:"key_sha256"`
	Daily    int       `yaml:"daily"`
	Purposes []Purpose `yaml:"purposes"`
}

// KeyOf is what a client's Key must be.
func KeyOf(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// Clients are the machines that may ask.
type Clients struct{ byKey map[string]Client }

// NewClients refuses clients that are not complete, or are there twice.
func NewClients(list []Client) (*Clients, error) {
	c := &Clients{map[string]Client{}}
	var errs []error
	seen := map[string]bool{}
	for _, x := range list {
		switch b, err := hex.DecodeString(x.Key); {
		case x.ID == "" || x.Name == "" || strings.ContainsAny(x.ID, " :\t"):
			errs = append(errs, fmt.Errorf("client %q: id (one word) and name are needed", x.ID))
		case err != nil || len(b) != sha256.Size:
			errs = append(errs, fmt.Errorf("client %q: key_sha256 must be 64 hexadecimal digits", x.ID))
		case x.Daily < 1:
			errs = append(errs, fmt.Errorf("client %q: daily must be at least 1", x.ID))
		case len(x.Purposes) == 0:
			errs = append(errs, fmt.Errorf("client %q: at least one purpose is needed", x.ID))
		case seen[x.ID] || c.byKey[strings.ToLower(x.Key)].ID != "":
			errs = append(errs, fmt.Errorf("client %q is there twice", x.ID))
		}
		for _, p := range x.Purposes {
			if !slices.Contains(Purposes(), p) {
				errs = append(errs, fmt.Errorf("client %q: there is no purpose %q", x.ID, p))
			}
		}
		seen[x.ID] = true
		c.byKey[strings.ToLower(x.Key)] = x
	}
	return c, errors.Join(errs...)
}

// Name is a client's name by its identifier, empty for none.
func (c *Clients) Name(id string) string {
	for _, x := range c.byKey {
		if x.ID == id {
			return x.Name
		}
	}
	return ""
}

// Of finds the client that owns a certificate: CSE-671 without one, CSE-672 for
// a key that is nobody's, CSE-673 outside its days.
func (c *Clients) Of(chain []*x509.Certificate, now time.Time) (Client, error) {
	if len(chain) == 0 {
		return Client{}, words.Refuse("CSE-671")
	}
	x, ok := c.byKey[KeyOf(chain[0])]
	switch {
	case !ok:
		return Client{}, words.Refuse("CSE-672")
	case now.Before(chain[0].NotBefore) || now.After(chain[0].NotAfter):
		return Client{}, words.Refuse("CSE-673", civil.DayOf(chain[0].NotAfter).Italian())
	}
	return x, nil
}

// Question is what a client asks: about whom, on which day, why.
type Question struct {
	// Who is a codice fiscale, a card number (16 digits) or a TEAM number (20).
	Who     string
	On      civil.Date // zero: today
	Purpose Purpose
}

// State is whether somebody is assisted.
type State string

// The states.
const (
	Assisted    State = "assisted"
	NotAssisted State = "not-assisted"
	Expired     State = "expired" // was assisted, and is no more
)

// Answer is what a client is told.
type Answer struct {
	State State
	On    civil.Date
	// ASL is the local health unit, only of whoever is assisted.
	ASL string
	// CardValid tells that the card asked about (or the current one) is good as
	// health card on that day; Functions are its four functions then.
	CardValid bool
	Card      bool // there is one
	Functions [4]lifecycle.Function
	// Abroad tells that the TEAM gives care during a temporary stay (R48).
	Abroad bool
}

// Deps are what the room stands on; all are needed.
type Deps struct {
	People interface {
		Get(ctx context.Context, cf codicefiscale.Code) (registry.Person, error)
	}
	Cards interface {
		Get(ctx context.Context, id string) (lifecycle.Card, error)
		ByTEAM(ctx context.Context, team string) (lifecycle.Card, error)
		ByPerson(ctx context.Context, cf codicefiscale.Code) ([]lifecycle.Card, error)
	}
	// Count adds one to a client's questions of a day, in the act of ctx, and
	// answers how many there are.
	Count      func(ctx context.Context, client, day string) (int, error)
	Clock      civil.Clock
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Record     journal.Recorder
}

// Room answers. Make one with New; it is safe for concurrent use.
type Room struct{ d Deps }

// New refuses a missing part.
func New(d Deps) (*Room, error) {
	if d.People == nil || d.Cards == nil || d.Count == nil || d.Clock == nil || d.Atomically == nil || d.Record == nil {
		return nil, errors.New("eligibility: a part is missing")
	}
	return &Room{d}, nil
}

// Ask answers a client's question, counted and journaled in the same act.
// CSE-670: its questions of today are spent; CSE-674: a purpose it was not given.
func (r *Room) Ask(ctx context.Context, c Client, q Question) (Answer, error) {
	if !slices.Contains(c.Purposes, q.Purpose) {
		return Answer{}, words.Refuse("CSE-674").At("purpose")
	}
	now := r.d.Clock.Now()
	if q.On.IsZero() {
		q.On = civil.DayOf(now)
	}
	var out Answer
	err := r.d.Atomically(ctx, func(ctx context.Context) error {
		n, err := r.d.Count(ctx, c.ID, civil.DayOf(now).String())
		if err != nil {
			return err
		}
		if n > c.Daily {
			return words.Refuse("CSE-670", c.Daily) // the count is taken back with the act: it stands at the cap
		}
		var cf codicefiscale.Code
		if out, cf, err = r.answer(ctx, q); err != nil {
			return err
		}
		detail := map[string]string{"purpose": string(q.Purpose)}
		if cf == "" {
			detail["found"] = "no" // who guesses numbers leaves a trace too
		}
		return r.d.Record(ctx, journal.Entry{Act: "eligibility.asked", Actor: "client:" + c.ID, Person: string(cf), Detail: detail})
	})
	if errors.Is(err, words.Refuse("CSE-670")) {
		err = errors.Join(err, r.over(ctx, c, civil.DayOf(now).String()))
	}
	return out, err
}

// over records that a client asked beyond its cap, once a day: a flood of
// questions makes no flood of records.
func (r *Room) over(ctx context.Context, c Client, day string) error {
	return r.d.Atomically(ctx, func(ctx context.Context) error {
		n, err := r.d.Count(ctx, c.ID+":over", day)
		if err != nil || n > 1 {
			return err
		}
		return r.d.Record(ctx, journal.Entry{Act: "eligibility.capped", Actor: "client:" + c.ID, Detail: map[string]string{"daily": strconv.Itoa(c.Daily)}})
	})
}

func (r *Room) answer(ctx context.Context, q Question) (Answer, codicefiscale.Code, error) {
	out := Answer{State: NotAssisted, On: q.On}
	cf, card, err := r.find(ctx, q.Who)
	if err != nil || cf == "" {
		return out, "", err
	}
	p, err := r.d.People.Get(ctx, cf)
	if errors.Is(err, registry.ErrUnknown) {
		return out, "", nil
	}
	if err != nil {
		return out, "", err
	}
	switch {
	case p.AssistedOn(q.On):
		out.State, out.ASL = Assisted, p.ASL
	case p.AssistedFrom.IsZero() || q.On.Before(p.AssistedFrom):
	default:
		out.State = Expired
	}
	cards, err := r.d.Cards.ByPerson(ctx, p.CF)
	if err != nil {
		return out, "", err
	}
	if card.ID == "" {
		card = bearer(p, cards, q.On)
	}
	if card.ID != "" && out.State == Assisted {
		out.Card = true
		out.Functions = lifecycle.Functions(card, lifecycle.FactsOf(p, card, cards), noon(q.On))
		out.CardValid = out.Functions[0].State == lifecycle.Valid
		out.Abroad = out.Functions[2].State == lifecycle.Valid
	}
	return out, p.CF, nil
}

// find reads who is meant; empty for a number that no card has.
func (r *Room) find(ctx context.Context, who string) (codicefiscale.Code, lifecycle.Card, error) {
	var card lifecycle.Card
	var err error
	switch who = strings.ToUpper(strings.Join(strings.Fields(who), "")); {
	case digits(who, 16):
		card, err = r.d.Cards.Get(ctx, who)
	case digits(who, 20):
		card, err = r.d.Cards.ByTEAM(ctx, who)
	default:
		cf, err := codicefiscale.Parse(who)
		return cf, card, err
	}
	if errors.Is(err, lifecycle.ErrUnknown) {
		return "", lifecycle.Card{}, nil
	}
	return card.CF, card, err
}

// bearer is the card whose printed functions are good on that day, else the
// current one: a new card on its way does not hide the old one.
func bearer(p registry.Person, cards []lifecycle.Card, on civil.Date) lifecycle.Card {
	for _, c := range cards {
		if lifecycle.Functions(c, lifecycle.FactsOf(p, c, cards), noon(on))[0].State == lifecycle.Valid {
			return c
		}
	}
	c, _ := lifecycle.Current(cards)
	return c
}

// noon is an instant of a day that every zone and daylight saving time has.
func noon(d civil.Date) time.Time { return d.Start().Add(12 * time.Hour) }

func digits(s string, n int) bool { return len(s) == n && strings.Trim(s, "0123456789") == "" }
