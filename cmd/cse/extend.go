package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"cse.example/cse/card/holder"
	"cse.example/cse/cmd/cse/agent"
	"cse.example/cse/cmd/cse/extend"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

type extendDocument struct {
	Schema string `json:"schema"`
	Card   string `json:"card"`
	From   string `json:"from"`
	Until  string `json:"until"`
	Serial string `json:"serial"`
	// Already: there was nothing to do. Resumed: an earlier run had ended midway.
	Already bool `json:"already"`
	Resumed bool `json:"resumed"`
}

// extendCommand extends the certificate of an old card whose holder has received a
// card without a chip (R107 to R109). It may be run again after anything.
func (a *app) extendCommand() *cobra.Command {
	var service, ca string
	var yes bool
	c := a.command("extend", "certificate.extend", []string{"prolunga", "estendi"}, 0, func(ctx context.Context, _ []string) error {
		roots, err := readRoots(ca)
		if err != nil {
			return err
		}
		return a.withCard(func(h *holder.Holder, _ string) error { return a.extend(ctx, h, service, roots, yes) })
	})
	c.Long = a.say("help.certificate.extend.long")
	c.Flags().StringVar(&service, "service", "", a.say("flag.extend.service"))
	c.Flags().StringVar(&ca, "ca", "", a.say("flag.ca"))
	c.Flags().BoolVarP(&yes, "yes", "y", false, a.say("flag.extend.yes"))
	return c
}

func (a *app) extend(ctx context.Context, h *holder.Holder, service string, roots *x509.CertPool, yes bool) error {
	if service == "" {
		var err error
		if service, err = serviceOf(h); err != nil {
			return err
		}
	}
	host := service
	if u, err := url.Parse(service); err == nil && u.Host != "" {
		host = u.Hostname()
	}
	r, err := extend.Run(ctx, h, extend.Options{
		Service: service, Roots: roots, Name: "cse/" + version().Version,
		PIN:      func() (secret.Text, error) { return a.pinFor(ctx, h, host) },
		Agree:    func(ctx context.Context, t extend.Terms) error { return a.agree(ctx, t, yes) },
		Progress: func(s extend.Step) { fmt.Fprintln(a.Err, a.say("extend.step."+string(s))) },
	})
	if err != nil {
		return a.leftAfter(h, err)
	}
	doc := extendDocument{
		Schema: "cse.certificate-extend/1", Card: r.Card, From: r.From.String(), Until: r.Until.String(), Serial: r.Serial, Already: r.Already, Resumed: r.Resumed,
	}
	return a.emit(doc, func(w io.Writer) {
		if r.Already {
			fmt.Fprintln(w, a.say("extend.already"))
		} else {
			fmt.Fprintln(w, a.say("extend.done"))
		}
		a.line(w, "card", doc.Card)
		a.line(w, "serial", doc.Serial)
		a.line(w, "until", a.day(doc.Until))
	})
}

// agree shows the old and the new day, and asks.
func (a *app) agree(ctx context.Context, t extend.Terms, yes bool) error {
	fmt.Fprintln(a.Err, a.say("extend.terms", a.day(t.From.String()), a.day(t.Until.String())))
	if yes {
		return nil
	}
	if a.Terminal == nil {
		return words.Refuse("CSE-900")
	}
	ok, err := a.Terminal.Confirm(ctx, a.say("extend.ask")+" ")
	if err == nil && !ok {
		err = words.Refuse("CSE-900")
	}
	return err
}

// serviceOf is the card's host of whoever issued the certificate: the name that
// checks it, with "cns" in front. A card whose file is torn needs --service.
func serviceOf(h *holder.Holder) (string, error) {
	c, err := h.Certificate()
	if err != nil || len(c.OCSPServer) == 0 {
		return "", usage("--service")
	}
	u, err := url.Parse(c.OCSPServer[0])
	if err != nil {
		return "", usage("--service")
	}
	host, ok := agent.CardHost(u.Hostname())
	if !ok {
		return "", usage("--service")
	}
	return "https://" + host, nil
}
