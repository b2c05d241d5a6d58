package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"cse.example/cse/issuer/counter"
)

// Run serves and works until ctx ends: listeners, the queue's workers, the
// lists of revocation, the nightly broom.
func (p *Platform) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if p.Config.plays("web") {
		if err := p.refreshLists(ctx); err != nil {
			p.Log.Error("revocation lists", "err", err) // what is published stands; the lister goes on trying
		}
	}
	if kinds := p.kinds(); len(kinds) > 0 {
		if _, err := p.queue.Reclaim(ctx, kinds...); err != nil {
			return err
		}
	}
	var group sync.WaitGroup
	failed := make(chan error, 4)
	start := func(f func(context.Context) error) {
		group.Add(1)
		go func() {
			defer group.Done()
			if err := f(ctx); err != nil && ctx.Err() == nil {
				failed <- err
				stop()
			}
		}()
	}
	if len(p.handlers) > 0 {
		start(func(ctx context.Context) error {
			return p.queue.Run(ctx, p.handlers, func(err error) { p.Log.Error("queue", "err", err) })
		})
	}
	if p.Config.plays("mail") && p.Config.Mail.Bounces != "" {
		start(p.postman)
	}
	if p.Config.plays("web") {
		start(p.lister)
	}
	if p.server != nil {
		start(p.broom)
		start(p.checkpoints)
		start(p.follow)
		start(p.publishAnswers)
		start(p.authorities)
		if !p.noNight {
			start(p.campaign)
		}
		start(p.server.Run)
	}
	p.readyOnce.Do(func() { close(p.ready) })
	<-ctx.Done()
	group.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// kinds are the effects that only this process performs.
func (p *Platform) kinds() []string {
	var out []string
	if p.Config.plays("print") {
		out = append(out, counter.KindPrintCodes)
	}
	if p.Config.plays("mail") {
		out = append(out, counter.KindMailCodes, counter.KindMailNotice)
	}
	return out
}

// broom deletes what nobody came back for, and does the work of the night.
func (p *Platform) broom(ctx context.Context) error {
	every := time.NewTicker(time.Minute)
	defer every.Stop()
	watch := watchman{p: p}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		err := errors.Join(p.login.Sweep(ctx), p.counter.Tidy(ctx), p.forgetHeld(ctx), p.renewResponders())
		if !p.noNight {
			err = errors.Join(err, watch.turn(ctx))
		}
		if err != nil {
			p.Log.Error("broom", "err", err)
		}
	}
}

func (a *app) serve() *cobra.Command {
	var tls, plain string
	cmd := &cobra.Command{
		Use: "serve", Short: a.say("csed.serve.short"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// A flag is worth what its variable of the environment is, and comes first.
			for name, v := range map[string]string{"CSE_LISTEN": tls, "CSE_LISTEN_PLAIN": plain} {
				if v != "" {
					a.env = append([]string{name + "=" + v}, a.env...)
				}
			}
			c, err := a.config()
			if err != nil {
				return err
			}
			p, err := Open(cmd.Context(), c, Options{Listen: true})
			if err != nil {
				return err
			}
			a.announce(p)
			return errors.Join(p.Run(cmd.Context()), p.Close())
		},
	}
	cmd.Flags().StringVar(&tls, "listen", "", a.say("csed.serve.listen"))
	cmd.Flags().StringVar(&plain, "listen-plain", "", a.say("csed.serve.plain"))
	return cmd
}

// announce says what the process does, and where.
func (a *app) announce(p *Platform) {
	if p.server == nil {
		fmt.Fprintln(a.stderr, a.say("csed.serve.worker", strings.Join(p.Config.Roles, ", ")))
		return
	}
	fmt.Fprintln(a.stderr, a.say("csed.serve.up", p.Config.Public.Portal))
}
