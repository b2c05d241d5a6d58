package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/operations"
	"cse.example/cse/login/door"
	"cse.example/cse/login/identity"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/status"
	"cse.example/cse/pki/trust"
	"cse.example/cse/portal"
)

// The joints of our own authorities: the one that issues, and those before it,
// whose certificates are still answered for.

// branch is one of them at work: what it signs with, and who answers for it.
type branch struct {
	*ca.Material
	// publisher is nil where the issuing key is not here.
	publisher *status.Publisher
	responder *status.Responder
	// sheet is the profile of what it issues, as the configuration has it.
	sheet profile.Sheet
	// distrusted tells that its revocation has reached the responder; listed, that
	// this process has seen to its first lists.
	distrusted, listed atomic.Bool
}

// branches are all of them, the first authority first.
type branches struct {
	mu  sync.RWMutex
	all []*branch
}

func (b *branches) list() []*branch {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.Clone(b.all)
}

func (b *branches) add(x *branch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, x)
}

// certificates of our authorities.
func (b *branches) certificates() []*x509.Certificate {
	var out []*x509.Certificate
	for _, x := range b.list() {
		out = append(out, x.Issuing)
	}
	return out
}

func (b *branches) labelled(label string) *branch {
	for _, x := range b.list() {
		if x.Label == label {
			return x
		}
	}
	return nil
}

// of is the branch with that certificate, nil for another's.
func (b *branches) of(issuer *x509.Certificate) *branch {
	for _, x := range b.list() {
		if issuer != nil && x.Issuing.Equal(issuer) {
			return x
		}
	}
	return nil
}

// current is the branch that issues; the first when none does.
func (b *branches) current(as *ca.Authorities) *branch {
	m, err := as.Current()
	if x := b.of(m.Certificate); err == nil && x != nil {
		return x
	}
	return b.list()[0]
}

// served are the authorities beside the first, for the site.
func (b *branches) served() []status.Served {
	var out []status.Served
	for _, x := range b.list() {
		if x.Label != profile.FirstLabel {
			out = append(out, status.Served{Label: x.Label, Issuing: x.Issuing, Responder: x.responder})
		}
	}
	return out
}

// openAuthorities opens every authority of the folder; the store says who issues.
func (p *Platform) openAuthorities(ctx context.Context) (err error) {
	vault, err := p.vault()
	if err != nil {
		return err
	}
	p.authority, err = ca.NewAuthorities(ca.Shared{
		Store: p.db.PKI(), Registry: p.db.PKI(), Atomically: p.db.Atomically, Record: p.trail.Record, Clock: p.Clock, Open: p.meetAuthority,
	})
	if err != nil {
		return err
	}
	labels, err := ca.Labels(p.Config.caDir())
	if err != nil || !slices.Contains(labels, profile.FirstLabel) {
		_, failed := ca.Load(p.Config.caDir(), vault) // which says what is missing
		return errors.Join(failed, err)
	}
	for _, label := range labels {
		if err := p.openAuthority(label, vault); err != nil {
			return err
		}
	}
	p.material = p.branches.list()[0].Material
	for _, m := range p.authority.Members() {
		if err := p.authority.Know(ctx, m); err != nil {
			return err
		}
	}
	return p.authority.Refresh(ctx)
}

// meetAuthority opens an authority that another process made known.
func (p *Platform) meetAuthority(_ context.Context, e ca.Entry) error {
	p.meeting.Lock()
	defer p.meeting.Unlock()
	labels, err := ca.Labels(p.Config.caDir())
	if err != nil || !slices.Contains(labels, e.Label) || p.branches.labelled(e.Label) != nil {
		return err // not whole here, or open with all that is here
	}
	vault, err := p.vault()
	if err != nil {
		return err
	}
	return p.openAuthority(e.Label, vault)
}

// watchAuthorities is how soon another process's change of authorities is seen by
// what serves OCSP, lists and the door's request. Issuing and the door ask each time.
const watchAuthorities = 500 * time.Millisecond

// authorities follows the changes until ctx ends.
func (p *Platform) authorities(ctx context.Context) error {
	every := time.NewTicker(watchAuthorities)
	defer every.Stop()
	var warned civil.Date
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		if err := p.followAuthorities(ctx); err != nil && ctx.Err() == nil {
			p.Log.Error("authorities", "err", err)
		}
		if today := civil.Today(p.Clock); today != warned {
			warned = today
			for _, w := range p.soon() {
				p.Log.Warn(words.Say(words.English, w.key, w.args...))
			}
		}
	}
}

