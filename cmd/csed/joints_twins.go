package main

import (
	"context"

	"cse.example/cse/engine/paper"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/portal"
)

// twin is what the papers of an act say, for a page; no code is opened for it.
func (p *Platform) twin(ctx context.Context, f counter.Form) ([]portal.PaperBlock, error) {
	var parts []paper.Part
	for _, k := range f.Papers {
		if k == counter.PaperCodes {
			parts = append(parts, p.codesForm(f))
			continue
		}
		x, err := p.paperOf(ctx, k, f)
		if err != nil {
			return nil, err
		}
		parts = append(parts, x)
	}
	// A press of its own, without fonts: the process that prints may be another.
	press, err := paper.New(paper.Options{Issuer: p.Config.Region.Name, Helpline: p.Config.Region.Phone, Clock: p.Clock})
	if err != nil {
		return nil, err
	}
	blocks, err := press.Twin(f.Lang, parts...)
	return blocksOf(blocks), err
}

// blocksOf are the printer's blocks in the portal's words.
func blocksOf(blocks []paper.Block) []portal.PaperBlock {
	out := make([]portal.PaperBlock, len(blocks))
	for i, b := range blocks {
		out[i] = portal.PaperBlock{Kind: string(b.Kind), Text: b.Text, Items: b.Items, Pairs: b.Pairs, Given: b.Given}
	}
	return out
}
