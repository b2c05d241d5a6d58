package main

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/login/door"
	"cse.example/cse/login/identity"
	"cse.example/cse/login/logintest"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
)

// R8, R9: a CNS of an issuer in the configured trust list opens, by its own
// issuer's list of revocation; when that list is missing, too old, somebody
// else's or not complete, nothing opens.
func TestOtherIssuersCards(t *testing.T) {
	t.Parallel()
	now := catest.Start
	hand := civil.NewHand(now)
	own, other, third := logintest.NewAuthority(t, "CA nostra", now), logintest.NewAuthority(t, "CA vicina", now), logintest.NewAuthority(t, "CA lontana", now)
	c := defaults()
	c.Data = t.TempDir()
	check(t, os.WriteFile(c.under("vicina.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.Cert.Raw}), 0o600))
	c.Login.Trust = []Trusted{{Certificate: "vicina.pem", CRL: "vicina.crl", Bodies: []string{"REGIONE DI PROVA"}}}
	n, err := c.readTrustList()
	check(t, err)
	p := &Platform{Config: c, Clock: hand, material: &ca.Material{Issuing: own.Cert}, neighbour: n, db: storetest.SQLite(t)}

	id, err := cns.NewCardID("6030", 77, 0)
	check(t, err)
	issue := func(by *logintest.Authority, ou string) *x509.Certificate {
		return by.Issue(t, logintest.OtherCF, id, now, logintest.CardKey(), func(c *x509.Certificate) { c.Subject.OrganizationalUnit = []string{ou} }).Leaf
	}
	good, stranger, elsewhere := issue(other, "REGIONE DI PROVA"), issue(third, "REGIONE DI PROVA"), issue(other, "ALTRO ENTE")
	revoked, held := issue(other, "REGIONE DI PROVA"), issue(other, "REGIONE DI PROVA")
	gone := map[*x509.Certificate]int{revoked: 1, held: 6}
	partial := pkix.Extension{Id: []int{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 0x00}}
	hour := time.Hour
	for i, tt := range []struct {
		name string
		list []byte
		leaf *x509.Certificate
		want string
	}{
		{"no list yet", nil, good, "CSE-306"},
		{"good", other.List(t, now.Add(-hour), now.Add(hour), gone), good, ""},
		{"revoked", other.List(t, now.Add(-hour), now.Add(hour), gone), revoked, "CSE-302"},
		{"on hold", other.List(t, now.Add(-hour), now.Add(hour), gone), held, "CSE-303"},
		{"an administration not agreed", other.List(t, now.Add(-hour), now.Add(hour), gone), elsewhere, "CSE-312"},
		{"an issuer not in the list", other.List(t, now.Add(-hour), now.Add(hour), nil), stranger, "CSE-308"},
		{"list too old", other.List(t, now.Add(-2*hour), now.Add(-hour), nil), good, "CSE-306"},
		{"list of tomorrow", other.List(t, now.Add(hour), now.Add(2*hour), nil), good, "CSE-306"},
		{"list signed by another", third.List(t, now.Add(-hour), now.Add(hour), nil), good, "CSE-306"},
		{"list of a part", other.List(t, now.Add(-hour), now.Add(hour), nil, partial), good, "CSE-306"},
		{"no list but noise", []byte("noise"), good, "CSE-306"},
	} {
		if tt.list != nil {
			check(t, os.WriteFile(c.under("vicina.crl"), tt.list, 0o600))
			at := now.Add(time.Duration(i) * time.Minute)
			check(t, os.Chtimes(c.under("vicina.crl"), at, at))
		}
		d := door.Door{Trust: p.believe(), Revocation: p.revocation, Cards: p.doorCard, Clock: hand, ACR: c.Login.ACR}
		who, err := d.Admit(t.Context(), tls.ConnectionState{PeerCertificates: []*x509.Certificate{tt.leaf}})
		got := ""
		if f := words.FaultOf(err); f != nil {
			got = f.Code
		} else {
			check(t, err)
		}
		if got != tt.want || tt.want == "" && (who.CF != logintest.OtherCF || who.Card.Own) {
			t.Errorf("%s: %q, want %q (%+v)", tt.name, got, tt.want, who.Card)
		}
	}
	by := issuerID(other.Cert.RawSubject, other.Cert.SubjectKeyId)
	if ref, ok := n.card(by, string(id)); !ok || ref.Own {
		t.Error("the portal could not ask about the card again")
	}
	// Another issuer may have a card with that number: it is another card.
	theirs := identity.CardRef{ID: string(id), Issuer: "another", Serial: "77"}
	n.remember(theirs)
	if ref, ok := n.card("another", string(id)); !ok || ref.Serial != "77" {
		t.Errorf("the other issuer's card: %+v", ref)
	}
	if ref, ok := n.card(by, string(id)); !ok || ref.Serial == "77" {
		t.Errorf("one issuer's card became another's: %+v", ref)
	}
	if _, ok := n.card("", string(id)); ok {
		t.Error("a number without an issuer is a card of another's")
	}
	if !n.same(by, issuerID(other.Cert.RawSubject, nil)) || n.same(by, "another") || n.same("", by) {
		t.Error("who is the same issuer")
	}
	for k := range manyCards + 5 {
		n.remember(identity.CardRef{ID: string(rune(k))})
	}
	if len(n.cards) != manyCards {
		t.Errorf("%d cards are remembered", len(n.cards))
	}
}

// An authority that changed its key keeps its name: a card of the new key is not
// good because the list of the old one is silent about it.
func TestOtherIssuersTwoKeys(t *testing.T) {
	t.Parallel()
	now := catest.Start
	c := defaults()
	c.Data = t.TempDir()
	id, err := cns.NewCardID("6030", 78, 0)
	check(t, err)
	var leaf *x509.Certificate
	for _, name := range []string{"old", "new"} {
		a := logintest.NewAuthority(t, "CA vicina", now)
		leaf = a.Issue(t, logintest.OtherCF, id, now, logintest.CardKey(), nil).Leaf
		gone := map[*x509.Certificate]int{}
		if name == "new" {
			gone[leaf] = 1
		}
		check(t, os.WriteFile(c.under(name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Cert.Raw}), 0o600))
		check(t, os.WriteFile(c.under(name+".crl"), a.List(t, now.Add(-time.Hour), now.Add(time.Hour), gone), 0o600))
		c.Login.Trust = append(c.Login.Trust, Trusted{Certificate: name + ".pem", CRL: name + ".crl"})
	}
	n, err := c.readTrustList()
	check(t, err)
	p := &Platform{Config: c, Clock: civil.NewHand(now), material: &ca.Material{Issuing: logintest.NewAuthority(t, "CA nostra", now).Cert}, neighbour: n, db: storetest.SQLite(t)}
	d := door.Door{Trust: p.believe(), Revocation: p.revocation, Cards: p.doorCard, Clock: p.Clock, ACR: c.Login.ACR}
	admit := func() error {
		_, err := d.Admit(t.Context(), tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}})
		return err
	}
	if err := admit(); !errors.Is(err, words.Refuse("CSE-302")) {
		t.Errorf("revoked by the new key: %v", err)
	}
	check(t, os.Remove(c.under("old.crl")))
	if err := admit(); !errors.Is(err, words.Refuse("CSE-306")) {
		t.Errorf("one of the two lists is missing: %v", err)
	}
}

