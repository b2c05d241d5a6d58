package main

import (
	"fmt"

	"cse.example/cse/card/holder"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/words"
)

// deskDone is what the program says of a job.
type deskDone struct {
	Job   string     `json:"job"`
	Card  string     `json:"card"`
	Code  string     `json:"code"`
	Found *deskFound `json:"found,omitempty"`
}

// deskFound are the five lights of a chip.
type deskFound struct {
	ATR         string `json:"atr"`
	Card        string `json:"card"`
	Files       bool   `json:"files"`
	Certificate bool   `json:"certificate"`
	PINShut     bool   `json:"pin_shut"`
	PUKShut     bool   `json:"puk_shut"`
}

// test tries the chip in the reader without any code. One that does not answer is
// a finding like any other; a reader without a card, or a card that is no CNS, is
// not, and neither is a chip that says it is another card's.
func (d *deskProgram) test(card string) (*deskFound, error) {
	var f holder.Findings
	err := d.withCard(func(h *holder.Holder, _ string) (err error) {
		f, err = h.Test()
		return err
	})
	if x := words.FaultOf(err); x != nil && x.Code == reader.CodeMute {
		return &deskFound{}, nil
	}
	if err != nil {
		return nil, err
	}
	if f.Card != "" && string(f.Card) != card {
		return nil, words.Refuse("CSE-475")
	}
	return &deskFound{
		ATR: fmt.Sprintf("%X", f.ATR), Card: string(f.Card), Files: f.Files, Certificate: f.Certificate,
		PINShut: f.Tries.PIN.Blocked(), PUKShut: f.Tries.PUK.Blocked(),
	}, nil
}
