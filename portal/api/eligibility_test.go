package api

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/eligibility"
	"cse.example/cse/issuer/lifecycle"
)

// machine makes a client's certificate, good around an instant.
func machine(t *testing.T, at time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "prova"}, NotBefore: at.AddDate(0, -1, 0), NotAfter: at.AddDate(0, 1, 0)}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// R47: a provider of any Region asks by mutual TLS; each refusal is a problem
// with its own code.
func TestR47_R12_R21_ProvidersAskByMutualTLS(t *testing.T) {
	good, stranger, old := machine(t, now), machine(t, now), machine(t, now.AddDate(-2, 0, 0))
	list := []eligibility.Client{}
	for i, c := range []tls.Certificate{good, old} {
		list = append(list, eligibility.Client{
			ID: string(rune('a' + i)), Name: "ASL", Region: "Lazio", Key: eligibility.KeyOf(c.Leaf), Daily: 10, Purposes: []eligibility.Purpose{eligibility.Care},
		})
	}
	clients, err := eligibility.NewClients(list)
	if err != nil {
		t.Fatal(err)
	}
	var asked []eligibility.Question
	answer := error(nil)
	h, err := NewEligibility(EligibilityDeps{
		URL: "https://api.cse.localhost:8443", Portal: "https://portal.cse.localhost:8443", Body: "Regione Esempio", Clients: clients.Of,
		Ask: func(_ context.Context, c eligibility.Client, q eligibility.Question) (eligibility.Answer, error) {
			if c.ID != "a" {
				t.Errorf("client %q", c.ID)
			}
			asked = append(asked, q)
			f := lifecycle.Function{State: lifecycle.Valid, Reason: "lifecycle.why.assisted", Until: civil.Date{Year: 2032, Month: 1, Day: 10}}
			return eligibility.Answer{State: eligibility.Assisted, ASL: "201", Card: true, CardValid: true, Abroad: true, On: civil.DayOf(now), Functions: [4]lifecycle.Function{f, f, f, f}}, answer
		},
		Clock: civil.NewHand(now), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(h)
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	post := func(cert *tls.Certificate, body string) (*http.Response, map[string]any) {
		t.Helper()
		c := server.Client()
		tr := c.Transport.(*http.Transport).Clone()
		tr.TLSClientConfig.Certificates = nil
		if cert != nil {
			tr.TLSClientConfig.Certificates = []tls.Certificate{*cert}
		}
		defer tr.CloseIdleConnections()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/eligibility", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		resp, err := (&http.Client{Transport: tr}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var buf bytes.Buffer
		if _, err := buf.ReadFrom(resp.Body); err != nil {
			t.Fatal(err)
		}
		var out map[string]any
		if err := json.Unmarshal(buf.Bytes(), &out); err != nil {
			t.Fatalf("no JSON: %v: %s", err, &buf)
		}
		return resp, out
	}
	const question = `{"tax_code":"RSSMRA85T10A562S","purpose":"care","on":"2026-11-20"}`
	for name, c := range map[string]struct {
		cert   *tls.Certificate
		body   string
		with   error
		status int
		code   string
	}{
		"good":            {&good, question, nil, 200, ""},
		"no certificate":  {nil, question, nil, 401, "CSE-671"},
		"a stranger":      {&stranger, question, nil, 403, "CSE-672"},
		"expired":         {&old, question, nil, 403, "CSE-673"},
		"no JSON":         {&good, "{", nil, 422, "CSE-357"},
		"unknown member":  {&good, `{"tax_code":"RSSMRA85T10A562S","purpose":"care","why":1}`, nil, 422, "CSE-357"},
		"no day":          {&good, `{"tax_code":"RSSMRA85T10A562S","purpose":"care","on":"31/02"}`, nil, 422, "CSE-359"},
		"too many":        {&good, question, words.Refuse("CSE-670", 10), 429, "CSE-670"},
		"not its purpose": {&good, question, words.Refuse("CSE-674"), 403, "CSE-674"},
		"store broken":    {&good, question, context.DeadlineExceeded, 503, "CSE-362"},
	} {
		answer = c.with
		resp, out := post(c.cert, c.body)
		if resp.StatusCode != c.status || c.code != "" && (out["code"] != c.code || resp.Header.Get("Content-Type") != "application/problem+json") {
			t.Errorf("%s: %d %v (%s)", name, resp.StatusCode, out, resp.Header.Get("Content-Type"))
		}
		if (c.status == 429 || c.status == 503) != (resp.Header.Get("Retry-After") != "") {
			t.Errorf("%s: Retry-After %q", name, resp.Header.Get("Retry-After"))
		}
		if c.status == 200 {
			team, _ := out["team"].(map[string]any)
			if out["state"] != "assisted" || out["asl"] != "201" || team["scope"] != "temporary-stay" || team["valid"] != true || len(out["functions"].([]any)) != 4 {
				t.Errorf("%s: %v", name, out)
			}
		}
	}
	if len(asked) == 0 || asked[0].Who != "RSSMRA85T10A562S" || asked[0].On.String() != "2026-11-20" {
		t.Errorf("asked %+v", asked)
	}
	// The description needs no certificate, and no address of it has room for a person.
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/openapi.json", http.NoBody))
	var o struct {
		OpenAPI string                    `json:"openapi"`
		Info    map[string]any            `json:"info"`
		Servers []map[string]any          `json:"servers"`
		Paths   map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &o); err != nil || !strings.HasPrefix(o.OpenAPI, "3.1") || o.Info["x-summary"] == nil || o.Info["contact"] == nil || o.Servers[0]["description"] == nil {
		t.Errorf("description: %v, %+v", err, o)
	}
	for path := range o.Paths {
		if strings.Contains(path, "{") {
			t.Errorf("an address with a parameter: %s", path)
		}
	}
	if o.Paths["/status"] == nil || o.Paths["/eligibility"]["post"] == nil {
		t.Errorf("paths %v", o.Paths)
	}
}
