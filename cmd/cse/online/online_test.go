package online_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/card/diagnosis"
	"cse.example/cse/card/doctor"
	"cse.example/cse/cmd/cse/online"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

// office is an authority with its OCSP service and its certificate's address.
type office struct {
	cert  *x509.Certificate
	key   crypto.Signer
	site  *httptest.Server
	reply ocsp.Response
	ahead time.Duration // of the service's clock
	asked int
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{}
	o.cert, o.key = o.issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ca.cer", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(o.cert.Raw) })
	mux.HandleFunc("POST /ocsp", func(w http.ResponseWriter, r *http.Request) {
		o.asked++
		b, _ := io.ReadAll(r.Body)
		q, err := ocsp.ParseRequest(b)
		if err != nil {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		now := time.Now().Add(o.ahead)
		reply := o.reply
		reply.SerialNumber, reply.ThisUpdate, reply.NextUpdate = q.SerialNumber, now.Add(-time.Hour), now.Add(time.Hour)
		der, err := ocsp.CreateResponse(o.cert, o.cert, reply, o.key)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		_, _ = w.Write(der)
	})
	o.site = httptest.NewServer(mux)
	t.Cleanup(o.site.Close)
	return o
}

func (o *office) issue(t *testing.T, c *x509.Certificate) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if c.NotBefore.IsZero() {
		c.NotBefore, c.NotAfter = time.Now().AddDate(-1, 0, 0), time.Now().AddDate(1, 0, 0)
	}
	parent, signer := o.cert, o.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out, key
}

func (o *office) leaf(t *testing.T) *x509.Certificate {
	c, _ := o.issue(t, &x509.Certificate{SerialNumber: big.NewInt(77), OCSPServer: []string{o.site.URL + "/ocsp"}, IssuingCertificateURL: []string{o.site.URL + "/ca.cer"}})
	return c
}

// What an issuer says, and one question for time and standing.
func TestStanding(t *testing.T) {
	o := newOffice(t)
	leaf := o.leaf(t)
	for name, c := range map[string]struct {
		reply ocsp.Response
		want  doctor.StandingState
	}{
		"good":          {ocsp.Response{Status: ocsp.Good}, doctor.Good},
		"revoked":       {ocsp.Response{Status: ocsp.Revoked, RevokedAt: time.Now().AddDate(0, -1, 0), RevocationReason: ocsp.KeyCompromise}, doctor.Revoked},
		"suspended":     {ocsp.Response{Status: ocsp.Revoked, RevokedAt: time.Now().AddDate(0, -1, 0), RevocationReason: ocsp.CertificateHold}, doctor.Suspended},
		"not activated": {ocsp.Response{Status: ocsp.Revoked, RevokedAt: leaf.NotBefore, RevocationReason: ocsp.CertificateHold}, doctor.NotActivated},
		"never issued":  {ocsp.Response{Status: ocsp.Unknown}, doctor.NeverIssued},
	} {
		o.reply, o.asked = c.reply, 0
		a := &online.Asker{}
		now, err := a.Time(t.Context(), leaf)
		if err != nil || time.Since(now).Abs() > time.Minute {
			t.Fatalf("%s: time %s, %v", name, now, err)
		}
		s, err := a.Standing(t.Context(), leaf, now)
		if err != nil || s.State != c.want || o.asked != 1 {
			t.Errorf("%s: %+v, %v after %d questions; want %v", name, s, err, o.asked, c.want)
		}
	}
}

// A clock that is wrong by hours is found out by the OCSP service's, and what the
// service says is then judged by its time.
func TestTheClockIsCompared(t *testing.T) {
	o := newOffice(t)
	o.ahead, o.reply = 26*time.Hour, ocsp.Response{Status: ocsp.Good}
	leaf := o.leaf(t)
	r := doctor.Run(t.Context(), doctor.Deps{Clock: civil.System{}, Online: withLeaf{&online.Asker{}, leaf}})
	m, red := r.Main()
	if !red || m.Fault.Code != "CSE-305" || m.Fault.Args[0] != "1 d 2 h" {
		t.Errorf("%+v", r.Checks)
	}
	if s, err := (&online.Asker{}).Standing(t.Context(), leaf, time.Now().Add(o.ahead)); err != nil || s.State != doctor.Good {
		t.Errorf("%+v, %v", s, err)
	}
}

