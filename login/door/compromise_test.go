package door_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/login/door"
	"cse.example/cse/login/identity"
	"cse.example/cse/login/logintest"
)

// Who holds a card of an authority whose key was lost is told so, before and after
// the card itself was ended; who lost his card is not.
func TestTheDoorTellsALostAuthorityFromALostCard(t *testing.T) {
	now := time.Now().UTC()
	ca := logintest.NewAuthority(t, "CA CNS di prova", now)
	leaf := ca.Issue(t, logintest.CF, logintest.CardID, now, logintest.CardKey(), nil).Leaf
	for name, x := range map[string]struct {
		card   door.State
		reason int
		want   string
	}{
		"the authority's key, the card not ended yet": {door.Active, 2, "CSE-932"},
		"the authority's key, the card ended":         {door.Ended, 2, "CSE-932"},
		"the card's own":                              {door.Active, 1, "CSE-302"},
		"the card's own, ended":                       {door.Ended, 1, "CSE-302"},
	} {
		d := newDoor(now, ca)
		d.Cards = func(context.Context, string) (door.Card, error) {
			return door.Card{State: x.card, CF: logintest.CF}, nil
		}
		d.Revocation = func(context.Context, identity.CardRef) (door.CertStatus, error) {
			return door.CertStatus{State: door.Revoked, At: now, Reason: x.reason}, nil
		}
		_, err := d.Admit(t.Context(), tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}})
		var r *door.Refusal
		if !errors.As(err, &r) || !errors.Is(err, words.Refuse(x.want)) || r.Reason != x.reason {
			t.Errorf("%s: %v, want %s", name, err, x.want)
		}
	}
}
