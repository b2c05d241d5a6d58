package look

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"cse.example/cse/ground/words"
)

// built is a small set of assets, as build.mjs names them.
func built() fs.FS {
	return fstest.MapFS{
		"manifest.json":  {Data: []byte(`{"look.css":"look.1.css","look.js":"look.2.js","icons.svg":"icons.3.svg","favicon.svg":"favicon.4.svg"}`)},
		"look.1.css":     {Data: []byte("body{}")},
		"look.1.css.gz":  {Data: []byte("squeezed")},
		"look.2.js":      {Data: []byte("1")},
		"icons.3.svg":    {Data: []byte("<svg/>")},
		"favicon.4.svg":  {Data: []byte("<svg/>")},
		"mono-400.woff2": {Data: []byte("font")},
	}
}

var page = fstest.MapFS{"p.html": {Data: []byte(`{{define "main"}}<h1>{{.Title}}</h1>{{end}}`)}}

func newLook(t *testing.T, theme Theme) *Look {
	t.Helper()
	l, err := New(theme, built(), page)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAssetsNotBuilt(t *testing.T) {
	for name, files := range map[string]fs.FS{
		"empty":    fstest.MapFS{".gitkeep": {}},
		"no style": fstest.MapFS{"manifest.json": {Data: []byte(`{"look.js":"a","icons.svg":"b","favicon.svg":"c"}`)}},
	} {
		if _, err := New(DefaultTheme(), files, page); !errors.Is(err, ErrNotBuilt) {
			t.Errorf("%s: %v, want ErrNotBuilt", name, err)
		}
	}
	if _, err := Assets(); err != nil && !errors.Is(err, ErrNotBuilt) { // built or not, never another error
		t.Error(err)
	}
}

func TestServeAssets(t *testing.T) {
	h := newLook(t, DefaultTheme()).Handler()
	for _, test := range []struct {
		path, accept string
		status       int
		body, kind   string
		encoding     string
	}{
		{"/look/look.1.css", "", 200, "body{}", "text/css; charset=utf-8", ""},
		{"/look/look.1.css", "br, gzip", 200, "squeezed", "text/css; charset=utf-8", "gzip"},
		{"/look/look.1.css", "gzip;q=0", 200, "body{}", "text/css; charset=utf-8", ""},
		{"/look/look.2.js", "gzip", 200, "1", "text/javascript; charset=utf-8", ""},
		{"/look/mono-400.woff2", "", 200, "font", "font/woff2", ""},
		{"/look/look.1.css.gz", "", 404, "", "", ""},
		{"/look/manifest.json", "", 404, "", "", ""},
		{"/look/../look.go", "", 307, "", "", ""},
		{"/look/none.css", "", 404, "", "", ""},
		{"/look/theme.css", "", 404, "", "", ""},
	} {
		r := httptest.NewRequest("GET", test.path, nil)
		r.Header.Set("Accept-Encoding", test.accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != test.status {
			t.Errorf("%s: %d, want %d", test.path, w.Code, test.status)
			continue
		}
		if test.status != 200 {
			continue
		}
		if w.Body.String() != test.body || w.Header().Get("Content-Type") != test.kind || w.Header().Get("Content-Encoding") != test.encoding {
			t.Errorf("%s (%s): %q %v", test.path, test.accept, w.Body, w.Header())
		}
		if !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s is not kept: %v", test.path, w.Header())
		}
	}
}

func TestPolicy(t *testing.T) {
	w := httptest.NewRecorder()
	p := &Page{Lang: words.Italian, Title: "<b>Prova</b>", FormAction: []string{"https://login.cse.localhost"}, Fault: words.Refuse("CSE-002")}
	if err := newLook(t, DefaultTheme()).Render(w, 404, "p", p); err != nil {
		t.Fatal(err)
	}
	csp := w.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "style-src 'self';", "script-src 'self';", "form-action 'self' https://login.cse.localhost;", "frame-ancestors 'none'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("%q lacks %q", csp, want)
		}
	}
	if strings.Contains(csp, "unsafe") || strings.Contains(csp, "data:") {
		t.Errorf("too wide: %q", csp)
	}
	if w.Header().Get("CSE-Error") != "CSE-002" || w.Code != 404 {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if strings.Contains(w.Body.String(), "<b>") {
		t.Error("the title is not escaped")
	}
}

// TestUnknownPage: nothing is sent when the page cannot be made.
func TestUnknownPage(t *testing.T) {
	w := httptest.NewRecorder()
	if err := newLook(t, DefaultTheme()).Render(w, 200, "none", &Page{Lang: words.Italian}); err == nil || w.Body.Len() > 0 {
		t.Errorf("%v, %d bytes sent", err, w.Body.Len())
	}
}

func TestTheme(t *testing.T) {
	theme := DefaultTheme()
	theme.Body, theme.CSS, theme.Ribbon = "Regione Prova", []byte(":root{--cse-brand:#333}"), "PROVA"
	l := newLook(t, theme)
	w := httptest.NewRecorder()
	if err := l.Render(w, 200, "p", &Page{Lang: words.English, Title: "T", AssetHost: "https://login.cse.localhost"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Regione Prova", "PROVA", `href="https://login.cse.localhost/look/theme.css"`, `href="https://login.cse.localhost/look/look.1.css"`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("lacks %q", want)
		}
	}
	css := httptest.NewRecorder()
	l.Handler().ServeHTTP(css, httptest.NewRequest("GET", "/look/theme.css", nil))
	if css.Body.String() != string(theme.CSS) {
		t.Errorf("theme.css: %q", css.Body)
	}
	if _, err := New(Theme{}, built()); err == nil {
		t.Error("a theme without a name was accepted")
	}
}

func TestFormFields(t *testing.T) {
	f := NewForm(words.Italian, map[string][]string{"x": {"typed"}}, words.Refuse("CSE-003").At("x"))
	got := f.Text("x", "look.menu", "mono short required type:password mode:numeric")
	if got.Value != "" {
		t.Errorf("a password goes back to the page: %q", got.Value)
	}
	if !got.Mono || !got.Short || !got.Required || got.InputMode != "numeric" || got.Wrong == "" || got.Describedby() != "x-wrong" {
		t.Errorf("field: %+v", got)
	}
	if s := f.Summary(); len(s) != 1 || s[0].Field != "x" || s[0].Code != "CSE-003" {
		t.Errorf("summary: %+v", s)
	}
}

var reIcon = regexp.MustCompile(`template "icon" "([a-z-]+)"`)

// TestIcons: every icon that a page asks for is in the list that is built.
func TestIcons(t *testing.T) {
	b, err := os.ReadFile("src/icons.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	for _, tone := range []Tone{Good, Wait, Bad, None} {
		if !slices.Contains(list, "it-"+tone.Icon()) {
			t.Errorf("src/icons.json lacks %s", tone.Icon())
		}
	}
	files, err := filepath.Glob("../pages/*.html")
	more, err2 := filepath.Glob("templates/*.html")
	if err != nil || err2 != nil || len(files) == 0 || len(more) == 0 {
		t.Fatal("no templates", err, err2)
	}
	for _, file := range append(files, more...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range reIcon.FindAllStringSubmatch(string(text), -1) {
			if !slices.Contains(list, "it-"+m[1]) {
				t.Errorf("%s: src/icons.json lacks %s", file, m[1])
			}
		}
	}
}
