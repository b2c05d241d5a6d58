// Package browser is a small user agent for the demonstration and the journey
// tests: cookies, redirects, links and forms, no scripts. It dials *.localhost
// on loopback and trusts the roots it is given, nothing else.
//
// With a card (a tls.Certificate whose key is the chip's) it offers the
// certificate only to the host named: no other server may ask for it.
package browser

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"

	"cse.example/cse/ground/localhost"
)

// Browser is one person's browser. It is not safe for concurrent use.
type Browser struct {
	client *http.Client
	// Page is the page on show.
	Page Page
	// Hold shows redirects instead of following them.
	Hold bool
}

// Page is what a server answered last.
type Page struct {
	URL    *url.URL
	Status int
	Header http.Header
	Body   []byte
	doc    *html.Node
}

// Card is a certificate to be offered to one host.
type Card struct {
	Host        string
	Certificate tls.Certificate
}

// New makes a browser. card may be nil.
func New(roots *x509.CertPool, card *Card) (*Browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	b := &Browser{client: &http.Client{
		Jar: jar, Timeout: 30 * time.Second, Transport: &split{plain: transport(roots, nil), card: transport(roots, card), host: hostOf(card)},
	}}
	b.client.CheckRedirect = func(_ *http.Request, via []*http.Request) error {
		if b.Hold {
			return http.ErrUseLastResponse
		}
		if len(via) > 20 {
			return errors.New("too many redirects")
		}
		return nil
	}
	return b, nil
}

func hostOf(c *Card) string {
	if c == nil {
		return ""
	}
	return c.Host
}

func transport(roots *x509.CertPool, card *Card) *http.Transport {
	conf := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	if card != nil {
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &card.Certificate, nil }
	}
	return &http.Transport{DialContext: localhost.DialContext, TLSClientConfig: conf, TLSHandshakeTimeout: 15 * time.Second, MaxIdleConnsPerHost: 2}
}

// split sends the requests for the card's host, and only those, by the
// transport that has the card.
type split struct {
	plain, card *http.Transport
	host        string
}

func (s *split) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.host != "" && strings.EqualFold(r.URL.Hostname(), s.host) {
		return s.card.RoundTrip(r)
	}
	return s.plain.RoundTrip(r)
}

// Cookies are those that the browser would send to an address.
func (b *Browser) Cookies(address string) []*http.Cookie {
	u, err := b.resolve(address)
	if err != nil {
		return nil
	}
	return b.client.Jar.Cookies(u)
}

// Get goes to an address.
func (b *Browser) Get(ctx context.Context, address string) error {
	u, err := b.resolve(address)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	return b.do(req)
}

func (b *Browser) resolve(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if b.Page.URL != nil {
		u = b.Page.URL.ResolveReference(u)
	}
	return u, nil
}

func (b *Browser) do(req *http.Request) error {
	req.Header.Set("User-Agent", "cse-demo")
	req.Header.Set("Accept-Language", "it")
	if b.Page.URL != nil && req.Method == http.MethodPost {
		req.Header.Set("Origin", b.Page.URL.Scheme+"://"+b.Page.URL.Host)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 32<<20))
	if err != nil {
		return err
	}
	b.Page = Page{URL: resp.Request.URL, Status: resp.StatusCode, Header: resp.Header, Body: body}
	if t, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); t == "text/html" {
		if b.Page.doc, err = html.Parse(bytes.NewReader(body)); err != nil {
			return err
		}
	}
	return nil
}

// Follow goes where the first link goes whose rel, or whose visible text, is
// what.
func (b *Browser) Follow(ctx context.Context, what string) error {
	n := b.Page.find(func(n *html.Node) bool {
		return (n.Data == "a" || n.Data == "link") && attr(n, "href") != "" &&
			(contains(strings.Fields(attr(n, "rel")), what) || strings.TrimSpace(text(n)) == what)
	})
	if n == nil {
		return fmt.Errorf("%s: no link %q on the page", b.Page.Where(), what)
	}
	return b.Get(ctx, attr(n, "href"))
}

