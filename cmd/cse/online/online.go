// Package online is what a diagnosis asks over the network: the time elsewhere,
// what a certificate's issuer says of it, and the portal that keeps a report for
// the call centre.
//
// Standards: OCSP (RFC 6960) through pki/trust, RFC 9110 for Date, RFC 9457 for
// the portal's problems. The addresses of OCSP and of the issuer's certificate are
// those in the holder's own certificate; nothing but an OCSP request goes there.
// The portal is https and proves its name; only to read the time of a portal when
// this computer's clock is wrong its certificate's dates are left out of the proof.
//
// It guarantees that every question ends (15 seconds), that answers are bounded,
// and that what is sent is a diagnosis.Letter, which names nobody. It refuses an
// issuer's certificate that did not sign the card's.
package online

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"cse.example/cse/card/diagnosis"
	"cse.example/cse/card/doctor"
	"cse.example/cse/ground/localhost"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/trust"
)

const (
	patience  = 15 * time.Second
	maxAnswer = 64 << 10
	maxHops   = 3
	// sinceIssue is how soon after its first day a certificate on hold was on hold
	// from the beginning: its card was never activated. OCSP has no other word for it.
	sinceIssue = 10 * time.Minute
)

// Asker asks. It is a doctor.Online; use one for one diagnosis.
type Asker struct {
	// Portal is the portal's origin, https://…; empty: only the issuer is asked.
	Portal string
	// Roots are the authorities of the portal's name; nil means the system's.
	Roots *x509.CertPool
	// Issuers are the authorities of cards that are believed. Without any the
	// issuer's certificate is fetched from where the card's certificate says.
	Issuers []*x509.Certificate
	// Name is sent as User-Agent.
	Name string

	kept map[string][]byte // OCSP answers by request, so that one question serves time and standing
	date time.Time         // of the last answer
	wait string            // its Retry-After
}

var _ doctor.Online = (*Asker)(nil)

// Time implements doctor.Online: the portal's clock, or that of the OCSP service.
func (a *Asker) Time(ctx context.Context, leaf *x509.Certificate) (time.Time, error) {
	if a.Portal != "" {
		r, err := a.request(ctx, http.MethodGet, a.Portal+"/api/v1/status", "", nil)
		if err != nil {
			return time.Time{}, err
		}
		_, _, err = a.do(a.client(true), r)
		return a.date, err
	}
	if leaf == nil {
		return time.Time{}, errors.New("nobody to ask for the time")
	}
	issuer, err := a.Issuer(ctx, leaf)
	if err != nil {
		return time.Time{}, err
	}
	a.date = time.Time{}
	source := trust.Responder{Ask: a.ask, Now: func() time.Time { return a.date }}
	if _, err := source.Revocation(ctx, leaf, issuer); err != nil && a.date.IsZero() {
		return time.Time{}, err
	}
	if a.date.IsZero() {
		return time.Time{}, errors.New("the OCSP service tells no time")
	}
	return a.date, nil
}

// Standing implements doctor.Online.
func (a *Asker) Standing(ctx context.Context, leaf *x509.Certificate, now time.Time) (doctor.Standing, error) {
	issuer, err := a.Issuer(ctx, leaf)
	if err != nil {
		return doctor.Standing{}, err
	}
	s, err := trust.Responder{Ask: a.ask, Now: func() time.Time { return now }}.Revocation(ctx, leaf, issuer)
	if err != nil {
		return doctor.Standing{}, err
	}
	out := doctor.Standing{Since: s.Since}
	switch s.Standing {
	case trust.StandingGood:
		out.State = doctor.Good
	case trust.StandingPending:
		out.State = doctor.NotActivated
	case trust.StandingHeld:
		out.State = doctor.Suspended
		if s.Since.Before(leaf.NotBefore.Add(sinceIssue)) {
			out.State = doctor.NotActivated
		}
	case trust.StandingRevoked:
		out.State = doctor.Revoked
	}
	return out, nil
}

// Issuer finds the certificate that signed leaf.
func (a *Asker) Issuer(ctx context.Context, leaf *x509.Certificate) (*x509.Certificate, error) {
	for _, c := range a.Issuers {
		if leaf.CheckSignatureFrom(c) == nil {
			return c, nil
		}
	}
	if len(a.Issuers) > 0 {
		return nil, words.Refuse("CSE-746").Because(errors.New("none of the given authorities signed the certificate"))
	}
	if len(leaf.IssuingCertificateURL) == 0 {
		return nil, errors.New("the certificate does not say where its issuer's is")
	}
	r, err := a.request(ctx, http.MethodGet, leaf.IssuingCertificateURL[0], "", nil)
	if err != nil {
		return nil, err
	}
	body, status, err := a.do(a.client(false), r)
	if err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("issuer's certificate: status %d: %w", status, err)
	}
	if p, _ := pem.Decode(body); p != nil {
		body = p.Bytes
	}
	c, err := x509.ParseCertificate(body)
	if err != nil {
		return nil, fmt.Errorf("issuer's certificate: %w", err)
	}
	if err := leaf.CheckSignatureFrom(c); err != nil {
		return nil, fmt.Errorf("issuer's certificate: %w", err)
	}
	a.Issuers = []*x509.Certificate{c}
	return c, nil
}

