package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/audit"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/portal"
)

// gate says who passes a route: the code by which op is refused for somebody of
// the health unit asl, empty for who may. Every gate but the open ones comes from
// the permission matrix (staff.Directory.Allowed, itself checked row by row
// against the rules by issuer/staff.TestPermissionMatrix) or from a role.
type gate func(d *staff.Directory, op staff.Operator, asl string) string

func open(*staff.Directory, staff.Operator, string) string { return "" }

// byCard is a citizen's page: an operator's password does not open it.
func byCard(*staff.Directory, staff.Operator, string) string { return "CSE-355" }

func behindDesk(_ *staff.Directory, op staff.Operator, _ string) string {
	if !op.AtCounter() {
		return "CSE-003"
	}
	return ""
}

// act is a route that does a, or begins with it.
func act(a staff.Action) gate {
	return func(d *staff.Directory, op staff.Operator, asl string) string {
		if !op.AtCounter() {
			return "CSE-003"
		}
		if f := words.FaultOf(d.Allowed(op, a, asl)); f != nil {
			return f.Code
		}
		return ""
	}
}

// inPerson is act where somebody stands there with a document.
func inPerson(a staff.Action) gate {
	return func(d *staff.Directory, op staff.Operator, asl string) string {
		if f := words.FaultOf(d.AllowedInPerson(op, a, asl)); f != nil {
			return f.Code
		}
		return ""
	}
}

func ops(_ *staff.Directory, op staff.Operator, _ string) string {
	if op.Has(staff.RoleOperations) || op.Has(staff.RoleAuditor) {
		return ""
	}
	return "CSE-540"
}

func opsAct(_ *staff.Directory, op staff.Operator, _ string) string {
	switch {
	case op.Has(staff.RoleOperations):
		return ""
	case op.Has(staff.RoleAuditor):
		return "CSE-541"
	}
	return "CSE-540"
}

func only(roles ...staff.Role) gate {
	return func(_ *staff.Directory, op staff.Operator, _ string) string {
		if slices.ContainsFunc(roles, op.Has) {
			return ""
		}
		return "CSE-003"
	}
}

// gates is the whole table: a route that is not here fails the test.
func gateOf(pattern, word string) (gate, bool) {
	acts := map[string]staff.Action{
		"ristampa": staff.ReprintCodes, "nuovi-codici": staff.ReprintCodes, "email": staff.CorrectEmail, "altro-genitore": staff.ActivateRepresented, "sospendi": staff.SuspendNow, "riattiva": staff.Reactivate,
		"revoca": staff.RevokeInPerson, "smarrimento": staff.LossTheft, "non-ricevuta": staff.ReissueNotReceived, "chip-guasto": staff.ReissueChipFault,
		"correzione": staff.CorrectData, "dove-andare": staff.View, "ritiro": staff.View,
	}
	method, path, _ := strings.Cut(pattern, " ")
	if pattern == "/" {
		return open, true
	}
	switch {
	case strings.HasSuffix(pattern, " /sportello/tessera/{numero}/{atto}"), strings.HasSuffix(pattern, "/lettura/{atto}"): // the form is refused as the act is
		return inPerson(acts[word]), true
	case pattern == "POST /sportello/attivazione", pattern == "POST /sportello/attivazione/lettura":
		return act(staff.ActivateAdult), true
	case pattern == "GET /sportello/cerca":
		return open, true // leads back to the desk, which asks
	case path == "/sportello/ufficio":
		return open, true // everybody who works here says where; CSE-147 for another's
	case strings.HasPrefix(path, "/sportello/autocertificazioni"):
		return func(d *staff.Directory, op staff.Operator, asl string) string {
			if code := behindDesk(d, op, asl); code != "" {
				return code
			}
			return only(staff.RoleSupervisor)(d, op, asl)
		}, true
	case strings.HasPrefix(path, "/sportello"):
		return behindDesk, true // the rooms ask the matrix again, act by act
	case path == "/tessera" || strings.HasPrefix(path, "/tessera/"):
		return byCard, true
	case strings.HasPrefix(path, "/gestione/privacy"):
		return only(staff.RoleSecurity), true
	case path == "/gestione/operatori" && method == "GET", pattern == "GET /gestione/operatori/{account}", path == "/gestione/uffici" && method == "GET", pattern == "GET /gestione/uffici/{id}":
		return only(staff.RoleSecurity, staff.RoleSupervisor, staff.RoleAuditor), true
	case strings.HasPrefix(path, "/gestione/operatori"):
		return only(staff.RoleSecurity, staff.RoleSupervisor), true
	case strings.HasPrefix(path, "/gestione/uffici"):
		return only(staff.RoleSecurity), true
	case path == "/operazioni/registro" || path == "/operazioni/registro/verifica":
		return ops, true
	case pattern == "GET /operazioni/parametri", strings.HasPrefix(path, "/operazioni/moduli"):
		return only(staff.RoleOperations, staff.RoleAuditor), true
	case pattern == "POST /operazioni/parametri":
		return only(staff.RoleOperations), true
	case pattern == "GET /operazioni/campagne":
		return only(staff.RoleOperations, staff.RoleAuditor), true
	case pattern == "POST /operazioni/campagne":
		return only(staff.RoleOperations), true
	case strings.HasPrefix(path, "/operazioni/campagne/"), strings.HasPrefix(path, "/operazioni/revoche"), strings.HasPrefix(path, "/operazioni/correzioni"):
		if method == "GET" {
			return only(staff.RoleOperations, staff.RoleSecurity, staff.RoleAuditor), true
		}
		return only(staff.RoleOperations, staff.RoleSecurity), true // the room asks again, kind by kind
	case path == "/operazioni/elenchi":
		return only(staff.RoleOperations, staff.RoleSecurity, staff.RoleAuditor), true
	case strings.HasPrefix(path, "/approvazioni"):
		return open, true // the list shows what one may decide; the room asks at each decision
	case strings.HasPrefix(path, "/operazioni/eccezioni") || strings.HasPrefix(path, "/operazioni/coda"):
		return opsAct, true // people without a card, and letters, are not for auditors
	case strings.HasPrefix(path, "/operazioni") && method == "GET":
		return ops, true
	case strings.HasPrefix(path, "/operazioni"):
		return opsAct, true
	}
	return open, slices.ContainsFunc(public, func(p string) bool { return path == p || strings.HasSuffix(p, "/") && strings.HasPrefix(path, p) })
}

