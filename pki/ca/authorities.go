package ca

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
)

// Shared is what all the authorities of a platform have in common; all of it but
// Registry and Open is required.
type Shared struct {
	Store      Store
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Record     journal.Recorder
	Clock      civil.Clock
	// Registry keeps who issues and who may not any more, for all processes; nil: it
	// is what this process was told (Choose).
	Registry Registry
	// Open joins the authority of an entry that this process does not have whole; nil
	// for one that knows all from the start.
	Open func(ctx context.Context, e Entry) error
}

// Member is one of the authorities of a platform.
type Member struct {
	// Label names it in folders, addresses and commands.
	Label       string
	Certificate *x509.Certificate
	// Authority signs; nil when its key is not here.
	Authority *Authority
}

// ID is how records name the member.
func (m Member) ID() string { return IssuerID(m.Certificate) }

// Authorities are all the authorities of one platform over one store. New
// certificates (Issue, IssueBatch, Extend) come from the current one; every move
// (Activate, Hold, Release, Revoke, Supersede) is of the certificate's own, whose
// key is not needed for it. What one of them reserved is signed by no other.
//
// Members join and change while others are at work: it is safe for concurrent
// use, and an issue that has begun ends by the authority by which it began.
type Authorities struct {
	s Shared

	mu      sync.RWMutex
	all     []Member
	current string // ID
}

// NewAuthorities refuses missing parts. It has no member yet.
func NewAuthorities(s Shared) (*Authorities, error) {
	if s.Store == nil || s.Atomically == nil || s.Record == nil || s.Clock == nil {
		return nil, errors.New("ca: a part is missing")
	}
	return &Authorities{s: s}, nil
}

