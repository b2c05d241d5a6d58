package portal

import (
	"html/template"
	"net/http"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/portal/content"
)

// The privacy notices: the one in force at /privacy, each version at
// /privacy/N-YEAR with its days, so that whoever kept a paper reads what it named.

func (p *Portal) noticeRoutes(at func(pattern string, a answer)) {
	at("GET /privacy", (*call).privacyPage)
	at("GET /privacy/{versione}", (*call).noticePage)
}

// noticeView is a version in the page's language.
type noticeView struct {
	Version, Path, Days string
	// InForce tells that it is today's.
	InForce bool
	Body    template.HTML
}

func (c *call) noticeView(a *content.Article, down int) noticeView {
	v := noticeView{Version: a.Version(), Path: content.NoticePath(a.Version()), InForce: a.Age(c.p.today()) == content.Current}
	switch {
	case a.Until.IsZero():
		v.Days = c.say("portal.notice.since", a.From.Italian())
	default:
		v.Days = c.say("portal.notice.days", a.From.Italian(), a.Until.Italian())
	}
	v.Body = a.Body.HTML(c.filling(), down)
	return v
}

func (c *call) noticeViews() []noticeView {
	var out []noticeView
	for _, a := range c.p.content.Notices(c.tongue.lang) {
		out = append(out, c.noticeView(a, 0))
	}
	return out
}

func (c *call) privacyPage() error {
	a := c.p.content.NoticeOn(c.tongue.lang, c.p.today())
	page := c.page("", "portal.privacy.title")
	c.crumbs(page)
	page.Data = map[string]any{"Title": a.Title, "Notice": c.noticeView(a, 1), "All": c.noticeViews()}
	return c.show(http.StatusOK, "privacy", page)
}

func (c *call) noticePage() error {
	a, ok := c.p.content.Notice(c.tongue.lang, c.r.PathValue("versione"))
	if !ok {
		return words.Refuse("CSE-002")
	}
	page := c.page("", "portal.notice.title", a.Version())
	c.crumbs(page, "portal.privacy.title", "/privacy")
	v := c.noticeView(a, 0)
	data := map[string]any{"Title": a.Title, "Notice": v}
	if now := c.p.content.NoticeOn(c.tongue.lang, civil.Today(c.p.Clock)); !v.InForce {
		data["Now"] = c.noticeView(now, 0)
	}
	page.Data = data
	return c.show(http.StatusOK, "notice", page)
}

// GivenNotice is a version that somebody was handed with an act.
type GivenNotice struct {
	At                        time.Time
	Protocol, Office, Version string
}

// keptView is what stays with an act: the version of the notice, or that
// retention has destroyed the papers.
type keptView struct {
	Version, Path string
	Destroyed     bool
}

func (c *call) keptOf(a counter.Act) keptView {
	v := c.versionView(a.Form.Informativa)
	v.Destroyed = a.Destroyed
	return v
}

// versionView names a version and, when there is such a page, leads to it.
func (c *call) versionView(version string) keptView {
	v := keptView{Version: version}
	if _, ok := c.p.content.Notice(c.tongue.lang, strings.ReplaceAll(version, "/", "-")); ok {
		v.Path = c.tongue.prefix + content.NoticePath(version)
	}
	return v
}

type givenView struct {
	When, Protocol, Office string
	Notice                 keptView
}

// given are the versions that the person was handed with acts, newest first.
func (c *call) given() ([]givenView, error) {
	if c.p.Area == nil {
		return nil, nil
	}
	cf, err := c.myCF()
	if err != nil {
		return nil, err
	}
	list, err := c.p.Area.Given(c.r.Context(), cf)
	out := make([]givenView, len(list))
	for i, g := range list {
		out[i] = givenView{when(g.At), g.Protocol, g.Office, c.versionView(g.Version)}
	}
	return out, err
}
