package portal_test

import (
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/portal"
	"cse.example/cse/portal/content"
	"cse.example/cse/portal/portaltest"
)

var (
	reLink  = regexp.MustCompile(`<a [^>]*href="([^"]*)"`)
	reMain  = regexp.MustCompile(`(?s)<main[^>]*>(.*)</main>`)
	reTag   = regexp.MustCompile(`<[^>]*>`)
	reSpace = regexp.MustCompile(`[ \t\n]+`)
)

// get asks for a page as nobody, in a language.
func get(t *testing.T, s *portaltest.Stage, lang words.Lang, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	s.Portal.ServeHTTP(w, httptest.NewRequest(http.MethodGet, portaltest.DefaultAddresses().Portal+"/"+string(lang)+path, http.NoBody))
	return w
}

// plain is the text of a piece of a page.
func plain(s string) string {
	return strings.TrimSpace(reSpace.ReplaceAllString(html.UnescapeString(reTag.ReplaceAllString(s, " ")), " "))
}

// publicPages are the addresses that need nobody.
func publicPages(t *testing.T) []string {
	t.Helper()
	c, err := content.Open()
	if err != nil {
		t.Fatal(err)
	}
	out := []string{
		"/", "/accedi", "/servizi-online", "/cartasanitaria", "/verifica-postazione", "/contatti", "/privacy", "/note-legali", "/accessibilita",
		"/sicurezza", "/revoca", "/uscita", "/domande-frequenti", "/sportelli", "/stato-tessera",
		"/modulo-delega/delega", "/modulo-delega/autocertificazione",
	}
	for _, a := range slices.Concat(c.Questions(words.Italian), c.Pages(words.Italian)) {
		out = append(out, a.Address())
	}
	return out
}

// Every link of every public page leads somewhere, anchors included, and none
// off the site (but for the services that a body registers).
func TestRP4_NoDeadInternalLink(t *testing.T) {
	s := newStage(t)
	home := portaltest.DefaultAddresses().Portal
	pages := map[string]string{} // by address, the body
	open := func(path string) (string, int) {
		if body, seen := pages[path]; seen {
			return body, 200
		}
		w := httptest.NewRecorder()
		s.Portal.ServeHTTP(w, httptest.NewRequest(http.MethodGet, home+path, http.NoBody))
		if w.Code == 200 {
			pages[path] = w.Body.String()
		}
		return w.Body.String(), w.Code
	}
	links := 0
	for _, lang := range []words.Lang{words.Italian, words.English} {
		for _, page := range publicPages(t) {
			from := "/" + string(lang) + page
			body, status := open(from)
			if status != 200 {
				t.Errorf("%s answers %d", from, status)
				continue
			}
			for _, m := range reLink.FindAllStringSubmatch(body, -1) {
				to := html.UnescapeString(m[1])
				links++
				switch {
				case strings.HasPrefix(to, "mailto:?subject="), strings.HasPrefix(to, "tel:"):
					continue
				case strings.HasPrefix(to, "https://") && strings.Contains(to, ".cse.localhost") && !strings.HasPrefix(to, home):
					continue // a registered service
				case strings.HasPrefix(to, "/"+string(lang)+"/entra?"):
					continue // leads to the login's host, which the stage has not
				}
				path, anchor, _ := strings.Cut(strings.TrimPrefix(to, home), "#")
				if path == "" {
					path = from
				}
				target, status := open(path)
				if status != 200 && status != http.StatusSeeOther {
					t.Errorf("%s leads to %s, which answers %d", from, to, status)
				}
				if anchor != "" && !strings.Contains(target, ` id="`+anchor+`"`) {
					t.Errorf("%s leads to %s, and there is no #%s", from, to, anchor)
				}
			}
		}
	}
	if links < 2000 {
		t.Fatalf("only %d links were followed: the search is broken", links)
	}
}