// Join adds a member; one with the same key takes the place of the one before.
// A label that another key has is refused (CSE-925).
func (as *Authorities) Join(m Member) error {
	if m.Certificate == nil || len(m.Certificate.SubjectKeyId) == 0 {
		return errors.New("ca: a member without certificate or key identifier")
	}
	if m.Authority != nil && m.Authority.id != m.ID() {
		return fmt.Errorf("ca: the authority and the certificate of %s are not one", m.Label)
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	if m.Authority != nil && m.Authority.family == nil {
		m.Authority.family = as
	}
	for i, x := range as.all {
		switch {
		case x.ID() == m.ID():
			as.all[i] = m
			return nil
		case x.Label == m.Label:
			return words.Refuse("CSE-925", m.Label).Because(errors.New("two authorities with one label"))
		}
	}
	as.all = append(as.all, m)
	return nil
}

// Choose makes the member with that identifier the one that issues (CSE-924 when
// it is not here, or its key is not). A Registry has the last word: see Rotate.
func (as *Authorities) Choose(id string) error {
	m, ok := as.Member(id)
	if !ok || m.Authority == nil {
		return words.Refuse("CSE-924").Because(fmt.Errorf("authority %s (%s): known %t, with its key %t", id, m.Label, ok, m.Authority != nil))
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	as.current = id
	return nil
}

// Members lists all, in the order in which they joined.
func (as *Authorities) Members() []Member {
	as.mu.RLock()
	defer as.mu.RUnlock()
	return slices.Clone(as.all)
}

// Member is the one with that identifier (Record.Issuer).
func (as *Authorities) Member(id string) (Member, bool) {
	as.mu.RLock()
	defer as.mu.RUnlock()
	for _, m := range as.all {
		if m.ID() == id {
			return m, true
		}
	}
	return Member{}, false
}

// Current is the one that issues; CSE-924 when there is none.
func (as *Authorities) Current() (Member, error) {
	as.mu.RLock()
	id := as.current
	as.mu.RUnlock()
	if m, ok := as.Member(id); ok && m.Authority != nil {
		return m, nil
	}
	return Member{}, words.Refuse("CSE-924")
}

// issuing is the current one as the registry has it now, whoever changed it.
func (as *Authorities) issuing(ctx context.Context) (Member, error) {
	if err := as.Refresh(ctx); err != nil {
		if m, failed := as.Current(); failed == nil {
			return m, nil // another authority's folder is at fault, not the current one's
		}
		return Member{}, errors.Join(words.Refuse("CSE-924"), err)
	}
	return as.Current()
}

// Issue issues one certificate by the current authority. See Authority.Issue.
func (as *Authorities) Issue(ctx context.Context, q Request) (*x509.Certificate, error) {
	m, err := as.issuing(ctx)
	if err != nil {
		return nil, err
	}
	return m.Authority.Issue(ctx, q)
}

// IssueBatch issues by the current authority. See Authority.IssueBatch.
func (as *Authorities) IssueBatch(ctx context.Context, qs []Request) []Result {
	m, err := as.issuing(ctx)
	if err != nil {
		out := make([]Result, len(qs))
		for i := range out {
			out[i].Err = err
		}
		return out
	}
	return m.Authority.IssueBatch(ctx, qs)
}

// Extend gives a certificate of any member a later end, by the current authority.
func (as *Authorities) Extend(ctx context.Context, q Extension) (Record, error) {
	m, err := as.issuing(ctx)
	if err != nil {
		return Record{}, err
	}
	return m.Authority.Extend(ctx, q)
}

// ledger moves the certificates of every member.
func (as *Authorities) ledger() ledger {
	return ledger{as.s.Store, as.s.Atomically, as.s.Record, as.s.Clock, func(ctx context.Context, r Record, m move) error {
		if _, ok := as.Member(r.Issuer); !ok {
			return fmt.Errorf("%w: %s was issued by an authority that is not here", ErrUnknown, r.Serial)
		}
		if m.name == revoke.name {
			return nil
		}
		return as.safe(ctx, r.Issuer)
	}}
}

// safe refuses what an authority whose key was declared unsafe may not do any more
// (CSE-926).
func (as *Authorities) safe(ctx context.Context, id string) error {
	if as.s.Registry == nil {
		return nil
	}
	e, err := as.s.Registry.Authority(ctx, id)
	if errors.Is(err, ErrNoAuthority) {
		return nil
	}
	if err == nil && e.Revoked() {
		err = words.Refuse("CSE-926", e.Label)
	}
	return err
}

// Get is the record of a serial number (hexadecimal).
func (as *Authorities) Get(ctx context.Context, serial string) (Record, error) {
	return as.s.Store.Get(ctx, normal(serial))
}

// Activate makes a pending certificate good.
func (as *Authorities) Activate(ctx context.Context, serial string) error {
	return as.ledger().move(ctx, serial, activate, 0)
}

// Hold suspends a good certificate.
func (as *Authorities) Hold(ctx context.Context, serial string) error {
	return as.ledger().move(ctx, serial, hold, 0)
}

// Release makes a held certificate good again.
func (as *Authorities) Release(ctx context.Context, serial string) error {
	return as.ledger().move(ctx, serial, release, 0)
}

// Revoke ends a certificate for ever.
func (as *Authorities) Revoke(ctx context.Context, serial string, reason int) error {
	return as.ledger().revoke(ctx, serial, reason)
}

// Extended is the certificate that waits to take the place of serial.
func (as *Authorities) Extended(ctx context.Context, serial string) (Record, bool, error) {
	return as.ledger().extended(ctx, serial)
}

// Supersede makes a pending extension good and revokes what it extends, whoever
// issued the two.
func (as *Authorities) Supersede(ctx context.Context, serial string) error {
	return as.ledger().supersede(ctx, serial)
}

// Recover settles what a kill left between the two acts, of each member by its own
// key; what no member can sign is voided.
func (as *Authorities) Recover(ctx context.Context) (Recovered, error) {
	var sum Recovered
	for after := ""; ; {
		page, err := as.s.Store.Unfinished(ctx, after, actSize)
		if err != nil {
			return sum, fmt.Errorf("ca: recover: %w", err)
		}
		if len(page) == 0 {
			return sum, nil
		}
		after = page[len(page)-1].Serial
		of := map[string][]Record{}
		for _, r := range page {
			of[r.Issuer] = append(of[r.Issuer], r)
		}
		var failed error
		for id, some := range of {
			got, err := as.settle(ctx, id, some)
			sum.Finished += got.Finished
			sum.Voided += got.Voided
			failed = errors.Join(failed, err)
		}
		if failed != nil {
			return sum, fmt.Errorf("ca: recover: %w", failed)
		}
	}
}

// settle finishes or voids what one authority reserved.
func (as *Authorities) settle(ctx context.Context, id string, page []Record) (Recovered, error) {
	m, ok := as.Member(id)
	unsafe := as.safe(ctx, id)
	if unsafe != nil && words.FaultOf(unsafe) == nil {
		return Recovered{}, unsafe
	}
	if unsafe == nil && ok && m.Authority != nil && !as.s.Clock.Now().After(m.Certificate.NotAfter) {
		return m.Authority.settle(ctx, page)
	}
	n, err := as.ledger().void(ctx, page)
	return Recovered{Voided: n}, err
}

// kin tells whether an authority of that identifier is this one or of its family.
func (a *Authority) kin(id string) bool {
	if id == a.id || a.family == nil {
		return id == a.id
	}
	_, ok := a.family.Member(id)
	return ok
}

// whose is the authority that reserved r: nobody else may sign it, since its name
// stands in it. CSE-924 when its key is not here; Recover voids such a record.
func (a *Authority) whose(r Record) (*Authority, error) {
	if r.Issuer == a.id {
		return a, nil
	}
	if a.family != nil {
		if m, ok := a.family.Member(r.Issuer); ok && m.Authority != nil {
			return m.Authority, nil
		}
	}
	return nil, words.Refuse("CSE-924").Because(fmt.Errorf("certificate %s was reserved by authority %s", r.Serial, r.Issuer))
}
