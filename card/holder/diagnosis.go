package holder

import (
	"errors"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/words"
)

// Findings is what a reader finds of a chip without any code: the five lights of a
// counter's diagnosis (ux.md 4.1 D).
type Findings struct {
	ATR []byte
	// Card is the number in EF.ID_Carta; empty when it cannot be read.
	Card cns.CardID
	// Files tells that number and personal data can be read, Certificate that the
	// certificate can.
	Files, Certificate bool
	Tries              Tries
}

// Test reads what needs no code, and spends no try. What the chip refuses or has
// spoilt is a light that stays off; a card that was taken out, or a reader that
// fails, is an error: that is no finding about the chip.
func (h *Holder) Test() (Findings, error) {
	f := Findings{ATR: h.card.ATR()}
	var lost [4]error
	f.Card, lost[0] = h.CardID()
	_, _, lost[1] = h.ReadPersonalData()
	_, lost[2] = h.Certificate()
	f.Tries, lost[3] = h.Tries()
	for _, err := range lost {
		if err != nil && !ofTheChip(err) {
			return Findings{}, err
		}
	}
	if lost[0] != nil {
		f.Card = ""
	}
	f.Files, f.Certificate = lost[0] == nil && lost[1] == nil, lost[2] == nil
	return f, nil
}

// ofTheChip tells that an error is the chip's own answer, or its silence.
func ofTheChip(err error) bool {
	var sw iso7816.SW
	if errors.As(err, &sw) {
		return true
	}
	f := words.FaultOf(err)
	return f != nil && (f.Code == "CSE-224" || f.Code == "CSE-225" || f.Code == reader.CodeMute)
}
