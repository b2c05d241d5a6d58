// Package entitlement makes the certificate that stands in for the European
// health insurance card for a while (certificato sostitutivo provvisorio della
// TEAM; provisional replacement certificate, Decisions S1 and S2 of 12 June 2009,
// OJ C 106, 24.4.2010, annex II): who lost the card, or waits for it, shows the
// certificate abroad.
//
// It is made at once, by the holder, or for a child or ward by whoever stands for
// him that day: a TEAM right today is all it needs, and nobody authorises it (R21). Its period is bounded by the policy and by the
// assistance. Whoever is shown one checks it at a public address with a random
// number and a keyed check, where no personal datum stands in the address and
// few are shown: initials, year of birth, the last four digits of field 8, the
// period. It ends with the right: death, end of assistance, right abroad lost.
//
// It refuses whom the TEAM does not cover, periods out of bounds, numbers that
// were not made here, and, by source, asking for many such numbers.
package entitlement

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/throttle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/person/team"
)

// ErrNone: there is no such certificate.
var ErrNone = errors.New("entitlement: none")

// Certificate stands in for the card of Back, from From to To, both included.
type Certificate struct {
	ID       string             `json:"-"`
	CF       codicefiscale.Code `json:"cf"`
	Back     team.Back          `json:"back"`
	From, To civil.Date
	At       time.Time `json:"-"`
	// EndedAt and Ended are set when it ended before its day, or with it.
	EndedAt time.Time `json:"-"`
	Ended   string    `json:"-"`
}

// Row is a Certificate as it is kept.
type Row struct {
	ID, Request, Person string
	At, EndedAt         time.Time
	// Until is the end of the last day, from which retention counts.
	Until time.Time
	Ended string
	Body  []byte
}

// Store keeps certificates. Writes happen inside an act.
type Store interface {
	// AddCertificate answers false when the request has been used already.
	AddCertificate(ctx context.Context, r Row) (bool, error)
	// FindCertificate finds by number or, when that is empty, by request; ErrNone.
	FindCertificate(ctx context.Context, id, request string) (Row, error)
	CertificatesOf(ctx context.Context, person string) ([]Row, error)
	// OpenCertificates lists those that have not ended, by number, after one.
	OpenCertificates(ctx context.Context, after string, limit int) ([]Row, error)
	EndCertificate(ctx context.Context, id, why string, at time.Time) (bool, error)
}

// AEAD seals what names people.
type AEAD interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// People is the registry; Cards are the cards by person.
type (
	People interface {
		Get(ctx context.Context, cf codicefiscale.Code) (registry.Person, error)
	}
	Cards interface {
		ByPerson(ctx context.Context, cf codicefiscale.Code) ([]lifecycle.Card, error)
	}
)

// Deps are what the room stands on; all are needed.
type Deps struct {
	Store  Store
	People People
	Cards  Cards
	Tries  throttle.Tries
	// Key makes pseudonyms and the checks of numbers, 32 bytes.
	Key        secret.Text
	Seal       AEAD
	Clock      civil.Clock
	Rand       io.Reader
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Record     journal.Recorder
	// Days is the longest period.
	Days int
	// Represents tells whether somebody stands for another today; nil: nobody does.
	Represents func(ctx context.Context, by, cf codicefiscale.Code) (bool, error)
}

// Room makes and checks certificates. Make one with New; it is safe for
// concurrent use.
type Room struct {
	d     Deps
	brake throttle.Brake
}

// New refuses a missing part and a period of no day.
func New(d Deps) (*Room, error) {
	if d.Store == nil || d.People == nil || d.Cards == nil || d.Tries == nil || d.Seal == nil || d.Clock == nil || d.Rand == nil ||
		d.Atomically == nil || d.Record == nil || len(d.Key.Reveal()) != 32 || d.Days < 1 {
		return nil, errors.New("entitlement: a part is missing")
	}
	return &Room{d, throttle.Brake{Tries: d.Tries, Clock: d.Clock}}, nil
}

