package portaltest

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"time"

	"cse.example/cse/issuer/trustlist"
	"cse.example/cse/pki/trust/tsl"
)

// trustLists plays the room of trusted lists: one that nobody took yet, one in
// force with another waiting, one past its next update.
type trustLists struct{}

func invented(name, provider string) tsl.Issuer {
	return tsl.Issuer{Certificate: &x509.Certificate{Raw: []byte(name)}, Name: name, Provider: provider, From: Now.AddDate(-2, 0, 0)}
}

func (trustLists) rows(list string, states ...trustlist.State) []trustlist.Row {
	var out []trustlist.Row
	for i, s := range states {
		out = append(out, trustlist.Row{
			List: list, Sequence: int64(70 - i), Issued: Now.AddDate(0, -i, 0), NextUpdate: Now.AddDate(0, 5-i, 0), State: s, AskedBy: "operations",
			Hash: "1f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c5b6a7988", At: Now.Add(-time.Hour), DecidedAt: Now.Add(-time.Hour),
		})
	}
	return out
}

func (t trustLists) Views(context.Context) ([]trustlist.View, error) {
	a, b, c := invented("Regione di Prova - CA Cittadini", "Certificatore di prova"), invented("Regione Esempio - CA Cittadini", "Altro certificatore"), invented("Regione Finta - CA Cittadini", "Certificatore di prova")
	italy := trustlist.View{Scheme: trustlist.Scheme{Name: "italia"}, History: t.rows("italia", trustlist.Waiting, trustlist.Current, trustlist.Past, trustlist.Refused)}
	italy.Waiting, italy.Current = &italy.History[0], &italy.History[1]
	italy.Changes = tsl.Changes{New: []tsl.Issuer{c}, Gone: []tsl.Issuer{b}, Kept: []tsl.Issuer{a}, Renamed: []tsl.Issuer{a}}
	italy.Believed = []trustlist.Believed{{Issuer: a, List: "italia"}}
	old := trustlist.View{Scheme: trustlist.Scheme{Name: "vecchia", Lenient: true}, Expired: true, History: t.rows("vecchia", trustlist.Current)}
	old.History[0].NextUpdate = Now.AddDate(0, 0, -3)
	old.Current = &old.History[0]
	old.Believed = []trustlist.Believed{{Issuer: b, List: "vecchia"}}
	shut := old
	shut.Name, shut.Lenient, shut.Believed = "chiusa", false, nil
	return []trustlist.View{italy, old, shut, {Scheme: trustlist.Scheme{Name: "nuova"}}}, nil
}

func (t trustLists) OwnHistory(context.Context) ([]trustlist.Row, error) {
	return t.rows(trustlist.Own, trustlist.Current, trustlist.Past), nil
}

// listContent is what a request about a list asks.
func listContent() []byte {
	b, err := json.Marshal(trustlist.Content{List: "italia", Hash: "1f2e3d4c5b6a79881f2e3d4c5b6a7988", Sequence: 70, New: []trustlist.Issuer{{Name: "Regione Finta - CA Cittadini", Provider: "Certificatore di prova", Fingerprint: "00112233445566778899aabbccddeeff"}}})
	if err != nil {
		panic(err)
	}
	return b
}

func trustStates() []State {
	var out []State
	for _, who := range []string{"operations", "auditor", "security"} {
		out = append(out, State{Name: "elenchi-" + who, Host: "portal", Path: "/operazioni/elenchi", Who: who, Status: http.StatusOK})
	}
	return append(out, State{Name: "elenchi-non-suoi", Host: "portal", Path: "/operazioni/elenchi", Who: "operator", Status: http.StatusForbidden, Fault: "CSE-003"})
}
