package status_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/status"
)

var noon = time.Date(2026, 10, 3, 11, 0, 0, 0, time.UTC)

// abroad is another authority with its responder.
type abroad struct {
	cert, responder *x509.Certificate
	key, answering  crypto.Signer
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t testing.TB, c, by *x509.Certificate, key crypto.PublicKey, with crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, by, key, with)
	if err != nil {
		t.Fatal(err)
	}
	x, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func newAbroad(t testing.TB, change func(*x509.Certificate)) abroad {
	t.Helper()
	a := abroad{key: newKey(t), answering: newKey(t)}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA vicina"}, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(9, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	a.cert = sign(t, c, c, a.key.Public(), a.key)
	d := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "OCSP vicina"}, NotBefore: noon.AddDate(0, -1, 0), NotAfter: noon.AddDate(0, 1, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: []byte{5, 0}}},
	}
	if change != nil {
		change(d)
	}
	a.responder = sign(t, d, a.cert, a.answering.Public(), a.key)
	return a
}

// says is the answer that the delegated responder signs.
func (a abroad) says(t testing.TB, r ocsp.Response) []byte {
	t.Helper()
	r.Certificate = a.responder
	der, err := ocsp.CreateResponse(a.cert, a.responder, r, a.answering)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// What another's responder says counts only when it is signed as it must be, about
// the certificate asked, and fresh.
func TestAnswersOfAnotherResponder(t *testing.T) {
	a, b := newAbroad(t, nil), newAbroad(t, nil)
	serial := big.NewInt(77)
	fresh := func(s int) ocsp.Response {
		return ocsp.Response{Status: s, SerialNumber: serial, ThisUpdate: noon.Add(-time.Minute), NextUpdate: noon.Add(time.Hour)}
	}
	revoked, held, old, tomorrow, other := fresh(ocsp.Revoked), fresh(ocsp.Revoked), fresh(ocsp.Good), fresh(ocsp.Good), fresh(ocsp.Good)
	revoked.RevokedAt, revoked.RevocationReason = noon.Add(-time.Hour), ocsp.KeyCompromise
	held.RevokedAt, held.RevocationReason = noon.Add(-time.Hour), ocsp.CertificateHold
	old.NextUpdate = noon.Add(-time.Second)
	tomorrow.ThisUpdate = noon.Add(time.Hour)
	other.SerialNumber = big.NewInt(78)
	ageless, stale := fresh(ocsp.Good), fresh(ocsp.Good)
	ageless.NextUpdate, stale.NextUpdate, stale.ThisUpdate = time.Time{}, time.Time{}, noon.Add(-2*time.Hour)
	itself, err := ocsp.CreateResponse(a.cert, a.cert, fresh(ocsp.Good), a.key)
	if err != nil {
		t.Fatal(err)
	}
	bent := bytes.Clone(a.says(t, fresh(ocsp.Good)))
	bent[len(bent)/2] ^= 1
	with := func(change func(*x509.Certificate)) []byte {
		x := newAbroad(t, nil)
		x.cert, x.key = a.cert, a.key
		d := *a.responder
		d.ExtraExtensions, d.SerialNumber = nil, big.NewInt(3)
		change(&d)
		x.responder = sign(t, &d, a.cert, x.answering.Public(), a.key)
		return x.says(t, fresh(ocsp.Good))
	}
	for name, x := range map[string]struct {
		der  []byte
		want status.Verdict
		ok   bool
	}{
		"good":                      {a.says(t, fresh(ocsp.Good)), status.AnswerGood, true},
		"revoked":                   {a.says(t, revoked), status.AnswerRevoked, true},
		"on hold":                   {a.says(t, held), status.AnswerHeld, true},
		"unknown":                   {a.says(t, fresh(ocsp.Unknown)), status.AnswerUnknown, true},
		"signed by the authority":   {itself, status.AnswerGood, true},
		"without nextUpdate":        {a.says(t, ageless), status.AnswerGood, true},
		"stale, without nextUpdate": {a.says(t, stale), 0, false},
		"too old":                   {a.says(t, old), 0, false},
		"of tomorrow":               {a.says(t, tomorrow), 0, false},
		"about another certificate": {a.says(t, other), 0, false},
		"another authority's":       {b.says(t, fresh(ocsp.Good)), 0, false},
		"a bit changed":             {bent, 0, false},
		"no responder's key usage":  {with(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), 0, false},
		"an expired responder":      {with(func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Minute) }), 0, false},
		"try later":                 {[]byte{0x30, 3, 0x0a, 1, 3}, 0, false},
		"noise":                     {[]byte("noise"), 0, false},
		"nothing":                   {nil, 0, false},
	} {
		got, err := status.ReadAnswer(x.der, a.cert, serial, noon)
		if (err == nil) != x.ok || x.ok && got.Status != x.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if got, err := status.ReadAnswer(a.says(t, revoked), a.cert, serial, noon); err != nil || got.Reason != 1 || !got.At.Equal(noon.Add(-time.Hour)) || !got.NoCheck() {
		t.Errorf("%+v, %v", got, err)
	}
}

