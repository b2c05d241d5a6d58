package portaltest

import (
	"context"
	"net/http"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/portal"
)

// formTexts is one form.
func formTexts(words.Lang) ([]portal.FormText, error) {
	blocks, err := twin(context.Background(), counter.Form{})
	return []portal.FormText{
		{ID: "richiesta-attivazione", Name: "Richiesta di attivazione e consenso", Version: "4e5f6071", Blocks: blocks},
	}, err
}

// formTextStates are the texts of forms.
func formTextStates() []State {
	page := func(name, path string) State {
		return State{Name: name, Host: "portal", Path: "/operazioni/moduli" + path, Who: "operations", Status: http.StatusOK}
	}
	return []State{
		page("moduli", ""), page("modulo", "/richiesta-attivazione/it"), page("modulo-inglese", "/richiesta-attivazione/en"),
		{Name: "modulo-ignoto", Host: "portal", Path: "/operazioni/moduli/nessuno/it", Who: "operations", Status: http.StatusNotFound, Fault: "CSE-002"},
		{Name: "moduli-da-operatore", Host: "portal", Path: "/operazioni/moduli", Who: "password", Status: http.StatusForbidden, Fault: "CSE-003"},
	}
}
