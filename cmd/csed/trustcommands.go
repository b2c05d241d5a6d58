package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/issuer/trustlist"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/trust/tsl"
)

// The signer of our own list: a certificate of its own, pinned by those who
// believe it, beside the authority's.
const (
	fileListSigner    = "tsl.pem"
	fileListSignerKey = "tsl.key"
	listSignerYears   = 5
	listDays          = 180 // TS 119 612, 5.3.15: six months at most
)

// trust is `csed trust`: lists of others in, ours out.
func (a *app) trust() *cobra.Command {
	cmd := &cobra.Command{Use: "trust", Short: a.say("csed.trust.short")}
	cmd.AddCommand(a.trustImport(), a.trustDrop(), a.trustList(), a.trustHistory(), a.trustPublish(), a.trustSigner())
	return cmd
}

// withTrust opens what the commands need, in the name of an operator.
func (a *app) withTrust(ctx context.Context, by string, f func(p *Platform, op staff.Operator) error) error {
	return a.with(ctx, tool{roles: []string{"web"}}, func(p *Platform) error {
		op, err := p.operatorNamed(by)
		if err != nil {
			return err
		}
		return f(p, op)
	})
}

func (a *app) trustImport() *cobra.Command {
	var by, list, why string
	cmd := &cobra.Command{
		Use: "import FILE|URL", Short: a.say("csed.trust.import"), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := fetched(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.withTrust(cmd.Context(), by, func(p *Platform, op staff.Operator) error {
				r, err := p.trusted.Import(cmd.Context(), op, list, body, why)
				if err != nil {
					return err
				}
				a.tellImport(r)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&by, "by", "", a.say("csed.trust.by"))
	cmd.Flags().StringVar(&list, "list", "", a.say("csed.trust.name"))
	cmd.Flags().StringVar(&why, "note", a.say("csed.trust.import"), a.say("csed.trust.note"))
	return cmd
}

func (a *app) tellImport(r trustlist.Result) {
	switch {
	case r.Unchanged:
		fmt.Fprintln(a.stdout, a.say("csed.trust.unchanged", r.Sequence))
		return
	case r.State == trustlist.Waiting:
		fmt.Fprintln(a.stdout, a.say("csed.trust.waiting", r.Sequence))
	default:
		fmt.Fprintln(a.stdout, a.say("csed.trust.taken", r.Sequence))
	}
	for key, list := range map[string][]tsl.Issuer{"csed.trust.new": r.Changes.New, "csed.trust.gone": r.Changes.Gone, "csed.trust.renamed": r.Changes.Renamed} {
		for _, i := range list {
			fmt.Fprintln(a.stdout, a.say(key, i.Name, i.Provider, i.Fingerprint()))
		}
	}
}

func (a *app) trustDrop() *cobra.Command {
	var by, list string
	cmd := &cobra.Command{
		Use: "drop", Short: a.say("csed.trust.drop"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withTrust(cmd.Context(), by, func(p *Platform, op staff.Operator) error { return p.trusted.Drop(cmd.Context(), op, list) })
		},
	}
	cmd.Flags().StringVar(&by, "by", "", a.say("csed.trust.by"))
	cmd.Flags().StringVar(&list, "list", "", a.say("csed.trust.name"))
	return cmd
}

func (a *app) trustList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: a.say("csed.trust.list"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), tool{roles: []string{"web"}}, func(p *Platform) error {
				views, err := p.trusted.Views(cmd.Context())
				if err != nil {
					return err
				}
				for _, v := range views {
					for _, b := range v.Believed {
						fmt.Fprintln(a.stdout, v.Name, b.Fingerprint(), b.From.Format(time.DateOnly), b.Name)
					}
				}
				return nil
			})
		},
	}
}

func (a *app) trustHistory() *cobra.Command {
	return &cobra.Command{
		Use: "history", Short: a.say("csed.trust.history"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), tool{roles: []string{"web"}}, func(p *Platform) error {
				views, err := p.trusted.Views(cmd.Context())
				if err != nil {
					return err
				}
				own, err := p.trusted.OwnHistory(cmd.Context())
				if err != nil {
					return err
				}
				for _, v := range append(views, trustlist.View{History: own}) {
					for _, r := range v.History {
						fmt.Fprintln(a.stdout, r.List, r.Sequence, r.Issued.Format(time.RFC3339), r.State, r.Hash, r.AskedBy)
					}
				}
				return nil
			})
		},
	}
}

