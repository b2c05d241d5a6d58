package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ceremony"
	"cse.example/cse/pki/keys"
)

// ceremonies are the commands of a key ceremony (docs/ceremony.md). They read no
// configuration: the machine of an off-line root has none.
func (a *app) ceremonies(clock civil.Clock) []*cobra.Command {
	return []*cobra.Command{a.ceremony(clock), a.approver(), a.shares(), a.approve(clock), a.transcript()}
}

func (a *app) ceremony(clock civil.Clock) *cobra.Command {
	dry := false
	cmd := &cobra.Command{
		Use: "ceremony FILE.yaml", Short: a.say("ceremony.short"), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := ceremony.Read(args[0])
			if err != nil {
				return errors.Join(errUsage, err)
			}
			env := ceremony.Env{Clock: clock, Rand: rand.Reader, Program: cmp.Or(release, "devel"), Ask: a.askKey}
			if dry {
				if _, err := f.Rehearse(cmd.Context(), env); err != nil {
					return err
				}
				fmt.Fprintln(a.stdout, a.say("ceremony.rehearsed", f.Digest()))
				return nil
			}
			t, path, err := f.Hold(cmd.Context(), env)
			if err != nil {
				return err
			}
			a.tell(t)
			fmt.Fprintln(a.stdout, a.say("ceremony.transcript", path))
			return nil
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, a.say("ceremony.dryrun"))
	return cmd
}

// tell prints what people write down and compare.
func (a *app) tell(t *ceremony.Transcript) {
	fmt.Fprintln(a.stdout, a.say("ceremony.file", t.File.Name, t.File.SHA256))
	for _, k := range t.Keys {
		fmt.Fprintln(a.stdout, a.say("ceremony.key", k.File, string(k.Kind), k.Where, k.PublicSHA256))
	}
	for _, c := range t.Certificates {
		fmt.Fprintln(a.stdout, a.say("ceremony.certificate", c.File, c.Subject, c.Serial, c.NotBefore.Format(time.RFC3339), c.NotAfter.Format(time.RFC3339), c.SHA256))
	}
	for _, l := range t.Lists {
		fmt.Fprintln(a.stdout, a.say("ceremony.list", l.File, l.Number, l.Entries, l.NextUpdate.Format(time.RFC3339), l.SHA256))
	}
	for _, o := range t.Outputs {
		fmt.Fprintln(a.stdout, a.say("ceremony.output", o.File, o.SHA256))
	}
}

// askKey asks at the terminal for the passphrase of a key.
func (a *app) askKey(ctx context.Context, key string, fresh bool) (secret.Text, error) {
	fmt.Fprintln(a.stderr, a.say("ceremony.passphrase", key))
	first, err := a.ask(ctx, "ceremony.phrase")
	if err != nil || !fresh {
		return first, err
	}
	again, err := a.ask(ctx, "ceremony.again")
	if err == nil && !first.Equal(again) {
		err = words.Refuse("CSE-379")
	}
	return first, err
}

func (a *app) approver() *cobra.Command {
	out, phrase := "", ""
	cmd := &cobra.Command{
		Use: "approver NAME --out FILE.key", Short: a.say("ceremony.approver"), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pass, err := a.phrase(cmd.Context(), phrase, args[0], true)
			if err != nil {
				return err
			}
			line, err := ceremony.NewApprover(rand.Reader, cmp.Or(out, args[0]+".key"), args[0], pass)
			if err != nil {
				return err
			}
			fmt.Fprintln(a.stdout, line)
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "", a.say("ceremony.out"))
	cmd.Flags().StringVar(&phrase, "passphrase-file", "", a.say("ceremony.phrasefile"))
	return cmd
}

func (a *app) approve(clock civil.Clock) *cobra.Command {
	key, phrase, days := "", "", 0
	cmd := &cobra.Command{
		Use: "approve FILE.yaml --key FILE.key", Short: a.say("ceremony.approve"), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := ceremony.Read(args[0])
			if err != nil {
				return errors.Join(errUsage, err)
			}
			if key == "" {
				return errors.Join(errUsage, words.Refuse("CSE-919", "--key", "", "anna.bianchi.key").At("key"))
			}
			pass, err := a.phrase(cmd.Context(), phrase, key, false)
			if err != nil {
				return err
			}
			path, err := ceremony.Approve(f, key, pass, clock.Now(), time.Duration(days)*24*time.Hour)
			if err != nil {
				return err
			}
			fmt.Fprintln(a.stdout, a.say("ceremony.approved", f.Digest(), path))
			return nil
		},
	}
	cmd.Flags().StringVar(&key, "key", "", a.say("ceremony.approverkey"))
	cmd.Flags().StringVar(&phrase, "passphrase-file", "", a.say("ceremony.phrasefile"))
	cmd.Flags().IntVar(&days, "days", 7, a.say("ceremony.days"))
	return cmd
}

// shares makes a passphrase that nobody has alone, a file for each custodian.
func (a *app) shares() *cobra.Command {
	need, of, out := 0, 0, ""
	cmd := &cobra.Command{
		Use: "shares --need K --of N --out DIR", Short: a.say("ceremony.shares"), Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			made, err := keys.Share(rand.Reader, need, of)
			if err != nil {
				return errors.Join(errUsage, err)
			}
			if err := os.MkdirAll(out, 0o700); err != nil {
				return err
			}
			for i, s := range made {
				path := filepath.Join(out, fmt.Sprintf("share-%d", i+1))
				if err := keys.KeepPassphrase(path, s); err != nil {
					return err
				}
				fmt.Fprintln(a.stdout, path)
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&need, "need", 3, a.say("ceremony.need"))
	cmd.Flags().IntVar(&of, "of", 5, a.say("ceremony.of"))
	cmd.Flags().StringVar(&out, "out", "shares", a.say("ceremony.sharesout"))
	return cmd
}

func (a *app) phrase(ctx context.Context, file, key string, fresh bool) (secret.Text, error) {
	if file != "" {
		return keys.ReadPassphrase(file)
	}
	return a.askKey(ctx, key, fresh)
}

func (a *app) transcript() *cobra.Command {
	cmd := &cobra.Command{Use: "transcript", Short: a.say("ceremony.transcripts")}
	anchor := ""
	verify := &cobra.Command{
		Use: "verify FILE.json", Short: a.say("ceremony.verify"), Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			var by *x509.Certificate
			var err error
			if anchor != "" {
				if by, err = ca.ReadCertificate(anchor); err != nil {
					return words.Refuse("CSE-919", "--anchor", anchor, "root.pem").At("anchor").Because(err)
				}
			}
			t, err := ceremony.Verify(args[0], by)
			if err != nil {
				return err
			}
			a.tell(t)
			fmt.Fprintln(a.stdout, a.say("ceremony.verified", t.Title, t.At.Format(time.RFC3339), strings.Join(t.Witnesses, ", ")))
			if by == nil {
				_, err = io.WriteString(a.stdout, a.say("ceremony.noanchor")+"\n")
			}
			return err
		},
	}
	verify.Flags().StringVar(&anchor, "anchor", "", a.say("ceremony.anchor"))
	cmd.AddCommand(verify)
	return cmd
}
