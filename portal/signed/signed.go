// Package signed is the verification of signatures as pages show it: a report of
// package signature with its badges, lines and answer, for the portal's public
// page and for the holder's own (package pinmanager).
package signed

import (
	"cse.example/cse/ground/words"
	"cse.example/cse/portal/look"
	"cse.example/cse/signature"
)

// View is a report on a page.
type View struct {
	Badge    look.Badge
	Lines    []signature.Line
	Findings []Finding
	// Answer is the yes to whoever is asked to accept it; empty when it is no.
	Answer string
	// Refusal is the no.
	Refusal *look.Notice
}

// Finding is one signature.
type Finding struct {
	Title string
	Badge look.Badge
	Lines []signature.Line
}

var tones = map[signature.Verdict]look.Tone{signature.Valid: look.Good, signature.Unproved: look.Wait, signature.Invalid: look.Bad}

// Of makes the view of a report for who is asked to accept it. The fault, if any,
// is the reason of the no.
func Of(lang words.Lang, r signature.Report, who signature.Recipient) (*View, *words.Fault) {
	v := &View{Badge: look.Badge{Tone: tones[r.Verdict], Word: r.Summary(lang)}, Lines: r.Lines(lang)[1:]}
	for _, f := range r.All(lang) {
		v.Findings = append(v.Findings, Finding{
			f.Title, look.Badge{Tone: tones[f.Verdict], Word: words.Say(lang, "signature.level."+string(f.Level))}, f.Lines(lang),
		})
	}
	fault := r.For(who)
	if fault == nil {
		v.Answer = words.Say(lang, "portal.signature.answer.yes")
		return v, nil
	}
	n := look.NoticeOf(lang, fault)
	v.Refusal = &n
	return v, fault
}
