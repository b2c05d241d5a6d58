package portaltest

import (
	"context"
	"net/http"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/portal"
)

// delegated is a draft in which a delegate has been written down.
func delegated(step counter.CardStep) counter.Draft {
	return counter.Draft{
		ID: "delegato", Version: 1, Done: 1, Card: step, Contact: counter.ContactStep{Lang: words.Italian},
		Identity: counter.IdentityStep{
			Present:        counter.PresentDelegate,
			Document:       counter.Document{Kind: counter.IdentityCard, Number: "AX1234567", Issuer: "Comune di Firenze", Issued: day(2022, 3, 5), Expires: day(2032, 3, 5)},
			Representative: &counter.Representative{CF: "VRDLGU85M41F205T", Surname: "VERDI", Name: "LUIGIA", Health: true},
		},
	}
}

// Delegate refuses who says no health impediment, and an address of the delegate's.
func (d *desk) Delegate(_ context.Context, _ staff.Operator, id string, version int64, s counter.IdentityStep, to counter.ContactStep) (counter.Draft, error) {
	switch {
	case !s.Representative.Health:
		return counter.Draft{}, words.Refuse("CSE-121").At("salute")
	case to.Email == "luigia@esempio.it":
		return counter.Draft{}, words.Refuse("CSE-419").At("email")
	}
	return d.change(id, version, func(x *counter.Draft) { x.Identity, x.Contact, x.Done = s, to, 1 })
}

func (d *desk) DelegationOf(ctx context.Context, op staff.Operator, id string) (counter.Delegation, error) {
	x, err := d.Draft(ctx, op, id)
	if err == nil && x.Identity.Present != counter.PresentDelegate {
		err = words.Refuse("CSE-780").At("rappresentante_cf")
	}
	return counter.Delegation{Identity: x.Identity, Email: x.Contact.Email, Lang: words.Italian}, err
}

func (d *desk) DelegationPrinted(context.Context, staff.Operator, counter.Delegation) error {
	return nil
}

func delegationForm(_ context.Context, x counter.Delegation) ([]byte, []portal.PaperBlock, error) {
	return []byte("%PDF-1.4 invented\n"), []portal.PaperBlock{
		{Kind: "heading", Text: "Delega per attivare la tessera", Items: []string{"Solo per un impedimento di salute."}},
		{Kind: "section", Text: "Chi è delegato"},
		{Kind: "fields", Pairs: [][2]string{{"Cognome e nome", x.Identity.Representative.Surname + " " + x.Identity.Representative.Name}}},
		{Kind: "consent", Text: "Non posso venire allo sportello per un impedimento di salute.", Given: true},
		{Kind: "list", Items: []string{"un proprio documento d'identità valido;", "questa delega, che resta allo sportello."}},
		{Kind: "signatures", Items: []string{"Luogo e data", "Firma del titolare"}},
	}, nil
}

// delegationStates are the form of a delegation: empty, refused, ready.
func delegationStates() []State {
	one, ready := "/sportello/attivazione/due/delega", "/sportello/attivazione/delegato/delega"
	typed := []string{
		"versione", "1", "rappresentante_cognome", "VERDI", "rappresentante_nome", "LUIGIA", "rappresentante_cf", "VRDLGU85M41F205T",
		"documento_tipo", "CI", "documento_numero", "AX1234567", "documento_ente", "Comune", "documento_rilascio", "05/03/2022", "documento_scadenza", "05/03/2032",
	}
	post := func(name, code string, more ...string) State {
		return State{Name: name, Host: "portal", Path: one, Who: "password", Form: form(append(typed[:len(typed):len(typed)], more...)...), Status: http.StatusUnprocessableEntity, Fault: code}
	}
	return []State{
		{Name: "delega-vuota", Host: "portal", Path: one, Who: "password", Status: http.StatusOK},
		{Name: "delega-senza-dati", Host: "portal", Path: one, Who: "password", Form: form("versione", "1"), Status: http.StatusUnprocessableEntity, Fault: "CSE-358"},
		post("delega-senza-salute", "CSE-121"),
		post("delega-email-delegato", "CSE-419", "salute", "si", "email", "luigia@esempio.it"),
		{Name: "delega-pronta", Host: "portal", Path: ready, Who: "password", Status: http.StatusOK},
		{Name: "delega-non-scritta", Host: "portal", Path: one + "/modulo", Who: "password", Form: form(), Status: http.StatusUnprocessableEntity, Fault: "CSE-780"},
		{Name: "delega-altrui", Host: "portal", Path: "/sportello/attivazione/altra/delega", Who: "password", Status: http.StatusForbidden, Fault: "CSE-145"},
	}
}
