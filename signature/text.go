package signature

import (
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

// Line is one label and value, as people read it.
type Line struct{ Label, Value string }

func hour(t time.Time, lang words.Lang) string {
	if lang == words.Italian {
		return t.In(civil.Rome).Format("02/01/2006 15:04:05")
	}
	return t.In(civil.Rome).Format("2006-01-02 15:04:05 MST")
}

// Summary is the verdict of a report in a sentence.
func (r Report) Summary(lang words.Lang) string {
	return words.Say(lang, "signature.verdict."+string(r.Verdict))
}

// Lines are what is said of the file.
func (r Report) Lines(lang words.Lang) []Line {
	say := func(key string, args ...any) string { return words.Say(lang, "signature."+key, args...) }
	out := []Line{
		{say("label.verdict"), r.Summary(lang)},
		{say("label.file"), r.File},
		{say("label.format"), r.Format},
		{say("label.sha256"), r.SHA256},
		{say("label.at"), hour(r.At, lang)},
	}
	if r.DocumentStamps > 0 {
		out = append(out, Line{say("label.stamps"), say("stamps", r.DocumentStamps)})
	}
	return filled(out)
}

// Lines are what is said of one signature.
func (f Finding) Lines(lang words.Lang) []Line {
	say := func(key string, args ...any) string { return words.Say(lang, "signature."+key, args...) }
	out := []Line{{say("label.verdict"), say("verdict." + string(f.Verdict))}}
	if fault := words.FaultOf(f.Err); fault != nil {
		out = append(out, Line{say("label.why"), fault.Code + " – " + fault.Sentence(lang) + " " + fault.Next(lang)})
	}
	out = append(out, Line{say("label.level"), say("level." + string(f.Level))}, Line{say("label.form"), f.Form})
	if p := f.Signer; p != nil {
		out = append(
			out,
			Line{say("label.cf"), p.CF},
			Line{say("label.name"), joined(p.Surname, p.Name)},
		)
		if p.CF == "" {
			out = append(out, Line{say("label.common-name"), p.CommonName})
		}
		out = append(
			out,
			Line{say("label.issuer"), p.Issuer},
			Line{say("label.serial"), p.Serial},
			Line{say("label.validity"), say("validity", civil.DayOf(p.NotBefore).Italian(), civil.DayOf(p.NotAfter).Italian())},
		)
	}
	if f.Claimed != nil {
		out = append(out, Line{say("label.claimed"), say("claimed", hour(*f.Claimed, lang))})
	}
	if f.Stamped != nil {
		out = append(out, Line{say("label.stamped"), hour(*f.Stamped, lang)})
	}
	if f.StampRefused {
		out = append(out, Line{say("label.stamped"), say("stamp-refused")})
	}
	out = append(out, Line{say("label.at-signing"), f.AtSigning.text(lang)}, Line{say("label.now"), f.Now.text(lang)},
		Line{say("label.reason"), f.Reason}, Line{say("label.location"), f.Location})
	if f.Later {
		out = append(out, Line{say("label.later"), say("later")})
	}
	for _, r := range Recipients {
		out = append(out, Line{say("label.for." + string(r)), f.answerText(r, lang)})
	}
	return filled(out)
}

// answerText is "accepted", or the refusal's sentence.
func (f Finding) answerText(r Recipient, lang words.Lang) string {
	if fault := f.For(r); fault != nil {
		if f.Verdict != Valid {
			return words.Say(lang, "signature.not-accepted")
		}
		return fault.Sentence(lang)
	}
	return words.Say(lang, "signature.accepted")
}

func (a *At) text(lang words.Lang) string {
	if a == nil {
		return ""
	}
	s := words.Say(lang, "signature.standing."+string(a.Standing))
	if a.Since != nil {
		s += " " + words.Say(lang, "signature.since", hour(*a.Since, lang))
	}
	return s
}

func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " " + b
}

func filled(in []Line) []Line {
	var out []Line
	for _, l := range in {
		if l.Value != "" {
			out = append(out, l)
		}
	}
	return out
}

// Appearance is what a visible signature shows: what it is, who, when.
func (s *Signer) Appearance(lang words.Lang) []string {
	p := personOf(s.Certificate)
	who := joined(p.Surname, p.Name)
	if who == "" {
		who = p.CF
	}
	if who == "" {
		who = p.CommonName
	}
	return []string{
		words.Say(lang, "signature.shown.level."+string(declared(s.Certificate))),
		who,
		words.Say(lang, "signature.shown.at", hour(s.Clock.Now(), lang)),
	}
}

// Titled is a finding under its heading.
type Titled struct {
	Title string
	Finding
}

// All are the findings of the file, and after them those of the signed files
// inside it, with their headings: "Firma 1 di 2".
func (r Report) All(lang words.Lang) []Titled {
	var out []Titled
	key := "signature.one"
	for in := &r; in != nil; in = in.Inside {
		for i, f := range in.Signatures {
			out = append(out, Titled{words.Say(lang, key, i+1, len(in.Signatures), in.Format), f})
		}
		key = "signature.one.inside"
	}
	return out
}
