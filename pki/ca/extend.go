package ca

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/profile"
)

// Extension asks for a certificate that takes the place of a good one: same
// holder, same name, same key, another serial number and a later end (pki.md
// 1.6, R108).
type Extension struct {
	// Serial is that of the certificate to be extended.
	Serial string
	// Until is the last day of the new one, as far as the profile (six years) and
	// the authority's own end allow.
	Until civil.Date
	// Room is how many bytes the chip has for it.
	Room int
}

// Extend issues it, pending: the world sees it on hold, and the old one is as
// good as before, until Supersede. Asked again it gives the same certificate.
//
// CSE-195: the old one is not good; CSE-887: it has expired; CSE-890: the new
// one would not last longer; CSE-892: it would not fit into the chip.
func (a *Authority) Extend(ctx context.Context, q Extension) (Record, error) {
	now := a.Clock.Now().UTC().Truncate(time.Second)
	if err := a.begins(ctx, now); err != nil {
		return Record{}, err
	}
	old, err := a.extendable(ctx, q.Serial, now)
	if err != nil {
		return Record{}, err
	}
	shared, err := a.knownPrimes(ctx)
	if err != nil {
		return Record{}, err
	}
	j := job{known: known{expires: q.Until, room: q.Room}}
	if j.record, err = a.longer(old, q, now, shared); err != nil {
		return Record{}, err
	}
	jobs := []job{j}
	a.together(ctx, jobs, func(ctx context.Context, j job) (job, error) { return a.reserveLonger(ctx, old, q, j) })
	a.complete(ctx, jobs)
	return jobs[0].record, jobs[0].err
}

// extendable is a good certificate of ours that has not expired; of ours is what
// any authority of the platform issued, since the key and the holder stay.
func (a *Authority) extendable(ctx context.Context, serial string, now time.Time) (Record, error) {
	old, err := a.Get(ctx, serial)
	switch {
	case err != nil:
		return old, err
	case !a.kin(old.Issuer):
		return old, fmt.Errorf("%w: %s was issued by another authority", ErrUnknown, serial)
	case old.State != Good:
		return old, words.Refuse("CSE-195", italian[old.State]).Because(&MoveError{Serial: old.Serial, From: old.State, Move: "extend"})
	case now.After(old.NotAfter):
		return old, words.Refuse("CSE-887", civil.DayOf(old.NotAfter).Italian())
	}
	return old, nil
}

// longer writes what would be signed.
func (a *Authority) longer(old Record, q Extension, now time.Time, shared knownPrimes) (Record, error) {
	c, err := old.Certificate()
	if err != nil {
		return Record{}, err
	}
	key, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok {
		return Record{}, fmt.Errorf("ca: certificate %s has no RSA key", old.Serial)
	}
	if err := CheckKey(key); err != nil {
		return Record{}, words.Refuse("CSE-194").Because(err)
	}
	if err := shared.refuse(key); err != nil {
		return Record{}, err
	}
	serial, err := profile.NewSerial(a.Rand)
	if err != nil {
		return Record{}, err
	}
	end := profile.NotAfter(now, q.Until, a.Issuer.NotAfter)
	if !end.After(old.NotAfter) {
		return Record{}, words.Refuse("CSE-890", civil.DayOf(old.NotAfter).Italian())
	}
	tbs, err := a.Profile.TBS(a.Issuer, profile.Leaf{Serial: serial, CommonName: c.Subject.CommonName, Key: key, NotBefore: now, NotAfter: end})
	if err != nil {
		return Record{}, words.Refuse("CSE-196").Because(err)
	}
	if most, err := a.longest(tbs); err != nil || most > q.Room {
		return Record{}, errors.Join(err, words.Refuse("CSE-892").Because(fmt.Errorf("%d bytes at most, the chip has %d", most, q.Room)))
	}
	r := old
	r.Serial, r.Issuer, r.Shard, r.TBS, r.DER = serial.String(), a.id, a.Profile.Shard(serial), tbs, nil
	r.State, r.Reason, r.Extends, r.Version = Reserved, 0, old.Serial, 1
	r.NotAfter, r.ReservedAt = end, now
	r.IssuedAt, r.ActivatedAt, r.ChangedAt = time.Time{}, time.Time{}, time.Time{}
	return r, nil
}

// longest is how long the certificate can become: signatures differ by some bytes.
func (a *Authority) longest(tbs []byte) (int, error) {
	der, err := profile.Assemble(tbs, a.dummy.alg, a.dummy.sig)
	return len(der), err
}

// reserveLonger is the first act. What was begun before is gone on with.
func (a *Authority) reserveLonger(ctx context.Context, old Record, q Extension, j job) (job, error) {
	again, err := a.extendable(ctx, old.Serial, j.record.ReservedAt)
	if err != nil {
		j.err = err
		return j, nil //nolint:nilerr // the job's own failure, not the act's
	}
	all, err := a.Store.Find(ctx, again.Card, again.KeyHash)
	if err != nil {
		return j, err
	}
	for _, r := range all {
		if r.Extends == old.Serial && r.State != Revoked {
			if len(r.DER) > q.Room {
				j.err = words.Refuse("CSE-892")
			}
			j.record, j.known = r, known{room: q.Room}
			return j, nil
		}
	}
	if err := a.Store.Reserve(ctx, j.record); err != nil {
		return j, err
	}
	return j, a.note(ctx, "certificate.reserved", j.record)
}

// Extended is the certificate that waits to take the place of serial; false when
// none does.
func (a *Authority) Extended(ctx context.Context, serial string) (Record, bool, error) {
	return a.ledger().extended(ctx, serial)
}

func (l ledger) extended(ctx context.Context, serial string) (Record, bool, error) {
	old, err := l.store.Get(ctx, normal(serial))
	if err != nil {
		return Record{}, false, err
	}
	all, err := l.store.Find(ctx, old.Card, old.KeyHash)
	for _, r := range all {
		if r.Extends == old.Serial && r.State != Revoked {
			return r, true, err
		}
	}
	return Record{}, false, err
}

// Supersede makes a pending extension good and revokes the certificate that it
// extends (reason superseded), in the act of ctx: one of the two is good before
// it, and one after.
func (a *Authority) Supersede(ctx context.Context, serial string) error {
	return a.ledger().supersede(ctx, serial)
}

func (l ledger) supersede(ctx context.Context, serial string) error {
	return l.atomically(ctx, func(ctx context.Context) error {
		r, err := l.store.Get(ctx, normal(serial))
		if err != nil {
			return err
		}
		if r.Extends == "" {
			return fmt.Errorf("ca: certificate %s extends none", serial)
		}
		old, err := l.store.Get(ctx, r.Extends)
		if err != nil {
			return err
		}
		if old.State != Good {
			return words.Refuse("CSE-195", italian[old.State]).Because(&MoveError{Serial: old.Serial, From: old.State, Move: "supersede"})
		}
		if err := l.revoke(ctx, old.Serial, Superseded); err != nil {
			return err
		}
		return l.move(ctx, r.Serial, activate, 0)
	})
}