// followAuthorities takes over the changes. An authority that appeared gets its
// first lists at once; of one whose key is not safe any more nothing that was
// signed before is given again: what was good is not.
func (p *Platform) followAuthorities(ctx context.Context) error {
	err := p.authority.Refresh(ctx)
	for _, b := range p.branches.list() {
		e, failed := p.db.PKI().Authority(ctx, ca.IssuerID(b.Issuing))
		if failed == nil && e.Revoked() && !b.distrusted.Load() {
			if failed = b.responder.Use(b.Responder, b.ResponderKey); failed == nil {
				b.distrusted.Store(true)
			}
		}
		err = errors.Join(err, failed)
	}
	var bare []*branch
	for _, b := range p.branches.list() {
		if b.publisher != nil && !b.listed.Load() {
			bare = append(bare, b)
		}
	}
	_, failed := publishers{&branches{all: bare}}.Publish(ctx)
	return errors.Join(err, failed)
}

// openAuthority opens one: it is known to all that asks for our authorities from
// then on.
func (p *Platform) openAuthority(label string, vault keys.Vault) error {
	m, err := ca.LoadLabel(p.Config.caDir(), label, vault)
	if err != nil {
		return err
	}
	b := &branch{Material: m}
	member := ca.Member{Label: label, Certificate: m.Issuing}
	urls := profile.URLsFor(p.Config.Public.PKI, label)
	shards := cmp.Or(m.Details.CRLShards, p.Config.Issue.CRLShards)
	if m.IssuingKey != nil {
		form := profile.CNS{
			Organisation: p.Config.Region.Certifier, Unit: p.Config.Region.Name, Notice: p.Config.Issue.PolicyText, URLs: urls,
			Shards: shards,
		}
		b.sheet = form.Sheet(label)
		member.Authority, err = ca.New(ca.Parts{
			Issuer: m.Issuing, Signer: m.IssuingKey, Profile: form, Agreed: p.agreed(b.sheet),
			Store: p.db.PKI(), Atomically: p.db.Atomically, Record: p.trail.Record, Clock: p.Clock, Rand: rand.Reader,
			SharedPrimes: p.db.PKI().SharedPrimes,
		})
		if err != nil {
			return err
		}
		b.publisher, err = status.NewPublisher(status.PublisherParts{
			Issuer: m.Issuing, Signer: m.IssuingKey, Store: p.db.PKI(), Atomically: p.db.Atomically,
			Clock: p.Clock, Rand: rand.Reader, Dir: p.crlDir(), URLs: urls, Shards: shards,
			Life: p.Config.Issue.listLife(), Every: time.Duration(p.Config.Issue.CRLMinutes) * time.Minute,
		})
		if err != nil {
			return err
		}
	}
	b.responder, err = status.NewResponder(status.ResponderParts{
		Issuer: m.Issuing, Cert: m.Responder, Signer: m.ResponderKey, Store: p.db.PKI(), Clock: p.Clock, Rand: rand.Reader,
	})
	if err != nil {
		return err
	}
	if err := p.authority.Join(member); err != nil {
		return err
	}
	p.follower.Add(b.responder)
	p.branches.add(b)
	return nil
}

// publishers write the lists of all our authorities.
type publishers struct{ *branches }

// Publish writes a new list for every part of every authority whose key is here;
// one that fails does not keep the others.
func (p publishers) Publish(ctx context.Context) ([]status.Published, error) {
	var out []status.Published
	var failed error
	for _, b := range p.list() {
		if b.publisher == nil {
			continue
		}
		some, err := b.publisher.Publish(ctx)
		out = append(out, some...)
		b.listed.Store(true) // what failed, the lister tries again
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("lists of authority %s: %w", b.Label, err))
		}
	}
	return out, failed
}

// renewResponders puts fresh OCSP certificates in place in good time.
func (p *Platform) renewResponders() error {
	vault, err := p.vault()
	if err != nil {
		return err
	}
	var failed error
	for _, b := range p.branches.list() {
		done, err := ca.RenewResponder(b.Material, profile.URLsFor(p.Config.Public.PKI, b.Label), vault, p.Clock, rand.Reader)
		if err == nil && done {
			err = b.responder.Use(b.Responder, b.ResponderKey)
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("responder of authority %s: %w", b.Label, err))
		}
	}
	return failed
}

