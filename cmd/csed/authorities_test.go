package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/card/cns"
	"cse.example/cse/engine/queue"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/operations"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/login/door"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/status"
)

// further puts an authority into the region's folder, as a ceremony does.
func (r *region) further(t *testing.T, label string) *ca.Material {
	t.Helper()
	vault, done, err := r.config.openVault()
	check(t, err)
	defer func() { check(t, done()) }()
	p := ca.DefaultPlan()
	p.Issuing.CommonName, p.Responder.CommonName = "CA Cittadini "+label, "OCSP "+label
	p.URLs, p.Vault, p.Clock, p.Rand = profile.URLsFor(r.config.Public.PKI, label), vault, r.clock, rand.Reader
	m, err := ca.Add(t.Context(), r.config.caDir(), label, p)
	check(t, err)
	return m
}

// asks answers what our responder says of a certificate, by whichever authority.
func asks(ctx context.Context, p *Platform, leaf, issuer *x509.Certificate) (*ocsp.Response, error) {
	der, err := ocsp.CreateRequest(leaf, issuer, nil)
	if err != nil {
		return nil, err
	}
	rq := httptest.NewRequestWithContext(ctx, http.MethodPost, profile.PathOCSP, bytes.NewReader(der))
	rq.Header.Set("Content-Type", "application/ocsp-request")
	w := httptest.NewRecorder()
	p.site.ServeHTTP(w, rq)
	return ocsp.ParseResponseForCert(w.Body.Bytes(), leaf, issuer)
}

// shows lets a certificate be seen by the door that csed wires; the code of the
// refusal, empty for a card that opens.
func (p *Platform) shows(ctx context.Context, leaf *x509.Certificate) (string, error) {
	d := door.Door{Trust: p.believe(), Revocation: p.revocation, Cards: p.doorCard, Clock: p.Clock, ACR: p.Config.Login.ACR}
	_, err := d.Admit(ctx, tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}})
	if f := words.FaultOf(err); f != nil {
		return f.Code, nil
	}
	return "", err
}

func (p *Platform) leaf(t *testing.T, id string) *x509.Certificate {
	t.Helper()
	return must(must(p.authority.Get(t.Context(), card(t, p, id).CertSerial)).Certificate())
}

// decide approves the one request that waits for an account.
func (p *Platform) decide(t *testing.T, account string) {
	t.Helper()
	op := operatorOf(t, p, account)
	list, err := p.approvals.Waiting(t.Context(), op)
	check(t, err)
	if len(list) != 1 {
		t.Fatalf("%d requests wait", len(list))
	}
	check(t, p.approvals.Decide(t.Context(), op, list[0].ID, list[0].Sum(), true))
}

func refusedWith(t *testing.T, what string, err error, code string) {
	t.Helper()
	if !errors.Is(err, words.Refuse(code)) {
		t.Fatalf("%s: %v, want %s", what, err, code)
	}
}

// officers are two people of the Region's security and operations.
func (r *region) officers(t *testing.T) {
	t.Helper()
	r.employ(t, "carla", 21, staff.RoleSecurity)
	r.employ(t, "marta", 22, staff.RoleOperations)
}

