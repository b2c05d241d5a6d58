package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
)

var now = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

func good() Deps {
	return Deps{
		URL: "https://portal.cse.localhost:8443", Body: "Regione Esempio", Clock: civil.NewHand(now), Log: slog.New(slog.DiscardHandler),
		Ready: func(context.Context) error { return nil },
	}
}

func ask(t *testing.T, d Deps, method, path, lang string) (*httptest.ResponseRecorder, map[string]any) {
	t.Helper()
	h, err := New(d)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	r.Header.Set("Accept-Language", lang)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("%s %s: no JSON: %v: %s", method, path, err, w.Body)
	}
	return w, body
}

func TestAnswers(t *testing.T) {
	broken, closed, over := good(), good(), good()
	broken.Ready = func(context.Context) error { return errors.New("dial tcp: refused") }
	closed.Maintenance = func() (time.Time, bool) { return now.Add(2 * time.Hour), true }
	over.Maintenance = func() (time.Time, bool) { return now.Add(-time.Hour), false }
	for name, test := range map[string]struct {
		d                  Deps
		method, path, lang string
		status             int
		code, retry, title string
	}{
		"ok":             {good(), "GET", "/api/v1/status", "it", 200, "", "", ""},
		"ok, mended":     {over, "GET", "/api/v1/status", "it", 200, "", "", ""},
		"broken":         {broken, "GET", "/api/v1/status", "it", 503, "CSE-362", "30", "La piattaforma"},
		"broken, in en":  {broken, "GET", "/api/v1/status", "en-GB,en;q=0.8", 503, "CSE-362", "30", "The platform"},
		"maintenance":    {closed, "GET", "/api/v1/status", "it", 503, "CSE-352", "7200", ""},
		"unknown":        {good(), "GET", "/api/v1/nothing", "it", 404, "CSE-002", "", ""},
		"another method": {good(), "DELETE", "/api/v1/status", "it", 405, "CSE-002", "", ""},
		"root":           {good(), "GET", "/api/", "it", 404, "CSE-002", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, body := ask(t, test.d, test.method, test.path, test.lang)
			if w.Code != test.status || w.Header().Get("Retry-After") != test.retry {
				t.Errorf("%d, Retry-After %q; want %d, %q", w.Code, w.Header().Get("Retry-After"), test.status, test.retry)
			}
			kind := w.Header().Get("Content-Type")
			if test.code == "" {
				if kind != "application/json" || body["status"] != "ok" || body["api_version"] != Version || len(body) != 2 {
					t.Errorf("%s %v", kind, body)
				}
				return
			}
			if kind != "application/problem+json" || body["code"] != test.code || body["status"] != float64(test.status) {
				t.Errorf("%s %v", kind, body)
			}
			if title, _ := body["title"].(string); !strings.HasPrefix(title, test.title) || strings.Contains(title, "%!") {
				t.Errorf("title %q", title)
			}
			if strings.Contains(w.Body.String(), "refused") {
				t.Error("the answer tells the inner error")
			}
			if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", w.Header())
			}
		})
	}
}

func TestNeeds(t *testing.T) {
	if _, err := New(Deps{}); err == nil {
		t.Error("an interface of nothing was made")
	}
}

type object = map[string]any

func in(o object, path ...string) any {
	var x any = o
	for _, p := range path {
		m, ok := x.(object)
		if !ok {
			return nil
		}
		x = m[p]
	}
	return x
}

// TestDescription checks the OpenAPI text as the Italian checker does (rules of
// severity error): summary, contact, terms, semantic version, https servers with
// a description, /status with JSON and problem+json, Retry-After on 503, no
// header that HTTP defines, snake_case, no $schema.
func TestDescription(t *testing.T) {
	for path, version := range map[string]string{"/api/v1/openapi.json": "3.1.", "/api/v1/openapi-3.0.json": "3.0."} {
		w, o := ask(t, good(), "GET", path, "")
		if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
			t.Fatalf("%s: %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
		if v, _ := o["openapi"].(string); !strings.HasPrefix(v, version) {
			t.Errorf("%s is OpenAPI %s", path, v)
		}
		info := in(o, "info").(object)
		for _, key := range []string{"title", "x-summary", "description", "termsOfService", "contact", "license", "version"} {
			if info[key] == nil || info[key] == "" {
				t.Errorf("%s: info.%s is missing", path, key)
			}
		}
		if v, _ := info["version"].(string); !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(v) {
			t.Errorf("version %q is not semantic", v)
		}
		servers, _ := o["servers"].([]any)
		if len(servers) == 0 {
			t.Errorf("%s: no servers", path)
		}
		for _, s := range servers {
			m := s.(object)
			if u, _ := m["url"].(string); !strings.HasPrefix(u, "https://") || !strings.HasSuffix(u, Prefix) || m["description"] == nil {
				t.Errorf("server %v", m)
			}
		}
		if in(o, "paths", "/status", "get", "responses", "200", "content", "application/json", "schema") == nil {
			t.Error("/status does not answer JSON")
		}
		for _, status := range []string{"503", "default"} {
			if in(o, "paths", "/status", "get", "responses", status, "content", "application/problem+json", "schema") == nil {
				t.Errorf("/status: %s is no problem", status)
			}
		}
		if in(o, "paths", "/status", "get", "responses", "503", "headers", "Retry-After") == nil {
			t.Error("503 does not tell when to come back")
		}
		checkNames(t, path, o)
	}
}

func checkNames(t *testing.T, path string, o object) {
	t.Helper()
	for p, item := range in(o, "paths").(object) {
		for method, op := range item.(object) {
			params, _ := op.(object)["parameters"].([]any)
			for _, x := range params {
				if name, _ := x.(object)["name"].(string); slices.Contains([]string{"accept", "accept-language", "authorization", "content-type"}, strings.ToLower(name)) {
					t.Errorf("%s %s declares the header %s", method, p, name)
				}
			}
		}
	}
	snake := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	schemas := in(o, "components", "schemas").(object)
	for name, s := range schemas {
		for field := range in(s.(object), "properties").(object) {
			if !snake.MatchString(field) {
				t.Errorf("%s: %s.%s is not snake_case", path, name, field)
			}
		}
	}
	if schemas["Problem"] == nil || schemas["ErrorModel"] != nil {
		t.Errorf("%s describes other errors than ours", path)
	}
}
