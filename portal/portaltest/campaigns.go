package portaltest

import (
	"context"
	"net/http"
	"strings"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/campaign"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/portal"
)

// campaigns plays the room of work on many cards: one campaign in every state.
type campaigns struct{ s *Stage }

const ownIssuer = "1f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c5b6a7988"

func (s *Stage) campaigns() *portal.Campaigns {
	c := campaigns{s}
	return &portal.Campaigns{Make: c, Desk: c, Issuers: func() []portal.IssuerChoice {
		return []portal.IssuerChoice{{ID: ownIssuer, Name: "Autorità di emissione CNS"}, {ID: "00", Name: "Emittente di prima"}}
	}}
}

func (c campaigns) all() []campaign.View {
	v := func(id string, k campaign.Kind, name string, s campaign.State, n int, counts map[campaign.ItemState]int) campaign.View {
		return campaign.View{Campaign: campaign.Campaign{
			ID: id, Kind: k, Name: name, State: s, Total: n, Sum: "00112233445566778899aabbccddeeff", AskedBy: "operations", CreatedAt: Now.Add(-48 * time.Hour),
			Preview: campaign.Preview{
				Looked: n + 9, Elsewhere: 4, Followed: 3, NotAssisted: 2, ASL: map[string]int{"201": n - 1, "203": 1}, Model: map[string]int{"TS-CNS": n},
				State: map[string]int{"active": n - 1, "delivered": 1},
			},
			Criteria: campaign.Criteria{From: day(2027, 1, 1), Until: day(2027, 3, 31), ASL: "201", Comune: "D612", Model: lifecycle.TSCNS, Chip: production.WithoutChip},
		}, Counts: counts}
	}
	draft := v("bozza", campaign.Renewal, "Rinnovo marzo", campaign.Draft, 412, map[campaign.ItemState]int{campaign.Waiting: 412})
	small := v("piccola", campaign.Renewal, "Rinnovo piccolo", campaign.Draft, 12, map[campaign.ItemState]int{campaign.Waiting: 12})
	small.Alone = true
	running := v("corso", campaign.Renewal, "Rinnovo 2021-22", campaign.Running, 900, map[campaign.ItemState]int{campaign.Waiting: 300, campaign.Done: 597, campaign.Exception: 2, campaign.Failed: 1})
	running.ApprovedBy, running.StartedAt = "marta", Now.Add(-time.Hour)
	running.Items = []campaign.Item{
		{Key: c.s.Cards["active"].ID, State: campaign.Exception}, {Key: c.s.Cards["pending"].ID, State: campaign.Failed, Outcome: "CSE-139"},
	}
	ended := v("fatta", campaign.Renewal, "Rinnovo febbraio", campaign.Ended, 40, map[campaign.ItemState]int{campaign.Done: 39, campaign.Nothing: 1})
	ended.StartedAt, ended.EndedAt = Now.Add(-24*time.Hour), Now.Add(-23*time.Hour)
	ended.Items = []campaign.Item{{Key: c.s.Cards["active"].ID, State: campaign.Nothing}}
	asked := v("chiesta", campaign.Revocation, "Chip del lotto 000002", campaign.Asked, 7, map[campaign.ItemState]int{campaign.Waiting: 7})
	asked.Criteria, asked.Note = campaign.Criteria{Batch: "000002", Issuer: ownIssuer, IssuedFrom: day(2026, 1, 1), IssuedUntil: day(2026, 2, 1), Motive: campaign.WeakKey}, "avviso del produttore 3/2026"
	asked.Preview = campaign.Preview{Looked: 9, Over: 1, Unknown: 1, Motive: map[string]int{"weak-key": 7}}
	lapsed := asked
	lapsed.ID, lapsed.Name, lapsed.Lapsed = "scaduta", "Spedizione di Prato", true
	lapsed.Criteria = campaign.Criteria{List: strings.Repeat("ab", 32)}
	refused := lapsed
	refused.ID, refused.Name, refused.Lapsed, refused.Refused = "rifiutata", "Spedizione di Siena", false, true
	stopped := running
	stopped.ID, stopped.Kind, stopped.Name, stopped.State = "fermata", campaign.Revocation, "Chip che non rispondono", campaign.Stopped
	held := v("correzioni", campaign.Correction, "importazione 2026-11-23 09:00 k7q2fd", campaign.Asked, 35, map[campaign.ItemState]int{campaign.Waiting: 34, campaign.Superseded: 1})
	held.Criteria, held.Preview = campaign.Criteria{}, campaign.Preview{Looked: 35}
	return []campaign.View{draft, small, running, ended, asked, lapsed, refused, stopped, held}
}

func may(op staff.Operator, k campaign.Kind) error {
	if op.Has(staff.RoleOperations) || op.Has(staff.RoleAuditor) || k != campaign.Renewal && op.Has(staff.RoleSecurity) {
		return nil
	}
	return words.Refuse("CSE-003")
}

func (c campaigns) List(_ context.Context, op staff.Operator, k campaign.Kind) ([]campaign.View, error) {
	var out []campaign.View
	for _, v := range c.all() {
		if v.Kind == k && !op.Has(staff.RoleAuditor) {
			out = append(out, v)
		}
	}
	return out, may(op, k)
}

