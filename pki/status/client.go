package status

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/ground/civil"
)

// Answer is what another authority's responder says of a certificate.
type Answer struct {
	Status Verdict
	// At and Reason (CRLReason) are of a revocation or a hold.
	At     time.Time
	Reason int
	// This and Next bound the answer; Signer is the delegated responder, nil when
	// the authority signed itself.
	This, Next time.Time
	Signer     *x509.Certificate
}

// Verdict is the state in an Answer.
type Verdict int

// The states.
const (
	AnswerGood Verdict = iota
	AnswerHeld
	AnswerRevoked
	AnswerUnknown // the responder never heard of it
)

// ErrAnswer is returned for whatever is no answer to be believed.
var ErrAnswer = errors.New("status: no OCSP answer to be believed")

// Bounds of asking another's responder.
const (
	maxAnswer   = 64 << 10
	askFor      = 5 * time.Second
	askAtOnce   = 8
	pauseAfter  = 30 * time.Second // after a failure nobody asks for so long
	skew        = 5 * time.Minute
	keepAnswers = 10_000
	// keepFor bounds how long an answer is used again, whatever it says itself.
	keepFor = 5 * time.Minute
	// longest is how old an answer without nextUpdate may be.
	longest = time.Hour
)

// Client asks one authority's OCSP responder (RFC 6960), at an address that the
// configuration gives: never one that a certificate brings along. Whoever calls
// it has verified the certificate's chain. An answer counts when the authority
// signed it, or a responder that the authority certified for that (id-kp-
// OCSPSigning) and that is valid now; when it is about the serial number asked;
// and when it is fresh. Answers are kept for keepFor at most, a responder that
// fails is left alone for pauseAfter, and only askAtOnce questions are open. Make
// one with NewClient; it is safe for concurrent use.
type Client struct {
	issuer *x509.Certificate
	url    string
	clock  civil.Clock
	post   Post
	open   chan struct{}

	mu    sync.Mutex
	kept  map[string]keptAnswer
	quiet time.Time // nobody asks before
	why   error
}

type keptAnswer struct {
	Answer
	until time.Time
}

// Post sends a question and answers the body, of maxAnswer octets at most.
type Post func(ctx context.Context, url string, body []byte) ([]byte, error)

// NewClient asks at url for certificates of issuer. post is nil for HTTP.
func NewClient(issuer *x509.Certificate, url string, clock civil.Clock, post Post) *Client {
	if post == nil {
		post = overHTTP
	}
	return &Client{issuer: issuer, url: url, clock: clock, post: post, open: make(chan struct{}, askAtOnce), kept: map[string]keptAnswer{}}
}

// plain follows no redirect: the configuration says whom to ask.
var plain = &http.Client{Timeout: askFor, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func overHTTP(ctx context.Context, url string, body []byte) (answer []byte, err error) {
	rq, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	rq.Header.Set("Content-Type", "application/ocsp-request")
	rq.Header.Set("Accept", "application/ocsp-response")
	res, err := plain.Do(rq)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP %d", res.StatusCode)
	}
	return io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
}

// Ask answers what the certificate with a serial number is worth now, or
// ErrAnswer.
func (c *Client) Ask(ctx context.Context, serial *big.Int) (Answer, error) {
	key, now := serial.Text(16), c.clock.Now()
	c.mu.Lock()
	k, there := c.kept[key]
	quiet, why := c.quiet, c.why
	c.mu.Unlock()
	if there && now.Before(k.until) {
		return k.Answer, nil
	}
	if now.Before(quiet) {
		return Answer{}, fmt.Errorf("%w: not asked again before %s: %w", ErrAnswer, quiet.UTC().Format(time.TimeOnly), why)
	}
	select {
	case c.open <- struct{}{}:
		defer func() { <-c.open }()
	case <-ctx.Done():
		return Answer{}, fmt.Errorf("%w: %w", ErrAnswer, ctx.Err())
	}
	a, err := c.ask(ctx, serial)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil { // else the asker went away, and the responder is not at fault
			c.quiet, c.why = now.Add(pauseAfter), err
		}
		return Answer{}, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	c.keep(key, a, now)
	return a, nil
}

// keep remembers an answer; one falls out when there are too many.
func (c *Client) keep(key string, a Answer, now time.Time) {
	until := now.Add(keepFor)
	if !a.Next.IsZero() && a.Next.Before(until) {
		until = a.Next
	}
	for k := range c.kept {
		if len(c.kept) < keepAnswers {
			break
		}
		delete(c.kept, k)
	}
	c.kept[key] = keptAnswer{a, until}
}

func (c *Client) ask(ctx context.Context, serial *big.Int) (Answer, error) {
	ctx, stop := context.WithTimeout(ctx, askFor)
	defer stop()
	// SHA-1 names the issuer here, and proves nothing: every responder knows it.
	body, err := ocsp.CreateRequest(&x509.Certificate{SerialNumber: serial}, c.issuer, &ocsp.RequestOptions{Hash: crypto.SHA1})
	if err != nil {
		return Answer{}, err
	}
	der, err := c.post(ctx, c.url, body)
	if err != nil {
		return Answer{}, err
	}
	if len(der) > maxAnswer {
		return Answer{}, errors.New("the answer is too long")
	}
	return ReadAnswer(der, c.issuer, serial, c.clock.Now())
}

var oidNoCheck = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}

// ReadAnswer reads and verifies a DER OCSPResponse about one certificate of issuer.
func ReadAnswer(der []byte, issuer *x509.Certificate, serial *big.Int, now time.Time) (Answer, error) {
	r, err := ocsp.ParseResponse(der, issuer) // signature, and the delegate's certificate by issuer
	if err != nil {
		return Answer{}, err
	}
	if r.SerialNumber == nil || r.SerialNumber.Cmp(serial) != 0 {
		return Answer{}, errors.New("the answer is about another certificate")
	}
	if x := r.Certificate; x != nil && !bytes.Equal(x.Raw, issuer.Raw) {
		switch {
		case !slices.Contains(x.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
			return Answer{}, errors.New("who signed may not answer for the authority")
		case now.Before(x.NotBefore) || now.After(x.NotAfter):
			return Answer{}, errors.New("the responder's certificate is not valid now")
		}
	} else {
		r.Certificate = nil
	}
	switch {
	case r.ThisUpdate.After(now.Add(skew)):
		return Answer{}, errors.New("the answer is of tomorrow")
	case !r.NextUpdate.IsZero() && now.After(r.NextUpdate), r.NextUpdate.IsZero() && now.Sub(r.ThisUpdate) > longest:
		return Answer{}, errors.New("the answer is too old")
	}
	a := Answer{This: r.ThisUpdate, Next: r.NextUpdate, Signer: r.Certificate}
	switch r.Status {
	case ocsp.Good:
	case ocsp.Revoked:
		a.Status, a.At, a.Reason = AnswerRevoked, r.RevokedAt, r.RevocationReason
		if r.RevocationReason == ocsp.CertificateHold {
			a.Status = AnswerHeld
		}
	default:
		a.Status = AnswerUnknown
	}
	return a, nil
}

// NoCheck tells that the authority lets the responder's certificate count without
// asking about it (RFC 6960, 4.2.2.2.1).
func (a Answer) NoCheck() bool {
	if a.Signer == nil {
		return true
	}
	for _, e := range a.Signer.Extensions {
		if e.Id.Equal(oidNoCheck) {
			return true
		}
	}
	return false
}
