package portaltest

import (
	"context"
	"net/http"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/operations"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/portal"
)

// ops plays the operations room: "operations" sees everything, "auditor" no
// queue.
type ops struct{ s *Stage }

func (s *Stage) operations() *portal.Operations {
	o := ops{s}
	return &portal.Operations{Board: o, Post: o, Queue: o, Trail: o, Health: o}
}

func (o ops) reads(op staff.Operator) error {
	if op.Has(staff.RoleOperations) || op.Has(staff.RoleAuditor) {
		return nil
	}
	return words.Refuse("CSE-540")
}

func (o ops) acts(op staff.Operator) error {
	if err := o.reads(op); err != nil || op.Has(staff.RoleOperations) {
		return err
	}
	return words.Refuse("CSE-541")
}

func batches() []production.Batch {
	return []production.Batch{
		{ID: "000002", State: production.Received, Cards: 7, Chips: 6, Made: 6, Spoiled: 1, CreatedAt: Now.Add(-48 * time.Hour)},
		{ID: "000001", State: production.Sent, Cards: 12, Chips: 10, Made: 12, CreatedAt: Now.AddDate(0, -1, 0)},
	}
}

func (o ops) Board(_ context.Context, op staff.Operator) (operations.Board, error) {
	b := operations.Board{
		Cards: 7, Numbers: 6, Taken: 1, Open: batches()[:1], Exceptions: 2,
		Checks:       []operations.Check{{Name: "portal.ops.check.states", Want: 7, Got: 7}, {Name: "portal.ops.check.numbers", Want: 6, Got: 6}, {Name: "portal.ops.check.declarations", Want: 9, Got: 9}},
		Declarations: &operations.Declarations{All: 9, Open: 4, Confirmed: 4, NotConfirmed: 1},
		Lists: []operations.List{
			{Name: "issuing-0.crl … issuing-127.crl", Parts: 128, Waiting: 3, This: Now.Add(-time.Hour), Next: Now.Add(23 * time.Hour), Entries: 1},
			{Name: "prima-0.crl … prima-15.crl", Parts: 16, Late: 2, This: Now.Add(-5 * time.Hour), Next: Now.Add(time.Hour), Entries: 80},
			{Name: "root.crl", This: Now.AddDate(-1, 0, 0), Next: Now.Add(-time.Hour)},
		},
	}
	for _, s := range lifecycle.States() {
		line := operations.StateLine{State: s}
		for _, c := range o.s.Cards {
			switch {
			case c.State != s:
			case c.HasChip():
				line.Chip++
			default:
				line.Without++
			}
		}
		b.States = append(b.States, line)
	}
	if op.Has(staff.RoleOperations) {
		b.Queue, b.Waiting = counts(), 3
	}
	return b, o.reads(op)
}

func (o ops) Batches(_ context.Context, op staff.Operator) ([]production.Batch, error) {
	return batches(), o.reads(op)
}

func (o ops) Batch(_ context.Context, op staff.Operator, id string) (operations.Lot, error) {
	for _, b := range batches() {
		if b.ID == id {
			l := operations.Lot{Batch: b, Ship: b.State == production.Received && op.Has(staff.RoleOperations), Count: operations.BatchCount{
				Items: b.Cards, Chips: b.Chips, Made: b.Made, Spoiled: b.Spoiled, States: map[lifecycle.State]int{lifecycle.Produced: b.Made},
			}}
			l.Checks = []operations.Check{
				{Name: "portal.ops.check.items", Want: b.Cards, Got: b.Cards},
				{Name: "portal.ops.check.chips", Want: b.Chips, Got: b.Chips - 1},
				{Name: "portal.ops.check.made", Want: b.Made, Got: b.Made},
				{Name: "portal.ops.check.spoiled", Want: b.Spoiled, Got: b.Spoiled},
				{Name: "portal.ops.check.all", Want: b.Cards, Got: b.Made + b.Spoiled},
			}
			return l, o.reads(op)
		}
	}
	return operations.Lot{}, words.Refuse("CSE-175", id)
}

func (o ops) PostBatch(_ context.Context, op staff.Operator, id string, _ bool) (int, error) {
	if err := o.acts(op); err != nil {
		return 0, err
	}
	if id == "000001" {
		return 0, words.Refuse("CSE-551")
	}
	return 6, nil
}

