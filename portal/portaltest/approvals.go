package portaltest

import (
	"context"
	"net/http"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/contacts"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/parameters"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/issuer/trustlist"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/profile"
	"cse.example/cse/portal"
)

// eyes plays what needs two people.
type eyes struct{ ops }

func (s *Stage) fourEyes() *portal.FourEyes {
	e := eyes{ops{s}}
	return &portal.FourEyes{Approvals: e, Parameters: e, AskReprint: func(_ context.Context, _ staff.Operator, _, why string) error {
		if why == "" {
			return words.Refuse("CSE-546", 200).At("motivo_richiesta")
		}
		return nil
	}, AskAddress: func(_ context.Context, _ staff.Operator, _, email, _ string) error {
		switch {
		case strings.HasPrefix(email, "mia"):
			return words.Refuse("CSE-647")
		case strings.HasPrefix(email, "libera"):
			return words.Refuse("CSE-648").At("email")
		}
		return nil
	}}
}

func (e eyes) requests() []approval.Request {
	return []approval.Request{
		e.s.hireRequest(),
		{ID: "uno", Kind: parameters.KindChange, Subject: parameters.Reprints, Content: parameters.Content(parameters.Reprints, 3, day(2027, 1, 1)), Note: "delibera 7", AskedBy: "marta", AskedAt: Now, Expires: Now.AddDate(0, 0, 7)},
		{ID: "due", Kind: counter.ApprovalThirdReprint, Subject: e.s.Cards["active"].ID, Note: "ha perso di nuovo il foglio", AskedBy: "operations", AskedAt: Now, Expires: Now.Add(24 * time.Hour)},
		{ID: "tre", Kind: counter.ApprovalAddress, Subject: e.s.Cards["active"].ID, Content: contacts.Release{Person: "p", Address: "a"}.Content(e.s.Cards["active"].ID, "g•••@p•••.it", "CSE-606"), Note: "è la moglie dell'operatore", AskedBy: "paola", AskedAt: Now, Expires: Now.Add(24 * time.Hour)},
		{ID: "autorita", Kind: ca.AskRevocation, Subject: "issuing", Content: ca.Asking{
			Act: ca.AskRevocation, Label: "issuing", Fingerprint: strings.Repeat("0a1b2c3d", 8), Next: "cittadini-2027", NextFingerprint: strings.Repeat("4e5f6a7b", 8),
		}.Content(), Note: "chiave persa", AskedBy: "marta", AskedAt: Now, Expires: Now.Add(24 * time.Hour)},
		{ID: "profilo", Kind: "profile.change", Subject: "issuing", Content: sheetContent(), Note: "nuovo testo della politica", AskedBy: "marta", AskedAt: Now, Expires: Now.AddDate(0, 0, 3)},
		{ID: "lista", Kind: trustlist.Kind, Subject: "italia", Content: listContent(), Note: "elenco di dicembre", AskedBy: "marta", AskedAt: Now, Expires: Now.AddDate(0, 0, 7)},
	}
}

func (e eyes) Waiting(_ context.Context, op staff.Operator) ([]approval.Request, error) {
	if !op.Has(staff.RoleOperations) {
		return nil, nil
	}
	return e.requests(), nil
}

func (e eyes) Decide(_ context.Context, op staff.Operator, id, _ string, _ bool) error {
	switch {
	case !op.Has(staff.RoleOperations):
		return words.Refuse("CSE-555")
	case id == "due":
		return words.Refuse("CSE-552")
	}
	return nil
}

func (e eyes) List(_ context.Context, op staff.Operator) ([]parameters.Line, error) {
	var out []parameters.Line
	for i, b := range parameters.Known() {
		l := parameters.Line{Bounds: b, Now: b.Default}
		if i == 0 {
			l.History = []parameters.Value{{Name: b.Name, From: day(2027, 1, 1), Value: 3}, {Name: b.Name, From: day(2026, 2, 1), Value: b.Default}}
		}
		out = append(out, l)
	}
	return out, e.reads(op)
}

func (e eyes) Propose(_ context.Context, op staff.Operator, _ string, value int, _ civil.Date, _ string) (approval.Request, error) {
	switch {
	case e.acts(op) != nil:
		return approval.Request{}, e.acts(op)
	case value > 20:
		return approval.Request{}, words.Refuse("CSE-556", 0, 20).At("valore")
	}
	return approval.Request{}, nil
}

