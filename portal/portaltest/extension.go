package portaltest

import (
	"context"
	"net/http"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/extension"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
)

// extensions plays the service that extends old cards' certificates: the holder
// without a chip may; the active one has done it, the pending one is in the midst
// of it, the others are refused.
type extensions struct{ s *Stage }

func (extensions) Ends(context.Context) (civil.Date, error) { return day(2027, 12, 31), nil }

func (e extensions) Offer(_ context.Context, cf codicefiscale.Code) (extension.Offer, error) {
	until := day(2027, 12, 31)
	request := func(c lifecycle.Card, state extension.State) extension.Offer {
		return extension.Offer{Card: c, Until: until, Request: &extension.Request{State: state, Old: "0c", New: c.CertSerial, OpenedAt: Now, EndedAt: Now}}
	}
	switch cf {
	case e.s.People["chipless"].CF:
		return extension.Offer{Card: e.s.Cards["old"], Until: until}, nil
	case e.s.People["active"].CF:
		c := e.s.Cards["active"]
		c.CertExpires = until
		o := request(c, extension.Confirmed)
		o.Refusal = words.Refuse("CSE-890", until.Italian())
		return o, nil
	case e.s.People["pending"].CF:
		return request(e.s.Cards["pending"], extension.Issued), nil
	case e.s.People["revoked"].CF:
		return extension.Offer{Card: e.s.Cards["revoked"], Refusal: words.Refuse("CSE-885"), Until: until}, nil
	}
	return extension.Offer{Refusal: words.Refuse("CSE-881")}, nil
}

func extensionStates() []State {
	out := []State{
		{Name: "estensione", Host: "portal", Path: "/estensione-certificato", Status: http.StatusOK},
	}
	for _, who := range []string{"chipless", "active", "pending", "revoked", "cardless"} {
		out = append(out, State{Name: "estensione-mia-" + who, Host: "portal", Path: "/tessera/certificato", Who: who, Status: http.StatusOK})
	}
	return out
}
