package page

import (
	"fmt"
	"html"
	"net/http"

	"cse.example/cse/ground/words"
)

// Plain draws the pages with nothing but headings, links and forms: for tests,
// and for an installation whose portal is elsewhere.
type Plain struct{}

var _ Pages = Plain{}

func plain(w http.ResponseWriter, r *http.Request, status int, title, body string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<!DOCTYPE html>\n<html lang=%q><head><meta charset=\"utf-8\"><title>%s</title></head><body><main><h1>%s</h1>\n%s</main></body></html>\n",
		Lang(r), html.EscapeString(title), html.EscapeString(title), body) // the client went away: nothing to do
}

func link(url, rel, text string) string {
	if url == "" {
		return ""
	}
	if rel != "" {
		rel = fmt.Sprintf(" rel=%q", rel)
	}
	return fmt.Sprintf("<p><a%s href=\"%s\">%s</a></p>\n", rel, html.EscapeString(url), html.EscapeString(text))
}

// Chooser implements Pages.
func (Plain) Chooser(w http.ResponseWriter, r *http.Request, p Chooser) {
	l := Lang(r)
	body := link(p.CardURL, "cns", words.Say(l, "login.chooser.card"))
	for _, n := range p.NotConnected {
		body += "<p>" + html.EscapeString(words.Say(l, "login.chooser.notConnected", n)) + "</p>\n"
	}
	body += link(p.OperatorURL, "", words.Say(l, "login.chooser.operator"))
	for _, e := range p.Entrances {
		body += link(e.URL, "", e.Label)
	}
	body += link(p.CancelURL, "", words.Say(l, "login.chooser.cancel"))
	plain(w, r, http.StatusOK, words.Say(l, "login.chooser.title", p.Service), body)
}

// Operator implements Pages.
func (Plain) Operator(w http.ResponseWriter, r *http.Request, p Operator) {
	l := Lang(r)
	body := ""
	if p.Fault != nil {
		body = explain(l, p.Fault)
	}
	field := func(name, kind, value, auto string) string {
		return fmt.Sprintf("<p><label for=%q>%s</label> <input id=%q name=%q type=%q value=%q autocomplete=%q required></p>\n",
			name, html.EscapeString(words.Say(l, "login.operator."+name)), name, name, kind, html.EscapeString(value), auto)
	}
	body += fmt.Sprintf("<form method=\"post\" action=\"%s\"><input type=\"hidden\" name=\"flow\" value=\"%s\"><input type=\"hidden\" name=\"csrf\" value=\"%s\">\n",
		html.EscapeString(p.Action), html.EscapeString(p.Flow), html.EscapeString(p.CSRF)) +
		field("account", "text", p.Account, "username") + field("password", "password", "", "current-password") +
		field("totp", "text", "", "one-time-code") +
		"<button>" + html.EscapeString(words.Say(l, "login.operator.enter")) + "</button></form>\n" +
		link(p.BackURL, "", words.Say(l, "login.refusal.retry"))
	plain(w, r, p.Status, words.Say(l, "login.operator.title", p.Service), body)
}

func explain(l words.Lang, f *words.Fault) string {
	return "<p role=\"alert\"><strong>" + html.EscapeString(f.Sentence(l)) + "</strong> " + html.EscapeString(f.Cause(l)) + " " +
		html.EscapeString(f.Next(l)) + " (" + html.EscapeString(f.Code) + ")</p>\n"
}

// Refusal implements Pages.
func (Plain) Refusal(w http.ResponseWriter, r *http.Request, p Refusal) {
	l := Lang(r)
	body := explain(l, p.Fault)
	if p.ReasonKey != "" {
		body += "<p>" + html.EscapeString(words.Say(l, p.ReasonKey)) + "</p>\n"
	}
	plain(w, r, p.Status, words.Say(l, "login.refusal.title"), body+link(p.RetryURL, "", words.Say(l, "login.refusal.retry")))
}

// Message implements Pages.
func (Plain) Message(w http.ResponseWriter, r *http.Request, p Message) {
	l := Lang(r)
	plain(w, r, p.Status, words.Say(l, p.TitleKey), "<p>"+html.EscapeString(words.Say(l, p.TextKey))+"</p>\n")
}
