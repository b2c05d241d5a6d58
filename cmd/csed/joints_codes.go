package main

import (
	"context"

	"cse.example/cse/portal"
)

// halves shows the first halves of a card that its holder activated at home: by
// the process that prints, or by none.
func (p *Platform) halves() portal.FirstHalves {
	if p.first == nil {
		return nil
	}
	return func(ctx context.Context, card string) ([]portal.Half, error) {
		h, err := p.first.FirstHalves(ctx, card)
		if err != nil {
			return nil, err
		}
		policy := p.Config.Issue.Codes
		return []portal.Half{
			{Name: "PIN", First: h.PIN, Rest: policy.PIN.Second},
			{Name: "PUK", First: h.PUK, Rest: policy.PUK.Second},
			{Name: "CIP", First: h.CIP, Rest: policy.CIP.Second},
		}, nil
	}
}
