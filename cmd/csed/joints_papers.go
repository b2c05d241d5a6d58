package main

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/gofont/goregular"

	"cse.example/cse/engine/paper"
	"cse.example/cse/engine/queue"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
)

// The joint between the counter and the printer: which paper an act prints, and
// with what on it.

// fonts are embedded in every paper, so that it looks the same on any machine.
func fonts() paper.Fonts {
	return paper.Fonts{Regular: goregular.TTF, Bold: gobold.TTF, MonoBold: gomonobold.TTF}
}

// print makes the papers of an act. Where first halves are among them, the
// effect asked for by the act is performed here, while the operator waits, and
// keeps its body until the papers have been handed over.
func (p *Platform) print(ctx context.Context, f counter.Form) ([]byte, error) {
	if p.first == nil {
		return nil, words.Refuse("CSE-392")
	}
	if !slices.Contains(f.Papers, counter.PaperCodes) {
		return p.papers(ctx, f)
	}
	var pdf []byte
	render := func(ctx context.Context, _ effect.Effect, _ int) error {
		var err error
		pdf, err = p.papers(ctx, f)
		return err
	}
	key := counter.PrintKey(f.Protocol)
	err := p.queue.Do(ctx, key, render)
	var state *queue.StateError
	if errors.As(err, &state) && state.State == queue.Leased {
		return nil, words.Refuse("CSE-150").Because(err) // another window is printing it now
	}
	if errors.As(err, &state) && state.State == queue.Dropped {
		return nil, words.Refuse("CSE-150").Because(err) // a reprint took its place
	}
	if errors.As(err, &state) && state.State == queue.Done {
		// Rendered before, and the page was lost before it left: counter.Printed decides that it leaves once.
		e, err := p.queue.Open(ctx, key)
		if errors.As(err, &state) {
			return nil, words.Refuse("CSE-150").Because(err) // a reprint took its place
		}
		if err != nil {
			return nil, err
		}
		err = render(ctx, e, 0)
		return pdf, err
	}
	return pdf, err
}

// papers draws what f lists, in that order.
func (p *Platform) papers(ctx context.Context, f counter.Form) ([]byte, error) {
	var parts []paper.Part
	for _, k := range f.Papers {
		x, err := p.paperOf(ctx, k, f)
		if err != nil {
			return nil, err
		}
		parts = append(parts, x)
	}
	return p.press.Papers(f.Lang, parts...)
}

// paperOf makes one paper: the only place that knows which is which.
func (p *Platform) paperOf(ctx context.Context, k counter.PaperKind, f counter.Form) (paper.Part, error) {
	switch k {
	case counter.PaperCodes:
		x := p.codesForm(f)
		h, err := p.first.FirstHalves(ctx, f.Card) // the only place that opens them
		x.PIN, x.PUK, x.CIP = h.PIN, h.PUK, h.CIP
		return x, err
	case counter.PaperRequest:
		m, err := p.counter.Module(ctx, f)
		if err != nil {
			return nil, err
		}
		a := moduleOf(m)
		if f.Representative != nil {
			a.Quality = qualityOf(f)
			a.Declarant, err = p.declarant(ctx, *f.Representative)
		}
		return a, err
	}
	return p.receiptOf(ctx, k, f)
}

// codesForm is the sheet of codes without the codes.
func (p *Platform) codesForm(f counter.Form) paper.CodesForm {
	policy := p.Config.Issue.Codes
	form := paper.CodesForm{
		Protocol: f.Protocol, Day: civil.DayOf(f.At), Office: f.OfficeName, Surname: f.Surname, Name: f.Name, CardID: f.Card,
		Email: f.EmailMasked, Letter: f.Letter, Again: f.Kind == counter.KindReprint,
		PINBlanks: policy.PIN.Second, PUKBlanks: policy.PUK.Second, CIPBlanks: policy.CIP.Second,
	}
	if f.Kind == counter.KindActivation {
		form.Lists, form.ListHours = counter.PublishedBy(f.At, p.Config.Issue.listLife()), p.Config.Issue.CRLHours
	}
	return form
}

// moduleOf is the request of activation in the printer's words.
func moduleOf(m counter.Module) paper.Activation {
	if m.Letter {
		m.Email = words.Say(m.Lang, "paper.letter.instead")
	}
	return paper.Activation{
		Protocol: m.Protocol, At: m.At, Office: m.OfficeName, Operator: m.OperatorName, CardID: m.Card, TEAM: m.TEAM,
		Holder: paper.Person{Surname: m.Surname, Name: m.Name, CF: m.CF, Born: m.Born, BirthPlace: m.BirthPlace},
		Shown: paper.Document{
			Kind: words.Say(m.Lang, "counter.document."+string(m.Document.Kind)), Number: m.Document.Number, Issuer: m.Document.Issuer,
			Expires: m.Document.Expires,
		},
		Email: m.Email, Notices: m.Notices, Informativa: m.Informativa,
	}
}
