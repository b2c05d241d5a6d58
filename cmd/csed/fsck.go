package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"cse.example/cse/ground/words"
)

// fsck reads everything and says what does not agree: the trail's chain, the
// effects, and cards against codes and certificates.
func (a *app) fsck() *cobra.Command {
	return &cobra.Command{
		Use: "fsck", Short: a.say("csed.fsck.short"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(p *Platform) error {
				wrong, err := p.check(cmd.Context())
				if err != nil {
					return err
				}
				for _, w := range wrong {
					fmt.Fprintln(a.stdout, w)
				}
				if len(wrong) > 0 {
					return words.Refuse("CSE-391", len(wrong))
				}
				fmt.Fprintln(a.stdout, a.say("csed.fsck.clean"))
				return nil
			})
		},
	}
}

func (p *Platform) check(ctx context.Context) ([]string, error) {
	var wrong []string
	if _, err := p.trail.Verify(ctx); err != nil {
		wrong = append(wrong, "audit: "+err.Error())
	}
	effects, err := p.queue.Check(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range effects {
		wrong = append(wrong, "effect: "+e)
	}
	cards, err := p.checkCards(ctx)
	return append(wrong, cards...), err
}