// 33 lines in two named sections; each leads to an answer that asks in the same
// words, on the page and at its own address; "Torna su" leads back to the index
// and both ends can have the focus of the keyboard.
func TestRP1_RP2_IndexAndAnswersSayTheSame(t *testing.T) {
	s := newStage(t)
	line := regexp.MustCompile(`<li><a href="#([ab][0-9]+)">([^<]*)</a></li>`)
	for _, lang := range []words.Lang{words.Italian, words.English} {
		body := get(t, s, lang, "/domande-frequenti").Body.String()
		lines := line.FindAllStringSubmatch(body, -1)
		if len(lines) != 33 {
			t.Fatalf("%s: %d lines in the index", lang, len(lines))
		}
		for _, m := range lines {
			heading := regexp.MustCompile(`<h3 id="`+m[1]+`" tabindex="-1">([^<]*)</h3>`).FindAllStringSubmatch(body, -1)
			if len(heading) != 1 || heading[0][1] != m[2] {
				t.Errorf("%s %s: the index says %q, the answer %v", lang, m[1], m[2], heading)
			}
			alone := get(t, s, lang, "/domande-frequenti/"+m[1]).Body.String()
			if !strings.Contains(alone, "<h1>"+m[2]+"</h1>") {
				t.Errorf("%s %s: its own page asks something else", lang, m[1])
			}
			if !strings.Contains(alone, `/domande-frequenti#indice"`) {
				t.Errorf("%s %s: its own page does not lead back", lang, m[1])
			}
		}
		back := `<a href="#indice">` + words.Say(lang, "portal.faq.top") + `</a>`
		if n := strings.Count(body, back); n != 33 {
			t.Errorf("%s: %q %d times", lang, back, n)
		}
		if !strings.Contains(body, `<nav id="indice" tabindex="-1"`) {
			t.Errorf("%s: the index cannot have the focus", lang)
		}
		for _, section := range []string{"general", "activation"} {
			if n := strings.Count(body, ">"+html.EscapeString(words.Say(lang, "portal.faq.section."+section))+"</h"); n != 2 {
				t.Errorf("%s: section %s is named %d times, want in the index and above the answers", lang, section, n)
			}
		}
	}
}

// Each article shows its number, its day and how to share it.
func TestRP3_EveryArticleSaysWhichAndWhen(t *testing.T) {
	s := newStage(t)
	c, err := content.Open()
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range []words.Lang{words.Italian, words.English} {
		for _, a := range slices.Concat(c.Questions(lang), c.Pages(lang)) {
			body := get(t, s, lang, a.Address()).Body.String()
			for _, want := range []string{
				words.Say(lang, "portal.faq.updated") + " <time>" + a.Updated.Italian() + "</time>",
				words.Say(lang, "portal.faq.article") + " " + a.Article,
				`href="` + portaltest.DefaultAddresses().Portal + "/" + string(lang) + a.Address() + `"`,
				`href="mailto:?subject=`,
			} {
				if !strings.Contains(body, want) {
					t.Errorf("%s %s does not show %q", lang, a.Address(), want)
				}
			}
		}
	}
}

// The menu leads to "Contatti" on every page, and that page gives number and
// hours as configured.
func TestR32_R94_ContactsOnEveryPage(t *testing.T) {
	s := newStage(t)
	menu := regexp.MustCompile(`(?s)<nav class="cse-nav".*?</nav>`)
	for _, path := range publicPages(t) {
		body := get(t, s, words.Italian, path).Body.String()
		if !strings.Contains(menu.FindString(body), `href="/it/contatti"`) || !strings.Contains(menu.FindString(body), ">Contatti<") {
			t.Errorf("%s has no Contatti in its menu", path)
		}
	}
	for _, path := range []string{"/contatti", "/cartasanitaria"} {
		if body := get(t, s, words.Italian, path).Body.String(); !strings.Contains(plain(reMain.FindString(body)), "800.004477") {
			t.Errorf("%s does not show the free number", path)
		}
	}
	if body := get(t, s, words.Italian, "/contatti").Body.String(); !strings.Contains(body, "dal lunedì al venerdì, dalle 8 alle 18") {
		t.Error("the hours are not shown")
	}
}

