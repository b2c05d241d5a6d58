package ca

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/profile"
)

// Entry is what the store keeps of an authority: the same for every process.
type Entry struct {
	ID, Label string
	DER       []byte // its certificate
	KnownAt   time.Time
	// Turn counts the changes: the authority of the greatest issues; 0 is one that
	// never has. TurnAt is since when.
	Turn   int64
	TurnAt time.Time
	// RevokedAt is when its key was declared unsafe, Reason why (RFC 5280).
	RevokedAt time.Time
	Reason    int
	// Version counts the writes; PutAuthority compares it.
	Version int64
}

// Revoked tells whether its key was declared unsafe.
func (e Entry) Revoked() bool { return !e.RevokedAt.IsZero() }

// Certificate parses DER.
func (e Entry) Certificate() (*x509.Certificate, error) { return x509.ParseCertificate(e.DER) }

// Fingerprint is SHA-256 of the certificate, hexadecimal: what a ceremony's
// transcript says, and what a second person approves.
func (e Entry) Fingerprint() string { return Fingerprint(e.DER) }

// Fingerprint of a certificate's DER.
func Fingerprint(der []byte) string { return fmt.Sprintf("%x", sha256.Sum256(der)) }

// ErrNoAuthority: the store knows none of that identifier.
var ErrNoAuthority = errors.New("ca: no such authority")

// Registry keeps the authorities, and finds what they issued. Writes happen inside
// an act.
type Registry interface {
	// AddAuthority tells whether it was not there; a label or identifier in use is
	// left as it is.
	AddAuthority(ctx context.Context, e Entry) (bool, error)
	// Authority answers ErrNoAuthority.
	Authority(ctx context.Context, id string) (Entry, error)
	// AllAuthorities lists them in the order in which they came to be known.
	AllAuthorities(ctx context.Context) ([]Entry, error)
	// PutAuthority writes turn and revocation if Version is that of the store, else
	// ErrRaced.
	PutAuthority(ctx context.Context, e Entry) error
	// Living lists up to limit records of an issuer with Serial > after that are
	// neither void nor revoked.
	Living(ctx context.Context, issuer, after string, limit int) ([]Record, error)
}

// current is the entry that issues; false when there is none.
func current(entries []Entry) (Entry, bool) {
	var out Entry
	for _, e := range entries {
		if e.Turn > out.Turn {
			out = e
		}
	}
	return out, out.Turn > 0 && !out.Revoked()
}

// Know keeps m in the registry: the first that ever was begins to issue, any other
// waits for Rotate. A label or key that the registry knows otherwise is refused
// (CSE-925).
func (as *Authorities) Know(ctx context.Context, m Member) error {
	return as.s.Atomically(ctx, func(ctx context.Context) error {
		all, err := as.s.Registry.AllAuthorities(ctx)
		if err != nil {
			return err
		}
		for _, e := range all {
			if e.ID == m.ID() && e.Label == m.Label && e.Fingerprint() == Fingerprint(m.Certificate.Raw) {
				return nil
			}
		}
		now := as.s.Clock.Now()
		e := Entry{ID: m.ID(), Label: m.Label, DER: m.Certificate.Raw, KnownAt: now}
		if len(all) == 0 {
			e.Turn, e.TurnAt = 1, now
		}
		added, err := as.s.Registry.AddAuthority(ctx, e)
		if err == nil && !added {
			err = words.Refuse("CSE-925", m.Label).Because(errors.New("the label or the key is another authority's"))
		}
		if err != nil || len(all) == 0 {
			return err // the first is the platform's beginning, not a change
		}
		return as.tell(ctx, "system:ca", "authority.known", e, nil)
	})
}

// tell leaves the record of what became of an authority.
func (as *Authorities) tell(ctx context.Context, actor, act string, e Entry, more map[string]string) error {
	d := map[string]string{"authority": e.Label, "issuer": e.ID, "sha256": e.Fingerprint()}
	for k, v := range more {
		d[k] = v
	}
	return as.s.Record(ctx, journal.Entry{Act: act, Actor: actor, Detail: d})
}

// Refresh takes over what other processes changed: who issues, and who is there. A
// member that the registry knows and this process does not is opened by Shared.Open.
func (as *Authorities) Refresh(ctx context.Context) error {
	if as.s.Registry == nil {
		return nil
	}
	all, err := as.s.Registry.AllAuthorities(ctx)
	if err != nil {
		return err
	}
	var failed error
	for _, e := range all {
		failed = errors.Join(failed, as.meet(ctx, e))
	}
	if e, ok := current(all); ok || len(all) > 0 {
		as.mu.Lock()
		as.current = ""
		if ok {
			as.current = e.ID
		}
		as.mu.Unlock()
	}
	return failed
}

// meet makes e a member: whole, or at least its certificate, so that what it issued
// can be moved.
func (as *Authorities) meet(ctx context.Context, e Entry) error {
	m, there := as.Member(e.ID)
	if there && m.Authority != nil {
		return nil
	}
	var err error
	if as.s.Open != nil {
		err = as.s.Open(ctx, e)
	}
	if _, there := as.Member(e.ID); there {
		return err
	}
	c, failed := e.Certificate()
	if failed == nil {
		failed = as.Join(Member{Label: e.Label, Certificate: c})
	}
	return errors.Join(err, failed)
}

// MarginDays is how long before the life of the current authority gets too short
// for a whole certificate the next should be there.
const MarginDays = 180

