package portaltest

import (
	"context"
	"net/http"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/portal"
)

// home plays the activation of the next card: 6000000900009999 is its number,
// 2026/0000050 has not shown its codes yet, 2026/0000051 has.
type home struct{ s *Stage }

func (h home) Successor(context.Context, codicefiscale.Code, string) (lifecycle.Card, error) {
	return h.s.Cards["pending"], nil
}

func (h home) ActivateSuccessor(_ context.Context, o counter.SuccessorOrder) (counter.Act, error) {
	if o.Number != "6000000900009999" {
		return counter.Act{}, words.Refuse("CSE-465", "0:02").At("tessera_nuova")
	}
	return counter.Act{Protocol: "2026/0000050"}, nil
}

func (h home) SuccessorAct(_ context.Context, _ codicefiscale.Code, protocol string) (counter.Act, error) {
	a := counter.Act{Protocol: protocol, Kind: counter.KindSuccessor, At: Now, Form: counter.Form{EmailMasked: "g•••@e•••.it"}}
	if protocol == "2026/0000051" {
		a.PrintedAt = Now
	}
	return a, nil
}

func (h home) ShowHalves(_ context.Context, _ codicefiscale.Code, protocol string) (string, error) {
	if protocol == "2026/0000051" {
		return "", words.Refuse("CSE-464")
	}
	return h.s.Cards["pending"].ID, nil
}

func halves(context.Context, string) ([]portal.Half, error) {
	return []portal.Half{
		{Name: "PIN", First: secret.FromString("12"), Rest: 3},
		{Name: "PUK", First: secret.FromString("34"), Rest: 6},
		{Name: "CIP", First: secret.FromString("56789"), Rest: 5},
	}, nil
}

func successorStates() []State {
	const path, who = "/tessera/attiva-nuova", "active"
	filled := func(number string) []string {
		return []string{
			"richiesta", "0123456789abcdef0123456789abcdef", "tessera_nuova", number, "email", "a@esempio.it", "email_ripetuta", "a@esempio.it",
			"lingua", "it", "consenso", "si",
		}
	}
	return []State{
		{Name: "nuova", Host: "portal", Path: path, Who: who, Status: http.StatusOK},
		{Name: "nuova-da-nessuno", Host: "portal", Path: path, Form: form(), Status: 403, Fault: "CSE-350"},
		{Name: "nuova-vuota", Host: "portal", Path: path, Who: who, Form: form("lingua", "it"), Status: 422, Fault: "CSE-358"},
		{Name: "nuova-numero-errato", Host: "portal", Path: path, Who: who, Form: form(filled("6000000900000000")...), Status: 422, Fault: "CSE-465"},
		{Name: "nuova-fatta", Host: "portal", Path: path, Who: who, Form: form(filled("6000 0009 0000 9999")...), Status: 200, Follow: true},
		{Name: "nuova-codici", Host: "portal", Path: "/tessera/nuova/2026/0000050/codici", Who: who, Form: form(), Status: 200},
		{Name: "nuova-codici-visti", Host: "portal", Path: "/tessera/nuova/2026/0000051", Who: who, Status: 200},
		{Name: "nuova-codici-di-nuovo", Host: "portal", Path: "/tessera/nuova/2026/0000051/codici", Who: who, Form: form(), Status: 403, Fault: "CSE-464"},
	}
}
