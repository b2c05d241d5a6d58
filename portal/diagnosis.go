package portal

import (
	"context"
	"net/url"
	"strings"

	"cse.example/cse/card/diagnosis"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/helpdesk"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/portal/look"
)

// Diagnosis tells what a reference of "cse doctor" says, as a caller spells it;
// (*helpdesk.Inbox).Read is one.
type Diagnosis func(ctx context.Context, said string) (helpdesk.Diagnosis, error)

// diagnosisView is a holder's diagnosis in the page's language.
type diagnosisView struct {
	Reference, Spelled string
	// Says is the outcome, Open what is still to be asked; Sent and Card are there
	// when the report was sent.
	Says, Open, Sent, Card string
	Lines                  []diagnosisLine
}

type diagnosisLine struct {
	Part  string
	Badge look.Badge
	// Code, Text and Next are a red or yellow line's.
	Code, Text, Next string
}

var tones = map[diagnosis.State]look.Tone{
	diagnosis.OK: look.Good, diagnosis.Attention: look.Wait, diagnosis.Fault: look.Bad, diagnosis.Unknown: look.None,
}

// diagnosed reads the reference that the agent typed; nil without one. values are
// the answers of the guided questions as the diagnosis gives them.
func (c *call) diagnosed(said string, card lifecycle.Card) (*diagnosisView, url.Values, error) {
	if strings.TrimSpace(said) == "" || c.p.Diagnosis == nil {
		return nil, nil, nil
	}
	d, err := c.p.Diagnosis(c.r.Context(), said)
	if err != nil {
		return nil, nil, err
	}
	v := &diagnosisView{
		Reference: string(d.Reference), Spelled: d.Reference.Spelled(),
		Says: c.say("portal.help.diagnosis.says", c.say("portal.help.outcome."+string(d.Outcome(card)))),
	}
	f, open := d.Findings()
	var names []string
	for _, p := range open {
		names = append(names, p.Name(c.tongue.lang))
	}
	if len(names) > 0 {
		v.Open = c.say("portal.help.diagnosis.open", strings.Join(names, ", "))
	}
	if d.Letter == nil {
		for _, p := range diagnosis.Parts {
			v.Lines = append(v.Lines, c.lightLine(p, d.Lights[p], ""))
		}
	} else {
		v.letter(c, d)
	}
	values := url.Values{"chiamata": {"guasto"}, "riferimento": {v.Reference}}
	for name, on := range map[string]bool{
		"lettore": f.Reader, "risponde": f.Answers, "certificato": f.Certificate, "pin_libero": f.PIN, "puk_libero": f.PUK, "browser": f.Browser,
	} {
		if on {
			values.Set(name, "si")
		}
	}
	return v, values, nil
}

// letter shows what was sent.
func (v *diagnosisView) letter(c *call, d helpdesk.Diagnosis) {
	l := d.Letter
	said := func(s string) string {
		if s == "" {
			return c.say("portal.help.diagnosis.none")
		}
		return s
	}
	v.Sent = c.say("portal.help.diagnosis.sent", when(d.At), said(l.Program), said(l.System))
	v.Card = c.say("portal.help.diagnosis.card", said(l.Reader), said(l.Family), said(l.ATR))
	for _, x := range l.Lines {
		v.Lines = append(v.Lines, c.lightLine(x.Part, x.State, x.Code))
	}
}

func (c *call) lightLine(p diagnosis.Part, s diagnosis.State, code string) diagnosisLine {
	text := words.Code{}
	if code != "" {
		text = diagnosis.Explain(c.tongue.lang, code)
	}
	return diagnosisLine{Part: p.Name(c.tongue.lang), Badge: look.Badge{Word: s.Name(c.tongue.lang), Tone: tones[s]}, Code: code, Text: text.Sentence, Next: text.Next}
}
