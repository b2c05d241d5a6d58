package portaltest

import (
	"context"
	"net/http"

	"cse.example/cse/card/diagnosis"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/helpdesk"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
)

// token is what every form of the stage carries.
const token = "00112233445566778899aabbccddeeff"

func (d *desk) NewRequest() (string, error) { return token, nil }

// Do refuses what the form shows best; everything else is done.
func (d *desk) Do(ctx context.Context, op staff.Operator, kind counter.ActKind, o counter.Order) (counter.Act, error) {
	switch {
	case kind == counter.KindLoss && o.Report.Authority == "":
		return counter.Act{}, words.Refuse("CSE-430").At("denuncia_autorita")
	case kind == counter.KindChipFault && o.Lights == nil:
		return counter.Act{}, words.Refuse("CSE-436")
	case kind == counter.KindReprint && o.NoReader == "terza ristampa":
		return counter.Act{}, words.Refuse("CSE-452")
	case kind == counter.KindEmail && o.Email == "paola@esempio.it":
		return counter.Act{}, words.Refuse("CSE-606").At("email")
	case kind == counter.KindJoin && o.Identity.Representative.CF == "":
		return counter.Act{}, words.Refuse("CSE-446").At("rappresentante_cf")
	case kind == counter.KindJoin && o.Email == "":
		return counter.Act{}, words.Refuse("CSE-751").At("rappresentante_cf")
	case kind == counter.KindCorrection:
		return counter.Act{}, words.Refuse("CSE-125")
	}
	return d.Act(ctx, op, "2026/0000004")
}

// Offers shows some acts that may be done here and one that may not.
func (d *desk) May(context.Context, staff.Operator, counter.ActKind, string) error { return nil }

func (d *desk) Offers(_ staff.Operator, card lifecycle.Card, _ string) []counter.Offer {
	if card.State.Final() {
		return []counter.Offer{{Kind: counter.KindWithdrawal}, {Kind: counter.KindReferral}}
	}
	return []counter.Offer{
		{Kind: counter.KindReprint},
		{Kind: counter.KindEmail},
		{Kind: counter.KindJoin},
		{Kind: counter.KindSuspend},
		{Kind: counter.KindRevoke},
		{Kind: counter.KindLoss},
		{Kind: counter.KindNotReceived, Refusal: words.Refuse("CSE-124")},
		{Kind: counter.KindReferral},
	}
}

// Open refuses a caller who says nothing.
func (d *desk) Open(_ context.Context, _ staff.Operator, c helpdesk.Call) (helpdesk.Ticket, error) {
	if c.Facts.Comune == "" {
		return helpdesk.Ticket{}, words.Refuse("CSE-561")
	}
	return helpdesk.Ticket{ID: "T0011223344"}, nil
}

// Of is one ticket.
func (d *desk) Of(_ context.Context, card string) ([]helpdesk.Ticket, error) {
	return []helpdesk.Ticket{{ID: "T0011223344", Card: card, At: Now, Outcome: helpdesk.PINBlocked, Note: "richiama domani"}}, nil
}