// public are the addresses that need nobody.
var public = []string{
	"/{$}", "/accedi", "/servizi-online", "/sicurezza", "/entra", "/ritorno", "/uscita", "/revoca", "/sospendi", "/riattiva", "/riattiva/", "/cartasanitaria",
	"/verifica-postazione", "/contatti", "/privacy", "/privacy/", "/note-legali", "/accessibilita", "/domande-frequenti", "/domande-frequenti/", "/lettore-smart-card",
	"/software", "/software/", "/elenco-driver", "/sblocco-pin", "/modulo-delega", "/modulo-delega/", "/moduli/", "/fascicolosanitario", "/tutorial-spid-cie", "/glossario", "/documento-identita",
	"/team/paesi", "/sblocca/", "/primo-accesso", "/primo-accesso/codice", "/sportelli", "/sportelli/", "/stato-tessera", "/verifica-team/", "/verifica-firma",
	"/estensione-certificato",
}

// Every route × every role × own and other health unit, on the real platform:
// who may passes, who may not gets the matrix's code, and each refusal is in the
// trail.
func TestR92_R59_R26_R29_EveryRouteEveryRole(t *testing.T) {
	r := newRegion(t)
	r.clock.Set(time.Now())
	types := []staff.OfficeType{staff.ASL, staff.ASL, staff.ADE, staff.Comune, staff.URP, staff.Pharmacy, staff.Pharmacy, staff.CallCentre}
	r.config.Operators = nil
	var accounts []string
	for i, kind := range types {
		id := fmt.Sprintf("office%d", i)
		r.config.Counters = append(r.config.Counters, staff.Office{
			ID: id, Type: kind, Name: id, Comune: "D612", ASL: map[int]string{0: "203", 1: "999"}[i], TakesPart: i == 5,
		})
		for k, role := range staff.Roles() {
			cf, err := codicefiscale.Compute(codicefiscale.Person{
				Surname: "Prove", Name: fmt.Sprintf("Ruolo%c", 'a'+k), Born: civil.Date{Year: 1970 + i, Month: 4, Day: 1 + k}, Sex: "M", Belfiore: "D612",
			})
			check(t, err)
			account := fmt.Sprintf("%s-%s", id, role)
			accounts = append(accounts, account)
			r.config.Operators = append(r.config.Operators, staff.Account{
				Account: account, Name: account, CF: string(cf), Roles: []staff.Role{role}, Offices: []string{id}, OwnCNS: true,
			})
		}
	}
	p := r.serve(t, "web", "print")
	holder := card(t, p, r.active)
	who, err := p.db.People().Get(t.Context(), holder.CF)
	check(t, err)
	m := &matrixRun{t: t, p: p, card: holder.ID, asl: who.ASL}
	// Own and other: the first office is made the holder's own by its health unit.
	if who.ASL != "203" {
		t.Fatalf("the holder's health unit is %q: the first office must be its own", who.ASL)
	}
	words := []string{"ristampa", "nuovi-codici", "email", "altro-genitore", "sospendi", "riattiva", "revoca", "smarrimento", "non-ricevuta", "chip-guasto", "correzione", "dove-andare", "ritiro"}
	for _, account := range accounts {
		op, err := p.directory.OperatorByAccount(account)
		check(t, err)
		cookie, err := p.portal.OpenSession(t.Context(), portal.Session{
			Subject: account, CF: string(op.CF), Given: "P", Family: "R", Account: account, AMR: []string{"pwd", "otp"},
		}, "")
		check(t, err)
		for _, pattern := range p.portal.Routes() {
			if pattern == "POST /uscita" {
				continue // ends the session
			}
			list := []string{""}
			if strings.Contains(pattern, "{atto}") {
				list = words
			}
			for _, word := range list {
				g, ok := gateOf(pattern, word)
				if !ok {
					t.Fatalf("the route %q has no gate: declare who passes", pattern)
				}
				m.try(op, cookie, pattern, word, g(p.directory, op, m.asl))
			}
		}
	}
	if m.tried < 2000 || m.refused < 500 {
		t.Errorf("only %d routes were tried, %d refused", m.tried, m.refused)
	}
	t.Logf("%d tries, %d refused and recorded", m.tried, m.refused)
}

