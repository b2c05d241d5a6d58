package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ocsp"

	"cse.example/cse/engine/audit"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/recheck"
	"cse.example/cse/pki/status"
)

// caCheck looks at every certificate again. It changes nothing, and may run beside
// the server: what moves meanwhile is not compared with lists made before.
func (a *app) caCheck() *cobra.Command {
	var after string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "check", Short: a.say("csed.ca.check"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), tool{roles: []string{"web"}}, func(p *Platform) error {
				out := json.NewEncoder(a.stdout)
				sum, err := p.checkCertificates(cmd.Context(), after, func(f recheck.Finding) error {
					if asJSON {
						return out.Encode(f)
					}
					_, err := fmt.Fprintln(a.stdout, f.Code, f.Serial, f.Says)
					return err
				})
				switch {
				case err != nil:
					return errors.Join(err, words.Refuse("CSE-935", sum.Certificates, sum.Last))
				case sum.Findings > 0:
					return words.Refuse("CSE-934", sum.Findings)
				case !asJSON:
					fmt.Fprintln(a.stdout, a.say("csed.ca.check.clean", sum.Certificates, sum.Lists))
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&after, "after", "", a.say("csed.ca.check.after"))
	cmd.Flags().BoolVar(&asJSON, "json", false, a.say("csed.ca.check.json"))
	return cmd
}

func (p *Platform) checkCertificates(ctx context.Context, after string, found func(recheck.Finding) error) (recheck.Sum, error) {
	since, err := p.trailSince(ctx)
	if err != nil {
		return recheck.Sum{}, err
	}
	i := recheck.Inspector{
		Store: p.db.PKI(), Authorities: map[string]*x509.Certificate{}, Trail: actsOfCertificates{p.trail}, Since: since,
		Lists: func(address string) string { return filepath.Join(p.crlDir(), path.Base(address)) },
		OCSP:  p.askOwn, Clock: p.Clock, After: after, Found: found,
	}
	for _, c := range p.branches.certificates() {
		i.Authorities[ca.IssuerID(c)] = c
	}
	return i.Run(ctx)
}

// askOwn asks our own responder, and believes no more of it than anybody would.
func (p *Platform) askOwn(ctx context.Context, leaf, issuer *x509.Certificate) (recheck.Standing, error) {
	b := p.branches.of(issuer)
	if b == nil || b.responder == nil {
		return recheck.Standing{}, errors.New("no responder")
	}
	q, err := ocsp.CreateRequest(leaf, issuer, nil)
	if err != nil {
		return recheck.Standing{}, err
	}
	reply, err := b.responder.Answer(ctx, q)
	if err != nil {
		return recheck.Standing{}, err
	}
	x, err := status.ReadAnswer(reply.DER, issuer, leaf.SerialNumber, p.Clock.Now())
	return recheck.Standing{
		Listed: x.Status == status.AnswerRevoked || x.Status == status.AnswerHeld, Reason: x.Reason, At: x.This, Unknown: x.Status == status.AnswerUnknown,
	}, err
}

// actsOfCertificates is the trail as the check reads it.
type actsOfCertificates struct{ t *audit.Trail }

func (x actsOfCertificates) OfCard(ctx context.Context, card string) ([]recheck.Act, error) {
	var out []recheck.Act
	for after := int64(0); ; {
		recs, err := x.t.ByCard(ctx, card, after, pageSize)
		if err != nil || len(recs) == 0 {
			return out, err
		}
		after = recs[len(recs)-1].Index
		out = append(out, actsOf(recs)...)
	}
}

func (x actsOfCertificates) Page(ctx context.Context, after int64) ([]recheck.Act, int64, error) {
	recs, err := x.t.Page(ctx, after, pageSize)
	if err != nil || len(recs) == 0 {
		return nil, after, err
	}
	return actsOf(recs), recs[len(recs)-1].Index, nil
}

func actsOf(recs []audit.Record) []recheck.Act {
	var out []recheck.Act
	for _, r := range recs {
		if r.Detail["serial"] == "" {
			continue // of something else, or of somebody whose key was erased
		}
		reason, err := strconv.Atoi(r.Detail["reason"])
		if err != nil {
			reason = 0 // only revocations have one, and it is a number
		}
		out = append(out, recheck.Act{Index: r.Index, Name: r.Act, Serial: r.Detail["serial"], Reason: reason, At: r.At})
	}
	return out
}
