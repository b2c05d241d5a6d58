package login_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cse.example/cse/login"
	"cse.example/cse/login/door"
	"cse.example/cse/login/identity"
	"cse.example/cse/login/logintest"
	"cse.example/cse/pki/trust"
	"cse.example/cse/pki/trust/trusttest"
)

// R4, R9, R15: at the real door, through TLS, every certificate of the negative generator is refused with its code, and its twin
// is let in; nobody is asked about the standing of one that is refused (login.md 8.1, X.509).
func TestR9_NegativeGeneratorAtTheDoor(t *testing.T) {
	anchors, cases := trusttest.Make(t, time.Now())
	var asked atomic.Int32
	w := logintest.New(t, logintest.Options{Change: func(_ *login.Config, n *login.Needs) {
		n.Trust = door.FromPKI(trust.Verifier{Anchors: anchors}, func(*x509.Certificate) door.Issuer { return door.Issuer{} })
		n.Revocation = func(context.Context, identity.CardRef) (door.CertStatus, error) {
			asked.Add(1)
			return door.CertStatus{State: door.Good}, nil
		}
	}})
	show := func(t *testing.T, s trusttest.Sample) answer {
		t.Helper()
		card := &tls.Certificate{Certificate: [][]byte{s.Leaf.Raw}, PrivateKey: s.Key, Leaf: s.Leaf}
		for _, o := range s.Offered {
			card.Certificate = append(card.Certificate, o.Raw)
		}
		return atDoor(t, w, card)
	}
	in := map[*x509.Certificate]bool{} // twins that were let in already
	for _, c := range cases {
		if c.Code == "" {
			continue
		}
		t.Run(c.Row+"/"+c.Name, func(t *testing.T) {
			before := asked.Load()
			a := show(t, c.Bad)
			wantRefusal(t, a, c.Code)
			if strings.Contains(a.text, trusttest.CF) {
				t.Error("the page shows the codice fiscale")
			}
			if asked.Load() != before {
				t.Error("somebody was asked about a certificate that is refused")
			}
			if in[c.Twin.Leaf] {
				return
			}
			in[c.Twin.Leaf] = true
			if a := show(t, c.Twin); a.StatusCode != http.StatusSeeOther {
				t.Errorf("the twin: %d %s", a.StatusCode, a.text)
			}
		})
	}
}
