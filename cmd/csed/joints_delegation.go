package main

import (
	"context"

	"cse.example/cse/engine/paper"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/portal"
)

// The joint of the delegation filled in from a draft: paper for the holder to
// sign. It needs no key, so that the web process makes it.

func (p *Platform) delegationDeps(ribbon string) portal.DelegationDeps {
	form := func(ctx context.Context, x counter.Delegation) ([]byte, []portal.PaperBlock, error) {
		press, err := paper.New(paper.Options{Issuer: p.Config.Region.Name, Helpline: p.Config.Region.Phone, Banner: ribbon, Clock: p.Clock, Fonts: fonts()})
		if err != nil {
			return nil, nil, err
		}
		d, err := p.delegationOf(ctx, x)
		if err != nil {
			return nil, nil, err
		}
		pdf, err := press.DelegationForm(x.Lang, d)
		if err != nil {
			return nil, nil, err
		}
		says, err := press.Twin(x.Lang, d)
		return pdf, blocksOf(says), err
	}
	return portal.DelegationDeps{Delegations: p.counter, DelegationForm: form}
}

// delegationOf is the form in the printer's words. The delegate is named as the
// registry knows him, or as he was typed when it does not; the holder's addresses
// known here are not on it.
func (p *Platform) delegationOf(ctx context.Context, x counter.Delegation) (paper.Delegation, error) {
	delegate, err := p.declarant(ctx, *x.Identity.Representative)
	if err != nil {
		return paper.Delegation{}, err
	}
	shown := x.Identity.Document
	return paper.Delegation{
		At: p.Clock.Now(), Office: x.OfficeName, Holder: printed(x.Holder), TEAM: x.Card.TEAM, Email: x.Email, Delegate: *delegate,
		Shown: paper.Document{
			Kind: words.Say(x.Lang, "counter.document."+string(shown.Kind)), Number: shown.Number, Issuer: shown.Issuer, Expires: shown.Expires,
		},
	}, nil
}

// printed is somebody of the registry as a paper names him.
func printed(x registry.Person) paper.Person {
	out := paper.Person{Surname: x.Surname, Name: x.Name, CF: string(x.CF), Born: x.Born, BirthPlace: x.BirthPlace}
	if place, ok := codicefiscale.Belfiore(x.BirthPlace, x.Born); ok {
		out.BirthPlace = place.Name
	}
	return out
}
