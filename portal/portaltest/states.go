package portaltest

import (
	"context"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/login/page"
	"cse.example/cse/portal"
)

// State is one page in one state.
type State struct {
	Name string
	// Host is "portal", "closed" (in maintenance), "login" or "cns".
	Host string
	Path string
	// Form, when set, is posted.
	Form url.Values
	// File, when set, is posted with Form as the file "file"; "-" for none.
	File string
	// Upload is posted as files by field, together with Form.
	Upload map[string]string
	// Who is a role of the cast whose session asks; empty: nobody.
	Who string
	// Follow shows the page that the answer leads to.
	Follow bool
	// Status and Fault (CSE-nnn or empty) are what must be answered.
	Status int
	Fault  string
}

// form makes url.Values of pairs.
func form(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

// States lists every page state: empty, with errors, done.
func (s *Stage) States() []State {
	out := publicStates()
	out = append(out, s.publicSiteStates()...)
	out = append(out, citizenStates()...)
	out = append(out, s.areaStates()...)
	out = append(out, privacyStates()...)
	out = append(out, s.deskStates()...)
	out = append(out, s.holdStates()...)
	out = append(out, successorStates()...)
	out = append(out, extensionStates()...)
	out = append(out, s.opsStates()...)
	out = append(out, healthStates()...)
	out = append(out, s.eyesStates()...)
	out = append(out, s.rosterStates()...)
	out = append(out, s.readerStates()...)
	out = append(out, s.lockStates()...)
	out = append(out, s.campaignStates()...)
	out = append(out, trustStates()...)
	out = append(out, twinStates()...)
	out = append(out, archiveStates()...)
	out = append(out, declarationStates()...)
	out = append(out, shiftStates()...)
	out = append(out, delegationStates()...)
	out = append(out, formTextStates()...)
	out = append(out, signatureStates()...)
	return append(out, s.counterStates()...)
}

func publicStates() []State {
	var out []State
	for name, path := range map[string]string{
		"home": "/", "accedi": "/accedi", "servizi": "/servizi-online", "hub": "/cartasanitaria", "postazione": "/verifica-postazione",
		"contatti": "/contatti", "privacy": "/privacy", "note": "/note-legali", "accessibilita": "/accessibilita",
		"sicurezza": "/sicurezza", "uscita": "/uscita", "revoca": "/revoca",
	} {
		out = append(out, State{Name: name, Host: "portal", Path: path, Status: http.StatusOK})
	}
	return append(out,
		State{Name: "manutenzione", Host: "closed", Path: "/tessera", Status: http.StatusServiceUnavailable, Fault: "CSE-352"},
		State{Name: "non-trovata", Host: "portal", Path: "/nulla", Status: http.StatusNotFound, Fault: "CSE-002"},
		State{Name: "revoca-vuota", Host: "portal", Path: "/revoca", Form: form(), Status: 422, Fault: "CSE-358"},
		State{Name: "revoca-cip-errato", Host: "portal", Path: "/revoca", Form: form("chi", "6000000900001001", "cip", "1111111111", "capito", "si"), Status: 422, Fault: "CSE-401"},
		State{Name: "revoca-troppe", Host: "portal", Path: "/revoca", Form: form("chi", "6000000900001001", "cip", "9999999999", "capito", "si"), Status: 429, Fault: "CSE-402"},
		State{Name: "revoca-fatta", Host: "portal", Path: "/revoca", Form: form("chi", "6000000900001001", "cip", "12345 12345", "capito", "si"), Status: 200},
		State{Name: "login-scelta", Host: "login", Path: "/scelta", Status: 200},
		State{Name: "login-operatore", Host: "login", Path: "/operatore", Status: 200},
		State{Name: "login-operatore-errore", Host: "login", Path: "/operatore?errore=1", Status: 401, Fault: "CSE-353"},
		State{Name: "login-rifiuto", Host: "login", Path: "/rifiuto", Status: 403, Fault: "CSE-302"},
		State{Name: "login-rifiuto-senza-ritorno", Host: "login", Path: "/rifiuto?senza=1", Status: 403, Fault: "CSE-301"},
		State{Name: "login-messaggio", Host: "login", Path: "/messaggio", Status: 200},
		State{Name: "login-scelta-sola-tessera", Host: "login", Path: "/scelta?sola=1", Status: 200},
		State{Name: "cns-rifiuto", Host: "cns", Path: "/rifiuto", Status: 403, Fault: "CSE-302"},
		State{Name: "cns-senza-certificato", Host: "cns", Path: "/rifiuto?nessuno=1", Status: 403, Fault: "CSE-304"},
		State{Name: "cns-messaggio", Host: "cns", Path: "/messaggio", Status: 200},
	)
}

func citizenStates() []State {
	var out []State
	for _, who := range []string{"active", "pending", "chipless", "revoked", "cardless", "held"} {
		out = append(out, State{Name: "tessera-" + who, Host: "portal", Path: "/tessera", Who: who, Status: 200})
	}
	return append(out,
		State{Name: "tessera-morta", Host: "portal", Path: "/tessera", Who: "dead", Status: 403, Fault: "CSE-302"},
		State{Name: "sessione-scaduta", Host: "portal", Path: "/tessera", Who: "idle", Status: 403, Fault: "CSE-350"},
		State{Name: "tessera-da-operatore", Host: "portal", Path: "/tessera", Who: "password", Status: 403, Fault: "CSE-355"},
		State{Name: "sportello-da-cittadino", Host: "portal", Path: "/sportello", Who: "active", Status: 403, Fault: "CSE-144"},
	)
}

func (s *Stage) counterStates() []State {
	who := "password"
	page := func(name, path string) State {
		return State{Name: name, Host: "portal", Path: path, Who: who, Status: 200}
	}
	post := func(name, path, fault string, f url.Values) State {
		return State{Name: name, Host: "portal", Path: path, Form: f, Who: who, Status: 422, Fault: fault}
	}
	card := s.Cards["pending"].ID
	return []State{
		page("sportello", "/sportello"),
		page("sportello-aiuto", "/sportello/aiuto"),
		{Name: "sportello-trovati", Host: "portal", Path: "/sportello/cerca", Form: form("q", "tutti"), Who: who, Status: 200},
		{Name: "sportello-nessuno", Host: "portal", Path: "/sportello/cerca", Form: form("q", "zzz"), Who: who, Status: 200},
		post("sportello-vuota", "/sportello/cerca", "CSE-358", form("q", "")),
		post("sportello-cf-errato", "/sportello/cerca", "CSE-101", form("q", "RSSMRA80A01H501X")),
		page("scheda-pending", "/sportello/tessera/"+card),
		page("scheda-active", "/sportello/tessera/"+s.Cards["active"].ID),
		page("scheda-chipless", "/sportello/tessera/"+s.Cards["chipless"].ID),
		page("scheda-held", "/sportello/tessera/"+s.Cards["held"].ID),
		page("scheda-minor", "/sportello/tessera/"+s.Cards["minor"].ID),
		{Name: "scheda-cardless", Host: "portal", Path: "/sportello/cerca", Form: form("q", string(s.People["cardless"].CF)), Who: who, Status: 200, Follow: true},
		{Name: "scheda-ignota", Host: "portal", Path: "/sportello/titolare/abc", Who: who, Status: 404, Fault: "CSE-002"},
		{Name: "scheda-numero-ignoto", Host: "portal", Path: "/sportello/tessera/6999999999999999", Who: who, Status: 403, Fault: "CSE-139"},
		page("passo-1", "/sportello/attivazione?tessera="+card),
		post("passo-1-errore", "/sportello/attivazione", "CSE-132", form("tessera", card, "tessera_ultime_cinque", "00000")),
		page("passo-2", "/sportello/attivazione/due/2"),
		post("passo-2-vuoto", "/sportello/attivazione/due/2", "CSE-361", form("versione", "1")),
		post("passo-2-scaduto", "/sportello/attivazione/due/2", "CSE-110", form("versione", "1", "presente", "titolare", "documento_tipo", "CI",
			"documento_numero", "ax1234567", "documento_ente", "Comune", "documento_rilascio", "05/03/2010", "documento_scadenza", "05/03/2020")),
		post("passo-2-genitore", "/sportello/attivazione/due/2", "CSE-410", form("versione", "1", "presente", "genitore", "documento_tipo", "CI",
			"documento_numero", "ax1234567", "documento_ente", "Comune", "documento_rilascio", "05/03/2022", "documento_scadenza", "05/03/2032")),
		post("passo-2-delegato", "/sportello/attivazione/due/2", "CSE-121", form("versione", "1", "presente", "delegato", "documento_tipo", "CI",
			"documento_numero", "ax1234567", "documento_ente", "Comune", "documento_rilascio", "05/03/2022", "documento_scadenza", "05/03/2032")),
		post("passo-2-tutore", "/sportello/attivazione/due/2", "CSE-773", form("versione", "1", "presente", "tutore", "rappresentante_cf", "VRDLGU85M41F205T",
			"rappresentante_cognome", "Verdi", "rappresentante_nome", "Luigia", "titolo", "ads", "documento_tipo", "CI", "documento_numero", "ax1234567",
			"documento_ente", "Comune", "documento_rilascio", "05/03/2022", "documento_scadenza", "05/03/2032")),
		post("passo-2-altro-nome", "/sportello/attivazione/due/2", "CSE-767", form("versione", "1", "presente", "genitore", "rappresentante_cf", "VRDLGU85M41F205T",
			"rappresentante_cognome", "Bianchi", "rappresentante_nome", "Anna", "documento_tipo", "CI", "documento_numero", "ax1234567", "documento_ente", "Comune",
			"documento_rilascio", "05/03/2022", "documento_scadenza", "05/03/2032")),
		page("passo-3", "/sportello/attivazione/tre/3"),
		post("passo-3-errore", "/sportello/attivazione/tre/3", "CSE-131", form("versione", "2", "email", "a@esempio.it", "email_ripetuta", "b@esempio.it", "consenso", "si")),
		page("passo-4", "/sportello/attivazione/quattro/4"),
		page("pratica-da-stampare", "/sportello/pratica/2026/0000001"),
		post("pratica-non-stampata", "/sportello/pratica/2026/0000001/consegna", "CSE-146", form("consegnato", "si")),
		page("pratica-stampata", "/sportello/pratica/2026/0000002"),
		post("pratica-gia-stampata", "/sportello/pratica/2026/0000002/modulo", "CSE-150", form()),
		post("pratica-senza-spunta", "/sportello/pratica/2026/0000002/consegna", "CSE-360", form()),
		page("pratica-conclusa", "/sportello/pratica/2026/0000003"),
		page("pratica-distrutta", "/sportello/pratica/2017/0000001"),
		{Name: "bozza-sparita", Host: "portal", Path: "/sportello/attivazione/nessuna/2", Who: who, Status: 403, Fault: "CSE-145"},
	}
}

// Session opens a session for a role of the cast and gives its cookie. "dead"
// is active whose card was revoked meanwhile, "idle" one left alone too long,
// "password" the operator by account.
func (s *Stage) Session(ctx context.Context, who string) (*http.Cookie, error) {
	var x portal.Session
	now := s.Clock.Now()
	switch who {
	case "password", "locked", "resumed":
		p := s.People["operator"]
		x = portal.Session{Subject: "operator", CF: string(p.CF), Given: "Paola", Family: "Ferrari", Account: "paola", AMR: []string{"pwd", "otp"}}
	case "operations", "auditor", "security", "supervisor":
		p := s.People[who]
		x = portal.Session{Subject: who, CF: string(p.CF), Given: p.Name, Family: p.Surname, Account: who, AMR: []string{"pwd", "otp"}}
	default:
		role := map[string]string{"dead": "active", "idle": "active"}[who]
		if role == "" {
			role = who
		}
		p, ok := s.People[role]
		if !ok {
			return nil, fmt.Errorf("portaltest: nobody plays %q", who)
		}
		card := s.Cards[role].ID
		switch who {
		case "dead":
			card = "6999999999999999"
			s.Dead[card] = words.Refuse("CSE-302", "23/11/2026")
		case "chipless":
			card = s.Cards["old"].ID
		case "cardless":
			card = "6888888888888888" // another Region's
		}
		x = portal.Session{Subject: who, CF: string(p.CF), Given: p.Name, Family: p.Surname, Card: card, AMR: []string{"sc", "pin"}}
	}
	if who == "idle" || who == "locked" || who == "resumed" {
		s.Clock.Advance(-20 * time.Minute)
	}
	value, err := s.Portal.OpenSession(ctx, x, "")
	s.Clock.Set(now)
	cookie := &http.Cookie{Name: portal.SessionCookie, Value: value}
	if err == nil && who == "resumed" {
		err = s.resumed(ctx, cookie)
	}
	return cookie, err
}

// Play answers one state in a language ("it" or "en").
func (s *Stage) Play(w http.ResponseWriter, ctx context.Context, st State, lang words.Lang) error {
	origin, prefix := s.addr.Portal, "/"+string(lang)
	if st.Host == "login" || st.Host == "cns" {
		origin, prefix = s.addr.Of(st.Host), ""
	}
	method, body, kind := http.MethodGet, "", "application/x-www-form-urlencoded"
	switch {
	case st.Upload != nil:
		var err error
		method = http.MethodPost
		if body, kind, err = st.multipart(); err != nil {
			return err
		}
	case st.Form != nil:
		method, body = http.MethodPost, st.Form.Encode()
	}
	if st.File != "" {
		body, kind = multipartOf(st)
	}
	r := httptest.NewRequestWithContext(ctx, method, origin+prefix+st.Path, strings.NewReader(body))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", kind)
	}
	r.Header.Set("Accept-Language", string(lang))
	if st.Who != "" {
		c, err := s.Session(ctx, st.Who)
		if err != nil {
			return err
		}
		r.AddCookie(c)
	}
	if st.Follow {
		r = s.follow(r)
	}
	switch st.Host {
	case "closed":
		s.Closed.ServeHTTP(w, r)
	case "login", "cns":
		s.loginPage(w, r)
	default:
		s.Portal.ServeHTTP(w, r)
	}
	return nil
}

