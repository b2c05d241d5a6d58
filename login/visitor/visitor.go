// Package visitor proves an identity on a visitor's behalf, over the gateway's
// own public doors: the card by mutual TLS, an operator by the ordinary form.
// Both answer the address (login.HOST/return?ticket=…) to which the visitor's
// browser must be sent; it opens only in the browser that began the flow, once,
// within 60 seconds (see login/handover). Nothing here knows a shortcut.
//
// The demo's entrances and end-to-end tests use it; so could a kiosk.
package visitor

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"cse.example/cse/ground/secret"
	"cse.example/cse/login/page"
)

const maxPage = 1 << 20 // bytes of a page read

// Card asks for the card link (cns.HOST/cns/auth?flow=NAME) with client, whose
// transport shows the card's certificate, and answers where the ticket leads. A
// refusal is a *words.Fault with the code that the page carried.
func Card(ctx context.Context, client *http.Client, link string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return "", fmt.Errorf("visitor: %w", err)
	}
	return ticket(client, req)
}

var (
	csrfTag   = regexp.MustCompile(`<input[^>]*\bname="csrf"[^>]*>`)
	csrfValue = regexp.MustCompile(`\bvalue="([^"]*)"`)
)

// Operator fills in the operators' form of a flow with client, which needs a
// cookie jar, and answers where the ticket leads.
func Operator(ctx context.Context, client *http.Client, loginURL, flow, account string, password, totp secret.Text) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, loginURL+"/operator?flow="+url.QueryEscape(flow), nil)
	if err != nil {
		return "", fmt.Errorf("visitor: %w", err)
	}
	form, err := fetch(client, req)
	if err != nil {
		return "", err
	}
	m := csrfValue.FindStringSubmatch(csrfTag.FindString(form))
	if m == nil {
		return "", errors.New("visitor: the operators' form has no csrf field")
	}
	v := url.Values{
		"flow": {flow}, "csrf": {html.UnescapeString(m[1])}, "account": {account},
		"password": {string(password.Reveal())}, "totp": {string(totp.Reveal())},
	}
	req, err = http.NewRequestWithContext(ctx, http.MethodPost, loginURL+"/operator", strings.NewReader(v.Encode()))
	if err != nil {
		return "", fmt.Errorf("visitor: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return ticket(client, req)
}

func fetch(client *http.Client, req *http.Request) (string, error) {
	r, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("visitor: %w", err)
	}
	defer r.Body.Close()
	if err := refusal(r); err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, maxPage))
	if err != nil {
		return "", fmt.Errorf("visitor: %w", err)
	}
	return string(b), nil
}

func ticket(client *http.Client, req *http.Request) (string, error) {
	once := *client
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r, err := once.Do(req)
	if err != nil {
		return "", fmt.Errorf("visitor: %w", err)
	}
	defer r.Body.Close()
	if err := refusal(r); err != nil {
		return "", err
	}
	to := r.Header.Get("Location")
	if r.StatusCode != http.StatusSeeOther || to == "" {
		return "", fmt.Errorf("visitor: status %d where a ticket was expected", r.StatusCode)
	}
	return to, nil
}

func refusal(r *http.Response) error {
	if f := page.Told(r.Header); f != nil {
		return f.Because(fmt.Errorf("status %d", r.StatusCode))
	}
	return nil
}