// ask posts an OCSP request, once.
func (a *Asker) ask(ctx context.Context, address string, question []byte) ([]byte, error) {
	if b, ok := a.kept[string(question)]; ok {
		return b, nil
	}
	r, err := a.request(ctx, http.MethodPost, address, "application/ocsp-request", question)
	if err != nil {
		return nil, err
	}
	b, status, err := a.do(a.client(false), r)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	if err != nil {
		return nil, err
	}
	if a.kept == nil {
		a.kept = map[string][]byte{}
	}
	a.kept[string(question)] = b
	return b, nil
}

// Send sends a report's letter to the portal and says where it is kept. The
// portal's refusals are faults with its code; CSE-253 when it does not answer.
func (a *Asker) Send(ctx context.Context, l diagnosis.Letter) (diagnosis.Sent, error) {
	var sent diagnosis.Sent
	b, err := json.Marshal(l)
	if err != nil {
		return sent, err
	}
	r, err := a.request(ctx, http.MethodPost, a.Portal+"/api/v1/diagnoses", "application/json", b)
	if err != nil {
		return sent, err
	}
	body, status, err := a.do(a.client(false), r)
	if err != nil {
		return sent, away(r.URL.Host, err)
	}
	if status != http.StatusCreated {
		return sent, refusal(status, body, a.wait)
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		return sent, words.Refuse("CSE-260", r.URL.Host).Because(err)
	}
	ref, err := diagnosis.ParseReference(sent.Reference)
	if err != nil {
		return sent, words.Refuse("CSE-260", r.URL.Host).Because(err)
	}
	sent.Spelled = ref.Spelled()
	return sent, nil
}

// away tells a portal that did not prove its name from one that does not answer.
func away(host string, err error) error {
	var proof *tls.CertificateVerificationError
	if errors.As(err, &proof) {
		return words.Refuse("CSE-254", host).Because(err)
	}
	return words.Refuse("CSE-253", host).Because(err)
}

// refusal is the portal's problem as a fault; its code only when it is one of ours
// whose sentence needs no particulars, or only the wait in seconds.
func refusal(status int, body []byte, wait string) error {
	var p struct {
		Code string `json:"code"`
	}
	err := json.Unmarshal(body, &p)
	if c, known := words.Explain(words.Italian, p.Code); err == nil && known && !strings.Contains(c.Sentence, "%") {
		return words.Refuse(p.Code)
	}
	if n, err := strconv.Atoi(wait); err == nil && n >= 0 && p.Code == "CSE-818" {
		return words.Refuse(p.Code, fmt.Sprintf("%d:%02d", n/60, n%60))
	}
	return words.Refuse("CSE-260", fmt.Sprintf("HTTP %d", status))
}

func (a *Asker) request(ctx context.Context, method, address, kind string, body []byte) (*http.Request, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("address %q", address)
	}
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	r.Header.Set("User-Agent", a.Name)
	return r, nil
}

// do sends and reads a bounded answer, and notes its Date.
func (a *Asker) do(c *http.Client, r *http.Request) (body []byte, status int, err error) {
	w, err := c.Do(r)
	if err != nil {
		return nil, 0, err
	}
	defer w.Body.Close()
	if t, err := http.ParseTime(w.Header.Get("Date")); err == nil {
		a.date = t
	}
	a.wait = w.Header.Get("Retry-After")
	body, err = io.ReadAll(io.LimitReader(w.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = fmt.Errorf("an answer of more than %d octets", maxAnswer)
	}
	return body, w.StatusCode, err
}

// client follows few redirects. With anytime a server's certificate is judged as
// of its own first day: for the time only, when ours may be wrong.
func (a *Asker) client(anytime bool) *http.Client {
	t := &tls.Config{RootCAs: a.Roots, MinVersion: tls.VersionTLS12}
	if anytime {
		t.InsecureSkipVerify = true //nolint:gosec // VerifyConnection does it, at another instant
		t.VerifyConnection = a.proved
	}
	return &http.Client{
		Timeout:   patience,
		Transport: &http.Transport{TLSClientConfig: t, DialContext: localhost.DialContext, Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxHops || via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
				return errors.New("redirected too often, or to plain http")
			}
			return nil
		},
	}
}

// proved is the usual proof of a server's name, without its dates.
func (a *Asker) proved(s tls.ConnectionState) error {
	leaf := s.PeerCertificates[0]
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		DNSName: s.ServerName, Roots: a.Roots, Intermediates: between, CurrentTime: leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2),
	})
	return err
}
