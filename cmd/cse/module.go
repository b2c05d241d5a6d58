package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"cse.example/cse/cmd/cse/registration"
)

type moduleDocument struct {
	Schema string               `json:"schema"`
	Module string               `json:"module,omitempty"`
	Places []registration.Place `json:"places"`
}

// moduleCommand makes the PKCS#11 module known to other programs, says where it
// is known, and takes that back.
func (a *app) moduleCommand() *cobra.Command {
	var file string
	var system bool
	act := func(use, key, alias string, do func(w registration.World) (module string, err error)) *cobra.Command {
		c := a.command(use, key, []string{alias}, 0, func(context.Context, []string) error {
			w := registration.World{Home: a.Getenv("HOME"), Config: a.Getenv("XDG_CONFIG_HOME"), System: system}
			module, err := do(w)
			if err != nil {
				return err
			}
			return a.tellModule(w, module)
		})
		c.Flags().BoolVar(&system, "system", false, a.say("flag.system"))
		return c
	}
	find := func() (string, error) {
		self, err := os.Executable()
		if err != nil {
			return "", err
		}
		return registration.Find(file, self)
	}
	install := act("install", "module.install", "installa", func(w registration.World) (string, error) {
		module, err := find()
		if err != nil {
			return "", err
		}
		return module, w.Install(module)
	})
	status := act("status", "module.status", "stato", func(registration.World) (string, error) {
		module, err := find()
		if err != nil && file == "" {
			return "", nil // the program may be here without its module
		}
		return module, err
	})
	for _, c := range []*cobra.Command{install, status} {
		c.Flags().StringVar(&file, "module", "", a.say("flag.module"))
	}
	return a.group("module", "module", []string{"modulo"}, install, status,
		act("remove", "module.remove", "togli", func(w registration.World) (string, error) { return "", w.Remove() }))
}

// tellModule shows every place as it is now.
func (a *app) tellModule(w registration.World, module string) error {
	places, err := w.Status(module)
	if err != nil {
		return err
	}
	doc := moduleDocument{Schema: "cse.module/1", Module: module, Places: places}
	return a.emit(doc, func(out io.Writer) {
		if module != "" {
			a.line(out, "module", module)
		}
		var running, boxed bool
		for _, p := range places {
			fmt.Fprintf(out, "%s\t%s\t%s\n", a.say("module.kind."+string(p.Kind)), a.say("module.state."+string(p.State)), p.Path)
			running = running || p.Running && p.State != registration.Absent
			boxed = boxed || p.State == registration.Sandboxed
		}
		if running {
			fmt.Fprintln(out, a.say("module.restart"))
		}
		if boxed {
			fmt.Fprintln(out, a.say("module.sandbox"))
		}
	})
}
