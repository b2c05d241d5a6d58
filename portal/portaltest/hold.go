package portaltest

import (
	"context"
	"net/http"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/staff"
)

// holderActs plays the holder's hold and release: the CIPs of revoke.
type holderActs struct{ s *Stage }

func (h holderActs) SuspendWithCIP(ctx context.Context, which string, cip secret.Text, source string, lang words.Lang) (counter.Receipt, error) {
	return h.s.revoke(ctx, which, cip, source, lang)
}

func (h holderActs) ReactivateWithCIP(ctx context.Context, card string, cip secret.Text, source string, lang words.Lang) (counter.Receipt, error) {
	return h.s.revoke(ctx, card, cip, source, lang)
}

// cardProof plays the card's host: the ticket "firmato" is good.
type cardProof struct{ s *Stage }

func (p cardProof) BeginProof(context.Context, string) (string, error) {
	return p.s.addr.Of("cns") + "/cns/riattiva?flow=flusso", nil
}

func (p cardProof) TakeProof(_ context.Context, ticket, _ string) (string, error) {
	if ticket != "firmato" {
		return "", words.Refuse("CSE-324")
	}
	return p.s.Cards["active"].ID, nil
}

// phone plays the call centre: 1234 is right.
type phone struct{}

func (phone) AskPositions(_ context.Context, _ staff.Operator, card string) (counter.Question, error) {
	return counter.Question{ID: "domanda", Card: card, Places: [4]int{2, 3, 7, 10}}, nil
}

func (phone) SuspendByPhone(_ context.Context, _ staff.Operator, card string, digits secret.Text) (counter.Receipt, error) {
	if string(digits.Reveal()) != "1234" {
		return counter.Receipt{}, words.Refuse("CSE-455", 2).At("cifre")
	}
	return counter.Receipt{Protocol: "2026/0000043", Card: card, At: Now}, nil
}

func (s *Stage) holdStates() []State {
	phone := "/sportello/tessera/" + s.Cards["active"].ID + "/telefono"
	return []State{
		{Name: "telefono", Host: "portal", Path: phone, Who: "password", Status: http.StatusOK},
		{Name: "telefono-vuoto", Host: "portal", Path: phone, Who: "password", Form: form("cifre", ""), Status: 422, Fault: "CSE-358"},
		{Name: "telefono-errato", Host: "portal", Path: phone, Who: "password", Form: form("cifre", "0000"), Status: 422, Fault: "CSE-455"},
		{Name: "telefono-fatto", Host: "portal", Path: phone, Who: "password", Form: form("cifre", "1234"), Status: 200},
		{Name: "sospendi", Host: "portal", Path: "/sospendi", Status: http.StatusOK},
		{Name: "sospendi-vuota", Host: "portal", Path: "/sospendi", Form: form(), Status: 422, Fault: "CSE-358"},
		{Name: "sospendi-cip-errato", Host: "portal", Path: "/sospendi", Form: form("chi", "6000000900001001", "cip", "1111111111"), Status: 422, Fault: "CSE-401"},
		{Name: "sospendi-codici-da-cambiare", Host: "portal", Path: "/sospendi", Form: form("chi", "6000000900008001", "cip", "1818181818"), Status: 422, Fault: "CSE-765"},
		{Name: "sospendi-fatta", Host: "portal", Path: "/sospendi", Form: form("chi", "6000000900001001", "cip", "1234512345"), Status: 200},
		{Name: "riattiva", Host: "portal", Path: "/riattiva", Status: http.StatusOK},
		{Name: "riattiva-biglietto-vecchio", Host: "portal", Path: "/riattiva?ticket=usato", Status: 403, Fault: "CSE-324"},
		{Name: "riattiva-senza-firma", Host: "portal", Path: "/riattiva/conferma", Status: 403, Fault: "CSE-457"},
	}
}
