package contacts

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/throttle"
	"cse.example/cse/person/codicefiscale"
)

// ChangeRow is a change under way as it is kept; Effective is zero while it
// waits for its codes.
type ChangeRow struct {
	Person           string
	Until, Effective time.Time
	Body             []byte
}

// Changes keeps at most one change for each person. Writes happen inside an act.
type Changes interface {
	PutChange(ctx context.Context, r ChangeRow) error
	// GetChange answers ErrNone.
	GetChange(ctx context.Context, person string) (ChangeRow, error)
	DeleteChange(ctx context.Context, person string) error
	DueChanges(ctx context.Context, now time.Time, limit int) ([]ChangeRow, error)
	// PruneChanges forgets those whose codes ended before.
	PruneChanges(ctx context.Context, before time.Time) (int64, error)
}

// Change is a change of address under way.
type Change struct {
	New, Old string
	// Lost tells that the old address is read no more: only the new one has a code.
	Lost bool
	// Until is the codes' end; Effective, when set, is when the change takes
	// effect by itself: the new address is proved and the old one was told.
	Until, Effective time.Time
}

// NeedsOld tells that the old address has a code too.
func (c Change) NeedsOld() bool { return c.Old != "" && !c.Lost }

// sealed is what a change keeps: the codes never leave it again.
type sealed struct {
	ID      string             `json:"id"`
	CF      codicefiscale.Code `json:"cf"`
	New     string             `json:"new"`
	Old     string             `json:"old"`
	Lost    bool               `json:"lost"`
	CodeNew string             `json:"code_new"`
	CodeOld string             `json:"code_old"`
	Wrong   int                `json:"wrong"`
}

func changeOf(s sealed, r ChangeRow) Change {
	return Change{New: s.New, Old: s.Old, Lost: s.Lost, Until: r.Until, Effective: r.Effective}
}

