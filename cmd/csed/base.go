package main

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/cardbase"
	"cse.example/cse/issuer/lifecycle"
)

// base brings in and compares the cards that another issuer made.
func (a *app) base() *cobra.Command {
	base := &cobra.Command{Use: "base", Short: a.say("csed.base.short")}
	issuer := ""
	imp := &cobra.Command{
		Use: "import FILE", Short: a.say("csed.base.import"), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			authority, err := os.ReadFile(issuer)
			if err != nil {
				return words.Refuse("CSE-621", issuer).Because(errors.Join(errUsage, err))
			}
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			return a.with(cmd.Context(), tool{roles: []string{"web"}, duties: []string{dutyRegistry}}, func(p *Platform) error {
				rep, err := p.ImportBase(cmd.Context(), authority, f, nil)
				a.tellBase(rep)
				return err
			})
		},
	}
	imp.Flags().StringVar(&issuer, "issuer", "", a.say("csed.base.issuer"))
	_ = imp.MarkFlagRequired("issuer") // the flag was just made
	base.AddCommand(imp, &cobra.Command{
		Use: "reconcile", Short: a.say("csed.base.reconcile"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), tool{roles: []string{"web"}}, func(p *Platform) error {
				looked, list, err := p.reconcileBase(cmd.Context())
				if err != nil {
					return err
				}
				for _, d := range list {
					fmt.Fprintln(a.stdout, a.say("csed.base.difference", d.Card, d.Here, d.List))
				}
				fmt.Fprintln(a.stdout, a.say("csed.base.compared", looked, len(list)))
				return nil
			})
		},
	})
	return base
}

func (a *app) tellBase(rep cardbase.Report) {
	for _, s := range append([]lifecycle.State{""}, lifecycle.States()...) {
		if c := rep.States[s]; c.Rows > 0 {
			fmt.Fprintln(a.stdout, a.say("csed.base.state", string(s), c.Rows, c.Kept, c.Already, c.Refused))
		}
	}
	t := rep.Total
	fmt.Fprintln(a.stdout, a.say("csed.base.report", t.Rows, t.Kept, t.Already, t.Refused))
	for _, e := range rep.Errors {
		fmt.Fprintln(a.stdout, a.say("csed.people.row", e.Line, e.Field, e.Reason.Sentence(a.lang)))
	}
}

// baseIssuer finds an authority in the trust list: without its list of
// revocation nobody could tell what its cards are worth.
func (p *Platform) baseIssuer(authority []byte) (cardbase.Issuer, error) {
	cert, err := x509.ParseCertificate(decoded(authority))
	if err != nil {
		return cardbase.Issuer{}, words.Refuse("CSE-621", "–").Because(err)
	}
	for _, x := range p.neighbour.each() {
		if bytes.Equal(x.cert.Raw, cert.Raw) {
			return cardbase.Issuer{ID: issuerID(cert.RawSubject, cert.SubjectKeyId), Certificate: cert}, nil
		}
	}
	return cardbase.Issuer{}, words.Refuse("CSE-621", cert.Subject.CommonName)
}
