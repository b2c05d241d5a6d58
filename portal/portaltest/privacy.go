package portaltest

import (
	"context"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/privacy"
	"cse.example/cse/person/codicefiscale"
)

// privacyRoom plays issuer/privacy: one request of each state, one alert of each
// kind, one night.
type privacyRoom struct{}

func (privacyRoom) Ask(_ context.Context, cf codicefiscale.Code, kind privacy.Kind, text string) (privacy.Request, error) {
	switch {
	case kind == "":
		return privacy.Request{}, words.Refuse("CSE-642").At("richiesta")
	case kind == privacy.Rectification && text == "":
		return privacy.Request{}, words.Refuse("CSE-640", 2000).At("testo")
	}
	return privacy.Request{ID: "r1", CF: cf, Kind: kind, State: privacy.Open, At: Now}, nil
}

func (r privacyRoom) Of(_ context.Context, cf codicefiscale.Code) ([]privacy.Request, error) {
	return []privacy.Request{
		{ID: "r2", CF: cf, Kind: privacy.Rectification, State: privacy.Open, At: Now, Due: Now.Add(30 * 24 * time.Hour), Text: "l'indirizzo è sbagliato"},
		{ID: "r1", CF: cf, Kind: privacy.Access, State: privacy.Answered, At: Now, Due: Now, AnsweredAt: Now, Answer: "Ecco."},
	}, nil
}

func (privacyRoom) Export(_ context.Context, cf codicefiscale.Code) (privacy.Export, error) {
	return privacy.Export{Schema: "cse.privacy.export/1", At: Now, CF: string(cf)}, nil
}

func (r privacyRoom) Waiting(ctx context.Context) ([]privacy.Request, error) {
	list, err := r.Of(ctx, "RSSMRA85T10A562S")
	if err == nil {
		list = list[:1]
		list[0].Due = Now.Add(-time.Hour)
	}
	return list, err
}

func (privacyRoom) Answer(_ context.Context, _, _, text string, _ bool) error {
	if text == "" {
		return words.Refuse("CSE-640", 2000).At("risposta")
	}
	return nil
}

func (privacyRoom) Alerts(context.Context) ([]privacy.Alert, error) {
	return []privacy.Alert{
		{ID: "volume/paola/2026-11-23", Kind: privacy.Volume, Operator: "paola", Office: "asl-1", Day: "2026-11-23", Count: 120, At: Now},
		{ID: "colleague/x", Kind: privacy.Colleague, Operator: "paola", Office: "asl-1", Day: "2026-11-23", Count: 1, At: Now},
		{ID: "surname/x", Kind: privacy.SameSurname, Operator: "paola", Office: "asl-1", Card: "6000000900001001", Day: "2026-11-23", Count: 1, At: Now},
	}, nil
}

func (privacyRoom) See(_ context.Context, _, _, note string) error {
	if note == "" {
		return words.Refuse("CSE-640", 2000).At("esito")
	}
	return nil
}

func (privacyRoom) Retention(context.Context) ([]privacy.Report, error) {
	return []privacy.Report{{Day: "2026-11-23", Lines: []privacy.Line{{Kind: "requests", Days: 730, Destroyed: 3}, {Kind: "looks", Days: 30}, {Kind: "evidence", Days: 7305}, {Kind: "trail", Days: 10958, Destroyed: 12}}}}, nil
}

func privacyStates() []State {
	page := func(name, path, who string, status int, fault string) State {
		return State{Name: name, Host: "portal", Path: path, Who: who, Status: status, Fault: fault}
	}
	post := func(name, path, who string, status int, fault string, pairs ...string) State {
		return State{Name: name, Host: "portal", Path: path, Who: who, Form: form(pairs...), Status: status, Fault: fault, Follow: status == 200}
	}
	return []State{
		page("dati", "/tessera/dati", "active", 200, ""),
		page("dati-nessuna-informativa", "/tessera/dati", "pending", 200, ""),
		page("informativa-di-oggi", "/privacy/1-2026", "", 200, ""),
		page("informativa-di-ieri", "/privacy/1-2025", "", 200, ""),
		page("informativa-ignota", "/privacy/9-2031", "", 404, "CSE-002"),
		post("dati-vuota", "/tessera/dati", "active", 422, "CSE-642", "testo", "x"),
		post("dati-senza-testo", "/tessera/dati", "active", 422, "CSE-640", "richiesta", "rectification"),
		post("dati-chiesta", "/tessera/dati", "active", 200, "", "richiesta", "access"),
		page("privacy-gestione", "/gestione/privacy", "security", 200, ""),
		post("privacy-senza-risposta", "/gestione/privacy/richiesta", "security", 422, "CSE-640", "id", "r2"),
		post("privacy-avviso-chiuso", "/gestione/privacy/avviso", "security", 200, "", "id", "colleague/x", "esito", "verificato"),
		page("privacy-altri", "/gestione/privacy", "password", 403, "CSE-003"),
	}
}
