package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"cse.example/cse/engine/store"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/person/registry"
)

// app is what every command is given.
type app struct {
	file           string
	lang           words.Lang
	langFlag       string
	env            []string
	stdout, stderr io.Writer
}

// errUsage marks faults of the command line or the configuration.
var errUsage = errors.New("usage")

func run(ctx context.Context, args, env []string, stdout, stderr io.Writer) int {
	a := &app{env: env, stdout: stdout, stderr: stderr, lang: locale(env)}
	root := a.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	a.complain(err)
	if errors.Is(err, errUsage) {
		return 2
	}
	if errors.Is(err, errTempFail) {
		return 75 // EX_TEMPFAIL of sysexits.h: a mail server keeps the message
	}
	return 1
}

func locale(env []string) words.Lang {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v, ok := lookup(env, name); ok && v != "" {
			return words.ParseLang(v)
		}
	}
	return words.Italian
}

// complain prints every fault in err: code, sentence, cause, next step.
func (a *app) complain(err error) {
	//nolint:errorlint // the tree is walked level by level: what a fault wraps is its cause
	if many, ok := err.(interface{ Unwrap() []error }); ok && words.FaultOf(err) != nil {
		for _, e := range many.Unwrap() {
			if e != errUsage { //nolint:errorlint // the mark itself
				a.complain(e)
			}
		}
		return
	}
	f := words.FaultOf(err)
	if f == nil && store.Full(err) {
		f = words.Refuse("CSE-995", a.say("csed.full")).Because(err)
	}
	if f == nil {
		fmt.Fprintln(a.stderr, "csed:", err)
		return
	}
	fmt.Fprintf(a.stderr, "%s  %s\n", f.Code, f.Sentence(a.lang))
	fmt.Fprintf(a.stderr, "         %s\n         → %s\n", f.Cause(a.lang), f.Next(a.lang))
	if f.Err != nil {
		fmt.Fprintf(a.stderr, "         (%v)\n", f.Err)
	}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use: "csed", Short: a.say("csed.short"), SilenceErrors: true, SilenceUsage: true,
		PersistentPreRun: func(*cobra.Command, []string) {
			if a.langFlag != "" {
				a.lang = words.ParseLang(a.langFlag)
			}
		},
	}
	root.PersistentFlags().StringVar(&a.file, "config", "", a.say("csed.flag.config"))
	root.PersistentFlags().StringVar(&a.langFlag, "lang", "", "it | en")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return errors.Join(errUsage, err) })
	root.AddCommand(a.demo(), a.serve(), a.checkConfig(), a.people(), a.base(), a.ca(), a.produce(), a.operator(), a.mail(), a.fsck(), a.audit(), a.security(), a.backup(), a.restore(), a.escrow(), a.trust(), a.version())
	root.AddCommand(a.ocsp(), a.validate())
	return root
}

func (a *app) say(key string, args ...any) string { return words.Say(a.lang, key, args...) }

func (a *app) config() (Config, error) {
	c, err := LoadConfig(a.file, a.env)
	if err != nil {
		return c, errors.Join(errUsage, err)
	}
	return c, nil
}

func (a *app) checkConfig() *cobra.Command {
	return &cobra.Command{
		Use: "check-config", Short: a.say("csed.check.short"), Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := a.config()
			if err != nil {
				return err
			}
			if err := checkPlace(c); err != nil {
				return errors.Join(errUsage, err)
			}
			fmt.Fprintln(a.stdout, a.say("csed.check.ok"))
			return nil
		},
	}
}

func (a *app) people() *cobra.Command {
	people := &cobra.Command{Use: "people", Short: a.say("csed.people.short")}
	var count int
	var seed int64
	gen := &cobra.Command{
		Use: "generate", Short: a.say("csed.people.generate"), Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return registry.Generate(a.stdout, count, seed, civil.Today(civil.System{}))
		},
	}
	gen.Flags().IntVar(&count, "count", 100, a.say("csed.people.count"))
	gen.Flags().Int64Var(&seed, "seed", 1, a.say("csed.people.seed"))
	by := ""
	imp := &cobra.Command{
		Use: "import FILE", Short: a.say("csed.people.import"), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			return a.with(cmd.Context(), tool{roles: []string{"web"}, duties: []string{dutyRegistry}}, func(p *Platform) error {
				rep, found, err := p.importPeople(cmd.Context(), f, by)
				if err != nil {
					return err
				}
				fmt.Fprintln(a.stdout, a.say("csed.people.report", rep.Accepted, rep.Changed, rep.Rejected))
				if found.Found > 0 {
					a.tellCorrections(found)
				}
				for _, e := range rep.Errors {
					fmt.Fprintln(a.stdout, a.say("csed.people.row", e.Line, e.Field, e.Reason.Sentence(a.lang)))
				}
				return nil
			})
		},
	}
	imp.Flags().StringVar(&by, "by", "", a.say("csed.people.by"))
	people.AddCommand(gen, imp, a.recode())
	return people
}

// tool is what a command that is no server needs of the platform.
type tool struct {
	// roles to be played: only their keys are opened. They must be among those
	// that the configuration gives to this machine's user.
	roles []string
	// duties are held while the command works.
	duties []string
	// reads: nothing is written, so that a trail that does not hold can be looked at.
	reads bool
}

// with opens what t needs, without listening, and closes it.
func (a *app) with(ctx context.Context, t tool, f func(*Platform) error) error {
	c, err := a.config()
	if err != nil {
		return err
	}
	for _, r := range t.roles {
		if !c.plays(r) {
			return words.Refuse("CSE-397", r)
		}
	}
	c.Roles = t.roles
	p, err := Open(ctx, c, Options{Duties: append([]string{}, t.duties...), Reads: t.reads})
	if err != nil {
		return err
	}
	return errors.Join(f(p), p.Close())
}

// release is the version of the package that this binary is in (scripts/packages.sh).
var release string

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: a.say("csed.version.short"), Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := cmp.Or(release, "devel")
			if bi, ok := debug.ReadBuildInfo(); ok && release == "" {
				for _, s := range bi.Settings {
					if s.Key == "vcs.revision" {
						v = s.Value
					}
				}
			}
			_, err := fmt.Fprintln(a.stdout, "csed", v)
			return err
		},
	}
}
