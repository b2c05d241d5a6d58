package portaltest

import (
	"context"
	"net/http"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/operations"
	"cse.example/cse/issuer/staff"
)

// Health is a slow day for operations, and an empty one for auditors.
func (o ops) Health(_ context.Context, op staff.Operator) (operations.Health, error) {
	h := operations.Health{Keys: []operations.Key{
		{Name: "root", From: Now.AddDate(-2, 0, 0), Until: Now.AddDate(18, 0, 0)},
		{Name: "issuing.before", From: Now.AddDate(-3, 0, 0), Until: Now.AddDate(9, 0, 0), Revoked: true, Args: []any{"issuing"}},
		{Name: "issuing", From: Now.AddDate(-6, 0, 0), Until: Now.AddDate(6, 0, 0), Here: true, Needed: Now.AddDate(0, 0, -180), Args: []any{"cittadini-2026"}},
		{Name: "responder", From: Now.AddDate(-1, 0, 0), Until: Now.AddDate(0, 0, 9), Here: true, Args: []any{"cittadini-2026"}},
		{Name: "clock", Here: true, Fault: words.Refuse("CSE-927", "2026-11-23T10:30:00Z")},
		{Name: "web", From: Now.AddDate(-1, 0, 0), Until: Now.AddDate(0, 0, -1), Here: true},
		{Name: "queue", Here: true},
		{Name: "first"},
	}}
	if op.Has(staff.RoleOperations) {
		h.OCSP = operations.Latency{Answers: 1200, Failed: 2, P50: 900 * time.Microsecond, P95: 400 * time.Millisecond, Since: Now.Add(-3 * time.Hour)}
		h.Day, h.Week = operations.Logins{Cards: 48, Operators: 7, Activated: 12}, operations.Logins{Cards: 60, Operators: 9, Activated: 71}
	}
	return h, o.reads(op)
}

func (o ops) Letters(_ context.Context, op staff.Operator) error { return o.reads(op) }

func (o ops) Requests(_ context.Context, op staff.Operator) ([]operations.Asked, error) {
	if op.Has(staff.RoleAuditor) {
		return nil, o.reads(op)
	}
	card := o.s.Cards["active"].ID
	return []operations.Asked{
		{Card: card, At: Now},
		{Name: card + "-4", Card: card, Serial: "0a1b", Issuer: "CA di un'altra base", Act: "revoke", At: Now.Add(-time.Hour)},
		{Name: card + "-3", Card: card, Serial: "0a1b", Issuer: "CA di un'altra base", Act: "hold", At: Now.Add(-2 * time.Hour), SentAt: Now.Add(-time.Hour)},
	}, o.reads(op)
}

func (o ops) RequestSent(_ context.Context, op staff.Operator, name string) error {
	if err := o.acts(op); err != nil {
		return err
	}
	if name == "" {
		return words.Refuse("CSE-650")
	}
	return nil
}

func healthStates() []State {
	page := func(name, path, who string, status int, fault string) State {
		return State{Name: name, Host: "portal", Path: path, Who: who, Status: status, Fault: fault}
	}
	const asked, letters = "/operazioni/richieste", "/operazioni/modelli"
	return []State{
		page("richieste-emittenti", asked, "operations", http.StatusOK, ""),
		page("richieste-emittenti-nessuna", asked, "auditor", http.StatusOK, ""),
		page("richieste-emittenti-altri", asked, "password", http.StatusForbidden, "CSE-540"),
		{Name: "richiesta-spedita", Host: "portal", Path: asked, Form: form("richiesta", "x"), Who: "operations", Status: http.StatusOK, Follow: true},
		{Name: "richiesta-gia-spedita", Host: "portal", Path: asked, Form: form(), Who: "operations", Status: http.StatusUnprocessableEntity, Fault: "CSE-650"},
		{Name: "richiesta-revisore", Host: "portal", Path: asked, Form: form("richiesta", "x"), Who: "auditor", Status: http.StatusForbidden, Fault: "CSE-541"},
		page("modelli", letters, "auditor", http.StatusOK, ""),
		page("modello-codici", letters+"/codici", "operations", http.StatusOK, ""),
		page("modello-avviso", letters+"/expiry", "operations", http.StatusOK, ""),
		page("modello-ignoto", letters+"/nulla", "operations", http.StatusNotFound, "CSE-002"),
		page("modelli-altri", letters, "password", http.StatusForbidden, "CSE-540"),
	}
}
