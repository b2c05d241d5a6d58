// Package look is the face of every page: layout, partials, built assets, and
// the headers that go with them.
//
// It follows the design system of the Italian public administration (Bootstrap
// Italia 2.18) rendered by html/template on the server. Guarantees: each page
// works without scripts; the Content-Security-Policy admits only our own files,
// no inline style or script and no data: address; no page asks anything of
// another site; every text comes from ground/words, so a page exists in Italian
// and in English; state is never told by colour alone (partial "badge").
// Contrast, labels and reflow are checked by test/pages.
//
// It refuses to exist without its assets: see Assets. Tests may pass nil
// assets, and then pages are rendered without style.
//
// Pages are files NAME.html that define "main"; they receive a *Page, and call
// the partials in templates/: campo, tendina, scelta, spunta, riepilogo, avviso,
// stepper, badge, numero, paginazione. Files _NAME.html hold partials that the
// pages beside them share; they may also define anew the parts of the layout that
// are the portal's own (parent, account, brand, foot).
package look

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

//go:embed templates/*.html
var templates embed.FS

// Theme is what a deploying body changes without a rebuild.
type Theme struct {
	// Body is the public body's name ("Regione Esempio"); Parent what it belongs to, may be empty.
	Body, Parent string
	// Phone is the call centre's number.
	Phone string
	// Hours are the call centre's, by language.
	Hours map[words.Lang]string
	// Ribbon is a word above every page ("DIMOSTRAZIONE"), empty for none.
	Ribbon string
	// AccessibilityURL is the declaration made through AgID's application; empty: our own page.
	AccessibilityURL string
	// CSS replaces nothing and is loaded last: brand colours as --cse-* variables. May be empty.
	CSS []byte
	// Logo is an SVG shown beside the name; empty: the neutral one.
	Logo []byte
}

// DefaultTheme is the neutral brand.
func DefaultTheme() Theme {
	return Theme{Body: "Regione Esempio", Parent: "Servizio sanitario regionale", Phone: "800.004477", Hours: map[words.Lang]string{
		words.Italian: "dal lunedì al venerdì, dalle 8 alle 18", words.English: "from Monday to Friday, 8 to 18",
	}}
}

// Prefix is where assets are served, on every host that shows pages.
const Prefix = "/look/"

// Look renders pages. Make one with New; it is safe for concurrent use.
type Look struct {
	theme  Theme
	assets *assets
	pages  map[words.Lang]map[string]*template.Template
}

// New reads the pages (*.html of each of pages) and checks that they parse.
// files are the built assets, as Assets returns them; nil only in tests.
func New(theme Theme, files fs.FS, pages ...fs.FS) (*Look, error) {
	if theme.Body == "" || theme.Phone == "" {
		return nil, errors.New("look: the theme needs a body's name and a telephone number")
	}
	a, err := openAssets(files, Prefix)
	if err != nil {
		return nil, err
	}
	l := &Look{theme: theme, assets: a, pages: map[words.Lang]map[string]*template.Template{}}
	for _, lang := range []words.Lang{words.Italian, words.English} {
		l.pages[lang] = map[string]*template.Template{}
		if err := l.parse(lang, pages); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *Look) parse(lang words.Lang, pages []fs.FS) error {
	base, err := template.New("base").Funcs(l.funcs(lang)).ParseFS(templates, "templates/*.html")
	if err != nil {
		return fmt.Errorf("look: %w", err)
	}
	for _, fsys := range pages {
		names, err := fs.Glob(fsys, "*.html")
		if err != nil {
			return fmt.Errorf("look: %w", err)
		}
		if shared, err := fs.Glob(fsys, "_*.html"); err == nil && len(shared) > 0 {
			if base, err = base.ParseFS(fsys, shared...); err != nil {
				return fmt.Errorf("look: shared partials: %w", err)
			}
		}
		for _, file := range names {
			if file[0] == '_' {
				continue
			}
			t, err := base.Clone()
			if err != nil {
				return fmt.Errorf("look: %w", err)
			}
			if t, err = t.ParseFS(fsys, file); err != nil {
				return fmt.Errorf("look: page %s: %w", file, err)
			}
			l.pages[lang][strings.TrimSuffix(path.Base(file), ".html")] = t
		}
	}
	return nil
}

// funcs is what templates may call beside the methods of Page.
func (l *Look) funcs(lang words.Lang) template.FuncMap {
	return template.FuncMap{
		"t":     func(key string, args ...any) string { return words.Say(lang, key, args...) },
		"icon":  func(name string) string { return l.assets.url("icons.svg") + "#it-" + name },
		"day":   civil.Date.Italian,
		"inc":   func(n int) int { return n + 1 },
		"group": Group,
	}
}

// Group sets spaces between groups of n characters, for long numbers that
// people compare; a copy of the text has none (see the partial "numero").
func Group(s string, n int) []string {
	var out []string
	for len(s) > n {
		out, s = append(out, s[:n]), s[n:]
	}
	return append(out, s)
}

// Handler serves the assets and the theme's own files under Prefix.
func (l *Look) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+Prefix, l.assets)
	themed := func(kind string, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if len(body) == 0 {
				http.NotFound(w, r)
				return
			}
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Cache-Control", "public, max-age=300")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Content-Security-Policy", "default-src 'none'")
			_, _ = w.Write(body) // the client may go away: nobody to tell
		}
	}
	mux.Handle("GET "+Prefix+"theme.css", themed("text/css; charset=utf-8", l.theme.CSS))
	mux.Handle("GET "+Prefix+"theme.svg", themed("image/svg+xml", l.theme.Logo))
	return mux
}

// Render answers with the page called name. An unknown page or a broken
// template is an error and nothing has been sent.
func (l *Look) Render(w http.ResponseWriter, status int, name string, p *Page) error {
	set, ok := l.pages[p.Lang]
	if !ok {
		return fmt.Errorf("look: no language %q", p.Lang)
	}
	t, ok := set[name]
	if !ok {
		return fmt.Errorf("look: no page %q", name)
	}
	p.theme, p.assets = &l.theme, l.assets
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout", p); err != nil {
		return fmt.Errorf("look: page %s: %w", name, err)
	}
	h := w.Header()
	SecureHeaders(h)
	h.Set("Content-Security-Policy", Policy(p.AssetHost, p.FormAction...))
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	h.Set("Content-Language", string(p.Lang))
	if p.Fault != nil {
		h.Set("CSE-Error", p.Fault.Code)
	}
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client may go away: nobody to tell
	return nil
}

// Policy is a page's Content-Security-Policy: its own files and, if named,
// those of the host that serves assets. formAction lists the further origins to
// which a form may lead, also through a redirect.
func Policy(assetHost string, formAction ...string) string {
	files := strings.TrimSpace("'self' " + assetHost)
	return strings.Join([]string{
		"default-src 'none'", "style-src " + files, "script-src " + files, "img-src " + files, "font-src " + files,
		strings.Join(append([]string{"form-action 'self'"}, formAction...), " "),
		"frame-ancestors 'none'", "base-uri 'none'",
	}, "; ")
}

// SecureHeaders sets what every answer to a browser carries.
func SecureHeaders(h http.Header) {
	h.Set("Content-Security-Policy", Policy(""))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Strict-Transport-Security", "max-age=31536000")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
}
