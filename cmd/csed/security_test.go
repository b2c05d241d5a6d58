package main

import (
	"bytes"
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/pki/ca"
	"cse.example/cse/portal"
)

// values are what the list says of a fact, in English; nil when it does not name it.
func values(t *testing.T, list []portal.FactGroup, key string) []string {
	t.Helper()
	for _, g := range list {
		for _, f := range g.Facts {
			if f.Key == "security.fact."+key {
				out := []string{}
				for _, v := range f.Values {
					out = append(out, v.In(words.English))
				}
				return out
			}
		}
	}
	return nil
}

// The page says what is in use, and says something else when the configuration
// does.
func TestR91_ThePageFollowsTheConfiguration(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	read := func(change func(*Config)) []portal.FactGroup {
		t.Helper()
		c := *r
		if change != nil {
			change(&c.config)
		}
		p, err := c.tryOpen(t.Context(), Options{Duties: []string{}}, "web") // no lock: a fork of another test may keep it for a moment
		check(t, err)
		list, err := p.securityFacts()
		check(t, err)
		check(t, p.Close())
		return list
	}
	before := read(nil)
	for key, want := range map[string]string{
		"versions": "TLS 1.2|TLS 1.3", "made": "RSA 2048", "accepted": "RSA of at least 2048 bits", "tokens": "ES256", "sealed": "AES-256-GCM",
		"certificates": "ECDSA P-256, SHA-256", "chain": "ECDSA-SHA384", "answers": "ECDSA P-256, SHA-256", "mail": "mail server on the same machine", "cip": "HMAC-SHA256",
		"first": "HPKE (DHKEM-X25519-HKDF-SHA256, HKDF-SHA256, AES-256-GCM)|only the process “print” opens them",
	} {
		if got := strings.Join(values(t, before, key), "|"); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	for _, x := range []struct {
		key    string
		change func(*Config)
		want   string
	}{
		{"versions", func(c *Config) { c.Web.TLSMin = "1.3" }, "TLS 1.3"},
		{"suites12", func(c *Config) { c.Web.TLSMin = "1.3" }, ""},
		{"revocation", func(c *Config) { c.Issue.CRLHours = 3 }, "OCSP, and lists that last 3 hours, in 4 parts, made anew after a change at no less than 5 minutes: at pki.cse.localhost"},
		{"lengths", func(c *Config) { c.Issue.Codes.PIN = codes.Split{First: 3, Second: 4} }, "PIN 7 digits, PUK 8, CIP 10"},
		{"cut", func(c *Config) { c.Issue.Codes.PIN = codes.Split{First: 3, Second: 4} }, "PIN 3 + 4 digits, PUK 2 + 6, CIP 5 + 5"},
		{"mail", func(c *Config) { c.Mail.StartTLS = true }, "with STARTTLS only"},
		{"legacy", func(c *Config) {
			c.Login.AllowRSA1024 = true
			c.Login.Trust = []Trusted{{Certificate: "ca/" + ca.FileIssuing, CRL: "crl/issuing-0.crl", Legacy: true}}
		}, "RSA of at least 1024 bits, only for the bodies marked in the configuration (1)"},
		{"legacy", func(c *Config) {
			c.Login.AllowRSA1024 = true
			c.Login.TrustLists = []TrustedList{{Name: "altra", Signers: []string{"ca/" + ca.FileIssuing}, Issuers: []ListedIssuer{{SHA256: strings.Repeat("0a", 32), Legacy: true}}}}
		}, "RSA of at least 1024 bits, only for the bodies marked in the configuration (1)"},
		{"trusted", func(c *Config) {
			c.Login.TrustLists = []TrustedList{{Name: "altra", Signers: []string{"ca/" + ca.FileIssuing}}}
		}, "altra: ECDSA P-256|a signature over the whole list with SHA-256 or stronger, RSA of at least 2048 bits or ECDSA, of pinned certificates only"},
		{"copies", func(c *Config) {
			c.Backup.Keys = []string{"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"}
		}, "part “keys”: age, X25519, ChaCha20-Poly1305"},
		{"log", func(c *Config) { c.Privacy.TrailDays = 4000 }, "RFC 6962, SHA-256|Ed25519|kept 4000 days"},
		{"passwords", func(c *Config) {
			c.Operators = slices.Clone(c.Operators)
			c.Operators[0].PasswordHash = "$argon2id$v=19$m=65536,t=4,p=2$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
			c.Operators[0].TOTP = "sealed"
		}, "argon2id (19 MiB, t=2, p=1)|argon2id (64 MiB, t=4, p=2)"},
	} {
		if got := strings.Join(values(t, read(x.change), x.key), "|"); got != x.want || got == strings.Join(values(t, before, x.key), "|") {
			t.Errorf("%s: %q, want %q, before %q", x.key, got, x.want, values(t, before, x.key))
		}
	}

	// The key of the root goes off line, and the cost of a key file is that file's own.
	check(t, os.Remove(filepath.Join(r.config.caDir(), ca.FileRootKey)))
	ring := filepath.Join(r.config.under("keys"), ringFirst)
	text, err := os.ReadFile(ring)
	check(t, err)
	at := bytes.Index(text, []byte("Passes: "))
	text[at+len("Passes: ")] = '7'
	check(t, os.WriteFile(ring, text, 0o600))
	after := read(nil)
	if got := values(t, after, "root"); !slices.Contains(got, "key off line") || slices.Contains(values(t, before, "root"), "key off line") {
		t.Errorf("a root off line: %q", got)
	}
	if got := strings.Join(values(t, after, "keyfiles"), "|"); !strings.Contains(got, "t=7") {
		t.Errorf("a key file of another cost: %q", got)
	}
	for dsn, want := range map[string]string{
		"postgres://h/cse?sslmode=verify-full": "PostgreSQL, reached with sslmode=verify-full", "postgres://h/cse": "PostgreSQL, reached with sslmode=prefer",
	} {
		c := Config{Database: dsn}
		if got := c.databaseFact()[0].In(words.English); got != want {
			t.Errorf("%s: %q", dsn, got)
		}
	}
}

// The page shows every value of the list, in both languages, and `csed security`
// the same in text and JSON.
func TestR91_ThePageAndTheCommandSayTheSame(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	p := r.serve(t, "web")
	list, err := p.securityFacts()
	check(t, err)
	for lang, prefix := range map[words.Lang]string{words.Italian: "", words.English: "/en"} {
		w := httptest.NewRecorder()
		p.portal.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, p.Config.Public.Portal+prefix+"/sicurezza", nil))
		page, n := html.UnescapeString(w.Body.String()), 0
		for _, g := range list {
			for _, f := range g.Facts {
				for _, v := range f.Values {
					if n++; !strings.Contains(page, v.In(lang)) {
						t.Errorf("%s: the page does not say %s: %s", lang, f.Key, v.In(lang))
					}
				}
			}
		}
		if w.Code != http.StatusOK || n < 45 || strings.Contains(page, "⟦") || strings.Contains(page, "%!") {
			t.Errorf("%s: status %d, %d values\n%s", lang, w.Code, n, page)
		}
	}
	file := written(t, "data: "+r.config.Data+"\n")
	code, out, errs := said(t, nil, "security", "--json", "--config", file, "--lang", "it")
	var got map[string][]struct {
		Fact   string
		Values []string
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 {
		t.Fatalf("%d, %v, %s", code, err, errs)
	}
	if len(got) != len(list) || got["doors"][0].Fact != "versions" || !slices.Equal(got["doors"][0].Values, []string{"TLS 1.2", "TLS 1.3"}) {
		t.Errorf("%+v", got)
	}
	if code, out, errs = said(t, nil, "security", "--config", file, "--lang", "it"); code != 0 || !strings.Contains(out, "Le connessioni\n  Versioni di TLS\n    TLS 1.2\n") {
		t.Errorf("%d %s %s", code, out, errs)
	}
}