// Right tells whether the TEAM covers p on a day: nothing else is asked (R21).
func Right(p registry.Person, day civil.Date) bool { return p.AssistedOn(day) && p.AbroadRight }

// Offer is the longest period that somebody may have, and the card it stands in for.
type Offer struct {
	Back     team.Back
	From, To civil.Date
}

// Offer tells what a certificate made now may cover. CSE-600: no right abroad;
// CSE-601: no card has been made yet, hence no number to write.
func (r *Room) Offer(ctx context.Context, cf codicefiscale.Code) (Offer, error) {
	today := civil.Today(r.d.Clock)
	p, err := r.d.People.Get(ctx, cf)
	if errors.Is(err, registry.ErrUnknown) || err == nil && !Right(p, today) {
		return Offer{}, words.Refuse("CSE-600")
	}
	if err != nil {
		return Offer{}, err
	}
	cards, err := r.d.Cards.ByPerson(ctx, cf)
	if err != nil {
		return Offer{}, err
	}
	card, ok := lifecycle.Current(cards)
	if !ok {
		return Offer{}, words.Refuse("CSE-601")
	}
	o := Offer{From: today, To: today.AddDays(r.d.Days - 1)}
	if !p.AssistedUntil.IsZero() && p.AssistedUntil.Before(o.To) {
		o.To = p.AssistedUntil
	}
	o.Back, err = team.New(p, team.Number(card.TEAM), card.Expires)
	return o, err
}

// Issue makes a certificate; the same request makes it once. CSE-602, CSE-603:
// the period begins or ends where it cannot.
func (r *Room) Issue(ctx context.Context, cf codicefiscale.Code, request string, from, to civil.Date) (Certificate, error) {
	return r.issue(ctx, "holder", cf, request, from, to)
}

// IssueFor makes one for somebody whom by stands for today; CSE-608 for anybody
// else. The certificate, and the record of it, are the child's or ward's.
func (r *Room) IssueFor(ctx context.Context, by, cf codicefiscale.Code, request string, from, to civil.Date) (Certificate, error) {
	ok := false
	if r.d.Represents != nil {
		var err error
		if ok, err = r.d.Represents(ctx, by, cf); err != nil {
			return Certificate{}, err
		}
	}
	if !ok {
		return Certificate{}, words.Refuse("CSE-608")
	}
	return r.issue(ctx, "representative", cf, request, from, to)
}

func (r *Room) issue(ctx context.Context, actor string, cf codicefiscale.Code, request string, from, to civil.Date) (Certificate, error) {
	if c, err := r.find(ctx, cf, "", request); !errors.Is(err, ErrNone) {
		return c, err
	}
	o, err := r.Offer(ctx, cf)
	if err != nil {
		return Certificate{}, err
	}
	last := o.To
	if from.Before(o.From) || from.After(last) {
		return Certificate{}, words.Refuse("CSE-602", o.From.Italian(), last.Italian()).At("periodo_dal")
	}
	if to.Before(from) || to.After(last) {
		return Certificate{}, words.Refuse("CSE-603", last.Italian()).At("periodo_al")
	}
	c := Certificate{CF: cf, Back: o.Back, From: from, To: to, At: r.d.Clock.Now()}
	if c.ID, err = r.number(); err != nil {
		return c, err
	}
	row := Row{ID: c.ID, Request: r.keyed("request", string(cf)+"|"+request, 16), Person: r.keyed("person", string(cf), 16), At: c.At, Until: to.End()}
	plain, err := json.Marshal(c)
	if err != nil {
		return c, fmt.Errorf("entitlement: %w", err)
	}
	if row.Body, err = r.d.Seal.Encrypt(plain, bound(c.ID)); err != nil {
		return c, fmt.Errorf("entitlement: seal: %w", err)
	}
	added := false
	err = r.d.Atomically(ctx, func(ctx context.Context) error {
		if added, err = r.d.Store.AddCertificate(ctx, row); err != nil || !added {
			return err
		}
		return r.d.Record(ctx, journal.Entry{
			Act: "team.certificate", Actor: actor, Person: string(cf),
			Detail: map[string]string{"from": from.String(), "to": to.String()},
		})
	})
	if err == nil && !added { // pressed twice
		return r.find(ctx, cf, "", request)
	}
	return c, err
}

