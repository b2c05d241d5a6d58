package main

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/production/exchange"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/pki/keys"
)

const productionKeyFile = "production.key"

// plant is the production room on this platform. The bureau's public file must
// be where the configuration says.
func (p *Platform) plant(c production.Config, progress func(step string, done, total int)) (*production.Plant, error) {
	signer, err := p.Config.productionKey()
	if err != nil {
		return nil, err
	}
	wrap, err := p.web.aead(aeadCIP)
	if err != nil {
		return nil, err
	}
	maker, _, err := codes.LoadMaker(p.Config.under("keys"), wrap, p.Config.Issue.Codes, p.db.Codes(), rand.Reader)
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
		IssuerKey: p.chipKey,
	})
	if err != nil {
		return nil, err
	}
	plant.Progress = progress
	return plant, nil
}

// productionKey signs what goes to the bureau.
func (c *Config) productionKey() (*keys.Key, error) {
	pass, err := passphrase(c.under(c.Keys.Web))
	if err != nil {
		return nil, err
	}
	return keys.Load(filepath.Join(c.under("keys"), productionKeyFile), pass)
}

// productionConfig is what the configuration decides about cards.
func (c *Config) productionConfig() production.Config {
	pc := production.DefaultConfig()
	pc.Issuer = c.Region.Issuer
	pc.Terms = lifecycle.DefaultTerms()
	pc.Terms.RenewalMonths = c.Issue.PermitRenewalMonths
	pc.ChiplessEvery = uint64(c.Issue.ChiplessEvery)
	pc.RenewalChip = c.Renewal.chip()
	return pc
}

// factory is the plant of this installation, after what a kill left between two
// acts of the authority has been settled. The caller holds dutyProduction.
func (p *Platform) factory(ctx context.Context) (*production.Plant, error) {
	if _, err := p.authority.Recover(ctx); err != nil {
		return nil, err
	}
	return p.plant(p.Config.productionConfig(), nil)
}

// produce is production by hand, step by step; a server does all but the post
// every night.
func (a *app) produce() *cobra.Command {
	cmd := &cobra.Command{Use: "produce", Short: a.say("csed.produce.short")}
	cmd.AddCommand(
		&cobra.Command{
			Use: "night", Short: a.say("csed.produce.night"), Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return a.produceWith(cmd.Context(), func(p *Platform) error { return a.night(cmd.Context(), p) })
			},
		},
		&cobra.Command{
			Use: "advance", Short: a.say("csed.produce.advance"), Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return a.produceWith(cmd.Context(), func(p *Platform) error { return a.advance(cmd.Context(), p) })
			},
		},
		a.post("ship", []production.State{production.Received}, (*production.Plant).Ship),
		a.post("deliver", []production.State{production.Sent}, (*production.Plant).Deliver),
		a.produceStatus(), a.produceKey(), a.produceCampaign(),
	)
	return cmd
}

func (a *app) produceWith(ctx context.Context, f func(p *Platform) error) error {
	return a.with(ctx, tool{roles: []string{"web"}, duties: []string{dutyProduction}}, f)
}

// night is what a server does every night.
func (a *app) night(ctx context.Context, p *Platform) error {
	n, err := p.night(ctx)
	fmt.Fprintln(a.stdout, a.say("csed.produce.ordered", n.Ordered.Ordered, n.Ordered.Chipless, n.Ordered.Exceptions, n.Ended))
	a.batches(n.Open)
	if err == nil && !n.Plant {
		return words.Refuse("CSE-393", p.Config.under(p.Config.Issue.BureauFile))
	}
	return err
}

// advance looks for the bureau's answers.
func (a *app) advance(ctx context.Context, p *Platform) error {
	plant, err := p.factory(ctx)
	if err != nil {
		return err
	}
	open, err := plant.AdvanceAll(ctx)
	a.batches(open)
	return err
}

func (a *app) batches(open []production.Batch) {
	for _, b := range open {
		fmt.Fprintln(a.stdout, a.say("csed.produce.batch", b.ID, string(b.State), b.Cards))
	}
}

