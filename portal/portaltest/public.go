package portaltest

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/throttle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/portal"
)

// cardStatus plays the status check: the last five digits of a card of the cast
// with the codice fiscale of its holder are right; 99999 has been tried too often.
func (s *Stage) cardStatus(_ context.Context, cf codicefiscale.Code, five, _ string) (counter.CardStatus, error) {
	if five == "99999" {
		return counter.CardStatus{}, words.Refuse("CSE-571", "1:00").Because(&throttle.WaitError{Wait: time.Minute})
	}
	played := map[string]counter.Progress{
		"active": counter.InUse, "pending": counter.OnItsWay, "chipless": counter.AtHome, "revoked": counter.OutOfUse, "old": counter.InUse,
	}
	for role, c := range s.Cards {
		if c.CF != cf || !strings.HasSuffix(c.TEAM, five) || played[role] == "" {
			continue
		}
		out := counter.CardStatus{Progress: played[role], Shipped: civil.DayOf(c.ShippedAt)}
		if role == "old" {
			out.Next = &counter.CardStatus{Progress: counter.AtHome}
		}
		return out, nil
	}
	return counter.CardStatus{}, words.Refuse("CSE-570", "0:02").At("ultime_cinque").Because(&throttle.WaitError{Wait: 2 * time.Second})
}

// Offices are a few counters: one open now, one closed today, one whose hours
// nobody wrote down.
func Offices(context.Context) ([]portal.OfficeView, error) {
	var week []portal.OpenHours
	for day := time.Monday; day <= time.Friday; day++ {
		week = append(week, portal.OpenHours{Day: day, From: 8 * 60, Until: 13 * 60})
	}
	week = append(week, portal.OpenHours{Day: time.Tuesday, From: 15 * 60, Until: 17*60 + 30})
	return []portal.OfficeView{
		{
			ID: "asl-1", Name: "Sportello ASL di Firenze", Type: "ASL", Comune: "Firenze (FI)", Address: "Via delle Prove 1", Phone: "055.000000",
			Hours: week, Services: []string{"activate", "activate-represented", "reprint", "not-received", "chip-fault", "loss-theft", "suspend"},
			OtherRegion: true, Accessible: true,
		},
		{
			ID: "comune-1", Name: "Comune di Fiesole, anagrafe", Type: "COMUNE", Comune: "Fiesole (FI)", Address: "Piazza delle Prove 2",
			Hours: []portal.OpenHours{{Day: time.Saturday, From: 9 * 60, Until: 12 * 60}}, Services: []string{"activate", "reprint", "suspend"},
		},
		{ID: "ade-1", Name: "Agenzia delle Entrate, ufficio di Firenze", Type: "ADE", Comune: "Firenze (FI)", Services: []string{"not-received", "loss-theft", "correct-data"}},
	}, nil
}

// blankForm plays the printer.
func blankForm(kind string, _ words.Lang) ([]byte, error) {
	return []byte("%PDF-1.4 invented " + kind + "\n"), nil
}

func (s *Stage) publicSiteStates() []State {
	page := func(name, path string) State {
		return State{Name: name, Host: "portal", Path: path, Status: http.StatusOK}
	}
	asked := func(name, role, five string, status int, fault string) State {
		cf := ""
		if role != "" {
			cf = string(s.People[role].CF)
		}
		if five == "" && role != "" {
			n := s.Cards[role].TEAM
			five = n[len(n)-5:]
		}
		f := url.Values{"codice_fiscale": {cf}, "ultime_cinque": {five}}
		return State{Name: name, Host: "portal", Path: "/stato-tessera", Form: f, Status: status, Fault: fault}
	}
	old := asked("stato-con-nuova", "chipless", "", 200, "")
	n := s.Cards["old"].TEAM
	old.Form.Set("ultime_cinque", n[len(n)-5:])
	return []State{
		page("domande", "/domande-frequenti"),
		page("domande-trovate", "/domande-frequenti?q=ho+perso+la+tessera"),
		page("domande-nessuna", "/domande-frequenti?q=zzz"),
		page("domanda", "/domande-frequenti/a9"),
		page("domanda-scaduta", "/domande-frequenti/b17"),
		{Name: "domanda-ignota", Host: "portal", Path: "/domande-frequenti/c1", Status: 404, Fault: "CSE-002"},
		page("lettore", "/lettore-smart-card"),
		page("software", "/software"),
		page("driver", "/elenco-driver"),
		page("sblocco", "/sblocco-pin"),
		page("moduli", "/modulo-delega"),
		page("moduli-delega", "/modulo-delega/delega"),
		page("moduli-autocertificazione", "/modulo-delega/autocertificazione"),
		{Name: "modulo-ignoto", Host: "portal", Path: "/modulo-delega/altro.pdf", Status: 404, Fault: "CSE-002"},
		page("fascicolo", "/fascicolosanitario"),
		page("tutorial", "/tutorial-spid-cie"),
		page("glossario", "/glossario"),
		page("documento-identita", "/documento-identita"),
		page("team-paesi", "/team/paesi"),
		page("sportelli", "/sportelli"),
		page("sportelli-trovati", "/sportelli?comune=fiesole&tipo=COMUNE"),
		page("sportelli-aperti", "/sportelli?aperto=si"),
		page("sportelli-nessuno", "/sportelli?comune=zzz"),
		page("stato", "/stato-tessera"),
		asked("stato-vuoto", "", "", 422, "CSE-358"),
		asked("stato-cifre", "active", "12", 422, "CSE-572"),
		asked("stato-ignoto", "active", "00000", 422, "CSE-570"),
		asked("stato-troppe", "active", "99999", 429, "CSE-571"),
		asked("stato-attiva", "active", "", 200, ""),
		asked("stato-spedita", "pending", "", 200, ""),
		asked("stato-finita", "revoked", "", 200, ""),
		old,
	}
}
