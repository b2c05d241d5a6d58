package status_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/status"
)

type place struct {
	*catest.Authority
	db        *store.DB
	publisher *status.Publisher
	url       string
}

// newPlace is an authority, its responder and its lists behind a real listener.
func newPlace(t testing.TB, db *store.DB) place {
	t.Helper()
	a := catest.New(t, db, db.PKI())
	r, err := status.NewResponder(status.ResponderParts{
		Issuer: a.Material.Issuing, Cert: a.Material.Responder, Signer: a.Material.ResponderKey, Store: db.PKI(), Clock: a.Hand, Rand: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p, err := status.NewPublisher(status.PublisherParts{
		Issuer: a.Material.Issuing, Signer: a.Material.IssuingKey, Store: db.PKI(), Atomically: db.Atomically, Clock: a.Hand, Rand: rand.Reader,
		Dir: dir, URLs: profile.URLsAt(catest.Base),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(&status.Site{Responder: r, CRLs: dir, Root: a.Material.Root, Issuing: a.Material.Issuing})
	t.Cleanup(s.Close)
	return place{a, db, p, s.URL}
}

func (p place) issue(t testing.TB, n int) *x509.Certificate {
	t.Helper()
	c, err := p.Issue(context.Background(), catest.Request(t, n))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func do(t *testing.T, req *http.Request) (*http.Response, []byte) {
	t.Helper()
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return resp, b
}

func request(t *testing.T, method, url string, body []byte) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/ocsp-request")
	}
	return r
}

func TestOCSPOverHTTP(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		p := newPlace(t, db)
		c := p.issue(t, 1)
		serial := ca.SerialOf(c)
		q, err := ocsp.CreateRequest(c, p.Material.Issuing, &ocsp.RequestOptions{Hash: crypto.SHA256})
		if err != nil {
			t.Fatal(err)
		}
		path := base64.StdEncoding.EncodeToString(q)
		ways := map[string]func() *http.Request{
			"POST":             func() *http.Request { return request(t, http.MethodPost, p.url+"/ocsp", q) },
			"GET":              func() *http.Request { return request(t, http.MethodGet, p.url+"/ocsp/"+path, nil) },
			"GET, all escaped": func() *http.Request { return request(t, http.MethodGet, p.url+"/ocsp/"+url.QueryEscape(path), nil) },
		}
		steps := []struct {
			name           string
			do             func() error
			status, reason int
		}{
			{"not activated", func() error { return nil }, ocsp.Revoked, ocsp.CertificateHold},
			{"activated", func() error { return p.Activate(t.Context(), serial) }, ocsp.Good, 0},
			{"suspended", func() error { return p.Hold(t.Context(), serial) }, ocsp.Revoked, ocsp.CertificateHold},
			{"released", func() error { return p.Release(t.Context(), serial) }, ocsp.Good, 0},
			{"revoked", func() error { return p.Revoke(t.Context(), serial, ca.KeyCompromise) }, ocsp.Revoked, ocsp.KeyCompromise},
		}
		for _, s := range steps {
			if err := s.do(); err != nil {
				t.Fatal(err)
			}
			for way, req := range ways {
				resp, body := do(t, req())
				if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/ocsp-response" {
					t.Fatalf("%s: %s: %s %s", s.name, way, resp.Status, resp.Header)
				}
				got, err := ocsp.ParseResponseForCert(body, c, p.Material.Issuing)
				if err != nil {
					t.Fatalf("%s: %s: %v", s.name, way, err)
				}
				if got.Status != s.status || got.RevocationReason != s.reason {
					t.Errorf("%s: %s: status %d reason %d, want %d %d", s.name, way, got.Status, got.RevocationReason, s.status, s.reason)
				}
			}
		}
	})
}