// A client asks once for an answer that it may keep, leaves a failing responder
// alone for a while, and reads no more than it must.
func TestTheClientIsBounded(t *testing.T) {
	a, clock := newAbroad(t, nil), civil.NewHand(noon)
	var mu sync.Mutex
	asked, fail := 0, error(nil)
	c := status.NewClient(a.cert, "http://ocsp.example.it", clock, func(_ context.Context, _ string, body []byte) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		q, err := ocsp.ParseRequest(body)
		if err != nil || fail != nil {
			return nil, errors.Join(err, fail)
		}
		now := clock.Now()
		return a.says(t, ocsp.Response{Status: ocsp.Good, SerialNumber: q.SerialNumber, ThisUpdate: now, NextUpdate: now.Add(time.Hour)}), nil
	})
	ask := func(n int64, wantErr bool, wantAsked int) {
		t.Helper()
		if _, err := c.Ask(t.Context(), big.NewInt(n)); (err != nil) != wantErr || wantErr && !errors.Is(err, status.ErrAnswer) || asked != wantAsked {
			t.Errorf("certificate %d: %v, %d questions, want %d", n, err, asked, wantAsked)
		}
	}
	ask(1, false, 1)
	ask(1, false, 1)
	ask(2, false, 2)
	clock.Advance(5*time.Minute + time.Second)
	ask(1, false, 3) // nothing is kept longer, whatever it says
	fail = errors.New("down")
	ask(3, true, 4)
	ask(4, true, 4) // left alone
	ask(1, false, 4)
	clock.Advance(31 * time.Second)
	fail = nil
	ask(4, false, 5)
	gone, stop := context.WithCancel(t.Context())
	stop()
	fail = context.Canceled
	if _, err := c.Ask(gone, big.NewInt(9)); err == nil {
		t.Error("an asker who went away was answered")
	}
	fail = nil
	ask(10, false, asked+1) // it was not the responder's fault
}

// Over HTTP: no redirect is followed, and a long answer is none.
func TestTheClientOverHTTP(t *testing.T) {
	a := newAbroad(t, nil)
	elsewhere := 0
	mux := http.NewServeMux()
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/there", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/there", func(http.ResponseWriter, *http.Request) { elsewhere++ })
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) })
	mux.HandleFunc("/good", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/ocsp-request" {
			t.Errorf("%s %s", r.Method, r.Header)
		}
		_, _ = w.Write(a.says(t, ocsp.Response{Status: ocsp.Good, SerialNumber: big.NewInt(5), ThisUpdate: noon, NextUpdate: noon.Add(time.Hour)}))
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	for path, ok := range map[string]bool{"/moved": false, "/long": false, "/none": false, "/good": true} {
		_, err := status.NewClient(a.cert, server.URL+path, civil.NewHand(noon), nil).Ask(t.Context(), big.NewInt(5))
		if (err == nil) != ok {
			t.Errorf("%s: %v", path, err)
		}
	}
	if elsewhere > 0 {
		t.Error("a redirect was followed")
	}
}
