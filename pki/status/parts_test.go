package status_test

import (
	"crypto/rand"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/profile/lint"
	"cse.example/cse/pki/status"
)

// office is an authority whose lists are in parts, in a folder.
type office struct {
	*catest.Authority
	db  *store.DB
	dir string
}

func newOffice(t testing.TB, db *store.DB, shards int) office {
	t.Helper()
	a := catest.New(t, db, db.PKI(), func(p *ca.Parts) { p.Profile.Shards = shards })
	return office{a, db, t.TempDir()}
}

// publisher is one that begins now: after a restart, or with another configuration.
func (o office) publisher(t testing.TB, change ...func(*status.PublisherParts)) *status.Publisher {
	t.Helper()
	parts := status.PublisherParts{
		Issuer: o.Material.Issuing, Signer: o.Material.IssuingKey, Store: o.db.PKI(), Atomically: o.db.Atomically, Clock: o.Hand, Rand: rand.Reader,
		Dir: o.dir, URLs: profile.URLsAt(catest.Base), Shards: 4, Life: 6 * time.Hour, Every: 5 * time.Minute,
	}
	for _, f := range change {
		f(&parts)
	}
	p, err := status.NewPublisher(parts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (o office) issue(t testing.TB, n int) *x509.Certificate {
	t.Helper()
	c, err := o.Issue(t.Context(), catest.Request(t, n))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// refresh is a turn of the lister; it gives the parts that were published.
func refresh(t testing.TB, p *status.Publisher) []int {
	t.Helper()
	done, err := p.Refresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return shards(done)
}

func shards(done []status.Published) []int {
	var out []int
	for _, d := range done {
		out = append(out, d.Shard)
	}
	return out
}

// listOf reads the list that the certificate names, as its address serves it.
func listOf(t testing.TB, dir string, issuer, leaf *x509.Certificate) *x509.RevocationList {
	t.Helper()
	if len(leaf.CRLDistributionPoints) != 1 {
		t.Fatalf("distribution points %v", leaf.CRLDistributionPoints)
	}
	b, err := os.ReadFile(filepath.Join(dir, filepath.Base(leaf.CRLDistributionPoints[0])))
	if err != nil {
		t.Fatal(err)
	}
	l, err := x509.ParseRevocationList(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.CheckSignatureFrom(issuer); err != nil {
		t.Error(err)
	}
	if _, err := lint.RevocationList(b); err != nil {
		t.Error(err)
	}
	named := false
	for _, e := range l.Extensions {
		if e.Id.String() == "2.5.29.28" {
			named = e.Critical && strings.Contains(string(e.Value), leaf.CRLDistributionPoints[0]) && strings.HasSuffix(string(e.Value), "\x81\x01\xff")
		}
	}
	if !named {
		t.Errorf("the list does not name %s critically, for user certificates", leaf.CRLDistributionPoints[0])
	}
	return l
}

// reasonOn is the reason with which the certificate is on the list, -1 if it is not.
func reasonOn(l *x509.RevocationList, leaf *x509.Certificate) int {
	for _, e := range l.RevokedCertificateEntries {
		if e.SerialNumber.Cmp(leaf.SerialNumber) == 0 {
			return e.ReasonCode
		}
	}
	return -1
}

// An act reaches the list of the certificate's part, and no other's, within ten
// minutes, a hold or a revocation within two; a part that changes all the time is
// written once an interval. OCSP and list never say different things for longer.
func TestR35_AnActReachesItsListWithinMinutes(t *testing.T) {
	t.Parallel()
	o := newOffice(t, storetest.SQLite(t), 4)
	p := o.publisher(t)
	r, err := status.NewResponder(status.ResponderParts{
		Issuer: o.Material.Issuing, Cert: o.Material.Responder, Signer: o.Material.ResponderKey, Store: o.db.PKI(), Clock: o.Hand, Rand: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	leaf := o.issue(t, 1)
	serial, part := ca.SerialOf(leaf), -1
	if got, err := o.Get(t.Context(), serial); err == nil {
		part = got.Shard
	}
	if got := refresh(t, p); len(got) != 4 {
		t.Fatalf("at first %v", got)
	}
	const turn = 15 * time.Second
	first := o.Hand.Now()
	for i, s := range []struct {
		name   string
		do     func() error
		reason int
		within time.Duration
	}{
		{"nothing", func() error { return nil }, status.Hold, turn},
		{"activated", func() error { return o.Activate(t.Context(), serial) }, -1, 10 * time.Minute},
		{"suspended", func() error { return o.Hold(t.Context(), serial) }, status.Hold, 2 * time.Minute},
		{"released", func() error { return o.Release(t.Context(), serial) }, -1, 10 * time.Minute},
		{"revoked", func() error { return o.Revoke(t.Context(), serial, ca.KeyCompromise) }, ca.KeyCompromise, 2 * time.Minute},
	} {
		if err := s.do(); err != nil {
			t.Fatal(err)
		}
		at, written := o.Hand.Now(), 0
		for reasonOn(listOf(t, o.dir, o.Material.Issuing, leaf), leaf) != s.reason {
			if o.Hand.Now().Sub(at) > s.within {
				t.Fatalf("%s: not on the list after %s", s.name, s.within)
			}
			o.Hand.Advance(turn)
			got := refresh(t, p)
			if written += len(got); len(got) > 0 && !slices.Equal(got, []int{part}) {
				t.Errorf("%s: published %v, want %d", s.name, got, part)
			}
		}
		if i > 0 && written != 1 {
			t.Errorf("%s: %d lists", s.name, written)
		}
		if l := listOf(t, o.dir, o.Material.Issuing, leaf); l.Number.Int64() != int64(i)+1 || l.NextUpdate.Sub(l.ThisUpdate) != 6*time.Hour {
			t.Errorf("%s: number %s for %s", s.name, l.Number, l.NextUpdate.Sub(l.ThisUpdate))
		}
		q, err := ocsp.CreateRequest(leaf, o.Material.Issuing, nil)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := r.Answer(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		a, err := ocsp.ParseResponseForCert(reply.DER, leaf, o.Material.Issuing)
		if err != nil {
			t.Fatal(err)
		}
		if (a.Status == ocsp.Good) != (s.reason == -1) || a.Status == ocsp.Revoked && a.RevocationReason != s.reason {
			t.Errorf("%s: OCSP says %d, %d; the list %d", s.name, a.Status, a.RevocationReason, s.reason)
		}
	}
	if took := o.Hand.Now().Sub(first); took > 25*time.Minute {
		t.Errorf("all that took %s", took)
	}
	// Many changes are one list an interval, and an urgent one does not open the door to the others.
	o.Hand.Advance(10 * time.Minute)
	refresh(t, p)
	written := 0
	others := []*x509.Certificate{}
	for n := 2; len(others) < 5; n++ {
		c := o.issue(t, n)
		got, err := o.Get(t.Context(), ca.SerialOf(c))
		if err != nil {
			t.Fatal(err)
		}
		if got.Shard == part {
			others = append(others, c)
		}
	}
	for range 40 { // ten minutes
		for _, c := range others {
			if err := o.Activate(t.Context(), ca.SerialOf(c)); err == nil {
				break // one a turn
			}
		}
		o.Hand.Advance(turn)
		for _, s := range refresh(t, p) {
			if s == part {
				written++
			}
		}
	}
	if written > 2 {
		t.Errorf("a part was written %d times in ten minutes", written)
	}
}

// What is stored decides which parts there are, not the configuration; each part
// counts its own lists, and lists are renewed at half their life.
func TestPartsStayWhenTheConfigurationChanges(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newOffice(t, db, 7)
		var leaves []*x509.Certificate
		for n := range 25 {
			leaves = append(leaves, o.issue(t, n))
		}
		if got := refresh(t, o.publisher(t, func(p *status.PublisherParts) { p.Shards = 7 })); len(got) != 7 {
			t.Fatalf("at first %v", got)
		}
		fewer := func(p *status.PublisherParts) { p.Shards = 2 }
		p := o.publisher(t, fewer)
		for round := range 3 {
			if got := refresh(t, p); len(got) != 0 {
				t.Errorf("round %d: a restart published %v", round, got)
			}
			o.Hand.Advance(3*time.Hour - time.Second)
			if got := refresh(t, p); len(got) != 0 {
				t.Errorf("round %d: %v before half of the life", round, got)
			}
			o.Hand.Advance(time.Second)
			p = o.publisher(t, fewer)
			if got := refresh(t, p); len(got) != 7 {
				t.Errorf("round %d: %v at half of the life, want all seven", round, got)
			}
			on := 0
			for _, c := range leaves {
				l := listOf(t, o.dir, o.Material.Issuing, c)
				if l.Number.Int64() != int64(round)+2 || l.ThisUpdate.After(o.Hand.Now()) || !l.NextUpdate.Equal(l.ThisUpdate.Add(6*time.Hour)) {
					t.Errorf("round %d: number %s of %s", round, l.Number, l.ThisUpdate)
				}
				if reasonOn(l, c) == status.Hold {
					on++
				}
			}
			if on != len(leaves) {
				t.Errorf("round %d: %d of %d are on hold", round, on, len(leaves))
			}
		}
	})
}

// Two processes with a folder each do not drive each other on, and both have every
// change; numbers are never used twice.
func TestTwoPublishersOfOneIssuer(t *testing.T) {
	t.Parallel()
	o := newOffice(t, storetest.SQLite(t), 4)
	other := o
	other.dir = t.TempDir()
	one, two := o.publisher(t), other.publisher(t)
	leaf := o.issue(t, 1)
	refresh(t, one)
	refresh(t, two)
	for range 3 {
		o.Hand.Advance(6 * time.Minute)
		if a, b := refresh(t, one), refresh(t, two); len(a)+len(b) != 0 {
			t.Errorf("without a change: %v and %v", a, b)
		}
	}
	if err := o.Activate(t.Context(), ca.SerialOf(leaf)); err != nil {
		t.Fatal(err)
	}
	if a, b := refresh(t, one), refresh(t, two); len(a) != 1 || !slices.Equal(a, b) {
		t.Errorf("after a change: %v and %v", a, b)
	}
	a, b := listOf(t, o.dir, o.Material.Issuing, leaf), listOf(t, other.dir, o.Material.Issuing, leaf)
	if reasonOn(a, leaf) != -1 || reasonOn(b, leaf) != -1 || a.Number.Cmp(b.Number) == 0 {
		t.Errorf("numbers %s and %s", a.Number, b.Number)
	}
	o.Hand.Advance(10 * time.Minute)
	if a, b := refresh(t, one), refresh(t, two); len(a)+len(b) != 0 {
		t.Errorf("afterwards: %v and %v", a, b)
	}
	// In one folder the list of one is enough for the other.
	three := o.publisher(t)
	if err := o.Hold(t.Context(), ca.SerialOf(leaf)); err != nil {
		t.Fatal(err)
	}
	if a, b := refresh(t, one), refresh(t, three); len(a) != 1 || len(b) != 0 {
		t.Errorf("in one folder: %v and %v", a, b)
	}
}

// No list of an instant before the last one, ours or the root's; the number is not
// spent, and what is in place stays.
func TestTheClockGoesBackwards(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newOffice(t, db, 1)
		p := o.publisher(t, func(p *status.PublisherParts) { p.Shards = 1 })
		leaf := o.issue(t, 1)
		if _, err := p.Publish(t.Context()); err != nil {
			t.Fatal(err)
		}
		key, err := ca.LoadRootKey(o.Material.Dir, keys.Sealed(catest.Passphrase))
		if err != nil {
			t.Fatal(err)
		}
		root := func() error {
			_, err := status.PublishRoot(o.Material.Root, key, o.Hand, rand.Reader, o.dir, time.Hour)
			return err
		}
		if err := root(); err != nil {
			t.Fatal(err)
		}
		before := o.Hand.Now()
		o.Hand.Set(before.Add(-time.Second))
		if err := o.Activate(t.Context(), ca.SerialOf(leaf)); err != nil {
			t.Fatal(err)
		}
		for name, f := range map[string]func() error{
			"publish": func() error { _, err := p.Publish(t.Context()); return err },
			"root":    root,
		} {
			if err := f(); !errors.Is(err, words.Refuse("CSE-942")) {
				t.Errorf("%s, a second earlier: %v", name, err)
			}
		}
		if l := listOf(t, o.dir, o.Material.Issuing, leaf); l.Number.Int64() != 1 || !l.ThisUpdate.Equal(before) {
			t.Errorf("in place: number %s of %s", l.Number, l.ThisUpdate)
		}
		o.Hand.Set(before.Add(10 * time.Minute)) // it is right again
		if got := refresh(t, p); len(got) != 1 {
			t.Errorf("the clock is right again: %v", got)
		}
		if l := listOf(t, o.dir, o.Material.Issuing, leaf); l.Number.Int64() != 2 || reasonOn(l, leaf) != -1 {
			t.Errorf("then: number %s", l.Number)
		}
	})
}

// What is late is told: a list that is missing, broken, at its end, or behind.
func TestLateLists(t *testing.T) {
	t.Parallel()
	o := newOffice(t, storetest.SQLite(t), 2)
	p := o.publisher(t, func(p *status.PublisherParts) { p.Shards = 2 })
	late := func() (out []int) {
		t.Helper()
		states, err := p.States(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range states {
			if s.Late {
				out = append(out, s.Shard)
			}
		}
		return out
	}
	refresh(t, p)
	if got := late(); len(got) != 0 {
		t.Errorf("just published: %v late", got)
	}
	leaf := o.issue(t, 1)
	part, err := o.Get(t.Context(), ca.SerialOf(leaf))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []struct {
		after time.Duration
		want  []int
	}{{9 * time.Minute, nil}, {2 * time.Minute, []int{part.Shard}}, {5 * time.Hour, []int{0, 1}}} {
		if o.Hand.Advance(s.after); !slices.Equal(late(), s.want) {
			t.Errorf("%s later: %v late, want %v", s.after, late(), s.want)
		}
	}
	refresh(t, p)
	for name, f := range map[string]func(path string) error{
		"missing": os.Remove, "cut": func(path string) error { return os.Truncate(path, 100) },
	} {
		if err := f(filepath.Join(o.dir, "issuing-1.crl")); err != nil {
			t.Fatal(err)
		}
		if got := late(); !slices.Equal(got, []int{1}) {
			t.Errorf("%s: %v late", name, got)
		}
		if got := refresh(t, p); !slices.Equal(got, []int{1}) {
			t.Errorf("%s: published %v", name, got)
		}
	}
}

// ETag and Last-Modified are the content's: a copy with another date, on another
// machine, after a restart, has the same; another list has another.
func TestTheETagIsTheContents(t *testing.T) {
	t.Parallel()
	o := newOffice(t, storetest.SQLite(t), 1)
	p := o.publisher(t, func(p *status.PublisherParts) { p.Shards = 1 })
	o.issue(t, 1)
	refresh(t, p)
	get := func(dir string, header ...string) *http.Response {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/crl/issuing-0.crl", nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		(&status.Site{CRLs: dir}).ServeHTTP(w, r)
		return w.Result()
	}
	b, err := os.ReadFile(filepath.Join(o.dir, "issuing-0.crl"))
	if err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir()
	path := filepath.Join(copied, "issuing-0.crl")
	if err := errors.Join(os.WriteFile(path, b, 0o600), os.Chtimes(path, time.Unix(1e9, 0), time.Unix(1e9, 0))); err != nil {
		t.Fatal(err)
	}
	one, two := get(o.dir), get(copied)
	if one.Header.Get("ETag") != two.Header.Get("ETag") || len(one.Header.Get("ETag")) != 66 ||
		one.Header.Get("Last-Modified") != two.Header.Get("Last-Modified") || one.Header.Get("Last-Modified") != o.Hand.Now().UTC().Format(http.TimeFormat) {
		t.Errorf("%v\n%v", one.Header, two.Header)
	}
	tag := one.Header.Get("ETag")
	for name, x := range map[string]struct {
		header []string
		code   int
	}{
		"same tag":         {[]string{"If-None-Match", tag}, http.StatusNotModified},
		"since":            {[]string{"If-Modified-Since", one.Header.Get("Last-Modified")}, http.StatusNotModified},
		"another tag":      {[]string{"If-None-Match", `"x"`}, http.StatusOK},
		"range":            {[]string{"Range", "bytes=0-9", "If-Range", tag}, http.StatusPartialContent},
		"range of another": {[]string{"Range", "bytes=0-9", "If-Range", `"x"`}, http.StatusOK},
	} {
		if got := get(copied, x.header...); got.StatusCode != x.code {
			t.Errorf("%s: %d, want %d", name, got.StatusCode, x.code)
		}
	}
	site := &status.Site{CRLs: o.dir}
	ask := func() string {
		w := httptest.NewRecorder()
		site.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/crl/issuing-0.crl", nil))
		return w.Header().Get("ETag")
	}
	if ask() != tag {
		t.Error("another tag after a restart")
	}
	o.Hand.Advance(time.Minute)
	if _, err := p.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ask() == tag {
		t.Error("another list has the tag of the one before")
	}
}
