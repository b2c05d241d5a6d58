package main

import (
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
)

// qualityOf is what somebody says he is towards the holder, in the language of the
// papers: of a guardian his title, and until when.
func qualityOf(f counter.Form) string {
	r := f.Representative
	if f.Present != counter.PresentGuardian || r == nil || r.Title == "" {
		return words.Say(f.Lang, "counter.present."+string(f.Present))
	}
	title := words.Say(f.Lang, "counter.title."+string(r.Title))
	if r.Until.IsZero() {
		return words.Say(f.Lang, "counter.title.revoked", title)
	}
	return words.Say(f.Lang, "counter.title.until", title, r.Until.Italian())
}
