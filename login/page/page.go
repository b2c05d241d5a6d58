// Package page is what the login rooms ask to be shown, without a word of HTML:
// the portal draws it (docs/house.md: html/template is the portal's). Whoever
// implements Pages writes the status it is told, and may replace the
// Content-Security-Policy that stands in the header; everything else in the
// header stays as it is, above all CSE-Error, by which programs read a refusal.
//
// The link to the card's host must be drawn <a rel="cns" href="{{.CardURL}}">:
// the holder's tool follows it.
package page

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"cse.example/cse/ground/words"
)

// The headers by which programs read a refusal: its code, and the values that
// fill its sentence (dates and names of fields, never a person's), form-encoded
// under "a".
const (
	HeaderError = "CSE-Error"
	HeaderArgs  = "CSE-Error-Args"
)

// Tell writes a refusal into the headers.
func Tell(h http.Header, f *words.Fault) {
	h.Set(HeaderError, f.Code)
	h.Del(HeaderArgs)
	args := url.Values{}
	for _, a := range f.Args {
		args.Add("a", fmt.Sprint(a))
	}
	if len(args) > 0 {
		h.Set(HeaderArgs, args.Encode())
	}
}

// Told reads what Tell wrote, nil for none.
func Told(h http.Header) *words.Fault {
	code := h.Get(HeaderError)
	if code == "" {
		return nil
	}
	f := words.Refuse(code)
	if v, err := url.ParseQuery(h.Get(HeaderArgs)); err == nil {
		for _, a := range v["a"] {
			f.Args = append(f.Args, a)
		}
	}
	return f
}

// Pages draws the pages of login.
type Pages interface {
	Chooser(w http.ResponseWriter, r *http.Request, p Chooser)
	Operator(w http.ResponseWriter, r *http.Request, p Operator)
	Refusal(w http.ResponseWriter, r *http.Request, p Refusal)
	Message(w http.ResponseWriter, r *http.Request, p Message)
}

// Entrance is one more way in that the installation offers; the demo's
// one-click doors are. The flow's name is already in URL.
type Entrance struct{ Label, URL string }

// Chooser offers the ways in.
type Chooser struct {
	// Service is the name of the service that asks.
	Service string
	// CardURL is the card's host with the flow, empty when the service takes no cards.
	CardURL string
	// OperatorURL is the form for operators, empty when the service takes none.
	OperatorURL string
	// CancelURL gives up and goes back to the service.
	CancelURL string
	// SelfURL shows this page again (language switch, reload).
	SelfURL string
	// NotConnected are the ways that exist elsewhere but are not connected
	// here yet, by name: say so, and offer no link.
	NotConnected []string
	Entrances    []Entrance
}

// Operator is the form for operators: fields flow, csrf, account, password, totp,
// posted to Action.
type Operator struct {
	Service, Action, Flow, CSRF string
	// BackURL leads to the chooser.
	BackURL string
	// Account is what was typed before, kept over a refusal.
	Account string
	// Fault is why the last try failed, nil the first time.
	Fault  *words.Fault
	Status int
}

// Refusal says why not, and what to do next.
type Refusal struct {
	Fault  *words.Fault
	Status int
	// ReasonKey is a key of the catalogue that names the cause of a revocation,
	// empty for none.
	ReasonKey string
	// RetryURL leads back to the choice of ways, empty when there is no way back.
	RetryURL string
}

// Message says something that is no refusal.
type Message struct {
	// TitleKey and TextKey are keys of the catalogue.
	TitleKey, TextKey string
	Status            int
}

// Lang is the language that the request asks for: ?lang=, the OpenID parameter
// ui_locales, then Accept-Language; Italian when none is known.
func Lang(r *http.Request) words.Lang {
	q := r.URL.Query()
	for _, s := range []string{q.Get("lang"), q.Get("ui_locales"), r.Header.Get("Accept-Language")} {
		if s = strings.TrimSpace(s); s != "" {
			return words.ParseLang(s)
		}
	}
	return words.Italian
}

// Policy is the Content-Security-Policy of a page whose forms may end at the
// given origins (Chromium applies form-action to redirects too) and whose
// styles, fonts and pictures come from the page's host or from sources.
func Policy(sources, formTargets []string) string {
	from := strings.Join(append([]string{"'self'"}, sources...), " ")
	to := strings.Join(append([]string{"'self'"}, formTargets...), " ")
	return "default-src 'none'; style-src " + from + "; font-src " + from + "; img-src " + from + " data:; script-src " + from +
		"; form-action " + to + "; base-uri 'none'; frame-ancestors 'none'"
}

// Harden sets the headers that every answer of login carries.
func Harden(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Strict-Transport-Security", "max-age=31536000")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}

// Status is the HTTP status of a refusal.
func Status(code string) int {
	switch code {
	case "CSE-001":
		return http.StatusInternalServerError
	case "CSE-002":
		return http.StatusNotFound
	case "CSE-306":
		return http.StatusServiceUnavailable
	case "CSE-322", "CSE-323", "CSE-324", "CSE-325", "CSE-327":
		return http.StatusBadRequest
	}
	return http.StatusForbidden
}

// ReasonKey is the catalogue's key for a CRLReason (RFC 5280, 5.3.1), empty for
// the reasons that say nothing to people.
func ReasonKey(reason int) string {
	switch reason {
	case 1: // keyCompromise
		return "login.reason.keyCompromise"
	case 3: // affiliationChanged
		return "login.reason.affiliationChanged"
	case 4: // superseded
		return "login.reason.superseded"
	case 5: // cessationOfOperation
		return "login.reason.cessationOfOperation"
	case 9: // privilegeWithdrawn
		return "login.reason.privilegeWithdrawn"
	}
	return ""
}
