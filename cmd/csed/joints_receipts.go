package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cse.example/cse/engine/paper"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// receiptOf makes the papers of acts without codes.
func (p *Platform) receiptOf(ctx context.Context, k counter.PaperKind, f counter.Form) (paper.Part, error) {
	m, err := p.counter.Module(ctx, f)
	if err != nil {
		return nil, err
	}
	holder := paper.Person{Surname: m.Surname, Name: m.Name, CF: m.CF, Born: m.Born, BirthPlace: m.BirthPlace}
	say := func(key string, args ...any) string { return words.Say(f.Lang, key, args...) }
	switch k {
	case counter.PaperReferral:
		return paper.Referral{
			Protocol: f.Protocol, Day: civil.DayOf(f.At), Office: f.OfficeName, Holder: holder, To: say("paper.receipt.ade"),
		}, nil
	case counter.PaperDeclaration:
		who, err := p.declarant(ctx, *f.Representative)
		if err != nil {
			return nil, err
		}
		return paper.Declaration{
			Protocol: f.Protocol, At: f.At, Copy: f.Copy, Office: f.OfficeName, Operator: f.OperatorName, Declarant: *who, Holder: holder,
			CardID: f.Card, Shown: shownOf(f), Quality: qualityOf(f),
		}, nil
	case counter.PaperReceipt:
		r := paper.Receipt{
			Protocol: f.Protocol, At: f.At, Title: say("paper.receipt.title." + string(f.Kind)), Copy: f.Copy,
			Office: f.OfficeName, Operator: f.OperatorName, Holder: holder, CardID: f.Card, Signed: true,
			Facts: []string{
				say("paper.receipt.report"), reportText(f.Report), say("paper.receipt.asked"), f.Text,
			},
			Effects: p.effects(f), Shown: shownOf(f),
		}
		if f.Representative != nil {
			if r.Declarant, err = p.declarant(ctx, *f.Representative); err != nil {
				return nil, err
			}
			r.Quality = qualityOf(f)
		}
		return r, nil
	}
	return nil, fmt.Errorf("there is no paper %q", k)
}

// effects are what follows from an act, a sentence each.
func (p *Platform) effects(f counter.Form) []string {
	say := func(key string, args ...any) string { return words.Say(f.Lang, key, args...) }
	out := strings.Split(say("paper.receipt.effects."+string(f.Kind)), "|")
	switch f.Kind {
	case counter.KindRevoke, counter.KindLoss, counter.KindChipFault, counter.KindNotReceived, counter.KindSuspend, counter.KindReactivate:
		by := counter.PublishedBy(f.At, p.Config.Issue.listLife())
		key := "paper.receipt.published"
		switch f.Kind {
		case counter.KindSuspend:
			key = "paper.receipt.published.hold"
		case counter.KindReactivate:
			key = "paper.receipt.published.release"
		}
		out = append(out, say(key, by.In(civil.Rome).Format("02/01/2006 15:04")))
	}
	switch {
	case f.Next != "":
		out = append(out, say("paper.receipt.next", f.Next))
	case f.Reissue:
		out = append(out, say("paper.receipt.nonext"))
	}
	return out
}

// shownOf is the document that was shown, empty for none.
func shownOf(f counter.Form) paper.Document {
	if f.Document.Number == "" {
		return paper.Document{}
	}
	return paper.Document{
		Kind: words.Say(f.Lang, "counter.document."+string(f.Document.Kind)), Number: f.Document.Number, Issuer: f.Document.Issuer, Expires: f.Document.Expires,
	}
}

func reportText(r counter.Report) string {
	if r.Empty() {
		return ""
	}
	return strings.Join([]string{r.Authority, r.Number, r.Date.Italian()}, ", ")
}

// declarant is who asked for the holder, with what the registry knows of him.
func (p *Platform) declarant(ctx context.Context, r counter.Representative) (*paper.Person, error) {
	out := &paper.Person{Surname: r.Surname, Name: r.Name, CF: string(r.CF), Born: r.Born}
	x, err := p.db.People().Get(ctx, r.CF)
	if errors.Is(err, registry.ErrUnknown) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	out.Surname, out.Name, out.Born, out.BirthPlace = x.Surname, x.Name, x.Born, x.BirthPlace
	if place, ok := codicefiscale.Belfiore(x.BirthPlace, x.Born); ok {
		out.BirthPlace = place.Name
	}
	return out, nil
}
