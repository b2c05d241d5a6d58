// Package content is what the public site says: the frequently asked questions
// and the pages of instructions, kept as files that an editor can change
// without touching a program (rule RP5).
//
// A file is faq/LANG/ID.md or pages/LANG/ID.md: a head of YAML between two lines
// "---", then CommonMark. The head says title, section, article number, the days
// from and until which the text holds, the day of the last change, the rules it
// answers, keywords for the search, and passages that age before the rest does
// ("dated"). A question has one title only, which the index and the answer both
// show (RP1).
//
// Load is strict: an unknown key, a missing language, two languages that do not
// agree, raw HTML, an image, a link that leads off the site, a placeholder that
// nobody fills are errors that name the file. Nothing of a file reaches a page
// unescaped. sums.json holds the hash of each text with its day, so that a text
// cannot change while its day stays (RP3): TestRP3_… says how to refresh it.
//
// notices/LANG/ID.md are the privacy notices, version by version (notices.go).
//
// It refuses to guess: a text whose days are over is still served, and flagged
// to the reader and, by Aging, to the editor.
package content

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

//go:embed faq pages notices data sums.json
var files embed.FS

// Sections of the questions, in the order of the index.
const (
	General    = "general"
	Activation = "activation"
)

// Article is one text in one language.
type Article struct {
	// ID is the file's name: "a1"…"b17" for a question, the last part of the
	// address for a page.
	ID   string
	Lang words.Lang
	head
	Body Body
}

// head is the YAML of a file.
type head struct {
	// Title is the question, or the page's title.
	Title string `yaml:"title"`
	// Article is the number shown to readers ("FAQ-A01").
	Article string `yaml:"article"`
	// Section is General or Activation for a question, empty for a page.
	Section string `yaml:"section"`
	// Path is the address of a page, when it is not its ID.
	Path string `yaml:"path"`
	// From and Until are the days on which the text holds; no Until: for good.
	From  civil.Date `yaml:"valid_from"`
	Until civil.Date `yaml:"valid_until"`
	// Updated is the day of the last change.
	Updated civil.Date `yaml:"updated"`
	// Rules are those of rules.md that the text answers.
	Rules    []string `yaml:"rules"`
	Keywords []string `yaml:"keywords"`
	// Dated are passages with days of their own.
	Dated []Dated `yaml:"dated"`
}

// Dated is a passage that ages before the rest of its article.
type Dated struct {
	From  civil.Date `yaml:"valid_from"`
	Until civil.Date `yaml:"valid_until"`
	Text  string     `yaml:"text"`
	Body  Body       `yaml:"-"`
}

// Age is where a text stands on a day.
type Age string

// The ages of a text.
const (
	Current Age = "current"
	Future  Age = "future"
	Past    Age = "past"
)

func ageOf(from, until, on civil.Date) Age {
	switch {
	case on.Before(from):
		return Future
	case !until.IsZero() && on.After(until):
		return Past
	}
	return Current
}

// Age tells whether the article holds on a day.
func (a *Article) Age(on civil.Date) Age { return ageOf(a.From, a.Until, on) }

// Age tells whether the passage holds on a day.
func (d *Dated) Age(on civil.Date) Age { return ageOf(d.From, d.Until, on) }

// Address is where a page is served, or an answer by itself.
func (a *Article) Address() string {
	switch {
	case a.Section != "":
		return "/domande-frequenti/" + a.ID
	case a.Path != "":
		return a.Path
	}
	return "/" + a.ID
}

// Content is all of it.
type Content struct {
	questions map[words.Lang][]*Article // in the order of the index
	pages     map[words.Lang][]*Article // by address
	notices   map[words.Lang][]*Article // newest first
	data
}

// Open is the content built into the program, read once.
var Open = sync.OnceValues(func() (*Content, error) { return Load(files) })

// Load reads a tree like the embedded one. Its errors name the file.
func Load(fsys fs.FS) (*Content, error) {
	c := &Content{questions: map[words.Lang][]*Article{}, pages: map[words.Lang][]*Article{}, notices: map[words.Lang][]*Article{}}
	for _, lang := range []words.Lang{words.Italian, words.English} {
		var err error
		if c.questions[lang], err = readAll(fsys, "faq", lang); err != nil {
			return nil, err
		}
		if c.pages[lang], err = readAll(fsys, "pages", lang); err != nil {
			return nil, err
		}
		if c.notices[lang], err = readNotices(fsys, lang); err != nil {
			return nil, err
		}
	}
	for _, of := range []map[words.Lang][]*Article{c.questions, c.pages, c.notices} {
		if err := agree(of[words.Italian], of[words.English]); err != nil {
			return nil, err
		}
	}
	var err error
	c.data, err = readData(fsys)
	return c, err
}

