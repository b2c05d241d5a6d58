// Package api is the platform's public JSON interface, under /api/v1 on the
// portal's host.
//
// It follows the Italian guidelines on interoperability (AgID, "Linee guida
// sull'interoperabilità tecnica", ModI, and the checks of the OpenAPI checker):
// GET /status, errors as application/problem+json (RFC 9457) with our CSE code,
// Retry-After whenever a later try may do better, names in snake_case, a semantic
// version, a description in OpenAPI at openapi.json (3.1) and openapi-3.0.json.
// The tests hold the description against those checks.
//
// It tells nothing about anybody: no operation under /api/v1 names a person or
// asks who is calling. The providers' interface (NewEligibility) is on a host of
// its own, by mutual TLS. It refuses an unknown address or method with a
// problem, never with a page.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/portal/look"
)

// Version is that of the interface (semver), not of the program.
const Version = "1.0.0"

// Prefix is where the interface lives; Root is everything that answers with
// problems instead of pages.
const (
	Root   = "/api/"
	Prefix = "/api/v1"
)

// retry is what a caller is told to wait when nothing better is known.
const retry = 30 * time.Second

// Deps are what the interface needs; all are needed save Maintenance and Diagnoses.
type Deps struct {
	// URL is the portal's public origin; Body the public body's name.
	URL, Body string
	// Ready answers nil while the platform can work.
	Ready func(ctx context.Context) error
	// Maintenance tells whether the platform is closed, and until when; nil: never.
	Maintenance func() (until time.Time, closed bool)
	Clock       civil.Clock
	// TEAMInUK counts the United Kingdom among the countries of the TEAM.
	TEAMInUK bool
	// Diagnoses keeps what "cse doctor --send" sends; nil: nothing is taken.
	Diagnoses Diagnoses
	Log       *slog.Logger
}

// New makes the interface: a handler for everything under Root.
func New(d Deps) (http.Handler, error) {
	if d.URL == "" || d.Body == "" || d.Ready == nil || d.Clock == nil || d.Log == nil {
		return nil, errors.New("portal/api: URL, Body, Ready, Clock and Log are needed")
	}
	mux := http.NewServeMux()
	a := humago.NewWithPrefix(mux, Prefix, d.config())
	d.register(a)
	d.registerCountries(a)
	d.registerDiagnoses(a)
	if err := describe(mux, a.OpenAPI()); err != nil {
		return nil, err
	}
	mux.HandleFunc(Root, func(w http.ResponseWriter, r *http.Request) { unknown(w, r, mux) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		look.SecureHeaders(w.Header())
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		mux.ServeHTTP(w, r)
	}), nil
}

// config has no global part of huma: no pages, no schema links, no other formats.
func (d Deps) config() huma.Config {
	c := huma.DefaultConfig("Carta Sanitaria Elettronica", Version)
	c.CreateHooks, c.DocsPath, c.SchemasPath, c.OpenAPIPath = nil, "", "", ""
	c.Info.Description = "Stato della piattaforma della Carta Sanitaria Elettronica di " + d.Body + ". Nessuna operazione riguarda una persona."
	c.Info.TermsOfService = d.URL + "/note-legali"
	c.Info.Contact = &huma.Contact{Name: d.Body, URL: d.URL + "/contatti"}
	c.Info.License = &huma.License{Name: "EUPL-1.2", URL: "https://joinup.ec.europa.eu/collection/eupl/eupl-text-eupl-12"}
	c.Info.Extensions = map[string]any{"x-summary": "Stato della piattaforma CSE", "x-api-id": "cse-platform"}
	c.Servers = []*huma.Server{{URL: d.URL + Prefix, Description: "Il portale di " + d.Body}}
	c.Tags = []*huma.Tag{{Name: "status", Description: "Funzionamento della piattaforma"}, {Name: "diagnoses", Description: "Diagnosi mandate al call center"}, {Name: "team", Description: "Dove vale la tessera europea di assicurazione malattia"}}
	return c
}

// describe serves the description, made once. huma's own errors are taken out
// of it: nothing answers with them.
func describe(mux *http.ServeMux, o *huma.OpenAPI) error { return describeAt(mux, Prefix, o) }

func describeAt(mux *http.ServeMux, prefix string, o *huma.OpenAPI) error {
	for _, name := range []string{"ErrorModel", "ErrorDetail"} {
		delete(o.Components.Schemas.Map(), name)
	}
	newest, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("portal/api: %w", err)
	}
	older, err := o.Downgrade()
	if err != nil {
		return fmt.Errorf("portal/api: %w", err)
	}
	for name, body := range map[string][]byte{"/openapi.json": newest, "/openapi-3.0.json": older} {
		mux.HandleFunc("GET "+prefix+name, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "public, max-age=300")
			_, _ = w.Write(body) // the asker may be gone
		})
	}
	return nil
}

// unknown answers what no operation does: 404, or 405 when only the method is
// wrong.
func unknown(w http.ResponseWriter, r *http.Request, mux *http.ServeMux) {
	status := http.StatusNotFound
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		get := r.Clone(r.Context())
		get.Method = http.MethodGet
		if _, pattern := mux.Handler(get); pattern != Root {
			status = http.StatusMethodNotAllowed
			w.Header().Set("Allow", "GET, HEAD")
		}
	}
	p := problemOf(r.Header.Get("Accept-Language"), status, words.Refuse("CSE-002"))
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(p) // the asker may be gone
}

// Problem is an error (RFC 9457) with our code and the next step.
type Problem struct {
	Type   string `json:"type" format:"uri-reference" example:"about:blank" doc:"Always about:blank: code tells more"`
	Title  string `json:"title" example:"La piattaforma non è pronta." doc:"What happened, in the asker's language"`
	Status int    `json:"status" example:"503" doc:"HTTP status"`
	Detail string `json:"detail" doc:"Why" example:"Una parte della piattaforma non risponde."`
	Code   string `json:"code" pattern:"^CSE-[0-9]{3}$" example:"CSE-362" doc:"Stable code of the error"`
	Next   string `json:"next" doc:"What to do" example:"Riprova tra qualche minuto."`
}

// Error implements error.
func (p *Problem) Error() string { return p.Code + " " + p.Title }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (*Problem) ContentType(string) string { return "application/problem+json" }

func problemOf(acceptLanguage string, status int, f *words.Fault) *Problem {
	lang := langOf(acceptLanguage)
	return &Problem{Type: "about:blank", Title: f.Sentence(lang), Status: status, Detail: f.Cause(lang), Code: f.Code, Next: f.Next(lang)}
}

// langOf is the first language that the asker names, if it is English.
func langOf(acceptLanguage string) words.Lang {
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(acceptLanguage)), "en") {
		return words.English
	}
	return words.Italian
}

// later is a problem that time may solve.
func later(p *Problem, wait time.Duration) error {
	seconds := max(int(wait/time.Second), 1)
	return huma.ErrorWithHeaders(p, http.Header{"Retry-After": {strconv.Itoa(seconds)}})
}
