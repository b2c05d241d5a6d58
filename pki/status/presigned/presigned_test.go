package presigned_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
	"pgregory.net/rapid"

	"cse.example/cse/engine/audit"
	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/status"
	"cse.example/cse/pki/status/presigned"
)

// region is an authority with its records, its publisher and its folder.
type region struct {
	*catest.Authority
	db        *store.DB
	responder *status.Responder
	dir       string
	parts     presigned.Parts
}

func newRegion(t testing.TB) *region {
	t.Helper()
	db := storetest.SQLite(t)
	a := catest.New(t, db, db.PKI(), func(p *ca.Parts) {
		trail, err := audit.New(audit.Config{
			Conn: func(ctx context.Context) audit.DBTX { return db.Conn(ctx) }, Atomically: db.Atomically, Clock: p.Clock,
			Key: secret.FromString(strings.Repeat("k", 32)),
		})
		if err != nil {
			t.Fatal(err)
		}
		p.Record = trail.Record
	})
	r, err := status.NewResponder(status.ResponderParts{
		Issuer: a.Material.Issuing, Cert: a.Material.Responder, Signer: a.Material.ResponderKey, Store: db.PKI(), Clock: a.Hand, Rand: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	g := &region{Authority: a, db: db, responder: r, dir: t.TempDir()}
	g.parts = presigned.Parts{
		Dir: filepath.Join(g.dir, presigned.FolderAnswers), Label: profile.FirstLabel, Responder: r, Changes: db.PKI(), Clock: a.Hand,
	}
	return g
}

func (g *region) publisher(t testing.TB) *presigned.Publisher {
	t.Helper()
	p, err := presigned.NewPublisher(g.parts)
	if err != nil {
		t.Fatal(err)
	}
	p.Hurry()
	return p
}

func (g *region) tier(t testing.TB) *presigned.Tier {
	t.Helper()
	x, err := presigned.NewTier(presigned.TierParts{Dir: g.dir, Work: t.TempDir(), Clock: g.Hand, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// issue issues certificates, activated when good.
func (g *region) issue(t testing.TB, from, n int, good bool) []*x509.Certificate {
	t.Helper()
	qs := make([]ca.Request, n)
	for i := range qs {
		qs[i] = catest.Request(t, from+i)
	}
	var out []*x509.Certificate
	for _, r := range g.IssueBatch(t.Context(), qs) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		out = append(out, r.Certificate)
		if good {
			if err := g.Activate(t.Context(), ca.SerialOf(r.Certificate)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return out
}

func (g *region) revoke(t testing.TB, c *x509.Certificate) {
	t.Helper()
	if err := g.Revoke(t.Context(), ca.SerialOf(c), ca.KeyCompromise); err != nil {
		t.Fatal(err)
	}
}

// answer is what the tier says over HTTP: an ocsp.Status, or minus the status of
// an unsigned answer (RFC 6960, 4.2.1).
func (g *region) answer(t testing.TB, x *presigned.Tier, c *x509.Certificate, h crypto.Hash) int {
	t.Helper()
	q, err := ocsp.CreateRequest(c, g.Material.Issuing, &ocsp.RequestOptions{Hash: h})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/ocsp", bytes.NewReader(q))
	r.Header.Set("Content-Type", "application/ocsp-request")
	x.ServeHTTP(w, r)
	var failed ocsp.ResponseError
	got, err := ocsp.ParseResponseForCert(w.Body.Bytes(), c, g.Material.Issuing)
	switch {
	case errors.As(err, &failed):
		return -int(failed.Status)
	case err != nil:
		t.Fatal(err)
	case got.ThisUpdate.After(g.Hand.Now()) || !got.NextUpdate.After(g.Hand.Now()):
		t.Fatalf("an answer from %s to %s at %s", got.ThisUpdate, got.NextUpdate, g.Hand.Now())
	}
	return got.Status
}

const (
	tryLater     = -3
	unauthorized = -6
)

func get(x http.Handler, path string, header ...string) (int, string, http.Header) {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	x.ServeHTTP(w, r)
	return w.Code, w.Body.String(), w.Header()
}

func step(t testing.TB, p *presigned.Publisher) {
	t.Helper()
	if err := p.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// turn takes a step once a delta may be written again.
func (g *region) turn(t testing.TB, p *presigned.Publisher) {
	t.Helper()
	g.Hand.Advance(time.Second)
	step(t, p)
}

func (g *region) make(t testing.TB, p *presigned.Publisher, all bool) presigned.About {
	t.Helper()
	a, err := p.Make(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// What was published before everything else stopped goes on being answered: good,
// on hold, revoked, by both hashes; what is in no file is not ours to speak of; and
// from the nextUpdate on there is no answer.
func TestTheTierGoesOnWithoutTheAuthority(t *testing.T) {
	g := newRegion(t)
	p := g.publisher(t)
	cs := g.issue(t, 0, 3, true)
	held := g.issue(t, 10, 1, false)[0]
	g.make(t, p, false)
	x := g.tier(t)
	g.revoke(t, cs[1])
	late := g.issue(t, 20, 1, true)[0]
	g.turn(t, p)
	if err := x.Look(); err != nil {
		t.Fatal(err)
	}
	if err := g.db.Close(); err != nil { // from here on nothing but the tier is there
		t.Fatal(err)
	}
	never := &x509.Certificate{SerialNumber: big.NewInt(1).Lsh(big.NewInt(77), 100)}
	tests := []struct {
		name string
		c    *x509.Certificate
		want int
	}{
		{"good", cs[0], ocsp.Good},
		{"revoked before the stop, in the delta", cs[1], ocsp.Revoked},
		{"on hold: not activated", held, ocsp.Revoked},
		{"issued after the base", late, ocsp.Good},
		{"never issued", never, unauthorized},
	}
	check := func(when string, others int) {
		t.Helper()
		for _, tt := range tests {
			for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
				want := tt.want
				if others < 0 && want >= 0 {
					want = others
				}
				if got := g.answer(t, x, tt.c, h); got != want {
					t.Errorf("%s: %s, %v: %d, want %d", when, tt.name, h, got, want)
				}
			}
		}
	}
	check("at once", 0)
	if code, text, _ := get(x, "/readyz"); code != http.StatusOK || !strings.Contains(text, "base of") {
		t.Errorf("ready: %d %s", code, text)
	}
	g.Hand.Advance(23 * time.Hour)
	check("after 23 hours", 0)
	g.Hand.Advance(time.Hour)
	check("after a day", tryLater)
	if code, text, _ := get(x, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(text, "past their nextUpdate") {
		t.Errorf("not ready: %d %s", code, text)
	}
	g.Hand.Advance(-48 * time.Hour)
	check("before thisUpdate", tryLater)
}

// The tier's answer is the responder's, as every client knows it: over GET with its
// conditions, without the nonce, and not about several certificates at once.
func TestTheTiersManners(t *testing.T) {
	g := newRegion(t)
	c := g.issue(t, 0, 1, true)[0]
	g.make(t, g.publisher(t), false)
	x := g.tier(t)
	q, err := ocsp.CreateRequest(c, g.Material.Issuing, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := "/ocsp/" + base64.StdEncoding.EncodeToString(q)
	code, _, h := get(x, path)
	if code != http.StatusOK || h.Get("ETag") == "" || !strings.HasPrefix(h.Get("Cache-Control"), "max-age=60,") || h.Get("Last-Modified") == "" {
		t.Errorf("%d %v", code, h)
	}
	if code, _, _ := get(x, path, "If-None-Match", h.Get("ETag")); code != http.StatusNotModified {
		t.Errorf("asked again: %d", code)
	}
	several, err := status.ParseRequest(q)
	if err != nil {
		t.Fatal(err)
	}
	several.CertIDs = append(several.CertIDs, several.CertIDs[0])
	if r, err := x.Answer(t.Context(), several); err != nil || !bytes.Equal(r.DER, status.Unauthorized.DER) {
		t.Errorf("several certificates: % x (%v)", r.DER, err)
	}
	other := catest.Fresh(t, g.Hand)
	if q, err = ocsp.CreateRequest(c, other.Issuing, nil); err != nil {
		t.Fatal(err)
	}
	if code, body, _ := get(x, "/ocsp/"+base64.StdEncoding.EncodeToString(q)); code != http.StatusOK || body != string(status.Unauthorized.DER) {
		t.Errorf("another authority's: %d % x", code, body)
	}
	if code, _, _ := get(x, "/ocsp/xx"); code != http.StatusOK {
		t.Errorf("malformed: %d", code)
	}
	for path, want := range map[string]int{"/livez": 200, "/": 404, "/crl/none.crl": 404, "/ca/../x": 404} {
		if code, _, _ := get(x, path); code != want {
			t.Errorf("%s: %d, want %d", path, code, want)
		}
	}
}

// Whatever happens to the folder, the tier goes on with the last good files: cut,
// swapped, damaged, replaced by older ones, by another authority's, or gone.
func TestWhateverHappensToTheFolder(t *testing.T) {
	g := newRegion(t)
	p := g.publisher(t)
	cs := g.issue(t, 0, 40, true)
	g.make(t, p, false)
	delta := filepath.Join(g.parts.Dir, "issuing.delta")
	first, err := os.ReadFile(delta)
	if err != nil {
		t.Fatal(err)
	}
	base := only(t, g.parts.Dir)
	whole, err := os.ReadFile(base)
	if err != nil {
		t.Fatal(err)
	}
	x := g.tier(t)
	g.revoke(t, cs[0])
	g.turn(t, p)
	second, err := os.ReadFile(delta)
	if err != nil {
		t.Fatal(err)
	}
	other := newRegion(t)
	other.Authority = catestOther(t, other)
	if err := x.Look(); err != nil {
		t.Fatal(err)
	}
	write := func(path string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil { // in place: not as a publisher does it
			t.Fatal(err)
		}
	}
	flipped := bytes.Clone(second)
	flipped[len(flipped)/2] ^= 1
	tests := []struct {
		name string
		do   func()
		told string
	}{
		{"delta cut", func() { write(delta, second[:len(second)-7]) }, "CSE-952"},
		{"delta empty", func() { write(delta, nil) }, "CSE-952"},
		{"a bit of the delta is another", func() { write(delta, flipped) }, "CSE-952"},
		{"an older delta", func() { write(delta, first) }, "older"},
		{"no delta at all, and a base cut in place", func() {
			if err := os.Remove(delta); err != nil {
				t.Fatal(err)
			}
			write(base, whole[:100])
		}, ""},
		{"another authority's delta", func() { write(delta, other.foreignDelta(t)) }, "another authority"},
		{"the folder is gone", func() {
			if err := os.RemoveAll(g.dir); err != nil {
				t.Fatal(err)
			}
		}, ""},
	}
	for _, tt := range tests {
		tt.do()
		if err := x.Look(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got := g.answer(t, x, cs[0], crypto.SHA1); got != ocsp.Revoked {
			t.Errorf("%s: the revoked one is %d", tt.name, got)
		}
		for _, c := range cs[1:] {
			if got := g.answer(t, x, c, crypto.SHA256); got != ocsp.Good {
				t.Errorf("%s: a good one is %d", tt.name, got)
			}
		}
		if _, text, _ := get(x, "/readyz"); !strings.Contains(text, tt.told) {
			t.Errorf("%s: /readyz does not say %q: %s", tt.name, tt.told, text)
		}
	}
}

// foreignDelta is a whole, well signed delta of another authority under our label.
func (g *region) foreignDelta(t *testing.T) []byte {
	t.Helper()
	g.Hand.Advance(time.Hour) // so that it is the newer one
	g.make(t, g.publisher(t), false)
	b, err := os.ReadFile(filepath.Join(g.parts.Dir, "issuing.delta"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// catestOther gives a region another authority than the tests' usual one.
func catestOther(t *testing.T, g *region) *catest.Authority {
	t.Helper()
	m := catest.Fresh(t, g.Hand)
	r, err := status.NewResponder(status.ResponderParts{
		Issuer: m.Issuing, Cert: m.Responder, Signer: m.ResponderKey, Store: g.db.PKI(), Clock: g.Hand, Rand: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	g.parts.Responder = r
	return g.Authority
}

// only is the one base of a folder.
func only(t *testing.T, dir string) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*.base"))
	if err != nil || len(all) != 1 {
		t.Fatalf("bases: %v (%v)", all, err)
	}
	return all[0]
}

// A tier that starts on a folder without answers, or with damaged ones, says so.
func TestATierNeedsAnswers(t *testing.T) {
	g := newRegion(t)
	start := func() error {
		_, err := presigned.NewTier(presigned.TierParts{Dir: g.dir, Work: t.TempDir(), Clock: g.Hand, Log: slog.New(slog.DiscardHandler)})
		return err
	}
	if err := start(); !errors.Is(err, words.Refuse("CSE-953")) {
		t.Errorf("an empty folder: %v", err)
	}
	g.make(t, g.publisher(t), false)
	if err := start(); err != nil {
		t.Errorf("no certificate, and yet a base: %v", err)
	}
	if err := os.Truncate(only(t, g.parts.Dir), 50); err != nil {
		t.Fatal(err)
	}
	if err := start(); !errors.Is(err, words.Refuse("CSE-953")) || !errors.Is(err, words.Refuse("CSE-952")) {
		t.Errorf("a base cut: %v", err)
	}
}

// A publisher that starts again goes on from the folder; answers are signed again
// only when they changed or are old; a new base takes over from the delta, and the
// tier never loses a change on the way.
func TestBasesFollowEachOther(t *testing.T) {
	g := newRegion(t)
	p := g.publisher(t)
	cs := g.issue(t, 0, 30, true)
	one := g.make(t, p, false)
	x := g.tier(t)
	g.revoke(t, cs[3])
	g.turn(t, p)

	p = g.publisher(t) // a new process
	g.revoke(t, cs[4])
	g.turn(t, p)
	if err := x.Look(); err != nil {
		t.Fatal(err)
	}
	for i, want := range map[int]int{3: ocsp.Revoked, 4: ocsp.Revoked, 5: ocsp.Good} {
		if got := g.answer(t, x, cs[i], crypto.SHA1); got != want {
			t.Errorf("certificate %d: %d, want %d", i, got, want)
		}
	}
	if got := filepath.Base(only(t, g.parts.Dir)); got != "issuing-"+one.ID+".base" {
		t.Errorf("a new process made another base: %s", got)
	}
	signed := thisUpdates(t, only(t, g.parts.Dir))
	g.Hand.Advance(time.Minute)
	two := g.make(t, p, false)
	after := thisUpdates(t, filepath.Join(g.parts.Dir, "issuing-"+two.ID+".base"))
	again := 0
	for s, at := range after {
		if signed[s] != at {
			again++
		}
	}
	if len(after) != 30 || again != 2 {
		t.Errorf("%d of %d answers signed again, want 2 of 30: those that changed", again, len(after))
	}
	// Half the life is over: a base is made beside the turns, and takes over later.
	g.Hand.Advance(13 * time.Hour)
	g.turn(t, p)
	p.Finish()
	g.revoke(t, cs[6])
	g.turn(t, p) // in the delta of the old base
	if err := x.Look(); err != nil {
		t.Fatal(err)
	}
	if got := g.answer(t, x, cs[6], crypto.SHA1); got != ocsp.Revoked {
		t.Errorf("revoked while a base was being made: %d", got)
	}
	g.Hand.Advance(10 * time.Second)
	step(t, p)
	if err := x.Look(); err != nil {
		t.Fatal(err)
	}
	if _, text, _ := get(x, "/readyz"); strings.Contains(text, "not taken") {
		t.Error(text)
	}
	g.Hand.Advance(11*time.Hour + 30*time.Minute) // past the end of the second base
	for i, c := range cs {
		want := ocsp.Good
		if i == 3 || i == 4 || i == 6 {
			want = ocsp.Revoked
		}
		if got := g.answer(t, x, c, crypto.SHA256); got != want {
			t.Errorf("certificate %d by the third base: %d, want %d", i, got, want)
		}
	}
	if all, _ := filepath.Glob(filepath.Join(g.parts.Dir, "*.base")); len(all) != 2 {
		t.Errorf("bases left: %v, want the last two", all)
	}
}

func thisUpdates(t *testing.T, path string) map[[status.SerialSize]byte]uint32 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := presigned.Open(bytes.NewReader(b), int64(len(b)), path)
	if err != nil {
		t.Fatal(err)
	}
	out := map[[status.SerialSize]byte]uint32{}
	for in := f.Scan(); ; {
		more, err := in.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return out
		}
		out[in.Record.Serial] = in.Record.This
	}
}

// The clock goes back: nothing is published; what was stays.
func TestNothingIsPublishedBackwards(t *testing.T) {
	g := newRegion(t)
	p := g.publisher(t)
	c := g.issue(t, 0, 2, true)
	g.Hand.Advance(time.Hour)
	g.make(t, p, false)
	before, err := os.ReadFile(filepath.Join(g.parts.Dir, "issuing.delta"))
	if err != nil {
		t.Fatal(err)
	}
	g.Hand.Advance(-time.Minute)
	g.revoke(t, c[0])
	if err := p.Step(t.Context()); !errors.Is(err, words.Refuse("CSE-950")) {
		t.Errorf("a step: %v", err)
	}
	if after, err := os.ReadFile(filepath.Join(g.parts.Dir, "issuing.delta")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a delta was written (%v)", err)
	}
	g.Hand.Advance(2 * time.Minute)
	step(t, p)
	if got := g.answer(t, g.tier(t), c[0], crypto.SHA1); got != ocsp.Revoked {
		t.Errorf("once the clock is right: %d", got)
	}
}

// Lists and certificates: whole, signed, in date; with their conditions.
func TestTheTierServesLists(t *testing.T) {
	g := newRegion(t)
	g.issue(t, 0, 3, false)
	g.make(t, g.publisher(t), false)
	lists, certs := filepath.Join(g.dir, presigned.FolderLists), filepath.Join(g.dir, presigned.FolderCertificates)
	publisher, err := status.NewPublisher(status.PublisherParts{
		Issuer: g.Material.Issuing, Signer: g.Material.IssuingKey, Store: g.db.PKI(), Atomically: g.db.Atomically, Clock: g.Hand, Rand: rand.Reader,
		Dir: lists, URLs: profile.URLsAt(catest.Base), Life: 6 * time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(certs, 0o755); err != nil {
		t.Fatal(err)
	}
	cer := func(name string, der []byte) {
		t.Helper()
		if err := presigned.Replace(filepath.Join(certs, name), func(w io.Writer) error { _, err := w.Write(der); return err }); err != nil {
			t.Fatal(err)
		}
	}
	cer("root.cer", g.Material.Root.Raw)
	cer("issuing.cer", g.Material.Issuing.Raw)
	publish := func() []byte {
		t.Helper()
		if _, err := publisher.Publish(t.Context()); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(lists, "issuing-0.crl"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	old := publish()
	x := g.tier(t)
	look := func() {
		t.Helper()
		if err := x.Look(); err != nil {
			t.Fatal(err)
		}
	}
	g.Hand.Advance(time.Hour)
	newer := publish()
	look()
	served := func(when string, want []byte) http.Header {
		t.Helper()
		code, body, h := get(x, "/crl/issuing-0.crl")
		if code != http.StatusOK || body != string(want) || h.Get("Content-Type") != "application/pkix-crl" {
			t.Errorf("%s: %d, %d octets, %v", when, code, len(body), h)
		}
		return h
	}
	h := served("the newer list", newer)
	if code, _, _ := get(x, "/crl/issuing-0.crl", "If-None-Match", h.Get("ETag")); code != http.StatusNotModified {
		t.Errorf("with its ETag: %d", code)
	}
	forged := bytes.Clone(newer)
	forged[len(forged)-3] ^= 1
	for name, b := range map[string][]byte{"cut": newer[:len(newer)-1], "forged": forged, "older": old, "empty": nil} {
		if err := os.WriteFile(filepath.Join(lists, "issuing-0.crl"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		look()
		served(name, newer)
		if _, text, _ := get(x, "/readyz"); !strings.Contains(text, "not taken issuing-0.crl") {
			t.Errorf("%s: %s", name, text)
		}
	}
	for name, c := range map[string]*x509.Certificate{"/ca/root.cer": g.Material.Root, "/ca/issuing.cer": g.Material.Issuing} {
		if code, body, h := get(x, name); code != http.StatusOK || body != string(c.Raw) || h.Get("ETag") == "" {
			t.Errorf("%s: %d %v", name, code, h)
		}
	}
	cer("issuing.cer", g.Material.Responder.Raw)
	look()
	if _, body, _ := get(x, "/ca/issuing.cer"); body != string(g.Material.Issuing.Raw) {
		t.Error("an authority's certificate was changed under its name")
	}
	g.Hand.Advance(6 * time.Hour)
	if code, text, h := get(x, "/crl/issuing-0.crl"); code != http.StatusServiceUnavailable || !strings.Contains(text, "no newer one") || h.Get("Cache-Control") != "no-store" {
		t.Errorf("past its nextUpdate: %d %s", code, text)
	}
	if code, text, _ := get(x, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(text, "list issuing-0.crl") {
		t.Errorf("ready: %d %s", code, text)
	}
}

// sample is a file of records that nobody signed.
func sample(t interface{ Fatal(...any) }, g *region, serials [][status.SerialSize]byte) []byte {
	l := g.responder.Letterhead()
	var b bytes.Buffer
	w := presigned.NewWriter(&b, presigned.About{
		ID: "0", Label: "issuing", Issuing: g.Material.Issuing.Raw, Responders: [][]byte{l.Cert.Raw}, Width: l.Width,
	})
	for i, s := range serials {
		r := status.NewRecord(s, status.Standing{Known: true, Version: int64(i)}, catest.Start, catest.Start.Add(time.Hour))
		r.Signatures = make([]byte, 2*l.Width)
		if err := w.Add(&r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Every number that was written is found, with its own record, and no other,
// however they are spread.
func TestFilesAreReadBack(t *testing.T) {
	g := newRegion(t)
	rapid.Check(t, func(rt *rapid.T) {
		set := map[[status.SerialSize]byte]bool{}
		near := rapid.Bool().Draw(rt, "near")
		for range rapid.IntRange(0, 300).Draw(rt, "n") {
			var s [status.SerialSize]byte
			from := 0
			if near {
				from = 14 // all in one run of the index
			}
			copy(s[from:], rapid.SliceOfN(rapid.Byte(), status.SerialSize-from, status.SerialSize-from).Draw(rt, "serial"))
			set[s] = true
		}
		serials := make([][status.SerialSize]byte, 0, len(set))
		for s := range set {
			serials = append(serials, s)
		}
		sortSerials(serials)
		b := sample(rt, g, serials)
		f, err := presigned.Open(bytes.NewReader(b), int64(len(b)), "sample")
		if err != nil {
			rt.Fatal(err)
		}
		for i, s := range serials {
			if r, ok, err := f.Find(s); err != nil || !ok || r.Serial != s || r.Version != int64(i) {
				rt.Fatalf("%x: %v %v %+v", s, ok, err, r)
			}
			s[rapid.IntRange(0, 15).Draw(rt, "at")] ^= 1
			if _, ok, err := f.Find(s); err != nil || ok != set[s] {
				rt.Fatalf("%x: %v %v, want %v", s, ok, err, set[s])
			}
		}
	})
}

func sortSerials(all [][status.SerialSize]byte) {
	slices.SortFunc(all, func(a, b [status.SerialSize]byte) int { return bytes.Compare(a[:], b[:]) })
}

// Whatever bit is another, and wherever it ends: refused.
func TestEveryDamageIsSeen(t *testing.T) {
	g := newRegion(t)
	b := sample(t, g, [][status.SerialSize]byte{{1}, {2}, {3, 1}, {3, 2}})
	open := func(b []byte) error {
		_, err := presigned.Open(bytes.NewReader(b), int64(len(b)), "sample")
		return err
	}
	if err := open(b); err != nil {
		t.Fatal(err)
	}
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 1 << (i % 8)
		if err := open(c); !errors.Is(err, words.Refuse("CSE-952")) {
			t.Fatalf("bit %d of octet %d: %v", i%8, i, err)
		}
		if err := open(b[:i]); !errors.Is(err, words.Refuse("CSE-952")) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
}

// Whatever stands in a file under a right sum is read without a panic, and within
// bounds.
func FuzzOpen(f *testing.F) {
	g := newRegion(f)
	for _, serials := range [][][status.SerialSize]byte{nil, {{1}, {2}, {3, 1}, {3, 2}}} {
		b := sample(f, g, serials)
		f.Add(b[:len(b)-sha256.Size])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		sum := sha256.Sum256(b)
		b = append(b, sum[:]...)
		file, err := presigned.Open(bytes.NewReader(b), int64(len(b)), "fuzz")
		if err != nil {
			return
		}
		_ = file.Check()
		for _, s := range [][status.SerialSize]byte{{}, {3, 1}, {0xff, 0xff}} {
			if r, ok, err := file.Find(s); ok && err == nil {
				_, _ = file.Head(&r).AppendAnswer(nil, &r, crypto.SHA1)
			}
		}
		n := 0
		for in := file.Scan(); ; n++ {
			more, err := in.Next()
			if err != nil || !more {
				break
			}
		}
		if n > len(b) {
			t.Fatalf("%d records in %d octets", n, len(b))
		}
	})
}
