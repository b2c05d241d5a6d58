package main

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"time"

	"github.com/spf13/cobra"

	"cse.example/cse/card/doctor"
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
	// State is empty, card, mute, unknown-card, busy or away.
	State  string `json:"state"`
	ATR    string `json:"atr,omitempty"`
	Family string `json:"family,omitempty"`
	Tested string `json:"tested,omitempty"`
	// Usable is true when a CNS can be worked with in this reader now; else the
	// rest tells why not.
	Usable bool   `json:"usable"`
	Code   string `json:"code,omitempty"`
	Why    string `json:"why,omitempty"`
	Next   string `json:"next,omitempty"`
}

// readersCommand lists the readers, says of each card which family it is, and of
// each reader that cannot be used why.
func (a *app) readersCommand() *cobra.Command {
	var watch bool
	c := a.command("readers", "readers", []string{"lettori"}, 0, func(ctx context.Context, _ []string) error {
		if watch {
			return a.watchReaders(ctx)
		}
		slots, err := a.slots()
		if err != nil {
			return err
		}
		if len(slots) == 0 {
			return noReader(doctor.Host{})
		}
		return a.tellReaders(slots)
	})
	c.Flags().BoolVar(&watch, "watch", false, a.say("flag.watch"))
	return c
}

// noReader tells a computer without readers from one whose reader the service
// does not know.
func noReader(h doctor.Host) error {
	if seen := h.USBReaders(); len(seen) > 0 {
		return words.Refuse("CSE-802", seen[0])
	}
	return words.Refuse(reader.CodeNoReader)
}

func (a *app) tellReaders(slots []reader.Slot) error {
	doc := readersDocument{Schema: "cse.readers/1", Readers: []readerInfo{}}
	for _, s := range slots {
		doc.Readers = append(doc.Readers, a.describe(s))
	}
	return a.emit(doc, func(w io.Writer) {
		for _, r := range doc.Readers {
			fmt.Fprintf(w, "%s\t%s\t%s\n", printable(r.Name), a.say("reader."+r.State), r.Family)
		}
		for _, r := range doc.Readers {
			if !r.Usable {
				fmt.Fprintf(w, "%s: %s %s (%s)\n", printable(r.Name), r.Why, r.Next, r.Code)
			}
		}
	})
}

// oneLook is how long a look at readers that do not change lasts.
const oneLook = 30 * time.Second

// watchReaders lists the readers whenever one is plugged in or out or a card comes
// or goes, until it is interrupted. In JSON each list is a line.
func (a *app) watchReaders(ctx context.Context) error {
	if a.card != "" {
		return usage("--watch, --card")
	}
	service, err := reader.OpenPCSC()
	if err != nil {
		return err
	}
	defer service.Close()
	stop := context.AfterFunc(ctx, func() { _ = service.Cancel() })
	defer stop()
	return a.watchSlots(ctx, service)
}

// watched is what tells of changes; a *reader.PCSC is one.
type watched interface {
	Slots() ([]reader.Slot, error)
	Wait(known []reader.Slot, atMost time.Duration) error
}

func (a *app) watchSlots(ctx context.Context, service watched) error {
	var before []readerInfo
	for first := true; ; first = false {
		slots, err := service.Slots()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		now := []readerInfo{}
		for _, s := range slots {
			now = append(now, a.describe(s))
		}
		if first || !reflect.DeepEqual(before, now) {
			if len(now) == 0 && !a.json {
				fmt.Fprintln(a.Out, a.say("reader.none"))
			} else if err := a.tellReaders(slots); err != nil {
				return err
			}
			if !a.json {
				fmt.Fprintln(a.Out)
			}
		}
		before = now
		if err := service.Wait(slots, oneLook); err != nil && ctx.Err() == nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
	}
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

// describe says what is in a slot, and why it cannot be used.
func (a *app) describe(s reader.Slot) readerInfo {
	r := readerInfo{Name: s.Name, State: "empty"}
	f := doctor.WhyUnusable(s)
	switch {
	case s.Away:
		r.State = "away"
	case s.Busy:
		r.State = "busy"
	case s.Mute:
		r.State = "mute"
	case s.Present:
		r.State, r.ATR = "unknown-card", fmt.Sprintf("%X", s.ATR)
		if m, ok := holder.MaskOf(s.ATR); ok {
			r.State, r.Family, r.Tested = "card", m.Name, string(m.Tested)
		} else if holder.Contactless(s.ATR) {
			f = words.Refuse("CSE-806")
		} else {
			f = words.Refuse("CSE-204", r.ATR)
		}
	}
	r.Usable = f == nil
	if f != nil {
		r.Code, r.Why, r.Next = f.Code, f.Sentence(a.language), f.Next(a.language)
	}
	return r
}