func TestTrustListRefused(t *testing.T) {
	t.Parallel()
	c := defaults()
	c.Data = t.TempDir()
	leaf := logintest.NewAuthority(t, "CA", catest.Start).Web(t, catest.Start, "portal.cse.localhost").Leaf
	check(t, os.WriteFile(filepath.Join(c.Data, "leaf.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}), 0o600))
	for name, x := range map[string]Trusted{
		"missing": {Certificate: "none.pem", CRL: "x.crl"}, "no authority": {Certificate: "leaf.pem", CRL: "x.crl"},
	} {
		c.Login.Trust = []Trusted{x}
		if f := words.FaultOf(c.check()); f == nil || f.Code != "CSE-383" {
			t.Errorf("%s: %v", name, f)
		}
	}
}

// R17 at the platform's own configuration: check-config and serve refuse a
// service that is not of a public administration.
func TestServiceOfNoPublicAdministration(t *testing.T) {
	t.Parallel()
	c := defaults()
	c.Data = t.TempDir()
	c.Services = []Service{{ID: "negozio", Name: "Un negozio", Level: "comunale", URL: "https://negozio.example.it", Redirects: []string{"https://negozio.example.it/cb"}}}
	c.settle()
	if f := words.FaultOf(c.check()); f == nil || f.Code != "CSE-320" {
		t.Errorf("%v", f)
	}
	c.Services[0].PublicPA = true
	if err := c.check(); err != nil {
		t.Errorf("a public administration: %v", err)
	}
}

// A bought server certificate is used if it is good for every public name.
func TestServerCertificate(t *testing.T) {
	t.Parallel()
	web := logintest.NewAuthority(t, "CA web", time.Now())
	c := defaults()
	c.Data = t.TempDir()
	c.settle()
	c.Web = Web{Certificate: "web.pem", Key: "web.key"}
	p := &Platform{Config: c}
	for _, tt := range []struct {
		names []string
		good  bool
	}{
		{[]string{"portal.cse.localhost", "login.cse.localhost", "cns.cse.localhost", "api.cse.localhost"}, true},
		{[]string{"portal.cse.localhost", "login.cse.localhost", "cns.cse.localhost"}, false},
	} {
		pair := web.Web(t, time.Now(), tt.names...)
		key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
		check(t, err)
		check(t, os.WriteFile(c.under("web.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Leaf.Raw}), 0o600))
		check(t, os.WriteFile(c.under("web.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
		get, err := p.serverCertificate()
		if tt.good != (err == nil) {
			t.Fatalf("%v: %v", tt.names, err)
		}
		if err != nil {
			if f := words.FaultOf(err); f == nil || f.Code != "CSE-383" {
				t.Errorf("%v", err)
			}
			continue
		}
		if got, err := get(nil); err != nil || !got.Leaf.Equal(pair.Leaf) {
			t.Errorf("another certificate is shown: %v", err)
		}
	}
}
