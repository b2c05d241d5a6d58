package main

import (
	"context"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// World is what the program touches, so that a test can run all of it.
type World struct {
	Out, Err io.Writer
	Getenv   func(string) string
	// OpenFD opens the descriptor given to --pin-fd.
	OpenFD func(int) (io.Reader, error)
	// Terminal asks the person; nil when there is none.
	Terminal Terminal
	// Person tells that somebody at a desk started it, who gets the window.
	Person bool
	// Browser shows a file of this computer; nil when there is no desktop.
	Browser func(path string) error
}

// Terminal asks the person in front of it.
type Terminal interface {
	// Secret asks for a code without echo.
	Secret(ctx context.Context, prompt string) (secret.Text, error)
	// Confirm asks for yes or no; anything but the language's yes is no.
	Confirm(ctx context.Context, prompt string) (bool, error)
}

// Real is the world outside.
func Real() World {
	return World{Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv, OpenFD: openFD, Terminal: openTerminal(), Person: atDesk(), Browser: openBrowser(os.Getenv)}
}

// options are the flags of every command.
type options struct {
	card, reader string
	lang         string
	logLevel     string
	pinFD        int
	json         bool
	lastTry      bool
}

// app is one run of the program.
type app struct {
	World
	options
	language words.Lang
	codes    *lines
	// started is true when cobra found a command and its arguments are right:
	// errors before that are usage errors.
	started bool
	// emitted is true when the JSON document is out.
	emitted bool
}

// Run executes one command line and returns the exit status (ux.md 5.4).
func Run(ctx context.Context, w World, args []string) int {
	a := &app{World: w, language: languageOf(args, w.Getenv)}
	root := a.root()
	root.SetArgs(args)
	root.SetOut(w.Out)
	root.SetErr(w.Err)
	return a.finish(root.ExecuteContext(ctx))
}

// languageOf reads --lang before the commands exist, since their help is in it;
// else the locale in POSIX order.
func languageOf(args []string, getenv func(string) string) words.Lang {
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if arg == "--lang" && i+1 < len(args) {
			return words.ParseLang(args[i+1])
		}
		if v, ok := strings.CutPrefix(arg, "--lang="); ok {
			return words.ParseLang(v)
		}
	}
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := getenv(name); v != "" {
			return words.ParseLang(v)
		}
	}
	return words.Italian
}

// say is the text of key "cse.<key>" in the language of this run.
func (a *app) say(key string, args ...any) string {
	return words.Say(a.language, "cse."+key, args...)
}

// root is the command tree.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:                   "cse",
		Short:                 a.say("help.root"),
		Long:                  a.say("help.root.long"),
		SilenceErrors:         true,
		DisableFlagsInUseLine: true,
		SilenceUsage:          true,
		Args:                  a.exactly(0),
		RunE:                  a.bare,
		PersistentPreRunE:     func(*cobra.Command, []string) error { return a.check() },
	}
	f := root.PersistentFlags()
	f.StringVar(&a.card, "card", "", a.say("flag.card"))
	f.StringVar(&a.reader, "reader", "", a.say("flag.reader"))
	f.StringVar(&a.lang, "lang", "", a.say("flag.lang"))
	f.StringVar(&a.logLevel, "log-level", "none", a.say("flag.log-level"))
	f.IntVar(&a.pinFD, "pin-fd", -1, a.say("flag.pin-fd"))
	f.BoolVar(&a.json, "json", false, a.say("flag.json"))
	f.BoolVar(&a.lastTry, "last-try", false, a.say("flag.last-try"))
	root.AddCommand(a.readersCommand(), a.infoCommand(), a.pinCommand(), a.certificateCommand(),
		a.loginCommand(), a.moduleCommand(), a.signCommand(), a.verifyCommand(), a.virtualCommand(), a.deskCommand(), a.appCommand(), a.doctorCommand(), a.versionCommand(), a.manCommand())
	a.translate(root)
	return root
}

// bare is cse without a command: the window for a person, the help for a program.
func (a *app) bare(c *cobra.Command, _ []string) error {
	if a.Person {
		return a.window(c.Context(), appWish{idle: idleMinutes})
	}
	return c.Help()
}

// check looks at the flags of every command.
func (a *app) check() error {
	switch {
	case a.card != "" && a.reader != "":
		return usage("--card, --reader")
	case a.logLevel != "none" && a.logLevel != "traffic":
		return usage("--log-level " + a.logLevel)
	case a.lang != "" && a.lang != "it" && a.lang != "en":
		return usage("--lang " + a.lang)
	}
	a.started = true
	return nil
}

// codeLike is what could be a PIN, a PUK or a CIP that somebody typed where it
// does not belong.
var codeLike = regexp.MustCompile(`[0-9]{4,}`)

// usage is the fault of a wrong command line. It does not repeat codes.
func usage(what string) error {
	return words.Refuse("CSE-250", codeLike.ReplaceAllString(what, "****"))
}

// exactly refuses any other number of arguments.
func (a *app) exactly(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) > n:
			return usage(c.CommandPath() + " " + strings.Join(args, " "))
		case len(args) < n:
			return usage(c.CommandPath() + " …")
		}
		return nil
	}
}

// atMost refuses more arguments than n.
func (a *app) atMost(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > n {
			return usage(c.CommandPath() + " " + strings.Join(args, " "))
		}
		return nil
	}
}

// group is a command that only has sub-commands.
func (a *app) group(use, key string, aliases []string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Aliases: aliases, Short: a.say("help." + key), DisableFlagsInUseLine: true, Args: a.exactly(0),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(children...)
	return c
}

// command is a command with n arguments.
func (a *app) command(use, key string, aliases []string, n int, run func(ctx context.Context, args []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Aliases: aliases, Short: a.say("help." + key), DisableFlagsInUseLine: true, Args: a.exactly(n),
		RunE: func(c *cobra.Command, args []string) error { return run(c.Context(), args) },
	}
}