// What has passed is flagged to the reader, what holds is not.
func TestRP5_PastPassagesAreFlagged(t *testing.T) {
	s := newStage(t)
	for path, want := range map[string]string{
		"/domande-frequenti/b17": "Questa informazione valeva fino al 31/12/2023.", "/domande-frequenti/a6": "Questa informazione valeva fino al 31/12/2022.",
		"/domande-frequenti/a1": "",
	} {
		body := get(t, s, words.Italian, path).Body.String()
		if got := strings.Contains(body, "Questa informazione"); got != (want != "") || !strings.Contains(body, want) {
			t.Errorf("%s: flagged %v, want %q", path, got, want)
		}
	}
	s.Clock.Set(time.Date(2023, 6, 1, 9, 0, 0, 0, time.UTC))
	if body := get(t, s, words.Italian, "/domande-frequenti/b17").Body.String(); !strings.Contains(body, "Questa informazione vale fino al 31/12/2023.") {
		t.Error("in June 2023 the extension does not say until when it holds")
	}
}

// One page of instructions leads to all the others.
func TestR93_TheHubLinksEverything(t *testing.T) {
	s := newStage(t)
	c, err := content.Open()
	if err != nil {
		t.Fatal(err)
	}
	main := reMain.FindString(get(t, s, words.Italian, "/cartasanitaria").Body.String())
	want := []string{"/domande-frequenti", "/sportelli", "/stato-tessera", "/verifica-postazione", "/revoca", "/contatti"}
	for _, a := range c.Pages(words.Italian) {
		want = append(want, a.Address())
	}
	for _, path := range want {
		if !strings.Contains(main, `href="/it`+path+`"`) {
			t.Errorf("no link to %s", path)
		}
	}
}

// Pages say what the rules want said, where it is made of lists and not of texts.
func TestR58_R78_R85_R90_R113_R114_PagesSayIt(t *testing.T) {
	s := newStage(t)
	for _, x := range []struct{ path, it, en string }{
		{"/", "ampio progetto per semplificare le procedure della sanità", "wide project to simplify health procedures"}, // R113
		{"/", "È gratuita", "It is free"}, // R6
		{"/glossario", "PIN Personal Identification Number", "PIN Personal Identification Number"},
		{"/glossario", "PUK Personal Unblocking Key", "PUK Personal Unblocking Key"},
		{"/glossario", "CIP Codice Identificativo Personale", "CIP Codice Identificativo Personale"},
		{"/lettore-smart-card", "Lettore USB a contatto CCID, PC/SC", "USB contact reader CCID, PC/SC"}, // R85
		{"/sblocco-pin", "cse pin unblock", "cse pin unblock"},                                          // R90
		{"/fascicolosanitario", "non è ancora collegato a questo portale", "not connected to this portal yet"},
		{"/elenco-driver", "Modulo PKCS#11 per il browser", "PKCS#11 module for the browser"}, // R109, later
		{"/domande-frequenti/b6", "Attivazione e PIN servono solo per i servizi online", "useful only for the online services"},
	} {
		for lang, want := range map[words.Lang]string{words.Italian: x.it, words.English: x.en} {
			if text := plain(reMain.FindString(get(t, s, lang, x.path).Body.String())); !strings.Contains(strings.ReplaceAll(text, " .", "."), want) {
				t.Errorf("%s %s does not say %q: %s", lang, x.path, want, excerpt(text))
			}
		}
	}
}

// The table has the countries that the rules name, by law, and tells what the
// TEAM is not; the United Kingdom is there only if the body wants it.
func TestR18_R19_R20_R48_TableOfCountries(t *testing.T) {
	s := newStage(t)
	body := get(t, s, words.Italian, "/team/paesi").Body.String()
	for _, want := range []string{
		"Unione europea (27)", "Spazio economico europeo (3)", "Svizzera: accordo con l&#39;Unione europea (1)", "Regno Unito: accordo dopo l&#39;uscita dall&#39;Unione (1)",
		`<tr id="NO">`, `<tr id="IS">`, `<tr id="LI">`, `<tr id="CH">`, `<tr id="FR">`, "soggiorno temporaneo", "preso il posto del modulo E111",
		"Non serve nessun permesso prima", "Non è un&#39;assicurazione di viaggio", "Non vale per chi parte apposta per curarsi",
	} {
		if !strings.Contains(body, want) && !strings.Contains(plain(body), html.UnescapeString(want)) {
			t.Errorf("no %q", want)
		}
	}
	s.Portal.Config.TEAMInUK = false
	if body := get(t, s, words.Italian, "/team/paesi").Body.String(); strings.Contains(body, "Regno Unito") || !strings.Contains(body, `<tr id="CH">`) {
		t.Error("the United Kingdom is there against the configuration, or Switzerland went with it")
	}
}

