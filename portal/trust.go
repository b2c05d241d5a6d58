package portal

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/issuer/trustlist"
	"cse.example/cse/pki/trust/tsl"
	"cse.example/cse/portal/look"
)

// The page of trusted lists, /operazioni/elenchi: who is believed by them, what a
// list that waits would change, and every list that was taken. Lists are taken
// by command, and decided at /approvazioni.

// TrustLists are the lists; a *trustlist.Room is one.
type TrustLists interface {
	Views(ctx context.Context) ([]trustlist.View, error)
	OwnHistory(ctx context.Context) ([]trustlist.Row, error)
}

const trustPath = opsRoot + "/elenchi"

// trustRoutes are there when the room is.
func (p *Portal) trustRoutes(at func(pattern string, a answer)) {
	if p.TrustLists != nil {
		at("GET "+trustPath, withRole((*call).trustLists, staff.RoleOperations, staff.RoleSecurity, staff.RoleAuditor))
	}
}

// issuerLine is an authority on the page.
type issuerLine struct {
	What, Name, Provider, Since, Fingerprint string
}

// rowLine is a list that was taken.
type rowLine struct {
	Number      int64
	Issued, By  string
	Badge       look.Badge
	Fingerprint string
}

// issuerTable is a table of them; Changed has a column for what becomes of each.
type issuerTable struct {
	Caption string
	Changed bool
	List    []issuerLine
}

type trustView struct {
	Name, Current, Waiting string
	Expired, Lenient       bool
	Changes, Believed      issuerTable
	History                []rowLine
}

var trustTones = map[trustlist.State]look.Tone{
	trustlist.Waiting: look.Wait, trustlist.Current: look.Good, trustlist.Past: look.None, trustlist.Refused: look.None,
}

// spaced writes a fingerprint in groups, to be compared by eye.
func spaced(hex string) string {
	var b strings.Builder
	for i, r := range strings.ToUpper(hex) {
		if i > 0 && i%8 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// on is the day of an instant; a list that is closed has no next update.
func on(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return civil.DayOf(t).Italian()
}

func issuerLines(what string, list []tsl.Issuer) []issuerLine {
	var out []issuerLine
	for _, i := range list {
		out = append(out, issuerLine{what, i.Name, i.Provider, on(i.From), spaced(i.Fingerprint())})
	}
	return out
}

func (c *call) rowLines(rows []trustlist.Row) []rowLine {
	var out []rowLine
	for _, r := range rows {
		out = append(out, rowLine{r.Sequence, on(r.Issued), r.AskedBy, look.Badge{Tone: trustTones[r.State], Word: c.say("portal.trust.state." + string(r.State))}, spaced(r.Hash)})
	}
	return out
}

func (c *call) trustView(v trustlist.View) trustView {
	out := trustView{Name: v.Name, Expired: v.Expired, Lenient: v.Lenient, History: c.rowLines(v.History)}
	if r := v.Current; r != nil {
		out.Current = c.say("portal.trust.current", r.Sequence, on(r.Issued), on(r.NextUpdate))
	}
	if r := v.Waiting; r != nil {
		out.Waiting = c.say("portal.trust.waiting", r.Sequence, on(r.Issued))
		out.Changes = issuerTable{c.say("portal.trust.change"), true, slices.Concat(
			issuerLines(c.say("portal.trust.change.new"), v.Changes.New), issuerLines(c.say("portal.trust.change.gone"), v.Changes.Gone),
			issuerLines(c.say("portal.trust.change.renamed"), v.Changes.Renamed),
		)}
	}
	out.Believed.Caption = c.say("portal.trust.believed")
	for _, b := range v.Believed {
		out.Believed.List = append(out.Believed.List, issuerLines("", []tsl.Issuer{b.Issuer})...)
	}
	return out
}

func (c *call) trustLists() error {
	views, err := c.p.TrustLists.Views(c.r.Context())
	if err != nil {
		return err
	}
	own, err := c.p.TrustLists.OwnHistory(c.r.Context())
	if err != nil {
		return err
	}
	data := struct {
		Lists []trustView
		Own   []rowLine
	}{Own: c.rowLines(own)}
	for _, v := range views {
		data.Lists = append(data.Lists, c.trustView(v))
	}
	page := c.opsPage("portal.trust.title")
	page.Data = data
	return c.show(http.StatusOK, "ops-trust", page)
}

// trustApproval is what a request about a list asks, in words.
func (c *call) trustApproval(t trustlist.Content) string {
	var names []string
	for _, i := range t.New {
		names = append(names, i.Name+" ("+i.Provider+", "+i.Fingerprint[:min(16, len(i.Fingerprint))]+"…)")
	}
	return c.say("portal.approval.trust", t.List, strconv.FormatInt(t.Sequence, 10), t.Hash[:min(12, len(t.Hash))], strings.Join(names, ", "))
}
