package login_test

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"cse.example/cse/ground/secret"
	"cse.example/cse/login"
	"cse.example/cse/login/handover"
	"cse.example/cse/login/identity"
	"cse.example/cse/login/logintest"
	"cse.example/cse/login/provider"
	"cse.example/cse/login/visitor"
)

type form struct{ flow, csrf string }

func operatorForm(t *testing.T, b *http.Client, w *logintest.World) form {
	t.Helper()
	flow := logintest.Query(t, toCard(t, b, portal(t, w).start()), "flow")
	a := get(t, b, w.LoginURL+"/operator?flow="+flow)
	csrf := between(a.text, `name="csrf" value="`, `"`)
	if a.StatusCode != http.StatusOK || csrf == "" {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	if p := a.Header.Get("Content-Security-Policy"); !strings.Contains(p, "form-action 'self' https://portal.cse.test;") {
		t.Errorf("a browser would not follow the form to the service: %s", p)
	}
	return form{flow, csrf}
}

func (f form) post(t *testing.T, b *http.Client, w *logintest.World, password, totp string, header ...string) answer {
	t.Helper()
	v := url.Values{"flow": {f.flow}, "csrf": {f.csrf}, "account": {logintest.OperatorName}, "password": {password}, "totp": {totp}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.LoginURL+"/operator", strings.NewReader(v.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	r, err := b.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, r)
}

func TestOperatorLogin(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	p := portal(t, w)
	b := w.Browser(nil)
	f := operatorForm(t, b, w)
	wantRefusal(t, f.post(t, b, w, "wrong", logintest.OperatorCode), "CSE-326")
	a := f.post(t, b, w, "wrong", "000000")
	wantRefusal(t, a, "CSE-326")
	if !strings.Contains(a.text, logintest.OperatorName) || strings.Contains(a.text, "wrong") {
		t.Error("the form keeps the account, never the password")
	}
	p.codeFrom(t, f.post(t, b, w, logintest.OperatorPass, logintest.OperatorCode))
	w2 := operatorForm(t, b, w)
	wantRefusal(t, w2.post(t, w.Browser(nil), w, logintest.OperatorPass, logintest.OperatorCode), "CSE-327") // no cookie
	wantRefusal(t, f.post(t, b, w, logintest.OperatorPass, logintest.OperatorCode), "CSE-323")               // flow is over
	wantRefusal(t, form{w2.flow, f.csrf}.post(t, b, w, logintest.OperatorPass, logintest.OperatorCode), "CSE-327")
	wantRefusal(t, w2.post(t, b, w, logintest.OperatorPass, logintest.OperatorCode, "Sec-Fetch-Site", "cross-site"), "CSE-327")
	wantRefusal(t, w2.post(t, b, w, logintest.OperatorPass, logintest.OperatorCode, "Origin", "https://evil.example"), "CSE-327")
}

func TestOperatorClaims(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	p := portal(t, w)
	b := w.Browser(nil)
	flow := logintest.Query(t, toCard(t, b, p.start()), "flow")
	csrf := between(get(t, b, w.LoginURL+"/operator?flow="+flow).text, `name="csrf" value="`, `"`)
	tok := p.redeem(t, p.codeFrom(t, form{flow, csrf}.post(t, b, w, logintest.OperatorPass, logintest.OperatorCode)))
	got, err := p.userInfo(tok)
	if err != nil {
		t.Fatal(err)
	}
	if got["acr"] != identity.ACROperator || got["name"] != "Luigia Verdi" || got["preferred_username"] != logintest.OperatorName || got[provider.ClaimFiscalNumber] != "TINIT-"+logintest.OtherCF {
		t.Errorf("claims: %v", got)
	}
	if n, err := w.Service.EndForOperator(t.Context(), logintest.OperatorName); n != 1 || err != nil {
		t.Errorf("ended %d, %v", n, err)
	}
	if p.introspect(t, tok.AccessToken)["active"] != false {
		t.Error("the session outlives the account")
	}
}

// A service for citizens takes no operators, whatever address is typed.
func TestOperatorsOnlyWhereAgreed(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	b := w.Browser(nil)
	flow := logintest.Query(t, toCard(t, b, newRP(t, w, logintest.ServiceID, logintest.ServiceReturn).start()), "flow")
	wantRefusal(t, get(t, b, w.LoginURL+"/operator?flow="+flow), "CSE-328")
}

// --- the hand-over ---------------------------------------------------------

// ticketFor proves the card for a flow without following the ticket.
func ticketFor(t *testing.T, w *logintest.World, link string) string {
	t.Helper()
	to, err := visitor.Card(t.Context(), &http.Client{Transport: w.Transport(&w.Card)}, link)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func TestTicket(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	p := portal(t, w)
	mine, other := w.Browser(nil), w.Browser(nil)

	t.Run("on the visitor's behalf, used once", func(t *testing.T) {
		to := ticketFor(t, w, toCard(t, mine, p.start()))
		p.redeem(t, p.codeFrom(t, get(t, mine, to)))
		wantRefusal(t, get(t, mine, to), "CSE-324")
	})
	t.Run("another browser destroys it", func(t *testing.T) {
		toCard(t, other, p.start()) // it has a cookie of its own
		to := ticketFor(t, w, toCard(t, mine, p.start()))
		wantRefusal(t, get(t, other, to), "CSE-325")
		wantRefusal(t, get(t, mine, to), "CSE-324")
	})
	t.Run("no cookie at all", func(t *testing.T) {
		wantRefusal(t, get(t, w.Browser(nil), ticketFor(t, w, toCard(t, mine, p.start()))), "CSE-325")
	})
	t.Run("after sixty seconds", func(t *testing.T) {
		to := ticketFor(t, w, toCard(t, mine, p.start()))
		w.Clock.Advance(handover.TicketLifetime)
		wantRefusal(t, get(t, mine, to), "CSE-324")
	})
	t.Run("two tickets, one login", func(t *testing.T) {
		link := toCard(t, mine, p.start())
		a, b := ticketFor(t, w, link), ticketFor(t, w, link)
		p.codeFrom(t, get(t, mine, a))
		wantRefusal(t, get(t, mine, b), "CSE-324")
	})
	t.Run("the flow after a quarter of an hour", func(t *testing.T) {
		link := toCard(t, mine, p.start())
		w.Clock.Advance(handover.FlowLifetime)
		_, err := visitor.Card(t.Context(), &http.Client{Transport: w.Transport(&w.Card)}, link)
		if got := fault(err); got != "CSE-323" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("made up", func(t *testing.T) {
		wantRefusal(t, get(t, mine, w.LoginURL+"/return?ticket=made-up"), "CSE-324")
		wantRefusal(t, get(t, mine, w.LoginURL+"/return"), "CSE-324")
	})
}

// The entrances of a demo: real proofs, made for somebody else's browser.
func TestVisitor(t *testing.T) {
	w := logintest.New(t, logintest.Options{Change: func(c *login.Config, _ *login.Needs) {
		c.Entrances = []login.Entrance{{Label: "Entra come cittadino", URL: "https://demo.cse.test/citizen"}}
		c.OperatorEntrances = []login.Entrance{{Label: "Entra come operatore", URL: "https://demo.cse.test/enter?as=operator"}}
	}})
	p := portal(t, w)
	person := w.Browser(nil)
	a := get(t, person, p.start())
	flow := between(a.text, "https://demo.cse.test/citizen?flow=", `"`)
	if flow == "" || !strings.Contains(a.text, "enter?as=operator&amp;flow="+flow) {
		t.Fatalf("no entrances: %s", a.text)
	}
	to, err := visitor.Operator(t.Context(), w.Browser(nil), w.LoginURL, flow, logintest.OperatorName,
		secret.FromString(logintest.OperatorPass), secret.FromString(logintest.OperatorCode))
	if err != nil {
		t.Fatal(err)
	}
	p.redeem(t, p.codeFrom(t, get(t, person, to)))

	link := toCard(t, person, p.start())
	_, err = visitor.Operator(t.Context(), w.Browser(nil), w.LoginURL, logintest.Query(t, link, "flow"), logintest.OperatorName,
		secret.FromString("wrong"), secret.FromString(logintest.OperatorCode))
	if fault(err) != "CSE-326" {
		t.Errorf("wrong password: %v", err)
	}
	if _, err := visitor.Card(t.Context(), &http.Client{Transport: w.Transport(&tls.Certificate{})}, link); fault(err) != "CSE-304" {
		t.Errorf("no card: %v", err)
	}
}

// A browser is known for the account that entered from it, and for no other.
func TestABrowserIsKnownByItsOwnAccount(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	p := portal(t, w)
	b := w.Browser(nil)
	f := operatorForm(t, b, w)
	wantRefusal(t, f.post(t, b, w, "wrong", logintest.OperatorCode), "CSE-326")
	p.codeFrom(t, f.post(t, b, w, logintest.OperatorPass, logintest.OperatorCode))
	g := operatorForm(t, b, w)
	wantRefusal(t, g.post(t, b, w, "wrong", logintest.OperatorCode), "CSE-326")
	p.codeFrom(t, g.post(t, b, w, logintest.OperatorPass, logintest.OperatorCode))
	other := w.Browser(nil)
	h := operatorForm(t, other, w)
	wantRefusal(t, h.post(t, other, w, "wrong", logintest.OperatorCode), "CSE-326")
	d := w.Office.Devices
	if len(d) != 5 || d[0] != "" || d[1] != "" || d[2] == "" || d[3] != d[2] || d[4] != "" {
		t.Errorf("the browsers were known as %q", d)
	}
}
