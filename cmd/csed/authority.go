package main

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/status"
)

// initialise makes keys and authority in an empty data folder; where a ceremony
// has put an authority (docs/ceremony.md), the other keys only.
func (c *Config) initialise(ctx context.Context, clock civil.Clock) (_ *ca.Material, err error) {
	if err := checkPlace(*c); err != nil {
		return nil, err
	}
	labels, err := ca.Labels(c.caDir())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := c.makeKeys(); err != nil {
		return nil, err
	}
	vault, done, err := c.openVault()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	if slices.Contains(labels, profile.FirstLabel) {
		return ca.Load(c.caDir(), vault)
	}
	plan := ca.DefaultPlan()
	for _, n := range []*profile.Names{&plan.Root, &plan.Issuing, &plan.Responder} {
		n.Organisation = c.Region.Certifier
	}
	plan.Issuing.CommonName = c.Region.Name + " - CA Cittadini"
	plan.URLs, plan.Vault, plan.Clock, plan.Rand = profile.URLsAt(c.Public.PKI), vault, clock, rand.Reader
	m, err := ca.Create(ctx, c.caDir(), plan)
	if err != nil {
		return nil, err
	}
	_, err = c.publishRoot(m.Root, vault, clock)
	return m, err
}

// rootListLife is long because the root's key is kept off line and every new
// list needs it.
const rootListLife = 180 * 24 * time.Hour

// publishRoot signs the root's own list.
func (c *Config) publishRoot(root *x509.Certificate, vault keys.Vault, clock civil.Clock) (status.Published, error) {
	key, err := ca.LoadRootKey(c.caDir(), vault)
	if err != nil {
		return status.Published{}, err
	}
	return status.PublishRoot(root, key, clock, rand.Reader, c.under("crl"), rootListLife)
}

func (a *app) ca() *cobra.Command {
	cmd := &cobra.Command{Use: "ca", Short: a.say("csed.ca.short")}
	cmd.AddCommand(a.ceremonies(civil.System{})...)
	cmd.AddCommand(a.caCheck(), a.caStatement())
	cmd.AddCommand(a.authorityCommands()...)
	cmd.AddCommand(&cobra.Command{
		Use: "init", Short: a.say("csed.ca.init"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.config()
			if err != nil {
				return err
			}
			m, err := c.initialise(cmd.Context(), civil.System{})
			if err != nil {
				return err
			}
			fmt.Fprintln(a.stdout, m.RootFile)
			fmt.Fprintln(a.stdout, m.IssuingFile)
			return nil
		},
	}, &cobra.Command{
		Use: "publish", Short: a.say("csed.ca.publish"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), tool{roles: []string{"web"}, duties: []string{"web"}}, func(p *Platform) error {
				lists, err := p.publisher.Publish(cmd.Context())
				for _, l := range lists {
					fmt.Fprintln(a.stdout, l.Path, l.Number, l.Entries)
				}
				a.warn(p)
				return err
			})
		},
	}, &cobra.Command{
		Use: "publish-root", Short: a.say("csed.ca.publishroot"), Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) (err error) {
			c, err := a.config()
			if err != nil {
				return err
			}
			vault, done, err := c.openVault()
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, done()) }()
			root, err := ca.ReadCertificate(filepath.Join(c.caDir(), ca.FileRoot))
			if err != nil {
				return err
			}
			l, err := c.publishRoot(root, vault, civil.System{})
			if err != nil {
				return err
			}
			fmt.Fprintln(a.stdout, l.Path, l.Number, l.NextUpdate.Format(time.RFC3339))
			return nil
		},
	})
	return cmd
}