func (c campaigns) View(_ context.Context, op staff.Operator, id string) (campaign.View, error) {
	for _, v := range c.all() {
		if v.ID == id {
			return v, may(op, v.Kind)
		}
	}
	return campaign.View{}, words.Refuse("CSE-002")
}

func (c campaigns) Start(_ context.Context, _ staff.Operator, _, note string) (campaign.Campaign, error) {
	if len(note) < 3 {
		return campaign.Campaign{}, words.Refuse("CSE-546", 200).At("motivo_richiesta")
	}
	return campaign.Campaign{}, nil
}

func (c campaigns) Stop(context.Context, staff.Operator, string) error { return nil }

func (c campaigns) Drop(context.Context, staff.Operator, string) error {
	return words.Refuse("CSE-635")
}

func (c campaigns) NewRenewal(_ context.Context, _ staff.Operator, name string, x campaign.Criteria) (campaign.Campaign, error) {
	switch {
	case len(name) < 3:
		return campaign.Campaign{}, words.Refuse("CSE-631", 60).At("nome")
	case x.ASL == "999":
		return campaign.Campaign{}, words.Refuse("CSE-633")
	}
	return campaign.Campaign{ID: "bozza"}, nil
}

func (c campaigns) NewRevocation(_ context.Context, _ staff.Operator, _ string, x campaign.Criteria) (campaign.Campaign, error) {
	if x.Batch == "" {
		return campaign.Campaign{}, words.Refuse("CSE-688").At("lotto")
	}
	return campaign.Campaign{ID: "chiesta"}, nil
}

func (c campaigns) NewRevocationOf(_ context.Context, _ staff.Operator, name, list string) (campaign.Campaign, error) {
	if len(name) < 3 {
		return campaign.Campaign{}, words.Refuse("CSE-631", 60).At("nome")
	}
	_, err := campaign.ParseList(list)
	return campaign.Campaign{ID: "scaduta"}, err
}

// campaignStates are the pages: empty, with errors, done, in every state.
func (s *Stage) campaignStates() []State {
	const root = "/operazioni"
	var out []State
	add := func(name, path, who string, status int, fault string, f ...string) {
		st := State{Name: "campagne-" + name, Host: "portal", Path: root + path, Who: who, Status: status, Fault: fault}
		if len(f) > 0 {
			st.Form = form(f...)
		}
		out = append(out, st)
	}
	add("elenco", "/campagne", "operations", http.StatusOK, "")
	add("elenco-revisore", "/campagne", "auditor", http.StatusOK, "")
	for _, id := range []string{"bozza", "piccola", "corso", "fatta", "chiesta", "correzioni"} {
		add(id, "/campagne/"+id, "operations", http.StatusOK, "")
	}
	for _, id := range []string{"scaduta", "rifiutata", "fermata"} {
		add(id, "/campagne/"+id, "security", http.StatusOK, "")
	}
	add("non-sua", "/campagne/corso", "security", 403, "CSE-003")
	add("vuota", "/campagne", "operations", 422, "CSE-358", "x", "")
	add("date", "/campagne", "operations", 422, "CSE-359", "nome", "Rinnovo", "scadono_al", "domani", "comune", "D612")
	add("comune", "/campagne", "operations", 422, "CSE-107", "nome", "Rinnovo", "scadono_al", "31/03/2027", "comune", "X999")
	add("nessuna", "/campagne", "operations", 422, "CSE-633", "nome", "Rinnovo", "scadono_al", "31/03/2027", "asl", "999")
	add("senza-motivo", "/campagne/bozza/avvia", "operations", 422, "CSE-546", "motivo_richiesta", "x")
	add("gia-chiusa", "/campagne/bozza/rinuncia", "operations", 422, "CSE-635", "x", "")
	add("revoche", "/revoche", "operations", http.StatusOK, "")
	add("revoche-sicurezza", "/revoche", "security", http.StatusOK, "")
	add("revoche-nessuna", "/revoche", "auditor", http.StatusOK, "")
	add("revoche-vuota", "/revoche", "security", 422, "CSE-358", "x", "")
	add("revoche-senza-criterio", "/revoche", "security", 422, "CSE-688", "nome", "Tutte", "motivo_revoca", "weak-key", "emittente", ownIssuer)
	add("revoche-elenco-vuoto", "/revoche/elenco", "security", 422, "CSE-358", "nome_elenco", "Lotto")
	add("revoche-elenco-errato", "/revoche/elenco", "security", 422, "CSE-637", "nome_elenco", "Lotto", "elenco_testo", "numero_tessera;motivo\n123;weak-key\n")
	add("correzioni-elenco", "/correzioni", "security", http.StatusOK, "")
	out = append(out,
		State{Name: "campagne-avviata", Host: "portal", Path: root + "/campagne/bozza/avvia", Form: form("motivo_richiesta", "rinnovo di marzo"), Who: "operations", Status: 200, Follow: true},
		State{Name: "campagne-scelta", Host: "portal", Path: root + "/campagne", Form: form("nome", "Rinnovo marzo", "scadono_al", "31/03/2027"), Who: "operations", Status: 200, Follow: true},
	)
	return out
}
