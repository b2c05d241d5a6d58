package main

import (
	"io/fs"
	"net/http"
	"os"
	"slices"

	"cse.example/cse/ground/words"
	"cse.example/cse/portal/look"
	"cse.example/cse/portal/portaltest"
)

// demoPages are the demonstration's own pages (demo/pages) with invented data;
// the journey test sees them with real ones. The command is run from the root
// of the repository.
type demoPages struct {
	look *look.Look
	addr portaltest.Addresses
}

func newDemoPages(addr portaltest.Addresses, assets fs.FS) (*demoPages, error) {
	theme := look.DefaultTheme()
	theme.Ribbon = "DIMOSTRAZIONE"
	l, err := look.New(theme, assets, os.DirFS("demo/pages"))
	if err != nil {
		return nil, err
	}
	return &demoPages{l, addr}, nil
}

// demoStates are page, title and data of each state.
type demoState struct {
	page, title string
	fault       *words.Fault
	data        func(a portaltest.Addresses) any
}

var demoStates = map[string]demoState{
	"demo-ingressi":  {"index", "demo.title", nil, index(true)},
	"demo-in-corso":  {"index", "demo.title", nil, index(false)},
	"demo-posta":     {"letters", "demo.inbox.title", nil, func(portaltest.Addresses) any { return []any{letter(), letter()} }},
	"demo-vuota":     {"letters", "demo.inbox.title", nil, func(portaltest.Addresses) any { return []any{} }},
	"demo-lettera":   {"letter", "demo.inbox.title", nil, func(portaltest.Addresses) any { return letter() }},
	"demo-servizio":  {"service", "demo.service.municipal", nil, service("", "", "")},
	"demo-entrato":   {"service", "demo.service.municipal", nil, service("RSSMRA80E12D612W", "MARIO ROSSI", "https://www.spid.gov.it/SpidL3")},
	"demo-non-entra": {"service", "demo.service.municipal", words.Refuse("CSE-394"), func(portaltest.Addresses) any { return nil }},
}

func index(ready bool) func(portaltest.Addresses) any {
	return func(a portaltest.Addresses) any {
		services := []any{}
		for _, s := range []string{"central", "regional", "municipal"} {
			services = append(services, map[string]any{"NameKey": "demo.service." + s, "TextKey": "demo.service." + s + ".text", "URL": a.Portal})
		}
		return map[string]any{
			"Addresses": map[string]string{"Portal": a.Portal}, "Services": services, "Ready": ready,
			"Cards": "/home/qualcuno/una cartella/molto/profonda/con-un-nome-lungo-senza-spazi-che-deve-andare-a-capo/var/demo/cards",
		}
	}
}

func letter() any {
	return map[string]any{
		"File": "0001-x.eml", "Subject": "Codici della tua tessera – seconda metà", "From": "tessera@esempio.it", "To": "un-indirizzo-piuttosto-lungo@posta.esempio.it",
		"Text": "Ciao Mario,\n\nqui sotto trovi la seconda metà dei codici della tua tessera. La prima metà è sul modulo che hai ricevuto allo sportello.\n\n" +
			"PIN: 123\nPUK: 123456\nCIP: 12345\n\nhttps://portale.esempio.it/un/indirizzo/che/non/si/puo/spezzare/in/nessun/punto/e/va/a/capo/lo/stesso\n",
	}
}

func service(cf, name, acr string) func(portaltest.Addresses) any {
	return func(portaltest.Addresses) any {
		return map[string]any{
			"Service": map[string]string{"TextKey": "demo.service.municipal.text"}, "CF": cf, "Name": name, "ACR": acr,
		}
	}
}

func demoNames() []string {
	var out []string
	for name := range demoStates {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// play shows a state of the demonstration's pages; false when name is none.
func (d *demoPages) play(w http.ResponseWriter, lang words.Lang, name string) bool {
	st, ok := demoStates[name]
	if !ok {
		return false
	}
	p := &look.Page{Lang: lang, Home: d.addr.Portal, Section: "demo", Title: words.Say(lang, st.title), Fault: st.fault, Data: st.data(d.addr)}
	if err := d.look.Render(w, http.StatusOK, st.page, p); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
	return true
}
