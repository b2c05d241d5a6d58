package login_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"cse.example/cse/login"
	"cse.example/cse/login/door"
	"cse.example/cse/login/logintest"
)

const proofURL = "https://portal.cse.test/riattiva"

func proofWorld(t *testing.T) *logintest.World {
	t.Helper()
	return logintest.New(t, logintest.Options{Change: func(c *login.Config, _ *login.Needs) { c.ProofURL = proofURL }})
}

// hold suspends the card of the world.
func hold(w *logintest.World) {
	w.Office.SetCard(logintest.CardID, func(c *door.Card) { c.State = door.Suspended })
	w.Office.SetCert(serialOf(w), door.CertStatus{State: door.Held})
}

func serialOf(w *logintest.World) string {
	return fmt.Sprintf("%x", w.Card.Leaf.SerialNumber.Bytes())
}

// A card on hold proves its signature at that one address, for the browser that
// asked; it opens nothing else, and every other reason to refuse stays.
func TestR84_OnlyTheProofAcceptsACardOnHold(t *testing.T) {
	w := proofWorld(t)
	hold(w)
	address, err := w.Service.BeginProof(t.Context(), "this browser")
	if err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, get(t, w.Browser(&w.Card), strings.Replace(address, door.ProofPath, door.Path, 1)), "CSE-323")
	a := get(t, w.Browser(&w.Card), address)
	to := a.Header.Get("Location")
	if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, proofURL+"?ticket=") {
		t.Fatalf("%d to %q\n%s", a.StatusCode, to, a.text)
	}
	ticket := logintest.Query(t, to, "ticket")
	wantRefusal(t, get(t, w.Browser(nil), w.LoginURL+"/return?ticket="+ticket), "CSE-322")
	card, err := w.Service.TakeProof(t.Context(), ticket, "this browser")
	if err != nil || card != string(logintest.CardID) {
		t.Errorf("the proof: %q, %v", card, err)
	}
	if _, err := w.Service.TakeProof(t.Context(), ticket, "this browser"); err == nil {
		t.Error("a ticket is taken twice")
	}
	p := portal(t, w)
	wantRefusal(t, get(t, w.Browser(&w.Card), toCard(t, w.Browser(&w.Card), p.start())), "CSE-303")
	if acts := strings.Join(w.Office.Acts(), " "); acts != "card.proved login.refused:CSE-303" {
		t.Errorf("journal: %s", acts)
	}
}

func TestR84_TheProofRefusesTheRest(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *logintest.World)
		want   string
	}{
		"revoked card": {func(w *logintest.World) {
			w.Office.SetCard(logintest.CardID, func(c *door.Card) { c.State = door.Ended })
		}, "CSE-302"},
		"not activated": {func(w *logintest.World) {
			w.Office.SetCard(logintest.CardID, func(c *door.Card) { c.State = door.NotActivated })
		}, "CSE-205"},
		"waits for new codes": {func(w *logintest.World) {
			w.Office.SetCard(logintest.CardID, func(c *door.Card) { c.State = door.Waiting })
		}, "CSE-765"},
		"dead":                {func(w *logintest.World) { w.Office.SetCard(logintest.CardID, func(c *door.Card) { c.Deceased = true }) }, "CSE-314"},
		"revoked certificate": {func(w *logintest.World) { w.Office.SetCert(serialOf(w), door.CertStatus{State: door.Revoked}) }, "CSE-302"},
		"a hold of no card": {func(w *logintest.World) {
			w.Office.SetCard(logintest.CardID, func(c *door.Card) { c.State = door.Active })
		}, "CSE-303"},
	} {
		t.Run(name, func(t *testing.T) {
			w := proofWorld(t)
			hold(w)
			c.change(w)
			address, err := w.Service.BeginProof(t.Context(), "b")
			if err != nil {
				t.Fatal(err)
			}
			wantRefusal(t, get(t, w.Browser(&w.Card), address), c.want)
		})
	}
	w := proofWorld(t)
	address, err := w.Service.BeginProof(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, get(t, w.Browser(nil), address), "CSE-304")
	ordinary := toCard(t, w.Browser(&w.Card), portal(t, w).start())
	wantRefusal(t, get(t, w.Browser(&w.Card), strings.Replace(ordinary, door.Path, door.ProofPath, 1)), "CSE-323")
}