// anchors are the CNS issuers that are believed: our own authorities and those of
// the trust list.
func (p *Platform) anchors() []*x509.Certificate {
	return append(p.neighbour.certificates(), p.branches.certificates()...)
}

// believe pins the CNS issuers, as they are at each use.
func (p *Platform) believe() door.Trust {
	about := func(issuer *x509.Certificate) door.Issuer {
		if p.branches.of(issuer) == nil {
			return p.neighbour.issuer(issuer)
		}
		return door.Issuer{Own: true, Bodies: []string{p.Config.Region.Name}}
	}
	return func(leaf *x509.Certificate, intermediates []*x509.Certificate, at time.Time) (door.Issuer, error) {
		var by *x509.Certificate
		found, err := door.FromPKI(trust.Verifier{Anchors: p.anchors()}, func(issuer *x509.Certificate) door.Issuer {
			by = issuer
			return about(issuer)
		})(leaf, intermediates, at)
		if err == nil && !found.Own {
			p.neighbour.heard(by, leaf)
		}
		return found, err
	}
}

// certifiedBy tells whether r is the certificate that the door saw: its number, and
// its authority, since the number alone could be put into another's certificate.
func (p *Platform) certifiedBy(r ca.Record, ref identity.CardRef) bool {
	for _, c := range p.branches.certificates() {
		if ca.IssuerID(c) == r.Issuer {
			return ref.Issuer == issuerID(c.RawSubject, c.SubjectKeyId) || ref.Issuer == issuerID(c.RawSubject, nil)
		}
	}
	return false
}

// issuerOf is who certified a card, as campaigns and login name him.
func (p *Platform) issuerOf(ctx context.Context, c lifecycle.Card) (string, error) {
	if c.Issuer != "" || c.CertSerial == "" {
		return c.Issuer, nil
	}
	r, err := p.authority.Get(ctx, c.CertSerial)
	if errors.Is(err, ca.ErrUnknown) {
		return "", nil
	}
	for _, x := range p.branches.certificates() {
		if ca.IssuerID(x) == r.Issuer {
			return issuerID(x.RawSubject, x.SubjectKeyId), err
		}
	}
	return "", err
}

// issuerChoices are the authorities whose cards can be chosen as a whole.
func (p *Platform) issuerChoices() []portal.IssuerChoice {
	var out []portal.IssuerChoice
	for _, c := range append(p.branches.certificates(), p.neighbour.certificates()...) {
		out = append(out, portal.IssuerChoice{ID: issuerID(c.RawSubject, c.SubjectKeyId), Name: c.Subject.CommonName})
	}
	return out
}

// clockReady says, beside "ok", that no certificate is signed: logins and answers
// go on.
func (p *Platform) clockReady(ctx context.Context) string {
	if f := words.FaultOf(p.authority.Forward(ctx)); f != nil {
		p.Log.Error("no certificate is signed", "err", f)
		return "no certificate is signed: " + f.Code + "\n"
	}
	return ""
}

// authorityKeys are our authorities as the dashboard shows them, and the clock by
// which they sign.
func (p *Platform) authorityKeys(ctx context.Context) ([]operations.Key, error) {
	if p.authority == nil {
		return nil, nil
	}
	current, _ := p.authority.Current()
	var out []operations.Key
	for n, b := range p.branches.list() {
		if n == 0 {
			out = append(out, operations.Key{Name: "root", From: b.Root.NotBefore, Until: b.Root.NotAfter})
		}
		e, err := p.db.PKI().Authority(ctx, ca.IssuerID(b.Issuing))
		if err != nil && !errors.Is(err, ca.ErrNoAuthority) {
			return nil, err
		}
		k := operations.Key{
			Name: "issuing.before", From: b.Issuing.NotBefore, Until: b.Issuing.NotAfter, Here: b.IssuingKey != nil, Revoked: e.Revoked(), Args: []any{b.Label},
		}
		if current.Certificate != nil && current.ID() == ca.IssuerID(b.Issuing) {
			k.Name, k.Needed = "issuing", b.Issuing.NotAfter.AddDate(-profile.Years, 0, -ca.MarginDays)
		}
		out = append(out, k, operations.Key{
			Name: "responder", From: b.Responder.NotBefore, Until: b.Responder.NotAfter, Here: b.ResponderKey != nil, Args: []any{b.Label},
		})
	}
	return append(out, operations.Key{Name: "clock", Here: true, Fault: words.FaultOf(p.authority.Forward(ctx))}), nil
}
