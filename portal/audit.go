package portal

import (
	"bytes"
	"encoding/csv"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/operations"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/portal/look"
)

// The search of the audit trail. What is searched for is posted and never part
// of an address; each page of the answer is a search of its own, and recorded.

type entryView struct {
	operations.Entry
	When, What string
	Details    []line
}

func (c *call) entry(e operations.Entry) entryView {
	v := entryView{Entry: e, When: second(e.At), What: e.Act}
	if key := "portal.act." + e.Act; words.Has(c.tongue.lang, key) {
		v.What = c.say(key)
	}
	for _, k := range slices.Sorted(maps.Keys(e.Detail)) {
		v.Details = append(v.Details, line{k, e.Detail[k]})
	}
	return v
}

// auditData is what the page of the search receives.
type auditData struct {
	Asked   bool
	Entries []entryView
	// Next continues with older records; Fields are what was searched.
	Next    int64
	Fields  []line
	Checked *look.Notice
}

// auditFields are posted again for the next page and for the file.
var auditFields = []string{"codice_fiscale", "tessera", "operatore", "ufficio", "atto", "dal", "al", "motivo_ricerca"}

// opsAudit is the empty form, for who may search.
func (c *call) opsAudit() error {
	if err := c.p.Operations.Trail.Enter(c.r.Context(), *c.op); err != nil {
		return err
	}
	return c.auditPage(nil, auditData{})
}

func (c *call) auditPage(values url.Values, data auditData, faults ...*words.Fault) error {
	page := c.opsPage("portal.ops.audit")
	page.Form = c.newForm(values, faults...)
	for _, f := range auditFields {
		data.Fields = append(data.Fields, line{f, values.Get(f)})
	}
	page.Data = data
	status := http.StatusOK
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "ops-audit", page)
}

// query reads the form.
func (c *call) query() (operations.Query, []*words.Fault) {
	var faults []*words.Fault
	q := operations.Query{
		Card: strings.ReplaceAll(compact(c.value("tessera")), "*", ""), Operator: c.value("operatore"), Office: c.value("ufficio"), Act: c.value("atto"),
		Motive: c.value("motivo_ricerca"), From: c.date("dal", &faults), Until: c.date("al", &faults), Export: c.value("formato") == "csv",
	}
	q.Before, _ = strconv.ParseInt(c.value("prima"), 10, 64) // nonsense is the first page
	if text := strings.ToUpper(compact(c.value("codice_fiscale"))); text != "" {
		cf, err := codicefiscale.Parse(text)
		if f := words.FaultOf(err); f != nil {
			faults = append(faults, at(f, "codice_fiscale"))
		}
		q.Person = cf
	}
	return q, faults
}

func (c *call) opsSearch() error {
	if err := c.form(); err != nil {
		return err
	}
	q, faults := c.query()
	if len(faults) > 0 {
		return c.auditPage(c.r.PostForm, auditData{}, faults...)
	}
	found, err := c.p.Operations.Trail.Search(c.r.Context(), *c.op, q)
	if f := words.FaultOf(err); f != nil && f.Code != "CSE-540" {
		return c.auditPage(c.r.PostForm, auditData{}, f)
	}
	if err != nil {
		return err
	}
	if q.Export {
		return c.auditFile(found)
	}
	data := auditData{Asked: true}
	if len(found) > operations.PageSize {
		found = found[:operations.PageSize]
		data.Next = found[len(found)-1].Index
	}
	for _, e := range found {
		data.Entries = append(data.Entries, c.entry(e))
	}
	return c.auditPage(c.r.PostForm, data)
}

// auditFile sends what was found as CSV, newest first as on the page.
func (c *call) auditFile(found []operations.Entry) error {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{{"index", "at", "act", "actor", "office", "card", "person", "detail"}}
	for _, e := range found {
		var detail []string
		for _, k := range slices.Sorted(maps.Keys(e.Detail)) {
			detail = append(detail, k+"="+e.Detail[k])
		}
		rows = append(rows, []string{
			strconv.FormatInt(e.Index, 10), e.At.UTC().Format("2006-01-02T15:04:05.000000Z"), plain(e.Act), plain(e.Actor), plain(e.Office), e.Card, e.Person,
			plain(strings.Join(detail, "; ")),
		})
	}
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="registro-`+civil.Today(c.p.Clock).Compact()+`.csv"`)
	h.Set("Cache-Control", "no-store")
	_, err := c.w.Write(b.Bytes())
	return err
}

// plain keeps a spreadsheet from taking somebody's words for a formula.
func plain(s string) string {
	if strings.ContainsAny(s[:min(1, len(s))], "=+-@\t\r") {
		return "'" + s
	}
	return s
}

// opsVerify reads the whole chain.
func (c *call) opsVerify() error {
	v, err := c.p.Operations.Trail.Verify(c.r.Context(), *c.op)
	if err != nil {
		return err
	}
	n := look.Notice{Tone: "good", Title: c.say("portal.ops.audit.sound", v.Index), Lines: []string{v.Hash}}
	if v.Broken != nil {
		n = look.Notice{Tone: "bad", Title: c.say("portal.ops.audit.broken", v.Broken.Index), Lines: []string{v.Broken.Why}}
	}
	return c.auditPage(nil, auditData{Checked: &n})
}
