package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/production/exchange"
	"cse.example/cse/pki/keys"
)

const productionKeyFile = "production.key"

// plant is the production room on this platform. The bureau's public file must
// be where the configuration says.
func (p *Platform) plant(c production.Config, progress func(step string, done, total int)) (*production.Plant, error) {
	pass, err := passphrase(p.Config.under(p.Config.Keys.Web))
	if err != nil {
		return nil, err
	}
	signer, err := keys.Load(filepath.Join(p.Config.under("keys"), productionKeyFile), pass)
	if err != nil {
		return nil, err
	}
	wrap, err := p.web.aead(aeadCIP)
	if err != nil {
		return nil, err
	}
	maker, _, err := codes.LoadMaker(p.Config.under("keys"), wrap, codes.DefaultPolicy(), p.db.Codes(), rand.Reader)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(p.Config.under(p.Config.Issue.BureauFile))
	if err != nil {
		return nil, words.Refuse("CSE-393", p.Config.under(p.Config.Issue.BureauFile)).Because(err)
	}
	bureau, err := exchange.ParseBureau(b)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(p.Config.under(p.Config.Issue.Exchange), 0o700); err != nil {
		return nil, err
	}
	plant, err := production.New(production.Parts{
		Config: c, Cards: p.db.Cards(), People: p.db.People(), Orders: p.db.Orders(), Batches: p.db.Batches(),
		Codes: maker, CodeStore: p.db.Codes(), Authority: p.authority, Files: exchange.Folder(p.Config.under(p.Config.Issue.Exchange)),
		Bureau: bureau, Signer: signer, Atomically: p.db.Atomically, Record: p.trail.Record, Clock: p.Clock, Rand: rand.Reader,
	})
	if err != nil {
		return nil, err
	}
	plant.Progress = progress
	return plant, nil
}

// productionConfig is what the configuration decides about cards.
func (c *Config) productionConfig() production.Config {
	pc := production.DefaultConfig()
	pc.Issuer = c.Region.Issuer
	pc.Terms = lifecycle.DefaultTerms()
	pc.Terms.RenewalMonths = c.Issue.PermitRenewalMonths
	pc.ChiplessEvery = uint64(c.Issue.ChiplessEvery)
	return pc
}

// produce is production by hand or by a nightly timer.
func (a *app) produce() *cobra.Command {
	cmd := &cobra.Command{Use: "produce", Short: a.say("csed.produce.short")}
	cmd.AddCommand(&cobra.Command{
		Use: "night", Short: a.say("csed.produce.night"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(p *Platform) error { return p.night(cmd.Context(), a) })
		},
	}, &cobra.Command{
		Use: "ship BATCH", Short: a.say("csed.produce.ship"), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), func(p *Platform) error {
				plant, err := p.plant(p.Config.productionConfig(), nil)
				if err != nil {
					return err
				}
				n, err := plant.Ship(cmd.Context(), args[0])
				fmt.Fprintln(a.stdout, a.say("csed.produce.shipped", n))
				return err
			})
		},
	})
	return cmd
}

// night ends what is due, orders what is missing and takes every batch as far
// as it goes without the bureau.
func (p *Platform) night(ctx context.Context, a *app) error {
	plant, err := p.plant(p.Config.productionConfig(), nil)
	if err != nil {
		return err
	}
	swept, err := p.counter.Sweep(ctx)
	if err != nil {
		return err
	}
	o, err := plant.OrderMissing(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, a.say("csed.produce.ordered", o.Ordered, o.Chipless, o.Exceptions, swept))
	open, err := plant.AdvanceAll(ctx)
	for _, b := range open {
		fmt.Fprintln(a.stdout, a.say("csed.produce.batch", b.ID, string(b.State), b.Cards))
	}
	return errors.Join(err, ctx.Err())
}
