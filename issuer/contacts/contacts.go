// Package contacts is the book of addresses: where each person is written to, in
// which language, and whether he wants notices that no law asks for.
//
// A counter's act writes an address that was typed twice before an operator
// (Set). The holder changes it himself with a code to the new address and
// another to the old one, both needed (Ask, Confirm); who no longer reads the
// old one proves the new one and waits, while the old one is told and a login or
// a counter can stop it (Cancel, Ripen). Every change is told to both addresses.
// The book also says how many adults use one address (Adults), and which notice
// a card has had (notices.go), so that each is sent once.
//
// Bodies are sealed; people are keyed pseudonyms and addresses keyed
// fingerprints. It refuses wrong or old codes, a sixth try, and asking too fast.
package contacts

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
	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/throttle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// ErrNone: nothing is kept about that person.
var ErrNone = errors.New("contacts: none")

// Contact is where somebody is written to. Before is the address that counted
// when this one was written, perhaps the same; empty for none. Represented: it
// is a parent's or guardian's, By, and counts only while he stands for the holder;
// where nobody is named, while the holder needs one.
type Contact struct {
	CF          codicefiscale.Code `json:"cf"`
	Email       string             `json:"email"`
	Before      string             `json:"before,omitempty"`
	Lang        words.Lang         `json:"lang"`
	Notices     bool               `json:"notices"`
	Represented bool               `json:"represented,omitempty"`
	By          codicefiscale.Code `json:"by,omitempty"`
	At          time.Time          `json:"at"`
	// ReplacedAt is since when Before counts no more.
	ReplacedAt time.Time `json:"replaced_at,omitzero"`
}

// Row is a Contact as it is kept. ReplacedAt is when its address took the place
// of another that is still remembered; zero when none is.
type Row struct {
	Person, Address string
	At, ReplacedAt  time.Time
	Body            []byte
}

// Store keeps contacts. Writes happen inside an act.
type Store interface {
	PutContact(ctx context.Context, r Row) error
	// GetContact answers ErrNone.
	GetContact(ctx context.Context, person string) (Row, error)
	ContactsAt(ctx context.Context, address string, limit int) ([]Row, error)
	// ReplacedBefore lists those that still remember an address replaced before.
	ReplacedBefore(ctx context.Context, before time.Time, limit int) ([]Row, error)
}

// AEAD seals what names people.
type AEAD interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// People is the registry.
type People interface {
	Get(ctx context.Context, cf codicefiscale.Code) (registry.Person, error)
}

// Policy are the configurable terms.
type Policy struct {
	// Life is how long the codes of a change are good, Tries how many wrong ones.
	Life  time.Duration
	Tries int
	// Wait is how long a change without the old address waits.
	Wait time.Duration
}

// DefaultPolicy is half an hour, five tries, three days.
func DefaultPolicy() Policy {
	return Policy{Life: 30 * time.Minute, Tries: 5, Wait: 72 * time.Hour}
}

// Deps are what the book stands on; all are needed unless said otherwise.
type Deps struct {
	Store   Store
	Changes Changes
	// Releases are the addresses let through for one person.
	Releases Releases
	Sent     Sent
	People   People
	Tries    throttle.Tries
	// Key makes pseudonyms of people and fingerprints of addresses, 32 bytes.
	Key  secret.Text
	Seal AEAD
	// Check is an address typed twice, or why it is none.
	Check func(email, again string) (string, error)
	// Stop refuses an address that must not be used; nil: none is.
	Stop func(ctx context.Context, holder registry.Person, address string) error
	// Stands tells whether somebody stands for a holder today; nil: as long as the
	// holder needs somebody.
	Stands func(ctx context.Context, holder registry.Person, by codicefiscale.Code) (bool, error)
	// Known is what others know of somebody the book does not; nil: nothing.
	Known      func(ctx context.Context, cf codicefiscale.Code) (email string, lang words.Lang, err error)
	Clock      civil.Clock
	Rand       io.Reader
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Enqueue    effect.Enqueue
	Record     journal.Recorder
	Policy     Policy
}