func (o ops) Exceptions(_ context.Context, op staff.Operator, after codicefiscale.Code) ([]production.Exception, error) {
	if err := o.acts(op); err != nil || after != "" {
		return nil, err
	}
	return []production.Exception{
		{CF: o.s.People["cardless"].CF, Reason: lifecycle.ExceptionNoPermit, Since: Now.AddDate(0, 0, -3)},
		{CF: o.s.People["minor"].CF, Reason: "CSE-110", Field: "residence", Since: Now.AddDate(0, 0, -1)},
	}, nil
}

func (o ops) Returned(_ context.Context, op staff.Operator, after string) ([]lifecycle.Card, error) {
	if after != "" {
		return nil, o.reads(op)
	}
	return []lifecycle.Card{o.s.Cards["pending"], o.s.Cards["minor"]}, o.reads(op)
}

func (o ops) Return(_ context.Context, op staff.Operator, card, why string) error {
	switch {
	case o.acts(op) != nil:
		return o.acts(op)
	case why == "":
		return words.Refuse("CSE-542").At("motivo_ritorno")
	case card != o.s.Cards["pending"].ID:
		return words.Refuse("CSE-139").At("tessera")
	}
	return nil
}

func (o ops) PostAgain(_ context.Context, op staff.Operator, card string) error {
	if card == o.s.Cards["minor"].ID {
		return words.Refuse("CSE-544")
	}
	return o.acts(op)
}

func counts() []operations.EffectCount {
	return []operations.EffectCount{
		{Kind: "mail.codes", State: operations.Done, N: 40},
		{Kind: "mail.codes", State: operations.Failed, N: 2},
		{Kind: "mail.notice", State: operations.Uncertain, N: 1},
		{Kind: "print.codes", State: operations.Pending, N: 1},
	}
}

func (o ops) effects() []operations.Effect {
	card := o.s.Cards["active"].ID
	return []operations.Effect{
		{Key: "mail.codes/2026/0000007", Kind: "mail.codes", Card: card, State: operations.Failed, Attempts: 4, Created: Now.Add(-time.Hour), LastError: "550 no such mailbox"},
		{Key: "mail.notice/activated/2026/0000008", Kind: "mail.notice", Card: card, State: operations.Uncertain, Attempts: 1, Created: Now.Add(-2 * time.Hour), LastError: "the worker stopped"},
		{Key: "mail.codes/2026/0000009", Kind: "mail.codes", Card: card, State: operations.Done, Attempts: 1, Created: Now.Add(-3 * time.Hour), Ended: Now.Add(-3 * time.Hour)},
	}
}

func (o ops) Effects(_ context.Context, op staff.Operator, f operations.EffectFilter) ([]operations.Effect, []operations.EffectCount, error) {
	var out []operations.Effect
	for _, e := range o.effects() {
		if f.State == "" || e.State == f.State {
			out = append(out, e)
		}
	}
	return out, counts(), o.acts(op)
}

func (o ops) Effect(_ context.Context, op staff.Operator, key string) (operations.Effect, error) {
	for _, e := range o.effects() {
		if e.Key == key {
			return e, o.acts(op)
		}
	}
	return operations.Effect{}, words.Refuse("CSE-002")
}

func (o ops) Retry(ctx context.Context, op staff.Operator, key string) error {
	e, err := o.Effect(ctx, op, key)
	if err == nil && !e.Waits() {
		err = words.Refuse("CSE-545")
	}
	return err
}

func (o ops) Drop(ctx context.Context, op staff.Operator, key, reason string) error {
	if reason == "" {
		return words.Refuse("CSE-546", 200).At("motivo_rinuncia")
	}
	return o.Retry(ctx, op, key)
}

func (o ops) Enter(_ context.Context, op staff.Operator) error { return o.reads(op) }

func (o ops) Search(_ context.Context, op staff.Operator, q operations.Query) ([]operations.Entry, error) {
	switch {
	case o.reads(op) != nil:
		return nil, o.reads(op)
	case q.Motive == "":
		return nil, words.Refuse("CSE-547", 8, 200).At("motivo_ricerca")
	case q.Operator == "nessuno":
		return nil, nil
	}
	out := make([]operations.Entry, operations.PageSize+1)
	for i := range out {
		out[i] = operations.Entry{
			Index: int64(900 - i), At: Now.Add(-time.Duration(i) * time.Minute), Act: "card.activated", Actor: "paola", Office: "asl-1",
			Card: o.s.Cards["active"].ID, Person: "0011223344556677", Detail: map[string]string{"protocol": "2026/0000002", "document": "CI"},
		}
	}
	return out, nil
}

