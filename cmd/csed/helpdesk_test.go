package main

import (
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/helpdesk"
	"cse.example/cse/issuer/staff"
)

// H1, H2 and H5 over HTTP, on the real store: the agent types what the caller says,
// never sees what is right, and the ticket is the diagnosis that the counter asks
// for (R33).
func TestR31_R33_ACallFromCheckToTicket(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	key := r.employ(t, "ivo", 1, staff.RoleCallCentre)
	p := r.serve(t, "web")
	path := "/sportello/tessera/" + r.active + "/assistenza"
	b := atWork(t, p, "ivo", key, path)
	ctx := t.Context()
	known, err := p.knownOf(ctx, card(t, p, r.active))
	check(t, err)
	if known.Month == "" || known.EmailEnd == "" || known.Comune == "" {
		t.Fatalf("not enough is known of the holder: %+v", known)
	}
	if text := b.Page.Text(); strings.Contains(text, known.EmailEnd+"@") || strings.Contains(text, known.Month) || strings.Contains(strings.ToUpper(text), strings.ToUpper(known.Comune)) {
		t.Errorf("the page tells the right answers: %s", text)
	}
	if !strings.Contains(b.Page.Text(), words.Say(words.Italian, "portal.help.never")) {
		t.Error("the page does not say what is never asked")
	}
	if ticket, err := p.helpdesk.Diagnosis(ctx, r.active); err != nil || ticket != "" {
		t.Fatalf("a diagnosis before any call: %q, %v", ticket, err)
	}
	submit := func(code string, facts helpdesk.Facts) {
		t.Helper()
		check(t, b.Submit(ctx, "/assistenza", map[string]string{
			"mese": facts.Month, "email_fine": facts.EmailEnd, "comune": facts.Comune, "lettore": "si", "altra": "si", "nota": "luce spenta con questa tessera",
		}))
		if b.Page.Code() != code {
			t.Fatalf("%s %q, want %q: %s", b.Page.Where(), b.Page.Code(), code, b.Page.Text())
		}
	}
	wrong := helpdesk.Facts{Month: "01/1999", EmailEnd: "zzz", Comune: known.Comune}
	right := helpdesk.Facts{Month: known.Month, EmailEnd: known.EmailEnd, Comune: "ALTROVE"}
	submit("CSE-561", wrong)
	submit("CSE-562", right) // the right answers wait as well
	r.clock.Advance(time.Minute)
	submit("", right)
	ticket, err := p.helpdesk.Diagnosis(ctx, r.active)
	check(t, err)
	if text := b.Page.Text(); ticket == "" || !strings.Contains(text, ticket) || !strings.Contains(text, words.Say(words.Italian, "portal.help.outcome.chip-fault")) {
		t.Errorf("the ticket %q is not on the page: %s", ticket, text)
	}
	// H5: a fraud is told in words, by a caller who was recognised; it says nothing of the chip.
	fraud := func(code, note string) {
		t.Helper()
		check(t, b.Submit(ctx, "/assistenza", map[string]string{
			"mese": right.Month, "email_fine": right.EmailEnd, "comune": right.Comune, "chiamata": "frode", "nota": note,
		}))
		if b.Page.Code() != code {
			t.Fatalf("%s %q, want %q: %s", b.Page.Where(), b.Page.Code(), code, b.Page.Text())
		}
	}
	fraud("CSE-358", " ")
	r.clock.Advance(time.Minute)
	fraud("", "un accesso di notte che non ha fatto")
	if text := b.Page.Text(); !strings.Contains(text, words.Say(words.Italian, "portal.help.advice.fraud")) {
		t.Errorf("the agent is not told what to do: %s", text)
	}
	if got := records(t, p, "fraud.reported"); len(got) != 1 || got[0].Card != r.active || got[0].Actor != "ivo" {
		t.Errorf("the report left %+v", got)
	}
	if again, err := p.helpdesk.Diagnosis(ctx, r.active); err != nil || again != ticket {
		t.Errorf("the diagnosis is %q, %v", again, err)
	}
	if got := p.directory.Allowed(operatorOf(t, p, "ivo"), staff.ReissueChipFault, "101"); got == nil {
		t.Error("the call centre reissues cards")
	}
	clean(t, p)
}

func operatorOf(t *testing.T, p *Platform, account string) staff.Operator {
	t.Helper()
	op, err := p.directory.OperatorByAccount(account)
	check(t, err)
	return op
}