// Book is the book. Make one with New; it is safe for concurrent use.
type Book struct {
	d     Deps
	brake throttle.Brake
}

// New refuses a missing part and terms that make no sense.
func New(d Deps) (*Book, error) {
	if d.Store == nil || d.Changes == nil || d.Releases == nil || d.Sent == nil || d.People == nil || d.Tries == nil || d.Seal == nil || d.Check == nil ||
		d.Clock == nil || d.Rand == nil || d.Atomically == nil || d.Enqueue == nil || d.Record == nil {
		return nil, errors.New("contacts: a part is missing")
	}
	if len(d.Key.Reveal()) != 32 {
		return nil, errors.New("contacts: the key has not 32 bytes")
	}
	if d.Policy.Life < time.Minute || d.Policy.Tries < 1 || d.Policy.Wait < time.Hour {
		return nil, errors.New("contacts: codes live a minute at least, with one try, and a change waits an hour")
	}
	return &Book{d, throttle.Brake{Tries: d.Tries, Clock: d.Clock}}, nil
}

func (b *Book) keyed(kind, text string) string {
	m := hmac.New(sha256.New, b.d.Key.Reveal())
	m.Write([]byte("cse.contacts/1|" + kind + "|" + text))
	return hex.EncodeToString(m.Sum(nil)[:16])
}

func (b *Book) person(cf codicefiscale.Code) string { return b.keyed("person", string(cf)) }

func (b *Book) address(email string) string { return b.keyed("address", strings.ToLower(email)) }

func (b *Book) seal(kind, person string, v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("contacts: %s: %w", kind, err)
	}
	body, err := b.d.Seal.Encrypt(plain, []byte("cse.contacts/1|"+kind+"|"+person))
	if err != nil {
		return nil, fmt.Errorf("contacts: seal %s: %w", kind, err)
	}
	return body, nil
}

func (b *Book) open(kind, person string, body []byte, v any) error {
	plain, err := b.d.Seal.Decrypt(body, []byte("cse.contacts/1|"+kind+"|"+person))
	if err != nil {
		return fmt.Errorf("contacts: open %s: %w", kind, err)
	}
	if err := json.Unmarshal(plain, v); err != nil {
		return fmt.Errorf("contacts: read %s: %w", kind, err)
	}
	return nil
}

// Of is where somebody is written to; Email is empty when nobody knows.
func (b *Book) Of(ctx context.Context, cf codicefiscale.Code) (Contact, error) {
	r, err := b.d.Store.GetContact(ctx, b.person(cf))
	if err == nil {
		return b.current(ctx, r)
	}
	c := Contact{CF: cf, Lang: words.Italian, Notices: true}
	if !errors.Is(err, ErrNone) || b.d.Known == nil {
		if errors.Is(err, ErrNone) {
			err = nil
		}
		return c, err
	}
	email, lang, err := b.d.Known(ctx, cf)
	c.Email = email
	if lang != "" {
		c.Lang = lang
	}
	return c, err
}

// current opens r; a representative's address counts for nothing once he stands
// for the holder no more.
func (b *Book) current(ctx context.Context, r Row) (Contact, error) {
	var c Contact
	if err := b.open("contact", r.Person, r.Body, &c); err != nil || !c.Represented {
		return c, err
	}
	p, err := b.d.People.Get(ctx, c.CF)
	if errors.Is(err, registry.ErrUnknown) {
		return c, nil
	}
	stands := p.MinorOn(civil.Today(b.d.Clock)) || p.UnderGuardianship
	if err == nil && stands && c.By != "" && b.d.Stands != nil {
		stands, err = b.d.Stands(ctx, p, c.By)
	}
	if err == nil && !stands {
		c.Email, c.Before = "", ""
	}
	return c, err
}

// Set writes an address that was told and checked at a counter, in the act of
// ctx; the caller journals and tells. A change under way from home ends.
func (b *Book) Set(ctx context.Context, cf codicefiscale.Code, email string, lang words.Lang, represented bool, by codicefiscale.Code) error {
	c, err := b.Of(ctx, cf)
	if err != nil {
		return err
	}
	c.CF, c.Email, c.Before, c.Represented, c.By, c.ReplacedAt = cf, email, c.Email, represented, by, time.Time{}
	if c.Before != "" {
		c.ReplacedAt = b.d.Clock.Now()
	}
	if lang != "" {
		c.Lang = lang
	}
	if err := b.put(ctx, c); err != nil {
		return err
	}
	return b.d.Changes.DeleteChange(ctx, b.person(cf))
}

