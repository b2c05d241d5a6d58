package main

import (
	"errors"
	"fmt"
	"io"

	"cse.example/cse/card/holder"
	"cse.example/cse/card/reader"
)

// withCard opens the card of this run (--card, --reader, or the first CNS
// found), gives it to act and lets it go. An error of act comes back with the
// tries left as far as the card has told them, without asking it again.
func (a *app) withCard(act func(h *holder.Holder, where string) error) error {
	card, where, err := a.openCard()
	if err != nil {
		return err
	}
	defer card.Close()
	if a.logLevel == "traffic" {
		card = reader.Observe(card, reader.Traffic(a.Err))
	}
	h, err := holder.New(card)
	if err != nil {
		return err
	}
	return act(h, where)
}

// openCard opens the chip file or the card in a reader and says where it is.
func (a *app) openCard() (reader.Card, string, error) {
	if a.card != "" {
		c, err := reader.FromFile(a.card)
		return c, a.card, err
	}
	service, err := reader.OpenPCSC()
	if err != nil {
		return nil, "", err
	}
	slot, err := service.Choose(a.reader, holder.IsCNS)
	if err != nil {
		return nil, "", errors.Join(err, service.Close())
	}
	c, err := service.Connect(slot)
	if err != nil {
		return nil, "", errors.Join(err, service.Close())
	}
	return &inService{Card: c, service: service}, slot.Name, nil
}

// inService leaves the service together with the card.
type inService struct {
	reader.Card
	service *reader.PCSC
}

// Close implements reader.Card.
func (c *inService) Close() error { return errors.Join(c.Card.Close(), c.service.Close()) }

// MaxAnswer passes on what the reader's service can take.
func (c *inService) MaxAnswer() int { return reader.MaxAnswer(c.Card) }

// tries are the tries left in a JSON document: null when not known.
type tries struct {
	PIN *int `json:"pin"`
	PUK *int `json:"puk"`
}

func triesOf(t holder.Tries) *tries {
	out := &tries{}
	if t.PIN.Known {
		out.PIN = &t.PIN.Left
	}
	if t.PUK.Known {
		out.PUK = &t.PUK.Left
	}
	return out
}

// triesText is one line about the tries left.
func (a *app) triesText(t holder.Tries) string {
	return fmt.Sprintf("%s: PIN %s, PUK %s", a.say("label.tries"), a.counter(t.PIN), a.counter(t.PUK))
}

// counter is a number of tries in words.
func (a *app) counter(c holder.Counter) string {
	switch {
	case !c.Known:
		return a.say("tries.unknown")
	case c.Left == 0:
		return a.say("tries.blocked")
	}
	return fmt.Sprint(c.Left)
}

// triesLines are the two counters of a text result.
func (a *app) triesLines(w io.Writer, t holder.Tries) {
	a.line(w, "tries.pin", a.counter(t.PIN))
	a.line(w, "tries.puk", a.counter(t.PUK))
}
