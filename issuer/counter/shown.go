package counter

import (
	"context"
	"encoding/json"
	"strings"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
)

// The card on the counter: read in the reader, or its number typed with a reason;
// and what the reader finds when the chip does not work.

// How a card was shown, and who filled in a diagnosis.
const (
	ByReader = "reader"
	ByTyping = "typed"
	ByHand   = "hand"
)

// Shown is how the card was shown to the operator, kept with the act.
type Shown struct {
	// By is ByReader or ByTyping; Reason is why it was typed.
	By     string `json:"by"`
	Reason string `json:"reason,omitempty"`
}

func shownBy(s CardStep) *Shown {
	if s.ReadID != "" {
		return &Shown{By: ByReader}
	}
	return &Shown{ByTyping, s.NoReader}
}

// readBy believes a reading of op's own that s names: CSE-474 when it is too old,
// or of another card.
func (c *Counter) readBy(ctx context.Context, op staff.Operator, s *CardStep) error {
	if s.Reading == "" || c.d.Read == nil {
		return nil
	}
	if err := c.d.Read(ctx, op, s.Reading, s.Card); err != nil {
		return err
	}
	s.ReadID = s.Card
	return nil
}

// typed is a number typed instead of read: five digits that are the card's, and a
// reason (R52; the activation asks for the same).
func typed(f found, s CardStep, why string) error {
	if err := printed(f, s); err != nil {
		return err
	}
	if !plain(why, 5, 200) {
		return words.Refuse("CSE-441").At("motivo")
	}
	return nil
}

// printed compares the five digits that the operator reads on the card.
func printed(f found, s CardStep) error {
	switch {
	case s.LastFive == "":
		return words.Refuse("CSE-133").At("tessera_ultime_cinque")
	case len(s.LastFive) != 5 || !strings.HasSuffix(f.Card.ID, s.LastFive):
		return words.Refuse("CSE-132").At("tessera_ultime_cinque")
	}
	return nil
}

// Lights is the diagnosis at the counter's reader: five questions and what
// follows from them (R31, R33). The reader answers them; ticked by hand they want
// a reason.
type Lights struct {
	ATR, Files, Certificate, PIN, PUK bool
	// By is ByReader or ByHand, Reason why by hand.
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Number tells that the reader read the card's number; Answer is its answer to
	// reset, in hexadecimal.
	Number bool   `json:"number,omitempty"`
	Answer string `json:"answer,omitempty"`
}

// faulty tells that the chip, and not the workstation or a blocked code, is at
// fault: it does not answer, or its files or its certificate cannot be read.
func (l Lights) faulty() bool { return !l.ATR || !l.Files || !l.Certificate }

// Conclusion is what follows from the lights.
type Conclusion string

// The conclusions, worst first (ux.md 4.1 D). Only the first three replace a card.
const (
	ChipMute      Conclusion = "mute"
	FilesLost     Conclusion = "files"
	NoCertificate Conclusion = "certificate"
	PUKBlocked    Conclusion = "puk"
	PINBlocked    Conclusion = "pin"
	ChipWorks     Conclusion = "works"
)

// Conclusion of the lights.
func (l Lights) Conclusion() Conclusion {
	switch {
	case !l.ATR:
		return ChipMute
	case !l.Files:
		return FilesLost
	case !l.Certificate:
		return NoCertificate
	case !l.PUK:
		return PUKBlocked
	case !l.PIN:
		return PINBlocked
	}
	return ChipWorks
}

// Faulty tells whether the conclusion replaces the card.
func (c Conclusion) Faulty() bool { return c == ChipMute || c == FilesLost || c == NoCertificate }

// lit are the lights of an order: those that the reader found, or ticked by hand
// with a reason (CSE-441). A chip that could not say its number is told from
// another one by the digits printed on the card.
func (c *Counter) lit(ctx context.Context, op staff.Operator, f found, o Order) (*Lights, error) {
	if o.Reading != "" && c.d.Tested != nil {
		l, err := c.d.Tested(ctx, op, o.Reading, f.Card.ID)
		if err != nil {
			return nil, err
		}
		l.By = ByReader
		if !l.Number && l.faulty() {
			err = printed(f, o.Shown)
		}
		return &l, err
	}
	if o.Lights == nil {
		return nil, nil
	}
	l := *o.Lights
	l.By, l.Reason, l.Number, l.Answer = ByHand, o.NoReader, false, ""
	if l.faulty() && !plain(o.NoReader, 5, 200) {
		return nil, words.Refuse("CSE-441").At("motivo")
	}
	return &l, nil
}

// diagnosed is who found the chip at fault, "counter" or the ticket's number, and
// the lights if there are any. CSE-482: the reader found the chip in order.
func (c *Counter) diagnosed(ctx context.Context, op staff.Operator, f found, o Order) (string, *Lights, error) {
	l, err := c.lit(ctx, op, f, o)
	if err != nil {
		return "", nil, err
	}
	if l != nil && l.faulty() {
		return "counter", l, nil
	}
	if c.d.Diagnosis != nil {
		ticket, err := c.d.Diagnosis(ctx, f.Card.ID)
		if err != nil || ticket != "" {
			return ticket, l, err
		}
	}
	if l != nil && l.By == ByReader {
		return "", nil, words.Refuse("CSE-482")
	}
	return "", nil, words.Refuse("CSE-436")
}

// lightsOf are the lights kept with an act of a chip fault; nil for none.
func (e Evidence) lightsOf() *Lights {
	var x struct {
		Lights *Lights `json:"lights"`
	}
	if e.Form.Kind != KindChipFault || len(e.Extra) == 0 || json.Unmarshal(e.Extra, &x) != nil {
		return nil
	}
	return x.Lights
}