// Drop forgets an address that turned out not to be the holder's to give, also as
// the one before, in the act of ctx, whether or not it counts still; instead, a
// representative's, by, takes its place, or nobody's if it is empty. The caller
// journals and tells. An address that is not there is no error; a change under way
// ends.
func (b *Book) Drop(ctx context.Context, cf codicefiscale.Code, email, instead string, by codicefiscale.Code) error {
	r, err := b.d.Store.GetContact(ctx, b.person(cf))
	if errors.Is(err, ErrNone) {
		return nil
	}
	var c Contact
	if err == nil {
		err = b.open("contact", r.Person, r.Body, &c)
	}
	if err != nil {
		return err
	}
	now, before := b.address(c.Email) == b.address(email), b.address(c.Before) == b.address(email)
	if !now && !before {
		return nil
	}
	c.CF, c.Before, c.ReplacedAt = cf, "", time.Time{}
	if now {
		c.Email, c.Represented, c.By = instead, instead != "", by
	}
	if err := b.put(ctx, c); err != nil {
		return err
	}
	return b.d.Changes.DeleteChange(ctx, b.person(cf))
}

func (b *Book) put(ctx context.Context, c Contact) error {
	c.At = b.d.Clock.Now()
	r := Row{Person: b.person(c.CF), Address: b.address(c.Email), At: c.At, ReplacedAt: c.ReplacedAt}
	var err error
	if r.Body, err = b.seal("contact", r.Person, c); err != nil {
		return err
	}
	return b.d.Store.PutContact(ctx, r)
}

// Prefer writes language and wish for notices, which need no proof beyond the
// login.
func (b *Book) Prefer(ctx context.Context, cf codicefiscale.Code, lang words.Lang, notices bool) error {
	return b.d.Atomically(ctx, func(ctx context.Context) error {
		c, err := b.Of(ctx, cf)
		if err != nil {
			return err
		}
		if c.Lang == lang && c.Notices == notices {
			return nil
		}
		c.Lang, c.Notices = lang, notices
		if err := b.put(ctx, c); err != nil {
			return err
		}
		wish := "no"
		if notices {
			wish = "yes"
		}
		return b.d.Record(ctx, journal.Entry{
			Act: "contact.preferred", Actor: "holder", Person: string(cf), Detail: map[string]string{"lang": string(lang), "notices": wish},
		})
	})
}

// most is how many people at one address are counted: beyond, it is too many
// whoever they are.
const most = 200

// At lists who is written to at an address, the first two hundred.
func (b *Book) At(ctx context.Context, address string) ([]codicefiscale.Code, error) {
	return b.at(ctx, b.address(address))
}

func (b *Book) at(ctx context.Context, mark string) ([]codicefiscale.Code, error) {
	rows, err := b.d.Store.ContactsAt(ctx, mark, most)
	if err != nil {
		return nil, err
	}
	out := make([]codicefiscale.Code, len(rows))
	for i, r := range rows {
		var c Contact
		if err := b.open("contact", r.Person, r.Body, &c); err != nil {
			return nil, err
		}
		out[i] = c.CF
	}
	return out, nil
}

// Adults counts the adults other than cf whose address is this one, today.
func (b *Book) Adults(ctx context.Context, address string, cf codicefiscale.Code) (int, error) {
	all, err := b.At(ctx, address)
	if err != nil {
		return 0, err
	}
	n, today := 0, civil.Today(b.d.Clock)
	for _, x := range all {
		if x == cf {
			continue
		}
		p, err := b.d.People.Get(ctx, x)
		switch {
		case errors.Is(err, registry.ErrUnknown):
		case err != nil:
			return 0, err
		case !p.MinorOn(today) && p.AliveOn(today):
			n++
		}
	}
	return n, nil
}