// Submit sends the form whose action ends with action (any form when empty),
// with the values it has on the page, changed by values. A key with the empty
// value is sent empty; a submit button named by key is pressed.
func (b *Browser) Submit(ctx context.Context, action string, values map[string]string) error {
	form := b.Page.find(func(n *html.Node) bool {
		return n.Data == "form" && (action == "" || strings.HasSuffix(strings.SplitN(attr(n, "action"), "?", 2)[0], action))
	})
	if form == nil {
		return fmt.Errorf("%s: no form %q on the page", b.Page.Where(), action)
	}
	data := fields(form)
	for k, v := range values {
		data.Set(k, v)
	}
	to, err := b.resolve(attr(form, "action"))
	if err != nil {
		return err
	}
	if strings.EqualFold(attr(form, "method"), "post") {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), strings.NewReader(data.Encode()))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return b.do(req)
	}
	to.RawQuery = data.Encode()
	return b.Get(ctx, to.String())
}

// fields are the values a form has before anybody touches it.
func fields(form *html.Node) url.Values {
	data := url.Values{}
	walk(form, func(n *html.Node) {
		name := attr(n, "name")
		if name == "" || has(n, "disabled") {
			return
		}
		switch n.Data {
		case "input":
			switch attr(n, "type") {
			case "submit", "button", "image", "file", "reset":
			case "checkbox", "radio":
				if has(n, "checked") {
					data.Set(name, attr(n, "value"))
				}
			default:
				data.Set(name, attr(n, "value"))
			}
		case "textarea":
			data.Set(name, text(n))
		case "select":
			data.Set(name, chosen(n))
		}
	})
	return data
}

func chosen(sel *html.Node) string {
	first, value, found := "", "", false
	n := 0
	walk(sel, func(o *html.Node) {
		if o.Data != "option" {
			return
		}
		if n == 0 {
			first = attr(o, "value")
		}
		n++
		if has(o, "selected") {
			value, found = attr(o, "value"), true
		}
	})
	if found {
		return value
	}
	return first
}

// Where says which page is on show, without its query.
func (p Page) Where() string {
	if p.URL == nil {
		return "(no page)"
	}
	return fmt.Sprintf("%s://%s%s (%d)", p.URL.Scheme, p.URL.Host, p.URL.Path, p.Status)
}

// Code is the CSE code of a refusal page, empty on any other.
func (p Page) Code() string { return p.Header.Get("CSE-Error") }

// Title is the page's title.
func (p Page) Title() string {
	if n := p.find(func(n *html.Node) bool { return n.Data == "title" }); n != nil {
		return strings.TrimSpace(text(n))
	}
	return ""
}

// Text is the visible text of the page's main part, spaces folded.
func (p Page) Text() string {
	n := p.find(func(n *html.Node) bool { return n.Data == "main" })
	if n == nil {
		n = p.find(func(n *html.Node) bool { return n.Data == "body" })
	}
	if n == nil {
		return string(p.Body)
	}
	return strings.Join(strings.Fields(text(n)), " ")
}

// Data returns the attribute of the first element that has it.
func (p Page) Data(name string) string {
	if n := p.find(func(n *html.Node) bool { return has(n, name) }); n != nil {
		return attr(n, name)
	}
	return ""
}

// Pairs collects, from every element that has attribute key, key -> value.
func (p Page) Pairs(key, value string) map[string]string {
	out := map[string]string{}
	if p.doc != nil {
		walk(p.doc, func(n *html.Node) {
			if k := attr(n, key); k != "" && out[k] == "" {
				out[k] = attr(n, value)
			}
		})
	}
	return out
}

// HasForm tells whether a form with that action's end is on the page.
func (p Page) HasForm(action string) bool {
	return p.find(func(n *html.Node) bool {
		return n.Data == "form" && strings.HasSuffix(strings.SplitN(attr(n, "action"), "?", 2)[0], action)
	}) != nil
}

// Href is the address of the first link for which ok answers true.
func (p Page) Href(ok func(href string) bool) string {
	if n := p.find(func(n *html.Node) bool { return n.Data == "a" && ok(attr(n, "href")) }); n != nil {
		return attr(n, "href")
	}
	return ""
}

func (p Page) find(ok func(*html.Node) bool) *html.Node {
	var hit *html.Node
	if p.doc != nil {
		walk(p.doc, func(n *html.Node) {
			if hit == nil && ok(n) {
				hit = n
			}
		})
	}
	return hit
}

func walk(n *html.Node, f func(*html.Node)) {
	for c := range n.Descendants() {
		if c.Type == html.ElementNode {
			f(c)
		}
	}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode && c.Parent.Data != "script" && c.Parent.Data != "style" {
			b.WriteString(c.Data)
			b.WriteByte(' ')
		}
	}
	return b.String()
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
