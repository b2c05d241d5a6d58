package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"

	"github.com/spf13/cobra"

	"cse.example/cse/engine/listen"
	"cse.example/cse/engine/telemetry"
	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/status/presigned"
)

// validate is the validation tier: a process that has a folder of published files
// and nothing else, no configuration either.
func (a *app) validate() *cobra.Command {
	var from, plain, work string
	cmd := &cobra.Command{
		Use: "validate --from DIR", Short: a.say("csed.validate.short"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" {
				return errors.Join(errUsage, errors.New(a.say("csed.validate.from")))
			}
			log := telemetry.New(os.Stderr, slog.LevelInfo)
			t, err := presigned.NewTier(presigned.TierParts{Dir: from, Work: work, Clock: civil.System{}, Log: log})
			if err != nil {
				return err
			}
			var group sync.WaitGroup
			defer group.Wait()
			ctx, stop := context.WithCancel(cmd.Context())
			defer stop()
			group.Go(func() { t.Run(ctx) })
			return listen.ServePlain(ctx, plain, listen.Site{Plain: t, Log: log}, func(at net.Addr) {
				fmt.Fprintln(a.stderr, a.say("csed.validate.up", "http://"+at.String()))
			})
		},
	}
	cmd.Flags().StringVar(&from, "from", "", a.say("csed.validate.from"))
	cmd.Flags().StringVar(&plain, "listen-plain", "127.0.0.1:8080", a.say("csed.serve.plain"))
	cmd.Flags().StringVar(&work, "work", "", a.say("csed.validate.work"))
	return cmd
}

// ocsp are the commands of pre-signed answers.
func (a *app) ocsp() *cobra.Command {
	cmd := &cobra.Command{Use: "ocsp", Short: a.say("csed.ocsp.short")}
	var all bool
	presign := &cobra.Command{
		Use: "presign", Short: a.say("csed.ocsp.presign"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), tool{roles: []string{"web"}}, func(p *Platform) error {
				return p.presignAll(cmd.Context(), all, func(label string, about presigned.About) {
					fmt.Fprintln(a.stdout, a.say("csed.ocsp.made", label, about.Records, about.First.Format("2006-01-02T15:04:05Z07:00")))
				})
			})
		},
	}
	presign.Flags().BoolVar(&all, "all", false, a.say("csed.ocsp.all"))
	cmd.AddCommand(presign)
	return cmd
}
