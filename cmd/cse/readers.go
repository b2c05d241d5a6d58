package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"cse.example/cse/card/holder"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/words"
)

type readersDocument struct {
	Schema  string       `json:"schema"`
	Readers []readerInfo `json:"readers"`
}

type readerInfo struct {
	Name string `json:"name"`
	// State is empty, card, mute or unknown-card.
	State  string `json:"state"`
	ATR    string `json:"atr,omitempty"`
	Family string `json:"family,omitempty"`
	Tested string `json:"tested,omitempty"`
}

// readersCommand lists the readers and says of each card which family it is.
func (a *app) readersCommand() *cobra.Command {
	return a.command("readers", "readers", []string{"lettori"}, 0, func(context.Context, []string) error {
		slots, err := a.slots()
		if err != nil {
			return err
		}
		if len(slots) == 0 {
			return words.Refuse(reader.CodeNoReader)
		}
		doc := readersDocument{Schema: "cse.readers/1"}
		for _, s := range slots {
			doc.Readers = append(doc.Readers, describe(s))
		}
		return a.emit(doc, func(w io.Writer) {
			for _, r := range doc.Readers {
				fmt.Fprintf(w, "%s\t%s\t%s\n", r.Name, a.say("reader."+r.State), r.Family)
			}
		})
	})
}

// slots lists PC/SC, or the chip file of --card as if it were a reader.
func (a *app) slots() ([]reader.Slot, error) {
	if a.card != "" {
		c, err := reader.FromFile(a.card)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		return []reader.Slot{{Name: a.card, Present: true, ATR: c.ATR()}}, nil
	}
	service, err := reader.OpenPCSC()
	if err != nil {
		return nil, err
	}
	defer service.Close()
	return service.Slots()
}

// describe says what is in a slot.
func describe(s reader.Slot) readerInfo {
	r := readerInfo{Name: s.Name, State: "empty"}
	if s.Mute {
		r.State = "mute"
	} else if s.Present {
		r.State, r.ATR = "unknown-card", fmt.Sprintf("%X", s.ATR)
		if m, ok := holder.MaskOf(s.ATR); ok {
			r.State, r.Family, r.Tested = "card", m.Name, string(m.Tested)
		}
	}
	return r
}
