package pinmanager

import (
	"net/http"

	"cse.example/cse/card/diagnosis"
	"cse.example/cse/ground/words"
	"cse.example/cse/portal/look"
)

// lights are the badges of a diagnosis.
var lights = map[diagnosis.State]look.Tone{
	diagnosis.OK: look.Good, diagnosis.Attention: look.Wait, diagnosis.Fault: look.Bad, diagnosis.Unknown: look.None,
}

// lightRow is a line of the diagnosis.
type lightRow struct {
	Name, Text, Cause, Next, Code, Detail string
	Badge                                 look.Badge
}

// diagnosisPage looks at everything between the card and a site. No try is spent.
// Others are asked over the network only when the person wants it ("rete").
func (c *call) diagnosisPage() error {
	online := c.r.URL.Query().Get("rete") != ""
	c.m.mu.Lock()
	chosen := c.m.chosen
	c.m.mu.Unlock()
	r := c.diagnose(chosen, online)
	var rows []lightRow
	for _, x := range r.Checks {
		row := lightRow{Name: x.Part.Name(c.lang), Text: x.Text(c.lang), Badge: look.Badge{Tone: lights[x.State], Word: x.State.Name(c.lang)}}
		if x.Fault != nil {
			row.Code, row.Cause, row.Next, row.Detail = x.Fault.Code, x.Fault.Cause(c.lang), x.Fault.Next(c.lang), x.Detail
		}
		rows = append(rows, row)
	}
	v := struct {
		Rows               []lightRow
		Main               *look.Notice
		Reference, Spelled string
		Online             bool
		Unblock            bool // the PUK helps
	}{Rows: rows, Reference: string(r.Reference()), Spelled: r.Reference().Spelled(), Online: online}
	if x, red := r.Main(); red {
		v.Main, v.Unblock = notice(c.lang, x.Fault), x.Fault.Code == askedPIN.blocked
	}
	return c.show(http.StatusOK, "diagnosis", c.page("diagnosis", "manager.diagnosis.title"), v)
}

func notice(lang words.Lang, f *words.Fault) *look.Notice {
	n := look.NoticeOf(lang, f)
	return &n
}

// diagnose has the card to itself.
func (c *call) diagnose(reader string, online bool) diagnosis.Report {
	c.m.card.Lock()
	defer c.m.card.Unlock()
	return c.m.Diagnose(c.r.Context(), reader, online)
}