// eyesStates are the pages of four eyes: empty, with errors, done.
func (s *Stage) eyesStates() []State {
	const rules = "/operazioni/parametri"
	address := "/sportello/tessera/" + s.Cards["active"].ID + "/indirizzo/approvazione"
	stopped := func(name string, status int, fault string, pairs ...string) State {
		return State{Name: "indirizzo-" + name, Host: "portal", Path: address, Form: form(pairs...), Who: "password", Status: status, Fault: fault, Follow: status == 200}
	}
	return []State{
		{Name: "approvazioni", Host: "portal", Path: "/approvazioni", Who: "operations", Status: http.StatusOK},
		{Name: "approvazioni-nessuna", Host: "portal", Path: "/approvazioni?fatto=chiesto", Who: "password", Status: http.StatusOK},
		{Name: "approvazioni-propria", Host: "portal", Path: "/approvazioni/due", Form: form("decisione", "si"), Who: "operations", Status: 422, Fault: "CSE-552"},
		{Name: "approvazioni-fatta", Host: "portal", Path: "/approvazioni/uno", Form: form("decisione", "si"), Who: "operations", Status: 200, Follow: true},
		{Name: "approvazione-da-chiedere", Host: "portal", Path: "/sportello/tessera/" + s.Cards["active"].ID + "/ristampa", Who: "password", Status: 422, Fault: "CSE-452", Form: form(
			"richiesta", token, "presente", "titolare", "documento_tipo", "CI", "documento_numero", "AX1234567", "documento_ente", "Comune",
			"documento_rilascio", "05/03/2022", "documento_scadenza", "05/03/2032", "lingua", "it", "motivo", "terza ristampa",
		)},
		{Name: "approvazione-senza-motivo", Host: "portal", Path: "/sportello/tessera/" + s.Cards["active"].ID + "/ristampa/approvazione", Who: "password", Form: form(), Status: 403, Fault: "CSE-546"},
		{Name: "indirizzo-fermato", Host: "portal", Path: address, Who: "password", Status: 200},
		{Name: "indirizzo-da-chiedere", Host: "portal", Path: "/sportello/tessera/" + s.Cards["active"].ID + "/email", Who: "password", Status: 422, Fault: "CSE-606", Form: form(
			"richiesta", token, "presente", "titolare", "documento_tipo", "CI", "documento_numero", "AX1234567", "documento_ente", "Comune",
			"documento_rilascio", "05/03/2022", "documento_scadenza", "05/03/2032", "lingua", "it", "email", "paola@esempio.it", "email_ripetuta", "paola@esempio.it",
		)},
		stopped("vuoto", 422, "CSE-358"),
		stopped("proprio", 422, "CSE-647", "email", "mia@esempio.it", "motivo_richiesta", "prova"),
		stopped("libero", 422, "CSE-648", "email", "libera@esempio.it", "motivo_richiesta", "prova"),
		stopped("chiesto", 200, "", "email", "altra@esempio.it", "motivo_richiesta", "è la moglie dell'operatore"),
		{Name: "parametri", Host: "portal", Path: rules, Who: "operations", Status: 200},
		{Name: "parametri-revisore", Host: "portal", Path: rules, Who: "auditor", Status: 200},
		{Name: "parametri-chiesto", Host: "portal", Path: rules + "?fatto=si", Who: "operations", Status: 200},
		{Name: "parametri-vuota", Host: "portal", Path: rules, Form: form(), Who: "operations", Status: 422, Fault: "CSE-358"},
		{Name: "parametri-troppo", Host: "portal", Path: rules, Form: form("parametro", "reprints", "valore", "99", "dal", "01/01/2027", "motivo_richiesta", "prova"), Who: "operations", Status: 422, Fault: "CSE-556"},
		{Name: "parametri-parola", Host: "portal", Path: rules, Form: form("parametro", "reprints", "valore", "tre", "dal", "01/01/2027"), Who: "operations", Status: 422, Fault: "CSE-559"},
	}
}

// sheetContent is a profile of certificates that waits for a second person.
func sheetContent() []byte {
	b, err := profile.CNS{Organisation: "Certificatore di prova", Unit: "Regione di prova"}.Sheet("issuing").Content()
	if err != nil {
		panic(err) // of fixed values
	}
	return b
}