func (o ops) Verify(_ context.Context, op staff.Operator) (operations.Verified, error) {
	if op.Has(staff.RoleAuditor) {
		return operations.Verified{Broken: &operations.Broken{Index: 7, Why: "its content was changed"}}, nil
	}
	return operations.Verified{Index: 900, Hash: "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"}, o.reads(op)
}

// opsStates are the pages of operations: empty, with errors, done; and who is
// refused.
func (s *Stage) opsStates() []State {
	const root, who = "/operazioni", "operations"
	page := func(name, path string) State {
		return State{Name: "ops-" + name, Host: "portal", Path: root + path, Who: who, Status: http.StatusOK}
	}
	wrong := func(name, path, fault string, pairs ...string) State {
		return State{Name: "ops-" + name, Host: "portal", Path: root + path, Form: form(pairs...), Who: who, Status: 422, Fault: fault}
	}
	done := func(name, path string, pairs ...string) State {
		return State{Name: "ops-" + name, Host: "portal", Path: root + path, Form: form(pairs...), Who: who, Status: 200}
	}
	failed, settled := "mail.codes/2026/0000007", "mail.codes/2026/0000009"
	out := []State{
		page("cruscotto", ""),
		page("lotti", "/lotti"),
		page("lotto", "/lotti/000002"),
		page("lotto-fatto", "/lotti/000001?fatto=12"),
		wrong("lotto-occupato", "/lotti/000001/spedito", "CSE-551"),
		page("eccezioni", "/eccezioni"),
		done("eccezioni-nessuna", "/eccezioni", "dopo", "ZZZ"),
		page("ritorni", "/ritorni"),
		page("ritorni-vuota", "/ritorni?dopo=9&fatto=ritorno"),
		wrong("ritorno-vuoto", "/ritorni", "CSE-358"),
		wrong("ritorno-senza-motivo", "/ritorni", "CSE-542", "tessera", s.Cards["pending"].ID),
		wrong("ritorno-ignoto", "/ritorni", "CSE-139", "tessera", "6999999999999999", "motivo_ritorno", "trasferito"),
		wrong("rispedisci-deceduto", "/ritorni/rispedisci", "CSE-544", "numero", s.Cards["minor"].ID),
		page("coda", "/coda"),
		page("coda-vuota", "/coda?stato=pending"),
		page("coda-fatta", "/coda?stato=&fatto=riprova"),
		page("voce", "/coda/voce?chiave="+failed),
		page("voce-incerta", "/coda/voce?chiave=mail.notice/activated/2026/0000008"),
		page("voce-conclusa", "/coda/voce?chiave="+settled),
		wrong("riprova-conclusa", "/coda/riprova", "CSE-545", "chiave", settled),
		wrong("abbandona-senza-motivo", "/coda/abbandona", "CSE-546", "chiave", failed),
		page("registro", "/registro"),
		wrong("registro-senza-motivo", "/registro", "CSE-547", "operatore", "paola"),
		wrong("registro-cf-errato", "/registro", "CSE-101", "codice_fiscale", "RSSMRA80A01H501X", "motivo_ricerca", "reclamo 12/2026"),
		done("registro-trovate", "/registro", "operatore", "paola", "motivo_ricerca", "reclamo 12/2026"),
		done("registro-nessuna", "/registro", "operatore", "nessuno", "motivo_ricerca", "reclamo 12/2026"),
		done("registro-integro", "/registro/verifica"),
	}
	for name, st := range map[string]State{
		"cruscotto":  {Path: root, Status: 200},
		"lotto":      {Path: root + "/lotti/000002", Status: 200},
		"ritorni":    {Path: root + "/ritorni", Status: 200},
		"registro":   {Path: root + "/registro", Status: 200},
		"alterato":   {Path: root + "/registro/verifica", Form: form(), Status: 200},
		"coda":       {Path: root + "/coda", Status: 403, Fault: "CSE-541"},
		"sportello":  {Path: "/sportello/aiuto", Status: 403, Fault: "CSE-003"},
		"spedizione": {Path: root + "/lotti/000002/spedito", Form: form(), Status: 403, Fault: "CSE-541"},
	} {
		st.Name, st.Host, st.Who = "ops-revisore-"+name, "portal", "auditor"
		out = append(out, st)
	}
	return append(out, State{Name: "ops-da-sportello", Host: "portal", Path: root + "/registro", Who: "password", Status: 403, Fault: "CSE-540"})
}
