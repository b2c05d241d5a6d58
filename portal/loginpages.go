package portal

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"cse.example/cse/ground/words"
	"cse.example/cse/login/page"
	"cse.example/cse/portal/look"
)

// LoginPages draws login's pages in the portal's look. The login host must
// serve Assets under look.Prefix; the card's host serves none, since each
// connection there is a signature by the card: its pages take style and fonts
// from the login host, and show no icons.
type LoginPages struct {
	look          *look.Look
	portal, login string // origins
	log           *slog.Logger
}

var _ page.Pages = (*LoginPages)(nil)

// NewLoginPages makes the pages from a look made by NewLook; portalURL and
// loginURL are origins.
func NewLoginPages(l *look.Look, portalURL, loginURL string, log *slog.Logger) *LoginPages {
	return &LoginPages{look: l, portal: portalURL, login: loginURL, log: log}
}

// Assets serves the style sheet, fonts and icons; mount it on the login host
// under look.Prefix.
func (l *LoginPages) Assets() http.Handler { return l.look.Handler() }

func (l *LoginPages) show(w http.ResponseWriter, r *http.Request, status int, name string, p *look.Page) {
	if status == 0 {
		status = http.StatusOK
	}
	p.Home = l.portal
	p.FormAction = formAction(w.Header().Get("Content-Security-Policy"))
	if u, err := url.Parse(l.login); err == nil && r.Host != u.Host {
		p.AssetHost = l.login
	}
	if err := l.look.Render(w, status, name, p); err != nil {
		l.log.ErrorContext(r.Context(), "login page failed", "page", name, "err", err)
		http.Error(w, "CSE-001", http.StatusInternalServerError)
	}
}

// formAction keeps the origins that login's own policy allows forms to end at.
func formAction(policy string) []string {
	for directive := range strings.SplitSeq(policy, ";") {
		if words := strings.Fields(directive); len(words) > 1 && words[0] == "form-action" {
			var out []string
			for _, w := range words[1:] {
				if w != "'self'" {
					out = append(out, w)
				}
			}
			return out
		}
	}
	return nil
}

func begin(r *http.Request, key string, args ...any) *look.Page {
	lang := page.Lang(r)
	return &look.Page{Lang: lang, Title: words.Say(lang, key, args...)}
}

// Chooser implements page.Pages.
func (l *LoginPages) Chooser(w http.ResponseWriter, r *http.Request, c page.Chooser) {
	p := begin(r, "login.chooser.title", c.Service)
	if c.SelfURL != "" {
		p.Tongues = tongues(c.SelfURL, p.Lang)
	}
	p.Data = c
	l.show(w, r, http.StatusOK, "login-chooser", p)
}

// tongues are the addresses of a page of login in each language.
func tongues(self string, now words.Lang) []look.Tongue {
	u, err := url.Parse(self)
	if err != nil {
		return nil
	}
	at := func(lang words.Lang) string {
		v := *u
		q := v.Query()
		q.Set("lang", string(lang))
		v.RawQuery = q.Encode()
		return v.String()
	}
	return look.Tongues(at(words.Italian), at(words.English), now)
}

// Operator implements page.Pages.
func (l *LoginPages) Operator(w http.ResponseWriter, r *http.Request, o page.Operator) {
	p := begin(r, "login.operator.title", o.Service)
	p.Form = look.NewForm(p.Lang, url.Values{"account": {o.Account}})
	if o.Fault != nil {
		p.Fault, p.Form.Faults = o.Fault, []*words.Fault{o.Fault}
	}
	p.Data = o
	l.show(w, r, o.Status, "login-operator", p)
}

// Refusal implements page.Pages.
func (l *LoginPages) Refusal(w http.ResponseWriter, r *http.Request, x page.Refusal) {
	p := begin(r, "login.refusal.title")
	p.Fault = x.Fault
	n := look.NoticeOf(p.Lang, x.Fault)
	if x.ReasonKey != "" {
		n.Lines = append([]string{words.Say(p.Lang, x.ReasonKey)}, n.Lines...)
	}
	p.Data = struct {
		Notice   look.Notice
		RetryURL string
	}{n, x.RetryURL}
	l.show(w, r, x.Status, "login-refusal", p)
}

// Message implements page.Pages.
func (l *LoginPages) Message(w http.ResponseWriter, r *http.Request, m page.Message) {
	p := begin(r, m.TitleKey)
	p.Data = words.Say(p.Lang, m.TextKey)
	l.show(w, r, m.Status, "login-message", p)
}