// deskStates are the acts of one form: empty, with errors, done.
func (s *Stage) deskStates() []State {
	card := "/sportello/tessera/" + s.Cards["active"].ID
	doc := []string{
		"richiesta", token, "presente", "titolare", "documento_tipo", "CI", "documento_numero", "AX1234567", "documento_ente", "Comune",
		"documento_rilascio", "05/03/2022", "documento_scadenza", "05/03/2032", "lingua", "it",
	}
	parent := append([]string{}, doc...)
	parent[3] = "genitore"
	var out []State
	for word := range map[string]bool{
		"ristampa": true, "email": true, "altro-genitore": true, "sospendi": true, "riattiva": true, "revoca": true, "smarrimento": true, "non-ricevuta": true,
		"chip-guasto": true, "correzione": true, "dove-andare": true, "ritiro": true,
	} {
		out = append(out, State{Name: "atto-" + word, Host: "portal", Path: card + "/" + word, Who: "password", Status: http.StatusOK})
	}
	return append(
		out,
		State{Name: "assistenza", Host: "portal", Path: card + "/assistenza", Who: "password", Status: 200},
		State{Name: "assistenza-diagnosi", Host: "portal", Path: card + "/assistenza?diagnosi=" + string(lit.Reference()), Who: "password", Status: 200},
		State{Name: "assistenza-diagnosi-aperta", Host: "portal", Path: card + "/diagnosi", Who: "password", Form: form("diagnosi", "snlf af"), Status: 200, Follow: true},
		State{Name: "assistenza-diagnosi-mandata", Host: "portal", Path: card + "/assistenza?diagnosi=" + string(diagnosis.ForKept(1)), Who: "password", Status: 200},
		State{Name: "assistenza-diagnosi-errata", Host: "portal", Path: card + "/diagnosi", Who: "password", Form: form("diagnosi", "NTLTCZ"), Status: 422, Fault: "CSE-563"},
		State{Name: "assistenza-diagnosi-scaduta", Host: "portal", Path: card + "/assistenza?diagnosi=" + string(diagnosis.ForKept(2)), Who: "password", Status: 422, Fault: "CSE-816"},
		State{Name: "assistenza-non-riconosciuto", Host: "portal", Path: card + "/assistenza", Who: "password", Form: form("nota", "x"), Status: 422, Fault: "CSE-561"},
		State{Name: "assistenza-frode", Host: "portal", Path: card + "/assistenza", Who: "password", Form: form("chiamata", "frode"), Status: 422, Fault: "CSE-561"},
		State{Name: "assistenza-registrata", Host: "portal", Path: card + "/assistenza", Who: "password", Form: form("comune", "Prato"), Status: 200, Follow: true},
		State{Name: "atto-sospendi-vuoto", Host: "portal", Path: card + "/sospendi", Who: "password", Form: form("richiesta", token), Status: 422, Fault: "CSE-361"},
		State{Name: "atto-smarrimento-senza-denuncia", Host: "portal", Path: card + "/smarrimento", Who: "password", Form: form(doc...), Status: 422, Fault: "CSE-430"},
		State{Name: "atto-chip-senza-diagnosi", Host: "portal", Path: card + "/chip-guasto", Who: "password", Form: form(doc...), Status: 422, Fault: "CSE-436"},
		State{Name: "atto-correzione-altrove", Host: "portal", Path: card + "/correzione", Who: "password", Form: form(doc...), Status: 422, Fault: "CSE-125"},
		State{Name: "atto-sospendi-fatto", Host: "portal", Path: card + "/sospendi", Who: "password", Form: form(doc...), Status: 200, Follow: true},
		State{Name: "atto-altro-genitore-chi", Host: "portal", Path: card + "/altro-genitore", Who: "password", Form: form(parent...), Status: 422, Fault: "CSE-446"},
		State{
			Name: "atto-altro-genitore-gia", Host: "portal", Path: card + "/altro-genitore", Who: "password",
			Form: form(append(parent, "rappresentante_cf", "VRDLGU85M41F205T")...), Status: 422, Fault: "CSE-751",
		},
		State{
			Name: "atto-altro-genitore-fatto", Host: "portal", Path: card + "/altro-genitore", Who: "password",
			Form: form(append(parent, "rappresentante_cf", "VRDLGU85M41F205T", "email", "padre@esempio.it", "email_ripetuta", "padre@esempio.it")...), Status: 200, Follow: true,
		},
		State{Name: "atto-pratica", Host: "portal", Path: "/sportello/pratica/2026/0000004", Who: "password", Status: 200},
		State{Name: "atto-pratica-chiusa", Host: "portal", Path: "/sportello/pratica/2026/0000005", Who: "password", Status: 200},
		State{Name: "atto-ignoto", Host: "portal", Path: card + "/volare", Who: "password", Status: 404, Fault: "CSE-002"},
	)
}
