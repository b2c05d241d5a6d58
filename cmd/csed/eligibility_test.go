package main

import (
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/eligibility"
)

// Whoever asked about somebody, why and when, stands among his activities; the
// cap of a day refuses the next question, and that is on record. Somebody else's
// questions are not shown to him.
func TestR47_QuestionsAreShownToThePersonAndCapped(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	r.config.Providers = []eligibility.Client{
		{ID: "osp", Name: "Ospedale di prova", Region: "Lazio", Key: strings.Repeat("ab", 32), Daily: 3, Purposes: []eligibility.Purpose{eligibility.Care, eligibility.Admission}},
		{ID: "farm", Name: "Farmacia di prova", Region: "Lazio", Key: strings.Repeat("cd", 32), Daily: 3, Purposes: []eligibility.Purpose{eligibility.Pharmacy}},
	}
	p := r.serve(t, "web", "print", "mail")
	room, err := p.eligibility()
	check(t, err)
	me, other := card(t, p, r.active), card(t, p, r.waiting)
	ask := func(client int, who string, purpose eligibility.Purpose, code string) {
		t.Helper()
		_, err := room.Ask(t.Context(), r.config.Providers[client], eligibility.Question{Who: who, Purpose: purpose})
		if f := words.FaultOf(err); err != nil && (f == nil || f.Code != code) || err == nil && code != "" {
			t.Errorf("%v, want %q", err, code)
		}
	}
	ask(0, string(me.CF), eligibility.Admission, "")
	ask(0, me.ID, eligibility.Care, "")
	ask(1, string(other.CF), eligibility.Pharmacy, "")
	ask(0, "6090000000099999", eligibility.Care, "")
	ask(0, string(me.CF), eligibility.Care, "CSE-670")
	ask(0, string(me.CF), eligibility.Care, "CSE-670")
	b := enter(t, p, r.cardOf(t, p))
	check(t, b.Get(t.Context(), p.Config.Public.Portal+"/it/tessera/attivita"))
	text := b.Page.Text()
	if n := strings.Count(text, "Ospedale di prova"); n != 2 {
		t.Errorf("the hospital stands there %d times, want 2: %s", n, text)
	}
	for _, want := range []string{words.Say(words.Italian, "portal.activity.purpose.admission"), words.Say(words.Italian, "portal.activity.purpose.care")} {
		if !strings.Contains(text, want) {
			t.Errorf("the purpose %q is not shown", want)
		}
	}
	if strings.Contains(text, "Farmacia di prova") {
		t.Error("a question about somebody else is shown")
	}
	if got := records(t, p, "eligibility.capped"); len(got) != 1 || got[0].Actor != "client:osp" {
		t.Errorf("beyond the cap: %+v", got)
	}
	// the copy of one's data has them too
	e, err := p.privacy.Export(t.Context(), me.CF)
	check(t, err)
	n := 0
	for _, s := range e.Sections {
		for _, row := range s.Rows {
			for _, f := range row {
				if f.Name == "act" && f.Value == "eligibility.asked" {
					n++
				}
			}
		}
	}
	if n != 2 {
		t.Errorf("%d questions in the copy, want 2", n)
	}
}
