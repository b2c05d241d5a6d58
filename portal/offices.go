package portal

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/person/codicefiscale"
)

// Offices lists the counters that citizens may go to, the closed ones left out.
type Offices func(ctx context.Context) ([]OfficeView, error)

// OfficeView is a counter as the public directory shows it (R60).
type OfficeView struct {
	ID, Name string
	// Type is ASL, COMUNE, URP, FARMACIA or ADE.
	Type string
	// Comune is the municipality's name; Address and Phone may be empty.
	Comune, Address, Phone string
	// Hours are the hours of each day of the week; empty when they are not known.
	Hours []OpenHours
	// Services are what it does: keys, text portal.offices.service.KEY.
	Services []string
	// OtherRegion tells whether it takes cards of other Regions.
	OtherRegion bool
	// Accessible tells whether the entrance has no steps.
	Accessible bool
}

// OfficeServices are the services that a visitor may look for: actions of the
// permission matrix, text portal.offices.service.ACTION.
func OfficeServices() []string { return slices.Clone(officeServices) }

// OpenHours are one stretch of a day: from and until as minutes after midnight.
type OpenHours struct {
	Day         time.Weekday
	From, Until int
}

// OpenAt tells whether the counter is open at an instant, by the clock in Rome.
func (o OfficeView) OpenAt(now time.Time) bool {
	rome := now.In(civil.Rome)
	minute := rome.Hour()*60 + rome.Minute()
	return slices.ContainsFunc(o.Hours, func(h OpenHours) bool { return h.Day == rome.Weekday() && h.From <= minute && minute < h.Until })
}

// officeServices are what a visitor chooses from.
var officeServices = []string{"activate", "activate-represented", "reprint", "not-received", "chip-fault", "loss-theft", "suspend", "correct-data"}

type dayView struct{ Day, Hours string }

type officeLine struct {
	OfficeView
	Kind     string
	Open     bool
	Days     []dayView
	Services []string
}

type officesView struct {
	Searched bool
	Lines    []officeLine
	Total    int
}

// counters is the directory: everything, or what was asked for. The questions
// are addresses, so that a list can be kept and sent on; they name nobody.
func (c *call) counters() error {
	page := c.page("sportelli", "portal.offices.title")
	c.crumbs(page, "look.menu.hub", "/cartasanitaria")
	q := c.r.URL.Query()
	asked := url.Values{}
	for _, k := range []string{"comune", "tipo", "servizio", "aperto"} {
		asked.Set(k, strings.TrimSpace(q.Get(k)))
	}
	page.Form = c.newForm(asked)
	var all []OfficeView
	if c.p.Offices != nil {
		var err error
		if all, err = c.p.Offices(c.r.Context()); err != nil {
			return err
		}
	}
	v := officesView{Total: len(all)}
	for _, k := range []string{"comune", "tipo", "servizio", "aperto"} {
		v.Searched = v.Searched || asked.Get(k) != ""
	}
	now := c.p.Clock.Now()
	for _, o := range all {
		if !wanted(o, asked, now) {
			continue
		}
		line := officeLine{OfficeView: o, Kind: c.say("portal.offices.type." + o.Type), Open: o.OpenAt(now), Days: c.days(o.Hours)}
		for _, s := range officeServices {
			if slices.Contains(o.Services, s) {
				line.Services = append(line.Services, c.say("portal.offices.service."+s))
			}
		}
		v.Lines = append(v.Lines, line)
	}
	slices.SortStableFunc(v.Lines, func(x, y officeLine) int {
		return cmp.Or(strings.Compare(x.Comune, y.Comune), strings.Compare(x.Name, y.Name))
	})
	page.Data = v
	return c.show(http.StatusOK, "offices", page)
}

func wanted(o OfficeView, asked url.Values, now time.Time) bool {
	comune := codicefiscale.Fold(asked.Get("comune"))
	return (comune == "" || strings.Contains(codicefiscale.Fold(o.Comune), comune)) &&
		(asked.Get("tipo") == "" || asked.Get("tipo") == o.Type) &&
		(asked.Get("servizio") == "" || slices.Contains(o.Services, asked.Get("servizio"))) &&
		(asked.Get("aperto") == "" || o.OpenAt(now))
}

// days are the hours of each day, Monday first; days without hours are closed.
func (c *call) days(hours []OpenHours) []dayView {
	if len(hours) == 0 {
		return nil
	}
	var out []dayView
	for i := range 7 {
		day := time.Weekday((i + 1) % 7)
		var spans []string
		for _, h := range hours {
			if h.Day == day {
				spans = append(spans, hour(h.From)+"–"+hour(h.Until))
			}
		}
		slices.Sort(spans)
		if len(spans) == 0 {
			spans = []string{c.say("portal.offices.closed")}
		}
		out = append(out, dayView{c.say("portal.day." + strings.ToLower(day.String())), strings.Join(spans, ", ")})
	}
	return out
}

func hour(minutes int) string {
	return time.Date(2000, 1, 1, 0, minutes, 0, 0, time.UTC).Format("15:04")
}