// NewRequest makes the token of a form, so that pressing twice makes one certificate.
func (r *Room) NewRequest() (string, error) {
	b := make([]byte, 16)
	if _, err := io.ReadFull(r.d.Rand, b); err != nil {
		return "", fmt.Errorf("entitlement: random: %w", err)
	}
	return hex.EncodeToString(b), nil
}

// Of lists somebody's certificates, newest first.
func (r *Room) Of(ctx context.Context, cf codicefiscale.Code) ([]Certificate, error) {
	rows, err := r.d.Store.CertificatesOf(ctx, r.keyed("person", string(cf), 16))
	out := make([]Certificate, len(rows))
	for i, x := range rows {
		if out[i], err = r.open(x); err != nil {
			return nil, err
		}
	}
	return out, err
}

// Get is one of somebody's own; CSE-002 for another's.
func (r *Room) Get(ctx context.Context, cf codicefiscale.Code, id string) (Certificate, error) {
	c, err := r.find(ctx, cf, id, "")
	if errors.Is(err, ErrNone) {
		err = words.Refuse("CSE-002")
	}
	return c, err
}

func (r *Room) find(ctx context.Context, cf codicefiscale.Code, id, request string) (Certificate, error) {
	if request != "" {
		request = r.keyed("request", string(cf)+"|"+request, 16)
	}
	if id == "" && request == "" {
		return Certificate{}, ErrNone
	}
	row, err := r.d.Store.FindCertificate(ctx, id, request)
	if err != nil {
		return Certificate{}, err
	}
	c, err := r.open(row)
	if err == nil && c.CF != cf {
		err = ErrNone
	}
	return c, err
}

func bound(id string) []byte { return []byte("cse.entitlement/1|" + id) }

func (r *Room) open(x Row) (Certificate, error) {
	var c Certificate
	plain, err := r.d.Seal.Decrypt(x.Body, bound(x.ID))
	if err != nil {
		return c, fmt.Errorf("entitlement: open: %w", err)
	}
	if err := json.Unmarshal(plain, &c); err != nil {
		return c, fmt.Errorf("entitlement: read: %w", err)
	}
	c.ID, c.At, c.EndedAt, c.Ended = x.ID, x.At, x.EndedAt, x.Ended
	return c, nil
}

func (r *Room) keyed(kind, text string, n int) string {
	m := hmac.New(sha256.New, r.d.Key.Reveal())
	m.Write([]byte("cse.entitlement/1|" + kind + "|" + text))
	return hex.EncodeToString(m.Sum(nil)[:n])
}

// A number is eighty random bits and a keyed check of forty-eight, in groups
// that no codice fiscale looks like.
const (
	randomBytes = 10
	checkBytes  = 6
)

func (r *Room) number() (string, error) {
	b := make([]byte, randomBytes)
	if _, err := io.ReadFull(r.d.Rand, b); err != nil {
		return "", fmt.Errorf("entitlement: random: %w", err)
	}
	s := hex.EncodeToString(b)
	s += r.keyed("number", s, checkBytes)
	return s[:8] + "-" + s[8:16] + "-" + s[16:24] + "-" + s[24:], nil
}

// made tells whether a number was made here, without asking the store.
func (r *Room) made(id string) bool {
	s := strings.ReplaceAll(id, "-", "")
	if len(id) != 35 || len(s) != 2*(randomBytes+checkBytes) {
		return false
	}
	return hmac.Equal([]byte(s[2*randomBytes:]), []byte(r.keyed("number", s[:2*randomBytes], checkBytes)))
}
