package portal

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/portal/content"
	"cse.example/cse/portal/look"
)

// PublicRoutes are the pages that need nobody: questions, instructions, lists,
// counters, the state of a card.
func (p *Portal) PublicRoutes(at func(pattern string, a answer)) {
	at("GET /domande-frequenti", (*call).faq)
	at("GET /domande-frequenti/{id}", (*call).question)
	for _, a := range p.content.Pages(words.Italian) {
		at("GET "+a.Address(), contentPage(a.Address()))
	}
	at("GET /modulo-delega/{kind}", (*call).blankForm)
	at("GET /software/{file}", (*call).download)
	at("GET /sportelli", (*call).counters)
	at("GET /stato-tessera", (*call).statusForm)
	at("POST /stato-tessera", (*call).status)
}

// textView is an article, or a passage of one, as a page shows it.
type textView struct {
	ID, Title, Article, Address string
	Body                        template.HTML
	// Updated is the day as readers write it.
	Updated string
	// Flag says that the text does not hold today, or until when; empty for neither.
	Flag, FlagTone string
	Passages       []textView
	// Link is the absolute address, for copying; Mail a letter that holds it.
	Link, Mail string
}

// filling is what the placeholders of texts stand for in this request.
func (c *call) filling() content.Fill {
	theme := c.p.Config.Theme
	return content.Fill{Phone: theme.Phone, Hours: theme.Hours[c.tongue.lang], Region: theme.Body, Prefix: c.tongue.prefix}
}

// text prepares an article; down is added to the level of its headings.
func (c *call) text(a *content.Article, down int) textView {
	today, f := c.p.today(), c.filling()
	v := textView{
		ID: a.ID, Title: a.Title, Article: a.Article, Address: a.Address(), Body: a.Body.HTML(f, down), Updated: a.Updated.Italian(),
		Link: c.p.Config.URL + c.tongue.prefix + a.Address(),
	}
	v.Mail = "mailto:?subject=" + url.PathEscape(a.Title) + "&body=" + url.PathEscape(v.Link)
	v.Flag, v.FlagTone = c.flag(a.Age(today), a.From, a.Until)
	for i := range a.Dated {
		d := &a.Dated[i]
		x := textView{Body: d.Body.HTML(f, down)}
		x.Flag, x.FlagTone = c.flag(d.Age(today), d.From, d.Until)
		v.Passages = append(v.Passages, x)
	}
	return v
}

// flag tells the reader that a text is over, not yet due, or ends on a day (RP5).
func (c *call) flag(age content.Age, from, until civil.Date) (string, string) {
	switch {
	case age == content.Past:
		return c.say("portal.faq.was", until.Italian()), "warn"
	case age == content.Future:
		return c.say("portal.faq.willbe", from.Italian()), "info"
	case !until.IsZero():
		return c.say("portal.faq.until", until.Italian()), "info"
	}
	return "", ""
}

type faqView struct {
	Typed    string
	Searched bool
	Found    []textView
	Sections []faqSection
}

type faqSection struct {
	ID, Key   string
	Questions []textView
}

// faq is the index and, below it, the answers; with ?q= also what was found.
// What is typed is looked for and kept nowhere.
func (c *call) faq() error {
	page := c.page("domande", "portal.faq.title")
	c.crumbs(page)
	v := faqView{Typed: strings.TrimSpace(c.r.URL.Query().Get("q"))}
	v.Searched = v.Typed != ""
	page.Form = c.newForm(url.Values{"q": {v.Typed}})
	for _, a := range c.p.content.Search(c.tongue.lang, v.Typed) {
		v.Found = append(v.Found, c.text(a, 0))
	}
	for _, id := range []string{content.General, content.Activation} {
		s := faqSection{ID: id, Key: "portal.faq.section." + id}
		for _, a := range c.p.content.Questions(c.tongue.lang) {
			if a.Section == id {
				s.Questions = append(s.Questions, c.text(a, 2))
			}
		}
		v.Sections = append(v.Sections, s)
	}
	page.Data = v
	return c.show(http.StatusOK, "faq", page)
}