// The text of every public page in Italian is easy: Gulpease 60 or more.
func TestPublicPagesAreEasy(t *testing.T) {
	s := newStage(t)
	block := regexp.MustCompile(`</?(?:p|li|h[1-6]|dt|dd|tr|td|th|caption|label|legend|div|option|button|summary|ul|ol|table|form|br)[ >/]`)
	for _, path := range publicPages(t) {
		main := reMain.FindString(get(t, s, words.Italian, path).Body.String())
		text := html.UnescapeString(reTag.ReplaceAllStringFunc(strings.ReplaceAll(main, "\n", " "), func(tag string) string {
			if block.MatchString(tag) {
				return "\n"
			}
			return " "
		}))
		if g := content.Gulpease(text); g < 60 {
			t.Errorf("%s: %.0f, want 60", path, g)
		}
	}
}

func TestSearchAnswersOnTheServer(t *testing.T) {
	s := newStage(t)
	found := regexp.MustCompile(`(?s)<section aria-labelledby="trovate">.*?</section>`)
	for q, want := range map[string]string{"furto": "/it/domande-frequenti/a9", "zzz": "Nessuna risposta", `"><svg/onload=zzz>`: "Nessuna risposta"} {
		body := get(t, s, words.Italian, "/domande-frequenti?q="+strings.NewReplacer(`"`, "%22", "<", "%3C", ">", "%3E").Replace(q)).Body.String()
		if !strings.Contains(found.FindString(body), want) {
			t.Errorf("%q does not answer %q", q, want)
		}
		if strings.Contains(body, "<svg/") {
			t.Error("what was typed came back as markup")
		}
	}
}

// A counter is found by comune, kind, service and by being open now; the hours
// are those of Rome, also when the clocks change.
func TestR60_CountersDirectory(t *testing.T) {
	s := newStage(t)
	list := func(query string) []string {
		body := get(t, s, words.Italian, "/sportelli?"+query).Body.String()
		var out []string
		for _, m := range regexp.MustCompile(`<li class="cse-card"><h3>([^<]*)</h3>`).FindAllStringSubmatch(body, -1) {
			out = append(out, m[1])
		}
		return out
	}
	asl, comune, ade := "Sportello ASL di Firenze", "Comune di Fiesole, anagrafe", "Agenzia delle Entrate, ufficio di Firenze"
	for query, want := range map[string][]string{
		"":                                     {comune, ade, asl},
		"comune=FIRENZE":                       {ade, asl},
		"comune=fi%C3%A8sole":                  {comune},
		"tipo=ADE":                             {ade},
		"servizio=reprint":                     {comune, asl},
		"servizio=correct-data&comune=firenze": {ade},
		"aperto=si":                            {asl}, // Monday, 10:30 in Rome
		"comune=zzz":                           nil,
	} {
		if got := list(query); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
	s.Clock.Set(time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)) // Saturday, 11:30
	if got := list("aperto=si"); !slices.Equal(got, []string{comune}) {
		t.Errorf("on Saturday: %q", got)
	}
}

func TestOpenAtFollowsTheClockInRome(t *testing.T) {
	o := portal.OfficeView{Hours: []portal.OpenHours{{Day: time.Sunday, From: 9 * 60, Until: 10 * 60}, {Day: time.Monday, From: 0, Until: 30}}}
	for at, want := range map[string]bool{
		"2026-03-29T06:59:59Z": false, "2026-03-29T07:00:00Z": true, "2026-03-29T08:00:00Z": false, // summer time began that night
		"2026-03-22T07:30:00Z": false, "2026-03-22T08:00:00Z": true,
		"2026-10-25T08:00:00Z": true, "2026-10-25T07:59:00Z": false, // and ended
		"2026-11-22T23:10:00Z": true, "2026-11-22T23:30:00Z": false, // ten past midnight, Monday
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.OpenAt(now); got != want {
			t.Errorf("at %s open is %v", at, got)
		}
	}
}