// The authority that issues is changed by two people while the server serves: no
// answer fails, no login, no issue; the new one is at work within a second, and the
// old one's certificates are answered for and moved as before.
func TestRotationWithoutAnOutage(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	r.officers(t)
	p := r.serve(t, "web")
	ctx := t.Context()
	old := p.leaf(t, r.active)
	due := r.further(t, "due")
	requests := make([]ca.Request, 400)
	for i := range requests {
		requests[i] = catest.Request(t, 700_000+i)
		requests[i].Expires = civil.Today(r.clock).AddYears(6)
	}

	var asked, entered, issued atomic.Int64
	var group sync.WaitGroup
	stop := make(chan struct{})
	still := sync.OnceFunc(func() { close(stop); group.Wait() })
	defer still()
	always := func(n *atomic.Int64, pause time.Duration, f func(n int) error) {
		group.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(pause):
				}
				if err := f(i); err != nil {
					t.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	always(&asked, 5*time.Millisecond, func(int) error {
		a, err := asks(ctx, p, old, p.material.Issuing)
		if err == nil && a.Status != ocsp.Good {
			err = fmt.Errorf("OCSP says %d", a.Status)
		}
		return err
	})
	always(&entered, 10*time.Millisecond, func(int) error {
		code, err := p.shows(ctx, old)
		if code != "" {
			err = fmt.Errorf("the door says %s", code)
		}
		return err
	})
	var byNew atomic.Bool
	always(&issued, 10*time.Millisecond, func(i int) error {
		if i >= len(requests) {
			return nil
		}
		c, err := p.authority.Issue(ctx, requests[i])
		if err != nil {
			return err
		}
		switch of := c.Issuer.CommonName; {
		case of == due.Issuing.Subject.CommonName:
			byNew.Store(true)
			return c.CheckSignatureFrom(due.Issuing)
		case byNew.Load():
			return errors.New("after the change the old authority issued")
		}
		return c.CheckSignatureFrom(p.material.Issuing)
	})

	// A command beside the server: the asker cannot approve, and without approval
	// nothing changes.
	q := r.open(t, Options{Duties: []string{}}, "web")
	carla := operatorOf(t, q, "carla")
	refusedWith(t, "without a second person", q.rotateAuthority(ctx, carla, "due", "fine della finestra"), "CSE-928")
	list := must(q.approvals.Waiting(ctx, carla))
	if len(list) != 1 || !strings.Contains(string(list[0].Content), ca.Fingerprint(due.Issuing.Raw)) {
		t.Fatalf("asked: %+v", list)
	}
	refusedWith(t, "who asked", p.approvals.Decide(ctx, carla, list[0].ID, list[0].Sum(), true), "CSE-552")
	if m, _ := p.authority.Current(); m.Label != profile.FirstLabel {
		t.Fatalf("%s issues already", m.Label)
	}
	p.decide(t, "marta")
	check(t, q.rotateAuthority(ctx, carla, "due", ""))
	refusedWith(t, "back, without a second person", q.rotateAuthority(ctx, carla, profile.FirstLabel, "ritorno"), "CSE-928")

	// The server has it within a second: its lists, its responder, its certificate.
	fresh, err := q.authority.Issue(ctx, catest.Request(t, 800_000))
	check(t, err)
	check(t, fresh.CheckSignatureFrom(due.Issuing))
	check(t, q.authority.Activate(ctx, ca.SerialOf(fresh)))
	since := time.Now()
	for p.branches.labelled("due") == nil && time.Since(since) < 10*time.Second {
		time.Sleep(10 * time.Millisecond)
	}
	for range 100 { // its first lists
		if _, err = x509.ParseRevocationList(p.get(t, "/crl/due-0.crl")); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	check(t, err)
	a, err := asks(ctx, p, fresh, due.Issuing)
	if err != nil || a.Status != ocsp.Good {
		t.Errorf("OCSP of the new authority: %+v (%v)", a, err)
	}
	if !bytes.Equal(p.get(t, "/ca/due.cer"), due.Issuing.Raw) {
		t.Error("/ca/due.cer")
	}
	if subjects := poolOf(p.anchors()...); !subjects.Equal(poolOf(append(p.neighbour.certificates(), p.material.Issuing, due.Issuing)...)) {
		t.Error("the door does not offer both authorities")
	}
	time.Sleep(200 * time.Millisecond)
	still()
	if asked.Load() < 5 || entered.Load() < 3 || issued.Load() < 3 || !byNew.Load() {
		t.Errorf("%d answers, %d logins, %d certificates, the new authority's %t", asked.Load(), entered.Load(), issued.Load(), byNew.Load())
	}
	serial := card(t, p, r.active).CertSerial
	check(t, certificates{p}.Hold(ctx, serial))
	check(t, certificates{p}.Release(ctx, serial))
	check(t, certificates{p}.Revoke(ctx, serial, ca.KeyCompromise))
	if a, err := asks(ctx, p, old, p.material.Issuing); err != nil || a.Status != ocsp.Revoked {
		t.Errorf("the old authority's certificate: %+v (%v)", a, err)
	}
	if n := must(p.trail.Count(ctx, "authority.rotated", time.Time{})); n != 1 {
		t.Errorf("%d changes in the journal", n)
	}
}

// get is what the plain site gives.
func (p *Platform) get(t *testing.T, path string) []byte {
	t.Helper()
	w := httptest.NewRecorder()
	p.site.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w.Body.Bytes()
}

// Responders of all authorities are renewed in good time; while it happens both
// certificates are valid, and every answer carries its own.
func TestRespondersAreRenewedWithoutAnOutage(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.officers(t)
	r.further(t, "due")
	p := r.open(t, Options{}, "web")
	ctx := t.Context()
	check(t, p.authority.Rotate(ctx, "test", "due"))
	fresh, err := p.authority.Issue(ctx, catest.Request(t, 700_001))
	check(t, err)
	leaves := map[string]*x509.Certificate{profile.FirstLabel: p.leaf(t, r.active), "due": fresh}
	r.clock.Set(p.branches.list()[0].Responder.NotAfter.AddDate(0, 0, -ca.ResponderSlack+1))
	signer := func(label string) *x509.Certificate {
		t.Helper()
		b := p.branches.labelled(label)
		a, err := asks(ctx, p, leaves[label], b.Issuing)
		check(t, err)
		if a.Certificate == nil || r.clock.Now().After(a.Certificate.NotAfter) || r.clock.Now().Before(a.Certificate.NotBefore) {
			t.Errorf("%s: answered by a certificate that is not valid", label)
		}
		return a.Certificate
	}
	before := map[string]*x509.Certificate{}
	for label := range leaves {
		before[label] = signer(label)
	}
	check(t, p.renewResponders())
	for label, old := range before {
		if now := signer(label); now.Equal(old) || !now.NotAfter.After(old.NotAfter) || old.NotAfter.Before(r.clock.Now()) {
			t.Errorf("%s: until %s before, %s now", label, old.NotAfter, now.NotAfter)
		}
	}
}

// many puts n people with active cards, certified by the current authority, into the
// platform; every other one has an address for mail.
func (r *region) many(t *testing.T, p *Platform, n int) []lifecycle.Card {
	t.Helper()
	ctx, today := t.Context(), civil.Today(r.clock)
	out := make([]lifecycle.Card, n)
	people := make([]registry.Person, n)
	qs := make([]ca.Request, n)
	for i := range n {
		born := civil.Date{Year: 1940, Month: 1, Day: 1}.AddDays(i)
		cf, err := codicefiscale.Compute(codicefiscale.Person{Surname: "Molti", Name: "Uno", Born: born, Sex: "M", Belfiore: "D612"})
		check(t, err)
		people[i] = registry.Person{
			CF: cf, Surname: "MOLTI", Name: "UNO", Born: born, Sex: "M", BirthPlace: "D612", Citizenship: "IT", Residence: "D612", ASL: "101",
			AssistedFrom: today.AddYears(-10), AbroadRight: true,
		}
		id, err := cns.NewCardID(p.Config.Region.Issuer, uint64(500_000+i), 0)
		check(t, err)
		qs[i] = ca.Request{CF: string(cf), Card: string(id), PersonalData: []byte(cf), Key: catest.Key(t), Expires: today.AddYears(5)}
		at := r.clock.Now()
		out[i] = lifecycle.Card{
			ID: string(id), TEAM: id.TEAM(), CF: cf, Model: lifecycle.TSCNS, State: lifecycle.Active, Issued: today, Expires: today.AddYears(5),
			OrderedAt: at, ShippedAt: at, DeliveredAt: at, ActivatedAt: at,
		}
	}
	for i, made := range p.authority.IssueBatch(ctx, qs) {
		check(t, made.Err)
		out[i].CertSerial = ca.SerialOf(made.Certificate)
	}
	check(t, p.db.Atomically(ctx, func(ctx context.Context) error {
		for i := range out {
			if _, err := p.db.People().Put(ctx, people[i]); err != nil {
				return err
			}
			c, err := p.db.Cards().Put(ctx, out[i])
			if err == nil {
				err = p.authority.Activate(ctx, c.CertSerial)
			}
			if err == nil && i%2 == 0 {
				err = p.book.Set(ctx, c.CF, fmt.Sprintf("molti%d@example.org", i), words.Italian, false, "")
			}
			if err != nil {
				return err
			}
		}
		return nil
	}))
	return out
}

// The drill of a lost key: two people; from that act on nothing of the authority is
// good and its cards do not open; a kill in the middle; resumed, every card is ended
// once, its holder told once, its successor ordered once; lists say so, and so does
// the root's list that a ceremony made.
func TestDrillOfALostKey(t *testing.T) {
	t.Parallel()
	const n = 160
	r := newRegion(t)
	r.clock.Set(time.Now())
	r.officers(t)
	p := r.serve(t, "web")
	ctx := t.Context()
	cards := r.many(t, p, n)
	first := p.material.Issuing
	due := r.further(t, "due")
	last := p.leaf(t, cards[n-1].ID)
	door := func(when, want string) {
		t.Helper()
		if code, err := p.shows(ctx, last); code != want || err != nil {
			t.Errorf("%s the door says %q (%v), want %q", when, code, err, want)
		}
	}
	door("before", "")
	check(t, p.authority.Hold(ctx, cards[0].CertSerial)) // so that the last one's move is not the newest
	check(t, p.authority.Release(ctx, cards[0].CertSerial))
	for range 2 { // signed, and given again as it is kept
		if a, err := asks(ctx, p, last, first); err != nil || a.Status != ocsp.Good {
			t.Fatalf("before, OCSP says %+v (%v)", a, err)
		}
	}
	tool := func() (*Platform, staff.Operator) {
		t.Helper()
		q, err := r.tryOpen(ctx, Options{Duties: []string{}}, "web")
		check(t, err)
		return q, operatorOf(t, q, "carla")
	}
	q, carla := tool()
	_, err := q.revokeAuthority(ctx, carla, profile.FirstLabel, "", "chiave persa")
	refusedWith(t, "with nobody to issue after it", err, "CSE-931")
	_, err = q.revokeAuthority(ctx, carla, profile.FirstLabel, "due", "chiave persa")
	refusedWith(t, "without a second person", err, "CSE-928")
	door("while it is asked", "")
	p.decide(t, "marta")

	// Killed when some are done.
	killed, kill := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		_, err := q.revokeAuthority(killed, carla, profile.FirstLabel, "due", "")
		ended <- err
	}()
	recalled := func() int { return must(p.trail.Count(ctx, "card.recalled", time.Time{})) }
	for since := time.Now(); recalled() < 5 && time.Since(since) < 60*time.Second; {
		time.Sleep(time.Millisecond)
	}
	kill()
	if err := <-ended; err == nil {
		t.Fatal("it was done before it was killed")
	}
	check(t, q.Close())
	done := recalled()
	if done == 0 || done >= n {
		t.Fatalf("%d cards were ended before the kill", done)
	}
	if r := must(p.authority.Get(ctx, ca.SerialOf(last))); r.State != ca.Good {
		t.Fatalf("the last certificate is %s already", r.State)
	}
	door("in the middle", "CSE-932")
	time.Sleep(watchAuthorities + 300*time.Millisecond)
	for range 20 {
		if a, err := asks(ctx, p, last, first); err != nil || a.Status != ocsp.Revoked || a.RevocationReason != ca.CACompromise {
			t.Fatalf("a second after the act OCSP says %+v (%v)", a, err)
		}
	}
	if l := must(p.authorityLines(ctx)); l[0].State != "revoked" || l[0].Living == 0 || l[1].State != "current" {
		t.Errorf("in the middle: %+v", l)
	}

	q, carla = tool()
	sum, err := q.revokeAuthority(ctx, carla, profile.FirstLabel, "due", "")
	check(t, err)
	if sum.Cards < n || sum.Failed != 0 {
		t.Errorf("%+v", sum)
	}
	again, err := q.revokeAuthority(ctx, carla, profile.FirstLabel, "", "")
	check(t, err)
	if again.Cards != sum.Cards || again.Certificates != 0 || recalled() != sum.Cards {
		t.Errorf("once more: %+v after %+v, %d in the journal", again, sum, recalled())
	}
	check(t, q.Close())
	for i, c := range cards {
		now := card(t, p, c.ID)
		rec := must(p.authority.Get(ctx, c.CertSerial))
		if now.State != lifecycle.Revoked || now.ReplacedBy == "" || rec.State != ca.Revoked || rec.Reason != ca.CACompromise {
			t.Fatalf("card %d: %s, followed by %q, certificate %s %d", i, now.State, now.ReplacedBy, rec.State, rec.Reason)
		}
		told := 0
		for _, x := range must(p.queue.List(ctx, queue.Filter{Card: c.ID, Limit: 100})) {
			if x.Kind == counter.KindMailNotice {
				told++
			}
		}
		if told != 1-i%2 {
			t.Fatalf("the holder of card %d was told %d times", i, told)
		}
	}
	if l := must(p.authorityLines(ctx)); l[0].Living != 0 {
		t.Errorf("at the end: %+v", l)
	}
	door("at the end", "CSE-932")
	_, err = p.publisher.Publish(ctx)
	check(t, err)
	listed := 0
	for shard := range p.Config.Issue.CRLShards {
		list, err := x509.ParseRevocationList(p.get(t, fmt.Sprintf("/crl/issuing-%d.crl", shard)))
		check(t, err)
		listed += len(list.RevokedCertificateEntries)
	}
	if listed < n {
		t.Errorf("%d on the lists", listed)
	}
	// New cards come from the other authority, whose certificates are good.
	fresh, err := p.authority.Issue(ctx, catest.Request(t, 700_007))
	check(t, err)
	check(t, fresh.CheckSignatureFrom(due.Issuing))
	p.rootSays(t, r, first)
}

// rootSays brings in the root's list on which the authority stands.
func (p *Platform) rootSays(t *testing.T, r *region, gone *x509.Certificate) {
	t.Helper()
	vault, done, err := r.config.openVault()
	check(t, err)
	defer func() { check(t, done()) }()
	key, err := ca.LoadRootKey(r.config.caDir(), vault)
	check(t, err)
	now := r.clock.Now().Truncate(time.Second)
	l := status.List{Issuer: p.material.Root, Signer: key, Number: now.Unix() + 1, ThisUpdate: now, NextUpdate: now.AddDate(0, 6, 0), Authorities: true}
	der, err := l.Bytes(rand.Reader, func(yield func(status.Entry) error) error {
		return yield(status.Entry{Serial: profile.SerialText(gone.SerialNumber), Since: now, Reason: ca.CACompromise})
	})
	check(t, err)
	list, standing, err := p.importRootList(t.Context(), der)
	check(t, err)
	if len(list.RevokedCertificateEntries) != 1 || len(standing) != 0 {
		t.Errorf("%d revoked, still standing here: %v", len(list.RevokedCertificateEntries), standing)
	}
	if !bytes.Equal(p.get(t, "/crl/root.crl"), list.Raw) {
		t.Error("the site gives another list")
	}
	_, _, err = p.importRootList(t.Context(), p.material.Root.Raw)
	refusedWith(t, "a certificate as a list", err, "CSE-930")
}

// Operations see which authority issues, when the next is needed, and that the clock
// has stopped the signatures; /readyz says it too.
func TestOperationsSeeAuthoritiesAndClock(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.further(t, "due")
	p := r.open(t, Options{}, "web")
	ctx := t.Context()
	check(t, p.authority.Rotate(ctx, "test", "due"))
	keys := func() map[string]operations.Key {
		t.Helper()
		check(t, p.followAuthorities(ctx))
		list, err := machine{p}.Keys(ctx)
		check(t, err)
		out := map[string]operations.Key{}
		for _, k := range list {
			out[k.Name+fmt.Sprint(k.Args...)] = k
		}
		return out
	}
	now := keys()
	if k := now["issuingdue"]; k.Needed.IsZero() || k.Needed.Before(r.clock.Now()) || !k.Here {
		t.Errorf("the one that issues: %+v", k)
	}
	if k, ok := now["issuing.beforeissuing"]; !ok || !k.Needed.IsZero() || k.Revoked {
		t.Errorf("the one before: %+v", k)
	}
	if soon := p.soon(); len(soon) != 0 {
		t.Errorf("warned of %v in the first year", soon)
	}
	check(t, p.authority.Compromise(ctx, "test", profile.FirstLabel, "", ca.KeyCompromise))
	if !keys()["issuing.beforeissuing"].Revoked || p.clockReady(ctx) != "" {
		t.Error("a revoked authority is not shown as one, or the clock is at fault")
	}
	r.clock.Advance(time.Hour)
	_, err := p.authority.Issue(ctx, catest.Request(t, 700_001))
	check(t, err)
	r.clock.Advance(-time.Minute)
	if k := keys()["clock"]; k.Fault == nil || k.Fault.Code != "CSE-927" || !strings.Contains(p.clockReady(ctx), "CSE-927") {
		t.Errorf("a minute back: %+v, %q", k, p.clockReady(ctx))
	}
	_, err = p.authority.Issue(ctx, catest.Request(t, 700_002))
	refusedWith(t, "a minute back", err, "CSE-927")
	r.clock.Set(p.branches.labelled("due").Issuing.NotAfter.AddDate(-6, 0, -ca.MarginDays+1))
	var warned []string
	for _, w := range p.soon() {
		warned = append(warned, w.key)
	}
	if got := strings.Join(warned, " "); got != "csed.ca.soon.authority csed.ca.soon.root" {
		t.Errorf("half a year before the window closes: %q", got)
	}
	if k := keys()["issuingdue"]; !r.clock.Now().After(k.Needed) {
		t.Errorf("the next is needed from %s, and it is %s", k.Needed, r.clock.Now())
	}
}

// A certificate that bears another authority's name and the number of one of its
// good certificates opens nothing.
func TestTheDoorHoldsNumberAndAuthorityTogether(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	due := r.further(t, "due")
	p := r.open(t, Options{}, "web")
	ctx := t.Context()
	leaf := p.leaf(t, r.active)
	if code, err := p.shows(ctx, leaf); code != "" || err != nil {
		t.Fatal(code, err)
	}
	forged := *leaf
	forged.RawIssuer, forged.AuthorityKeyId = due.Issuing.RawSubject, due.Issuing.SubjectKeyId
	rec := must(p.authority.Get(ctx, card(t, p, r.active).CertSerial))
	d := door.Door{
		Trust: func(*x509.Certificate, []*x509.Certificate, time.Time) (door.Issuer, error) {
			return door.Issuer{Own: true, Bodies: []string{p.Config.Region.Name}}, nil
		}, Revocation: p.revocation, Cards: p.doorCard, Clock: p.Clock, ACR: p.Config.Login.ACR,
	}
	_, err := d.Admit(ctx, tls.ConnectionState{PeerCertificates: []*x509.Certificate{&forged}})
	refusedWith(t, "number "+rec.Serial+" under another authority", err, "CSE-316")
}
