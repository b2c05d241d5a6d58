package look

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed all:dist
var dist embed.FS

// ErrNotBuilt: the program was compiled before npm had made the assets.
var ErrNotBuilt = errors.New("the pages' style sheet, fonts and icons are not in this program: " +
	"run `npm ci --ignore-scripts && npm run build` in portal/look, then build it again (`make build` does both)")

// Assets returns the built files, or ErrNotBuilt. csed refuses to start on it.
func Assets() (fs.FS, error) {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, fmt.Errorf("look: %w", err)
	}
	if _, err := fs.Stat(sub, "manifest.json"); err != nil {
		return nil, ErrNotBuilt
	}
	return sub, nil
}

// assets serves built files under prefix and knows their hashed names.
type assets struct {
	prefix string
	files  fs.FS
	names  map[string]string
}

func openAssets(files fs.FS, prefix string) (*assets, error) {
	a := &assets{prefix: prefix, files: files, names: map[string]string{}}
	if files == nil {
		return a, nil
	}
	b, err := fs.ReadFile(files, "manifest.json")
	if err != nil {
		return nil, ErrNotBuilt
	}
	if err := json.Unmarshal(b, &a.names); err != nil {
		return nil, fmt.Errorf("look: manifest.json: %w", err)
	}
	for _, want := range []string{"look.css", "look.js", "icons.svg", "favicon.svg"} {
		if a.names[want] == "" {
			return nil, fmt.Errorf("%w (manifest.json lacks %s)", ErrNotBuilt, want)
		}
	}
	return a, nil
}

// url is the address of a built file; an unknown name stays as it is.
func (a *assets) url(name string) string {
	if hashed, ok := a.names[name]; ok {
		name = hashed
	}
	return a.prefix + name
}

// ServeHTTP serves one file. Names carry the hash of the content, so browsers
// keep files for a year.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, a.prefix)
	if a.files == nil || name == "" || strings.Contains(name, "/") || strings.HasSuffix(name, ".gz") || name == "manifest.json" {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	file := name
	if acceptsGzip(r) {
		if _, err := fs.Stat(a.files, name+".gz"); err == nil {
			file = name + ".gz"
			h.Set("Content-Encoding", "gzip")
		}
	}
	b, err := fs.ReadFile(a.files, file)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	h.Set("Content-Type", contentType(name))
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	h.Set("Access-Control-Allow-Origin", "*") // fonts for the card's host; nothing here is anybody's
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'")
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(b) // the client may go away: nobody to tell
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if coding == "gzip" && strings.ReplaceAll(params, " ", "") != "q=0" {
			return true
		}
	}
	return false
}

// contentType does not ask the machine's own table for what we know.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	}
	return mime.TypeByExtension(path.Ext(name))
}
