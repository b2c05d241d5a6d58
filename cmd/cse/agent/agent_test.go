package agent_test

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/card/reader"
	"cse.example/cse/cmd/cse/agent"
	"cse.example/cse/cmd/cse/agent/agenttest"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// person is a card in the hands of somebody who types pin.
type person struct {
	made  holdertest.Card
	h     *holder.Holder
	pin   string
	asked int
	hosts []string
}

func newPerson(t *testing.T) *person {
	t.Helper()
	p := &person{made: holdertest.Make(t, filepath.Join(t.TempDir(), "card"), cns.Neutral(), 3), pin: holdertest.PIN}
	c, err := reader.FromFile(p.made.Path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if p.h, err = holder.New(c); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *person) card(host string) (*x509.Certificate, crypto.Signer, error) {
	p.hosts = append(p.hosts, host)
	c, err := p.h.Certificate()
	if err != nil {
		return nil, nil, err
	}
	s, err := p.h.Signer(func() (secret.Text, error) { p.asked++; return secret.FromString(p.pin), nil })
	return c, s, err
}

func TestLogin(t *testing.T) {
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			site, p := agenttest.New(t, version), newPerson(t)
			a := &agent.Agent{Roots: site.Roots, Card: p.card}
			page, err := a.Login(context.Background(), site.URL("portal", "/tessera"))
			if err != nil {
				t.Fatal(err)
			}
			if page.Status != 200 || page.Title != "La mia tessera" || page.URL != site.URL("portal", "/tessera") || !page.CardUsed || page.Code != "" {
				t.Fatalf("ended at %+v", page)
			}
			if p.asked != 1 || site.Offered("cns") != 1 || site.Offered("login") != 0 || site.Offered("portal") != 0 || site.Resumed() != 0 {
				t.Fatalf("asked %d times; offered to cns %d, login %d, portal %d; resumed %d",
					p.asked, site.Offered("cns"), site.Offered("login"), site.Offered("portal"), site.Resumed())
			}
			if got, want := strings.Join(site.Logins(), " "), p.made.Leaf.Subject.CommonName; got != want {
				t.Fatalf("logged in as %s, want %s", got, want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	site, p := agenttest.New(t, 0), newPerson(t)
	for _, c := range []struct {
		name, url  string
		page, code string // code of the page, or of the error
		card       bool
	}{
		{"revoked", site.URL("login", "/authorize?refuse=CSE-302"), "CSE-302", "", true},
		{"no certificate", site.URL("login", "/authorize"), "CSE-304", "", false},
		{"not a code of ours", site.URL("login", "/authorize?refuse=%3Cscript%3E"), "", "", true},
		{"plain http", site.URL("portal", "/plain"), "", "CSE-256", true},
		{"starts plain", "http://portal.cse.localhost:" + site.Port, "", "CSE-256", true},
		{"loop", site.URL("portal", "/loop"), "", "CSE-258", true},
		{"card host of another site", site.URL("login", "/authorize?to=other"), "", "CSE-257", true},
		{"nobody there", "https://portal.cse.localhost:1/", "", "CSE-253", true},
		{"no address", "https:///", "", "CSE-250", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := &agent.Agent{Roots: site.Roots}
			if c.card {
				a.Card = p.card
			}
			page, err := a.Login(context.Background(), c.url)
			if f := words.FaultOf(err); c.code != "" && (f == nil || f.Code != c.code) {
				t.Fatalf("%v, want %s", err, c.code)
			}
			if c.code == "" && (err != nil || page.Code != c.page) {
				t.Fatalf("%+v, %v; want page code %q", page, err, c.page)
			}
		})
	}
	if site.Offered("login") != 0 || site.Offered("portal") != 0 {
		t.Fatal("the card was offered outside the door")
	}
}

func TestUntrustedServerNeverSeesASignature(t *testing.T) {
	site, p := agenttest.New(t, 0), newPerson(t)
	a := &agent.Agent{Roots: x509.NewCertPool(), Card: p.card}
	_, err := a.Login(context.Background(), site.URL("login", "/authorize"))
	if f := words.FaultOf(err); f == nil || f.Code != "CSE-254" {
		t.Fatalf("%v, want CSE-254", err)
	}
	if p.asked != 0 {
		t.Fatal("the PIN was asked")
	}
}

// The error of the card comes back typed, although crypto/tls flattens it, and
// the PIN is tried once.
func TestWrongPIN(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		site, p := agenttest.New(t, version), newPerson(t)
		p.pin = "99174"
		a := &agent.Agent{Roots: site.Roots, Card: p.card}
		_, err := a.Login(context.Background(), site.URL("login", "/authorize"))
		var wrong *holder.WrongPINError
		if !errors.As(err, &wrong) || wrong.Left != 2 || p.asked != 1 {
			t.Fatalf("%v, asked %d times; want two tries left, asked once", err, p.asked)
		}
	}
}

func TestCardHost(t *testing.T) {
	for _, c := range []struct{ host, want string }{
		{"login.cse.localhost", "cns.cse.localhost"},
		{"LOGIN.CSE.localhost.", "cns.cse.localhost"},
		{"login.accesso.regione.example.org", "cns.accesso.regione.example.org"},
		{"login.regione.toscana.it", "cns.regione.toscana.it"},
		{"cse.localhost", ""}, // cns.localhost would be anybody's
		{"example.co.uk", ""}, // cns.co.uk likewise
		{"localhost", ""},
		{"", ""},
	} {
		got, ok := agent.CardHost(c.host)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("CardHost(%q) = %q, %v; want %q", c.host, got, ok, c.want)
		}
	}
}