// The forms come as files, and only those there are; without a printer the page
// says so instead of leading nowhere.
func TestR99_FormsCanBeDownloaded(t *testing.T) {
	s := newStage(t)
	for _, name := range []string{"delega.pdf", "autocertificazione.pdf"} {
		if !strings.Contains(get(t, s, words.Italian, "/modulo-delega").Body.String(), `href="/it/modulo-delega/`+name+`"`) {
			t.Errorf("no link to %s", name)
		}
		w := get(t, s, words.Italian, "/modulo-delega/"+name)
		if w.Code != 200 || w.Header().Get("Content-Type") != "application/pdf" || !strings.HasPrefix(w.Body.String(), "%PDF") {
			t.Errorf("%s: %d %s", name, w.Code, w.Header().Get("Content-Type"))
		}
	}
	s.Portal.BlankForm = nil
	body := get(t, s, words.Italian, "/modulo-delega").Body.String()
	if strings.Contains(body, ".pdf") || !strings.Contains(body, "Chiedili allo sportello") {
		t.Error("without a printer the page still offers files")
	}
	if w := get(t, s, words.Italian, "/modulo-delega/delega.pdf"); w.Code != 404 {
		t.Errorf("a form that nobody makes: %d", w.Code)
	}
}

// The glossary, the prompts of the program and the printed form give the acronyms
// the same words.
func TestR114_AcronymsAreTheSameEverywhere(t *testing.T) {
	c, err := content.Open()
	if err != nil {
		t.Fatal(err)
	}
	full := map[string]string{}
	for _, x := range c.Glossary {
		full[x.Name] = x.Full
	}
	want := map[string]string{"PIN": "Personal Identification Number", "PUK": "Personal Unblocking Key", "CIP": "Codice Identificativo Personale"}
	for name, expanded := range want {
		if full[name] != expanded {
			t.Errorf("the glossary says %s is %q", name, full[name])
		}
	}
	for key, acronym := range map[string]string{
		"cse.ask.pin": "PIN", "cse.ask.puk": "PUK", "paper.codes.meaning.pin": "PIN", "paper.codes.meaning.puk": "PUK", "paper.codes.meaning.cip": "CIP",
	} {
		for _, lang := range []words.Lang{words.Italian, words.English} {
			if said := words.Say(lang, key); !strings.Contains(said, want[acronym]) {
				t.Errorf("%s in %s says nothing of %q: %s", key, lang, want[acronym], said)
			}
		}
	}
	for id, acronym := range map[string]string{"b4": "PIN", "b7": "PUK", "b9": "CIP"} {
		for _, lang := range []words.Lang{words.Italian, words.English} {
			q, _ := c.Question(lang, id)
			if !strings.Contains(q.Body.Text(content.Fill{}), want[acronym]) {
				t.Errorf("%s in %s does not say %q", id, lang, want[acronym])
			}
		}
	}
}

// What the answer to a status check shows: a word, and nothing of the holder.
func TestStatusCheckShowsNothingPersonal(t *testing.T) {
	s := newStage(t)
	for _, st := range s.States() {
		if !strings.HasPrefix(st.Name, "stato-") {
			continue
		}
		w := httptest.NewRecorder()
		if err := s.Play(w, t.Context(), st, words.Italian); err != nil {
			t.Fatal(err)
		}
		body := w.Body.String()
		for _, p := range s.People {
			if strings.Contains(body, p.Surname) || st.Status == 200 && strings.Contains(body, string(p.CF)) {
				t.Errorf("%s names %s", st.Name, p.Surname)
			}
		}
		if st.Status == 200 != strings.Contains(body, `role="status"`) {
			t.Errorf("%s: an answer is there or not against its status %d", st.Name, st.Status)
		}
		if after := w.Header().Get("Retry-After"); st.Status == 429 && after != "60" {
			t.Errorf("%s: Retry-After %q", st.Name, after)
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be kept", st.Name)
		}
	}
}