// post is ship or deliver: of the batches named, or of all that are in a state
// that allows it.
func (a *app) post(name string, ready []production.State, step func(*production.Plant, context.Context, string) (int, error)) *cobra.Command {
	return &cobra.Command{
		Use: name + " [BATCH…]", Short: a.say("csed.produce." + name),
		RunE: func(cmd *cobra.Command, ids []string) error {
			return a.produceWith(cmd.Context(), func(p *Platform) error {
				plant, err := p.factory(cmd.Context())
				if err != nil {
					return err
				}
				if len(ids) == 0 {
					if ids, err = p.batchesIn(cmd.Context(), ready); err != nil {
						return err
					}
				}
				n := 0
				for _, id := range ids {
					some, err := step(plant, cmd.Context(), id)
					n += some
					if err != nil {
						return err
					}
				}
				fmt.Fprintln(a.stdout, a.say("csed.produce."+name+".done", n))
				return nil
			})
		},
	}
}

func (p *Platform) batchesIn(ctx context.Context, states []production.State) ([]string, error) {
	all, err := p.db.Batches().List(ctx, false)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, b := range all {
		if slices.Contains(states, b.State) {
			out = append(out, b.ID)
		}
	}
	return out, nil
}

// productionStatus is what `produce status --json` prints.
type productionStatus struct {
	Schema     string         `json:"schema"`
	Cards      map[string]int `json:"cards"` // by "STATE MODEL"
	Batches    []batchStatus  `json:"batches"`
	Exceptions int            `json:"exceptions"`
}

type batchStatus struct {
	ID      string `json:"id"`
	State   string `json:"state"`
	Cards   int    `json:"cards"`
	Chips   int    `json:"chips"`
	Made    int    `json:"made"`
	Spoiled int    `json:"spoiled"`
}

func (a *app) produceStatus() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use: "status", Short: a.say("csed.produce.status"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), tool{}, func(p *Platform) error {
				s, err := p.productionStatus(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(a.stdout).Encode(s)
				}
				for _, k := range slices.Sorted(maps.Keys(s.Cards)) {
					fmt.Fprintln(a.stdout, a.say("csed.produce.cards", k, s.Cards[k]))
				}
				for _, b := range s.Batches {
					fmt.Fprintln(a.stdout, a.say("csed.produce.batch", b.ID, b.State, b.Cards))
				}
				fmt.Fprintln(a.stdout, a.say("csed.produce.exceptions", s.Exceptions))
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, a.say("csed.flag.json"))
	return cmd
}

func (p *Platform) productionStatus(ctx context.Context) (productionStatus, error) {
	s := productionStatus{Schema: "cse.production/1", Cards: map[string]int{}, Batches: []batchStatus{}}
	counts, err := p.db.Cards().Counts(ctx)
	if err != nil {
		return s, err
	}
	for _, c := range counts {
		s.Cards[string(c.State)+" "+string(c.Model)] = c.N
	}
	batches, err := p.db.Batches().List(ctx, false)
	if err != nil {
		return s, err
	}
	for _, b := range batches {
		s.Batches = append(s.Batches, batchStatus{b.ID, string(b.State), b.Cards, b.Chips, b.Made, b.Spoiled})
	}
	for after := codicefiscale.Code(""); ; {
		page, err := p.db.Orders().Exceptions(ctx, after, 500)
		if err != nil || len(page) == 0 {
			return s, err
		}
		s.Exceptions += len(page)
		after = page[len(page)-1].CF
	}
}

// produceKey prints the public key that the bureau checks our files with.
func (a *app) produceKey() *cobra.Command {
	return &cobra.Command{
		Use: "key", Short: a.say("csed.produce.key"), Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := a.config()
			if err != nil {
				return err
			}
			k, err := c.productionKey()
			if err != nil {
				return err
			}
			der, err := x509.MarshalPKIXPublicKey(k.Public())
			if err != nil {
				return err
			}
			return pem.Encode(a.stdout, &pem.Block{Type: "PUBLIC KEY", Bytes: der})
		},
	}
}
