package contacts

import (
	"context"
	"errors"
	"strings"
	"time"

	"cse.example/cse/person/codicefiscale"
)

// Releases keeps the addresses that were let through for one person although
// they are stopped for everybody. Writes happen inside an act.
type Releases interface {
	AddRelease(ctx context.Context, r Release) error
	Released(ctx context.Context, person, address string) (bool, error)
}

// Release is one address for one person; it names nobody: Person is the keyed
// pseudonym, Address the keyed fingerprint.
type Release struct {
	Person, Address string
	// Approval is the request of four eyes that let it through.
	Approval string
	At       time.Time
}

// Marks are what stands for a person and an address where neither may be named.
func (b *Book) Marks(cf codicefiscale.Code, email string) Release {
	return Release{Person: b.person(cf), Address: b.address(email)}
}

// Free lets an address through for one person, in the act of ctx; the caller
// journals it.
func (b *Book) Free(ctx context.Context, r Release) error {
	r.At = b.d.Clock.Now()
	return b.d.Releases.AddRelease(ctx, r)
}

// Freed tells whether an address was let through for a person.
func (b *Book) Freed(ctx context.Context, cf codicefiscale.Code, email string) (bool, error) {
	m := b.Marks(cf, email)
	return b.d.Releases.Released(ctx, m.Person, m.Address)
}

// OwnersOf lists who is written to at the address behind a mark.
func (b *Book) OwnersOf(ctx context.Context, r Release) ([]codicefiscale.Code, error) {
	return b.at(ctx, r.Address)
}

// ForgetReplaced destroys the memory of addresses that were replaced before: the
// one in force stays. It answers how many were forgotten.
func (b *Book) ForgetReplaced(ctx context.Context, before time.Time) (int64, error) {
	n := int64(0)
	for {
		rows, err := b.d.Store.ReplacedBefore(ctx, before, most)
		if err != nil || len(rows) == 0 {
			return n, err
		}
		for _, r := range rows {
			var c Contact
			if err := b.open("contact", r.Person, r.Body, &c); err != nil {
				return n, err
			}
			c.Before, c.ReplacedAt, r.ReplacedAt = "", time.Time{}, time.Time{}
			if r.Body, err = b.seal("contact", r.Person, c); err != nil {
				return n, err
			}
			if err := b.d.Store.PutContact(ctx, r); err != nil {
				return n, err
			}
			n++
		}
	}
}

const releasePrefix = "cse.address/1"

// Content is exactly what a supervisor approves: a card, an address that only
// its owner recognises, why it is stopped, and the marks of person and address.
func (r Release) Content(card, masked, code string) []byte {
	return []byte(strings.Join([]string{releasePrefix, card, masked, code, r.Person, r.Address}, "|"))
}

// ReadRelease reads what Content wrote.
func ReadRelease(content []byte) (r Release, card, masked, code string, err error) {
	x := strings.Split(string(content), "|")
	if len(x) != 6 || x[0] != releasePrefix {
		return r, "", "", "", errors.New("contacts: not a release")
	}
	return Release{Person: x[4], Address: x[5]}, x[1], x[2], x[3], nil
}
