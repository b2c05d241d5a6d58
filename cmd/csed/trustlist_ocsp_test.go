package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/card/cns"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/login/door"
	"cse.example/cse/login/logintest"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
)

// R8, R9: besides the list, or instead of it, an issuer's responder is asked what
// a card's certificate is worth: the stricter word counts, one that is silent
// leaves it to the other, and nobody is asked about a card whose chain is not one
// of ours to believe.
func TestR9_OtherIssuersResponder(t *testing.T) {
	t.Parallel()
	now := catest.Start
	hour := time.Hour
	own, other, third := logintest.NewAuthority(t, "CA nostra", now), logintest.NewAuthority(t, "CA vicina", now), logintest.NewAuthority(t, "CA vicina", now)
	id, err := cns.NewCardID("6030", 79, 0)
	check(t, err)
	issue := func(by *logintest.Authority) *x509.Certificate {
		return by.Issue(t, logintest.OtherCF, id, now, logintest.CardKey(), nil).Leaf
	}
	leaf, stranger := issue(other), issue(third) // the same name, another key
	say := func(by *logintest.Authority, s, reason int) []byte {
		return by.Answer(t, ocsp.Response{
			Status: s, SerialNumber: leaf.SerialNumber, ThisUpdate: now.Add(-hour), NextUpdate: now.Add(hour), RevokedAt: now.Add(-hour), RevocationReason: reason,
		})
	}
	fresh, gone := other.List(t, now.Add(-hour), now.Add(hour), nil), other.List(t, now.Add(-hour), now.Add(hour), map[*x509.Certificate]int{leaf: 1})
	stale := other.List(t, now.Add(-2*hour), now.Add(-hour), nil)
	for name, x := range map[string]struct {
		list   []byte
		alone  bool // no list is configured
		answer []byte
		leaf   *x509.Certificate
		want   string
		asked  int
	}{
		"both say good":                   {fresh, false, say(other, ocsp.Good, 0), leaf, "", 1},
		"the list is good, revoked there": {fresh, false, say(other, ocsp.Revoked, 1), leaf, "CSE-302", 1},
		"the list is good, held there":    {fresh, false, say(other, ocsp.Revoked, 6), leaf, "CSE-303", 1},
		"the list says revoked":           {gone, false, say(other, ocsp.Good, 0), leaf, "CSE-302", 0},
		"a stale list, good there":        {stale, false, say(other, ocsp.Good, 0), leaf, "", 1},
		"a stale list, nobody there":      {stale, false, nil, leaf, "CSE-306", 1},
		"a fresh list, nobody there":      {fresh, false, nil, leaf, "", 1},
		"no list, good there":             {nil, true, say(other, ocsp.Good, 0), leaf, "", 1},
		"no list, nobody there":           {nil, true, nil, leaf, "CSE-306", 1},
		"no list, signed by another":      {nil, true, say(third, ocsp.Good, 0), leaf, "CSE-306", 1},
		"no list, unknown there":          {nil, true, say(other, ocsp.Unknown, 0), leaf, "CSE-316", 1},
		"a chain that nobody signed":      {nil, true, say(other, ocsp.Good, 0), stranger, "CSE-308", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := defaults()
			c.Data = t.TempDir()
			check(t, os.WriteFile(c.under("vicina.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.Cert.Raw}), 0o600))
			trusted := Trusted{Certificate: "vicina.pem", CRL: "vicina.crl", OCSP: "http://ocsp.example.it"}
			if x.alone {
				trusted.CRL = ""
			} else {
				check(t, os.WriteFile(c.under("vicina.crl"), x.list, 0o600))
			}
			c.Login.Trust = []Trusted{trusted}
			n, err := c.readTrustList()
			check(t, err)
			asked := 0
			n.asking(civil.NewHand(now), func(context.Context, string, []byte) ([]byte, error) {
				asked++
				if x.answer == nil {
					return nil, errors.New("nobody there")
				}
				return x.answer, nil
			})
			p := &Platform{Config: c, Clock: civil.NewHand(now), material: &ca.Material{Issuing: own.Cert}, neighbour: n, db: storetest.SQLite(t)}
			d := door.Door{Trust: p.believe(), Revocation: p.revocation, Cards: p.doorCard, Clock: p.Clock, ACR: c.Login.ACR}
			_, err = d.Admit(t.Context(), tls.ConnectionState{PeerCertificates: []*x509.Certificate{x.leaf}})
			got := ""
			if f := words.FaultOf(err); f != nil {
				got = f.Code
			} else {
				check(t, err)
			}
			if got != x.want || asked != x.asked {
				t.Errorf("%q after %d questions, want %q after %d (%v)", got, asked, x.want, x.asked, err)
			}
		})
	}
	// An address that is none, or no source at all, is refused at the start.
	for _, bad := range []Trusted{{Certificate: "vicina.pem", OCSP: "ftp://x"}, {Certificate: "vicina.pem", OCSP: "ocsp.example.it"}, {Certificate: "vicina.pem"}} {
		c := defaults()
		c.Data = t.TempDir()
		check(t, os.WriteFile(c.under("vicina.pem"), other.Cert.Raw, 0o600))
		c.Login.Trust = []Trusted{bad}
		if _, err := c.readTrustList(); !errors.Is(err, words.Refuse("CSE-383")) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
