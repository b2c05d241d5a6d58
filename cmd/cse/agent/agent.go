// Package agent is a small user agent that logs in to a site with a card, for
// "cse login" and for whoever plays the holder in a demonstration.
//
// It follows redirects (RFC 9110) with a cookie jar (RFC 6265 and the public
// suffix list), over https only. At a chooser page it follows the link
// rel="cns", once. It offers the card's certificate only to the host "cns." of
// the same site: the chooser's host with its first label replaced by "cns".
// There it speaks HTTP/1.1 on a connection of its own, without session tickets,
// so that each login is one signature by the card.
//
// It guarantees that the signer is used only after the server proved its own
// name, and only when that server asked for a certificate. It refuses pages
// that send it to plain http, and choosers that point to another site's card
// host.
//
// A refusal of the service is not an error here: it is a Page with the code of
// its header CSE-Error. Errors are words.Fault.
package agent

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"cse.example/cse/ground/localhost"
	"cse.example/cse/ground/words"
)

// The headers of a refusal: its CSE code, and the values that fill its sentence,
// form-encoded under "a" (as login/page writes them).
const (
	ErrorHeader = "CSE-Error"
	ArgsHeader  = "CSE-Error-Args"
)

const (
	maxBody      = 4 << 20
	maxRedirects = 20
)

// Agent logs in. One Agent is one browser window: its cookies last as long.
type Agent struct {
	// Roots are the authorities of the servers; nil means the system's.
	Roots *x509.CertPool
	// Card gives the certificate and the signer when host asks for them. It is
	// called at most once for each connection. Nil: no card.
	Card func(host string) (*x509.Certificate, crypto.Signer, error)
	// MaxTLS is the highest TLS version, zero for the newest.
	MaxTLS uint16
	// Name is sent as User-Agent.
	Name string
	// Timeout for each request without the time the holder takes to type the
	// PIN; zero means 30 seconds to the first byte of the answer.
	Timeout time.Duration

	client   *http.Client
	cardHost string
	used     bool
	cardErr  error
}

// Page is where the login ended.
type Page struct {
	// URL is the final address.
	URL string
	// Status is the HTTP status.
	Status int
	// Title is the page's title, spaces collapsed.
	Title string
	// Body is the page, at most 4 MiB.
	Body []byte
	// Code is the CSE code of a refusal, empty when there is none.
	Code string
	// Args fill the code's sentence, as far as the service gave them.
	Args []string
	// CardUsed is true when the certificate was offered to the card host.
	CardUsed bool
}

// Login goes to address and follows where it leads, through the chooser and the
// card's door.
func (a *Agent) Login(ctx context.Context, address string) (*Page, error) {
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	start, err := url.Parse(address)
	if err != nil || start.Host == "" {
		return nil, words.Refuse("CSE-250", address).Because(err)
	}
	page, doc, err := a.get(ctx, start)
	if err != nil || page.Code != "" || doc.cns == "" {
		return page, err
	}
	here, _ := url.Parse(page.URL)
	door, err := here.Parse(doc.cns)
	if err != nil {
		return nil, words.Refuse("CSE-257", doc.cns).Because(err)
	}
	want, ok := CardHost(here.Hostname())
	if !ok || !strings.EqualFold(door.Hostname(), want) {
		return nil, words.Refuse("CSE-257", door.Hostname())
	}
	a.cardHost = want
	page, _, err = a.get(ctx, door)
	return page, err
}

// CardHost is the only host that may ask for the card on behalf of a login page
// on host: the same name with the first label replaced by "cns". It is false
// when what remains is nobody's in particular (a public suffix).
func CardHost(host string) (string, bool) {
	_, parent, found := strings.Cut(strings.ToLower(strings.TrimSuffix(host, ".")), ".")
	if !found {
		return "", false
	}
	if _, err := publicsuffix.EffectiveTLDPlusOne(parent); err != nil {
		return "", false
	}
	return "cns." + parent, true
}

// get fetches one address and what it redirects to.
func (a *Agent) get(ctx context.Context, u *url.URL) (*Page, document, error) {
	if u.Scheme != "https" {
		return nil, document{}, words.Refuse("CSE-256", u.Redacted())
	}
	a.open()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, document{}, words.Refuse("CSE-250", u.Redacted()).Because(err)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, document{}, a.explain(u, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return nil, document{}, a.explain(resp.Request.URL, err)
	}
	doc := parse(body)
	return &Page{
		URL: resp.Request.URL.String(), Status: resp.StatusCode, Title: doc.title, Body: body,
		Code: refusal(resp.Header.Get(ErrorHeader)), Args: arguments(resp.Header.Get(ArgsHeader)), CardUsed: a.used,
	}, doc, nil
}

