package portal

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/throttle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/portal/look"
)

// CardStatus tells how far a card is; (*counter.Counter).Status is one. source
// is the caller's network address, for the limit.
type CardStatus func(ctx context.Context, cf codicefiscale.Code, lastFive, source string) (counter.CardStatus, error)

type statusView struct {
	Badge look.Badge
	Text  string
}

func (c *call) statusForm() error { return c.statusPage(http.StatusOK, nil) }

// status is a form and not an address, so that no codice fiscale enters one; the
// answer is no page that can be kept.
func (c *call) status() error {
	if err := c.form(); err != nil {
		return err
	}
	var faults []*words.Fault
	cf, err := codicefiscale.Parse(strings.ToUpper(compact(c.value("codice_fiscale"))))
	if err != nil {
		f := words.FaultOf(err)
		if f == nil || c.value("codice_fiscale") == "" {
			f = words.Refuse("CSE-358")
		}
		faults = append(faults, words.Refuse(f.Code, f.Args...).At("codice_fiscale"))
	}
	five := compact(c.value("ultime_cinque"))
	if len(five) != 5 || strings.Trim(five, "0123456789") != "" {
		faults = append(faults, words.Refuse("CSE-572").At("ultime_cinque"))
	}
	if len(faults) > 0 {
		return c.statusPage(http.StatusUnprocessableEntity, nil, faults...)
	}
	s, err := c.p.CardStatus(c.r.Context(), cf, five, sourceOf(c.r))
	if wait := throttle.WaitOf(err); wait > 0 {
		c.w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
	}
	if f := words.FaultOf(err); f != nil {
		status := http.StatusUnprocessableEntity
		if f.Code == "CSE-571" {
			status = http.StatusTooManyRequests
		}
		return c.statusPage(status, nil, f)
	}
	if err != nil {
		return err
	}
	views := []statusView{c.progress(s)}
	if s.Next != nil {
		views = append(views, c.progress(*s.Next))
	}
	return c.statusPage(http.StatusOK, views)
}

func (c *call) progress(s counter.CardStatus) statusView {
	key := "portal.status." + string(s.Progress)
	v := statusView{Text: c.say(key + ".text")}
	if s.Progress == counter.OnItsWay {
		v.Text = c.say(key+".text", s.Shipped.Italian())
	}
	v.Badge = look.Badge{Word: c.say(key), Tone: map[counter.Progress]look.Tone{
		counter.AtHome: look.Good, counter.InUse: look.Good, counter.OutOfUse: look.Bad, counter.BroughtBack: look.Bad,
	}[s.Progress]}
	if v.Badge.Tone == "" {
		v.Badge.Tone = look.Wait
	}
	return v
}

func (c *call) statusPage(status int, views []statusView, faults ...*words.Fault) error {
	page := c.page("cartasanitaria", "portal.status.title")
	c.crumbs(page, "look.menu.hub", "/cartasanitaria")
	if len(faults) > 0 {
		page.Fault = faults[0]
	}
	page.Form = c.newForm(c.r.PostForm, faults...)
	if views != nil {
		page.Form = c.newForm(nil) // answered: on a shared screen nothing of it stays
	}
	page.Data = views
	return c.show(status, "status", page)
}