// question is one answer by itself.
func (c *call) question() error {
	a, ok := c.p.content.Question(c.tongue.lang, c.r.PathValue("id"))
	if !ok {
		return words.Refuse("CSE-002")
	}
	page := c.page("domande", "portal.faq.title")
	page.Title = a.Title
	c.crumbs(page, "portal.faq.title", "/domande-frequenti")
	page.Data = c.text(a, 0)
	return c.show(http.StatusOK, "answer", page)
}

// contentView is a page of instructions: its text, and the list that goes with it.
type contentView struct {
	Text textView
	List any
}

// contentPage serves the page of instructions at an address.
func contentPage(address string) answer {
	return func(c *call) error {
		a, ok := c.p.content.Page(c.tongue.lang, address)
		if !ok {
			return words.Refuse("CSE-002")
		}
		page := c.page("cartasanitaria", "look.menu.hub")
		page.Title = a.Title
		c.crumbs(page, "look.menu.hub", "/cartasanitaria")
		v := contentView{Text: c.text(a, 0)}
		name := "article"
		if list, ok := lists[address]; ok {
			name, v.List = list.page, list.of(c)
		}
		page.Data = v
		return c.show(http.StatusOK, name, page)
	}
}

// lists are the pages that show a list below their text.
var lists = map[string]struct {
	page string
	of   func(c *call) any
}{
	"/lettore-smart-card": {"readers", (*call).readers},
	"/elenco-driver":      {"drivers", (*call).drivers},
	"/software":           {"software", (*call).software},
	"/glossario":          {"glossary", (*call).glossary},
	"/modulo-delega":      {"forms", (*call).forms},
	"/team/paesi":         {"countries", (*call).countries},
}

type trialView struct{ System, What, On string }

type readerView struct {
	ID, Name, Needs, Note string
	Result                look.Badge
	Trials                []trialView
}

// readers is the list of reader classes and of what was tried (R85).
func (c *call) readers() any {
	var out []readerView
	for _, r := range c.p.content.Readers {
		v := readerView{ID: r.ID, Name: r.Name.In(c.tongue.lang), Needs: r.Needs.In(c.tongue.lang), Note: r.Note.In(c.tongue.lang)}
		v.Result = look.Badge{
			Tone: map[string]look.Tone{"tested": look.Good, "expected": look.Wait, "unsupported": look.Bad}[r.Result],
			Word: c.say("portal.readers.result." + r.Result),
		}
		for _, x := range r.Tested {
			v.Trials = append(v.Trials, trialView{x.System, x.What.In(c.tongue.lang), x.On.Italian()})
		}
		out = append(out, v)
	}
	return out
}

type driverView struct {
	Card, System, Where string
	// Here: the program is on the page of downloads; Missing: it could be and is not.
	Here, Missing bool
}

func (c *call) drivers() any {
	var out []driverView
	for _, d := range c.p.content.Drivers {
		v := driverView{Card: d.Card.In(c.tongue.lang), System: d.System.In(c.tongue.lang), Where: d.Where.In(c.tongue.lang)}
		v.Here = d.Program != "" && c.hasDownloads(d.Program)
		v.Missing = d.Program != "" && !v.Here
		out = append(out, v)
	}
	return out
}

type termView struct{ ID, Name, Full, Means, Answer, Question string }

func (c *call) glossary() any {
	var out []termView
	for _, t := range c.p.content.Glossary {
		v := termView{ID: t.ID, Name: t.Name, Full: t.Full, Means: t.Means.In(c.tongue.lang)}
		if q, ok := c.p.content.Question(c.tongue.lang, t.Answer); ok {
			v.Answer, v.Question = q.Address(), q.Title
		}
		out = append(out, v)
	}
	return out
}
