package look

import (
	"slices"

	"cse.example/cse/ground/words"
)

// Page is what a template receives.
type Page struct {
	Lang words.Lang
	// Prefix is the language part of the address ("", "/it", "/en"), kept by links.
	Prefix string
	// Path is the address without Prefix, for the language switch; empty hides it.
	Path string
	// Home is the portal's origin, empty on the portal itself: pages of the
	// login host link back to the portal with it.
	Home string
	// Title is the page's title and, unless the template says otherwise, its h1.
	Title string
	// Section is the menu entry that is current ("home", "tessera", …).
	Section string
	// Crumbs lead from the home page to this one, which is not among them.
	Crumbs []Crumb
	// Who is the name of the person logged in, empty for nobody.
	Who string
	// Office is the operator's counter, empty for who is no operator.
	Office string
	// OfficeChoice tells that the operator has several counters to choose from.
	OfficeChoice bool
	// Work are the menu's entries for who works here.
	Work []Entry
	// Own replaces the whole menu: pages that are not the portal's.
	Own []Entry
	// Entered tells that there is a session to leave.
	Entered bool
	// Fault, if any, is the reason of an error page; it also sets CSE-Error.
	Fault *words.Fault
	// AssetHost is the origin that serves style and fonts, empty for the page's own.
	AssetHost string
	// Tongues replaces the language switch made from Path.
	Tongues []Tongue
	// FormAction lists origins to which forms of this page may lead.
	FormAction []string
	// Form is the page's form, if it has one.
	Form *Form
	// Data is the page's own.
	Data any

	theme  *Theme
	assets *assets
}

// Crumb is one step of the breadcrumb.
type Crumb struct{ Name, Path string }

// Notice is the page's Fault as a box for the partial "avviso", nil for none.
func (p *Page) Notice() *Notice {
	if p.Fault == nil {
		return nil
	}
	n := NoticeOf(p.Lang, p.Fault)
	return &n
}

// U is the address of path on the portal, in the page's language.
func (p *Page) U(path string) string { return p.Home + p.Prefix + path }

// Theme is the deploying body's.
func (p *Page) Theme() *Theme { return p.theme }

// Themed tells whether the deploying body brings colours.
func (p *Page) Themed() bool { return len(p.theme.CSS) > 0 }

// Logo is the address of the deploying body's logo, empty for the neutral one.
func (p *Page) Logo() string {
	if len(p.theme.Logo) == 0 {
		return ""
	}
	return p.AssetHost + Prefix + "theme.svg"
}

// Switch lists the languages and the address of this page in each.
func (p *Page) Switch() []Tongue {
	if p.Tongues != nil || p.Path == "" {
		return p.Tongues
	}
	return Tongues(p.Home+"/it"+p.Path, p.Home+"/en"+p.Path, p.Lang)
}

// Tongues lists the languages with the address of a page in each.
func Tongues(italian, english string, now words.Lang) []Tongue {
	return []Tongue{
		{"it", "Italiano", "ITA", italian, now == words.Italian},
		{"en", "English", "ENG", english, now == words.English},
	}
}

// Asset is the address of a built file for this page.
func (p *Page) Asset(name string) string { return p.AssetHost + p.assets.url(name) }

// Tongue is one entry of the language switch.
type Tongue struct {
	Tag, Name, Short, Href string
	Current                bool
}

// Menu is the main menu.
func (p *Page) Menu() []Entry {
	e := slices.Clone(p.Own)
	if e == nil {
		e = append(portalMenu(), p.Work...)
	}
	for i := range e {
		e[i].Current = e[i].ID == p.Section
	}
	return e
}

func portalMenu() []Entry {
	return []Entry{
		{"home", "look.menu.home", "/", false},
		{"tessera", "look.menu.card", "/tessera", false},
		{"servizi", "look.menu.services", "/servizi-online", false},
		{"cartasanitaria", "look.menu.hub", "/cartasanitaria", false},
		{"domande", "look.menu.faq", "/domande-frequenti", false},
		{"contatti", "look.menu.contacts", "/contatti", false},
	}
}

// Entry is one line of the main menu; Key is the text's.
type Entry struct {
	ID, Key, Path string
	Current       bool
}

// Tone is how a state is coloured; the word and the icon tell it too.
type Tone string

// The tones of badges and notices.
const (
	Good Tone = "good"
	Wait Tone = "wait"
	Bad  Tone = "bad"
	None Tone = "none"
)

// Icon is the picture that goes with a tone.
func (t Tone) Icon() string {
	switch t {
	case Good:
		return "check-circle"
	case Wait:
		return "clock"
	case Bad:
		return "close-circle"
	}
	return "info-circle"
}

// Badge is a state: tone, and the word in the page's language.
type Badge struct {
	Tone Tone
	Word string
}

// Notice is a box that stands out: tone ("info", "good", "warn", "bad"), a
// title, paragraphs, and a code if it comes from a Fault.
type Notice struct {
	Tone  string
	Title string
	Lines []string
	Code  string
}

// NoticeOf turns a fault into a box: sentence, cause, next step, code.
func NoticeOf(lang words.Lang, f *words.Fault) Notice {
	n := Notice{Tone: "bad", Title: f.Sentence(lang), Code: f.Code}
	for _, line := range []string{f.Cause(lang), f.Next(lang)} {
		if line != "" {
			n.Lines = append(n.Lines, line)
		}
	}
	return n
}

// Steps is a stepper: names already in the page's language, Current from 0.
type Steps struct {
	Names   []string
	Current int
}

// Turn is a pager: page numbers from 1, and the address up to the number.
type Turn struct {
	Page, Pages int
	Href        string
}

// Prev and Next are the neighbours' numbers, 0 for none.
func (t Turn) Prev() int { return max(t.Page-1, 0) }

// Next is the following page's number, 0 at the end.
func (t Turn) Next() int {
	if t.Page >= t.Pages {
		return 0
	}
	return t.Page + 1
}
