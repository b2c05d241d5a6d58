package content

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

// The notices (informative, GDPR articles 13 and 14) have versions, 1/2026, and
// each is kept for as long as an act may name it: a version is never changed
// after its first day, another takes its place. Their days follow one another
// without a gap, so that each day has one.

var reNotice = regexp.MustCompile(`^[1-9][0-9]?-20[0-9]{2}$`)

// readNotices reads the notices of a language, the newest first.
func readNotices(fsys fs.FS, lang words.Lang) ([]*Article, error) {
	list, err := readAll(fsys, "notices", lang)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(x, y *Article) int { return y.From.Compare(x.From) })
	for i, a := range list {
		switch {
		case !reNotice.MatchString(a.ID) || a.Path != "":
			return nil, fmt.Errorf("content: notice %s: called N-YEAR, as 1-2026, and has no path of its own", a.ID)
		case i == 0 && !a.Until.IsZero():
			return nil, fmt.Errorf("content: notice %s: the newest has no last day", a.ID)
		case i > 0 && a.Until.AddDays(1) != list[i-1].From:
			return nil, fmt.Errorf("content: notice %s ends on %s, and %s begins on %s", a.ID, a.Until, list[i-1].ID, list[i-1].From)
		}
	}
	return list, nil
}

// Version is how papers name a notice: "1/2026".
func (a *Article) Version() string { return strings.ReplaceAll(a.ID, "-", "/") }

// NoticePath is where a version is served.
func NoticePath(version string) string { return "/privacy/" + strings.ReplaceAll(version, "/", "-") }

// Notices are the versions, the newest first.
func (c *Content) Notices(lang words.Lang) []*Article { return c.notices[lang] }

// Notice finds a version by its ID, "1-2026".
func (c *Content) Notice(lang words.Lang, id string) (*Article, bool) {
	return find(c.notices[lang], func(a *Article) bool { return a.ID == id })
}

// NoticeOn is the version that holds on a day; the oldest before its first one.
func (c *Content) NoticeOn(lang words.Lang, on civil.Date) *Article {
	list := c.notices[lang]
	if a, ok := find(list, func(a *Article) bool { return !on.Before(a.From) }); ok {
		return a
	}
	return list[len(list)-1]
}

// VersionAt is the version that counters hand over at an instant.
func (c *Content) VersionAt(at time.Time) string {
	return c.NoticeOn(words.Italian, civil.DayOf(at)).Version()
}
