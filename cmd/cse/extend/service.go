package extend

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cse.example/cse/cmd/cse/agent"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/localhost"
	"cse.example/cse/ground/words"
)

// The bodies of the service's interface (portal/api.ExtensionAsk and its answers).
type (
	ask struct {
		Token     string   `json:"token,omitempty"`
		Card      string   `json:"card,omitempty"`
		Room      int      `json:"room,omitempty"`
		Signature []byte   `json:"signature,omitempty"`
		Script    string   `json:"script,omitempty"`
		Challenge []byte   `json:"challenge,omitempty"`
		Answers   [][]byte `json:"answers,omitempty"`
	}
	session struct {
		Token  string `json:"token"`
		Nonce  []byte `json:"nonce"`
		State  string `json:"state"`
		Card   string `json:"card"`
		From   string `json:"from"`
		Until  string `json:"until"`
		Serial string `json:"serial"`
	}
	authorised struct {
		Cryptogram []byte   `json:"cryptogram"`
		Commands   [][]byte `json:"commands"`
	}
)

func day(iso string) civil.Date {
	d, err := civil.ParseISO(iso)
	if err != nil {
		return civil.Date{}
	}
	return d
}

func (s session) until() civil.Date { return day(s.Until) }

func (s session) terms() Terms { return Terms{Card: s.Card, From: day(s.From), Until: s.until()} }

// refusal is the service's own word, beside the fault that people read.
type refusal struct{ *words.Fault }

func (r *refusal) Unwrap() error { return r.Fault }

const (
	prefix  = "/v1/extension/"
	timeout = 60 * time.Second
	most    = 64 << 10 // of an answer, bytes
)

// service is the card's host. Two ways lead to it: one offers the certificate, the
// other does not.
type service struct {
	base *url.URL
	o    Options
	open *http.Client
}

func dial(o Options) (*service, error) {
	u, err := url.Parse(o.Service)
	if err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, words.Refuse("CSE-250", "service").Because(errors.Join(errors.New("https://HOST is wanted"), err))
	}
	if u.Scheme != "https" {
		return nil, words.Refuse("CSE-256", u.Redacted())
	}
	s := &service{base: u, o: o}
	s.open = s.client(nil)
	return s, nil
}

// client is for one way; the card host closes each connection after its answer.
func (s *service) client(offer func(*tls.CertificateRequestInfo) (*tls.Certificate, error)) *http.Client {
	t := &http.Transport{
		DialContext: localhost.DialContext, DisableKeepAlives: true, ResponseHeaderTimeout: timeout,
		TLSClientConfig: &tls.Config{
			RootCAs: s.o.Roots, MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true, NextProtos: []string{"http/1.1"}, GetClientCertificate: offer,
		},
		Proxy: func(r *http.Request) (*url.URL, error) {
			if localhost.Is(r.URL.Hostname()) {
				return nil, nil
			}
			return http.ProxyFromEnvironment(r)
		},
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// enter is "begin", with the card's certificate and signature in the handshake.
func (s *service) enter(ctx context.Context, leaf *x509.Certificate, signer crypto.Signer, body ask, answer any) error {
	var failed error
	c := s.client(func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, Leaf: leaf, PrivateKey: &remembering{signer, &failed}}, nil
	})
	err := s.send(ctx, c, "begin", body, answer)
	if failed != nil {
		return failed
	}
	return err
}

// remembering keeps the error of the signature: crypto/tls turns it to text.
type remembering struct {
	crypto.Signer
	err *error
}

// Sign implements crypto.Signer.
func (r *remembering) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	out, err := r.Signer.Sign(random, digest, opts)
	*r.err = err
	return out, err
}

func (s *service) post(ctx context.Context, name string, body ask, answer any) error {
	return s.send(ctx, s.open, name, body, answer)
}

func (s *service) send(ctx context.Context, c *http.Client, name string, body ask, answer any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base.JoinPath(prefix, name).String(), bytes.NewReader(b))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if s.o.Name != "" {
		r.Header.Set("User-Agent", s.o.Name)
	}
	w, err := c.Do(r)
	if err != nil {
		return agent.Explain(s.base.Hostname(), err)
	}
	defer w.Body.Close()
	got, err := io.ReadAll(io.LimitReader(w.Body, most))
	if err != nil {
		return agent.Explain(s.base.Hostname(), err)
	}
	if w.StatusCode != http.StatusOK {
		return refused(w)
	}
	return decode(got, answer)
}

// decode reads an answer: CSE-899 for what is none.
func decode(b []byte, answer any) error {
	if s, ok := answer.(*session); ok {
		*s = session{}
	}
	if err := json.Unmarshal(b, answer); err != nil {
		return words.Refuse("CSE-899").Because(err)
	}
	return nil
}

// refused is the fault of an answer that refuses: the code in its headers, with the
// particulars if they fit the sentence that we know; CSE-899 without one.
func refused(w *http.Response) error {
	code := strings.TrimSpace(w.Header.Get(agent.ErrorHeader))
	text, known := words.Explain(words.Italian, code)
	if !known {
		return words.Refuse("CSE-899").Because(fmt.Errorf("HTTP %d", w.StatusCode))
	}
	f := words.Refuse(code)
	v, err := url.ParseQuery(w.Header.Get(agent.ArgsHeader))
	if n := strings.Count(text.Sentence, "%"); n > 0 {
		if err != nil || len(v["a"]) != n || strings.Count(text.Sentence, "%s") != n {
			return words.Refuse("CSE-899").Because(fmt.Errorf("%s, without its particulars", code))
		}
		for _, a := range v["a"] {
			f.Args = append(f.Args, a)
		}
	}
	return &refusal{f}
}
