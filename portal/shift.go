package portal

import (
	"bytes"
	"context"
	"encoding/csv"
	"net/http"
	"strconv"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/staff"
)

// Shift lists what an operator did at his office on a day; (*counter.Worklist).Shift
// is one.
type Shift func(ctx context.Context, op staff.Operator, day civil.Date) ([]counter.ShiftLine, error)

// shiftRoutes are an operator's own report at the end of a shift: what he did,
// which forms were used, which signatures and scans are missing. Nobody is named in it.
func (p *Portal) shiftRoutes(at func(pattern string, a answer)) {
	at("GET /sportello/turno", atCounter((*call).shiftPage))
	at("GET /sportello/turno/csv", atCounter((*call).shiftFile))
}

// shiftView is an act of the day.
type shiftView struct {
	At, Protocol, Path, Act, Card, Printed, Handed string
	Unsigned                                       bool
	// Scans is how many papers wait to be archived.
	Scans int
}

// shift reads the day of the address (?giorno=aaaa-mm-gg), today without one.
func (c *call) shift() (civil.Date, []shiftView, error) {
	day := c.p.today()
	if text := c.r.URL.Query().Get("giorno"); text != "" {
		d, err := civil.ParseISO(text)
		if err != nil {
			return day, nil, words.Refuse("CSE-359").Because(err)
		}
		day = d
	}
	lines, err := c.p.Shift(c.r.Context(), *c.op, day)
	var out []shiftView
	for _, l := range lines {
		out = append(out, shiftView{
			At: clock(l.At), Protocol: l.Protocol, Path: FilePath(l.Protocol), Act: c.actName(l.Kind), Card: l.Card,
			Printed: clock(l.PrintedAt), Handed: clock(l.HandedAt), Unsigned: l.Unsigned(), Scans: l.Scans,
		})
	}
	return day, out, err
}

func (c *call) actName(kind counter.ActKind) string {
	if kind == counter.KindActivation {
		return c.say("portal.shift.activation")
	}
	return c.say("portal.desk.act." + string(kind))
}

// clock is the hour in Rome, empty for never.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(civil.Rome).Format("15:04")
}

func (c *call) shiftPage() error {
	day, lines, err := c.shift()
	if err != nil {
		return err
	}
	data := struct {
		Day, File               string
		Lines                   []shiftView
		Acts, Printed, Unsigned int
		Scans                   int
	}{Day: day.Italian(), File: "/sportello/turno/csv?giorno=" + day.String(), Lines: lines, Acts: len(lines)}
	for _, l := range lines {
		if l.Printed != "" {
			data.Printed++
		}
		if l.Unsigned {
			data.Unsigned++
		}
		data.Scans += l.Scans
	}
	page := c.page("sportello", "portal.shift.title")
	c.crumbs(page, "look.menu.counter", "/sportello")
	page.Data = data
	return c.show(http.StatusOK, "shift", page)
}

// shiftFile is the same as CSV.
func (c *call) shiftFile() error {
	day, lines, err := c.shift()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{{
		c.say("portal.shift.when"), c.say("portal.activation.protocol"), c.say("portal.shift.act"), c.say("portal.card.id"), c.say("portal.shift.printed"), c.say("portal.shift.handed"), c.say("portal.shift.scans.to"),
	}}
	for _, l := range lines {
		rows = append(rows, []string{day.String() + " " + l.At, l.Protocol, l.Act, l.Card, l.Printed, l.Handed, strconv.Itoa(l.Scans)})
	}
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="turno-`+day.String()+`.csv"`)
	h.Set("Cache-Control", "no-store")
	_, err = c.w.Write(b.Bytes())
	return err
}