// multipartOf is a form with its file, as a browser posts it.
func multipartOf(st State) (body, kind string) {
	var b strings.Builder
	w := multipart.NewWriter(&b)
	for name := range st.Form {
		_ = w.WriteField(name, st.Form.Get(name)) // a strings.Builder does not fail
	}
	if st.File != "-" {
		f, _ := w.CreateFormFile("file", "file.csv")
		_, _ = f.Write([]byte(st.File))
	}
	_ = w.Close()
	return b.String(), w.FormDataContentType()
}

// follow asks the portal and makes the request to which its answer leads.
func (s *Stage) follow(r *http.Request) *http.Request {
	w := httptest.NewRecorder()
	s.Portal.ServeHTTP(w, r)
	next := httptest.NewRequestWithContext(r.Context(), http.MethodGet, s.addr.Portal+w.Header().Get("Location"), http.NoBody)
	next.Header = r.Header.Clone()
	next.Header.Del("Content-Type")
	return next
}

// loginPage shows a page of login as login would ask for it.
func (s *Stage) loginPage(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", page.Policy(nil, []string{s.addr.Portal}))
	switch r.URL.Path {
	case "/scelta":
		c := page.Chooser{
			Service: "Portale", CardURL: s.addr.Login + "/cns?flow=x", OperatorURL: s.addr.Login + "/operatore?flow=x",
			CancelURL: s.addr.Portal + "/", SelfURL: s.addr.Login + "/scelta?flow=x", NotConnected: []string{"SPID", "CIE"},
			Entrances: []page.Entrance{{Label: "Cittadino di prova", URL: s.addr.Login + "/prova"}},
		}
		if r.URL.Query().Has("sola") { // a service of another administration, outside the demonstration
			c.Service, c.OperatorURL, c.Entrances = "Previdenza", "", nil
		}
		s.Login.Chooser(w, r, c)
	case "/operatore":
		o := page.Operator{Service: "Portale", Action: s.addr.Login + "/operatore", Flow: "x", CSRF: "y", BackURL: s.addr.Login + "/scelta", Status: 200}
		if r.URL.RawQuery != "" {
			o.Fault, o.Status, o.Account = words.Refuse("CSE-353"), 401, "paola"
		}
		s.Login.Operator(w, r, o)
	case "/rifiuto":
		x := page.Refusal{
			Fault: words.Refuse("CSE-302", "23/11/2026"), Status: 403, ReasonKey: "login.reason.keyCompromise", RetryURL: s.addr.Login + "/scelta",
		}
		switch q := r.URL.Query(); {
		case q.Has("senza"):
			x = page.Refusal{Fault: words.Refuse("CSE-301", "23/11/2026"), Status: 403}
		case q.Has("nessuno"):
			x = page.Refusal{Fault: words.Refuse("CSE-304"), Status: 403, RetryURL: s.addr.Login + "/scelta"}
		}
		s.Login.Refusal(w, r, x)
	case "/messaggio":
		s.Login.Message(w, r, page.Message{TitleKey: "login.out.title", TextKey: "login.out.text", Status: 200})
	}
}
