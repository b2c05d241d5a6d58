package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cse.example/cse/card/diagnosis"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/throttle"
)

func TestDiagnoses(t *testing.T) {
	letter := `{"schema":"cse.diagnosis/1"}`
	for name, c := range map[string]struct {
		kind, body  string
		err         error
		closed      bool
		status      int
		code, retry string
	}{
		"kept":         {kind: "application/json; charset=utf-8", body: letter, status: 201},
		"not JSON":     {kind: "text/plain", body: letter, status: 415, code: "CSE-817"},
		"no letter":    {kind: "application/json", body: "x", err: words.Refuse("CSE-817"), status: 422, code: "CSE-817"},
		"too many":     {kind: "application/json", body: letter, err: throttle.Refuse("CSE-818", 90*time.Second), status: 429, code: "CSE-818", retry: "90"},
		"full":         {kind: "application/json", body: letter, err: words.Refuse("CSE-819"), status: 503, code: "CSE-819", retry: "30"},
		"broken":       {kind: "application/json", body: letter, err: errors.New("secret"), status: 503, code: "CSE-362", retry: "30"},
		"maintenance":  {kind: "application/json", body: letter, closed: true, status: 503, code: "CSE-352", retry: "7200"},
		"much too big": {kind: "application/json", body: strings.Repeat("x", 1<<20), status: 413},
	} {
		t.Run(name, func(t *testing.T) {
			d := good()
			source, got := "", []byte(nil)
			d.Diagnoses = func(_ context.Context, b []byte, from string) (diagnosis.Sent, error) {
				source, got = from, bytes.Clone(b)
				return diagnosis.Sent{Reference: "NTLTCV", Spelled: "Napoli", KeptUntil: "2026-12-23"}, c.err
			}
			d.Maintenance = func() (time.Time, bool) { return now.Add(2 * time.Hour), c.closed }
			h, err := New(d)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/api/v1/diagnoses", strings.NewReader(c.body))
			r.RemoteAddr = "192.0.2.7:4711"
			r.Header.Set("Content-Type", c.kind)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			var body map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
				t.Fatalf("%d %s: %v", w.Code, w.Body, err)
			}
			if w.Code != c.status || w.Header().Get("Retry-After") != c.retry || strings.Contains(w.Body.String(), "secret") {
				t.Fatalf("%d, Retry-After %q: %s", w.Code, w.Header().Get("Retry-After"), w.Body)
			}
			if c.status == 201 {
				if body["reference"] != "NTLTCV" || body["kept_until"] != "2026-12-23" || len(body) != 2 || source != "192.0.2.7" || string(got) != c.body {
					t.Errorf("%v; from %q: %s", body, source, got)
				}
				return
			}
			if c.code != "" && body["code"] != c.code {
				t.Errorf("%v", body)
			}
			if c.status == 413 && got != nil {
				t.Error("a body beyond the bound was read on")
			}
		})
	}
	if w, _ := ask(t, good(), "POST", "/api/v1/diagnoses", "it"); w.Code != 404 {
		t.Errorf("without a store: %d", w.Code)
	}
}
