package recheck

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/crl"
)

// list is a published list with its index.
type list struct {
	file  *crl.File
	index *crl.Index
	says  []Finding // what is wrong with the list itself
}

// open opens the list of an address, once. A list that cannot be used is nil
// inside, and says why.
func (r *run) open(address string, issuer *x509.Certificate) *list {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l, ok := r.lists[address]; ok {
		return l
	}
	l := &list{}
	r.lists[address] = l
	say := func(code string, err any) {
		l.says = append(l.says, Finding{Code: code, Says: fmt.Sprintf("%s: %v", address, err)})
	}
	file, err := crl.OpenFile(r.Lists(address))
	if err != nil {
		say(ListMissing, err)
		return l
	}
	l.file = file
	if err := file.CheckSignatureFrom(issuer); err != nil {
		say(ListSignature, err)
		return l
	}
	if now := r.Clock.Now(); now.After(file.Head.NextUpdate) {
		say(ListLate, "nextUpdate was "+file.Head.NextUpdate.UTC().Format(time.RFC3339))
	}
	index, err := file.BuildIndex(&crl.Memory{}, &crl.Memory{})
	if err != nil {
		say(ListMissing, err)
		return l
	}
	l.index = index
	return l
}

func (r *run) close() {
	for _, l := range r.lists {
		if l.file != nil {
			_ = l.file.Close() // only read
		}
	}
}

// published compares a record with its list and with the responder's answer.
func (r *run) published(ctx context.Context, f *findings, c ca.Record, cert, issuer *x509.Certificate) error {
	if r.Lists != nil && len(cert.CRLDistributionPoints) == 1 {
		if l := r.open(cert.CRLDistributionPoints[0], issuer); l.index != nil {
			e, found, err := l.index.Find(cert.SerialNumber)
			if err != nil {
				return err
			}
			r.onList(f, c, Standing{Listed: found, Reason: e.Reason, At: l.file.Head.ThisUpdate})
		}
	}
	if r.OCSP == nil || r.Clock.Now().After(c.NotAfter) {
		return nil
	}
	s, err := r.OCSP(ctx, cert, issuer)
	if err != nil {
		f.say(Answered, "no answer: %v", err)
		return ctx.Err()
	}
	if last := lastChange(c); last.After(s.At.Add(-Slack)) {
		return nil
	}
	if listed, reason := wanted(c); s.Unknown || s.Listed != listed || s.Listed && s.Reason != reason {
		f.say(Answered, "it is %s, the responder says %s", c.State, s)
	}
	return nil
}

func (s Standing) String() string {
	switch {
	case s.Unknown:
		return "unknown"
	case s.Listed:
		return fmt.Sprintf("revoked, reason %d", s.Reason)
	}
	return "good"
}

// lastChange is the last instant of which a list or an answer must know.
func lastChange(c ca.Record) time.Time {
	return slices.MaxFunc([]time.Time{c.IssuedAt, c.ActivatedAt, c.ChangedAt}, time.Time.Compare)
}

// wanted is what the world must be told of a record: pending and held are on hold.
func wanted(c ca.Record) (listed bool, reason int) {
	switch c.State {
	case ca.Pending, ca.Held:
		return true, crl.Hold
	case ca.Revoked:
		return true, c.Reason
	}
	return false, 0
}

func (r *run) onList(f *findings, c ca.Record, s Standing) {
	// An expired certificate leaves its list after one more.
	if lastChange(c).After(s.At.Add(-Slack)) || s.At.After(c.NotAfter) {
		return
	}
	listed, reason := wanted(c)
	switch {
	case listed && !s.Listed:
		f.say(NotListed, "it is %s, and not on its list of %s", c.State, s.At.UTC().Format(time.RFC3339))
	case !listed && s.Listed:
		f.say(Listed, "it is %s, and on its list of %s for reason %d", c.State, s.At.UTC().Format(time.RFC3339), s.Reason)
	case listed && reason != s.Reason:
		f.say(ListReason, "it is %s for reason %d, listed for reason %d", c.State, reason, s.Reason)
	}
}

// listed goes over the lists that were seen: every number on them has its record,
// whose certificate points to that list.
func (r *run) listed(ctx context.Context) error {
	addresses := make([]string, 0, len(r.lists))
	for a := range r.lists {
		addresses = append(addresses, a)
	}
	slices.Sort(addresses)
	for _, a := range addresses {
		l := r.lists[a]
		for _, f := range l.says {
			if err := r.say(f.Code, "", "%s", f.Says); err != nil {
				return err
			}
		}
		if l.index == nil {
			continue
		}
		for e, err := range l.file.Entries() {
			if err != nil {
				return err
			}
			if err := r.entry(ctx, a, e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) entry(ctx context.Context, address string, e crl.Entry) error {
	serial := fmt.Sprintf("%032x", new(big.Int).SetBytes(e.Serial))
	c, err := r.Store.Get(ctx, serial)
	switch {
	case errors.Is(err, ca.ErrUnknown):
		return r.say(NoRecord, serial, "%s lists a number that has no record", address)
	case err != nil:
		return err
	case !signed(c.State):
		return r.say(Listed, serial, "it is %s, and on %s", c.State, address)
	case !bytes.Contains(c.DER, []byte(address)):
		return r.say(Listed, serial, "it is on %s, to which it does not point", address)
	}
	return nil
}