// refusal keeps a header value only when it looks like a code of ours.
func refusal(header string) string {
	code := strings.TrimSpace(header)
	if len(code) != len("CSE-000") || !strings.HasPrefix(code, "CSE-") || strings.Trim(code[4:], "0123456789") != "" {
		return ""
	}
	return code
}

// arguments reads the values of a refusal; a malformed header has none.
func arguments(header string) []string {
	v, err := url.ParseQuery(header)
	if err != nil {
		return nil
	}
	return v["a"]
}

// open makes the client at first use.
func (a *Agent) open() {
	if a.client != nil {
		return
	}
	jar, err := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
	if err != nil {
		panic(err) // cannot happen: New fails for no options
	}
	a.client = &http.Client{Jar: jar, Transport: &doors{agent: a, open: a.transport(false), card: a.transport(true)}, CheckRedirect: redirect}
}

// redirect allows https only, and not for ever.
func redirect(req *http.Request, via []*http.Request) error {
	switch {
	case req.URL.Scheme != "https":
		return words.Refuse("CSE-256", req.URL.Redacted())
	case len(via) >= maxRedirects:
		return words.Refuse("CSE-258")
	}
	return nil
}

// transport makes one of the two ways out: with the card or without.
func (a *Agent) transport(card bool) *http.Transport {
	timeout := a.Timeout
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	t := &http.Transport{
		DialContext:           localhost.DialContext,
		TLSClientConfig:       &tls.Config{RootCAs: a.Roots, MinVersion: tls.VersionTLS12, MaxVersion: a.MaxTLS},
		ResponseHeaderTimeout: timeout,
		Proxy:                 proxy,
	}
	if card {
		t.DisableKeepAlives = true
		t.TLSClientConfig.SessionTicketsDisabled = true
		t.TLSClientConfig.NextProtos = []string{"http/1.1"}
		t.TLSClientConfig.GetClientCertificate = a.offer
	} else {
		t.ForceAttemptHTTP2 = true
		t.TLSHandshakeTimeout = timeout
	}
	return t
}

// proxy is the environment's, save for this machine's own names.
func proxy(req *http.Request) (*url.URL, error) {
	if localhost.Is(req.URL.Hostname()) {
		return nil, nil
	}
	return http.ProxyFromEnvironment(req)
}

// doors sends requests for the card host through the card's transport.
type doors struct {
	agent      *Agent
	open, card http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (d *doors) RoundTrip(req *http.Request) (*http.Response, error) {
	if d.agent.Name != "" {
		req = req.Clone(req.Context())
		req.Header.Set("User-Agent", d.agent.Name)
	}
	if host := d.agent.cardHost; host != "" && strings.EqualFold(req.URL.Hostname(), host) {
		return d.card.RoundTrip(req)
	}
	return d.open.RoundTrip(req)
}

// offer answers the card host's request for a certificate.
func (a *Agent) offer(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	if a.Card == nil {
		return &tls.Certificate{}, nil
	}
	leaf, signer, err := a.Card(a.cardHost)
	if err != nil {
		a.cardErr = err
		return nil, err
	}
	a.used = true
	return &tls.Certificate{
		Certificate: [][]byte{leaf.Raw}, Leaf: leaf,
		PrivateKey: &remembering{Signer: signer, err: &a.cardErr},
	}, nil
}

// remembering keeps the error of the signature: crypto/tls turns it to text.
type remembering struct {
	crypto.Signer
	err *error
}

// Sign implements crypto.Signer.
func (r *remembering) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	sig, err := r.Signer.Sign(random, digest, opts)
	*r.err = err
	return sig, err
}

// explain turns a failed request into a fault: the card's own first.
func (a *Agent) explain(u *url.URL, err error) error {
	if a.cardErr != nil {
		return a.cardErr
	}
	if f := words.FaultOf(err); f != nil {
		return f
	}
	host := u.Hostname()
	var failed *url.Error
	if errors.As(err, &failed) {
		if at, perr := url.Parse(failed.URL); perr == nil && at.Host != "" {
			host = at.Hostname()
		}
	}
	return Explain(host, err)
}

// Explain is the fault of a request to host that failed without an answer.
func Explain(host string, err error) error {
	var verification *tls.CertificateVerificationError
	var alert tls.AlertError
	switch {
	case errors.Is(err, context.Canceled):
		return words.Refuse("CSE-252").Because(err)
	case errors.As(err, &verification):
		return words.Refuse("CSE-254", host).Because(err)
	case errors.As(err, &alert), strings.Contains(err.Error(), "remote error: tls"):
		return words.Refuse("CSE-255", host).Because(err)
	}
	return words.Refuse("CSE-253", host).Because(err)
}
