package main

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

// translate puts cobra's own words in the language of this run.
func (a *app) translate(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	root.SetUsageTemplate(a.usageTemplate())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err.Error()) })
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Short, c.Long, c.Aliases = a.say("help.help"), a.say("help.help"), []string{"aiuto"}
		case "completion":
			c.Short, c.Aliases = a.say("help.completion"), []string{"completamento"}
		}
	}
	a.translateHelpFlags(root)
}

// translateHelpFlags gives every command its --help in the right language.
func (a *app) translateHelpFlags(c *cobra.Command) {
	c.InitDefaultHelpFlag()
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" {
			f.Usage = a.say("flag.help")
		}
	})
	for _, child := range c.Commands() {
		a.translateHelpFlags(child)
	}
}

// usageTemplate is cobra's, shorter and translated.
func (a *app) usageTemplate() string {
	return a.say("help.usage") + `:{{if .Runnable}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} …{{end}}{{if gt (len .Aliases) 0}}

` + a.say("help.aliases") + `:
  {{.NameAndAliases}}{{end}}{{if .HasAvailableSubCommands}}

` + a.say("help.commands") + `:{{range .Commands}}{{if (or .IsAvailableCommand (eq .Name "help"))}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

` + a.say("help.flags") + `:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

` + a.say("help.global") + `:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}
`
}

// manCommand writes the manual pages; packagers call it.
func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Hidden: true, Short: a.say("help.man"), Args: a.exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return cannotWrite(args[0], err)
			}
			c.Root().DisableAutoGenTag = true
			return doc.GenManTree(c.Root(), &doc.GenManHeader{Title: "CSE", Section: "1", Source: "cse"}, args[0])
		},
	}
}
