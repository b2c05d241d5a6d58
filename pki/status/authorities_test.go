package status_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/status"
)

// Two authorities behind one address: a question is answered by the responder of
// the authority that it names, each has its lists and its certificate.
func TestSiteOfSeveralAuthorities(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	p := catest.Several(t, db, db.PKI(), "due")
	dir := t.TempDir()
	var served []status.Served
	for _, m := range p.Materials {
		r, err := status.NewResponder(status.ResponderParts{
			Issuer: m.Issuing, Cert: m.Responder, Signer: m.ResponderKey, Store: db.PKI(), Clock: p.Hand, Rand: rand.Reader,
		})
		if err != nil {
			t.Fatal(err)
		}
		lists, err := status.NewPublisher(status.PublisherParts{
			Issuer: m.Issuing, Signer: m.IssuingKey, Store: db.PKI(), Atomically: db.Atomically, Clock: p.Hand, Rand: rand.Reader,
			Dir: dir, URLs: catest.URLs(m.Label),
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lists.Publish(t.Context()); err != nil {
			t.Fatal(err)
		}
		served = append(served, status.Served{Label: m.Label, Issuing: m.Issuing, Responder: r})
	}
	s := httptest.NewServer(&status.Site{
		Responder: served[0].Responder, CRLs: dir, Root: p.Materials[0].Root, Issuing: served[0].Issuing,
		Others: func() []status.Served { return served[1:] },
	})
	t.Cleanup(s.Close)
	get := func(path string) (*http.Response, []byte) {
		t.Helper()
		rq, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return do(t, rq)
	}
	for n, m := range p.Materials {
		if err := p.Rotate(t.Context(), "test", m.Label); err != nil {
			t.Fatal(err)
		}
		leaf, err := p.Issue(t.Context(), catest.Request(t, n))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Activate(t.Context(), ca.SerialOf(leaf)); err != nil {
			t.Fatal(err)
		}
		q, err := ocsp.CreateRequest(leaf, m.Issuing, nil)
		if err != nil {
			t.Fatal(err)
		}
		rq, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/ocsp", bytes.NewReader(q))
		if err != nil {
			t.Fatal(err)
		}
		rq.Header.Set("Content-Type", "application/ocsp-request")
		_, b := do(t, rq)
		a, err := ocsp.ParseResponseForCert(b, leaf, m.Issuing)
		if err != nil || a.Status != ocsp.Good {
			t.Fatalf("%s: %+v (%v)", m.Label, a, err)
		}
		if err := a.CheckSignatureFrom(m.Responder); err != nil {
			t.Errorf("%s: not its own responder's answer: %v", m.Label, err)
		}
		_, b = get("/ca/" + m.Label + ".cer")
		if !bytes.Equal(b, m.Issuing.Raw) {
			t.Errorf("/ca/%s.cer is not the certificate", m.Label)
		}
		_, b = get("/crl/" + m.Label + "-0.crl")
		l, err := x509.ParseRevocationList(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.CheckSignatureFrom(m.Issuing); err != nil {
			t.Errorf("list of %s: %v", m.Label, err)
		}
	}
	if r, _ := get("/ca/tre.cer"); r.StatusCode != http.StatusNotFound {
		t.Errorf("certificate of nobody: %d", r.StatusCode)
	}
}
