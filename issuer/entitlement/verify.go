package entitlement

import (
	"context"
	"errors"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/throttle"
	"cse.example/cse/person/registry"
)

// Standing is what a certificate is worth today.
type Standing string

// The standings.
const (
	Good    Standing = "valid"
	NotYet  Standing = "not-yet"
	Over    Standing = "over"
	Revoked Standing = "revoked"
)

// Shown is what whoever was handed a certificate compares with it: enough to
// see that it is this one, and nothing that he does not hold already.
type Shown struct {
	Standing Standing
	// Initials are those of given name and surname, Born the year, LastFour the
	// end of field 8.
	Initials       string
	Born           int
	LastFour       string
	From, To       civil.Date
	Issued         time.Time
	CountryOfIssue string
}

// Verify checks a number for anybody. CSE-604: it was not made here, and source
// waits longer each time; CSE-605: source waits still.
func (r *Room) Verify(ctx context.Context, id, source string) (Shown, error) {
	who := throttle.Subject("team.verify", source)
	wait, err := r.brake.Wait(ctx, who)
	if err != nil {
		return Shown{}, err
	}
	if wait > 0 {
		return Shown{}, throttle.Refuse("CSE-605", wait)
	}
	row, err := Row{}, ErrNone
	if r.made(id) {
		row, err = r.d.Store.FindCertificate(ctx, id, "")
	}
	if errors.Is(err, ErrNone) {
		err := r.d.Atomically(ctx, func(ctx context.Context) error {
			_, err := r.brake.Failed(ctx, who)
			return err
		})
		if err != nil {
			return Shown{}, err
		}
		return Shown{}, words.Refuse("CSE-604")
	}
	if err != nil {
		return Shown{}, err
	}
	c, err := r.open(row)
	if err != nil {
		return Shown{}, err
	}
	s := Shown{
		Initials: initial(c.Back.Names) + " " + initial(c.Back.Surname), LastFour: string(c.Back.Number)[len(c.Back.Number)-4:],
		From: c.From, To: c.To, Issued: c.At, CountryOfIssue: c.Back.State,
	}
	if d, err := civil.ParseItalian(c.Back.Born); err == nil {
		s.Born = d.Year
	}
	s.Standing, err = r.Standing(ctx, c)
	return s, err
}

func initial(name string) string {
	for _, x := range name {
		return string(x) + "."
	}
	return ""
}

// Standing asks the registry again: a right that has ended ends the certificate,
// whatever its dates say.
func (r *Room) Standing(ctx context.Context, c Certificate) (Standing, error) {
	today := civil.Today(r.d.Clock)
	p, err := r.d.People.Get(ctx, c.CF)
	if err != nil && !errors.Is(err, registry.ErrUnknown) {
		return "", err
	}
	switch {
	case today.After(c.To):
		return Over, nil
	case !c.EndedAt.IsZero() || err != nil || !Right(p, today):
		return Revoked, nil
	case today.Before(c.From):
		return NotYet, nil
	}
	return Good, nil
}

// Sweep ends certificates whose right or period is over, each an act of its own;
// one that was revoked stays so when the right comes back. Nightly; it answers
// how many were revoked.
func (r *Room) Sweep(ctx context.Context) (int, error) {
	n := 0
	for after := ""; ; {
		rows, err := r.d.Store.OpenCertificates(ctx, after, 500)
		if err != nil || len(rows) == 0 {
			return n, err
		}
		for _, x := range rows {
			after = x.ID
			c, err := r.open(x)
			if err != nil {
				return n, err
			}
			s, err := r.Standing(ctx, c)
			if err != nil {
				return n, err
			}
			if s == Good || s == NotYet {
				continue
			}
			err = r.d.Atomically(ctx, func(ctx context.Context) error {
				ended, err := r.d.Store.EndCertificate(ctx, c.ID, string(s), r.d.Clock.Now())
				if err != nil || !ended || s == Over {
					return err
				}
				n++
				return r.d.Record(ctx, journal.Entry{Act: "team.certificate-revoked", Actor: "system:night", Person: string(c.CF)})
			})
			if err != nil {
				return n, err
			}
		}
	}
}
