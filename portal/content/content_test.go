package content

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

var refresh = flag.Bool("refresh", false, "write sums.json again after a text and its day have changed")

var both = []words.Lang{words.Italian, words.English}

func open(t *testing.T) *Content {
	t.Helper()
	c, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func on(t *testing.T, s string) civil.Date {
	t.Helper()
	d, err := civil.ParseISO(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The FAQ has 16 and 17 questions; every one is here, in both languages, with
// the rules that rules.md gives it, and an answer.
func TestRP1_ThirtyThreeQuestionsInTwoSections(t *testing.T) {
	c := open(t)
	for _, lang := range both {
		count := map[string]int{}
		seen := map[string]string{}
		for _, q := range c.Questions(lang) {
			count[q.Section]++
			if other := seen[q.Title]; other != "" {
				t.Errorf("%s: %s and %s ask the same", lang, other, q.ID)
			}
			if seen[q.Title] = q.ID; !strings.HasSuffix(q.Title, "?") {
				t.Errorf("%s %s is no question: %s", lang, q.ID, q.Title)
			}
			if n := len(q.Body.Text(Fill{})); n < 80 {
				t.Errorf("%s %s: an answer of %d characters", lang, q.ID, n)
			}
		}
		if want := map[string]int{General: 16, Activation: 17}; !maps.Equal(count, want) {
			t.Errorf("%s: %v, want %v", lang, count, want)
		}
	}
	var ids []string
	rules := map[string]string{}
	for _, q := range c.Questions(words.Italian) {
		ids = append(ids, q.ID)
		for _, r := range q.Rules {
			if rules[r] != "" && r != "R114" {
				t.Errorf("%s is answered by %s and %s", r, rules[r], q.ID)
			}
			rules[r] = q.ID
		}
	}
	if ids[0] != "a1" || ids[9] != "a10" || ids[16] != "b1" || ids[32] != "b17" {
		t.Errorf("order: %v", ids)
	}
	if len(rules) != 114 {
		t.Errorf("the answers name %d rules, want the 114 of the FAQ", len(rules))
	}
}

// What each informational rule wants to be read is read, in both languages.
func TestR20_R21_R22_R28_R38_R50_R58_R77_R78_R86_R90_R94_R99_R112_R113_InformationIsServed(t *testing.T) {
	c := open(t)
	for _, x := range []struct{ rule, address, it, en string }{
		{"R6", "/domande-frequenti/a1", "gratuita", "free"},
		{"R18", "/domande-frequenti/a5", "Unione europea", "European Union"},
		{"R19", "/domande-frequenti/a5", "Islanda, Liechtenstein e Norvegia", "Iceland, Liechtenstein and Norway"},
		{"R20", "/domande-frequenti/a5", "posto del vecchio modulo E111", "replaces the old form E111"},
		{"R21", "/domande-frequenti/a5", "nessun permesso prima", "no permission before"},
		{"R22", "/domande-frequenti/a6", "2021 e nel 2022", "2021 and 2022"},
		{"R28", "/domande-frequenti/a7", "Ministero dell'Economia e delle Finanze (MEF)", "Ministry of Economy and Finance (MEF)"},
		{"R32", "/domande-frequenti/a8", "Contatti", "Contacts"},
		{"R38", "/domande-frequenti/a10", "No.", "No."},
		{"R40", "/documento-identita", "non ha la tua foto", "not carry your photo"},
		{"R44", "/domande-frequenti/a12", "Prima erano cinque", "used to be five"},
		{"R48", "/domande-frequenti/a13", "soggiorni temporanei", "temporary stays"},
		{"R50", "/domande-frequenti/a14", "soggiorno temporaneo", "temporary stay"},
		{"R58", "/fascicolosanitario", "pagina di informazione", "information page"},
		{"R77", "/domande-frequenti/b6", "Senza attivarla, la tessera vale lo stesso", "Without activation the card is just as valid"},
		{"R78", "/domande-frequenti/b6", "solo per i servizi online degli enti pubblici", "only for the online services of public bodies"},
		{"R85", "/lettore-smart-card", "CCID", "CCID"},
		{"R86", "/domande-frequenti/b10", "al prezzo di mercato. Noi non ne vendiamo", "at market price. We sell none"},
		{"R90", "/domande-frequenti/b12", "i passi per sbloccare il PIN", "the steps to unblock the PIN"},
		{"R93", "/domande-frequenti/b14", "Carta sanitaria", "Health card"},
		{"R94", "/domande-frequenti/b14", "numero gratuito 800.123456", "free number 800.123456"},
		{"R99", "/modulo-delega", "la copia di un tuo documento d'identità", "a copy of an identity document of yours"},
		{"R102", "/domande-frequenti/b16", "Si compra da un ente certificatore", "bought from a certification authority"},
		{"R112", "/domande-frequenti/b17", "tutorial su SPID e CIE", "tutorial on SPID and CIE"},
		{"R113", "/domande-frequenti/a1", "grande progetto che rende più semplici le pratiche della sanità", "wide project that makes health procedures simpler"},
	} {
		for lang, want := range map[words.Lang]string{words.Italian: x.it, words.English: x.en} {
			a := at(t, c, lang, x.address)
			if !strings.Contains(a.Body.Text(Fill{Phone: "800.123456"})+passages(a), want) {
				t.Errorf("%s: %s %s does not say %q", x.rule, lang, x.address, want)
			}
		}
	}
}

func at(t *testing.T, c *Content, lang words.Lang, address string) *Article {
	t.Helper()
	if a, ok := c.Page(lang, address); ok {
		return a
	}
	a, ok := c.Question(lang, strings.TrimPrefix(address, "/domande-frequenti/"))
	if !ok {
		t.Fatalf("nothing at %s in %s", address, lang)
	}
	return a
}

func passages(a *Article) string {
	var all strings.Builder
	for _, d := range a.Dated {
		all.WriteString("\n" + d.Body.Text(Fill{}))
	}
	return all.String()
}

// The tensions that part D of rules.md settles do not come back in the texts.
func TestTensionsStaySettled(t *testing.T) {
	c := open(t)
	for _, lang := range both {
		for _, a := range slices.Concat(c.Questions(lang), c.Pages(lang)) {
			text := a.Body.Text(Fill{}) + passages(a)
			for _, slip := range []string{"Economico Europeo (Svizzera", "economico europeo (Svizzera", "Economic Area (Switzerland", "gratuita all'estero", "free abroad"} {
				if strings.Contains(text, slip) {
					t.Errorf("%s %s says %q", lang, a.ID, slip)
				}
			}
			if strings.Contains(a.Body.Text(Fill{}), "2023") && a.ID != "elenco-driver" {
				t.Errorf("%s %s: the end of the extension stands outside a dated passage", lang, a.ID)
			}
		}
		for _, id := range []string{"a5", "a13", "a14"} { // 1: Switzerland is not of the EEA
			q, _ := c.Question(lang, id)
			for _, want := range map[words.Lang][]string{
				words.Italian: {"Islanda, Liechtenstein", "Spazio economico europeo", "in Svizzera"},
				words.English: {"Iceland, Liechtenstein", "European Economic Area", "in Switzerland"},
			}[lang] {
				if !strings.Contains(q.Body.Text(Fill{}), want) {
					t.Errorf("%s %s does not say %q", lang, id, want)
				}
			}
		}
		four, _ := c.Question(lang, "b15") // 5: the delegate brings four papers, not three
		if strings.Count(string(four.Body.HTML(Fill{}, 0)), "<li>") != 4 {
			t.Errorf("%s b15 does not list four things", lang)
		}
	}
}

// TestRP3_TheDateChangesWithTheText: after a change of a text set its "updated"
// to today, then `go test ./portal/content -run RP3 -refresh`.
func TestRP3_TheDateChangesWithTheText(t *testing.T) {
	c := open(t)
	before, err := ReadSums(files)
	if err != nil {
		t.Fatal(err)
	}
	now := c.Sums()
	if *refresh {
		if bad := Unchanged(before, now, civil.Today(civil.System{})); len(bad) > 0 {
			t.Fatalf("changed, and the day did not: set updated: in %s", strings.Join(bad, ", "))
		}
		b, err := json.MarshalIndent(now, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("sums.json", append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for name, x := range now {
		if before[name] != x {
			t.Errorf("%s is not what sums.json says: set its updated: and refresh (see this test)", name)
		}
	}
	for name := range before {
		if _, there := now[name]; !there {
			t.Errorf("%s is gone and still in sums.json", name)
		}
	}
}

func TestUnchangedSeesAChangeWithoutItsDay(t *testing.T) {
	day, next := on(t, "2026-11-25"), on(t, "2026-11-26")
	before := map[string]Sum{"a": {day, "1"}, "b": {day, "1"}, "c": {day, "1"}, "d": {day, "1"}}
	now := map[string]Sum{"a": {day, "1"}, "b": {next, "2"}, "c": {day, "2"}, "new": {day, "1"}}
	if got := Unchanged(before, now, next); !slices.Equal(got, []string{"c"}) {
		t.Errorf("on the next day %v, want only c", got)
	}
	if got := Unchanged(before, now, day); len(got) != 0 {
		t.Errorf("on the day itself %v, want none", got)
	}
}

// The texts for citizens are easy: Gulpease 60 or more.
func TestItalianTextsAreEasy(t *testing.T) {
	c := open(t)
	for _, a := range slices.Concat(c.Questions(words.Italian), c.Pages(words.Italian)) {
		text := a.Title + "\n" + a.Body.Text(Fill{Phone: "800.123456", Hours: "dal lunedì al venerdì", Region: "Regione"}) + passages(a)
		if g := Gulpease(text); g < 60 {
			t.Errorf("%s: %.0f, want 60", a.ID, g)
		}
	}
	if g := Gulpease("L'impossibilità dell'amministrazione competente di provvedere tempestivamente all'adempimento procedimentale determinerebbe conseguentemente inevitabili responsabilità."); g > 40 {
		t.Errorf("a hard text measures %.0f: the measure is asleep", g)
	}
}

func TestRP5_WhatAgesIsFlagged(t *testing.T) {
	c := open(t)
	lines := c.Aging(on(t, "2026-11-25"), 30)
	found := map[string]Age{}
	for _, l := range lines {
		if l.Lang == words.Italian && l.Passage == 1 {
			found[l.Article] = l.Age
		}
	}
	if want := map[string]Age{"FAQ-A06": Past, "FAQ-B17": Past}; !maps.Equal(found, want) {
		t.Errorf("%v, want %v", found, want)
	}
	for day, want := range map[string]Age{"2022-05-31": Future, "2022-06-01": Current, "2023-12-31": Current, "2024-01-01": Past} {
		b17, _ := c.Question(words.Italian, "b17")
		if got := b17.Dated[0].Age(on(t, day)); got != want {
			t.Errorf("the extension on %s is %s, want %s", day, got, want)
		}
	}
	soon := func(day string) bool {
		return slices.ContainsFunc(c.Aging(on(t, day), 30), func(l Line) bool { return l.Article == "FAQ-B17" && l.Passage == 1 && l.Age == Current })
	}
	if soon("2023-11-30") || !soon("2023-12-01") || !soon("2023-12-31") {
		t.Error("the end of the extension is not announced thirty days before")
	}
}

func TestSearch(t *testing.T) {
	c := open(t)
	for _, x := range []struct {
		lang        words.Lang
		typed, want string
	}{
		{words.Italian, "ho perso la tessera", "a9"},
		{words.Italian, "FURTO", "a9"},
		{words.Italian, "è obbligatoria l'attivazione?", "b6"},
		{words.Italian, "tessere senza chip", "b17"},
		{words.Italian, "puk perso", "b8"},
		{words.Italian, "figli", "b3"},
		{words.English, "lost card", "a9"},
		{words.English, "do I have to activate", "b6"},
		{words.Italian, "zzz", ""},
		{words.Italian, "  di  ", ""},
		{words.Italian, strings.Repeat("à", 5000), ""},
	} {
		got := c.Search(x.lang, x.typed)
		switch {
		case x.want == "" && len(got) > 0:
			t.Errorf("%q finds %s", x.typed, got[0].ID)
		case x.want != "" && !slices.ContainsFunc(got[:min(3, len(got))], func(a *Article) bool { return a.ID == x.want }):
			t.Errorf("%q does not find %s among the first: %v", x.typed, x.want, ids(got))
		}
	}
}

func ids(in []*Article) (out []string) {
	for _, a := range in {
		out = append(out, a.ID)
	}
	return out
}

const good = "---\ntitle: 'Che cosa?'\narticle: X\nsection: general\nvalid_from: 2026-01-01\nupdated: 2026-01-02\nrules: [R1]\nkeywords: [x]\n---\nUna risposta con [contatti](/contatti#orari) e {phone}.\n"

func TestLoadIsStrict(t *testing.T) {
	tree := func(question string) fstest.MapFS {
		m := fstest.MapFS{}
		page := strings.Replace(strings.Replace(good, "section: general\n", "", 1), "article: X", "article: P", 1)
		for _, lang := range []string{"it", "en"} {
			m["faq/"+lang+"/a1.md"] = &fstest.MapFile{Data: []byte(question)}
			m["pages/"+lang+"/pagina.md"] = &fstest.MapFile{Data: []byte(page)}
			m["notices/"+lang+"/1-2026.md"] = &fstest.MapFile{Data: []byte(page)}
		}
		for _, name := range []string{"readers", "glossary", "drivers"} {
			b, err := files.ReadFile("data/" + name + ".yaml")
			if err != nil {
				t.Fatal(err)
			}
			m["data/"+name+".yaml"] = &fstest.MapFile{Data: b}
		}
		return m
	}
	if _, err := Load(tree(good)); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ name, old, new, want string }{
		{"unknown key", "article: X", "article: X\nautor: me", "autor"},
		{"no title", "'Che cosa?'", "''", "no title"},
		{"no updated", "updated: 2026-01-02\n", "", "updated"},
		{"a day that is none", "2026-01-02", "2026-02-30", "head"},
		{"ends before it begins", "updated:", "valid_until: 2025-01-01\nupdated:", "before valid_from"},
		{"wrong section", "general", "activation", "section"},
		{"no rule", "[R1]", "[]", "no rule"},
		{"a rule that is none", "[R1]", "[Q1]", "rule"},
		{"raw HTML", "Una", "<b>Una</b>", "RawHTML"},
		{"a block of HTML", "Una", "<script>alert(1)</script>\n\nUna", "HTMLBlock"},
		{"an image", "Una", "![x](/look/x.png) Una", "Image"},
		{"a link away", "/contatti#orari", "https://example.org/", "only addresses of this site"},
		{"a link of another kind", "/contatti#orari", "javascript:alert(1)", "only addresses of this site"},
		{"a placeholder", "{phone}", "{nobody}", "nobody fills {nobody}"},
		{"an escape", "Una", "Una &amp; due", "write the character"},
		{"a heading", "Una", "## Titolo\n\nUna", "no headings"},
		{"no body", "Una risposta con [contatti](/contatti#orari) e {phone}.", "", "empty"},
		{"no fence", "---\ntitle", "title", "first line"},
		{"no end", "---\nUna", "Una", "does not end"},
	} {
		bad := strings.Replace(good, x.old, x.new, 1)
		if bad == good {
			t.Fatalf("%s: nothing was changed", x.name)
		}
		_, err := Load(tree(bad))
		if err == nil || !strings.Contains(err.Error(), x.want) || !strings.Contains(err.Error(), "faq/it/a1.md") {
			t.Errorf("%s: %v, want the file and %q", x.name, err, x.want)
		}
	}
	differ := tree(good)
	differ["faq/en/a1.md"] = &fstest.MapFile{Data: []byte(strings.Replace(good, "[R1]", "[R2]", 1))}
	if _, err := Load(differ); err == nil || !strings.Contains(err.Error(), "languages differ") {
		t.Errorf("two languages that differ: %v", err)
	}
	alone := tree(good)
	delete(alone, "faq/en/a1.md")
	if _, err := Load(alone); err == nil {
		t.Error("a question without English was loaded")
	}
}

func TestBodyIsEscaped(t *testing.T) {
	b, err := newBody([]byte("Un *testo* < di > prova & **basta** con `codice <b>` e [un link](/a/b#c) al {phone}.\n\n1. uno\n2. due\n\n## Dopo\n\n- tre\n\n```\ncse pin <x>\n```\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := string(b.HTML(Fill{Phone: "<8>", Prefix: "/en"}, 1))
	for _, want := range []string{
		"<p>Un <em>testo</em> &lt; di &gt; prova &amp; <strong>basta</strong>", "<code class=\"cse-mono\">codice &lt;b&gt;</code>",
		`<a href="/en/a/b#c">un link</a>`, "&lt;8&gt;", "<ol>", "<li>uno", "<h3>Dopo</h3>", "<ul>", "cse pin &lt;x&gt;",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %s", want, got)
		}
	}
	if text := b.Text(Fill{Phone: "8"}); strings.ContainsAny(text, "`*[") || !strings.Contains(text, "un link al 8.") {
		t.Errorf("plain: %q", text)
	}
}

// FuzzParse: whatever a file holds, it is refused or becomes a page in which
// nothing of it is markup of its own.
func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add(strings.Replace(good, "Una", "<i>Una</i>", 1))
	f.Add(strings.Replace(good, "/contatti", "//evil", 1))
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parse("faq/it/a1.md", []byte(s))
		if err != nil {
			return
		}
		out := strings.ToLower(string(a.Body.HTML(Fill{}, 2)))
		for _, bad := range []string{"<script", "<img", "javascript:", "<iframe", `href="//`, `href="h`} {
			if strings.Contains(out, bad) {
				t.Errorf("%q became %q", s, out)
			}
		}
		_ = a.Body.Text(Fill{})
	})
}

// The notices: each day has one version, and their days follow one another.
func TestEachDayHasItsNotice(t *testing.T) {
	c := open(t)
	for day, want := range map[string]string{"2020-01-01": "1/2025", "2025-12-31": "1/2025", "2026-01-01": "1/2026", "2040-01-01": "1/2026"} {
		if got := c.NoticeOn(words.English, on(t, day)).Version(); got != want {
			t.Errorf("on %s version %s, want %s", day, got, want)
		}
	}
	if got := c.VersionAt(on(t, "2025-12-31").End()); got != "1/2025" {
		t.Errorf("at the end of the year %s", got)
	}
	if a, ok := c.Notice(words.Italian, "1-2025"); !ok || NoticePath(a.Version()) != "/privacy/1-2025" {
		t.Errorf("the earlier version: %v", ok)
	}
	head := func(from, until string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("---\ntitle: 'x'\narticle: INF\nvalid_from: " + from + "\n" + until + "updated: 2025-01-01\n---\nText.\n")}
	}
	for name, tree := range map[string]fstest.MapFS{
		"a gap":       {"notices/it/1-2025.md": head("2025-01-01", "valid_until: 2025-12-30\n"), "notices/it/1-2026.md": head("2026-01-01", "")},
		"two at once": {"notices/it/1-2025.md": head("2025-01-01", "valid_until: 2026-01-01\n"), "notices/it/1-2026.md": head("2026-01-01", "")},
		"an end":      {"notices/it/1-2026.md": head("2026-01-01", "valid_until: 2026-12-31\n")},
		"a name":      {"notices/it/notice.md": head("2026-01-01", "")},
	} {
		if _, err := readNotices(tree, words.Italian); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}
