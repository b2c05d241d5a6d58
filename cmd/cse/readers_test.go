package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/words"
)

// Of each reader that cannot be used the list says why, with a code and what to do.
func TestWhyAReaderIsUnusable(t *testing.T) {
	neutral := cns.Neutral().ATR
	for _, c := range []struct {
		slot        reader.Slot
		state, code string
	}{
		{reader.Slot{Name: "A"}, "empty", "CSE-203"},
		{reader.Slot{Name: "A", Present: true, Mute: true}, "mute", "CSE-219"},
		{reader.Slot{Name: "A", Present: true, Busy: true, ATR: neutral}, "busy", "CSE-217"},
		{reader.Slot{Name: "A", Away: true}, "away", "CSE-803"},
		{reader.Slot{Name: "A", Present: true, ATR: []byte{0x3B, 0x65, 0, 0, 0, 0, 0, 0}}, "unknown-card", "CSE-204"},
		{reader.Slot{Name: "A", Present: true, ATR: []byte{0x3B, 0x80, 0x80, 0x01, 0x01}}, "unknown-card", "CSE-806"},
		{reader.Slot{Name: "A", Present: true, ATR: neutral}, "card", ""},
	} {
		for _, lang := range []words.Lang{words.Italian, words.English} {
			var out bytes.Buffer
			a := &app{World: World{Out: &out}, language: lang}
			got := a.describe(c.slot)
			if got.State != c.state || got.Code != c.code || got.Usable != (c.code == "") || (got.Next != "") != (c.code != "") {
				t.Errorf("%+v: %+v", c.slot, got)
			}
			if err := a.tellReaders([]reader.Slot{c.slot}); err != nil || strings.Contains(out.String(), "⟦") || !strings.Contains(out.String(), got.Next) {
				t.Errorf("%q, %v", out.String(), err)
			}
		}
	}
}

// plugs is a service whose readers change at each look.
type plugs struct {
	looks [][]reader.Slot
	at    int
	stop  func()
}

func (p *plugs) Slots() ([]reader.Slot, error) { return p.looks[p.at], nil }
func (p *plugs) Wait([]reader.Slot, time.Duration) error {
	if p.at++; p.at == len(p.looks) {
		p.at--
		p.stop()
		return errors.New("cancelled")
	}
	return nil
}

// Readers and cards that come and go are told once each, until the interrupt,
// which is no error.
func TestReadersHotPlug(t *testing.T) {
	empty, full := []reader.Slot{{Name: "A"}}, []reader.Slot{{Name: "A", Present: true, ATR: cns.Neutral().ATR}}
	for _, asJSON := range []bool{false, true} {
		ctx, stop := context.WithCancel(t.Context())
		var out bytes.Buffer
		a := &app{World: World{Out: &out}, language: words.Italian, options: options{json: asJSON}}
		err := a.watchSlots(ctx, &plugs{looks: [][]reader.Slot{nil, empty, empty, full, full, empty}, stop: stop})
		stop()
		if err != nil {
			t.Fatal(err)
		}
		if !asJSON {
			if n := strings.Count(out.String(), "\n\n"); n != 4 || !strings.Contains(out.String(), "CSE neutral") {
				t.Errorf("%d lists: %s", n, out.String())
			}
			continue
		}
		var states []string
		for line := range strings.Lines(out.String()) {
			var d readersDocument
			if err := json.Unmarshal([]byte(line), &d); err != nil || d.Readers == nil {
				t.Fatalf("%s: %v", line, err)
			}
			state := "none"
			if len(d.Readers) > 0 {
				state = d.Readers[0].State
			}
			states = append(states, state)
		}
		if got := strings.Join(states, " "); got != "none empty card empty" {
			t.Errorf("told %s", got)
		}
	}
}