func (a *app) trustPublish() *cobra.Command {
	var by, out, territory string
	var withdraw []string
	days := listDays
	cmd := &cobra.Command{
		Use: "publish", Short: a.say("csed.trust.publish"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if days < 1 || days > listDays {
				return words.Refuse("CSE-383", "--days", fmt.Sprint(days), fmt.Sprintf("1…%d", listDays)).Because(errUsage)
			}
			return a.withTrust(cmd.Context(), by, func(p *Platform, op staff.Operator) error {
				list, err := p.publishTrust(cmd.Context(), op, territory, withdraw, days)
				if err != nil {
					return err
				}
				if out == "" {
					_, err = a.stdout.Write(list)
					return err
				}
				return os.WriteFile(out, list, 0o644) //nolint:gosec // it is published
			})
		},
	}
	cmd.Flags().StringVar(&by, "by", "", a.say("csed.trust.by"))
	cmd.Flags().StringVarP(&out, "out", "o", "", a.say("csed.trust.out"))
	cmd.Flags().StringVar(&territory, "territory", "IT", a.say("csed.trust.territory"))
	cmd.Flags().StringArrayVar(&withdraw, "withdraw", nil, a.say("csed.trust.withdraw"))
	cmd.Flags().IntVar(&days, "days", days, a.say("csed.trust.days"))
	return cmd
}

func (a *app) trustSigner() *cobra.Command {
	return &cobra.Command{
		Use: "signer", Short: a.say("csed.trust.signer"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), tool{roles: []string{"web"}}, func(p *Platform) error {
				c, _, err := p.listSigner()
				if err != nil {
					return err
				}
				return pem.Encode(a.stdout, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
			})
		},
	}
}

// publishTrust makes the next list of our authorities.
func (p *Platform) publishTrust(ctx context.Context, op staff.Operator, territory string, withdraw []string, days int) ([]byte, error) {
	cert, key, err := p.listSigner()
	if err != nil {
		return nil, err
	}
	r := p.Config.Region
	return p.trusted.Publish(ctx, op, trustlist.Publication{
		Territory: territory, Authorities: p.branches.certificates(), Withdraw: withdraw, Life: time.Duration(days) * 24 * time.Hour, Signer: cert, Key: key, Random: rand.Reader,
		Scheme: tsl.Scheme{
			Operator: r.Name, Street: "–", Locality: "–", PostalCode: "–", Country: territory, Mail: p.Config.Mail.From, Information: p.Config.Public.Portal,
			Notice: "Le autorità che emettono la Carta nazionale dei servizi per " + r.Name + ". The authorities that issue the CNS for " + r.Name + ".",
		},
	})
}

// listSigner opens the signer of our list, and makes it the first time.
func (p *Platform) listSigner() (*x509.Certificate, crypto.Signer, error) {
	vault, err := p.vault()
	if err != nil {
		return nil, nil, err
	}
	certFile, keyFile := filepath.Join(p.Config.caDir(), fileListSigner), filepath.Join(p.Config.caDir(), fileListSignerKey)
	if b, err := os.ReadFile(certFile); err == nil {
		c, err := x509.ParseCertificate(decoded(b))
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", certFile, err)
		}
		k, err := vault.Open(keyFile)
		return c, k, err
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, nil, err
	}
	var k crypto.Signer
	if _, err = os.Lstat(keyFile); err == nil { // made before, and its certificate not
		k, err = vault.Open(keyFile)
	} else {
		k, err = vault.Make(rand.Reader, keyFile, keys.P256, "tsl")
	}
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, err
	}
	now := p.Clock.Now().UTC().Truncate(time.Second)
	tpl := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: p.Config.Region.Name + " - elenco di fiducia", Organization: []string{p.Config.Region.Certifier}, Country: []string{"IT"}},
		NotBefore: now, NotAfter: now.AddDate(listSignerYears, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature, UnknownExtKeyUsage: []asn1.ObjectIdentifier{tsl.UsageTSL},
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, k.Public(), k)
	if err != nil {
		return nil, nil, err
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	return c, k, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644) //nolint:gosec // a certificate is public
}

// fetched is a file, or what an address gives. What it is worth the list's
// signature says, so plain HTTP will do.
func fetched(ctx context.Context, from string) (_ []byte, err error) {
	if !strings.HasPrefix(from, "http://") && !strings.HasPrefix(from, "https://") {
		f, err := os.Open(from)
		if err != nil {
			return nil, words.Refuse("CSE-966", from).Because(errors.Join(errUsage, err))
		}
		defer f.Close()
		return io.ReadAll(io.LimitReader(f, tsl.MaxSize+1))
	}
	rq, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, words.Refuse("CSE-966", from).Because(err)
	}
	client := &http.Client{Timeout: 2 * time.Minute}
	res, err := client.Do(rq)
	if err != nil {
		return nil, words.Refuse("CSE-966", from).Because(err)
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	if res.StatusCode != http.StatusOK {
		return nil, words.Refuse("CSE-966", from).Because(fmt.Errorf("HTTP %d", res.StatusCode))
	}
	return io.ReadAll(io.LimitReader(res.Body, tsl.MaxSize+1))
}
