package login

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"cse.example/cse/ground/words"
	"cse.example/cse/login/door"
	"cse.example/cse/login/handover"
	"cse.example/cse/login/identity"
	"cse.example/cse/login/page"
	"cse.example/cse/login/provider"
)

// Cookie binds a flow to the browser that began it. It is no session: it brings
// nobody in by itself.
const Cookie = "__Host-cse-flow"

// notConnected are the ways that the law offers and this installation has not
// connected yet (rules R110, R111).
var notConnected = []string{"SPID", "CIE"}

func (s *Service) routes() *http.ServeMux {
	m := http.NewServeMux()
	m.HandleFunc("GET /return", s.comeBack)
	m.HandleFunc("GET /choose", s.chooseAgain)
	m.HandleFunc("GET /cancel", s.cancel)
	m.HandleFunc("GET /operator", s.operatorForm)
	m.HandleFunc("POST /operator", s.operatorEnter)
	m.HandleFunc("/", s.protocol)
	return m
}

// protocol hands the OpenID endpoints to the provider and says "no such page"
// in words to people.
func (s *Service) protocol(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" {
		s.refuse(w, r, words.Refuse("CSE-002"), "")
		return
	}
	s.op.ServeHTTP(w, r)
}

// cookie is the browser's value, made when it has none.
func (s *Service) cookie(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie(Cookie); err == nil && len(c.Value) == flowCookieLength {
		return c.Value
	}
	v := s.random.Text()
	http.SetCookie(w, &http.Cookie{
		Name: Cookie, Value: v, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	return v
}

const flowCookieLength = 43 // 256 bits, base64url

func held(r *http.Request) string {
	c, err := r.Cookie(Cookie)
	if err != nil {
		return ""
	}
	return c.Value
}

// browser is the gateway as the provider sees it.
type browser struct{ s *Service }

// Choose implements provider.Interaction: a flow is opened and the ways shown.
func (b browser) Choose(w http.ResponseWriter, r *http.Request, a provider.Attempt) error {
	flow, err := b.s.desk.Begin(r.Context(), b.s.cookie(w, r), a.Session, a.Client.ID, a.ACR)
	if err != nil {
		return err
	}
	b.s.offer(w, r, flow, a.Client, a.ACR)
	return nil
}

// Resume implements provider.Interaction: the ticket is taken.
func (b browser) Resume(r *http.Request, a provider.Attempt) (identity.Identity, error) {
	return b.s.desk.Take(r.Context(), r.URL.Query().Get("ticket"), held(r), a.Session)
}

// Refuse implements provider.Interaction.
func (b browser) Refuse(w http.ResponseWriter, r *http.Request, f *words.Fault) {
	b.s.refuse(w, r, f, "")
}

// LoggedOut implements provider.Interaction.
func (b browser) LoggedOut(w http.ResponseWriter, r *http.Request) {
	b.s.needs.Pages.Message(w, r, page.Message{
		TitleKey: "login.out.title", TextKey: "login.out.text", Status: http.StatusOK,
	})
}

// offer shows the ways that the service takes and the request asks for.
func (s *Service) offer(w http.ResponseWriter, r *http.Request, flow string, c provider.Client, acr string) {
	cards, operators := !c.NoCards, c.Operators
	if want := strings.Fields(acr); len(want) > 0 {
		wantCard, wantOperator := slices.Contains(want, s.cfg.ACRCard), slices.Contains(want, identity.ACROperator)
		if wantCard != wantOperator { // only one of the two was asked for
			cards, operators = cards && wantCard, operators && wantOperator
		}
	}
	p := page.Chooser{
		Service: c.Name, CancelURL: s.at("/cancel", flow), SelfURL: s.at("/choose", flow),
		Entrances: withFlow(s.cfg.Entrances, flow),
	}
	if cards {
		p.CardURL = s.cfg.CardURL + door.Path + "?flow=" + url.QueryEscape(flow)
		p.NotConnected = notConnected
	}
	if operators {
		p.OperatorURL = s.at("/operator", flow)
		p.Entrances = append(p.Entrances, withFlow(s.cfg.OperatorEntrances, flow)...)
	}
	s.needs.Pages.Chooser(w, r, p)
}

func (s *Service) at(path, flow string) string {
	return s.cfg.LoginURL + path + "?flow=" + url.QueryEscape(flow)
}

func withFlow(in []Entrance, flow string) []page.Entrance {
	var out []page.Entrance
	for _, e := range in {
		sep := "?"
		if strings.Contains(e.URL, "?") {
			sep = "&"
		}
		out = append(out, page.Entrance{Label: e.Label, URL: e.URL + sep + "flow=" + url.QueryEscape(flow)})
	}
	return out
}

// comeBack is where a ticket brings the browser.
func (s *Service) comeBack(w http.ResponseWriter, r *http.Request) {
	session, err := s.desk.Session(r.Context(), r.URL.Query().Get("ticket"))
	if err != nil {
		s.refuse(w, r, err, "")
		return
	}
	s.op.Resume(w, r, session)
}

// flowOf reads ?flow= and finds flow and client; browser-bound unless free.
func (s *Service) flowOf(r *http.Request, name string, bound bool) (handover.Flow, provider.Client, error) {
	f, err := s.desk.Flow(r.Context(), name)
	if err != nil {
		return f, provider.Client{}, err
	}
	c, ok := s.op.Client(f.Client)
	if !ok || (bound && !f.Held(held(r))) {
		return f, c, words.Refuse("CSE-325")
	}
	return f, c, nil
}

// chooseAgain shows the choice of an open flow once more.
func (s *Service) chooseAgain(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("flow")
	f, c, err := s.flowOf(r, name, true)
	if err != nil {
		s.refuse(w, r, err, "")
		return
	}
	s.offer(w, r, name, c, f.ACR)
}

// cancel gives up; the service learns access_denied.
func (s *Service) cancel(w http.ResponseWriter, r *http.Request) {
	f, _, err := s.flowOf(r, r.URL.Query().Get("flow"), true)
	if err != nil {
		s.refuse(w, r, err, "")
		return
	}
	s.op.Cancel(w, r, f.Session)
}
