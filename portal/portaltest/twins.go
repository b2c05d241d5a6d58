package portaltest

import (
	"context"
	"net/http"

	"cse.example/cse/issuer/counter"
	"cse.example/cse/portal"
)

// twin is a paper with one block of each kind.
func twin(context.Context, counter.Form) ([]portal.PaperBlock, error) {
	return []portal.PaperBlock{
		{Kind: "heading", Text: "Richiesta di attivazione e consenso", Items: []string{"Copia per il titolare"}},
		{Kind: "section", Text: "Titolare della tessera"},
		{Kind: "fields", Pairs: [][2]string{{"Cognome e nome", "ROSSI MARIO"}, {"Numero della carta", "6000000900001001"}}},
		{Kind: "paragraph", Text: "Chiede l'attivazione della Carta Nazionale dei Servizi contenuta nella tessera."},
		{Kind: "list", Items: []string{"un documento di identità valido;", "la tessera."}},
		{Kind: "consent", Text: "Consenso all'attivazione.", Given: true},
		{Kind: "consent", Text: "Consenso a ricevere avvisi."},
		{Kind: "signatures", Items: []string{"Firma del richiedente", "Firma dell'operatore"}},
	}, nil
}

// twinStates are the pages that say what papers say.
func twinStates() []State {
	return []State{
		{Name: "fogli-attivazione", Host: "portal", Path: "/sportello/pratica/2026/0000001/testo", Who: "password", Status: http.StatusOK},
		{Name: "fogli-atto", Host: "portal", Path: "/sportello/pratica/2026/0000004/testo", Who: "password", Status: http.StatusOK},
		{Name: "fogli-distrutti", Host: "portal", Path: "/sportello/pratica/2017/0000001/testo", Who: "password", Status: http.StatusForbidden, Fault: "CSE-646"},
		{Name: "fogli-ignoti", Host: "portal", Path: "/sportello/pratica/2026/9999999/testo", Who: "password", Status: http.StatusForbidden, Fault: "CSE-145"},
	}
}
