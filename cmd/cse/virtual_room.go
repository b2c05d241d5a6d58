package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"cse.example/cse/cmd/cse/room"
	"cse.example/cse/cmd/cse/virtualcard"
	"cse.example/cse/ground/words"
)

// environment is where PC/SC clients look for another service's socket.
const environment = "PCSCLITE_CSOCK_NAME"

type roomDocument struct {
	Schema string `json:"schema"`
	// Event is started, stopped, running or none.
	Event  string            `json:"event"`
	PID    int               `json:"pid,omitempty"`
	Env    map[string]string `json:"env,omitempty"`
	Cards  []room.Card       `json:"cards"`
	Folder string            `json:"folder"`
}

// startCommand puts cards into readers and leaves them there.
func (a *app) startCommand() *cobra.Command {
	var cut int
	c := &cobra.Command{
		Use: "start CARD…", Aliases: []string{"avvia"}, Short: a.say("help.virtual.start"), DisableFlagsInUseLine: true,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 || cut < 0 {
				return usage(c.CommandPath() + " …")
			}
			return nil
		},
	}
	c.Flags().IntVar(&cut, "power-cut", 0, a.say("flag.power-cut"))
	c.RunE = func(c *cobra.Command, args []string) error {
		cards, err := roomCards(args, cut)
		if err != nil {
			return err
		}
		self, err := os.Executable()
		if err != nil {
			return err
		}
		dir := room.Folder(a.Getenv)
		s, err := room.Start(c.Context(), dir, []string{self, "virtual", roomUse, dir}, cards)
		if err != nil {
			return err
		}
		return a.tellRoom("started", s)
	}
	return c
}

func (a *app) stopCommand() *cobra.Command {
	return a.command("stop", "virtual.stop", []string{"ferma"}, 0, func(ctx context.Context, _ []string) error {
		s, _ := room.Running(room.Folder(a.Getenv))
		if err := room.Stop(ctx, room.Folder(a.Getenv)); err != nil {
			return err
		}
		s.PID, s.Socket = 0, ""
		return a.tellRoom("stopped", s)
	})
}

// roomList tells of the readers that run.
func (a *app) roomList() error {
	s, ok := room.Running(room.Folder(a.Getenv))
	if !ok {
		return a.tellRoom("none", room.State{})
	}
	return a.tellRoom("running", s)
}

func (a *app) tellRoom(event string, s room.State) error {
	doc := roomDocument{Schema: "cse.virtual-room/1", Event: event, PID: s.PID, Cards: s.Cards, Folder: room.Folder(a.Getenv)}
	if doc.Cards == nil {
		doc.Cards = []room.Card{}
	}
	if s.Socket != "" {
		doc.Env = map[string]string{environment: s.Socket}
	}
	return a.emit(doc, func(w io.Writer) {
		for _, c := range doc.Cards {
			state := "virtual.in"
			switch {
			case event == "stopped":
				state = "virtual.out"
			case c.Lost:
				state = "virtual.lost"
			case !c.Inserted:
				state = "virtual.out"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", c.Reader, a.say(state), c.File)
		}
		fmt.Fprintln(w, a.say("virtual."+event))
		if s.Socket != "" {
			fmt.Fprintf(w, "export %s=%s\n", environment, s.Socket)
		}
	})
}

// roomCards finds the chip files behind the arguments: a file, the folder of a
// card, or a folder of such folders.
func roomCards(args []string, cut int) ([]room.Card, error) {
	var out []room.Card
	for _, arg := range args {
		files, err := chipsAt(arg)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			c := room.Card{File: f, PowerCut: cut}
			if d, ok := virtualcard.Describe(f); ok && cut == 0 {
				c.PowerCut = d.PowerCut
			}
			out = append(out, c)
		}
	}
	return out, room.Name(out, func(file string) string {
		if d, ok := virtualcard.Describe(file); ok {
			return d.Profile
		}
		return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	})
}

func chipsAt(arg string) ([]string, error) {
	path, err := filepath.Abs(arg)
	if err != nil {
		return nil, usage(arg)
	}
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, nil // whoever opens it says what is wrong with it
	}
	for _, pattern := range []string{"chip.cse", filepath.Join("*", "chip.cse")} {
		if files, _ := filepath.Glob(filepath.Join(path, pattern)); len(files) > 0 {
			return files, nil
		}
	}
	return nil, words.Refuse("CSE-841", arg)
}

const roomUse = "room"

// roomCommand is what start runs in namespaces of its own; people do not call it.
func (a *app) roomCommand() *cobra.Command {
	c := a.command(roomUse+" DIR", "virtual.start", nil, 1, func(ctx context.Context, args []string) error {
		return room.Keep(ctx, args[0], func(c room.Card, lost func()) (room.Chip, error) {
			in, err := virtualcard.Insert(c.File, c.PowerCut)
			if err != nil {
				return nil, err
			}
			in.Lost = lost
			return in, nil
		})
	})
	c.Hidden = true
	return c
}
