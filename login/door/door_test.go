package door_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/login/door"
	"cse.example/cse/login/identity"
	"cse.example/cse/login/logintest"
)

func newDoor(now time.Time, ca *logintest.Authority) *door.Door {
	return &door.Door{
		Trust: logintest.Trust(logintest.TrustedIssuer{CA: ca, Issuer: door.Issuer{Own: true}}),
		Revocation: func(context.Context, identity.CardRef) (door.CertStatus, error) {
			return door.CertStatus{State: door.Good}, nil
		},
		Cards: func(context.Context, string) (door.Card, error) {
			return door.Card{State: door.Active, CF: logintest.CF}, nil
		},
		Clock: civil.NewHand(now), ACR: identity.ACRCard,
	}
}

// weakSigner claims a public exponent of 3: enough to be certified.
type weakSigner struct{ *rsa.PrivateKey }

func (k weakSigner) Public() crypto.PublicKey { return &rsa.PublicKey{N: k.N, E: 3} }

func TestAdmit(t *testing.T) {
	now := time.Now().UTC()
	ca := logintest.NewAuthority(t, "CA CNS di prova", now)
	good := ca.Issue(t, logintest.CF, logintest.CardID, now, logintest.CardKey(), nil).Leaf
	weak := ca.Issue(t, logintest.CF, logintest.CardID, now, weakSigner{logintest.CardKey()}, nil).Leaf
	tests := []struct {
		name string
		cs   tls.ConnectionState
		want string
	}{
		{"good", tls.ConnectionState{PeerCertificates: []*x509.Certificate{good}}, ""},
		{"nothing", tls.ConnectionState{}, "CSE-304"},
		{"resumed: no fresh signature", tls.ConnectionState{PeerCertificates: []*x509.Certificate{good}, DidResume: true}, "CSE-330"},
		{"exponent 3", tls.ConnectionState{PeerCertificates: []*x509.Certificate{weak}}, "CSE-313"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newDoor(now, ca).Admit(t.Context(), tt.cs)
			got := ""
			if f := words.FaultOf(err); f != nil {
				got = f.Code
			}
			if got != tt.want || (err != nil && got == "") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestLiveFollowsTheCard(t *testing.T) {
	now := time.Now().UTC()
	ca := logintest.NewAuthority(t, "CA CNS di prova", now)
	d := newDoor(now, ca)
	id, err := d.Admit(t.Context(), tls.ConnectionState{PeerCertificates: []*x509.Certificate{
		ca.Issue(t, logintest.CF, logintest.CardID, now, logintest.CardKey(), nil).Leaf,
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Live(t.Context(), id); err != nil {
		t.Errorf("a good card: %v", err)
	}
	d.Clock.(*civil.Hand).Set(id.Card.NotAfter.Add(time.Second))
	if err := d.Live(t.Context(), id); !errors.Is(err, words.Refuse("CSE-301")) {
		t.Errorf("one second after the end: %v", err)
	}
	d.Clock.(*civil.Hand).Set(id.Card.NotAfter)
	if err := d.Live(t.Context(), id); err != nil {
		t.Errorf("in the last second: %v", err)
	}
}

func TestDerive(t *testing.T) {
	today := civil.Date{Year: 2026, Month: 11, Day: 23}
	tests := []struct {
		cf, born, sex, locality string
		derived                 int
	}{
		{"RSSMRA80A01H501U", "1980-01-01", "M", "Roma", 3},
		{"VRDLGU85M41F205T", "1985-08-01", "F", "Milano", 3},
		{"12345678903", "", "", "", 0}, // provisional: tells nothing
	}
	for _, tt := range tests {
		id := identity.Identity{CF: tt.cf}
		door.Derive(&id, today)
		if id.Born.String() != tt.born || id.Sex != tt.sex || id.Locality != tt.locality || len(id.Derived) != tt.derived {
			t.Errorf("%s: %s %s %s %v", tt.cf, id.Born, id.Sex, id.Locality, id.Derived)
		}
	}
}
