package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cse.example/cse/card/diagnosis"
	"cse.example/cse/cmd/cse/online"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
)

// C2 and H2 over HTTP: a holder's program sends its report to the real portal and
// gets a reference; the agent types what he hears, sees the lights with codes and
// next steps, and the guided questions are answered as the diagnosis says. The
// ticket keeps the reference.
func TestR31_TheAgentOpensTheHoldersDiagnosis(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	key := r.employ(t, "ivo", 1, staff.RoleCallCentre)
	p := r.serve(t, "web")
	ctx := t.Context()
	report := diagnosis.Report{At: time.Now(), Reader: "ACS ACR38U-CCID (00345678) 00 00", Family: "CSE neutral"}
	for _, part := range diagnosis.Parts {
		c := diagnosis.Check{Part: part, State: diagnosis.OK}
		switch part {
		case diagnosis.PIN:
			c = diagnosis.Check{Part: part, State: diagnosis.Fault, Fault: words.Refuse("CSE-212")}
		case diagnosis.Browser:
			c.State = diagnosis.Unknown
		}
		report.Checks = append(report.Checks, c)
	}
	asker := &online.Asker{Portal: p.Config.Public.Portal, Roots: p.webCA.ClientConfig().RootCAs}
	sent, err := asker.Send(ctx, report.Letter("cse test", "linux amd64"))
	check(t, err)
	if d := time.Now().AddDate(0, 0, 30); sent.KeptUntil != d.Format("2006-01-02") && sent.KeptUntil != d.UTC().Format("2006-01-02") {
		t.Errorf("kept until %s", sent.KeptUntil)
	}

	path := "/sportello/tessera/" + r.active + "/assistenza"
	b := atWork(t, p, "ivo", key, path)
	open := func(said, code string) {
		t.Helper()
		check(t, b.Submit(ctx, "/diagnosi", map[string]string{"diagnosi": said}))
		if b.Page.Code() != code {
			t.Fatalf("%s %q, want %q: %s", b.Page.Where(), b.Page.Code(), code, b.Page.Text())
		}
	}
	open("NTLTCZ", "CSE-563")
	open(string(diagnosis.ForKept(7)), "CSE-816")
	open(strings.ToLower(sent.Spelled), "")
	text := b.Page.Text()
	for _, want := range []string{
		sent.Reference, "CSE-212", "cse pin unblock", "ACS ACR38U-CCID", words.Say(words.Italian, "portal.help.diagnosis.says", words.Say(words.Italian, "portal.help.outcome.pin-blocked")),
		diagnosis.Browser.Name(words.Italian) + ".",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q on the page: %s", want, text)
		}
	}
	if where, err := url.Parse(b.Page.Where()); err == nil && strings.Contains(where.RawQuery, "Napoli") {
		t.Errorf("at %s", where)
	}

	known, err := p.knownOf(ctx, card(t, p, r.active))
	check(t, err)
	check(t, b.Submit(ctx, "/assistenza", map[string]string{
		"mese": known.Month, "email_fine": known.EmailEnd, "comune": known.Comune, "riferimento": sent.Reference,
		"lettore": "si", "risponde": "si", "certificato": "si", "puk_libero": "si", "browser": "si",
	}))
	list, err := p.helpdesk.Of(ctx, r.active)
	check(t, err)
	if len(list) != 1 || list[0].Reference != sent.Reference || list[0].Outcome != "pin-blocked" {
		t.Errorf("%+v", list)
	}

	// What is bigger than a letter, or none, is refused; nothing is logged of it.
	for body, want := range map[string]int{"{}": http.StatusUnprocessableEntity, strings.Repeat("x", 1<<20): http.StatusRequestEntityTooLarge} {
		q, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Config.Public.Portal+"/api/v1/diagnoses", strings.NewReader(body))
		check(t, err)
		q.Header.Set("Content-Type", "application/json")
		w, err := p.httpClient().Do(q)
		check(t, err)
		check(t, w.Body.Close())
		if w.StatusCode != want {
			t.Errorf("%d octets: %d, want %d", len(body), w.StatusCode, want)
		}
	}
	clean(t, p)
}
