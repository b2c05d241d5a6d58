package counter

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
)

// DraftLife is how long an untouched draft is kept: a working day.
const DraftLife = 12 * time.Hour

// CardStep is step 1: which card lies on the counter. Either the chip was read
// (ReadCF and ReadID, by the job Reading of the counter's reader) or the last five
// digits of the card number were typed, and NoReader says why.
type CardStep struct {
	CF       codicefiscale.Code `json:"cf"`
	Card     string             `json:"card"`
	LastFive string             `json:"last_five,omitempty"`
	NoReader string             `json:"no_reader,omitempty"`
	ReadCF   codicefiscale.Code `json:"read_cf,omitempty"`
	ReadID   string             `json:"read_id,omitempty"`
	Reading  string             `json:"reading,omitempty"`
}

// Present is who stands at the counter.
type Present string

// Who may stand there.
const (
	PresentHolder   Present = "titolare"
	PresentParent   Present = "genitore"
	PresentGuardian Present = "tutore"
	PresentDelegate Present = "delegato"
)

// IdentityStep is step 2.
type IdentityStep struct {
	Present  Present  `json:"present"`
	Document Document `json:"document"`
	// Representative is the parent, guardian or delegate when it is one.
	Representative *Representative `json:"representative,omitempty"`
}

// ContactStep is step 3.
type ContactStep struct {
	Email      string `json:"email"`
	EmailAgain string `json:"email_again"`
	// NoEmail sends the second halves by post instead (letter.go).
	NoEmail bool `json:"no_email,omitempty"`
	// Lang is the language of mails and of the form.
	Lang words.Lang `json:"lang"`
	// Consent is to the activation, mandatory.
	Consent bool `json:"consent"`
	// Notices by e-mail, optional.
	Notices bool `json:"notices"`
}

// Draft is an activation being filled in. Nothing has happened yet.
type Draft struct {
	ID      string `json:"-"`
	Version int64  `json:"-"`
	// Done is the last step that was accepted, 1 to 3.
	Done     int          `json:"done"`
	Card     CardStep     `json:"card"`
	Identity IdentityStep `json:"identity"`
	Contact  ContactStep  `json:"contact"`
}

// StartDraft is step 1: it finds the card, checks it and opens a draft. The
// operator sees CSE-111 for somebody else's chip, CSE-112 for an old card and
// so on.
func (c *Counter) StartDraft(ctx context.Context, op staff.Operator, s CardStep) (Draft, error) {
	if err := c.readBy(ctx, op, &s); err != nil {
		return Draft{}, err
	}
	if _, err := c.checkCard(ctx, op, s); err != nil {
		return Draft{}, err
	}
	id := make([]byte, 16)
	if _, err := io.ReadFull(c.d.Rand, id); err != nil {
		return Draft{}, fmt.Errorf("counter: %w", err)
	}
	return c.save(ctx, op, Draft{ID: hex.EncodeToString(id), Done: 1, Card: s})
}

// Draft reads op's own draft; CSE-145 for any other.
func (c *Counter) Draft(ctx context.Context, op staff.Operator, id string) (Draft, error) {
	r, err := c.d.Drafts.Get(ctx, id)
	gone := errors.Is(err, ErrNotFound) || (err == nil && (r.Operator != op.Account || r.Office != op.Office.ID ||
		c.d.Clock.Now().Sub(r.TouchedAt) > DraftLife))
	if gone {
		return Draft{}, words.Refuse("CSE-145")
	}
	if err != nil {
		return Draft{}, err
	}
	d := Draft{}
	if err := c.open("draft", id, r.Body, &d); err != nil {
		return Draft{}, err
	}
	d.ID, d.Version = id, r.Version
	return d, nil
}

// Identify is step 2 on the version that the operator saw.
func (c *Counter) Identify(ctx context.Context, op staff.Operator, id string, version int64, s IdentityStep) (Draft, error) {
	d, err := c.step(ctx, op, id, version)
	if err != nil {
		return d, err
	}
	p, err := c.checkCard(ctx, op, d.Card)
	if err != nil {
		return d, err
	}
	if err := c.who(ctx, op, p, s); err != nil {
		return d, err
	}
	d.Identity, d.Done = s, max(d.Done, 2)
	return c.save(ctx, op, d)
}

// Contacts is step 3.
func (c *Counter) Contacts(ctx context.Context, op staff.Operator, id string, version int64, s ContactStep) (Draft, error) {
	d, err := c.step(ctx, op, id, version)
	if err != nil {
		return d, err
	}
	if d.Done < 2 {
		return d, words.Refuse("CSE-148")
	}
	if s, err = checkContact(s); err != nil {
		return d, err
	}
	if s.NoEmail {
		if err := c.byLetter(op.Office.ID); err != nil {
			return d, err
		}
	}
	if err := c.notTheDelegates(ctx, d.Identity, s.Email); err != nil {
		return d, err
	}
	if c.d.Address != nil && !s.NoEmail {
		f, err := c.checkCard(ctx, op, d.Card)
		if err == nil {
			err = c.d.Address(ctx, f.Person, s.Email)
		}
		if err != nil {
			return d, err
		}
	}
	d.Contact, d.Done = s, 3
	return c.save(ctx, op, d)
}

// Abort throws the draft away. Aborting what is not there is no error.
func (c *Counter) Abort(ctx context.Context, op staff.Operator, id string) error {
	if _, err := c.Draft(ctx, op, id); err != nil {
		if words.FaultOf(err) != nil {
			return nil
		}
		return err
	}
	return c.d.Atomically(ctx, func(ctx context.Context) error { return c.d.Drafts.Delete(ctx, id) })
}

func (c *Counter) step(ctx context.Context, op staff.Operator, id string, version int64) (Draft, error) {
	d, err := c.Draft(ctx, op, id)
	if err == nil && d.Version != version {
		return d, words.Refuse("CSE-149").Because(ErrStale)
	}
	return d, err
}

func (c *Counter) save(ctx context.Context, op staff.Operator, d Draft) (Draft, error) {
	body, err := c.seal("draft", d.ID, d)
	if err != nil {
		return d, err
	}
	row := DraftRow{ID: d.ID, Operator: op.Account, Office: op.Office.ID, Body: body, Version: d.Version, TouchedAt: c.d.Clock.Now()}
	err = c.d.Atomically(ctx, func(ctx context.Context) error {
		v, err := c.d.Drafts.Put(ctx, row)
		d.Version = v
		return err
	})
	if errors.Is(err, ErrStale) {
		return d, words.Refuse("CSE-149").Because(err)
	}
	return d, err
}

// checkContact answers s with the address tidied.
func checkContact(s ContactStep) (ContactStep, error) {
	address := ""
	if !s.NoEmail {
		var err error
		if address, err = checkEmail(s.Email, s.EmailAgain); err != nil {
			return s, err
		}
	}
	if !s.Consent {
		return s, words.Refuse("CSE-137").At("consenso")
	}
	s.Email, s.EmailAgain = address, address
	if s.Lang != words.English {
		s.Lang = words.Italian
	}
	return s, nil
}

// Tidy deletes drafts nobody came back to and tries long past. Run it nightly.
func (c *Counter) Tidy(ctx context.Context) error {
	now := c.d.Clock.Now()
	return c.d.Atomically(ctx, func(ctx context.Context) error {
		if _, err := c.d.Drafts.Prune(ctx, now.Add(-DraftLife)); err != nil {
			return err
		}
		return c.brake.Tidy(ctx)
	})
}