// withLeaf asks about a certificate without a card.
type withLeaf struct {
	*online.Asker
	leaf *x509.Certificate
}

func (w withLeaf) Time(ctx context.Context, _ *x509.Certificate) (time.Time, error) {
	return w.Asker.Time(ctx, w.leaf)
}

// An issuer's certificate that did not sign the card's is not believed; those
// given are the only ones then.
func TestIssuer(t *testing.T) {
	o, other := newOffice(t), newOffice(t)
	leaf := o.leaf(t)
	if c, err := (&online.Asker{}).Issuer(t.Context(), leaf); err != nil || !c.Equal(o.cert) {
		t.Errorf("%v", err)
	}
	if _, err := (&online.Asker{Issuers: []*x509.Certificate{other.cert}}).Issuer(t.Context(), leaf); !errors.Is(err, words.Refuse("CSE-746")) {
		t.Errorf("%v", err)
	}
	forged, _ := o.issue(t, &x509.Certificate{SerialNumber: big.NewInt(78), IssuingCertificateURL: []string{other.site.URL + "/ca.cer"}})
	if _, err := (&online.Asker{}).Issuer(t.Context(), forged); err == nil {
		t.Error("another authority's certificate is believed")
	}
	odd, _ := o.issue(t, &x509.Certificate{SerialNumber: big.NewInt(79), IssuingCertificateURL: []string{"file:///etc/passwd"}})
	if _, err := (&online.Asker{}).Issuer(t.Context(), odd); err == nil {
		t.Error("a file was read")
	}
}

func portal(t *testing.T, answer http.HandlerFunc) *online.Asker {
	t.Helper()
	s := httptest.NewUnstartedServer(answer)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	a := &online.Asker{Portal: s.URL, Roots: x509.NewCertPool()}
	a.Roots.AddCert(s.Certificate())
	return a
}

func letter() diagnosis.Letter {
	return diagnosis.Report{At: time.Now(), Checks: []diagnosis.Check{{Part: diagnosis.Service, State: diagnosis.OK}}}.Letter("cse test", "linux")
}

func TestSend(t *testing.T) {
	ref := string(diagnosis.ForKept(4711))
	got := ""
	a := portal(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if _, err := diagnosis.ParseLetter(b); err != nil || r.URL.Path != "/api/v1/diagnoses" || r.URL.RawQuery != "" || r.Header.Get("Content-Type") != "application/json" {
			got = fmt.Sprintf("%s %s: %v", r.URL, b, err)
		}
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(diagnosis.Sent{Reference: ref, KeptUntil: "2026-12-26"})
	})
	sent, err := a.Send(t.Context(), letter())
	if err != nil || sent.Reference != ref || sent.KeptUntil != "2026-12-26" || len(strings.Fields(sent.Spelled)) != 6 || got != "" {
		t.Errorf("%+v, %v: %s", sent, err, got)
	}
	for name, c := range map[string]struct {
		status     int
		body, code string
	}{
		"too many":               {http.StatusTooManyRequests, `{"code":"CSE-818"}`, "CSE-818"},
		"our problem":            {http.StatusServiceUnavailable, `{"code":"CSE-362"}`, "CSE-362"},
		"with particulars":       {http.StatusForbidden, `{"code":"CSE-301"}`, "CSE-260"},
		"somebody else's":        {http.StatusBadGateway, `<html>`, "CSE-260"},
		"a reference that is no": {http.StatusCreated, `{"reference":"ABCDEF","kept_until":"2026-12-26"}`, "CSE-260"},
	} {
		a := portal(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "90")
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		if _, err := a.Send(t.Context(), letter()); !errors.Is(err, words.Refuse(c.code)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a.Roots = x509.NewCertPool()
	if _, err := a.Send(t.Context(), letter()); !errors.Is(err, words.Refuse("CSE-254")) {
		t.Errorf("a portal that proves nothing: %v", err)
	}
}

// The portal tells the time even when by our clock its certificate has ended; a
// stranger's portal does not.
func TestThePortalsTime(t *testing.T) {
	a := portal(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Date", "Thu, 26 Nov 2026 09:00:00 GMT") })
	want := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	if got, err := a.Time(t.Context(), nil); err != nil || !got.Equal(want) {
		t.Errorf("%s, %v", got, err)
	}
	a.Roots = x509.NewCertPool()
	if got, err := a.Time(t.Context(), nil); err == nil {
		t.Errorf("a stranger told %s", got)
	}
}