// Pending is the change under way, nil for none.
func (b *Book) Pending(ctx context.Context, cf codicefiscale.Code) (*Change, error) {
	s, r, err := b.pending(ctx, b.person(cf))
	if errors.Is(err, ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := changeOf(s, r)
	return &c, nil
}

func (b *Book) pending(ctx context.Context, person string) (sealed, ChangeRow, error) {
	var s sealed
	r, err := b.d.Changes.GetChange(ctx, person)
	if err != nil {
		return s, r, err
	}
	if r.Effective.IsZero() && b.d.Clock.Now().After(r.Until) {
		return s, r, ErrNone
	}
	return s, r, b.open("change", person, r.Body, &s)
}

// Ask begins a change: a code goes to the new address and, unless it is lost,
// another to the old one. CSE-590: it is the address already; CSE-591: asked
// again too soon. A change asked before is forgotten.
func (b *Book) Ask(ctx context.Context, cf codicefiscale.Code, email, again string, lost bool) (Change, error) {
	address, err := b.d.Check(email, again)
	if err != nil {
		return Change{}, err
	}
	var out Change
	err = b.d.Atomically(ctx, func(ctx context.Context) error {
		who := throttle.Subject("contact.ask", string(cf))
		if wait, err := b.brake.Wait(ctx, who); err != nil || wait > 0 {
			if err == nil {
				err = throttle.Refuse("CSE-591", wait)
			}
			return err
		}
		now, err := b.Of(ctx, cf)
		if err != nil {
			return err
		}
		if strings.EqualFold(now.Email, address) {
			return words.Refuse("CSE-590").At("email")
		}
		p, err := b.d.People.Get(ctx, cf)
		if err != nil {
			return err
		}
		if b.d.Stop != nil {
			if err := b.d.Stop(ctx, p, address); err != nil {
				return err
			}
		}
		if _, err := b.brake.Failed(ctx, who); err != nil {
			return err
		}
		s := sealed{CF: cf, New: address, Old: now.Email, Lost: lost && now.Email != ""}
		out, err = b.begin(ctx, s, now.Lang)
		return err
	})
	return out, err
}

func (b *Book) begin(ctx context.Context, s sealed, lang words.Lang) (Change, error) {
	id := make([]byte, 10)
	if _, err := io.ReadFull(b.d.Rand, id); err != nil {
		return Change{}, fmt.Errorf("contacts: random: %w", err)
	}
	s.ID = hex.EncodeToString(id)
	r := ChangeRow{Person: b.person(s.CF), Until: b.d.Clock.Now().Add(b.d.Policy.Life)}
	out := changeOf(s, r)
	var err error
	if s.CodeNew, err = b.code(); err != nil {
		return out, err
	}
	if out.NeedsOld() {
		if s.CodeOld, err = b.code(); err != nil {
			return out, err
		}
	}
	if err := b.putChange(ctx, s, r); err != nil {
		return out, err
	}
	until := r.Until.In(civil.Rome).Format("15:04")
	if err := b.mail(ctx, s, "code-new", s.New, lang, s.CodeNew, until); err != nil {
		return out, err
	}
	if out.NeedsOld() {
		if err := b.mail(ctx, s, "code-old", s.Old, lang, s.CodeOld, until); err != nil {
			return out, err
		}
	}
	return out, b.record(ctx, "contact.asked", s.CF)
}

func (b *Book) putChange(ctx context.Context, s sealed, r ChangeRow) error {
	var err error
	if r.Body, err = b.seal("change", r.Person, s); err != nil {
		return err
	}
	return b.d.Changes.PutChange(ctx, r)
}

// code is six random digits.
func (b *Book) code() (string, error) {
	n, err := rand.Int(b.d.Rand, big.NewInt(1_000_000))
	if err != nil {
		return "", fmt.Errorf("contacts: random: %w", err)
	}
	return fmt.Sprintf("%06d", n.Int64()), nil
}

// Confirm takes the codes. Both right: the address changes now, or after the
// wait when the old one is lost. CSE-592: no change waits for codes; CSE-593: a
// code is wrong; CSE-594: wrong too often, the change is forgotten.
func (b *Book) Confirm(ctx context.Context, cf codicefiscale.Code, codeNew, codeOld string) (Change, error) {
	var out Change
	var refusal *words.Fault
	err := b.d.Atomically(ctx, func(ctx context.Context) error {
		refusal = nil
		s, r, err := b.pending(ctx, b.person(cf))
		if errors.Is(err, ErrNone) || err == nil && !r.Effective.IsZero() {
			return words.Refuse("CSE-592")
		}
		if err != nil {
			return err
		}
		if field := s.wrong(codeNew, codeOld); field != "" { // the count must be written: the act ends well
			refusal, err = b.failed(ctx, s, r, field)
			return err
		}
		if s.Lost {
			r.Effective = b.d.Clock.Now().Add(b.d.Policy.Wait)
			out = changeOf(s, r)
			return b.announce(ctx, s, r)
		}
		out = changeOf(s, r)
		return b.apply(ctx, s)
	})
	if err == nil && refusal != nil {
		err = refusal
	}
	return out, err
}

// wrong is the field with a wrong code, empty for none; both are compared.
func (s sealed) wrong(codeNew, codeOld string) string {
	one := subtle.ConstantTimeCompare([]byte(codeNew), []byte(s.CodeNew)) == 1
	two := s.CodeOld == "" || subtle.ConstantTimeCompare([]byte(codeOld), []byte(s.CodeOld)) == 1
	switch {
	case !one:
		return "codice_nuovo"
	case !two:
		return "codice_attuale"
	}
	return ""
}

func (b *Book) failed(ctx context.Context, s sealed, r ChangeRow, field string) (*words.Fault, error) {
	s.Wrong++
	if s.Wrong < b.d.Policy.Tries {
		return words.Refuse("CSE-593", b.d.Policy.Tries-s.Wrong).At(field), b.putChange(ctx, s, r)
	}
	if err := b.d.Changes.DeleteChange(ctx, r.Person); err != nil {
		return nil, err
	}
	return words.Refuse("CSE-594"), b.record(ctx, "contact.dropped", s.CF)
}

// announce lets a proved change wait, and tells both addresses.
func (b *Book) announce(ctx context.Context, s sealed, r ChangeRow) error {
	s.CodeNew, s.CodeOld = "", ""
	if err := b.putChange(ctx, s, r); err != nil {
		return err
	}
	c, err := b.Of(ctx, s.CF)
	if err != nil {
		return err
	}
	when := r.Effective.In(civil.Rome).Format("02/01/2006 15:04")
	for _, to := range []string{s.Old, s.New} {
		if err := b.mail(ctx, s, "announced", to, c.Lang, when); err != nil {
			return err
		}
	}
	return b.record(ctx, "contact.announced", s.CF)
}

// apply makes a proved change the address, and tells both.
func (b *Book) apply(ctx context.Context, s sealed) error {
	c, err := b.Of(ctx, s.CF)
	if err != nil {
		return err
	}
	if err := b.Set(ctx, s.CF, s.New, c.Lang, false, ""); err != nil {
		return err
	}
	when := b.d.Clock.Now().In(civil.Rome).Format("02/01/2006 15:04")
	for _, to := range []string{s.New, s.Old} {
		if to == "" {
			continue
		}
		if err := b.mail(ctx, s, "changed", to, c.Lang, when); err != nil {
			return err
		}
	}
	return b.record(ctx, "contact.changed", s.CF)
}

// Cancel forgets the change under way; none is no error.
func (b *Book) Cancel(ctx context.Context, cf codicefiscale.Code) error {
	return b.d.Atomically(ctx, func(ctx context.Context) error {
		s, r, err := b.pending(ctx, b.person(cf))
		if errors.Is(err, ErrNone) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := b.d.Changes.DeleteChange(ctx, r.Person); err != nil {
			return err
		}
		return b.record(ctx, "contact.cancelled", s.CF)
	})
}

// Ripen makes changes effective whose wait is over, each an act of its own, and
// forgets those whose codes are old. Nightly; twice does nothing more.
func (b *Book) Ripen(ctx context.Context) (int, error) {
	now, n := b.d.Clock.Now(), 0
	for {
		due, err := b.d.Changes.DueChanges(ctx, now, 100)
		if err != nil || len(due) == 0 {
			if err == nil {
				err = b.d.Atomically(ctx, func(ctx context.Context) error {
					_, err := b.d.Changes.PruneChanges(ctx, now)
					return err
				})
			}
			return n, err
		}
		for _, r := range due {
			err := b.d.Atomically(ctx, func(ctx context.Context) error {
				s, r, err := b.pending(ctx, r.Person)
				if errors.Is(err, ErrNone) || err == nil && (r.Effective.IsZero() || r.Effective.After(now)) {
					return nil // cancelled or begun again meanwhile
				}
				if err != nil {
					return err
				}
				return b.apply(ctx, s)
			})
			if err != nil {
				return n, err
			}
			n++
		}
	}
}

func (b *Book) record(ctx context.Context, act string, cf codicefiscale.Code) error {
	return b.d.Record(ctx, journal.Entry{Act: act, Actor: "holder", Person: string(cf)})
}
