package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/campaign"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/staff"
)

// produceCampaign is the renewal by name and criteria, by hand: chosen, shown,
// started, done (R22, R23). A big one waits for a second person on the portal.
func (a *app) produceCampaign() *cobra.Command {
	cmd := &cobra.Command{Use: "campaign", Short: a.say("csed.campaign.short")}
	cmd.AddCommand(a.campaignNew(), a.campaignList(), a.campaignStart(), a.campaignRun())
	return cmd
}

// dayFlag is a flag's day, or CSE-106.
func dayFlag(s string) (civil.Date, error) {
	if s == "" {
		return civil.Date{}, nil
	}
	d, err := civil.ParseISO(s)
	if err != nil {
		return d, words.Refuse("CSE-106", s).Because(errors.Join(errUsage, err))
	}
	return d, nil
}

func (a *app) campaignNew() *cobra.Command {
	var by, from, until, asl, comune, model, chip string
	cmd := &cobra.Command{
		Use: "new NAME", Short: a.say("csed.campaign.new"), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			first, err := dayFlag(from)
			if err != nil {
				return err
			}
			last, err := dayFlag(until)
			if err != nil {
				return err
			}
			return a.with(cmd.Context(), tool{roles: []string{"web"}}, func(p *Platform) error {
				op, err := p.operatorNamed(by)
				if err != nil {
					return err
				}
				c, err := p.campaigns.NewRenewal(cmd.Context(), op, args[0], campaign.Criteria{
					From: first, Until: last, ASL: asl, Comune: comune, Model: lifecycle.Model(model), Chip: production.Chip(chip),
				})
				if err != nil {
					return err
				}
				a.tellPreview(c)
				return nil
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&by, "by", "", a.say("csed.campaign.by"))
	f.StringVar(&from, "from", "", a.say("csed.campaign.from"))
	f.StringVar(&until, "until", "", a.say("csed.campaign.until"))
	f.StringVar(&asl, "asl", "", a.say("csed.campaign.asl"))
	f.StringVar(&comune, "comune", "", a.say("csed.campaign.comune"))
	f.StringVar(&model, "model", "", "TS-CNS | TS")
	f.StringVar(&chip, "chip", "", a.say("csed.campaign.chip"))
	_, _ = cmd.MarkFlagRequired("by"), cmd.MarkFlagRequired("until") // the flags were just made
	return cmd
}

// operatorNamed is the account of somebody of operations (CSE-686).
func (p *Platform) operatorNamed(account string) (staff.Operator, error) {
	if account == "" {
		account = "–"
	}
	if err := p.mayImport(account); err != nil {
		return staff.Operator{}, err
	}
	return p.directory.OperatorByAccount(account)
}

func (a *app) tellPreview(c campaign.Campaign) {
	p := c.Preview
	fmt.Fprintln(a.stdout, a.say("csed.campaign.preview", c.Name, c.Total, p.Looked, p.Elsewhere, p.Followed, p.NotAssisted, p.NotLonger))
	for _, k := range slices.Sorted(maps.Keys(p.ASL)) {
		fmt.Fprintln(a.stdout, a.say("csed.campaign.preview.asl", k, p.ASL[k]))
	}
}

func (a *app) campaignList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: a.say("csed.campaign.list"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), tool{}, func(p *Platform) error {
				list, err := p.db.Campaigns().List(cmd.Context(), campaign.Renewal, 200)
				if err != nil {
					return err
				}
				for _, c := range list {
					n, err := p.db.CampaignItems().Counts(cmd.Context(), c.ID)
					if err != nil {
						return err
					}
					fmt.Fprintln(a.stdout, a.say("csed.campaign.line", c.Name, string(c.State), c.Total, n[campaign.Done], n[campaign.Nothing], n[campaign.Exception],
						n[campaign.Failed], n[campaign.Waiting]))
				}
				return nil
			})
		},
	}
}

func (a *app) campaignStart() *cobra.Command {
	var by, why string
	cmd := &cobra.Command{
		Use: "start NAME", Short: a.say("csed.campaign.start"), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), tool{roles: []string{"web"}}, func(p *Platform) error {
				op, err := p.operatorNamed(by)
				if err != nil {
					return err
				}
				c, err := p.db.Campaigns().ByName(cmd.Context(), campaign.Renewal, args[0])
				if errors.Is(err, campaign.ErrUnknown) {
					return words.Refuse("CSE-687", args[0]).Because(errUsage)
				}
				if err != nil {
					return err
				}
				if c, err = p.campaigns.Start(cmd.Context(), op, c.ID, why); err != nil {
					return err
				}
				fmt.Fprintln(a.stdout, a.say("csed.campaign.started", c.Name, string(c.State)))
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&by, "by", "", a.say("csed.campaign.by"))
	cmd.Flags().StringVar(&why, "why", "", a.say("csed.campaign.why"))
	_ = cmd.MarkFlagRequired("by") // the flag was just made
	return cmd
}

// campaignRun does what waits in the campaigns that run, as a server does by
// itself.
func (a *app) campaignRun() *cobra.Command {
	return &cobra.Command{
		Use: "run", Short: a.say("csed.campaign.run"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), tool{roles: []string{"web"}}, func(p *Platform) error {
				n, err := p.campaigns.Work(cmd.Context())
				fmt.Fprintln(a.stdout, a.say("csed.campaign.ran", n))
				return err
			})
		},
	}
}
