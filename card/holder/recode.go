package holder

import (
	"errors"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// Recode gives the chip new codes with the PUK that it holds: first the PUK
// (CHANGE REFERENCE DATA), then the PIN by the new PUK (RESET RETRY COUNTER). It is
// the issuer's act at a counter, and the one call that sends two commands with
// codes. Broken off in between, it may be called again with the same codes: a PUK
// that was changed already costs one try, which the second command gives back.
//
// CSE-477: a try of the PUK may be the last one, nothing was sent. CSE-478: this
// card does not let its PUK be changed, and nothing has changed. CSE-213, CSE-214,
// CSE-216 as UnblockPIN.
func (h *Holder) Recode(oldPUK, pin, puk secret.Text) error {
	if !digits(oldPUK, cns.PUKLength, cns.PUKLength) || !digits(puk, cns.PUKLength, cns.PUKLength) {
		return words.Refuse("CSE-223").At("puk")
	}
	if err := h.newPIN(pin); err != nil {
		return err
	}
	tries, err := h.Tries()
	if err != nil {
		return err
	}
	if tries.PUK.Known && tries.PUK.Left < 2 {
		return words.Refuse("CSE-477")
	}
	return h.exclusively(func() error {
		data := append(padded(oldPUK), padded(puk)...)
		defer clear(data)
		r, err := h.exchange(iso7816.Command{INS: iso7816.InsChangeReferenceData, P2: h.mask.PUK, Data: data})
		if err != nil {
			if errors.Is(err, reader.ErrReset) || errors.Is(err, reader.ErrRemoved) || words.FaultOf(err) != nil {
				return words.Refuse("CSE-216").Because(err)
			}
			return err
		}
		switch r.SW {
		case iso7816.SecurityNotSatisfied, iso7816.FunctionNotSupported, iso7816.InstructionUnknown:
			return words.Refuse("CSE-478").Because(r.SW)
		}
		if err := h.pukOutcome(r.SW); err != nil {
			var wrong *WrongPUKError
			if !errors.As(err, &wrong) { // blocked, or something else
				return err
			}
		}
		sw, err := h.replace(iso7816.InsResetRetryCounter, puk, pin)
		if err != nil {
			return err
		}
		return h.pukOutcome(sw)
	})
}
