package journey

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"cse.example/cse/demo/browser"
)

// page is one entry of test/pages/run.mjs.
type page struct {
	Name    string           `json:"name"`
	URL     string           `json:"url"`
	Status  int              `json:"status"`
	Cookies []map[string]any `json:"cookies,omitempty"`
	Steps   []map[string]any `json:"steps,omitempty"`
}

// cookiesOf hands a browser's session over to Chromium.
func cookiesOf(b *browser.Browser, address string) []map[string]any {
	var out []map[string]any
	for _, c := range b.Cookies(address) {
		out = append(out, map[string]any{"name": c.Name, "value": c.Value, "url": address + "/", "secure": true, "httpOnly": true, "sameSite": "Lax"})
	}
	return out
}

// pages: every page of the live site that a visitor, the citizen and the
// operator reach, in Chromium with axe: two widths, scripts on and off, policy
// of content, nothing from elsewhere. States of failure that no visitor can
// bring about are played by test/pages/serve.
func (j *journey) pages(t *testing.T) {
	var list []page
	add := func(name, address string, status int, b *browser.Browser) {
		p := page{Name: name, URL: address, Status: status}
		if b != nil {
			p.Cookies = cookiesOf(b, portalURL)
		}
		list = append(list, p)
	}
	for _, path := range []string{
		"/", "/cartasanitaria", "/verifica-postazione", "/contatti", "/privacy", "/note-legali", "/accessibilita", "/accedi",
		"/servizi-online", "/sicurezza", "/revoca", "/uscita", "/en/",
	} {
		add("portal "+path, portalURL+path, 200, nil)
	}
	add("not there", portalURL+"/nulla", 404, nil)
	add("chooser", portalURL+"/entra?a=/tessera", 200, nil)
	list = append(list, page{
		Name: "no certificate", URL: portalURL + "/entra?a=/tessera", Status: 200, Steps: []map[string]any{{"click": `a[rel~="cns"]`}},
	}, page{
		Name: "operator's form", URL: portalURL + "/entra?a=/sportello", Status: 200, Steps: []map[string]any{{"click": `a[href*="/operator?"]`}},
	}, page{
		Name: "revocation refused", URL: portalURL + "/revoca", Status: 200,
		Steps: []map[string]any{{"fill": `[name="chi"]`, "value": j.citizen.cf}, {"click": `form[action$="/revoca"] button[type="submit"]`}},
	})
	for _, path := range []string{"/", "/posta", j.letterPath(t)} {
		add("demo "+strings.SplitAfterN(path, "/", 3)[1], demoURL+path, 200, nil)
	}
	add("service", "https://comune.cse.localhost:8443/", 200, nil)

	citizen := j.browser(t)
	visit(t, citizen, portalURL+"/entra?a=/tessera&login_hint=demo-cittadino")
	arrived(t, citizen, "/tessera")
	add("tessera", portalURL+"/tessera", 200, citizen)

	p := j.adults(t, 1)[0]
	desk := j.openActivation(t, p)
	step1 := desk.Page.URL.String()
	add("desk", portalURL+"/sportello", 200, desk)
	add("desk help", portalURL+"/sportello/aiuto", 200, desk)
	add("sheet", portalURL+"/sportello/tessera/"+p.card, 200, desk)
	add("step 1", step1, 200, desk)
	ok(t, desk.Submit(t.Context(), "/sportello/attivazione", map[string]string{"tessera_ultime_cinque": p.card[11:]}))
	step2 := desk.Page.URL.String()
	add("step 2", step2, 200, desk)
	list = append(list, page{
		Name: "step 2 refused", URL: step2, Status: 200, Cookies: cookiesOf(desk, portalURL),
		Steps: []map[string]any{{"fill": `[name="documento_numero"]`, "value": ""}, {"click": `form[action$="/2"] button[type="submit"]`}},
	})
	ok(t, desk.Submit(t.Context(), "/2", papers()))
	add("step 3", desk.Page.URL.String(), 200, desk)
	ok(t, desk.Submit(t.Context(), "/3", map[string]string{"email": "a@posta.cse.localhost", "email_ripetuta": "a@posta.cse.localhost", "lingua": "it", "consenso": "si"}))
	add("step 4", desk.Page.URL.String(), 200, desk)
	add("file", portalURL+j.filePath(t), 200, desk)

	text, err := json.Marshal(list)
	ok(t, err)
	c := exec.CommandContext(t.Context(), "node", "run.mjs")
	c.Dir = "../pages"
	c.Env = j.environment("PAGES=" + string(text))
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Run(); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
	t.Log(strings.SplitN(out.String(), "\n", 2)[0])
}

// letterPath is the address of a letter in the demonstration's box.
func (j *journey) letterPath(t *testing.T) string {
	t.Helper()
	b := j.browser(t)
	visit(t, b, demoURL+"/posta")
	to := b.Page.Href(func(h string) bool { return strings.HasPrefix(h, "/posta/") })
	if to == "" {
		t.Fatalf("no letter: %s", b.Page.Text())
	}
	return to
}

// filePath is the page of the citizen's activation, from the sheet.
func (j *journey) filePath(t *testing.T) string {
	t.Helper()
	visit(t, j.desk, portalURL+"/sportello/tessera/"+j.citizen.card)
	to := j.desk.Page.Href(func(h string) bool { return strings.Contains(h, "/sportello/pratica/") })
	if to == "" {
		t.Fatalf("no activation on the sheet: %s", j.desk.Page.Text())
	}
	return to
}