func TestHTTPManners(t *testing.T) {
	p := newPlace(t, storetest.SQLite(t))
	c := p.issue(t, 1)
	q, err := ocsp.CreateRequest(c, p.Material.Issuing, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.publisher.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	get := "/ocsp/" + url.PathEscape(base64.StdEncoding.EncodeToString(q))
	tests := []struct {
		method, path string
		body         []byte
		status       int
		kind         string
		cached       bool
	}{
		{"GET", get, nil, 200, "application/ocsp-response", true},
		{"HEAD", get, nil, 200, "application/ocsp-response", true},
		{"POST", "/ocsp", q, 200, "application/ocsp-response", false},
		{"GET", "/ocsp", nil, 200, "application/ocsp-response", false},             // malformed
		{"GET", "/ocsp/not-base64!", nil, 200, "application/ocsp-response", false}, // malformed
		{"POST", "/ocsp", make([]byte, status.MaxRequest+1), 200, "application/ocsp-response", false},
		{"PUT", "/ocsp", q, 405, "", false},
		{"GET", "/crl/issuing-0.crl", nil, 200, "application/pkix-crl", true},
		{"GET", "/crl/issuing-1.crl", nil, 404, "", false},
		{"GET", "/crl/../secret.crl", nil, 404, "", false},
		{"GET", "/crl/..%2fsecret.crl", nil, 404, "", false},
		{"GET", "/crl/.crl", nil, 404, "", false},
		{"POST", "/crl/issuing-0.crl", q, 405, "", false},
		{"GET", "/ca/issuing.cer", nil, 200, "application/pkix-cert", true},
		{"GET", "/ca/root.cer", nil, 200, "application/pkix-cert", true},
		{"GET", "/", nil, 404, "", false},
	}
	for _, tt := range tests {
		resp, _ := do(t, request(t, tt.method, p.url+tt.path, tt.body))
		if resp.StatusCode != tt.status || (tt.kind != "" && resp.Header.Get("Content-Type") != tt.kind) {
			t.Errorf("%s %s: %s %s", tt.method, tt.path, resp.Status, resp.Header.Get("Content-Type"))
		}
		if tag := resp.Header.Get("ETag"); (tag != "") != tt.cached {
			t.Errorf("%s %s: ETag %q", tt.method, tt.path, tag)
			continue
		}
		if !tt.cached {
			continue
		}
		if cc := resp.Header.Get("Cache-Control"); !strings.HasPrefix(cc, "max-age=") {
			t.Errorf("%s %s: Cache-Control %q", tt.method, tt.path, cc)
		}
		again := request(t, tt.method, p.url+tt.path, nil)
		again.Header.Set("If-None-Match", resp.Header.Get("ETag"))
		if resp, _ := do(t, again); resp.StatusCode != http.StatusNotModified {
			t.Errorf("%s %s: asked again with its ETag: %s", tt.method, tt.path, resp.Status)
		}
	}
}

func (p place) list(t *testing.T) *x509.RevocationList {
	t.Helper()
	if _, err := p.publisher.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, body := do(t, request(t, http.MethodGet, p.url+"/crl/issuing-0.crl", nil))
	l, err := x509.ParseRevocationList(body)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.CheckSignatureFrom(p.Material.Issuing); err != nil {
		t.Error(err)
	}
	return l
}

func TestTheListFollowsTheCertificates(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		p := newPlace(t, db)
		ctx := t.Context()
		serials := make([]string, 4)
		for i := range serials {
			serials[i] = ca.SerialOf(p.issue(t, i))
		}
		pending, good, held, revoked := serials[0], serials[1], serials[2], serials[3]
		for _, s := range []string{good, held, revoked} {
			if err := p.Activate(ctx, s); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Hold(ctx, held); err != nil {
			t.Fatal(err)
		}
		if err := p.Revoke(ctx, revoked, ca.Unspecified); err != nil {
			t.Fatal(err)
		}
		want := map[string]int{pending: status.Hold, held: status.Hold, revoked: 0}
		check := func(l *x509.RevocationList, number int64) {
			t.Helper()
			if l.Number.Int64() != number || len(l.RevokedCertificateEntries) != len(want) {
				t.Errorf("number %d with %d entries, want %d with %d", l.Number, len(l.RevokedCertificateEntries), number, len(want))
			}
			for _, e := range l.RevokedCertificateEntries {
				reason, ok := want[profile.SerialText(e.SerialNumber)]
				if !ok || reason != e.ReasonCode {
					t.Errorf("entry %x for %d", e.SerialNumber, e.ReasonCode)
				}
			}
		}
		check(p.list(t), 1)
		if err := p.Release(ctx, held); err != nil {
			t.Fatal(err)
		}
		delete(want, held)
		check(p.list(t), 2)
		// Once more after its end, then never again (RFC 5280, 3.3).
		p.Hand.Set(catest.Request(t, 0).Expires.End().Add(time.Hour))
		check(p.list(t), 3)
		clear(want)
		check(p.list(t), 4)
	})
}

func TestPublishLeavesNothingBehind(t *testing.T) {
	p := newPlace(t, storetest.SQLite(t))
	p.issue(t, 1)
	var dir string
	for range 3 {
		got, err := p.publisher.Publish(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		dir = strings.TrimSuffix(got[0].Path, "/issuing-0.crl")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "issuing-0.crl" {
		t.Errorf("left in the folder: %v (%v)", left, err)
	}
}

// BenchmarkOCSP is the figure of make bench: POSTs over kept connections,
// answered from the cache after the store was asked.
func BenchmarkOCSP(b *testing.B) {
	p := newPlace(b, storetest.SQLite(b))
	var qs [][]byte
	for i := range 200 {
		q, err := ocsp.CreateRequest(p.issue(b, i), p.Material.Issuing, nil)
		if err != nil {
			b.Fatal(err)
		}
		qs = append(qs, q)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			resp, err := client.Post(p.url+"/ocsp", "application/ocsp-request", bytes.NewReader(qs[i%len(qs)]))
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "answers/s")
}