func readAll(fsys fs.FS, kind string, lang words.Lang) ([]*Article, error) {
	names, err := fs.Glob(fsys, path.Join(kind, string(lang), "*"))
	if err != nil {
		return nil, fmt.Errorf("content: %w", err)
	}
	var out []*Article
	for _, name := range names {
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("content: %w", err)
		}
		a, err := parse(name, b)
		if err != nil {
			return nil, fmt.Errorf("content: %s: %w", name, err)
		}
		out = append(out, a)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("content: nothing in %s/%s", kind, lang)
	}
	slices.SortFunc(out, inOrder)
	return out, nil
}

var reQuestion = regexp.MustCompile(`^([ab])([1-9][0-9]?)$`)

// inOrder is the order of the index: a1, a2 … a16, b1 …
func inOrder(x, y *Article) int {
	m, n := reQuestion.FindStringSubmatch(x.ID), reQuestion.FindStringSubmatch(y.ID)
	if m == nil || n == nil {
		return strings.Compare(x.Address(), y.Address())
	}
	i, _ := strconv.Atoi(m[2]) // digits, says the expression
	j, _ := strconv.Atoi(n[2])
	return cmp.Or(strings.Compare(m[1], n[1]), i-j)
}

// agree refuses two languages that differ in anything but the words.
func agree(italian, english []*Article) error {
	if len(italian) != len(english) {
		return fmt.Errorf("content: %d texts in Italian, %d in English", len(italian), len(english))
	}
	for i, it := range italian {
		en := english[i]
		if it.ID != en.ID {
			return fmt.Errorf("content: %s and %s: a text is in one language only", it.ID, en.ID)
		}
		if it.Article != en.Article || it.Section != en.Section || it.Path != en.Path || it.From != en.From || it.Until != en.Until ||
			!slices.Equal(it.Rules, en.Rules) || len(it.Dated) != len(en.Dated) {
			return fmt.Errorf("content: %s: the two languages differ in article, section, path, days, rules or dated passages", it.ID)
		}
		for j := range it.Dated {
			if it.Dated[j].From != en.Dated[j].From || it.Dated[j].Until != en.Dated[j].Until {
				return fmt.Errorf("content: %s: the two languages give dated passage %d other days", it.ID, j+1)
			}
		}
	}
	return nil
}

// Questions are the frequently asked questions in the order of the index.
func (c *Content) Questions(lang words.Lang) []*Article { return c.questions[lang] }

// Question finds one by its ID.
func (c *Content) Question(lang words.Lang, id string) (*Article, bool) {
	return find(c.questions[lang], func(a *Article) bool { return a.ID == id })
}

// Pages are the pages of instructions.
func (c *Content) Pages(lang words.Lang) []*Article { return c.pages[lang] }

// Page finds one by its address.
func (c *Content) Page(lang words.Lang, address string) (*Article, bool) {
	return find(c.pages[lang], func(a *Article) bool { return a.Address() == address })
}

func find(in []*Article, is func(*Article) bool) (*Article, bool) {
	i := slices.IndexFunc(in, is)
	if i < 0 {
		return nil, false
	}
	return in[i], true
}

// Line is one entry of the editor's list: a text, or one of its passages, that
// does not hold on the day or will soon cease to.
type Line struct {
	Address, Title, Article string
	Lang                    words.Lang
	// Passage is 0 for the article, n for its nth dated passage.
	Passage     int
	From, Until civil.Date
	// Age is that of the day; Current here means that the end is near.
	Age Age
}

// Aging lists what is over, not yet due, or over within soon days, the first to
// end first. It is for whoever keeps the texts.
func (c *Content) Aging(on civil.Date, soon int) []Line {
	var out []Line
	for _, lang := range []words.Lang{words.Italian, words.English} {
		for _, a := range slices.Concat(c.questions[lang], c.pages[lang]) {
			add := func(passage int, from, until civil.Date) {
				age := ageOf(from, until, on)
				if age == Current && (until.IsZero() || on.AddDays(soon).Before(until)) {
					return
				}
				out = append(out, Line{a.Address(), a.Title, a.Article, lang, passage, from, until, age})
			}
			add(0, a.From, a.Until)
			for i := range a.Dated {
				add(i+1, a.Dated[i].From, a.Dated[i].Until)
			}
		}
	}
	slices.SortStableFunc(out, func(x, y Line) int { return x.Until.Compare(y.Until) })
	return out
}
