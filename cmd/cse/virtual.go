package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/reader"
	"cse.example/cse/cmd/cse/room"
	"cse.example/cse/cmd/cse/virtualcard"
	"cse.example/cse/ground/words"
)

// virtualEvent is one line of "virtual insert --json".
type virtualEvent struct {
	Schema string `json:"schema"`
	// Event is inserted, removed or power-lost.
	Event string `json:"event"`
	File  string `json:"file"`
	VPCD  string `json:"vpcd"`
}

type virtualList struct {
	Schema string        `json:"schema"`
	Cards  []virtualCard `json:"cards"`
}

type virtualCard struct {
	File string `json:"file"`
	Card string `json:"card,omitempty"`
	CF   string `json:"codice_fiscale,omitempty"`
	Name string `json:"name,omitempty"`
	// Model of the chip: neutral, st2021…
	Model string `json:"model,omitempty"`
	Tries *tries `json:"tries,omitempty"`
	// Problem is the CSE code of a file that is a card no more.
	Problem string `json:"problem,omitempty"`
}

// virtualCommand makes test cards, puts them into virtual readers and lists them.
func (a *app) virtualCommand() *cobra.Command {
	var vpcd string
	var cut int
	var exposed bool
	insert := a.command("insert FILE", "virtual.insert", []string{"inserisci"}, 1, func(ctx context.Context, args []string) error {
		if room.Exposed(vpcd) && !exposed {
			return words.Refuse("CSE-837", vpcd)
		}
		return a.insert(ctx, args[0], vpcd, cut)
	})
	insert.Flags().StringVar(&vpcd, "vpcd", reader.VPCDAddress, a.say("flag.vpcd"))
	insert.Flags().IntVar(&cut, "power-cut", 0, a.say("flag.power-cut"))
	insert.Flags().BoolVar(&exposed, "exposed", false, a.say("flag.exposed"))
	list := a.command("list [DIR]", "virtual.list", []string{"elenca"}, 1, func(_ context.Context, args []string) error {
		if len(args) == 0 {
			return a.roomList()
		}
		return a.list(args[0])
	})
	list.Args = a.atMost(1)
	return a.group("virtual", "virtual", []string{"virtuale"}, a.createCommand(), a.startCommand(), a.stopCommand(), list, insert, a.roomCommand())
}

// insert keeps the card in the reader until the program is interrupted.
func (a *app) insert(ctx context.Context, file, vpcd string, cut int) error {
	tell := func(event string) {
		e := virtualEvent{Schema: "cse.virtual-insert/1", Event: event, File: file, VPCD: vpcd}
		_ = a.emit(e, func(w io.Writer) { fmt.Fprintln(w, a.say("virtual."+event, file, vpcd)) })
	}
	c, err := virtualcard.Insert(file, cut)
	if err != nil {
		return err
	}
	defer c.Close()
	c.Lost = func() { tell("power-lost") }
	var inside reader.Chip = c
	if a.logLevel == "traffic" {
		inside = reader.ObserveChip(c, reader.Traffic(a.Err))
	}
	return reader.Virtual{
		Address:  vpcd,
		Inserted: func() { tell("inserted") },
		Removed:  func(error) { tell("removed") },
	}.Run(ctx, inside)
}

// list reads every card file of a folder without taking it away from anybody.
func (a *app) list(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return words.Refuse("CSE-250", dir).Because(err)
	}
	doc := virtualList{Schema: "cse.virtual-list/1", Cards: []virtualCard{}}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if card, ok := readVirtual(filepath.Join(dir, e.Name())); ok {
			doc.Cards = append(doc.Cards, card)
		}
	}
	return a.emit(doc, func(w io.Writer) {
		for _, c := range doc.Cards {
			a.virtualLine(w, c)
		}
	})
}

func (a *app) virtualLine(w io.Writer, c virtualCard) {
	if c.Problem != "" {
		fmt.Fprintf(w, "%s\t%s\n", c.File, words.Refuse(c.Problem, c.File).Sentence(a.language))
		return
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", c.File, c.Card, c.CF, c.Name, c.Model)
}

// readVirtual describes one file; ok is false for a file that never was a card.
func readVirtual(path string) (card virtualCard, ok bool) {
	card.File = path
	c, err := chip.OpenReadOnly(path)
	if f := words.FaultOf(err); f != nil {
		card.Problem = f.Code
		return card, f.Code != "CSE-242"
	}
	if err != nil {
		return card, false
	}
	defer c.Close()
	card.Model = c.Profile().Name
	h, err := holder.New(reader.FromChip(c))
	if err != nil {
		return card, true
	}
	if id, err := h.CardID(); err == nil {
		card.Card = string(id)
	}
	if data, _, err := h.ReadPersonalData(); err == nil {
		card.CF, card.Name = data.CF, data.Surname+" "+data.Name
	}
	if left, err := h.Tries(); err == nil {
		card.Tries = triesOf(left)
	}
	return card, true
}