type matrixRun struct {
	t              *testing.T
	p              *Platform
	card, asl      string
	tried, refused int
}

// refusals are the codes that mean "not yours".
var refusals = []string{
	"CSE-003", "CSE-122", "CSE-123", "CSE-124", "CSE-125", "CSE-126", "CSE-127", "CSE-141", "CSE-355", "CSE-540", "CSE-541",
}

func (m *matrixRun) try(op staff.Operator, cookie, pattern, word, want string) {
	m.t.Helper()
	m.tried++
	method, path, found := strings.Cut(pattern, " ")
	if !found {
		method, path = http.MethodGet, pattern
	}
	for _, x := range [][2]string{
		{"{numero}/{atto}", m.card + "/" + word}, {"{atto}", word}, {"/tessera/{numero}", "/tessera/" + m.card}, {"{anno}", "2026"}, {"{passo}", "spedito"}, {"{numero}", "0000001"}, {"{$}", ""},
	} {
		path = strings.ReplaceAll(path, x[0], x[1])
	}
	for strings.Contains(path, "{") {
		i, j := strings.Index(path, "{"), strings.Index(path, "}")
		path = path[:i] + "x" + path[j+1:]
	}
	form := url.Values{
		"richiesta": {fmt.Sprintf("%032x", m.tried)}, "presente": {"titolare"}, "documento_tipo": {"CI"}, "documento_numero": {"AX1234567"}, "documento_ente": {"Comune"},
		"documento_rilascio": {"05/03/2022"}, "documento_scadenza": {"05/03/2020"}, // expired: who may pass the gate does nothing behind it
		"tessera": {m.card}, "tessera_ultime_cinque": {m.card[11:]}, "versione": {"1"},
	}
	if path == "/sportello/attivazione" && method == http.MethodGet {
		path += "?tessera=" + m.card
	}
	rq := httptest.NewRequestWithContext(m.t.Context(), method, m.p.Config.Public.Portal+path, strings.NewReader(form.Encode()))
	rq.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rq.Header.Set("Sec-Fetch-Site", "same-origin")
	rq.AddCookie(&http.Cookie{Name: portal.SessionCookie, Value: cookie})
	before, err := m.p.trail.Search(m.t.Context(), audit.Search{Actor: op.Account, Limit: 20_000})
	check(m.t, err)
	w := httptest.NewRecorder()
	m.p.portal.ServeHTTP(w, rq)
	got := w.Header().Get("CSE-Error")
	if !slices.Contains(refusals, got) {
		got = ""
	}
	what := fmt.Sprintf("%s %s (%s) by %s", pattern, word, op.Office.Type, op.Account)
	if pattern == "GET /sportello" && want == "CSE-003" {
		if w.Code != http.StatusSeeOther {
			m.t.Errorf("%s: %d", what, w.Code)
		}
		return
	}
	if got != want {
		m.t.Errorf("%s: %q (%d, %s), want %q", what, got, w.Code, w.Header().Get("CSE-Error"), want)
		return
	}
	if want == "" {
		return
	}
	m.refused++
	after, err := m.p.trail.Search(m.t.Context(), audit.Search{Actor: op.Account, Limit: 20_000})
	check(m.t, err)
	if len(after) <= len(before) {
		m.t.Errorf("%s: the refusal %s is not in the trail", what, want)
	}
}