// Whole tells whether an authority that ends at end lasts, at now, as long as the
// longest certificate that it may be asked for.
func Whole(end, now time.Time) bool {
	return !end.Before(civil.DayOf(now).AddYears(profile.Years).End())
}

// fit refuses an authority that cannot take its turn (CSE-926, CSE-929).
func (as *Authorities) fit(e Entry) error {
	m, _ := as.Member(e.ID)
	now := as.s.Clock.Now()
	switch {
	case e.Revoked():
		return words.Refuse("CSE-926", e.Label)
	case m.Authority == nil:
		return words.Refuse("CSE-929", e.Label).Because(errors.New("its signing key is not here"))
	case now.Before(m.Certificate.NotBefore) || !Whole(m.Certificate.NotAfter, now):
		return words.Refuse("CSE-929", e.Label).Because(fmt.Errorf("it is valid from %s to %s, and a certificate may need %d years",
			m.Certificate.NotBefore.Format(time.DateOnly), m.Certificate.NotAfter.Format(time.DateOnly), profile.Years))
	}
	return nil
}

// Find is the entry with that label (CSE-925).
func (as *Authorities) Find(ctx context.Context, label string) (Entry, error) {
	all, err := as.s.Registry.AllAuthorities(ctx)
	if err != nil {
		return Entry{}, err
	}
	for _, e := range all {
		if e.Label == label {
			return e, nil
		}
	}
	return Entry{}, words.Refuse("CSE-925", label)
}

// Ready is the entry with that label if it can take its turn (CSE-925, CSE-926,
// CSE-929).
func (as *Authorities) Ready(ctx context.Context, label string) (Entry, error) {
	if err := as.Refresh(ctx); err != nil {
		return Entry{}, err
	}
	e, err := as.Find(ctx, label)
	if err != nil {
		return e, err
	}
	return e, as.fit(e)
}

// Rotate gives the turn to the authority with that label, in the act of ctx: from
// its commit on new certificates are its, in every process. One that issues already
// is left as it is.
func (as *Authorities) Rotate(ctx context.Context, actor, label string) error {
	return as.s.Atomically(ctx, func(ctx context.Context) error {
		e, err := as.Find(ctx, label)
		if err != nil {
			return err
		}
		return as.turn(ctx, actor, e)
	})
}

func (as *Authorities) turn(ctx context.Context, actor string, e Entry) error {
	if err := as.fit(e); err != nil {
		return err
	}
	all, err := as.s.Registry.AllAuthorities(ctx)
	if err != nil {
		return err
	}
	before, issues := current(all)
	if issues && before.ID == e.ID {
		return nil
	}
	e.TurnAt = as.s.Clock.Now()
	for _, x := range all {
		e.Turn = max(e.Turn, x.Turn+1)
	}
	if err := as.s.Registry.PutAuthority(ctx, e); err != nil {
		return err
	}
	return as.tell(ctx, actor, "authority.rotated", e, map[string]string{"before": before.Label})
}

// Compromise declares the key of an authority unsafe, in the act of ctx: from its
// commit on it signs nothing, nothing that it issued is good, and none of it can be
// moved but to its revocation. If it issues, the turn goes to the authority with
// the label next in the same act (CSE-931 when that is none that can take it).
func (as *Authorities) Compromise(ctx context.Context, actor, label, next string, reason int) error {
	return as.s.Atomically(ctx, func(ctx context.Context) error {
		e, err := as.Find(ctx, label)
		if err != nil {
			return err
		}
		if e.Revoked() {
			return nil // it goes on from there
		}
		all, err := as.s.Registry.AllAuthorities(ctx)
		if err != nil {
			return err
		}
		if now, ok := current(all); ok && now.ID == e.ID {
			if next == "" || next == label {
				return words.Refuse("CSE-931", label)
			}
			to, err := as.Find(ctx, next)
			if err != nil {
				return err
			}
			if err := as.turn(ctx, actor, to); err != nil {
				return err
			}
		}
		e.RevokedAt, e.Reason = as.s.Clock.Now(), reason
		if err := as.s.Registry.PutAuthority(ctx, e); err != nil {
			return err
		}
		return as.tell(ctx, actor, "authority.revoked", e, map[string]string{"reason": fmt.Sprint(reason)})
	})
}

// Leftovers ends, in acts of bounded size, what a revoked authority issued and no
// card's own revocation ended: certificates that wait to take another's place,
// reservations that were never signed. It answers how many it ended, and may be
// killed and called again.
func (as *Authorities) Leftovers(ctx context.Context, id string, each func(ctx context.Context, r Record) error) (int, error) {
	e, err := as.s.Registry.Authority(ctx, id)
	if err != nil {
		return 0, err
	}
	if !e.Revoked() {
		return 0, fmt.Errorf("ca: authority %s is not revoked", e.Label)
	}
	n := 0
	for after := ""; ; {
		page, err := as.s.Registry.Living(ctx, id, after, actSize)
		if err != nil || len(page) == 0 {
			return n, err
		}
		after = page[len(page)-1].Serial
		for _, r := range page {
			if r.State == Reserved {
				_, err = as.ledger().void(ctx, []Record{r})
			} else {
				err = each(ctx, r)
			}
			if errors.Is(err, ErrRaced) {
				continue // somebody else ended it
			}
			if err != nil {
				return n, err
			}
			n++
		}
	}
}
