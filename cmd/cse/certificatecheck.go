package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"cse.example/cse/card/diagnosis"
	"cse.example/cse/card/doctor"
	"cse.example/cse/card/holder"
	"cse.example/cse/cmd/cse/online"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/trust"
)

// The questions about a certificate, in the order in which they are asked. They
// are parts of a diagnosis of their own.
const (
	askOwner diagnosis.Part = "owner" // it is this card's
	askDates diagnosis.Part = "dates"
	askChain diagnosis.Part = "chain" // it leads to an authority of --issuer
	askState diagnosis.Part = "state" // what its issuer says now
)

// certificateCheck is the JSON document of cse certificate check.
type certificateCheck struct {
	Schema string `json:"schema"`
	// Outcome is "ok" when no line is red, else the first red line's code. What was
	// not asked is a line "unknown".
	Outcome string                   `json:"outcome"`
	Checks  []diagnosis.DocumentLine `json:"checks"`
}

// checkCommand says what the card's certificate is worth now: whose it is, its
// dates, its chain to the authorities of --issuer, and with --online what its
// issuer says.
func (a *app) checkCommand() *cobra.Command {
	var w doctorWish
	c := a.command("check", "certificate.check", []string{"verifica"}, 0, func(ctx context.Context, _ []string) error {
		asker, err := a.asker(w)
		if err != nil {
			return err
		}
		return a.withCard(func(h *holder.Holder, _ string) error { return a.checkCertificate(ctx, h, asker, w.online) })
	})
	c.Flags().BoolVar(&w.online, "online", false, a.say("flag.doctor.online"))
	c.Flags().StringArrayVar(&w.issuers, "issuer", nil, a.say("flag.issuers"))
	return c
}

func (a *app) checkCertificate(ctx context.Context, h *holder.Holder, asker *online.Asker, ask bool) error {
	leaf, err := h.Certificate()
	if err != nil {
		return err
	}
	_, raw, err := h.ReadPersonalData()
	if err != nil {
		return err
	}
	now := civil.System{}.Now()
	var lines []diagnosis.Check
	add := func(p diagnosis.Part, f *words.Fault, note string, args ...any) {
		c := diagnosis.Check{Part: p, State: diagnosis.OK, Note: note, Args: args, Fault: f}
		if f != nil {
			c.State = diagnosis.Fault
		}
		lines = append(lines, c)
	}
	skip := func(p diagnosis.Part, note string) {
		lines = append(lines, diagnosis.Check{Part: p, State: diagnosis.Unknown, Note: note})
	}

	var f *words.Fault
	if !describeCertificate(leaf, raw).Matches {
		f = words.Refuse("CSE-809")
	}
	add(askOwner, f, "certificate")

	until := a.day(leaf.NotAfter.UTC().Format(time.RFC3339))
	switch f = nil; {
	case now.Before(leaf.NotBefore):
		f = words.Refuse("CSE-307", a.day(leaf.NotBefore.UTC().Format(time.RFC3339)))
	case now.After(leaf.NotAfter):
		f = words.Refuse("CSE-301", until)
	}
	add(askDates, f, "dates", until)

	if given := asker.Issuers; len(given) == 0 {
		skip(askChain, "chain.not-asked")
	} else {
		_, err := (&trust.Verifier{Anchors: given, MinRSA: 1024}).Check(leaf, nil, now)
		add(askChain, refusedPath(err), "chain", given[0].Subject.CommonName)
	}

	if !ask {
		skip(askState, "state.not-asked")
	} else {
		s, err := asker.Standing(ctx, leaf, now)
		if err != nil {
			lines = append(lines, diagnosis.Check{Part: askState, State: diagnosis.Attention, Fault: words.Refuse("CSE-812").Because(err)})
		} else {
			add(askState, refusedState(s), "state")
		}
	}
	return a.tellCheck(lines)
}

// refusedPath is why a chain is refused; nil for none, and for what the dates'
// line says already.
func refusedPath(err error) *words.Fault {
	var r *trust.Refusal
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &r):
		return words.Refuse("CSE-746").Because(err)
	}
	switch r.Reason {
	case trust.Expired, trust.NotYetValid:
		return nil
	case trust.UntrustedIssuer, trust.IssuerExpired:
		return words.Refuse("CSE-746").Because(err)
	case trust.NameMalformed, trust.CFInvalid:
		return words.Refuse("CSE-809").Because(err)
	}
	return words.Refuse("CSE-309").Because(err)
}

// refusedState is what an issuer says against a certificate.
func refusedState(s doctor.Standing) *words.Fault {
	switch s.State {
	case doctor.Good:
		return nil
	case doctor.NotActivated:
		return words.Refuse("CSE-205")
	case doctor.Suspended:
		return words.Refuse("CSE-303")
	case doctor.Revoked:
		return words.Refuse("CSE-302", civil.DayOf(s.Since).Italian())
	}
	return words.Refuse("CSE-811")
}

func (a *app) tellCheck(lines []diagnosis.Check) error {
	doc := certificateCheck{Schema: "cse.certificate-check/1", Outcome: "ok"}
	status := exitOK
	for _, c := range lines {
		l := c.Line(a.language)
		doc.Checks = append(doc.Checks, l)
		if c.State == diagnosis.Fault && status == exitOK {
			doc.Outcome, status = l.Code, exitOf(l.Code)
		}
	}
	if a.json {
		if err := a.write(doc); err != nil {
			return err
		}
	} else if _, err := io.WriteString(a.Out, a.lines(doc.Checks, screen(a.Out, a.Getenv))); err != nil {
		return cannotWrite("stdout", err)
	}
	if status != exitOK {
		return exited(status)
	}
	return nil
}
