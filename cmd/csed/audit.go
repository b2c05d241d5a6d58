package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"cse.example/cse/engine/audit"
	"cse.example/cse/ground/merkle"
	"cse.example/cse/ground/words"
)

// audit are the commands of the log of acts.
func (a *app) audit() *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: a.say("csed.audit.short")}
	cmd.AddCommand(a.auditVerify(), a.auditExport(), a.auditDeposit(), a.auditErase())
	return cmd
}

// auditVerify reads the whole log where it lies. It takes no duty: acts recorded
// meanwhile only make the log longer.
func (a *app) auditVerify() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "verify", Short: a.say("csed.audit.verify"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			known, err := a.knownHeads(file)
			if err != nil {
				return err
			}
			return a.with(cmd.Context(), tool{reads: true}, func(p *Platform) error {
				head, err := p.trail.Verify(cmd.Context(), known...)
				var broken *audit.Broken
				if errors.As(err, &broken) {
					return words.Refuse("CSE-975", broken.Index, broken.Why).Because(err)
				}
				if err != nil {
					return err
				}
				fmt.Fprintln(a.stdout, a.say("csed.audit.sound", head.Index, head.Hash))
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&file, "known", "", a.say("csed.audit.known"))
	return cmd
}

// knownHeads reads heads that were deposited: JSON lines, or signed notes, whose
// signatures do not matter here, since whoever kept them knows them.
func (a *app) knownHeads(file string) ([]audit.Head, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, errors.Join(errUsage, words.Refuse("CSE-976", file).Because(err))
	}
	heads, err := merkle.ParseHeads(string(b))
	if err != nil {
		return nil, errors.Join(errUsage, words.Refuse("CSE-976", file).Because(err))
	}
	return heads, nil
}

// auditExport writes the log for `cse verify audit`.
func (a *app) auditExport() *cobra.Command {
	return &cobra.Command{
		Use: "export DIR", Short: a.say("csed.audit.export"), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), tool{reads: true}, func(p *Platform) error {
				lines, err := p.Config.logLines()
				if err != nil {
					return err
				}
				if lines == "" {
					return words.Refuse("CSE-974", p.Config.logFile(logPubFile))
				}
				if err := p.trail.Export(cmd.Context(), args[0], lines); err != nil {
					return err
				}
				fmt.Fprintln(a.stdout, a.say("csed.audit.exported", args[0]))
				return nil
			})
		},
	}
}

// auditDeposit prints the newest signed head: for paper, for mail, for whoever keeps
// it elsewhere. Verify with --known finds it again.
func (a *app) auditDeposit() *cobra.Command {
	return &cobra.Command{
		Use: "deposit", Short: a.say("csed.audit.deposit"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), tool{reads: true}, func(p *Platform) error {
				msg, err := p.trail.LastNote(cmd.Context())
				if err != nil {
					return err
				}
				if msg == "" {
					return words.Refuse("CSE-977")
				}
				_, err = fmt.Fprint(a.stdout, strings.TrimRight(msg, "\n")+"\n")
				return err
			})
		},
	}
}
